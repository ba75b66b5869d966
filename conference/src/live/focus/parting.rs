//! Last words: a phone that leaves because the meeting has ended, or because a Host wants it so, is told before the BYE.
//! It is out of the meeting from the first word on.

use super::{At, Focus, Timer};
use crate::ids::MeetingId;
use crate::live::call::Input;
use crate::live::speech::PromptId;
use crate::vocabulary::{CallState, Cause};
use media::worker::{Command as MediaCommand, LegId, LegPlan};
use sip_core::ua::Command as SipCommand;
use std::time::Duration;

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(8);

impl Focus {
    /// Takes a leg out of its meeting, and hangs up when these words have been said. A leg that cannot hear them is
    /// ended at once.
    pub(super) fn part(&mut self, at: At, leg: LegId, words: PromptId, cause: Cause) {
        let hears = self.config.last_words && !self.closing && self.can_hear(leg);
        if !hears {
            return self.end_leg(at, leg, cause);
        }
        self.leg_ends_for(leg, cause);
        let language = self.language_of(leg);
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        (entry.parting, entry.admitted, entry.music) = (true, false, false);
        entry.language = Some(language);
        entry.plan = LegPlan::default();
        let room = entry.room;
        let call = self.sip_leg_mut(leg).and_then(|sip| sip.call.take());
        self.media(room, MediaCommand::SetPlan { leg, plan: LegPlan::default() });
        if let Some(call) = call {
            self.drive_call(at, &call, Input::Cancel(cause));
        }
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let meeting = std::mem::take(&mut entry.meeting);
        let person = entry.person.clone();
        self.leg_left(at, leg, &meeting, &person);
        self.tell(leg, [words, PromptId::Goodbye]);
        self.timers.arm(Timer::Parting(leg), at.now + LAST_WORDS);
    }

    /// The last words are over.
    pub(super) fn finish_parting(&mut self, at: At, leg: LegId) {
        self.timers.disarm(&Timer::Parting(leg));
        let session = self.sip_leg_mut(leg).and_then(|sip| sip.session);
        if let Some(session) = session {
            self.sip(SipCommand::HangUp { session });
        }
        self.drop_leg(at, leg);
    }

    /// Whether a leg is a phone with which a conversation stands.
    fn can_hear(&self, leg: LegId) -> bool {
        let Some(entry) = self.legs.get(&leg).filter(|entry| !entry.parting) else { return false };
        let Some(sip) = entry.sip().filter(|sip| sip.session.is_some()) else { return false };
        match &sip.call {
            Some(call) => self.call_state(&entry.meeting, call) == Some(CallState::Joined),
            None => sip.accepted && sip.unproven.is_none() && sip.offer.is_none(),
        }
    }

    pub(super) fn call_state(&self, meeting: &MeetingId, call: &crate::ids::CallId) -> Option<CallState> {
        Some(self.meetings.get(meeting)?.calls.get(call)?.state())
    }
}
