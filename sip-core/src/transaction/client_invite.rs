//! The INVITE client transaction: RFC 3261 section 17.1.1 (figure 5) with RFC 6026 section 7.2.
//!
//! ```text
//!  Calling --1xx--> Proceeding            A: retransmit INVITE   B: time out
//!     |  \            |    |
//!     |   \---2xx-----+----+--> Accepted --M--> Terminated       2xx: pass up
//!     |               |
//!     \----300-699----/-------> Completed --D--> Terminated      300-699: send ACK again
//! ```

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::timer::Timers;
use super::{Outbox, State, Timer, TimerValues, TransactionId, Transmit, TuEvent};
use crate::flow::Hop;
use crate::message::{HeaderName, Message, Method, Received, Request, Response, write};

/// One INVITE sent, until nothing more can come for it.
#[derive(Debug)]
pub struct ClientInviteTransaction {
    id: TransactionId,
    state: State,
    timers: Timers,
    /// The INVITE on the wire; empty once it needs no retransmission.
    invite: Transmit,
    interval: Duration,
    /// The INVITE without its body: ACK and CANCEL are made from it.
    request: Box<Request>,
    ack: Option<Transmit>,
    /// A provisional response does not make it wait any longer.
    is_bounded: bool,
}

impl ClientInviteTransaction {
    /// Sends the INVITE.
    pub fn start(
        now: Instant,
        id: TransactionId,
        values: &TimerValues,
        mut request: Request,
        destination: Hop,
        out: &mut Outbox,
    ) -> Self {
        let invite = Transmit { destination, payload: write(&Message::Request(request.clone())) };
        out.transmit(&invite);
        let mut timers = Timers::default();
        if !destination.transport.is_reliable() {
            timers.start(Timer::A, now + values.t1);
        }
        timers.start(Timer::B, now + values.transaction_timeout());
        request.body = Bytes::new();
        let request = Box::new(request);
        Self {
            id,
            state: State::Calling,
            timers,
            invite,
            interval: values.t1,
            request,
            ack: None,
            is_bounded: false,
        }
    }

    /// Takes a response that matches.
    pub fn handle_response(
        &mut self,
        now: Instant,
        values: &TimerValues,
        response: Received<Response>,
        out: &mut Outbox,
    ) {
        let status = response.message.status;
        match self.state {
            State::Calling | State::Proceeding => {
                match status {
                    ..200 => {
                        self.state = State::Proceeding;
                        self.timers.stop(Timer::A);
                        if !self.is_bounded {
                            self.timers.stop(Timer::B);
                        }
                    }
                    200..300 => self.enter(State::Accepted, Timer::M, now + values.transaction_timeout()),
                    300.. => {
                        let wait = TimerValues::unless_reliable(
                            &self.invite.destination,
                            values.transaction_timeout(),
                        );
                        self.enter(State::Completed, Timer::D, now + wait);
                        let ack = self.ack_for(&response.message);
                        out.transmit(&ack);
                        self.ack = Some(ack);
                    }
                }
                out.event(self.id, TuEvent::Response(Box::new(response)));
            }
            State::Accepted => {
                if (200..300).contains(&status) {
                    out.event(self.id, TuEvent::Response(Box::new(response)));
                }
            }
            State::Completed => {
                if let Some(ack) = self.ack.as_ref().filter(|_| status >= 300) {
                    out.transmit(ack);
                }
            }
            State::Trying | State::Confirmed | State::Terminated => {}
        }
    }

    /// Lets every timer fire that has come.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::A => {
                    out.transmit(&self.invite);
                    self.interval = self.interval.saturating_mul(2);
                    self.timers.start(Timer::A, now + self.interval);
                }
                Timer::B => {
                    out.event(self.id, TuEvent::TimedOut);
                    self.terminate(out);
                }
                Timer::D | Timer::M => self.terminate(out),
                Timer::E | Timer::F | Timer::G | Timer::H | Timer::I | Timer::J | Timer::K | Timer::L => {}
            }
        }
    }

    /// The CANCEL for this INVITE (RFC 3261 section 9.1): same branch, no body, no requirements.
    pub fn cancel(&self) -> Request {
        let mut cancel = self.same_hop(Method::Cancel);
        if let Some(to) = self.request.headers.first(&HeaderName::To) {
            cancel.headers.push_value(HeaderName::To, to.clone());
        }
        cancel
    }

    /// Where the INVITE went.
    pub fn destination(&self) -> Hop {
        self.invite.destination
    }

    /// Sends the INVITE no more, though an answer is still waited for.
    pub fn stop_repeating(&mut self) {
        self.timers.stop(Timer::A);
    }

    /// Timer B runs on after a provisional response: nobody rings who could take his time.
    pub const fn bound(&mut self) {
        self.is_bounded = true;
    }

    /// The connection is gone. Before the first answer that ends it all; later answers may come on another one
    /// (RFC 3261 section 18.2.2).
    pub fn handle_transport_failure(&mut self, out: &mut Outbox) {
        if self.state == State::Calling {
            out.event(self.id, TuEvent::TransportFailed);
            self.terminate(out);
        }
    }

    /// Gives up waiting, e.g. when nothing comes after a CANCEL (RFC 3261 section 9.1).
    pub fn terminate(&mut self, out: &mut Outbox) {
        self.state = State::Terminated;
        self.timers.stop_all();
        out.event(self.id, TuEvent::Terminated);
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn enter(&mut self, state: State, timer: Timer, at: Instant) {
        self.state = state;
        self.timers.stop_all();
        self.timers.start(timer, at);
        self.invite.payload = Bytes::new();
    }

    /// RFC 3261 section 17.1.1.3: the ACK for a final response other than 2xx.
    fn ack_for(&self, response: &Response) -> Transmit {
        let mut ack = self.same_hop(Method::Ack);
        if let Some(to) = response.headers.first(&HeaderName::To) {
            ack.headers.push_value(HeaderName::To, to.clone());
        }
        Transmit { destination: self.invite.destination, payload: write(&Message::Request(ack)) }
    }

    /// A request with this INVITE's Request-URI, top Via, Route, From, Call-ID and CSeq number.
    fn same_hop(&self, method: Method) -> Request {
        let mut request = Request::new(method.clone(), self.request.uri.clone());
        for (name, value) in self.request.headers.iter() {
            let kept =
                [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::Route].contains(name);
            if kept {
                request.headers.push_value(name.clone(), value.clone());
            }
        }
        let cseq = self.request.headers.typed::<crate::message::header::CSeq>().ok().flatten();
        let number = cseq.map_or(1, |cseq| cseq.number);
        request.headers.push(HeaderName::CSeq, format!("{number} {method}"));
        request.headers.push(HeaderName::MaxForwards, "70");
        request
    }
}
