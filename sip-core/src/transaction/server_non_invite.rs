//! The non-INVITE server transaction: RFC 3261 section 17.2.2 (figure 8).
//!
//! ```text
//!  Trying --1xx--> Proceeding --200-699--> Completed --J--> Terminated
//!     \------------200-699------------------/    request: send the last response again
//! ```

use std::time::Instant;

use super::timer::Timers;
use super::{Outbox, State, Timer, TimerValues, TransactionId, Transmit, TuEvent};

/// One request other than INVITE and ACK received, until no retransmission of it can come.
#[derive(Debug)]
pub struct ServerNonInviteTransaction {
    id: TransactionId,
    state: State,
    timers: Timers,
    response: Option<Transmit>,
}

impl ServerNonInviteTransaction {
    /// A request has come; the transaction user is to answer it.
    pub fn new(id: TransactionId) -> Self {
        Self { id, state: State::Trying, timers: Timers::default(), response: None }
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
        match self.state {
            State::Trying | State::Proceeding => {
                out.transmit(&response);
                let wait = TimerValues::unless_reliable(&response.destination, values.transaction_timeout());
                self.response = Some(response);
                self.state = State::Proceeding;
                if status >= 200 {
                    self.state = State::Completed;
                    self.timers.start(Timer::J, now + wait);
                }
            }
            State::Calling | State::Accepted | State::Completed | State::Confirmed | State::Terminated => {}
        }
    }

    /// The request has come again.
    pub fn handle_retransmission(&self, out: &mut Outbox) {
        if let Some(response) = &self.response {
            out.transmit(response);
        }
    }

    /// Lets every timer fire that has come.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        while self.timers.take_due(now).is_some() {
            self.state = State::Terminated;
            self.timers.stop_all();
            self.response = None;
            out.event(self.id, TuEvent::Terminated);
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
}
