//! What a press of CALL would do, target by target. The preview and the real dial both come through here.

use crate::ids::{DeviceName, MeetingId, PersonId, UserId};
use crate::live::focus::{MeetingSnapshot, Refusal, RefusalKind};
use crate::live::number::{self, PhoneNumber};
use crate::live::policy;
use crate::live::policy::dial::{Asking, Called, Confirmation, Decision, Verdict, check_mode, decide};
use crate::live::policy::region::LocalTime;
use crate::live::policy::rules::DialPolicy;
use crate::live::policy::usage::{Usage, left};
use crate::services::actor::{Actor, UserActor};
use crate::services::error::ServiceError;
use crate::services::people::Invitee;
use crate::services::phones::PhoneSettings;
use crate::services::reach::Reach;
use crate::services::resolve::{Directory, Meaning, Meant};
use crate::services::trunk_order::{Lots, in_order};
use crate::services::views::{CallAnswer, CallFacts, ShownCallerId};
use crate::services::{Services, input};
use crate::store::{CallerIdRow, DeviceRow, Identity, PersonRow, TenantRow, TrunkRow, UsageOf, UserRow};
use crate::vocabulary::{Access, CallPurpose, CallState, Cause, Role, UnixMillis};
use sip_core::ua::{Attestation, Replaces, TrunkId};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many targets one press of CALL takes.
pub(super) const TARGETS_MAX: usize = 100;

/// "Try again in so many seconds, so many times" (I55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// After the call has failed: 30 to 3600.
    pub after_seconds: u32,
    /// At most twice.
    pub times: u32,
}

impl Again {
    /// # Errors
    /// Names the field `again`.
    pub(super) fn checked(self) -> Result<Self, ServiceError> {
        if !(30..=3600).contains(&self.after_seconds) || !(1..=2).contains(&self.times) {
            return Err(ServiceError::invalid(
                "again",
                "Calling again is possible after 30 to 3600 seconds, once or twice",
            )
            .mend("Send {\"after_seconds\": 120, \"times\": 2}"));
        }
        Ok(self)
    }
}

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
    /// Keys to press after the answer, beside those typed behind the number.
    pub keys: Option<String>,
    /// What the Host has been asked and wants all the same.
    pub confirm: BTreeSet<Confirmation>,
    /// Whether to call again by itself should nobody answer.
    pub again: Option<Again>,
    /// Whether the person must press 1; as the tenant has set it when missing.
    pub press_one: Option<bool>,
}

/// Everything the targets of one press have in common.
pub(super) struct Desk {
    /// Who answers for the calls: the acting Host, or the meeting's owner for a Host who came by a link.
    pub(super) host: UserActor,
    /// Whether the acting Host has logged in.
    signed_in: bool,
    pub(super) reach: Reach,
    pub(super) caller: Option<CallerIdRow>,
    trunks: Vec<TrunkRow>,
    pub(super) policy: DialPolicy,
    pub(super) purpose: CallPurpose,
    /// The call of the callee that a transfer takes the place of.
    pub(super) replaces: Option<Replaces>,
    pub(super) usage: Usage,
    pub(super) phones: PhoneSettings,
    home: String,
    snapshot: Option<MeetingSnapshot>,
    directory: Directory,
    now: UnixMillis,
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
    /// Their row, if it must stay as it is.
    pub(super) person: Option<PersonRow>,
    /// Where the call goes; none if that is what is wrong.
    pub(super) destination: Option<Destination>,
    /// Why it would not be made.
    pub(super) refusal: Option<Refusal>,
    /// What the policy says.
    pub(super) decision: Decision,
    /// What the host is told beside the answer.
    pub(super) facts: CallFacts,
    /// Calls again by itself, if the Host asked for it.
    pub(super) again: Option<Again>,
    /// Whether the person must press 1, if the Host has said so.
    pub(super) press_one: Option<bool>,
}

impl Plan {
    fn new(invitee: Invitee, destination: Result<Destination, Refusal>) -> Self {
        let (destination, refusal) = match destination {
            Ok(destination) => (Some(destination), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Self {
            invitee,
            person: None,
            destination,
            refusal,
            decision: Decision::default(),
            facts: CallFacts::default(),
            again: None,
            press_one: None,
        }
    }

    /// Whether nothing is refused, only asked.
    pub(super) fn waits_for_confirmation(&self) -> bool {
        self.refusal.is_some() && !self.facts.confirm.is_empty()
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
            facts: self.facts.clone(),
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
        let desk = self.desk(actor, meeting, targets).await?;
        let plans = self.plan_calls(&desk, targets).await?;
        Ok(plans.iter().map(Plan::answer).collect())
    }

    /// Gathers what is needed to judge targets, and refuses those who may not call at all.
    pub(super) async fn desk(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        targets: &[CallTarget],
    ) -> Result<Desk, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        reach.require_invite()?;
        let policy = self.policy_of(actor.tenant()).await?;
        let user = actor.user().ok().map(|user| &user.user);
        check_mode(&policy, user)?;
        let desk = self.desk_for(actor, reach, policy, (CallPurpose::Call, targets)).await?;
        policy::check_host_present(host_present(desk.snapshot.as_ref()))?;
        Ok(desk)
    }

    /// The same without asking whether the actor is a Host.
    pub(super) async fn desk_for(
        &self,
        actor: &Actor,
        reach: Reach,
        policy: DialPolicy,
        (purpose, targets): (CallPurpose, &[CallTarget]),
    ) -> Result<Desk, ServiceError> {
        let signed_in = actor.user().is_ok();
        let host = self.accountable(actor, &reach).await?;
        let snapshot = self.live.snapshot(reach.meeting.id.clone()).await;
        let tenant = self.store.tenant(&host.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a meeting without tenant"))?;
        let own = match signed_in {
            true => self.store.caller_id(&host.tenant, &host.user).await?,
            false => None,
        };
        let caller = match own {
            // Nobody else's number is ever shown instead of a Host's own (A60): the tenant's is for those without.
            None if !signed_in || purpose == CallPurpose::CallMe => {
                self.service_caller(&tenant, &policy).await?
            }
            own => own,
        };
        let phones = self.tenant_settings(&host.tenant).await?.phones;
        let now = self.now();
        let of = UsageOf { tenant: &host.tenant, host: &host.user, meeting: &reach.meeting.id };
        let usage = self.store.usage(of, &policy, now).await?;
        let trunks = self.store.trunks(&host.tenant).await?;
        let texts = targets.iter().filter_map(|target| target.number.as_deref()).collect();
        let users = targets.iter().filter_map(|target| target.user.clone()).collect();
        let meant = Meant { texts, users, ..Meant::default() };
        Ok(Desk {
            directory: self.directory(&host, &tenant, &meant).await?,
            trunks,
            home: tenant.country,
            signed_in,
            host,
            reach,
            caller,
            policy,
            purpose,
            replaces: None,
            usage,
            phones,
            snapshot,
            now,
        })
    }

    /// Who answers for a call: whoever has logged in; for somebody who came by a link the owner of the meeting.
    async fn accountable(&self, actor: &Actor, reach: &Reach) -> Result<UserActor, ServiceError> {
        if let Actor::User(user) = actor {
            return Ok(user.clone());
        }
        let owner = match &reach.meeting.owner {
            Some(owner) => self.store.user(actor.tenant(), owner).await?,
            None => None,
        };
        let owner = owner.ok_or_else(|| {
            ServiceError::forbidden("This meeting has no owner who answers for calls")
                .mend("Log in as a user")
        })?;
        Ok(acting(&owner))
    }

    /// The tenant's own number, where the tenant has named one that it may show.
    async fn service_caller(
        &self,
        tenant: &TenantRow,
        policy: &DialPolicy,
    ) -> Result<Option<CallerIdRow>, ServiceError> {
        let Some(number) = &policy.service_caller_id else { return Ok(None) };
        let row = self.store.number(&tenant.id, number).await?;
        Ok(row.map(|row| CallerIdRow {
            owned: row.verified_at.is_some() && row.user.is_none(),
            number: row.e164,
            display_name: tenant.name.clone(),
            hidden: false,
            attestation: row.attestation,
        }))
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
        let mut usage = desk.usage.clone();
        let mut plans: Vec<Plan> = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            let place = format!("targets[{index}]");
            let plan = self.plan_call(desk, &mut usage, target).await;
            let mut plan = plan.map_err(|error| error.within(&place))?;
            let twice = plans
                .iter()
                .any(|other| other.refusal.is_none() && other.invitee.identity == plan.invitee.identity);
            if plan.refusal.is_none() && twice {
                plan.refuse(already_in("Named twice in this list", "Once is enough"));
            }
            if plan.refusal.is_none() {
                let number = plan.number();
                let country = number.and_then(|number| number.country.as_deref());
                usage.count(&desk.policy, number.map(|number| number.e164.as_str()), country);
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    async fn plan_call(
        &self,
        desk: &Desk,
        usage: &mut Usage,
        target: &CallTarget,
    ) -> Result<Plan, ServiceError> {
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
        if let (Some(keys), Some(Destination::Number(number))) = (&target.keys, &mut plan.destination) {
            number.keys = Some(number::check_keys(keys)?);
        }
        plan.again = target.again.map(Again::checked).transpose()?;
        plan.press_one = target.press_one;
        self.judge(desk, usage, &mut plan, &target.confirm).await?;
        Ok(plan)
    }

    /// One registered device of a user, and only that one (A47).
    pub(super) async fn plan_user(
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
    pub(super) async fn plan_number(
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

    /// The policy, and whether they are in or being called already (I36). What the host is told comes out of the same
    /// judgement.
    pub(super) async fn judge(
        &self,
        desk: &Desk,
        usage: &mut Usage,
        plan: &mut Plan,
        confirmed: &BTreeSet<Confirmation>,
    ) -> Result<(), ServiceError> {
        let number = plan.number().cloned();
        let tenant = &desk.host.tenant;
        let mut blocked = false;
        if let Some(number) = &number {
            blocked = self.store.is_blocked(tenant, &number.e164).await?;
            let country = number.country.as_deref().filter(|country| *country != desk.home);
            if let Some(country) = country.filter(|country| !usage.countries.contains(*country))
                && self.store.has_called(tenant, country).await?
            {
                usage.countries.insert(country.to_owned());
            }
        }
        let owned: Vec<String> =
            desk.caller.iter().filter(|caller| caller.owned).map(|caller| caller.number.clone()).collect();
        let asking = Asking {
            user: desk.signed_in.then_some(&desk.host.user),
            caller_id: desk.caller.as_ref().map(|caller| caller.number.as_str()),
            owned_numbers: &owned,
            host_present: host_present(desk.snapshot.as_ref()),
            has_trunk: desk.trunks.iter().any(|trunk| trunk.settings.enabled),
            own: desk.purpose == CallPurpose::CallMe,
        };
        let keys = number.as_ref().and_then(|number| number.keys.as_deref());
        let called = Called { number: number.as_ref(), keys, blocked, confirmed };
        if plan.destination.is_some() {
            plan.decision = decide(&desk.policy, &desk.home, usage, &asking, &called, desk.now);
        }
        plan.facts = desk.facts(plan, number.as_ref());
        if plan.refusal.is_none() {
            plan.refusal = plan.decision.refusal.clone();
        }
        if desk.purpose != CallPurpose::CallMe
            && let Err(refusal) = desk.not_in_yet(&plan.invitee.identity)
        {
            plan.facts.already_in = true;
            if plan.refusal.is_none() || plan.waits_for_confirmation() {
                plan.refuse(refusal);
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Refused for good: nothing is left to confirm.
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        self.facts.verdict = Verdict::Deny;
        self.facts.confirm.clear();
    }
}

/// A user in their own name.
pub(super) fn acting(user: &UserRow) -> UserActor {
    UserActor {
        tenant: user.tenant.clone(),
        user: user.id.clone(),
        display_name: user.display_name.clone(),
        role: user.tenant_role,
    }
}

impl Desk {
    /// What would be dialled, shown and paid, for the host to see before.
    fn facts(&self, plan: &Plan, number: Option<&PhoneNumber>) -> CallFacts {
        let decision = &plan.decision;
        let denied = plan.destination.is_none();
        CallFacts {
            verdict: if denied { Verdict::Deny } else { decision.verdict() },
            confirm: decision.ask.clone(),
            rule: decision.rule.map(str::to_owned),
            country: number.and_then(|number| number.country.clone()),
            number_class: number.map(|number| number.class),
            local_time: decision.local_time.as_ref().map(LocalTime::words),
            time_zone: decision.local_time.as_ref().and_then(|time| time.zone).map(str::to_owned),
            trunk: number.and_then(|number| self.first_trunk(number)).map(|trunk| trunk.name.clone()),
            caller_id: self.caller.as_ref().map(|caller| ShownCallerId {
                number: caller.number.clone(),
                display: caller.display_name.clone(),
                hidden: caller.hidden,
                attestation: caller.attestation.clone(),
            }),
            price_class: decision.price.class.clone(),
            price_per_minute_milli: number.map(|_| decision.price.per_minute_milli),
            currency: number.map(|_| self.policy.currency.clone()),
            sends_keys: number.is_some_and(|number| number.keys.is_some()),
            already_in: false,
        }
    }

    /// The trunks in the order in which this number is tried over them: the same in the preview and in the dial.
    pub(super) fn order_for(&self, number: &PhoneNumber) -> Vec<TrunkId> {
        in_order(&self.trunks, Lots::of(&self.reach.meeting.id, &number.e164))
    }

    /// How far we stand for the caller ID shown: A for a number that is owned and verified, unless the carrier has told us
    /// to say less; B for a known customer's number that is not verified; C for whoever has none.
    pub(super) fn attestation(&self) -> Option<Attestation> {
        let Some(caller) = &self.caller else { return Some(Attestation::Gateway) };
        let best = if caller.owned { Attestation::Full } else { Attestation::Partial };
        Some(caller.attestation.as_deref().and_then(Attestation::parse).map_or(best, |said| said.max(best)))
    }

    /// The trunk that is tried first.
    fn first_trunk(&self, number: &PhoneNumber) -> Option<&TrunkRow> {
        let first = self.order_for(number).into_iter().next()?;
        self.trunks.iter().find(|trunk| trunk.id == first.0)
    }

    /// When a call is hung up at the latest: what the tenant allows, and what the budget pays for.
    pub(super) fn longest(&self, plan: &Plan) -> Option<Duration> {
        // What the meeting allows is watched by the meeting itself, for whoever dials in too.
        let by_rule = self.policy.max_call_minutes.map(|minutes| u64::from(minutes) * 60);
        let by_budget = plan.number().and_then(|_| {
            let user = self.signed_in.then_some(&self.host.user);
            left(&self.policy, user, &self.usage).call_seconds(plan.decision.price.per_minute_milli)
        });
        by_rule.into_iter().chain(by_budget).min().map(Duration::from_secs)
    }

    /// How long it may ring.
    pub(super) fn ring_timeout(&self, default: Duration) -> Duration {
        self.policy.ring_timeout_s.map_or(default, |seconds| Duration::from_secs(u64::from(seconds)))
    }

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
