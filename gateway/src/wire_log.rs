//! What is noted about SIP messages as they pass: the ladders of our calls, and copies for a capture server (HEP).

use crate::hep::Hep;
use conference::ids::CallId;
use conference::live::event::Record;
use conference::live::ladder::{Ladders, Rung};
use conference::vocabulary::UnixMillis;
use sip_core::ua::{Command, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long after its end a call's messages are written down: BYE and its answer belong to it.
const AFTER: Duration = Duration::from_secs(5);

/// One message that passes.
pub(crate) struct Passing<'a> {
    pub(crate) sent: bool,
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) payload: &'a [u8],
}

/// Takes notes.
#[derive(Default)]
pub(crate) struct WireLog {
    ladders: Ladders,
    over: VecDeque<(Instant, CallId)>,
    hep: Option<Hep>,
}

impl WireLog {
    pub(crate) fn new(hep: Option<Hep>) -> Self {
        Self { hep, ..Self::default() }
    }

    /// A call of ours is about to be made.
    pub(crate) fn command(&mut self, command: &Command) {
        if let Command::Invite(order) = command {
            self.ladders.watch(&order.call_id);
        }
    }

    /// A message leaves or has come.
    pub(crate) fn note(&mut self, at: UnixMillis, passing: &Passing<'_>) {
        let carried = (passing.transport.token(), passing.remote);
        self.ladders.note(at, passing.sent, carried, passing.payload);
        if let Some(hep) = &self.hep {
            hep.copy(at, passing);
        }
    }

    /// What is recorded of a call says which attempts are its own, and when it is over.
    pub(crate) fn record(&mut self, now: Instant, record: &Record) {
        let Record::CallState { call, state, sip_call_id, .. } = record else { return };
        self.ladders.belongs(sip_call_id, call);
        if state.is_final() {
            self.over.push_back((now + AFTER, call.clone()));
        }
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.over.front().map(|(at, _)| *at)
    }

    /// The messages of the next call whose time has come.
    pub(crate) fn due(&mut self, now: Option<Instant>, wall: UnixMillis) -> Option<Record> {
        while self.over.front().is_some_and(|(at, _)| now.is_none_or(|now| *at <= now)) {
            let (_, call) = self.over.pop_front()?;
            let rungs = self.ladders.take(&call);
            if !rungs.is_empty() {
                return Some(Record::Ladder { call, rungs, at: wall });
            }
        }
        None
    }

    /// The messages of a call that runs or has just ended.
    pub(crate) fn of(&self, call: &CallId) -> Vec<Rung> {
        self.ladders.of(call)
    }
}
