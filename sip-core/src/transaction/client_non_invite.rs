//! The non-INVITE client transaction: RFC 3261 section 17.1.2 (figure 6).
//!
//! ```text
//!  Trying --1xx--> Proceeding             E: retransmit request   F: time out
//!     \               |
//!      \---200-699----+--> Completed --K--> Terminated
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::timer::Timers;
use super::{Outbox, State, Timer, TimerValues, TransactionId, Transmit, TuEvent, doubled};
use crate::flow::Hop;
use crate::message::{Message, Received, Request, Response, write};

/// One request other than INVITE sent, until nothing more can come for it.
#[derive(Debug)]
pub struct ClientNonInviteTransaction {
    id: TransactionId,
    state: State,
    timers: Timers,
    request: Transmit,
    interval: Duration,
}

impl ClientNonInviteTransaction {
    /// Sends the request.
    pub fn start(
        now: Instant,
        id: TransactionId,
        values: &TimerValues,
        request: Request,
        destination: Hop,
        out: &mut Outbox,
    ) -> Self {
        let request = Transmit { destination, payload: write(&Message::Request(request)) };
        out.transmit(&request);
        let mut timers = Timers::default();
        if !destination.transport.is_reliable() {
            timers.start(Timer::E, now + values.t1);
        }
        timers.start(Timer::F, now + values.transaction_timeout());
        Self { id, state: State::Trying, timers, request, interval: values.t1 }
    }

    /// Takes a response that matches.
    pub fn handle_response(
        &mut self,
        now: Instant,
        values: &TimerValues,
        response: Received<Response>,
        out: &mut Outbox,
    ) {
        match self.state {
            State::Trying | State::Proceeding => {
                if response.message.is_final() {
                    self.state = State::Completed;
                    self.timers.stop_all();
                    let wait = TimerValues::unless_reliable(&self.request.destination, values.t4);
                    self.timers.start(Timer::K, now + wait);
                    self.request.payload = Bytes::new();
                } else {
                    self.state = State::Proceeding;
                }
                out.event(self.id, TuEvent::Response(Box::new(response)));
            }
            State::Calling | State::Accepted | State::Completed | State::Confirmed | State::Terminated => {}
        }
    }

    /// Lets every timer fire that has come.
    pub fn handle_timeout(&mut self, now: Instant, values: &TimerValues, out: &mut Outbox) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::E => {
                    out.transmit(&self.request);
                    let trying = self.state == State::Trying;
                    self.interval = if trying { doubled(self.interval, values.t2) } else { values.t2 };
                    self.timers.start(Timer::E, now + self.interval);
                }
                Timer::F => {
                    out.event(self.id, TuEvent::TimedOut);
                    self.terminate(out);
                }
                Timer::K => self.terminate(out),
                Timer::A
                | Timer::B
                | Timer::D
                | Timer::G
                | Timer::H
                | Timer::I
                | Timer::J
                | Timer::L
                | Timer::M => {}
            }
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Where the request went.
    pub fn destination(&self) -> Hop {
        self.request.destination
    }

    /// The connection is gone: see the INVITE client transaction.
    pub fn handle_transport_failure(&mut self, out: &mut Outbox) {
        if self.state == State::Trying {
            out.event(self.id, TuEvent::TransportFailed);
            self.terminate(out);
        }
    }

    pub(super) fn terminate(&mut self, out: &mut Outbox) {
        self.state = State::Terminated;
        self.timers.stop_all();
        out.event(self.id, TuEvent::Terminated);
    }
}
