//! What a press of CALL would do, target by target. The preview and the real dial both come through here.

use crate::ids::{DeviceName, MeetingId, PersonId, UserId};
use crate::live::focus::{MeetingSnapshot, Refusal, RefusalKind};
use crate::live::number::{self, PhoneNumber};
use crate::live::policy::{self, DialPolicy, DialRequest};
use crate::services::actor::{Actor, UserActor};
use crate::services::error::ServiceError;
use crate::services::people::Invitee;
use crate::services::reach::Reach;
use crate::services::resolve::{Directory, Meaning};
use crate::services::trunk_order::in_order;
use crate::services::views::CallAnswer;
use crate::services::{Services, input};
use crate::store::{CallerIdRow, DeviceRow, Identity, UserRow};
use crate::vocabulary::{Access, CallState, Cause, Role, UnixMillis};
use sip_core::ua::TrunkId;

/// How many targets one press of CALL takes.
pub(super) const TARGETS_MAX: usize = 100;
/// The window of the limit on calls per Host.
const RATE_WINDOW_MS: u64 = 60_000;

/// One target of CALL: a user's device, or a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTarget {
    /// The user to call.
    pub user: Option<UserId>,
    /// Which of their registered devices; may be left out if there is exactly one.
    pub device: Option<DeviceName>,
    /// The number to call, or an extension, as typed.
    pub number: Option<String>,
    /// The name of whoever is behind the number.
    pub name: Option<String>,
    /// The role to come in with; Attendee when missing.
    pub role: Option<Role>,
    /// The access to come in with; collaborate when missing.
    pub access: Option<Access>,
}

/// Everything the targets of one press have in common.
pub(super) struct Desk {
    pub(super) host: UserActor,
    pub(super) reach: Reach,
    pub(super) caller: Option<CallerIdRow>,
    pub(super) trunks: Vec<TrunkId>,
    snapshot: Option<MeetingSnapshot>,
    directory: Directory,
    policy: DialPolicy,
    /// How many more calls this Host may place in this minute.
    left: usize,
}

/// Where a planned call goes.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    Device(DeviceRow),
    Number(PhoneNumber),
}

/// What would happen with one target.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Who would come in.
    pub(super) invitee: Invitee,
    /// Where the call goes; none if that is what is wrong.
    pub(super) destination: Option<Destination>,
    /// Why it would not be made.
    pub(super) refusal: Option<Refusal>,
}

impl Plan {
    fn new(invitee: Invitee, destination: Result<Destination, Refusal>) -> Self {
        match destination {
            Ok(destination) => Self { invitee, destination: Some(destination), refusal: None },
            Err(refusal) => Self { invitee, destination: None, refusal: Some(refusal) },
        }
    }

    pub(super) fn number(&self) -> Option<&PhoneNumber> {
        match &self.destination {
            Some(Destination::Number(number)) => Some(number),
            Some(Destination::Device(_)) | None => None,
        }
    }

    /// The user who would be called, on a device or on an outside number of theirs.
    pub(super) fn user(&self) -> Option<&UserId> {
        match &self.invitee.identity {
            Identity::User(user) => Some(user),
            Identity::Mail(_) | Identity::Number(_) | Identity::Guest => None,
        }
    }

    pub(super) fn device(&self) -> Option<&DeviceRow> {
        match &self.destination {
            Some(Destination::Device(device)) => Some(device),
            Some(Destination::Number(_)) | None => None,
        }
    }

    /// What the host is told.
    pub(super) fn answer(&self) -> CallAnswer {
        let number = self.number();
        CallAnswer {
            id: None,
            state: if self.refusal.is_some() { CallState::Refused } else { CallState::Queued },
            person: None,
            display: number
                .map_or_else(|| self.invitee.display_name.clone(), |number| number.display.clone()),
            number: number.map(|number| number.e164.clone()),
            device: self.device().map(|device| device.name.clone()),
            reason: self.refusal.as_ref().map(|refusal| refusal.cause.unwrap_or(Cause::Internal)),
            detail: self.refusal.as_ref().map(|refusal| refusal.detail.clone()),
            mend: self.refusal.as_ref().map(|refusal| refusal.mend.clone()).filter(|mend| !mend.is_empty()),
        }
    }
}

impl Services {
    /// What CALL would do with these targets. Nothing is dialled and nothing is written.
    ///
    /// # Errors
    /// As for [`Self::place_calls`].
    pub async fn check_calls(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        targets: &[CallTarget],
    ) -> Result<Vec<CallAnswer>, ServiceError> {
        let desk = self.desk(actor, meeting).await?;
        let plans = self.plan_calls(&desk, targets).await?;
        Ok(plans.iter().map(Plan::answer).collect())
    }

    /// Gathers what is needed to judge targets, and refuses those who may not call at all.
    pub(super) async fn desk(&self, actor: &Actor, meeting: &MeetingId) -> Result<Desk, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        reach.require_invite()?;
        // Somebody who is Host by a link has no caller ID of their own to answer for the call.
        let host = actor.user()?.clone();
        let snapshot = self.live.snapshot(meeting.clone()).await;
        policy::check_host_present(host_present(snapshot.as_ref()))?;
        let tenant = self.store.tenant(&host.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a meeting without tenant"))?;
        let directory = self.directory(&host, &tenant).await?;
        let trunks = self.store.trunks(&host.tenant).await?;
        let caller = self.store.caller_id(&host.tenant, &host.user).await?;
        let since = UnixMillis(self.now().0.saturating_sub(RATE_WINDOW_MS));
        let placed = self.store.calls_since(&host.tenant, &host.user, since).await?;
        let limit = i64::from(self.config.calls_per_minute);
        Ok(Desk {
            policy: DialPolicy::home_only(&tenant.country).with_countries(&self.config.dial_countries),
            trunks: in_order(&trunks, self.entropy.as_ref()),
            left: usize::try_from(limit - placed).unwrap_or(0),
            host,
            reach,
            caller,
            snapshot,
            directory,
        })
    }

    /// Decides for each target.
    pub(super) async fn plan_calls(
        &self,
        desk: &Desk,
        targets: &[CallTarget],
    ) -> Result<Vec<Plan>, ServiceError> {
        if targets.is_empty() {
            return Err(
                ServiceError::invalid("targets", "Nobody is to be called").mend("Send at least one target")
            );
        }
        input::length("targets", targets.len(), TARGETS_MAX)?;
        let mut plans: Vec<Plan> = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            let place = format!("targets[{index}]");
            let mut plan = self.plan_call(desk, target).await.map_err(|error| error.within(&place))?;
            let queued = plans.iter().filter(|plan| plan.refusal.is_none());
            if plan.refusal.is_none()
                && queued.clone().any(|other| other.invitee.identity == plan.invitee.identity)
            {
                plan.refusal = Some(already_in("Named twice in this list", "Once is enough"));
            }
            if plan.refusal.is_none() && queued.count() >= desk.left {
                plan.refusal = Some(
                    Refusal::call(RefusalKind::Overload, Cause::RateLimited)
                        .mend("Wait a minute and call again"),
                );
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    async fn plan_call(&self, desk: &Desk, target: &CallTarget) -> Result<Plan, ServiceError> {
        let role = target.role.unwrap_or(Role::Attendee);
        let access = target.access.unwrap_or_default();
        policy::check_standing(role, access)?;
        let name = target.name.as_deref().map(|name| input::name("name", name)).transpose()?;
        let mut plan = match (&target.user, &target.number) {
            (Some(user), None) => {
                let user = desk.directory.user(user).ok_or_else(|| {
                    ServiceError::invalid("user", "There is no such user")
                        .mend("Choose one from the list of users")
                })?;
                self.plan_user(desk, user, target.device.as_ref(), (role, access)).await
            }
            (None, Some(text)) => self.plan_number(desk, text, name, (role, access)).await,
            _ => {
                return Err(ServiceError::invalid("user", "Exactly one of user and number is needed")
                    .mend("Send one of them"));
            }
        };
        if plan.refusal.is_none() {
            plan.refusal = self.judge(desk, &plan).await?.err();
        }
        Ok(plan)
    }

    /// One registered device of a user, and only that one (A47).
    async fn plan_user(
        &self,
        desk: &Desk,
        user: &UserRow,
        device: Option<&DeviceName>,
        (role, access): (Role, Access),
    ) -> Plan {
        let invitee = colleague(user, role, access);
        let destination = self.choose_device(desk, user, device).await;
        Plan::new(invitee, destination.map(Destination::Device))
    }

    async fn choose_device(
        &self,
        desk: &Desk,
        user: &UserRow,
        wanted: Option<&DeviceName>,
    ) -> Result<DeviceRow, Refusal> {
        let name = &user.display_name;
        let own: Vec<&DeviceRow> = desk.directory.devices_of(&user.id).collect();
        let refuse = |cause, detail: String, mend: String| {
            Refusal::call(RefusalKind::Conflict, cause).field("device").detail(detail).mend(mend)
        };
        if let Some(wanted) = wanted {
            let Some(device) = own.iter().find(|device| device.name == *wanted) else {
                let detail = format!("{name} has no device {wanted}");
                return Err(refuse(Cause::NoDevice, detail, "Choose one of the devices listed".to_owned()));
            };
            if self.is_registered(device).await {
                return Ok((*device).clone());
            }
            let detail = format!("{} is not registered", device.label());
            return Err(refuse(Cause::NotRegistered, detail, other_way(user)));
        }
        let mut registered = Vec::new();
        for device in own {
            if self.is_registered(device).await {
                registered.push(device);
            }
        }
        match registered.as_slice() {
            [only] => Ok((*only).clone()),
            [] => {
                let detail = format!("{name} has no registered device");
                Err(refuse(Cause::NotRegistered, detail, other_way(user)))
            }
            _ => {
                let detail = format!("{name} has several registered devices");
                Err(refuse(Cause::NoDevice, detail, "Choose one of them".to_owned()))
            }
        }
    }

    /// A typed text: an extension and a number of a user stay in the house (I31, I33), all else goes to a trunk.
    async fn plan_number(
        &self,
        desk: &Desk,
        text: &str,
        name: Option<String>,
        (role, access): (Role, Access),
    ) -> Plan {
        let stranger = |number: Option<&PhoneNumber>| Invitee {
            identity: Identity::Number(number.map_or_else(|| text.to_owned(), |number| number.e164.clone())),
            display_name: name
                .clone()
                .or_else(|| number.map(|number| number.display.clone()))
                .unwrap_or_else(|| text.chars().take(64).collect()),
            role,
            access,
        };
        match desk.directory.meaning(text) {
            Meaning::User(user, device) => self.plan_user(desk, user, device.as_ref(), (role, access)).await,
            Meaning::Number(number, user) => {
                let invitee =
                    user.map_or_else(|| stranger(Some(&number)), |user| colleague(user, role, access));
                Plan::new(invitee, Ok(Destination::Number(number)))
            }
            Meaning::Nothing(refusal) => Plan::new(stranger(None), Err(refusal)),
        }
    }

    /// The policy, and whether they are in or being called already (I36).
    async fn judge(&self, desk: &Desk, plan: &Plan) -> Result<Result<(), Refusal>, ServiceError> {
        let number = plan.number();
        let mut policy = desk.policy.clone();
        if let Some(number) = number
            && self.store.is_blocked(&desk.host.tenant, &number.e164).await?
        {
            policy.do_not_call.insert(number.e164.clone());
        }
        let owned: Vec<String> =
            desk.caller.iter().filter(|caller| caller.owned).map(|caller| caller.number.clone()).collect();
        let request = DialRequest {
            number,
            caller_id: desk.caller.as_ref().map(|caller| caller.number.as_str()),
            owned_numbers: &owned,
            host_present: host_present(desk.snapshot.as_ref()),
        };
        if let Err(refusal) = policy::check_dial(&policy, &request) {
            return Ok(Err(refusal));
        }
        if number.is_some() && desk.trunks.is_empty() {
            return Ok(Err(Refusal::call(RefusalKind::Conflict, Cause::TrunkDown)
                .detail("No trunk to the telephone network is set up")
                .mend("Ask your Tenant Admin to set up a trunk")));
        }
        Ok(desk.not_in_yet(&plan.invitee.identity))
    }
}

impl Desk {
    fn not_in_yet(&self, identity: &Identity) -> Result<(), Refusal> {
        let Some(snapshot) = &self.snapshot else { return Ok(()) };
        let row = self.reach.people.iter().find(|person| person.identity == *identity);
        let same = |id: &PersonId, user: Option<&UserId>, number: Option<&String>| {
            row.is_some_and(|row| row.id == *id)
                || match identity {
                    Identity::User(wanted) => user == Some(wanted),
                    Identity::Number(wanted) => user.is_none() && number == Some(wanted),
                    Identity::Mail(_) | Identity::Guest => false,
                }
        };
        let mut people = snapshot.people.iter();
        let person = people.find(|person| same(&person.id, person.user.as_ref(), person.number.as_ref()));
        if person.is_some_and(|person| person.present) {
            return Err(already_in(Cause::AlreadyIn.words(), "Nothing needs to be done"));
        }
        let known = person.map(|person| &person.id).or_else(|| row.map(|row| &row.id));
        let running = snapshot.calls.iter().any(|call| !call.state.is_final() && Some(&call.person) == known);
        if running {
            return Err(already_in("Is being called already", "Wait for that call, or cancel it"));
        }
        Ok(())
    }
}

fn colleague(user: &UserRow, role: Role, access: Access) -> Invitee {
    Invitee {
        identity: Identity::User(user.id.clone()),
        display_name: user.display_name.clone(),
        role,
        access,
    }
}

fn host_present(snapshot: Option<&MeetingSnapshot>) -> bool {
    snapshot.is_some_and(|snapshot| {
        snapshot.people.iter().any(|person| person.present && person.role == Role::Host)
    })
}

fn already_in(detail: &str, mend: &str) -> Refusal {
    Refusal::call(RefusalKind::Conflict, Cause::AlreadyIn).detail(detail).mend(mend)
}

/// Somebody without a registered device may have a number (I37).
fn other_way(user: &UserRow) -> String {
    match user.phones.first() {
        Some(phone) => format!("Call {} instead", number::display_of(phone)),
        None => "Ask them to switch the device on, or type a number".to_owned(),
    }
}
