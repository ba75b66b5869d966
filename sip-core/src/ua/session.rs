//! What the user agent keeps of one session (an INVITE usage, RFC 5057).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::api::{SessionId, TrunkId};
use super::reliable::Reliable;
use super::session_timer::SessionTimer;
use super::subscription::SubscriptionId;
use super::trunk::Trunk;
use crate::dialog::{Dialog, DialogId};
use crate::flow::Hop;
use crate::message::{Headers, Received, Request, Response, session_description};
use crate::registrar::AddressOfRecord;
use crate::transaction::{TransactionId, Transmit};

/// One session, from INVITE to the end of its BYE.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) state: SessionState,
    /// Where requests of this session are sent.
    pub(super) destination: Hop,
    /// The trunk whose challenges may be answered.
    pub(super) trunk: Option<TrunkId>,
    /// The device of ours at the other end.
    pub(super) device: Option<AddressOfRecord>,
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
    /// Dialogs made by provisional responses that had to be acknowledged (RFC 3262).
    pub(super) early: Vec<EarlyDialog>,
    /// Other servers of the trunk, to be tried if this one has trouble (RFC 3263 section 4.3).
    pub(super) alternatives: VecDeque<Hop>,
    /// How long each of them may say nothing at all.
    pub(super) patience: Option<Duration>,
    /// Until when the present one may.
    pub(super) silent_until: Option<Instant>,
}

/// A dialog of our INVITE before its final response.
#[derive(Debug)]
pub(super) struct EarlyDialog {
    pub(super) dialog: Dialog,
    /// RSeq of the last provisional response acknowledged.
    pub(super) rseq: u32,
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
    /// Whether the INVITE carried an offer.
    pub(super) offered: bool,
    pub(super) dialog: Dialog,
    /// Present if the peer wants provisional responses to be reliable.
    pub(super) reliable: Option<Reliable>,
}

#[derive(Debug)]
pub(super) struct Established {
    pub(super) dialog: Dialog,
    /// A 200 of ours that no ACK has come for.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// A 200 of the peer whose ACK waits for the user's answer.
    pub(super) owed: Option<OwedAck>,
    /// A re-INVITE or UPDATE that the user has to answer.
    pub(super) offer: Option<PendingOffer>,
    /// Our own offers.
    pub(super) reoffer: Reoffer,
    /// Our last session description.
    pub(super) local: Bytes,
    pub(super) timer: Option<SessionTimer>,
    /// CSeq number of the peer's last offer that was refused, and the status: what comes again gets the same.
    pub(super) refused: Option<(u32, u16)>,
    /// CSeq number of the INVITE, if it was the peer's: it may come again on another way.
    pub(super) invite_cseq: Option<u32>,
    /// RSeq of a provisional response that our 200 has overtaken: its PRACK may still come.
    pub(super) overtaken: Option<u32>,
    /// The peer has asked for a transfer before.
    pub(super) referred: bool,
    /// The user has hung up, but BYE must wait for the ACK (RFC 3261 section 15).
    pub(super) release: bool,
}

impl Established {
    pub(super) fn new(dialog: Dialog, local: Bytes, timer: Option<SessionTimer>) -> Self {
        Self {
            dialog,
            unacknowledged: None,
            owed: None,
            offer: None,
            reoffer: Reoffer::default(),
            local,
            timer,
            overtaken: None,
            refused: None,
            invite_cseq: None,
            referred: false,
            release: false,
        }
    }

    /// Whether an offer is on its way in either direction, so that another one must wait
    /// (RFC 3261 section 14.1).
    pub(super) fn is_negotiating(&self) -> bool {
        self.unacknowledged.is_some()
            || self.owed.is_some()
            || self.offer.is_some()
            || self.reoffer.under_way.is_some()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let answer = self.unacknowledged.as_ref().map(|waiting| waiting.repeat_at.min(waiting.give_up));
        let timer = self.timer.as_ref().and_then(SessionTimer::next);
        [answer, self.reoffer.retry_at, timer].into_iter().flatten().min()
    }
}

/// The ACK that an INVITE without offer still owes: it carries the answer (RFC 3261 section 13.2.2.4).
#[derive(Debug)]
pub(super) struct OwedAck {
    pub(super) transaction: TransactionId,
    pub(super) cseq: u32,
    /// Those of the INVITE.
    pub(super) credentials: Headers,
}

/// Our own re-INVITEs: at most one on its way, at most one wanted after it.
#[derive(Debug, Default)]
pub(super) struct Reoffer {
    /// What the user wants to offer next.
    pub(super) wanted: Option<Bytes>,
    /// The re-INVITE that waits for its final response.
    pub(super) under_way: Option<TransactionId>,
    /// Not before this: the last one met one of the peer's (491).
    pub(super) retry_at: Option<Instant>,
}

/// A 200 that is repeated until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) response: Transmit,
    pub(super) cseq: u32,
    /// Whether this answers the first INVITE, so that the ACK is worth an event.
    pub(super) first: bool,
    /// Whether the 200 carried an offer, so that its ACK carries the answer.
    pub(super) offered: bool,
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
    /// Whether this transaction is the INVITE the session waits for.
    pub(super) fn waits_for(&self, transaction: TransactionId) -> bool {
        match &self.state {
            SessionState::Calling(calling) => calling.transaction == transaction,
            SessionState::Incoming(_) | SessionState::Established(_) | SessionState::Releasing(_) => false,
        }
    }

    /// When this session wants to be looked at.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            SessionState::Calling(calling) => match calling.cancel {
                CancelState::Sent { give_up } => Some(give_up),
                CancelState::NotWanted => calling.silent_until,
                CancelState::Wanted => None,
            },
            SessionState::Incoming(incoming) => incoming.reliable.as_ref().and_then(Reliable::next_timeout),
            SessionState::Established(established) => established.next_timeout(),
            SessionState::Releasing(_) => None,
        }
    }

    /// The dialogs under which the peer's requests find this session.
    pub(super) fn dialog_ids(&self) -> Vec<&DialogId> {
        match &self.state {
            SessionState::Calling(calling) => calling.early.iter().map(|early| &early.dialog.id).collect(),
            SessionState::Incoming(incoming) => vec![&incoming.dialog.id],
            SessionState::Established(established) => vec![&established.dialog.id],
            SessionState::Releasing(releasing) => vec![&releasing.dialog.id],
        }
    }

    /// The dialog with this identifier.
    pub(super) fn dialog_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        let dialog = match &mut self.state {
            SessionState::Calling(calling) => {
                let early = calling.early.iter_mut().find(|early| early.dialog.id == *id);
                return early.map(|early| &mut early.dialog);
            }
            SessionState::Incoming(incoming) => &mut incoming.dialog,
            SessionState::Established(established) => &mut established.dialog,
            SessionState::Releasing(releasing) => &mut releasing.dialog,
        };
        Some(dialog)
    }

    /// The state of an established session.
    pub(super) fn established_mut(&mut self) -> Option<&mut Established> {
        match &mut self.state {
            SessionState::Established(established) => Some(established),
            SessionState::Calling(_) | SessionState::Incoming(_) | SessionState::Releasing(_) => None,
        }
    }
}

/// Whether anybody waits for an INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitedFor {
    Yes,
    /// It was given up; if it rings, it is cancelled.
    No,
    /// That has happened.
    NoAndCancelled,
}

/// Whose affair a client transaction is.
#[derive(Debug)]
pub(super) enum Owner {
    /// An INVITE; outlives its session to answer late 200s.
    Invite {
        session: SessionId,
        destination: Hop,
        waited_for: WaitedFor,
        /// ACKs sent, by the remote tag they went to.
        acks: Vec<(String, Transmit)>,
    },
    /// A BYE; `None` if it releases a dialog nobody wanted.
    Bye { session: Option<SessionId> },
    /// A REGISTER to a trunk.
    Register(Box<Registering>),
    /// A re-INVITE; outlives its session to acknowledge a late 200.
    Reinvite(Box<Reinvite>),
    /// An UPDATE that keeps a session alive.
    Update(Box<Updating>),
    /// An OPTIONS that asks whether the trunk is there.
    Probe(TrunkId),
    /// An OPTIONS that asks whether the peer of a call is there.
    Check(SessionId),
    /// A NOTIFY.
    Notify(SubscriptionId),
    /// An OPTIONS that asks whether a device takes MESSAGE, and what is to be told then.
    Ask { device: AddressOfRecord, text: String },
    /// A MESSAGE to a device.
    Text(AddressOfRecord),
    /// A CANCEL or PRACK: its answer says nothing.
    Silent,
}

/// A re-INVITE of ours.
#[derive(Debug)]
pub(super) struct Reinvite {
    pub(super) session: SessionId,
    pub(super) dialog: Dialog,
    pub(super) destination: Hop,
    /// The request, to be sent again with credentials.
    pub(super) request: Request,
    pub(super) challenges: u8,
    /// It only keeps the session alive.
    pub(super) refresh: bool,
    /// The ACK, once there is one.
    pub(super) ack: Option<Transmit>,
}

/// An UPDATE of ours.
#[derive(Debug)]
pub(super) struct Updating {
    pub(super) session: SessionId,
    /// The request, to be sent again with credentials.
    pub(super) request: Request,
    pub(super) challenges: u8,
}

/// A REGISTER on its way to a trunk.
#[derive(Debug)]
pub(super) struct Registering {
    pub(super) trunk: Trunk,
    pub(super) hop: Hop,
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
