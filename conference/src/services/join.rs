//! Coming in: by the shared link, by a personal link, or as oneself with a browser's offer.

use super::actor::{Actor, ParticipantActor};
use super::error::ServiceError;
use super::live::WebrtcAnswer;
use super::meetings::{conflict, state_now};
use super::pins::opened;
use super::planning::{CLOSES_AFTER_MS, closes_at};
use super::reach::Reach;
use super::views::{JoinMeeting, JoinPerson, JoinPreview, Joined, Person};
use super::{Services, input};
use crate::ids::{MeetingId, PersonId};
use crate::store::secrets::token_hash;
use crate::store::{Identity, MeetingRow, PersonRow, SessionRow, Store, StoreError};
use crate::vocabulary::{Access, Cause, MeetingForm, MeetingState, Role};

/// The most guests and invited people one meeting takes by its links.
const PEOPLE_BY_LINK: usize = 5_000;
/// The largest offer looked at. Browsers send 6 to 20 KiB.
const OFFER_MAX: usize = 64 * 1024;

/// What a join link leads to.
struct Door {
    meeting: MeetingRow,
    /// Whose link it is; none for the shared link.
    person: Option<PersonRow>,
}

/// A browser's place in a meeting.
#[derive(Clone, Debug)]
pub struct BrowserJoined {
    /// The SDP answer and the leg.
    pub answer: WebrtcAnswer,
    /// Who they are.
    pub person: Person,
}

impl Services {
    /// What a link leads to, before it is used.
    ///
    /// # Errors
    /// Not found for a link that is unknown; forbidden for somebody who was removed; conflict for a meeting that is
    /// over.
    pub async fn preview_link(&self, token: &str) -> Result<JoinPreview, ServiceError> {
        let Door { meeting, person } = self.door(token).await?;
        self.check_link_time(&meeting).await?;
        Ok(JoinPreview {
            meeting: JoinMeeting { id: meeting.id, title: meeting.title },
            person: person.map(|row| JoinPerson { display_name: row.display_name, role: row.role }),
        })
    }

    async fn door(&self, token: &str) -> Result<Door, ServiceError> {
        let none = || {
            ServiceError::not_found("join link")
                .mend("Check the link, or ask the person who sent it for a new one")
        };
        if token.len() != 32 {
            return Err(none());
        }
        let hash = token_hash(token);
        if let Some(meeting) = self.store.meeting_by_link(&hash).await? {
            if meeting.state == MeetingState::Draft {
                return Err(none());
            }
            return Ok(Door { meeting, person: None });
        }
        let person = self.store.person_by_link(&hash).await?.ok_or_else(none)?;
        if person.removed_at.is_some() {
            return Err(ServiceError::forbidden("You were removed from this meeting")
                .mend("Ask a Host of the meeting to invite you again"));
        }
        // A disabled user comes in by no way, their own links included (I82).
        if let Some(user) = person.user()
            && self.store.user(&person.tenant, user).await?.is_none()
        {
            return Err(none());
        }
        let meeting = self.store.meeting(&person.tenant, &person.meeting).await?.ok_or_else(none)?;
        let meeting =
            Some(meeting).filter(|meeting| meeting.state != MeetingState::Draft).ok_or_else(none)?;
        Ok(Door { meeting, person: Some(person) })
    }

    /// Uses a link: a token for that one meeting. The shared link makes a guest with the meeting's default role
    /// (I77); a personal link gives the role it was sent with (A45).
    ///
    /// # Errors
    /// As for [`Self::preview_link`]; invalid if a guest gives no name.
    pub async fn join_by_link(
        &self,
        token: &str,
        name: Option<&str>,
        passcode: Option<&str>,
    ) -> Result<Joined, ServiceError> {
        let Door { meeting, person } = self.door(token).await?;
        self.check_link_time(&meeting).await?;
        let person = match person {
            Some(person) => person,
            None => {
                self.check_guest(&meeting, passcode)?;
                self.new_guest(&meeting, name).await?
            }
        };
        let session = SessionRow::Participant {
            tenant: meeting.tenant.clone(),
            meeting: meeting.id.clone(),
            person: person.id.clone(),
        };
        let token = self.open_session(&session, self.config.participant_lifetime).await?;
        let actor = Actor::Participant(ParticipantActor {
            tenant: meeting.tenant,
            meeting: meeting.id.clone(),
            person: person.id.clone(),
        });
        let reach = self.reach(&actor, &meeting.id).await?;
        let snapshot = self.live.snapshot(meeting.id).await;
        Ok(Joined {
            token,
            meeting: self.meeting_view(&reach, snapshot.as_ref()),
            person: self.person_view(&person, None, false),
        })
    }

    /// Links live as long as the meeting, and a margin (I19): a planned one closes twelve hours after its last run, and
    /// so long after an unplanned one was left its links no longer start it again; a Host's login does. Rooms and
    /// meetings that go on for ever keep theirs.
    async fn check_link_time(&self, meeting: &MeetingRow) -> Result<(), ServiceError> {
        self.check_open(meeting).await?;
        let left = meeting
            .ended_at
            .filter(|_| meeting.form == MeetingForm::Instant && meeting.state == MeetingState::Ended);
        let Some(left) = left.filter(|left| left.0.saturating_add(CLOSES_AFTER_MS) <= self.now().0) else {
            return Ok(());
        };
        let live = self.live.snapshot(meeting.id.clone()).await.map(|snapshot| snapshot.meeting.state);
        if live.is_some_and(|state| matches!(state, MeetingState::Started | MeetingState::Active)) {
            return Ok(());
        }
        tracing::debug!(meeting.id = %meeting.id, left.at = left.0, "a link was used after its meeting");
        Err(over("This meeting is over"))
    }

    /// A meeting that is over or was called off lets nobody in.
    async fn check_open(&self, meeting: &MeetingRow) -> Result<(), ServiceError> {
        let live = self.live.snapshot(meeting.id.clone()).await.map(|snapshot| snapshot.meeting.state);
        let words = match state_now(meeting.state, live, closes_at(&meeting.plan), self.now()) {
            MeetingState::Cancelled => "This meeting was called off",
            MeetingState::Complete => "This meeting is over",
            MeetingState::Draft
            | MeetingState::Scheduled
            | MeetingState::Started
            | MeetingState::Active
            | MeetingState::Ended => return Ok(()),
        };
        Err(over(words))
    }

    /// Whoever comes by the shared link: whether that is enough (I06).
    fn check_guest(&self, meeting: &MeetingRow, passcode: Option<&str>) -> Result<(), ServiceError> {
        let settings = &meeting.settings;
        if settings.join_needs_invitation {
            return Err(ServiceError::forbidden("This meeting is for invited people only")
                .mend("Ask a Host of the meeting to invite you"));
        }
        let pin = opened(&self.vault, meeting.guest_pin.as_deref());
        let Some(pin) = pin.filter(|_| settings.join_needs_passcode) else { return Ok(()) };
        let now = self.now();
        self.passcodes.check(&meeting.id, now)?;
        if passcode.is_some_and(|keyed| pin.is(keyed.trim())) {
            return Ok(());
        }
        self.passcodes.note_wrong(&meeting.id, passcode.is_some(), now);
        Err(ServiceError {
            field: Some("passcode".to_owned()),
            ..ServiceError::forbidden("This meeting needs its passcode")
                .mend("Send the PIN of the join information")
        })
    }

    async fn new_guest(&self, meeting: &MeetingRow, name: Option<&str>) -> Result<PersonRow, ServiceError> {
        let name = input::name("name", name.unwrap_or_default())?;
        let people = self.store.people(&meeting.tenant, &meeting.id).await?;
        if people.len() >= PEOPLE_BY_LINK {
            return Err(conflict("This meeting is full").mend("Ask a Host of the meeting"));
        }
        // A guest must not pass for a registered user of the same name (I22).
        let person = PersonRow {
            id: PersonId::new(self.random_id('p')),
            tenant: meeting.tenant.clone(),
            meeting: meeting.id.clone(),
            identity: Identity::Guest,
            display_name: format!("{name} (guest)"),
            role: meeting.default_role,
            access: Access::Collaborate,
            invited_by: None,
            source: "link".to_owned(),
            created_at: self.now(),
            ..PersonRow::default()
        };
        self.insert_person(&person).await?;
        Ok(person)
    }

    async fn insert_person(&self, person: &PersonRow) -> Result<(), ServiceError> {
        let hash = token_hash(&self.links.token(person.id.as_str()));
        let mut transaction = self.store.begin().await?;
        Store::insert_person(&mut transaction, person, &hash).await?;
        let added = std::slice::from_ref(person);
        self.store.queue_person_events(&mut transaction, "person.added", added, self.now()).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.put_live_person(person).await;
        self.publish_person("person.added", person);
        Ok(())
    }

    /// A browser joins with its one offer.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting; whatever the running part refuses.
    pub async fn join_by_browser(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        offer_sdp: &str,
    ) -> Result<BrowserJoined, ServiceError> {
        if offer_sdp.len() > OFFER_MAX {
            return Err(ServiceError::invalid("sdp", "The offer is too long").mend("Send at most 64 KiB"));
        }
        let reach = self.reach(actor, meeting).await?;
        self.check_open(&reach.meeting).await?;
        if reach.meeting.state == MeetingState::Draft {
            return Err(conflict("A draft cannot be joined").mend("Create the meeting first"));
        }
        let person = self.person_of(actor, &reach).await?;
        let answer =
            self.live.join_webrtc(meeting.clone(), person.spec(&self.vault), offer_sdp.to_owned()).await?;
        let snapshot = self.live.snapshot(meeting.clone()).await;
        let live = snapshot.as_ref().and_then(|snapshot| snapshot.people.iter().find(|p| p.id == person.id));
        Ok(BrowserJoined { answer, person: self.person_view(&person, live, reach.is_host()) })
    }

    /// The asker's row; an admin who comes uninvited gets one with the default role.
    async fn person_of(&self, actor: &Actor, reach: &Reach) -> Result<PersonRow, ServiceError> {
        if let Some(me) = &reach.me {
            return Ok(me.clone());
        }
        let user = actor.user()?;
        let removed = reach.people.iter().any(|person| person.user() == Some(&user.user));
        if removed {
            return Err(ServiceError::forbidden("You were removed from this meeting")
                .mend("Ask a Host of the meeting to invite you again"));
        }
        let person = PersonRow {
            id: PersonId::new(self.random_id('p')),
            tenant: user.tenant.clone(),
            meeting: reach.meeting.id.clone(),
            identity: Identity::User(user.user.clone()),
            display_name: user.display_name.clone(),
            role: reach.role().unwrap_or(Role::Attendee),
            access: Access::Collaborate,
            invited_by: None,
            source: "admin".to_owned(),
            created_at: self.now(),
            ..PersonRow::default()
        };
        self.insert_person(&person).await?;
        Ok(person)
    }

    /// Renews every link's hash if the database was filled with another key.
    pub(super) async fn check_link_key(&self) -> Result<(), ServiceError> {
        const NAME: &str = "link_key_check";
        let check = self.links.check_value();
        let known = self.store.setting(NAME).await?;
        if known.as_deref() == Some(check.as_str()) {
            return Ok(());
        }
        if known.is_some() {
            tracing::warn!("the link key has changed: join links given out earlier no longer work");
        }
        self.store.set_link_hashes(|id| token_hash(&self.links.token(id))).await?;
        self.store.set_setting(NAME, &check).await?;
        Ok(())
    }
}

fn over(words: &str) -> ServiceError {
    let error = conflict(words).mend("Ask the person who invited you");
    ServiceError { cause: Some(Cause::MeetingEnded), ..error }
}
