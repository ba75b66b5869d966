//! Events for the stream: one shape per kind, the same views as in the snapshot.

use super::transfer::end_status;
use super::{At, Effect, Focus};
use crate::ids::{CallId, MeetingId, PersonId};
use crate::live::event::{PublicEvent, Record};
use crate::vocabulary::CallState;
use media::worker::LegId;
use serde_json::{Value, json};

impl Focus {
    /// Publishes an event of a meeting.
    pub(super) fn publish(&mut self, at: At, meeting: &MeetingId, kind: &'static str, data: Value) {
        if kind != "person.speaking" && !kind.starts_with("call.") {
            self.touch_roster(meeting);
        }
        let Some(entry) = self.meetings.get(meeting) else { return };
        let tenant = entry.spec.tenant.clone();
        let event = PublicEvent { tenant, meeting: Some(meeting.clone()), kind, at: at.wall, data };
        self.effect(Effect::Publish(event));
    }

    /// Publishes an event about one person.
    pub(super) fn publish_person(
        &mut self,
        at: At,
        meeting: &MeetingId,
        person: &PersonId,
        kind: &'static str,
    ) {
        let Some(row) = self.meetings.get(meeting).and_then(|meeting| meeting.people.get(person)) else {
            return;
        };
        let data = json!({ "person": row.view() });
        self.publish(at, meeting, kind, data);
    }

    /// Makes a state of a call known and writes it down.
    pub(super) fn announce_call(&mut self, at: At, meeting: &MeetingId, id: &CallId, state: CallState) {
        let Some(call) = self.meetings.get_mut(meeting).and_then(|entry| entry.calls.get_mut(id)) else {
            return;
        };
        call.entered(state, at.wall);
        let data = json!(call.view_in(state));
        let record = Record::CallState {
            call: id.clone(),
            state,
            cause: call.cause(),
            sip_code: call.sip_code(),
            detail: call.detail().map(str::to_owned),
            at: at.wall,
            sip_call_id: call.sip_call_id(),
            story: call.story(),
        };
        let end = call.cause().map(|cause| (end_status(call.sip_code(), cause), cause));
        self.effect(Effect::Record(record));
        self.tell_transfer(id, state, end);
        self.text_missed(meeting, id, state, end.map(|(_, cause)| cause));
        self.leg_record_of_call(at, meeting, id, state);
        self.publish(at, meeting, call_kind(state), data);
    }

    /// Writes down something about a call that leaves its state as it is.
    pub(super) fn note_call(&mut self, at: At, meeting: &MeetingId, id: &CallId, note: String) {
        let Some(call) = self.meetings.get(meeting).and_then(|entry| entry.calls.get(id)) else { return };
        let record = Record::CallState {
            call: id.clone(),
            state: call.state(),
            cause: None,
            sip_code: call.sip_code(),
            detail: Some(note),
            at: at.wall,
            sip_call_id: call.sip_call_id(),
            story: call.story(),
        };
        self.effect(Effect::Record(record));
    }

    /// Notes and publishes who speaks.
    pub(super) fn speaker_changed(&mut self, at: At, meeting: &MeetingId, leg: Option<LegId>) {
        let Some(entry) = self.meetings.get_mut(meeting) else { return };
        entry.active_speaker = leg;
        let speaker = leg.and_then(|leg| self.legs.get(&leg));
        let data = match speaker {
            Some(leg) => json!({ "person": leg.person, "level": leg.level }),
            None => json!({ "person": null, "level": null }),
        };
        self.publish(at, meeting, "person.speaking", data);
    }
}

fn call_kind(state: CallState) -> &'static str {
    match state {
        CallState::Queued => "call.queued",
        CallState::Dialling => "call.dialling",
        CallState::Ringing => "call.ringing",
        CallState::Answered => "call.answered",
        CallState::Confirming => "call.confirming",
        CallState::Joined => "call.joined",
        CallState::Ended => "call.ended",
        CallState::Failed => "call.failed",
        CallState::Refused => "call.refused",
        CallState::Cancelled => "call.cancelled",
    }
}
