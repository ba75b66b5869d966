//! What the user agent keeps of one session (an INVITE usage, RFC 5057).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::api::{SessionId, Trunk, TrunkId};
use crate::dialog::{Dialog, DialogId};
use crate::message::{Received, Request, Response, session_description};
use crate::transaction::{TransactionId, Transmit};

/// One session, from INVITE to the end of its BYE.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) state: SessionState,
    /// Where requests of this session are sent.
    pub(super) destination: SocketAddr,
    /// The trunk whose challenges may be answered.
    pub(super) trunk: Option<TrunkId>,
    /// [`super::Event::Ended`] has been given.
    pub(super) ended: bool,
}

/// What the session waits for.
#[derive(Debug)]
pub(super) enum SessionState {
    /// Our INVITE waits for its final response.
    Calling(Box<Calling>),
    /// The peer's INVITE waits for the user.
    Incoming(Box<Incoming>),
    /// Both sides have agreed.
    Established(Box<Established>),
    /// Our BYE waits for its answer.
    Releasing(Box<Releasing>),
}

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) transaction: TransactionId,
    /// The INVITE, to be sent again with credentials.
    pub(super) request: Request,
    /// Challenges answered so far.
    pub(super) challenges: u8,
    pub(super) cancel: CancelState,
}

/// How far the wish to cancel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelState {
    NotWanted,
    /// Waits for a provisional response (RFC 3261 section 9.1).
    Wanted,
    /// CANCEL sent; without a final response the INVITE is given up then.
    Sent {
        give_up: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) transaction: TransactionId,
    /// The INVITE without its body.
    pub(super) request: Received<Request>,
    pub(super) dialog: Dialog,
}

#[derive(Debug)]
pub(super) struct Established {
    pub(super) dialog: Dialog,
    /// A 200 of ours that no ACK has come for.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// A re-INVITE that the user has to answer.
    pub(super) offer: Option<PendingOffer>,
    /// The user has hung up, but BYE must wait for the ACK (RFC 3261 section 15).
    pub(super) release: bool,
}

/// A 200 that is repeated until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) response: Transmit,
    pub(super) cseq: u32,
    /// Whether this answers the first INVITE, so that the ACK is worth an event.
    pub(super) first: bool,
    pub(super) interval: Duration,
    pub(super) repeat_at: Instant,
    pub(super) give_up: Instant,
}

#[derive(Debug)]
pub(super) struct PendingOffer {
    pub(super) transaction: TransactionId,
    pub(super) request: Received<Request>,
}

#[derive(Debug)]
pub(super) struct Releasing {
    pub(super) dialog: Dialog,
    pub(super) challenged: bool,
}

impl Session {
    /// When this session wants to be looked at.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            SessionState::Calling(calling) => match calling.cancel {
                CancelState::Sent { give_up } => Some(give_up),
                CancelState::NotWanted | CancelState::Wanted => None,
            },
            SessionState::Established(established) => {
                established.unacknowledged.as_ref().map(|waiting| waiting.repeat_at.min(waiting.give_up))
            }
            SessionState::Incoming(_) | SessionState::Releasing(_) => None,
        }
    }

    /// The dialog under which the peer's requests find this session.
    pub(super) fn dialog_id(&self) -> Option<&DialogId> {
        match &self.state {
            SessionState::Calling(_) => None,
            SessionState::Incoming(incoming) => Some(&incoming.dialog.id),
            SessionState::Established(established) => Some(&established.dialog.id),
            SessionState::Releasing(releasing) => Some(&releasing.dialog.id),
        }
    }
}

/// Whose affair a client transaction is.
#[derive(Debug)]
pub(super) enum Owner {
    /// An INVITE; outlives its session to answer late 200s.
    Invite {
        session: SessionId,
        destination: SocketAddr,
        /// ACKs sent, by the remote tag they went to.
        acks: Vec<(String, Transmit)>,
    },
    /// A BYE; `None` if it releases a dialog nobody wanted.
    Bye { session: Option<SessionId> },
    /// A REGISTER to a trunk.
    Register(Box<Registering>),
    /// A CANCEL: its answer says nothing.
    Cancel,
}

/// A REGISTER on its way to a trunk.
#[derive(Debug)]
pub(super) struct Registering {
    pub(super) trunk: Trunk,
    /// The request, to be sent again with credentials.
    pub(super) request: Request,
    /// Challenges answered so far.
    pub(super) challenges: u8,
    /// This is a de-registration: its answer changes nothing.
    pub(super) removing: bool,
}

/// The session description of a response; one that cannot be read counts as none, for a response cannot be
/// refused.
pub(super) fn described_by(response: &Response) -> Bytes {
    session_description(&response.headers, &response.body).unwrap_or_default()
}

impl Session {
    /// Whether this transaction is the INVITE the session waits for.
    pub(super) fn waits_for(&self, transaction: TransactionId) -> bool {
        match &self.state {
            SessionState::Calling(calling) => calling.transaction == transaction,
            SessionState::Incoming(_) | SessionState::Established(_) | SessionState::Releasing(_) => false,
        }
    }
}
