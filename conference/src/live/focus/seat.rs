//! Seats: a phone that was cut off keeps its place (I56), a phone that has fallen silent is asked whether it is there,
//! and calls that are no longer wanted stop.

use super::legs::Leg;
use super::{At, Focus, Timer};
use crate::ids::{CallId, MeetingId, PersonId};
use crate::live::call::Input;
use crate::vocabulary::{CallPurpose, Cause, LegKind};
use media::quality::LegStats;
use media::worker::LegId;
use sip_core::ua::{Command as SipCommand, EndCause, SessionId};
use std::time::Duration;

/// So many reports in a row without a packet, five seconds each, and the far end is asked.
const SILENT_REPORTS: u8 = 2;
/// How long it may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(6);

/// Whether a leg still speaks to us.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    received: u64,
    silent: u8,
}

impl Focus {
    /// Notes on the person's row how their phone is.
    pub(super) fn note_seat(&mut self, id: &MeetingId, call: &CallId) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        let Some(entry) = meeting.calls.get(call) else { return };
        let over = entry.state().is_final();
        let lost = over && entry.cause() == Some(Cause::Lost);
        let reconnects = entry.spec().extra.purpose == CallPurpose::Reconnect;
        let Some(row) = meeting.people.get_mut(&entry.spec().person.person) else { return };
        let by_phone = row.leg(LegKind::Sip) == Some(entry.leg());
        if lost && by_phone {
            row.lost = true;
        }
        if reconnects {
            row.reconnecting = !over && row.lost;
        }
    }

    /// Every five seconds: a leg that sends nothing may be muted by its owner or saving packets. Only one that does not
    /// answer either is gone.
    pub(super) fn pulse(&mut self, at: At, leg: LegId, stats: &LegStats) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let Some(session) = entry.sip().and_then(|sip| sip.session).filter(|_| entry.admitted) else {
            return;
        };
        let speaks = stats.received_packets != entry.pulse.received;
        entry.pulse.received = stats.received_packets;
        entry.pulse.silent = if speaks { 0 } else { entry.pulse.silent.saturating_add(1) };
        let silent = entry.pulse.silent;
        if speaks {
            self.timers.disarm(&Timer::Silence(leg));
        } else if silent >= SILENT_REPORTS && !self.timers.is_armed(&Timer::Silence(leg)) {
            self.timers.arm(Timer::Silence(leg), at.now + ANSWER_TIME);
            self.sip(SipCommand::Check { session });
        }
    }

    /// The far end has answered: it is there, and silent on purpose.
    pub(super) fn alive(&mut self, session: SessionId) {
        let Some(&leg) = self.sessions.get(&session) else { return };
        self.timers.disarm(&Timer::Silence(leg));
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.pulse.silent = 0;
        }
    }

    /// Silent, and no answer: its connection is lost.
    pub(super) fn silent_for_good(&mut self, at: At, leg: LegId) {
        let Some(session) = self.sip_leg_mut(leg).and_then(|sip| sip.session.take()) else { return };
        self.sessions.remove(&session);
        self.sip(SipCommand::HangUp { session });
        match self.legs.get(&leg).and_then(Leg::call).cloned() {
            Some(call) => self.drive_call(at, &call, Input::Over(EndCause::NoResponse)),
            None => self.drop_leg(at, leg),
        }
    }

    /// Enough people of one press of CALL have joined: the others are not needed.
    pub(super) fn stop_the_rest(&mut self, at: At, id: &MeetingId, call: &CallId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let Some(enough) = meeting.calls.get(call).and_then(|call| call.spec().extra.enough.as_ref()) else {
            return;
        };
        let same = |one: &&crate::live::call::Call| {
            one.spec().extra.enough.as_ref().is_some_and(|other| other.group == enough.group)
        };
        let is_in = |one: &&crate::live::call::Call| one.state() == crate::vocabulary::CallState::Joined;
        if meeting.ordered_calls().filter(same).filter(is_in).count() < enough.joined {
            return;
        }
        let rest: Vec<CallId> = meeting
            .live_calls()
            .filter(same)
            .filter(|one| !is_in(one))
            .map(|one| one.spec().call.clone())
            .collect();
        for call in rest {
            self.drive_call(at, &call, Input::Cancel(Cause::Cancelled));
        }
    }

    /// Stops whatever rings for a person who has gone.
    pub(super) fn stop_ringing(&mut self, at: At, id: &MeetingId, person: &PersonId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let ringing: Vec<CallId> = meeting
            .live_calls()
            .filter(|call| call.spec().person.person == *person)
            .map(|call| call.spec().call.clone())
            .collect();
        for call in ringing {
            self.drive_call(at, &call, Input::Cancel(Cause::Cancelled));
        }
    }

    /// Somebody who is alone in a meeting by phone keeps a line open for nobody (I59).
    pub(super) fn note_alone(&mut self, at: At, id: &MeetingId) {
        let timer = Timer::Alone(id.clone());
        let Some(meeting) = self.meetings.get(id) else { return };
        let after = self.dialling.get(&meeting.spec.tenant).and_then(|rules| rules.alone_after());
        let mut present = meeting.people.values().filter(|row| row.is_present());
        let alone = match (present.next(), present.next()) {
            (Some(only), None) => only.leg(LegKind::Sip).is_some() && only.leg(LegKind::Webrtc).is_none(),
            _ => false,
        };
        let waits =
            alone && meeting.live_calls().all(|call| call.state() == crate::vocabulary::CallState::Joined);
        match after.filter(|_| waits) {
            Some(after) if !self.timers.is_armed(&timer) => self.timers.arm(timer, at.now + after),
            Some(_) => {}
            None => self.timers.disarm(&timer),
        }
    }

    /// The time alone is over.
    pub(super) fn hang_up_alone(&mut self, at: At, id: &MeetingId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let legs: Vec<LegId> = meeting.people.values().filter_map(|row| row.leg(LegKind::Sip)).collect();
        for leg in legs {
            self.end_leg(at, leg, Cause::HungUp);
        }
    }
}
