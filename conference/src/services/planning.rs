//! Creating, changing, calling off and handing over meetings.

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::invitations::Told;
use super::meetings::{PEOPLE_MAX, conflict};
use super::people::{Invitee, NewPerson};
use super::pins::{TakenPins, opened};
use super::provision::Provision;
use super::reach::Reach;
use super::schedule::{Schedule, When, clock};
use super::views::Meeting;
use super::{Services, input};
use crate::ids::{MeetingId, UserId};
use crate::live::event::PublicEvent;
use crate::live::pin::Pin;
use crate::live::settings::MeetingSettings;
use crate::store::secrets::token_hash;
use crate::store::{Connection, Identity, MeetingRow, PersonRow, PlanColumns, Store, StoreError};
use crate::vocabulary::{Access, MeetingForm, MeetingKind, MeetingState, Role, TenantRole, UnixMillis};
use serde_json::{Map, Value, json};

/// The longest description.
const DESCRIPTION_MAX: usize = 2_000;
/// How long after its last planned end a meeting can still be joined. Then it is complete.
pub(super) const CLOSES_AFTER_MS: u64 = 12 * 3600 * 1000;

/// What a new meeting is made of.
#[derive(Clone, Debug, Default)]
pub struct NewMeeting {
    /// Its title.
    pub title: String,
    /// Its type.
    pub kind: MeetingKind,
    /// How it comes to be.
    pub form: MeetingForm,
    /// When it takes place; empty for instant meetings and rooms.
    pub when: When,
    /// What it is about.
    pub description: Option<String>,
    /// The place it stands for.
    pub site: Option<String>,
    /// Settings that differ from the defaults, by name.
    pub settings: Map<String, Value>,
    /// The role of those who come without an invitation; Attendee when missing.
    pub default_role: Option<Role>,
    /// What guests key in; drawn when missing.
    pub guest_pin: Option<String>,
    /// What makes a Host of whoever keys it in; drawn when missing.
    pub host_pin: Option<String>,
    /// Only stored for its author, to be created later.
    pub draft: bool,
    /// Who is invited, apart from its owner.
    pub people: Vec<NewPerson>,
}

/// What is to change about a meeting.
#[derive(Clone, Debug, Default)]
pub struct MeetingChange {
    /// The title.
    pub title: Option<String>,
    /// The type.
    pub kind: Option<MeetingKind>,
    /// How it comes to be.
    pub form: Option<MeetingForm>,
    /// When it takes place: only the parts that change. A new time zone keeps the time on the clock.
    pub when: When,
    /// What it is about; empty for nothing.
    pub description: Option<String>,
    /// The place it stands for; empty for none.
    pub site: Option<String>,
    /// Settings, by name.
    pub settings: Map<String, Value>,
    /// The role of those who come without an invitation.
    pub default_role: Option<Role>,
    /// What guests key in.
    pub guest_pin: Option<String>,
    /// What makes a Host of whoever keys it in.
    pub host_pin: Option<String>,
}

impl MeetingChange {
    fn concerns_the_plan(&self) -> bool {
        let When { start, duration_minutes, time_zone, rrule } = &self.when;
        self.form.is_some()
            || start.is_some()
            || duration_minutes.is_some()
            || time_zone.is_some()
            || rrule.is_some()
    }
}

impl Services {
    /// Creates a meeting with its people and join information, all or nothing (A19). A draft is stored for its author
    /// alone: nobody is told, and it has neither number nor link (A20).
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden for guests.
    pub async fn create_meeting(&self, actor: &Actor, new: NewMeeting) -> Result<Meeting, ServiceError> {
        let member = actor.member()?;
        input::length("people", new.people.len(), PEOPLE_MAX)?;
        let mut meeting = self.new_row(member, &new).await?;
        let invitees = self.invitees(member, &new.people, "people").await?;
        let mut transaction = self.store.begin().await?;
        if !new.draft {
            meeting.number = self.new_meeting_number(&mut transaction).await?;
        }
        let hash = token_hash(&self.links.token(meeting.id.as_str()));
        Store::insert_meeting(&mut transaction, &meeting, &hash).await?;
        let people = self.first_people(member, &meeting, &invitees);
        for person in &people {
            let hash = token_hash(&self.links.token(person.id.as_str()));
            Store::insert_person(&mut transaction, person, &hash).await?;
        }
        let told = if new.draft {
            Told::default()
        } else {
            self.plan_reminder(&mut transaction, &meeting).await?;
            self.meeting_created(&mut transaction, member, &meeting, &people).await?
        };
        self.audit(
            &mut transaction,
            actor,
            "meeting.created",
            meeting.id.as_str(),
            (None, Some(facts(&meeting))),
        )
        .await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if !new.draft {
            self.announce(&meeting, &people).await;
            self.tell(told);
        }
        self.meeting(actor, &meeting.id).await
    }

    /// NEXT: a draft becomes a meeting, with everybody on its list, all or nothing (A19, A20).
    ///
    /// # Errors
    /// Invalid, naming what is missing; not found for all but its author; conflict for what is no draft.
    pub async fn publish_meeting(&self, actor: &Actor, id: &MeetingId) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        let member = actor.member()?;
        if reach.meeting.state != MeetingState::Draft {
            return Err(conflict("This meeting is no draft").mend("Change it instead"));
        }
        let mut meeting = reach.meeting.clone();
        meeting.title = input::name("title", &meeting.title)?;
        check_plan(meeting.form, &meeting.plan, self.now())?;
        meeting.state = MeetingState::Scheduled;
        let people: Vec<PersonRow> = reach.listed().cloned().collect();
        let mut transaction = self.store.begin().await?;
        meeting.number = self.new_meeting_number(&mut transaction).await?;
        Store::update_meeting(&mut transaction, &meeting, self.now()).await?;
        self.plan_reminder(&mut transaction, &meeting).await?;
        let told = self.meeting_created(&mut transaction, member, &meeting, &people).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.announce(&meeting, &people).await;
        self.tell(told);
        self.meeting(actor, id).await
    }

    /// Changes a meeting. Whoever is in feels it at once; a new time or title reaches the invited (I10).
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden for all but Hosts, and for Hosts where only the owner may change settings;
    /// conflict for a meeting that is over.
    pub async fn change_meeting(
        &self,
        actor: &Actor,
        id: &MeetingId,
        change: MeetingChange,
    ) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        if !change.settings.is_empty() {
            reach.require_settings(change.settings.contains_key("hosts_may_change_settings"))?;
        }
        let before = &reach.meeting;
        if before.state == MeetingState::Cancelled {
            return Err(conflict("This meeting was called off").mend("Create a new one"));
        }
        let mut after = self.changed(before, &change).await?;
        let told_to_calendars = calendar_facts(before) != calendar_facts(&after);
        after.ics_sequence += i64::from(told_to_calendars && before.state != MeetingState::Draft);
        let mut transaction = self.store.begin().await?;
        Store::update_meeting(&mut transaction, &after, self.now()).await?;
        if (&before.plan, before.settings.reminder) != (&after.plan, after.settings.reminder) {
            self.plan_reminder(&mut transaction, &after).await?;
        }
        let told = if after.ics_sequence == before.ics_sequence {
            Told::default()
        } else {
            self.meeting_changed(&mut transaction, before, &after).await?
        };
        let facts = (Some(facts(before)), Some(facts(&after)));
        self.audit(&mut transaction, actor, "meeting.updated", id.as_str(), (facts.0, facts.1)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_of_change(&after).await;
        self.tell(told);
        self.meeting(actor, id).await
    }

    /// Calls a meeting off: whoever is in is hung up on, and the invited are told (I10). A draft is forgotten.
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts and the tenant's admins.
    pub async fn cancel_meeting(&self, actor: &Actor, id: &MeetingId) -> Result<(), ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        let mut meeting = reach.meeting.clone();
        let mut transaction = self.store.begin().await?;
        match meeting.state {
            MeetingState::Cancelled => return Ok(()),
            MeetingState::Draft => {
                Store::delete_draft(&mut transaction, id).await?;
                transaction.commit().await.map_err(StoreError::from)?;
                return Ok(());
            }
            MeetingState::Scheduled
            | MeetingState::Started
            | MeetingState::Active
            | MeetingState::Ended
            | MeetingState::Complete => {}
        }
        let before = Some(facts(&meeting));
        meeting.state = MeetingState::Cancelled;
        meeting.ics_sequence += 1;
        Store::update_meeting(&mut transaction, &meeting, self.now()).await?;
        let told = self.meeting_cancelled(&mut transaction, &meeting).await?;
        self.audit(&mut transaction, actor, "meeting.cancelled", id.as_str(), (before, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
        self.publish_meeting_event("meeting.cancelled", &meeting);
        self.tell(told);
        Ok(())
    }

    /// Hands a meeting over: the right to reverse VIEW ONLY moves with it (I84). The old owner stays Host.
    ///
    /// # Errors
    /// Invalid for somebody who cannot own a meeting; forbidden for all but the owner and the tenant's admins.
    pub async fn hand_over(
        &self,
        actor: &Actor,
        id: &MeetingId,
        user: &UserId,
    ) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_hand_over()?;
        reach.require_created()?;
        let admin = actor.user()?;
        let heir = self.store.user(&reach.meeting.tenant, user).await?;
        let heir = heir.filter(|heir| heir.tenant_role != TenantRole::Guest).ok_or_else(|| {
            ServiceError::invalid("user", "There is no such user, or they may own no meetings")
                .mend("Choose a user of your tenant who is no guest")
        })?;
        let mut meeting = reach.meeting.clone();
        let before = meeting.owner.replace(heir.id.clone());
        let invitee = Invitee {
            identity: Identity::User(heir.id.clone()),
            display_name: heir.display_name,
            role: Role::Host,
            access: Access::Collaborate,
        };
        let mut transaction = self.store.begin().await?;
        let person = self.put_person(&mut transaction, admin, &reach, &invitee, "owner").await?;
        Store::update_meeting(&mut transaction, &meeting, self.now()).await?;
        let facts = (Some(json!({ "owner": before })), Some(json!({ "owner": meeting.owner })));
        self.audit(&mut transaction, actor, "meeting.owner_changed", id.as_str(), (facts.0, facts.1)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.tell_of_change(&meeting).await;
        self.put_live_person(&person).await;
        self.meeting(actor, id).await
    }

    async fn tell_of_change(&self, meeting: &MeetingRow) {
        if meeting.state == MeetingState::Draft {
            return;
        }
        self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
        self.publish_meeting_event("meeting.updated", meeting);
    }

    pub(super) fn publish_meeting_event(&self, kind: &'static str, meeting: &MeetingRow) {
        self.publish(PublicEvent {
            tenant: meeting.tenant.clone(),
            meeting: Some(meeting.id.clone()),
            kind,
            at: self.now(),
            data: json!({ "meeting": meeting.id, "title": meeting.title, "settings": meeting.settings }),
        });
    }

    async fn new_row(&self, member: &UserActor, new: &NewMeeting) -> Result<MeetingRow, ServiceError> {
        let title = match new.draft && new.title.trim().is_empty() {
            true => String::new(),
            false => input::name("title", &new.title)?,
        };
        let id = MeetingId::new(self.random_id('m'));
        let defaults = MeetingSettings { host_required: true, ..MeetingSettings::default() };
        let (guest_pin, host_pin) = self.pins((None, None), &new.guest_pin, &new.host_pin)?;
        let default_role = default_role(new.default_role)?;
        let plan = self.plan(&member.tenant, new.form, &new.when, &PlanColumns::default(), new.draft).await?;
        Ok(MeetingRow {
            // A draft has none: the column wants one that nobody else has.
            number: format!("draft {id}"),
            ics_uid: Some(format!("{}@partyline", self.random_id('i'))),
            id,
            tenant: member.tenant.clone(),
            owner: Some(member.user.clone()),
            kind: new.kind,
            title,
            default_role,
            direct_join_role: default_role,
            state: if new.draft { MeetingState::Draft } else { MeetingState::Scheduled },
            created_at: self.now(),
            settings: merged(&defaults, &new.settings)?,
            form: new.form,
            description: optional_text("description", new.description.as_deref(), DESCRIPTION_MAX)?,
            site: optional_text("site", new.site.as_deref(), input::NAME_MAX)?,
            plan,
            guest_pin,
            host_pin,
            ..MeetingRow::default()
        })
    }

    async fn changed(&self, before: &MeetingRow, change: &MeetingChange) -> Result<MeetingRow, ServiceError> {
        let mut after = before.clone();
        let draft = before.state == MeetingState::Draft;
        if let Some(title) = &change.title {
            after.title = input::name("title", title)?;
        }
        if let Some(description) = change.description.as_deref() {
            after.description = optional_text("description", Some(description), DESCRIPTION_MAX)?;
        }
        if let Some(site) = change.site.as_deref() {
            after.site = optional_text("site", Some(site), input::NAME_MAX)?;
        }
        after.kind = change.kind.unwrap_or(before.kind);
        after.form = change.form.unwrap_or(before.form);
        if change.concerns_the_plan() {
            after.plan = self.plan(&before.tenant, after.form, &change.when, &before.plan, draft).await?;
        }
        after.settings = merged(&before.settings, &change.settings)?;
        if let Some(role) = change.default_role {
            after.default_role = default_role(Some(role))?;
            after.direct_join_role = after.default_role;
        }
        let pins = (before.guest_pin.clone(), before.host_pin.clone());
        (after.guest_pin, after.host_pin) = self.pins(pins, &change.guest_pin, &change.host_pin)?;
        Ok(after)
    }

    /// The plan of a meeting of this form; what is not sent stays as it was.
    async fn plan(
        &self,
        tenant: &crate::ids::TenantId,
        form: MeetingForm,
        when: &When,
        before: &PlanColumns,
        draft: bool,
    ) -> Result<PlanColumns, ServiceError> {
        if matches!(form, MeetingForm::Instant | MeetingForm::Room) {
            return match when {
                When { start: None, rrule: None, .. } => Ok(PlanColumns::default()),
                When { start, .. } => {
                    let field = if start.is_some() { "start" } else { "rrule" };
                    Err(ServiceError::invalid(field, "An instant meeting and a room have no time")
                        .mend("Leave it out, or choose kind scheduled or recurring"))
                }
            };
        }
        let start = Schedule::of(before).map(|schedule| clock(schedule.start()));
        let rrule =
            when.rrule.clone().or_else(|| before.rrule.clone()).filter(|rule| !rule.trim().is_empty());
        let when = When {
            start: when.start.clone().or(start),
            duration_minutes: when
                .duration_minutes
                .or_else(|| before.duration_minutes.and_then(|minutes| u32::try_from(minutes).ok())),
            time_zone: when.time_zone.clone().or_else(|| before.time_zone.clone()),
            rrule: rrule.filter(|_| form == MeetingForm::Recurring || when.rrule.is_some()),
        };
        if draft && when.start.is_none() {
            return Ok(PlanColumns::default());
        }
        let home = self.tenant_settings(tenant).await?.meetings.time_zone;
        let plan = Schedule::read(&when, &home)?.columns();
        if !draft {
            check_plan(form, &plan, self.now())?;
        }
        Ok(plan)
    }

    /// The sealed PINs after a change: those asked for, those there were, or new ones.
    fn pins(
        &self,
        before: (Option<String>, Option<String>),
        guest: &Option<String>,
        host: &Option<String>,
    ) -> Result<(Option<String>, Option<String>), ServiceError> {
        let drawn = self.new_meeting_pins();
        let one = |asked: &Option<String>, before: Option<String>, drawn: String, field: &str| match asked {
            None => Ok(before.unwrap_or(drawn)),
            Some(digits) => match Pin::parse(digits.trim()) {
                Ok(pin) => Ok(self.vault.seal(pin.as_str())),
                Err(refusal) => Err(ServiceError { field: Some(field.to_owned()), ..refusal.into() }),
            },
        };
        let guest = one(guest, before.0, drawn.0, "guest_pin")?;
        let host = one(host, before.1, drawn.1, "host_pin")?;
        if opened(&self.vault, Some(&guest)) == opened(&self.vault, Some(&host)) {
            return Err(ServiceError::invalid("host_pin", "The host PIN is the guest PIN")
                .mend("Choose two different PINs"));
        }
        Ok((Some(guest), Some(host)))
    }

    fn first_people(&self, member: &UserActor, meeting: &MeetingRow, invitees: &[Invitee]) -> Vec<PersonRow> {
        let taken = TakenPins::default();
        let mut people = vec![self.owner_person(member, meeting)];
        people.extend(invitees.iter().map(|invitee| self.new_person(member, meeting, invitee, "people")));
        for person in &mut people {
            person.pin = Some(self.new_person_pin(&[], &taken));
        }
        people
    }

    /// Nine random digits that are free and easy to guess for nobody (I15).
    async fn new_meeting_number(&self, connection: &mut Connection) -> Result<String, ServiceError> {
        for _ in 0..super::meetings::NUMBER_DRAWS {
            let mut bytes = [0; 8];
            self.entropy.fill(&mut bytes);
            // 64 bits over 9 * 10^8 values: the bias is below 10^-10.
            let number = (100_000_000 + u64::from_be_bytes(bytes) % 900_000_000).to_string();
            if !super::meetings::is_obvious(&number)
                && !Store::meeting_number_taken(connection, &number).await?
            {
                return Ok(number);
            }
        }
        Err(ServiceError::internal("no free meeting number found"))
    }
}

impl Reach {
    /// Settings are the Hosts' to change, or the owner's alone, as the owner has set it (I06).
    fn require_settings(&self, this_very_setting: bool) -> Result<(), ServiceError> {
        if self.meeting.settings.hosts_may_change_settings && !this_very_setting {
            return Ok(());
        }
        self.require_owner("Only the owner of the meeting may change its settings")
    }
}

/// Whether a plan is whole, and not over before it begins.
fn check_plan(form: MeetingForm, plan: &PlanColumns, now: UnixMillis) -> Result<(), ServiceError> {
    match (form, plan.start, &plan.rrule) {
        (MeetingForm::Instant | MeetingForm::Room, ..) => return Ok(()),
        (MeetingForm::Scheduled | MeetingForm::Recurring, None, _) => {
            return Err(ServiceError::invalid("start", "A planned meeting needs a start")
                .mend("Send its date and time, such as 2026-03-02T09:00:00"));
        }
        (MeetingForm::Recurring, _, None) => {
            return Err(ServiceError::invalid("rrule", "A recurring meeting needs a rule")
                .mend("Send one such as FREQ=WEEKLY;COUNT=4"));
        }
        (MeetingForm::Scheduled, _, Some(_)) => {
            return Err(ServiceError::invalid("rrule", "A meeting at one time has no rule")
                .mend("Leave it out, or choose kind recurring"));
        }
        (MeetingForm::Scheduled, _, None) | (MeetingForm::Recurring, _, Some(_)) => {}
    }
    if closes_at(plan).is_some_and(|at| at <= now) {
        return Err(
            ServiceError::invalid("start", "The meeting would be over already").mend("Choose a time to come")
        );
    }
    Ok(())
}

/// When a planned meeting is complete, unless it goes on.
pub(super) fn closes_at(plan: &PlanColumns) -> Option<UnixMillis> {
    plan.last_end.map(|end| UnixMillis(end.0.saturating_add(CLOSES_AFTER_MS)))
}

/// A shared link or number must not make Hosts.
fn default_role(role: Option<Role>) -> Result<Role, ServiceError> {
    match role.unwrap_or_default() {
        Role::Host => Err(ServiceError::invalid("default_role", "Nobody becomes Host by a shared link")
            .mend("Choose presenter or attendee")),
        role @ (Role::Presenter | Role::Attendee) => Ok(role),
    }
}

fn optional_text(field: &str, text: Option<&str>, max: usize) -> Result<Option<String>, ServiceError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > max {
        return Err(
            ServiceError::invalid(field, "This is too long").mend(format!("Write at most {max} characters"))
        );
    }
    let lines_allowed = max > input::NAME_MAX;
    if text.chars().any(|c| c.is_control() && !(lines_allowed && c == '\n')) {
        return Err(ServiceError::invalid(field, "This holds control characters")
            .mend("Write it without control characters"));
    }
    Ok(Some(text.to_owned()))
}

/// The settings with the named ones changed; each that is wrong is named.
pub(super) fn merged(
    before: &MeetingSettings,
    changes: &Map<String, Value>,
) -> Result<MeetingSettings, ServiceError> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(before) else {
        return Err(ServiceError::internal("settings are no JSON object"));
    };
    let mut settings = before.clone();
    for (name, value) in changes {
        let field = || format!("settings.{name}");
        let Some(known) = all.get_mut(name) else {
            return Err(ServiceError::invalid(field(), "There is no such setting")
                .mend("Leave it out; GET the meeting for the names of all settings"));
        };
        *known = value.clone();
        settings = serde_json::from_value(Value::Object(all.clone())).map_err(|error| {
            ServiceError::invalid(field(), format!("This does not fit the setting: {error}"))
                .mend("Send a value of the kind that GET shows")
        })?;
    }
    check_bounds(&settings)?;
    Ok(settings)
}

fn check_bounds(settings: &MeetingSettings) -> Result<(), ServiceError> {
    let bounds = [
        ("max_participants", settings.max_participants, 1, 5_000),
        ("max_call_minutes", settings.max_call_minutes, 1, 24 * 60),
        ("chimes_up_to", Some(settings.chimes_up_to), 0, 5_000),
        ("empty_grace_seconds", settings.empty_grace_seconds, 0, 24 * 3600),
        ("no_host_grace_seconds", settings.no_host_grace_seconds, 0, 24 * 3600),
    ];
    for (name, value, least, most) in bounds {
        if value.is_some_and(|value| value < least || value > most) {
            return Err(ServiceError::invalid(format!("settings.{name}"), "This is out of bounds")
                .mend(format!("Send a number from {least} to {most}")));
        }
    }
    Ok(())
}

/// What calendars know of a meeting.
fn calendar_facts(row: &MeetingRow) -> (&str, Option<&str>, Option<&str>, &PlanColumns) {
    (&row.title, row.description.as_deref(), row.site.as_deref(), &row.plan)
}

/// What the audit log keeps: everything but PINs.
fn facts(row: &MeetingRow) -> Value {
    json!({
        "title": row.title, "type": row.kind, "kind": row.form, "state": row.state, "settings": row.settings,
        "default_role": row.default_role, "description": row.description, "site": row.site,
        "start": row.plan.start, "duration_minutes": row.plan.duration_minutes,
        "time_zone": row.plan.time_zone, "rrule": row.plan.rrule,
    })
}
