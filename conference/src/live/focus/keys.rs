//! Keys pressed on a phone: at the gate, in the conversation before a meeting, and in the meeting (I58).

use super::{At, Focus, MutedBy};
use crate::ids::{MeetingId, PersonId};
use crate::live::call::{CONFIRM_KEY, Input, NO_CALLS_KEY};
use crate::live::keypad::{KeyPath, Wish};
use crate::live::meeting::Meeting;
use crate::live::number;
use crate::live::participant::Participant;
use crate::live::policy::Action;
use crate::live::rights::{self, Rules};
use crate::live::speech::{self, Part, PromptId, Utterance};
use crate::vocabulary::{CallState, LegKind, Role};
use media::worker::LegId;

/// Names read out at most.
const NAMES: usize = 8;

impl Focus {
    /// A key. It never goes further than this.
    pub(super) fn key(&mut self, at: At, leg: LegId, key: char, path: KeyPath) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if entry.parting || !entry.keys.is_new(at.now, key, path) {
            return;
        }
        let (meeting, admitted) = (entry.meeting.clone(), entry.admitted);
        if self.visit_key(at, leg, key) {
            return;
        }
        if admitted {
            let wish = self.legs.get_mut(&leg).and_then(|entry| entry.keypad.press(at.now, key));
            if let Some(wish) = wish {
                self.wish(at, leg, wish);
            }
            return;
        }
        let call = self.legs.get(&leg).and_then(super::legs::Leg::call).cloned();
        let Some(call) = call.filter(|call| self.call_state(&meeting, call) == Some(CallState::Confirming))
        else {
            return;
        };
        let entry = self.meetings.get_mut(&meeting).and_then(|meeting| meeting.calls.get_mut(&call));
        if let Some(entry) = entry {
            entry.pressed(key, at.wall);
        }
        match key {
            CONFIRM_KEY => self.drive_call(at, &call, Input::Confirmed),
            NO_CALLS_KEY => self.drive_call(at, &call, Input::NoCalls),
            _ => {}
        }
    }

    fn wish(&mut self, at: At, leg: LegId, wish: Wish) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (id, person) = (entry.meeting.clone(), entry.person.clone());
        let Some(meeting) = self.meetings.get(&id) else { return };
        let Some(row) = meeting.people.get(&person) else { return };
        let role = row.spec.role;
        let moderates = rights::may(Action::Moderate, &Rules::from(&meeting.spec), &row.rank());
        if wish.is_hosts() && !moderates {
            return self.tell(leg, [PromptId::HostsOnly]);
        }
        match wish {
            Wish::WhoIsHere => self.say_who_is_here(leg, &id, &person),
            Wish::Help if role == Role::Host => self.tell(leg, [PromptId::Help, PromptId::HostHelp]),
            Wish::Help => self.tell(leg, [PromptId::Help]),
            Wish::Hand => self.toggle_hand(at, leg, &id, &person),
            Wish::Mute => self.toggle_mute(at, leg, &id, &person),
            Wish::MuteAll => {
                // The meeting is there, so that nothing can be refused.
                let _ = self.mute_all(at, &id, true);
                self.tell(leg, [PromptId::EverybodyMuted]);
            }
            Wish::Lock => self.toggle_lock(at, leg, &id),
            Wish::AdmitAll => self.admit_waiting(at, leg, &id),
            Wish::AboutToEnd => self.tell(leg, [PromptId::PressAgainToEnd]),
            Wish::End => self.end_meeting(at, &id),
        }
    }

    fn toggle_mute(&mut self, at: At, leg: LegId, id: &MeetingId, person: &PersonId) {
        let row = self.meetings.get(id).and_then(|meeting| meeting.people.get(person));
        let Some((muted, by_host)) = row.map(|row| (row.muted_by_self, row.muted_by_host)) else { return };
        if self.set_muted(at, id, person, MutedBy::Oneself, !muted).is_err() {
            return;
        }
        let may_speak = self.legs.get(&leg).is_some_and(|entry| entry.plan.send_audio);
        self.tell(
            leg,
            [match (muted, by_host, may_speak) {
                (false, ..) => PromptId::Muted,
                (true, true, _) => PromptId::OnlyHostUnmutes,
                (true, false, true) => PromptId::Unmuted,
                (true, false, false) => PromptId::ListenOnly,
            }],
        );
    }

    fn toggle_hand(&mut self, at: At, leg: LegId, id: &MeetingId, person: &PersonId) {
        let row = self.meetings.get(id).and_then(|meeting| meeting.people.get(person));
        let Some(raised) = row.map(|row| row.hand.is_none()) else { return };
        self.set_hand(at, id, person, raised);
        if !raised {
            return self.tell(leg, [PromptId::HandLowered]);
        }
        let language = self.language_of(leg);
        let place = self.meetings.get(id).map_or(1, |meeting| meeting.hands_up_to(person));
        let mut parts = vec![Part::Prompt(PromptId::HandRaised)];
        if place > 1 {
            parts.push(Part::Prompt(PromptId::YouAreNumber));
            parts.extend(speech::number(language, place));
        }
        self.say(leg, Utterance::recorded(language, parts));
    }

    /// Raises or lowers a hand.
    pub(super) fn set_hand(&mut self, at: At, id: &MeetingId, person: &PersonId, raised: bool) {
        let row = self.meetings.get_mut(id).and_then(|meeting| meeting.people.get_mut(person));
        let Some(row) = row.filter(|row| row.hand.is_some() != raised) else { return };
        row.hand = raised.then_some(at.wall);
        self.publish_person(at, id, person, "person.hand");
    }

    fn toggle_lock(&mut self, at: At, leg: LegId, id: &MeetingId) {
        let locked = self.meetings.get(id).is_some_and(|meeting| meeting.spec.settings.locked);
        self.set_lock(at, id, !locked);
        self.tell(leg, [if locked { PromptId::MeetingIsOpen } else { PromptId::MeetingIsLocked }]);
    }

    fn admit_waiting(&mut self, at: At, leg: LegId, id: &MeetingId) {
        let waits =
            self.meetings.get(id).is_some_and(|meeting| meeting.people.values().any(Participant::is_waiting));
        let let_in = waits && self.let_all_in(at, id).is_ok();
        self.tell(leg, [if let_in { PromptId::EverybodyIn } else { PromptId::NobodyWaits }]);
    }

    /// A Host has muted or unmuted somebody who is in by phone, who cannot see it.
    pub(super) fn tell_of_muting(&mut self, id: &MeetingId, person: &PersonId, muted: bool) {
        let row = self.meetings.get(id).and_then(|meeting| meeting.people.get(person));
        let Some(by_self) = row.map(|row| row.muted_by_self) else { return };
        let words = match (muted, by_self) {
            (true, _) => PromptId::MutedByHost,
            (false, true) => PromptId::AskedToUnmute,
            (false, false) => PromptId::Unmuted,
        };
        self.tell_person(id, person, [words]);
    }

    fn say_who_is_here(&mut self, leg: LegId, id: &MeetingId, person: &PersonId) {
        let language = self.language_of(leg);
        let Some(meeting) = self.meetings.get(id) else { return };
        let present = meeting.present();
        if present <= 1 {
            return self.tell(leg, [PromptId::OnlyYou]);
        }
        let mut counted = speech::number(language, present);
        counted.push(Part::Prompt(PromptId::PeopleInMeeting));
        let mut parts = counted.clone();
        parts.extend(names(meeting, person));
        self.say(leg, Utterance { language, parts, otherwise: counted, repeat: false });
    }
}

/// The names of those who are in, as this person may hear them: a bare number is nobody's name, and only Hosts hear
/// its digits (I60).
fn names(meeting: &Meeting, listener: &PersonId) -> Vec<Part> {
    let is_host = meeting.people.get(listener).is_some_and(|row| row.spec.role == Role::Host);
    if meeting.spec.settings.hide_attendee_list && !is_host {
        return Vec::new();
    }
    let present: Vec<&Participant> = meeting.people.values().filter(|row| row.is_present()).collect();
    let spoken = |row: &&Participant| {
        let number = row.number.as_deref().map(number::display_of);
        let is_number = number.is_some_and(|number| number == row.spec.display_name);
        if is_number && (!is_host || row.leg(LegKind::Sip).is_none()) {
            Part::Prompt(PromptId::ACaller)
        } else {
            speech::text(&row.spec.display_name)
        }
    };
    let mut parts: Vec<Part> = Vec::new();
    for part in present.iter().take(NAMES).map(spoken) {
        parts.extend([part, Part::Pause(200)]);
    }
    if present.len() > NAMES {
        parts.push(Part::Prompt(PromptId::AndOthers));
    }
    parts
}
