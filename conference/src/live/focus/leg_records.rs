//! The records of legs: begun with the leg, filled while it lives, handed over when its last statistics have come.

use super::legs::{Carrier, codec_word};
use super::{At, Effect, Focus, Timer};
use crate::ids::{CallId, MeetingId};
use crate::live::call::DialTarget;
use crate::live::event::Record;
use crate::live::leg_record::{CallDirection, LegMedia, LegRecord, Quality};
use crate::vocabulary::{CallState, Cause, UnixMillis};
use media::quality::LegStats;
use media::worker::LegId;
use rand_chacha::rand_core::Rng as _;
use std::time::Duration;

/// How long the record of a leg waits for what the mixer has still to say of it.
const STATISTICS: Duration = Duration::from_secs(1);

impl Focus {
    /// An identifier that nobody can guess: `letter` and 128 random bits.
    pub(super) fn new_id(&mut self, letter: char) -> String {
        format!("{letter}{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// The leg has a port, or a browser behind it: from here on there will be one record of it.
    pub(super) fn leg_began(&mut self, at: At, leg: LegId) {
        let id = self.new_id('l');
        let Some(mut record) = self.legs.get(&leg).filter(|leg| leg.record.is_none()).and_then(|leg| {
            let meeting = self.meetings.get(&leg.meeting)?;
            let caller = leg.sip().and_then(|sip| sip.caller.as_ref());
            let spec =
                caller.map(|caller| &caller.spec).or_else(|| Some(&meeting.people.get(&leg.person)?.spec))?;
            Some(LegRecord {
                id,
                tenant: meeting.spec.tenant.clone(),
                meeting: leg.meeting.clone(),
                instance: meeting.instance.as_ref().map(|instance| instance.id.clone()),
                call: leg.call().cloned(),
                person: leg.person.clone(),
                user: spec.user.clone(),
                display_name: spec.display_name.clone(),
                role: spec.role,
                access: spec.access,
                kind: leg.kind(),
                direction: CallDirection::In,
                acting_host: None,
                from: caller.map(|caller| caller.number.clone().unwrap_or_else(|| spec.display_name.clone())),
                to: Some(meeting.spec.number.clone()),
                device: None,
                trunk: leg.sip().and_then(|sip| sip.trunk).map(|trunk| trunk.0),
                sip_call_id: leg.sip().and_then(|sip| sip.call_id.clone()),
                started_at: at.wall,
                ringing_at: None,
                answered_at: None,
                joined_at: None,
                ended_at: None,
                cause: None,
                sip_code: None,
                codec: match leg.carrier {
                    Carrier::Webrtc => Some("opus".to_owned()),
                    Carrier::Sip(_) => leg.codec.map(codec_word),
                },
                quality: None,
            })
        }) else {
            return;
        };
        self.describe_call(&mut record);
        self.effect(Effect::Record(Record::LegUp(Box::new(record.clone()))));
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.record = Some(Box::new(record));
        }
    }

    /// What only a dial-out has. Trunk and Call-ID are those of the attempt in hand.
    fn describe_call(&self, record: &mut LegRecord) {
        let Some(call) = record.call.as_ref() else { return };
        let Some(call) = self.meetings.get(&record.meeting).and_then(|meeting| meeting.calls.get(call))
        else {
            return;
        };
        let spec = call.spec();
        record.direction = CallDirection::Out;
        record.acting_host = Some(spec.acting_host.clone());
        record.from = Some(spec.caller.number.clone());
        record.trunk = call.trunk().map(|trunk| trunk.0);
        record.sip_call_id = Some(call.sip_call_id());
        match &spec.target {
            DialTarget::Device { aor, label } => {
                record.to = Some(label.clone());
                record.device = Some(aor.to_string());
            }
            DialTarget::Number { e164, .. } => record.to = Some(e164.clone()),
        }
    }

    /// A dial-out has entered a state.
    pub(super) fn leg_record_of_call(
        &mut self,
        at: At,
        meeting: &MeetingId,
        call: &CallId,
        state: CallState,
    ) {
        let Some(entry) = self.meetings.get(meeting).and_then(|meeting| meeting.calls.get(call)) else {
            return;
        };
        let (leg, cause, sip_code) = (entry.leg(), entry.cause(), entry.sip_code());
        let Some(mut record) = self.legs.get_mut(&leg).and_then(|leg| leg.record.take()) else { return };
        match state {
            CallState::Ringing => first(&mut record.ringing_at, at.wall),
            CallState::Answered | CallState::Confirming | CallState::Joined => {
                first(&mut record.answered_at, at.wall)
            }
            CallState::Queued | CallState::Dialling => {}
            CallState::Ended | CallState::Failed | CallState::Refused | CallState::Cancelled => {
                record.cause = cause
            }
        }
        record.sip_code = sip_code.or(record.sip_code);
        self.describe_call(&mut record);
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.record = Some(record);
        }
    }

    /// The leg is in the meeting.
    pub(super) fn leg_joined(&mut self, at: At, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let instance = self.meetings.get(&entry.meeting).and_then(|meeting| meeting.instance.as_ref());
        let Some(record) = &mut entry.record else { return };
        record.instance = instance.map(|instance| instance.id.clone());
        first(&mut record.answered_at, at.wall);
        first(&mut record.joined_at, at.wall);
        let up = record.clone();
        self.effect(Effect::Record(Record::LegUp(up)));
    }

    /// Why the leg will be over, unless its call knows better.
    pub(super) fn leg_ends_for(&mut self, leg: LegId, cause: Cause) {
        if let Some(record) = self.legs.get_mut(&leg).and_then(|leg| leg.record.as_mut()) {
            record.cause.get_or_insert(cause);
        }
    }

    /// The leg is gone. What the mixer had of it may still come.
    pub(super) fn leg_over(&mut self, at: At, leg: LegId, record: Option<Box<LegRecord>>, has_media: bool) {
        let Some(mut record) = record else { return };
        let person =
            self.meetings.get(&record.meeting).and_then(|meeting| meeting.people.get(&record.person));
        if let Some(person) = person {
            (record.role, record.access) = (person.spec.role, person.spec.access);
        }
        record.ended_at = Some(at.wall);
        let otherwise = if record.joined_at.is_some() { Cause::HungUp } else { Cause::Cancelled };
        record.cause.get_or_insert(otherwise);
        if has_media {
            self.leg_records.insert(leg, record);
            self.timers.arm(Timer::Statistics(leg), at.now + STATISTICS);
        } else {
            self.effect(Effect::Record(Record::LegOver(record)));
        }
    }

    /// How the media of a meeting's legs is now; `None` if the meeting is not known.
    pub fn figures(&self, meeting: &MeetingId) -> Option<Vec<LegMedia>> {
        self.meetings.get(meeting)?;
        let legs = self.legs.values().filter(|leg| leg.meeting == *meeting);
        Some(legs.filter_map(|leg| leg.record.as_deref()).map(LegMedia::from).collect())
    }

    /// How a leg sounds, or sounded.
    pub(super) fn leg_statistics(&mut self, leg: LegId, stats: &LegStats, is_final: bool) {
        let up = self.legs.get_mut(&leg).and_then(|leg| leg.record.as_mut());
        if let Some(record) = up.or_else(|| self.leg_records.get_mut(&leg)) {
            record.quality = Some(Quality::from(stats));
        }
        if is_final {
            self.close_leg_record(leg);
        }
    }

    /// Hands the record of a leg over as it is.
    pub(super) fn close_leg_record(&mut self, leg: LegId) {
        self.timers.disarm(&Timer::Statistics(leg));
        if let Some(record) = self.leg_records.remove(&leg) {
            self.effect(Effect::Record(Record::LegOver(record)));
        }
    }

    /// Hands over what is still held, when the process ends.
    pub fn close_records(&mut self) {
        let legs: Vec<LegId> = self.leg_records.keys().copied().collect();
        for leg in legs {
            self.close_leg_record(leg);
        }
    }
}

fn first(time: &mut Option<UnixMillis>, at: UnixMillis) {
    time.get_or_insert(at);
}
