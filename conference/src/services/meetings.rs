//! Meetings: creating, listing, showing, starting, ending, join information.

use super::actor::{Actor, UserActor};
use super::error::{ErrorKind, ServiceError};
use super::people::{Invitee, NewPerson};
use super::pins::TakenPins;
use super::provision::Provision;
use super::reach::Reach;
use super::views::{JoinInfo, Meeting, Person};
use super::{Services, input};
use crate::ids::{MeetingId, PersonId};
use crate::live::event::PublicEvent;
use crate::live::focus::{Command, MeetingSnapshot, PersonView, RefusalKind};
use crate::store::Connection;
use crate::store::secrets::token_hash;
use crate::store::{Identity, MeetingRow, PersonRow, Store};
use crate::vocabulary::{Access, MeetingKind, MeetingState, Role};
use std::collections::BTreeMap;

/// How many meetings one answer holds.
const MEETINGS_MAX: i64 = 200;
/// How many people may be added in one request.
pub(super) const PEOPLE_MAX: usize = 500;
/// How often a new number is drawn before giving up. With a tenth of all numbers taken, ten draws fail once in
/// 10^10 times.
const NUMBER_DRAWS: usize = 20;

/// What a new meeting is made of.
#[derive(Clone, Debug)]
pub struct NewMeeting {
    /// Its title.
    pub title: String,
    /// Its type.
    pub kind: MeetingKind,
    /// Who is invited, apart from its owner.
    pub people: Vec<NewPerson>,
}

impl Services {
    /// Creates a meeting with its people and join information, all or nothing (A19).
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden for guests.
    pub async fn create_meeting(&self, actor: &Actor, new: NewMeeting) -> Result<Meeting, ServiceError> {
        let member = actor.member()?;
        let title = input::name("title", &new.title)?;
        input::length("people", new.people.len(), PEOPLE_MAX)?;
        let invitees = self.invitees(member, &new.people, "people").await?;
        let mut transaction = self.store.begin().await?;
        let meeting = self.new_meeting(&mut transaction, member, title, new.kind).await?;
        let mut people = vec![self.owner_person(member, &meeting)];
        people.extend(invitees.iter().map(|invitee| self.new_person(member, &meeting, invitee, "people")));
        let taken = TakenPins::default();
        for person in &mut people {
            person.pin = Some(self.new_person_pin(&[], &taken));
            let hash = token_hash(&self.links.token(person.id.as_str()));
            Store::insert_person(&mut transaction, person, &hash).await?;
        }
        let told = self.meeting_created(&mut transaction, member, &meeting, &people).await?;
        transaction.commit().await.map_err(crate::store::StoreError::from)?;
        self.announce(&meeting, &people).await;
        self.tell(told);
        self.meeting(actor, &meeting.id).await
    }

    /// Tells the running part and the event stream of a new meeting.
    async fn announce(&self, meeting: &MeetingRow, people: &[PersonRow]) {
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

    async fn new_meeting(
        &self,
        connection: &mut Connection,
        member: &UserActor,
        title: String,
        kind: MeetingKind,
    ) -> Result<MeetingRow, ServiceError> {
        let (guest_pin, host_pin) = self.new_meeting_pins();
        let meeting = MeetingRow {
            id: MeetingId::new(self.random_id('m')),
            tenant: member.tenant.clone(),
            owner: Some(member.user.clone()),
            kind,
            title,
            number: self.new_meeting_number(connection).await?,
            alias: None,
            default_role: Role::Attendee,
            direct_join_role: Role::Attendee,
            state: MeetingState::Scheduled,
            created_at: self.now(),
            guest_pin: Some(guest_pin),
            host_pin: Some(host_pin),
            ..MeetingRow::default()
        };
        let hash = token_hash(&self.links.token(meeting.id.as_str()));
        Store::insert_meeting(connection, &meeting, &hash).await?;
        Ok(meeting)
    }

    /// Nine random digits that are free and easy to guess for nobody (I15).
    async fn new_meeting_number(&self, connection: &mut Connection) -> Result<String, ServiceError> {
        for _ in 0..NUMBER_DRAWS {
            let mut bytes = [0; 8];
            self.entropy.fill(&mut bytes);
            // 64 bits over 9 * 10^8 values: the bias is below 10^-10.
            let number = (100_000_000 + u64::from_be_bytes(bytes) % 900_000_000).to_string();
            if !is_obvious(&number) && !Store::meeting_number_taken(connection, &number).await? {
                return Ok(number);
            }
        }
        Err(ServiceError::internal("no free meeting number found"))
    }

    fn owner_person(&self, member: &UserActor, meeting: &MeetingRow) -> PersonRow {
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

    /// The meetings the asker owns or is invited to; every meeting of the tenant for its admins. Newest first.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub async fn meetings(&self, actor: &Actor) -> Result<Vec<Meeting>, ServiceError> {
        let user = actor.user()?;
        let rows = if user.reaches_all_meetings() {
            self.store.meetings(&user.tenant, MEETINGS_MAX).await?
        } else {
            self.store.meetings_of(&user.tenant, &user.user, MEETINGS_MAX).await?
        };
        let mut meetings = Vec::with_capacity(rows.len());
        for row in rows {
            meetings.push(self.meeting(actor, &row.id).await?);
        }
        Ok(meetings)
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
        Meeting {
            id: row.id.clone(),
            number: row.number.clone(),
            title: row.title.clone(),
            kind: row.kind,
            state: state_now(row.state, snapshot.map(|snapshot| snapshot.meeting.state)),
            owner: row.owner.clone(),
            alias: row.alias.clone(),
            link: self.link(row.id.as_str()),
            created_at: row.created_at,
            people: self.people_views(reach, snapshot),
            my_role: reach.role(),
        }
    }

    /// The list: those invited, in the order they were added, then those who came without being on it.
    pub(super) fn people_views(&self, reach: &Reach, snapshot: Option<&MeetingSnapshot>) -> Vec<Person> {
        let mut live: BTreeMap<&PersonId, &PersonView> = snapshot
            .map(|snapshot| snapshot.people.iter().map(|person| (&person.id, person)).collect())
            .unwrap_or_default();
        let host = reach.is_host();
        let mut people: Vec<Person> =
            reach.listed().map(|row| self.listed_view(reach, row, live.remove(&row.id))).collect();
        for row in &reach.people {
            live.remove(&row.id);
        }
        people.extend(live.values().filter(|person| person.present).map(|person| walk_in(person, host)));
        people
    }

    pub(super) fn person_view(&self, row: &PersonRow, live: Option<&PersonView>, host: bool) -> Person {
        let (number, email) = match &row.identity {
            Identity::Number(number) => (Some(number.clone()), None),
            Identity::Mail(mail) => (None, Some(mail.clone())),
            Identity::User(_) | Identity::Guest => (None, None),
        };
        let number = number.or_else(|| live.and_then(|person| person.number.clone()));
        Person {
            id: row.id.clone(),
            user: row.user().cloned(),
            display_name: shown_name(&row.display_name, number.as_deref(), host),
            number: number.map(|number| if host { number } else { masked(&number) }),
            email: email.filter(|_| host),
            role: live.map_or(row.role, |person| person.role),
            access: live.map_or(row.access, |person| person.access),
            source: row.source.clone(),
            present: live.is_some_and(|person| person.present),
            leg_kind: live.and_then(|person| person.leg_kind),
            muted_by_host: live.is_some_and(|person| person.muted_by_host),
            muted_by_self: live.is_some_and(|person| person.muted_by_self),
            link: host.then(|| self.link(row.id.as_str())),
            invitation: None,
        }
    }

    /// The join link of a meeting or a person.
    pub(super) fn link(&self, id: &str) -> String {
        format!("{}/join/{}", self.config.base_url, self.links.token(id))
    }

    /// What is pasted into a message (A28, A35).
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting.
    pub async fn join_info(&self, actor: &Actor, id: &MeetingId) -> Result<JoinInfo, ServiceError> {
        let reach = self.reach(actor, id).await?;
        let meeting = &reach.meeting;
        let tenant = self.store.tenant(&meeting.tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("a meeting without tenant"))?;
        let link = self.link(meeting.id.as_str());
        let sip_uri = format!("sip:{}@{}", meeting.number, tenant.domain);
        let text = join_text(meeting, &tenant.domain, &link);
        Ok(JoinInfo {
            text,
            link,
            meeting_number: meeting.number.clone(),
            title: meeting.title.clone(),
            sip_uri,
        })
    }

    /// Opens a meeting for its people, also one that has ended.
    ///
    /// # Errors
    /// Not found, or forbidden for all but Hosts and the tenant's admins.
    pub async fn start_meeting(&self, actor: &Actor, id: &MeetingId) -> Result<Meeting, ServiceError> {
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        if reach.meeting.state == MeetingState::Ended {
            self.store.set_meeting_state(id, MeetingState::Scheduled, self.now()).await?;
        }
        self.live.provision(Provision::Meeting(Box::new(reach.meeting.spec(&self.vault)))).await;
        self.meeting(actor, id).await
    }

    /// Ends a meeting for everybody: phones get BYE, ringing ones CANCEL (I09).
    ///
    /// # Errors
    /// As for [`Self::start_meeting`].
    pub async fn end_meeting(&self, actor: &Actor, id: &MeetingId) -> Result<Meeting, ServiceError> {
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        match self.live.command(Command::EndMeeting { meeting: id.clone() }).await {
            Ok(_) => {}
            // A meeting the running part does not know has nobody in it.
            Err(refusal) if refusal.kind == RefusalKind::NotFound => {}
            Err(refusal) => return Err(refusal.into()),
        }
        self.store.set_meeting_state(id, MeetingState::Ended, self.now()).await?;
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
fn state_now(stored: MeetingState, live: Option<MeetingState>) -> MeetingState {
    let running = |state| matches!(state, MeetingState::Started | MeetingState::Active);
    match live {
        Some(live) if running(live) || (live == MeetingState::Ended && running(stored)) => live,
        _ => stored,
    }
}

/// Somebody who dialled in and is on no list.
pub(super) fn walk_in(person: &PersonView, host: bool) -> Person {
    Person {
        id: person.id.clone(),
        user: person.user.clone(),
        display_name: shown_name(&person.display_name, person.number.as_deref(), host),
        number: person.number.as_ref().map(|number| if host { number.clone() } else { masked(number) }),
        email: None,
        role: person.role,
        access: person.access,
        source: "direct".to_owned(),
        present: person.present,
        leg_kind: person.leg_kind,
        muted_by_host: person.muted_by_host,
        muted_by_self: person.muted_by_self,
        link: None,
        invitation: None,
    }
}

/// The last four digits only (I60).
pub(super) fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    let shown = digits.len().saturating_sub(4);
    digits.iter().enumerate().map(|(at, digit)| if at < shown { '\u{2022}' } else { *digit }).collect()
}

/// Somebody known by a number alone is named by it, so the name hides what the number hides (I60).
pub(super) fn shown_name(name: &str, number: Option<&str>, host: bool) -> String {
    match number {
        Some(number) if !host => masked_within(name, number),
        _ => name.to_owned(),
    }
}

/// A text that gives `number` away, in whatever way it is written, becomes the masked number; others stay.
pub(super) fn masked_within(text: &str, number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let secret = digits(number);
    if !secret.is_empty() && digits(text).contains(&secret) { masked(number) } else { text.to_owned() }
}

/// The block that is pasted into a message and stands in every mail: the same in all places, but for the link.
pub(super) fn join_text(meeting: &MeetingRow, domain: &str, link: &str) -> String {
    format!(
        "{}\n\nJoin by browser: {link}\nMeeting number: {}\nJoin by SIP phone: sip:{}@{domain}\n",
        meeting.title,
        in_groups_of_three(&meeting.number),
        meeting.number,
    )
}

/// `123456789` as `123 456 789`, for reading out.
fn in_groups_of_three(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    digits.chunks(3).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Whether somebody guessing would try this number early: runs up or down, few different digits, repeated groups.
fn is_obvious(number: &str) -> bool {
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
            assert_eq!(state_now(stored, live), shown, "{stored:?} {live:?}");
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

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!(in_groups_of_three("123456789"), "123 456 789");
    }
}
