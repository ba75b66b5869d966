//! The life of a meeting: started, active, over.

use super::lobby::is_running;
use super::{At, Effect, Focus, Timer};
use crate::ids::{MeetingId, PersonId};
use crate::live::call::{Call, Input};
use crate::live::event::Record;
use crate::live::speech::PromptId;
use crate::vocabulary::{CallState, Cause, LegKind, MeetingState};
use std::time::Duration;

impl Focus {
    /// A person is in with their first leg.
    pub(super) fn person_joined(
        &mut self,
        at: At,
        meeting: &MeetingId,
        person: &PersonId,
        leg_kind: LegKind,
    ) {
        self.instance_counts(at, meeting);
        let instance = self.instance_id(meeting);
        let Some(row) = self.meetings.get(meeting).and_then(|meeting| meeting.people.get(person)) else {
            return;
        };
        let record = Record::PersonJoined {
            meeting: meeting.clone(),
            instance,
            person: person.clone(),
            user: row.spec.user.clone(),
            display_name: row.spec.display_name.clone(),
            role: row.spec.role,
            access: row.spec.access,
            leg_kind,
            at: at.wall,
        };
        self.effect(Effect::Record(record));
        self.publish_person(at, meeting, person, "person.joined");
        self.chime(meeting, PromptId::JoinChime, person);
    }

    /// A person's last leg is gone.
    pub(super) fn person_left(&mut self, at: At, meeting: &MeetingId, person: &PersonId) {
        let instance = self.instance_id(meeting);
        let (meeting_id, person_id) = (meeting.clone(), person.clone());
        let record = Record::PersonLeft { meeting: meeting_id, instance, person: person_id, at: at.wall };
        self.effect(Effect::Record(record));
        self.publish_person(at, meeting, person, "person.left");
        self.chime(meeting, PromptId::LeaveChime, person);
        if let Some(entry) = self.meetings.get_mut(meeting) {
            entry.people.retain(|id, row| id != person || !row.walk_in || row.removed);
        }
        self.settle(at, meeting);
    }

    /// Somebody has left the lobby without having been in.
    pub(super) fn gave_up_waiting(&mut self, at: At, meeting: &MeetingId, person: &PersonId) {
        self.publish_person(at, meeting, person, "person.left");
        if let Some(entry) = self.meetings.get_mut(meeting) {
            entry.people.retain(|id, row| id != person || !row.walk_in || row.removed);
        }
    }

    /// Brings the meeting's state and its two graces in line with who is in.
    pub(super) fn settle(&mut self, at: At, id: &MeetingId) {
        self.note_alone(at, id);
        let Some(meeting) = self.meetings.get(id) else { return };
        let (empty, has_host, state) = (meeting.present() == 0, meeting.has_host(), meeting.state);
        let running = is_running(state);
        if empty {
            if running && !self.timers.is_armed(&Timer::Empty(id.clone())) {
                let grace = grace(meeting.spec.settings.empty_grace_seconds, self.config.empty_grace);
                self.timers.arm(Timer::Empty(id.clone()), at.now + grace);
            }
        } else {
            self.timers.disarm(&Timer::Empty(id.clone()));
        }
        if !empty && !running {
            self.enter(at, id, MeetingState::Started);
        }
        if has_host {
            self.timers.disarm(&Timer::NoHost(id.clone()));
            if state != MeetingState::Active {
                self.enter(at, id, MeetingState::Active);
            }
            self.open_doors(at, id);
        } else if state == MeetingState::Active {
            self.hand_over(at, id);
        }
    }

    /// Ends a meeting for everybody: BYE to phones that are in, CANCEL to those that ring.
    pub(super) fn end_meeting(&mut self, at: At, id: &MeetingId) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        meeting.ending = true;
        let calls: Vec<_> = meeting.live_calls().map(|call| call.spec().call.clone()).collect();
        for call in calls {
            let joined = self.call_state(id, &call) == Some(CallState::Joined);
            let leg = self.meetings.get(id).and_then(|meeting| meeting.calls.get(&call)).map(Call::leg);
            match leg {
                Some(leg) if joined => self.part(at, leg, PromptId::MeetingEnded, Cause::MeetingEnded),
                _ => self.drive_call(at, &call, Input::Cancel(Cause::MeetingEnded)),
            }
        }
        let legs: Vec<_> =
            self.legs.iter().filter(|(_, leg)| leg.meeting == *id).map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.part(at, leg, PromptId::MeetingEnded, Cause::MeetingEnded);
        }
        self.timers.disarm(&Timer::Empty(id.clone()));
        self.timers.disarm(&Timer::NoHost(id.clone()));
        self.timers.disarm(&Timer::Alone(id.clone()));
        if self.meetings.get(id).is_some_and(|meeting| is_running(meeting.state)) {
            self.enter(at, id, MeetingState::Ended);
            // The lock was for those who were in.
            self.set_lock(at, id, false);
        }
        if let Some(meeting) = self.meetings.get_mut(id) {
            meeting.clear_history();
            meeting.ending = false;
        }
    }

    fn enter(&mut self, at: At, id: &MeetingId, state: MeetingState) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        meeting.state = state;
        let kind = match state {
            MeetingState::Draft
            | MeetingState::Scheduled
            | MeetingState::Complete
            | MeetingState::Cancelled => return,
            MeetingState::Started => "meeting.started",
            MeetingState::Active => "meeting.active",
            MeetingState::Ended => "meeting.ended",
        };
        let view = meeting.view();
        self.effect(Effect::Record(Record::MeetingState { meeting: id.clone(), state, at: at.wall }));
        self.instance_entered(at, id, state);
        self.publish(at, id, kind, serde_json::json!({ "meeting": view }));
    }
}

/// The meeting's own grace time, or the installation's.
pub(super) fn grace(seconds: Option<u32>, otherwise: Duration) -> Duration {
    seconds.map_or(otherwise, |seconds| Duration::from_secs(seconds.into()))
}
