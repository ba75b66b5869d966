//! The door and the lobby: whoever comes by themselves is let in, waits with music, or is turned away.
//!
//! One function judges every way in, browser or phone. Whoever a Host calls does not come by themselves: they pass
//! lock and lobby (I08).

use super::{At, Effect, Focus, PersonSpec, Refusal, RefusalKind, Reply, Timer};
use crate::ids::{MeetingId, PersonId};
use crate::live::event::Record;
use crate::live::meeting::Meeting;
use crate::live::speech::PromptId;
use crate::vocabulary::{Access, Cause, MeetingState, Role};
use media::worker::LegId;
use serde_json::json;
use sip_core::ua::Command as SipCommand;

/// What somebody at the door gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Come in.
    Open,
    /// Wait until a Host comes, or lets you in.
    Lobby,
    /// Not now, or not at all.
    Shut(Refusal),
}

impl Focus {
    /// Whether this person may come in by themselves, as things stand.
    pub(super) fn door(&self, at: At, id: &MeetingId, person: &PersonSpec) -> Door {
        let meeting = match self.meeting(id) {
            Ok(meeting) => meeting,
            Err(refusal) => return Door::Shut(refusal),
        };
        let row = meeting.people.get(&person.person);
        if let Err(refusal) = may_ever_enter(at, meeting, person) {
            return Door::Shut(refusal);
        }
        if person.user.as_ref().is_some_and(|user| self.disabled.contains(user)) {
            return Door::Shut(
                Refusal::new(RefusalKind::Forbidden, "this account is disabled")
                    .mend("Ask your administrator"),
            );
        }
        // A second device of somebody who is in brings nobody new.
        let is_in = row.is_some_and(super::Participant::is_present);
        if is_in || (person.role == Role::Host && person.access == Access::Collaborate) {
            return Door::Open;
        }
        if let Err(refusal) = may_enter_now(meeting, person) {
            return Door::Shut(refusal);
        }
        let settings = &meeting.spec.settings;
        let let_in = row.is_some_and(|row| row.let_in);
        if (settings.lobby && !let_in) || (settings.host_required && !meeting.has_host()) {
            return Door::Lobby;
        }
        Door::Open
    }

    /// Somebody stands at the door with this leg: in, into the lobby, or away.
    pub(super) fn knock(&mut self, at: At, leg: LegId) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (id, person) = (entry.meeting.clone(), entry.person.clone());
        // What the list says now counts, not what it said when the phone began to ring.
        let listed = self.meetings.get(&id).and_then(|meeting| meeting.people.get(&person));
        let listed = listed.map(|row| row.spec.clone());
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let Some(entrant) = &mut sip.caller else { return };
        if let Some(listed) = listed {
            entrant.spec = PersonSpec { removed: entrant.spec.removed, ..listed };
        }
        let spec = entrant.spec.clone();
        match self.door(at, &id, &spec) {
            Door::Open => self.admit(at, leg),
            Door::Lobby => self.wait(at, leg),
            Door::Shut(_) => self.turn_away(at, leg),
        }
    }

    fn turn_away(&mut self, at: At, leg: LegId) {
        if let Some(session) = self.sip_leg_mut(leg).and_then(|sip| sip.session) {
            self.sip(SipCommand::HangUp { session });
        }
        self.drop_leg(at, leg);
    }

    /// Puts a leg in the lobby: it hears music, and its plan stays all false.
    pub(super) fn wait(&mut self, at: At, leg: LegId) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (id, person, kind) = (entry.meeting.clone(), entry.person.clone(), entry.kind());
        self.put_entrant(&id, leg);
        let Some(row) = self.meetings.get_mut(&id).and_then(|meeting| meeting.people.get_mut(&person)) else {
            return;
        };
        let was_waiting = row.is_waiting();
        let replaced = row.wait(kind, leg);
        let words = self.words_for_waiting(&id);
        self.play_music(leg, words);
        self.timers.arm(Timer::Lobby(leg), at.now + self.config.lobby_timeout);
        if let Some(old) = replaced {
            self.end_leg(at, old, Cause::HungUp);
        }
        if !was_waiting {
            self.publish_person(at, &id, &person, "person.waiting");
        }
    }

    /// What somebody who must wait is told before the music.
    fn words_for_waiting(&self, id: &MeetingId) -> PromptId {
        match self.meetings.get(id) {
            Some(meeting) if meeting.spec.settings.host_required && !meeting.has_host() => {
                PromptId::WaitForHost
            }
            _ => PromptId::WaitInLobby,
        }
    }

    /// Takes the legs of one person from the lobby into the meeting.
    fn bring_in(&mut self, at: At, id: &MeetingId, person: &PersonId) {
        let Some(row) = self.meetings.get(id).and_then(|meeting| meeting.people.get(person)) else { return };
        let legs: Vec<_> = row.waiting_legs().collect();
        for leg in legs {
            self.timers.disarm(&Timer::Lobby(leg));
            self.stop_music(leg);
            self.admit(at, leg);
            if self.sip_leg_mut(leg).is_some() {
                self.tell(leg, [PromptId::Joining]);
            }
        }
    }

    /// Something has changed that may open the door for those who wait: a Host has come, or a setting is another.
    pub(super) fn open_doors(&mut self, at: At, id: &MeetingId) {
        // Each who comes in calls this again; the outermost call lets in everybody.
        if self.opening {
            return;
        }
        self.opening = true;
        let waiting: Vec<PersonSpec> = match self.meetings.get(id) {
            Some(meeting) => {
                meeting.people.values().filter(|row| row.is_waiting()).map(|row| row.spec.clone()).collect()
            }
            None => Vec::new(),
        };
        for spec in waiting {
            if self.door(at, id, &spec) == Door::Open {
                self.bring_in(at, id, &spec.person);
            }
        }
        self.opening = false;
    }

    /// A Host lets somebody in: past the lobby, past the lock, and before a Host has come if it must be.
    pub(super) fn let_in(&mut self, at: At, id: &MeetingId, person: &PersonId) -> Result<Reply, Refusal> {
        let meeting = self.meeting_mut(id)?;
        let row = meeting.people.get_mut(person).ok_or_else(super::commands::unknown_person)?;
        if !row.is_waiting() {
            return Err(nobody_waits());
        }
        row.let_in = true;
        self.bring_in(at, id, person);
        Ok(Reply::Done)
    }

    /// A Host lets everybody in who waits.
    pub(super) fn let_all_in(&mut self, at: At, id: &MeetingId) -> Result<Reply, Refusal> {
        let waiting = self.meeting(id)?.people.values().filter(|row| row.is_waiting());
        let waiting: Vec<_> = waiting.map(|row| row.spec.person.clone()).collect();
        for person in waiting {
            self.let_in(at, id, &person)?;
        }
        Ok(Reply::Done)
    }

    /// A Host sends somebody who waits away. They may come again; removing them keeps them out.
    pub(super) fn send_away(&mut self, at: At, id: &MeetingId, person: &PersonId) -> Result<Reply, Refusal> {
        let row = self.meeting(id)?.people.get(person).ok_or_else(super::commands::unknown_person)?;
        let legs: Vec<_> = row.waiting_legs().collect();
        if legs.is_empty() {
            return Err(nobody_waits());
        }
        for leg in legs {
            self.part(at, leg, PromptId::NotInvited, Cause::Declined);
        }
        Ok(Reply::Done)
    }

    /// Nobody new comes in, or again everybody may (I08).
    pub(super) fn set_lock(&mut self, at: At, id: &MeetingId, locked: bool) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        if meeting.spec.settings.locked == locked {
            return;
        }
        meeting.spec.settings.locked = locked;
        self.effect(Effect::Record(Record::MeetingLocked { meeting: id.clone(), locked, at: at.wall }));
        self.announce_lock(at, id);
    }

    /// Tells whoever watches whether the meeting is locked; opened, it lets in those who need not wait.
    pub(super) fn announce_lock(&mut self, at: At, id: &MeetingId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let view = meeting.view();
        let kind = if view.locked { "meeting.locked" } else { "meeting.unlocked" };
        self.publish(at, id, kind, json!({ "meeting": view }));
        if !meeting_is_locked(self.meetings.get(id)) {
            self.open_doors(at, id);
        }
    }
}

fn meeting_is_locked(meeting: Option<&Meeting>) -> bool {
    meeting.is_some_and(|meeting| meeting.spec.settings.locked)
}

/// What no Host's presence changes: the meeting is closed, or the person was removed.
fn may_ever_enter(at: At, meeting: &Meeting, person: &PersonSpec) -> Result<(), Refusal> {
    let late = meeting.spec.closes_at.is_some_and(|closes| closes <= at.wall) && !is_running(meeting.state);
    if meeting.spec.closed || late {
        return Err(Refusal::call(RefusalKind::Conflict, Cause::MeetingEnded)
            .detail("the meeting is over or was called off")
            .mend("Ask the person who invited you"));
    }
    if meeting.is_removed(person) {
        return Err(Refusal::new(RefusalKind::Forbidden, "a Host has removed you from this meeting")
            .mend("Ask a Host to invite you again"));
    }
    Ok(())
}

/// What keeps everybody but Hosts out.
fn may_enter_now(meeting: &Meeting, person: &PersonSpec) -> Result<(), Refusal> {
    let settings = &meeting.spec.settings;
    if settings.locked {
        return Err(Refusal::call(RefusalKind::Conflict, Cause::MeetingLocked)
            .mend("Ask a Host to unlock it or to call you"));
    }
    if settings.join_needs_invitation && person.invited_as.is_none() {
        return Err(Refusal::new(RefusalKind::Forbidden, "this meeting is for invited people only")
            .mend("Ask a Host to invite you"));
    }
    check_places(meeting, 1)
}

/// Whether so many more people find room.
pub(super) fn check_places(meeting: &Meeting, more: usize) -> Result<(), Refusal> {
    let Some(most) = meeting.spec.settings.max_participants else { return Ok(()) };
    if meeting.present() + more <= usize::try_from(most).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::Conflict, format!("the meeting is full: {most} people may be in"))
        .mend("Ask a Host to raise the setting max_participants"))
}

fn nobody_waits() -> Refusal {
    Refusal::new(RefusalKind::Conflict, "this person does not wait in the lobby")
        .mend("Reload the list of people")
}

/// The SIP status that tells a phone why the door is shut.
pub(super) fn status_of(refusal: &Refusal) -> u16 {
    match refusal.kind {
        RefusalKind::NotFound => 404,
        RefusalKind::Forbidden | RefusalKind::Invalid => 403,
        // Temporarily unavailable: locked, full, over.
        RefusalKind::Conflict => 480,
        RefusalKind::Overload => 503,
    }
}

/// Whether somebody is in or was, and nobody has ended it yet.
pub(super) fn is_running(state: MeetingState) -> bool {
    matches!(state, MeetingState::Started | MeetingState::Active)
}
