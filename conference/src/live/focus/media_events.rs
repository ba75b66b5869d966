//! Events of the media workers, told by person instead of by leg.

use super::{At, Focus, Timer};
use crate::live::call::Input;
use crate::live::keypad::KeyPath;
use crate::vocabulary::LegKind;
use media::answer::AnswerSummary;
use media::worker::{Event, LegId, RoomId};
use serde_json::json;

/// A change of the active speaker's level smaller than this is not worth an event.
const LEVEL_STEP_DB: u8 = 6;

impl Focus {
    pub(super) fn media_event(&mut self, at: At, event: Event) {
        match event {
            Event::Digit { leg, digit } => self.key(at, leg, digit, KeyPath::Media),
            Event::PlayingDone { leg, playing } => self.played_out(at, leg, playing),
            Event::AnswerHeard { leg, summary } => self.answer_heard(at, leg, summary),
            Event::ActiveSpeaker { room, leg } => self.active_speaker(at, room, leg),
            Event::Levels { leg, dbov } => self.level(at, leg, dbov),
            Event::WebrtcConnected { leg } => self.timers.disarm(&Timer::Connect(leg)),
            Event::WebrtcClosed { leg } => self.browser_gone(at, leg),
            Event::VideoSlots { leg, slots } => self.video_slots(at, leg, slots),
            Event::Statistics { leg, stats, is_final } => {
                if !is_final {
                    self.pulse(at, leg, &stats);
                }
                self.leg_statistics(leg, &stats, is_final);
            }
            Event::MediaStarted { .. } => {}
        }
    }

    /// What was heard of somebody who has picked up is shown to the Hosts (I50).
    fn answer_heard(&mut self, at: At, leg: LegId, summary: AnswerSummary) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (id, Some(call)) = (entry.meeting.clone(), entry.call().cloned()) else { return };
        let calls = self.meetings.get_mut(&id).map(|meeting| &mut meeting.calls);
        let Some(call) = calls.and_then(|calls| calls.get_mut(&call)) else { return };
        call.heard(summary);
        let view = json!(call.view());
        self.publish(at, &id, "call.evidence", view);
    }

    pub(super) fn leg_call_input(&mut self, at: At, leg: LegId, input: Input) {
        let call = self.legs.get(&leg).and_then(super::legs::Leg::call).cloned();
        if let Some(call) = call {
            self.drive_call(at, &call, input);
        }
    }

    fn browser_gone(&mut self, at: At, leg: LegId) {
        if self.legs.get(&leg).is_some_and(|entry| entry.kind() == LegKind::Webrtc) {
            self.drop_leg(at, leg);
        }
    }

    fn active_speaker(&mut self, at: At, room: RoomId, leg: Option<LegId>) {
        let Some(id) = self.rooms.get(&room).cloned() else { return };
        // A leg may have gone while the event was on its way.
        let leg =
            leg.filter(|leg| self.legs.get(leg).is_some_and(|entry| entry.meeting == id && entry.admitted));
        if self.meetings.get(&id).is_some_and(|meeting| meeting.active_speaker != leg) {
            self.speaker_changed(at, &id, leg);
        }
    }

    fn level(&mut self, at: At, leg: LegId, dbov: u8) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let step = entry.level.abs_diff(dbov) >= LEVEL_STEP_DB;
        if step {
            entry.level = dbov;
        }
        let meeting = entry.meeting.clone();
        let speaks = self.meetings.get(&meeting).is_some_and(|meeting| meeting.active_speaker == Some(leg));
        if step && speaks {
            self.speaker_changed(at, &meeting, Some(leg));
        }
    }

    fn video_slots(&mut self, at: At, leg: LegId, slots: Vec<Option<LegId>>) {
        let Some(listener) = self.legs.get(&leg) else { return };
        let (id, person) = (listener.meeting.clone(), listener.person.clone());
        let people: Vec<_> = slots
            .iter()
            .map(|slot| slot.and_then(|leg| self.legs.get(&leg)).map(|leg| &leg.person))
            .collect();
        let data = json!({ "person": person, "slots": people });
        if let Some(meeting) = self.meetings.get_mut(&id) {
            meeting.slots.insert(leg, slots);
        }
        self.publish(at, &id, "media.slots", data);
    }
}
