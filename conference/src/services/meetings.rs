//! Meetings: showing, starting, ending. Creating and changing is in [`super::planning`], the list in [`super::lists`].

use super::Services;
use super::actor::{Actor, UserActor};
use super::error::{ErrorKind, ServiceError};
pub use super::lists::MeetingFilter;
use super::people::Invitee;
use super::pins::opened;
use super::planning::closes_at;
pub use super::planning::{MeetingChange, NewMeeting};
use super::provision::Provision;
use super::reach::{Reach, Sight};
use super::schedule::Schedule;
use super::views::{Meeting, Person};
use crate::ids::{MeetingId, PersonId};
use crate::live::event::PublicEvent;
use crate::live::focus::{Command, MeetingSnapshot, PersonView, RefusalKind};
pub(super) use crate::live::number::{masked, masked_within};
use crate::store::{Identity, MeetingRow, PersonRow, Store, StoreError};
use crate::vocabulary::{Access, MeetingState, Role, UnixMillis};
use std::collections::BTreeMap;

/// How many people may be added in one request.
pub(super) const PEOPLE_MAX: usize = 500;
/// How often a new number is drawn before giving up. With a tenth of all numbers taken, ten draws fail once in
/// 10^10 times.
pub(super) const NUMBER_DRAWS: usize = 20;

impl Services {
    /// Tells the running part and the event stream of a new meeting.
    pub(super) async fn announce(&self, meeting: &MeetingRow, people: &[PersonRow]) {
        self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
        for person in people {
            self.put_live_person(person).await;
        }
    }

    pub(super) fn created_event(&self, meeting: &MeetingRow) -> PublicEvent {
        PublicEvent {
            tenant: meeting.tenant.clone(),
            meeting: Some(meeting.id.clone()),
            kind: "meeting.created",
            at: self.now(),
            data: serde_json::json!({ "meeting": meeting.id, "title": meeting.title }),
        }
    }

    pub(super) fn owner_person(&self, member: &UserActor, meeting: &MeetingRow) -> PersonRow {
        let owner = Invitee {
            identity: Identity::User(member.user.clone()),
            display_name: member.display_name.clone(),
            role: Role::Host,
            access: Access::Collaborate,
        };
        self.new_person(member, meeting, &owner, "owner")
    }

    /// A row for somebody new on the list.
    pub(super) fn new_person(
        &self,
        inviter: &UserActor,
        meeting: &MeetingRow,
        invitee: &Invitee,
        source: &str,
    ) -> PersonRow {
        PersonRow {
            id: PersonId::new(self.random_id('p')),
            tenant: meeting.tenant.clone(),
            meeting: meeting.id.clone(),
            identity: invitee.identity.clone(),
            display_name: invitee.display_name.clone(),
            role: invitee.role,
            access: invitee.access,
            invited_by: Some(inviter.user.clone()),
            source: source.to_owned(),
            created_at: self.now(),
            invited_role: Some(invitee.role),
            invited_at: Some(self.now()),
            ..PersonRow::default()
        }
    }

    /// One meeting.
    ///
    /// # Errors
    /// Not found if the asker may not know of it.
    pub async fn meeting(&self, actor: &Actor, id: &MeetingId) -> Result<Meeting, ServiceError> {
        let reach = self.reach(actor, id).await?;
        let snapshot = self.live.snapshot(id.clone()).await;
        Ok(self.meeting_view(&reach, snapshot.as_ref()))
    }

    pub(super) fn meeting_view(&self, reach: &Reach, snapshot: Option<&MeetingSnapshot>) -> Meeting {
        let row = &reach.meeting;
        let draft = row.state == MeetingState::Draft;
        let live = snapshot.map(|snapshot| snapshot.meeting.state);
        Meeting {
            id: row.id.clone(),
            number: if draft { String::new() } else { row.number.clone() },
            title: row.title.clone(),
            kind: row.kind,
            form: row.form,
            state: state_now(row.state, live, closes_at(&row.plan), self.now()),
            owner: row.owner.clone(),
            alias: row.alias.clone(),
            link: if draft { String::new() } else { self.link(row.id.as_str()) },
            created_at: row.created_at,
            description: row.description.clone(),
            site: row.site.clone(),
            start: row.plan.start,
            duration_minutes: row.plan.duration_minutes,
            time_zone: row.plan.time_zone.clone(),
            rrule: row.plan.rrule.clone(),
            when: Schedule::of(&row.plan).map(|schedule| schedule.words()),
            settings: row.settings.clone(),
            default_role: row.default_role,
            locked: snapshot.map_or(row.settings.locked, |snapshot| snapshot.meeting.locked),
            people: self.people_views(reach, snapshot),
            my_role: reach.role(),
        }
    }

    /// The list: those invited, in the order they were added, then those who came without being on it.
    pub(super) fn people_views(&self, reach: &Reach, snapshot: Option<&MeetingSnapshot>) -> Vec<Person> {
        let mut live: BTreeMap<&PersonId, &PersonView> = snapshot
            .map(|snapshot| snapshot.people.iter().map(|person| (&person.id, person)).collect())
            .unwrap_or_default();
        let sight = reach.sight();
        let mut people: Vec<Person> =
            reach.listed().map(|row| self.listed_view(reach, row, live.remove(&row.id))).collect();
        for row in &reach.people {
            live.remove(&row.id);
        }
        // Who waits in the lobby without being invited is for Hosts to know.
        let shown = live.values().filter(|person| person.present || (person.waiting && sight.host));
        people.extend(shown.map(|person| walk_in(person, sight)));
        people.retain(|person| reach.sees(&person.id, person.role));
        people
    }

    pub(super) fn person_view(&self, row: &PersonRow, live: Option<&PersonView>, host: bool) -> Person {
        self.seen_person(row, live, Sight { host, numbers: host })
    }

    pub(super) fn seen_person(&self, row: &PersonRow, live: Option<&PersonView>, sight: Sight) -> Person {
        let Sight { host, numbers } = sight;
        let (number, email) = match &row.identity {
            Identity::Number(number) => (Some(number.clone()), None),
            Identity::Mail(mail) => (None, Some(mail.clone())),
            Identity::User(_) | Identity::Guest => (None, None),
        };
        let number = number.or_else(|| live.and_then(|person| person.number.clone()));
        Person {
            id: row.id.clone(),
            user: row.user().cloned(),
            display_name: shown_name(&row.display_name, number.as_deref(), numbers),
            number: number.map(|number| if numbers { number } else { masked(&number) }),
            email: email.filter(|_| host),
            role: live.map_or(row.role, |person| person.role),
            access: live.map_or(row.access, |person| person.access),
            source: row.source.clone(),
            present: live.is_some_and(|person| person.present),
            waiting: live.is_some_and(|person| person.waiting),
            leg_kind: live.and_then(|person| person.leg_kind),
            muted_by_host: live.is_some_and(|person| person.muted_by_host),
            muted_by_self: live.is_some_and(|person| person.muted_by_self),
            hand_raised: live.is_some_and(|person| person.hand_raised),
            may_speak: live.map_or(row.may_speak, |person| person.may_speak),
            verstat: live.and_then(|person| person.verstat.clone()),
            pin: opened(&self.vault, row.pin.as_deref()).filter(|_| host).map(|pin| pin.as_str().to_owned()),
            link: host.then(|| self.link(row.id.as_str())),
            invitation: None,
        }
    }

    /// The join link of a meeting or a person.
    pub(super) fn link(&self, id: &str) -> String {
        format!("{}/join/{}", self.config.base_url, self.links.token(id))
    }

    /// Opens a meeting for its people, also one that has ended or is complete.
    ///
    /// # Errors
    /// Not found, or forbidden for all but Hosts and the tenant's admins; conflict for a draft and for a meeting that
    /// was called off.
    pub async fn start_meeting(&self, actor: &Actor, id: &MeetingId) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        let mut meeting = reach.meeting.clone();
        let overdue = closes_at(&meeting.plan).is_some_and(|at| at <= self.now());
        match meeting.state {
            MeetingState::Draft => {
                return Err(conflict("A draft cannot be started").mend("Create the meeting first"));
            }
            MeetingState::Cancelled => {
                return Err(conflict("This meeting was called off").mend("Create a new one"));
            }
            MeetingState::Ended | MeetingState::Complete => meeting.state = MeetingState::Scheduled,
            MeetingState::Scheduled | MeetingState::Started | MeetingState::Active => {}
        }
        if overdue {
            meeting.plan.last_end = Some(self.now());
        }
        if overdue || meeting.state != reach.meeting.state {
            let mut transaction = self.store.begin().await?;
            Store::update_meeting(&mut transaction, &meeting, self.now()).await?;
            self.plan_reminder(&mut transaction, &meeting).await?;
            transaction.commit().await.map_err(StoreError::from)?;
        }
        self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
        self.meeting(actor, id).await
    }

    /// Ends a meeting for everybody: phones get BYE, ringing ones CANCEL (I09). With `complete` it is closed for good:
    /// nobody comes in until a Host starts it again.
    ///
    /// # Errors
    /// As for [`Self::start_meeting`].
    pub async fn end_meeting(
        &self,
        actor: &Actor,
        id: &MeetingId,
        complete: bool,
    ) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        let meeting = &reach.meeting;
        if matches!(meeting.state, MeetingState::Draft | MeetingState::Cancelled) {
            return Err(conflict("This meeting is not open").mend("There is nothing to end"));
        }
        match self.live.command(Command::EndMeeting { meeting: id.clone() }).await {
            Ok(_) => {}
            // A meeting the running part does not know has nobody in it.
            Err(refusal) if refusal.kind == RefusalKind::NotFound => {}
            Err(refusal) => return Err(refusal.into()),
        }
        let state = if complete || meeting.state == MeetingState::Complete {
            MeetingState::Complete
        } else {
            MeetingState::Ended
        };
        self.store.set_meeting_state(id, state, self.now()).await?;
        let mut transaction = self.store.begin().await?;
        self.audit(&mut transaction, actor, "meeting.ended", id.as_str(), (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if complete {
            let mut closed = meeting.clone();
            closed.state = state;
            self.live.provision(Provision::Meeting(Box::new(closed.spec(&self.vault)))).await;
            self.publish_meeting_event("meeting.complete", &closed);
        }
        self.meeting(actor, id).await
    }

    /// A person's role and access, told to the running part.
    pub(super) async fn put_live_person(&self, person: &PersonRow) {
        let command =
            Command::PutPerson { meeting: person.meeting.clone(), person: person.spec(&self.vault) };
        if let Err(refusal) = self.live.command(command).await {
            tracing::warn!(meeting.id = %person.meeting, %refusal, "a person could not be announced");
        }
    }
}

/// Whoever is in, the running part knows first; what is planned, and that an ended meeting was opened again, only the
/// database knows.
///
/// A planned meeting is complete some time after its last planned end, unless somebody is in.
pub(super) fn state_now(
    stored: MeetingState,
    live: Option<MeetingState>,
    closes_at: Option<UnixMillis>,
    now: UnixMillis,
) -> MeetingState {
    let running = |state| matches!(state, MeetingState::Started | MeetingState::Active);
    let state = match live {
        _ if stored.is_closed() => stored,
        Some(live) if running(live) || (live == MeetingState::Ended && running(stored)) => live,
        _ => stored,
    };
    let over = !running(state) && closes_at.is_some_and(|at| at <= now);
    if over && !state.is_closed() { MeetingState::Complete } else { state }
}

/// Somebody who dialled in and is on no list.
pub(super) fn walk_in(person: &PersonView, sight: Sight) -> Person {
    let numbers = sight.numbers;
    Person {
        id: person.id.clone(),
        user: person.user.clone(),
        display_name: shown_name(&person.display_name, person.number.as_deref(), numbers),
        number: person.number.as_ref().map(|number| if numbers { number.clone() } else { masked(number) }),
        email: None,
        role: person.role,
        access: person.access,
        source: "direct".to_owned(),
        present: person.present,
        waiting: person.waiting,
        leg_kind: person.leg_kind,
        muted_by_host: person.muted_by_host,
        muted_by_self: person.muted_by_self,
        hand_raised: person.hand_raised,
        may_speak: person.may_speak,
        verstat: person.verstat.clone(),
        pin: None,
        link: None,
        invitation: None,
    }
}

/// Somebody known by a number alone is named by it, so the name hides what the number hides (I60).
pub(super) fn shown_name(name: &str, number: Option<&str>, host: bool) -> String {
    match number {
        Some(number) if !host => masked_within(name, number),
        _ => name.to_owned(),
    }
}

/// Whether somebody guessing would try this number early: runs up or down, few different digits, repeated groups.
pub(super) fn is_obvious(number: &str) -> bool {
    let digits = number.as_bytes();
    let steps = |step: i16| {
        digits
            .windows(2)
            .filter(|pair| matches!(pair, [a, b] if i16::from(*b) - i16::from(*a) == step))
            .count()
    };
    let different = digits.iter().collect::<std::collections::BTreeSet<_>>().len();
    let repeated = digits.chunks(3).collect::<std::collections::BTreeSet<_>>().len() == 1;
    different < 4 || repeated || steps(0) > 4 || steps(1) > 5 || steps(-1) > 5
}

/// A conflict with how things stand now.
pub(super) fn conflict(detail: impl Into<String>) -> ServiceError {
    ServiceError::new(ErrorKind::Conflict, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_obvious_numbers_are_not_given_out() {
        for number in ["111111111", "123456789", "987654321", "123123123", "100000000", "700000007"] {
            assert!(is_obvious(number), "{number}");
        }
        for number in ["482915736", "204837165", "900512386"] {
            assert!(!is_obvious(number), "{number}");
        }
    }

    #[test]
    fn i01_the_running_part_knows_who_is_in_and_the_database_the_rest() {
        use MeetingState::{Active, Ended, Scheduled, Started};
        for (stored, live, shown) in [
            (Scheduled, None, Scheduled),
            (Scheduled, Some(Scheduled), Scheduled),
            (Scheduled, Some(Active), Active),
            (Started, Some(Active), Active),
            (Active, Some(Ended), Ended),
            (Ended, Some(Scheduled), Ended),
            (Scheduled, Some(Ended), Scheduled),
        ] {
            assert_eq!(state_now(stored, live, None, UnixMillis(0)), shown, "{stored:?} {live:?}");
        }
    }

    #[test]
    fn i60_others_see_the_last_digits_only() {
        assert_eq!(
            masked("+12025550177"),
            "\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}\u{2022}0177"
        );
        assert_eq!(masked("17"), "17");
        let number = Some("+12025550177");
        assert_eq!(shown_name("+1 202 555 0177", number, false), masked("+12025550177"));
        assert_eq!(shown_name("+1 202 555 0177", number, true), "+1 202 555 0177");
        assert_eq!(shown_name("Kim", number, false), "Kim");
        assert_eq!(shown_name("Desk phone 103a", None, false), "Desk phone 103a");
    }
}
