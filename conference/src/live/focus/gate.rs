//! The gate of a dial-out: what the person called hears there, and what is written down of it (I50, I51).

use super::{At, DialTarget, Effect, Focus};
use crate::ids::{CallId, MeetingId};
use crate::live::call::Call;
use crate::live::event::Record;
use crate::live::speech::{self, Part, PromptId, Utterance};
use media::worker::LegId;

impl Focus {
    /// Says who invites to what, and which keys to press. Without a voice for names the sentence is a general one.
    pub(super) fn greet(&mut self, id: &MeetingId, call: &CallId, leg: LegId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let Some(spec) = meeting.calls.get(call).map(Call::spec) else { return };
        let language = spec.gate.language;
        let sentence = speech::invites_you(language, &spec.caller.display_name, &meeting.spec.title);
        let mut keys = vec![Part::Prompt(PromptId::PressOneToJoin)];
        if matches!(spec.target, DialTarget::Number { .. }) {
            keys.push(Part::Prompt(PromptId::PressNineNoCalls));
        }
        let parts = [vec![speech::text(&sentence)], keys.clone()].concat();
        let otherwise = [vec![Part::Prompt(PromptId::Invited)], keys].concat();
        self.say(leg, Utterance { language, parts, otherwise, repeat: false });
    }

    /// The last words at the gate.
    pub(super) fn say_last_words(&mut self, id: &MeetingId, call: &CallId, leg: LegId, words: PromptId) {
        let call = self.meetings.get(id).and_then(|meeting| meeting.calls.get(call));
        let Some(language) = call.map(|call| call.spec().gate.language) else { return };
        self.say(leg, Utterance::prompts(language, [words, PromptId::Goodbye]));
    }

    /// Writes down who picked up, as far as it is known.
    pub(super) fn record_evidence(&mut self, at: At, id: &MeetingId, call: &CallId) {
        let entry = self.meetings.get(id).and_then(|meeting| meeting.calls.get(call));
        let Some(evidence) = entry.map(|call| *call.evidence()) else { return };
        let record = Record::CallEvidence { call: call.clone(), evidence, at: at.wall };
        self.effect(Effect::Record(record));
    }

    /// Writes down that a number must not be called again (I42).
    pub(super) fn record_do_not_call(&mut self, at: At, id: &MeetingId, call: &CallId) {
        let entry = self.meetings.get(id).and_then(|meeting| meeting.calls.get(call));
        let Some(e164) = entry.and_then(Call::number).map(str::to_owned) else { return };
        let Some(tenant) = entry.map(|call| call.spec().tenant.clone()) else { return };
        let record = Record::DoNotCall { tenant, e164, call: Some(call.clone()), at: at.wall };
        self.effect(Effect::Record(record));
    }
}
