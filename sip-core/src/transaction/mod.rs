//! The four transaction machines of RFC 3261 section 17 with the corrections of RFC 6026, one file each, and
//! the layer that keeps them all.
//!
//! A machine takes a message or a timer and puts what follows into an [`Outbox`]. Over a reliable transport nothing is
//! repeated (timers A, E, G are not started) and nothing repeated is waited for (D, I, J, K are zero).

mod client_invite;
mod client_non_invite;
mod key;
mod layer;
mod server_invite;
mod server_non_invite;
mod timer;

pub use client_invite::ClientInviteTransaction;
pub use client_non_invite::ClientNonInviteTransaction;
pub use key::TransactionKey;
pub use layer::TransactionLayer;
pub use server_invite::ServerInviteTransaction;
pub use server_non_invite::ServerNonInviteTransaction;
pub use timer::{Timer, TimerValues};

use std::collections::VecDeque;

use bytes::Bytes;

use crate::flow::Hop;
use crate::message::{Received, Response};

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to, and on which way.
    pub destination: Hop,
    /// The bytes.
    pub payload: Bytes,
}

/// Names a transaction of a [`TransactionLayer`]; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(pub u64);

/// What a transaction tells its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TuEvent {
    /// Client: a response that the user must see.
    Response(Box<Received<Response>>),
    /// Client: no answer came in time.
    TimedOut,
    /// Client: the connection could not be made, or broke before anything was answered (RFC 3261 section 17.1.4).
    TransportFailed,
    /// Server: no ACK came for a final response other than 2xx.
    NoAck,
    /// The transaction is gone; nothing more will come from it.
    Terminated,
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionOutput {
    /// Send this.
    Transmit(Transmit),
    /// Tell the transaction user.
    Event(TransactionId, TuEvent),
}

/// Collects what follows from inputs, in order.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<TransactionOutput>);

impl Outbox {
    /// Takes the oldest output.
    pub fn pop(&mut self) -> Option<TransactionOutput> {
        self.0.pop_front()
    }

    pub(crate) fn transmit(&mut self, transmit: &Transmit) {
        self.0.push_back(TransactionOutput::Transmit(transmit.clone()));
    }

    fn event(&mut self, id: TransactionId, event: TuEvent) {
        self.0.push_back(TransactionOutput::Event(id, event));
    }
}

/// The states of RFC 3261 figures 5 to 8 and RFC 6026 section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// INVITE client: request sent, nothing heard.
    Calling,
    /// Non-INVITE: request sent or received, nothing answered.
    Trying,
    /// A provisional response was sent or received (INVITE server: the request was received).
    Proceeding,
    /// A 2xx was sent or received (RFC 6026).
    Accepted,
    /// Another final response was sent or received.
    Completed,
    /// INVITE server: the ACK has come.
    Confirmed,
    /// Done.
    Terminated,
}

/// Doubles an interval, up to a bound.
fn doubled(interval: std::time::Duration, bound: std::time::Duration) -> std::time::Duration {
    interval.saturating_mul(2).min(bound)
}

#[cfg(test)]
mod tests;
