//! Calls of ours that are returned (asks 37): whoever rings the shown number back within an hour comes to the same
//! meeting, under the same name, through the same gate, and as Attendee at most, for a caller's number can be forged.
//!
//! What was missed is kept in memory: after a restart the caller is asked for the meeting id like everybody.

use super::dial_in::{Caller, Talk};
use super::legs::Entrant;
use super::lobby::{Door, is_running};
use super::{At, DialTarget, Effect, Focus, PersonSpec, Timer};
use crate::ids::{CallId, MeetingId};
use crate::live::call::{CONFIRM_KEY, GATE, NO_CALLS_KEY};
use crate::live::event::Record;
use crate::live::ivr::IvrTimer;
use crate::live::speech::{self, Part, PromptId, Utterance};
use crate::vocabulary::{Cause, Role};
use media::worker::LegId;
use std::time::{Duration, Instant};

/// For how long a missed call can be returned.
const RETURNABLE: Duration = Duration::from_secs(3600);
/// Missed calls remembered; beyond that the oldest is forgotten.
const REMEMBERED: usize = 10_000;

/// A call that nobody took, or that nobody confirmed.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    meeting: MeetingId,
    person: PersonSpec,
    /// Who called, as it was shown.
    caller: String,
    at: Instant,
}

/// The conversation with somebody who returns a call.
#[derive(Debug)]
pub(super) struct Returned {
    missed: Missed,
    /// How often the greeting may still be said.
    left: u8,
    /// The last words are being said.
    leaving: bool,
}

impl Focus {
    /// A call is over; if it was missed, it can be returned.
    pub(super) fn note_missed(&mut self, at: At, meeting: &MeetingId, call: &CallId) {
        let Some(call) = self.meetings.get(meeting).and_then(|entry| entry.calls.get(call)) else { return };
        let missed = matches!(call.cause(), Some(Cause::NoAnswer | Cause::NotConfirmed | Cause::Busy));
        let spec = call.spec();
        let DialTarget::Number { e164, .. } = &spec.target else { return };
        if !missed || spec.caller.hidden {
            return;
        }
        let key = (digits(&spec.caller.number), digits(e164));
        let person = PersonSpec { role: Role::Attendee, ..spec.person.clone() };
        let caller = spec.caller.display_name.clone();
        let missed = Missed { meeting: meeting.clone(), person, caller, at: at.now };
        if self.missed.len() >= REMEMBERED {
            self.forget_missed(at);
        }
        self.missed.insert(key, missed);
    }

    fn forget_missed(&mut self, at: At) {
        self.missed.retain(|_, missed| at.now.saturating_duration_since(missed.at) <= RETURNABLE);
        if self.missed.len() < REMEMBERED {
            return;
        }
        let oldest = self.missed.iter().min_by_key(|(_, missed)| missed.at).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.missed.remove(&oldest);
        }
    }

    /// The missed call that a caller returns, if its meeting is still running and its door not shut.
    pub(super) fn returned_call(&self, at: At, shown: &str, caller: &Caller) -> Option<Returned> {
        let number = digits(caller.number.as_ref()?);
        let missed = self.missed.get(&(shown.to_owned(), number))?;
        let fresh = at.now.saturating_duration_since(missed.at) <= RETURNABLE;
        let meeting = self.meetings.get(&missed.meeting)?;
        let open = is_running(meeting.state) && meeting.spec.tenant == caller.tenant;
        (fresh && open).then(|| Returned { missed: missed.clone(), left: 3, leaving: false })
    }

    pub(super) fn greet_returned(&mut self, at: At, leg: LegId) {
        self.timers.arm(Timer::Visit(leg, IvrTimer::Whole), at.now + GATE);
        self.say_returned(leg);
    }

    fn say_returned(&mut self, leg: LegId) {
        let language = self.language_of(leg);
        let Some(visit) = self.visit_mut(leg) else { return };
        let Talk::Returned(returned) = &visit.talk else { return };
        let (id, host) = (returned.missed.meeting.clone(), returned.missed.caller.clone());
        let title = self.meetings.get(&id).map(|meeting| meeting.spec.title.clone()).unwrap_or_default();
        let press = [PromptId::PressOneToJoin, PromptId::PressNineNoCalls].map(Part::Prompt);
        let mut parts = vec![speech::text(&speech::called_you(language, &host, &title))];
        parts.extend(press.clone());
        let mut otherwise = vec![Part::Prompt(PromptId::ReturnedCall)];
        otherwise.extend(press);
        self.say(leg, Utterance { language, parts, otherwise, repeat: false });
    }

    pub(super) fn returned_spoken(&mut self, at: At, leg: LegId) {
        let Some(visit) = self.visit_mut(leg) else { return };
        let Talk::Returned(returned) = &mut visit.talk else { return };
        if returned.leaving {
            return self.hang_up_visit(at, leg);
        }
        returned.left = returned.left.saturating_sub(1);
        if returned.left > 0 {
            self.timers.arm(Timer::Visit(leg, IvrTimer::Silence), at.now + crate::live::call::PROMPT_PAUSE);
        }
    }

    pub(super) fn returned_timer(&mut self, at: At, leg: LegId, timer: IvrTimer) {
        match timer {
            IvrTimer::Silence => self.say_returned(leg),
            IvrTimer::LastWords => self.hang_up_visit(at, leg),
            IvrTimer::Whole => self.leave_returned(at, leg, PromptId::HeardNothing),
            IvrTimer::Digits | IvrTimer::Verdict => {}
        }
    }

    fn leave_returned(&mut self, at: At, leg: LegId, words: PromptId) {
        if let Some(visit) = self.visit_mut(leg)
            && let Talk::Returned(returned) = &mut visit.talk
        {
            returned.leaving = true;
        }
        self.timers.disarm(&Timer::Visit(leg, IvrTimer::Silence));
        self.dismiss(at, leg, words);
    }

    pub(super) fn returned_key(&mut self, at: At, leg: LegId, key: char) {
        let Some(visit) = self.visit_mut(leg) else { return };
        let caller = visit.caller.clone();
        let Talk::Returned(returned) = &visit.talk else { return };
        if returned.leaving {
            return;
        }
        let missed = returned.missed.clone();
        match key {
            CONFIRM_KEY => self.admit_returned(at, leg, &missed, &caller),
            NO_CALLS_KEY => {
                if let Some(e164) = caller.number {
                    let tenant = caller.tenant;
                    let record = Record::DoNotCall { tenant, e164, call: None, at: at.wall };
                    self.effect(Effect::Record(record));
                }
                self.leave_returned(at, leg, PromptId::WillNotBeCalled);
            }
            _ => {}
        }
    }

    fn admit_returned(&mut self, at: At, leg: LegId, missed: &Missed, caller: &Caller) {
        let id = missed.meeting.clone();
        let Some(meeting) = self.meetings.get(&id) else {
            return self.leave_returned(at, leg, PromptId::MeetingEnded);
        };
        // The seat is the one the call was for, but no more than an Attendee sits down on it by a number alone.
        let mut spec =
            meeting.people.get(&missed.person.person).map_or(&missed.person, |row| &row.spec).clone();
        spec.role = Role::Attendee;
        let running = is_running(meeting.state);
        let door = self.door(at, &id, &spec);
        let words = match door {
            Door::Shut(refusal) => Some(self.words_of(&id, &spec, &refusal)),
            Door::Open | Door::Lobby if !running => Some(PromptId::MeetingEnded),
            Door::Open | Door::Lobby => None,
        };
        if let Some(words) = words {
            return self.leave_returned(at, leg, words);
        }
        if let Some(row) = self.meetings.get_mut(&id).and_then(|meeting| meeting.people.get_mut(&spec.person))
        {
            row.spec.role = Role::Attendee;
        }
        let entrant = Entrant { spec, number: caller.number.clone(), walk_in: false };
        if let Some(visit) = self.visit_mut(leg) {
            visit.ready = Some((id, entrant));
        }
        self.enter_by_phone(at, leg);
    }
}

fn digits(number: &str) -> String {
    number.trim_start_matches('+').to_owned()
}
