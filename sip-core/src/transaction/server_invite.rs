//! The INVITE server transaction: RFC 3261 section 17.2.1 (figure 7) with RFC 6026 section 7.1.
//!
//! ```text
//!  Proceeding --2xx-----> Accepted --L--> Terminated            INVITE: absorbed; the TU repeats the 2xx
//!     |  1xx: send it; INVITE: send the last 1xx again
//!     \--300-699--> Completed --ACK--> Confirmed --I--> Terminated
//!                     G, INVITE: send the response again; H: no ACK came
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::timer::Timers;
use super::{Outbox, State, Timer, TimerValues, TransactionId, Transmit, TuEvent, doubled};

/// One INVITE received, until nothing more can come for it.
#[derive(Debug)]
pub struct ServerInviteTransaction {
    id: TransactionId,
    state: State,
    timers: Timers,
    /// The last response, for retransmissions.
    response: Option<Transmit>,
    interval: Duration,
    /// Whether the last response went by a transport that repeats nothing.
    reliable: bool,
}

impl ServerInviteTransaction {
    /// An INVITE has come; the transaction user is to answer it, at least with 100 within 200 ms.
    pub fn new(id: TransactionId) -> Self {
        Self {
            id,
            state: State::Proceeding,
            timers: Timers::default(),
            response: None,
            interval: Duration::ZERO,
            reliable: false,
        }
    }

    /// Sends the user's response; after a final one nothing more is sent.
    pub fn respond(
        &mut self,
        now: Instant,
        values: &TimerValues,
        status: u16,
        response: Transmit,
        out: &mut Outbox,
    ) {
        if self.state != State::Proceeding {
            return;
        }
        out.transmit(&response);
        self.reliable = response.destination.transport.is_reliable();
        match status {
            ..200 => self.response = Some(response),
            200..300 => {
                self.state = State::Accepted;
                self.response = None;
                self.timers.start(Timer::L, now + values.transaction_timeout());
            }
            300.. => {
                self.state = State::Completed;
                self.response = Some(response);
                self.interval = values.t1;
                if !self.reliable {
                    self.timers.start(Timer::G, now + values.t1);
                }
                self.timers.start(Timer::H, now + values.transaction_timeout());
            }
        }
    }

    /// The INVITE has come again.
    pub fn handle_retransmission(&self, out: &mut Outbox) {
        match self.state {
            State::Proceeding | State::Completed => {
                if let Some(response) = &self.response {
                    out.transmit(response);
                }
            }
            State::Calling | State::Trying | State::Accepted | State::Confirmed | State::Terminated => {}
        }
    }

    /// An ACK with this transaction's branch has come. `false` if it is for a 2xx and so the user's affair.
    pub fn handle_ack(&mut self, now: Instant, values: &TimerValues) -> bool {
        match self.state {
            State::Completed => {
                self.state = State::Confirmed;
                self.timers.stop_all();
                let wait = if self.reliable { Duration::ZERO } else { values.t4 };
                self.timers.start(Timer::I, now + wait);
                self.response = None;
                true
            }
            State::Accepted => false,
            State::Calling | State::Trying | State::Proceeding | State::Confirmed | State::Terminated => true,
        }
    }

    /// Lets every timer fire that has come.
    pub fn handle_timeout(&mut self, now: Instant, values: &TimerValues, out: &mut Outbox) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::G => {
                    if let Some(response) = &self.response {
                        out.transmit(response);
                    }
                    self.interval = doubled(self.interval, values.t2);
                    self.timers.start(Timer::G, now + self.interval);
                }
                Timer::H => {
                    out.event(self.id, TuEvent::NoAck);
                    self.terminate(out);
                }
                Timer::I | Timer::L => self.terminate(out),
                Timer::A | Timer::B | Timer::D | Timer::E | Timer::F | Timer::J | Timer::K | Timer::M => {}
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

    /// The bytes kept for retransmission.
    pub fn kept(&self) -> Option<&Bytes> {
        self.response.as_ref().map(|response| &response.payload)
    }

    fn terminate(&mut self, out: &mut Outbox) {
        self.state = State::Terminated;
        self.timers.stop_all();
        out.event(self.id, TuEvent::Terminated);
    }
}
