//! Reliable provisional responses, RFC 3262: ours, if the peer requires them, and PRACK for the peer's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::UserAgent;
use super::api::{EndCause, Event, SessionId};
use super::session::{EarlyDialog, Incoming, Owner, SessionState, described_by};
use crate::dialog::Dialog;
use crate::flow::Hop;
use crate::message::header::{RAck, RSeq};
use crate::message::{HeaderName, Headers, Method, Received, Request, Response, session_description};
use crate::transaction::Transmit;

/// How many provisional responses wait for the PRACK of an earlier one.
const MOST_WAITING: usize = 8;
/// How many early dialogs of one INVITE are kept.
const MOST_EARLY: usize = 16;

/// Whether a message bears this option tag.
pub(super) fn has_option(headers: &Headers, name: &HeaderName, option: &str) -> bool {
    headers.tokens(name).iter().any(|token| token.eq_ignore_ascii_case(option))
}

/// The reliable provisional responses of one INVITE that has come.
#[derive(Debug)]
pub(super) struct Reliable {
    /// RSeq of the last one sent.
    rseq: u32,
    outstanding: Option<Outstanding>,
    waiting: VecDeque<(u16, Option<Bytes>)>,
    /// The user has accepted, but a description of ours is not acknowledged yet (section 3).
    accept: Option<Bytes>,
}

/// The one that is repeated until its PRACK comes.
#[derive(Debug)]
struct Outstanding {
    response: Transmit,
    /// Whether it carries a description.
    described: bool,
    interval: Duration,
    repeat_at: Instant,
    give_up: Instant,
}

impl Reliable {
    /// `first` is the first RSeq, from 1 to 2^31 - 1 (section 3).
    pub(super) fn new(first: u32) -> Self {
        Self { rseq: first.saturating_sub(1), outstanding: None, waiting: VecDeque::new(), accept: None }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|outstanding| outstanding.repeat_at.min(outstanding.give_up))
    }

    /// RSeq of the response that waits for its PRACK.
    pub(super) fn unacknowledged(&self) -> Option<u32> {
        self.outstanding.as_ref().map(|_| self.rseq)
    }
}

impl UserAgent {
    fn incoming_mut(&mut self, id: SessionId) -> Option<&mut Incoming> {
        match &mut self.sessions.get_mut(&id)?.state {
            SessionState::Incoming(incoming) => Some(incoming),
            SessionState::Calling(_) | SessionState::Established(_) | SessionState::Releasing(_) => None,
        }
    }

    /// Sends a provisional response so that it arrives; `false` if the peer did not ask for that.
    pub(super) fn provisional_reliably(
        &mut self,
        now: Instant,
        id: SessionId,
        status: u16,
        body: Option<&Bytes>,
    ) -> bool {
        let timers = self.config.timers.clone();
        let Some(incoming) = self.incoming_mut(id) else { return false };
        let described = body.is_some_and(|body| !body.is_empty());
        let offered = incoming.offered;
        let Some(reliable) = &mut incoming.reliable else { return false };
        if reliable.outstanding.is_some() {
            if reliable.waiting.len() < MOST_WAITING {
                reliable.waiting.push_back((status, body.cloned()));
            }
            return true;
        }
        if !offered && !described {
            // The first reliable response to an INVITE without offer would have to carry ours (section 5).
            return true;
        }
        reliable.rseq += 1;
        let (rseq, transaction) = (reliable.rseq, incoming.transaction);
        let (request, tag) = (incoming.request.clone(), incoming.dialog.id.local_tag.clone());
        let mut response = self.response_to(&request, status, Some(&tag));
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push_typed(&RSeq(rseq));
        self.describe(&mut response, body.cloned().unwrap_or_default(), (id, &request));
        let Some(response) = self.transactions.respond(now, transaction, response) else { return true };
        let (repeat_at, give_up) = (now + timers.t1, now + timers.transaction_timeout());
        let outstanding = Outstanding { response, described, interval: timers.t1, repeat_at, give_up };
        if let Some(reliable) = self.incoming_mut(id).and_then(|incoming| incoming.reliable.as_mut()) {
            reliable.outstanding = Some(outstanding);
        }
        self.settle(id);
        true
    }

    /// Repeats an unacknowledged provisional response, or gives the call up (section 3).
    pub(super) fn repeat_provisional(&mut self, now: Instant, id: SessionId) {
        let outstanding = self.incoming_mut(id).and_then(|incoming| incoming.reliable.as_mut());
        let Some(outstanding) = outstanding.and_then(|reliable| reliable.outstanding.as_mut()) else {
            return;
        };
        if outstanding.give_up <= now {
            self.refuse_ringing(now, id, 504, EndCause::NoAck);
            return;
        }
        outstanding.interval = outstanding.interval.saturating_mul(2);
        outstanding.repeat_at = now + outstanding.interval;
        let response = outstanding.response.clone();
        self.transactions.transmit(&response);
        self.settle(id);
    }

    /// Whether accepting must wait for a PRACK; then it is remembered.
    pub(super) fn accept_later(&mut self, id: SessionId, body: &Bytes) -> bool {
        let Some(reliable) = self.incoming_mut(id).and_then(|incoming| incoming.reliable.as_mut()) else {
            return false;
        };
        let wait = reliable.outstanding.as_ref().is_some_and(|outstanding| outstanding.described);
        if wait {
            reliable.accept = Some(body.clone());
        }
        wait
    }

    /// A PRACK of the peer.
    pub(super) fn receive_prack(
        &mut self,
        now: Instant,
        id: SessionId,
        request: &Received<Request>,
        source: Hop,
    ) {
        let acknowledged = request.message.headers.typed::<RAck>().ok().flatten();
        let body = session_description(&request.message.headers, &request.message.body);
        let status = match (&acknowledged, &body) {
            (None, _) => 400,
            (Some(_), Err(_)) => 415,
            (Some(acknowledged), Ok(_)) => self.acknowledge_provisional(id, acknowledged),
        };
        let offered = self.incoming_mut(id).is_some_and(|incoming| incoming.offered);
        let body = body.unwrap_or_default();
        // A further offer in a PRACK is refused; the response counts as received all the same (section 5).
        let refused = status == 200 && offered && !body.is_empty();
        if status != 200 {
            let response = self.response_in_dialog(request, status);
            self.send_statelessly(response, source);
            return;
        }
        let Some(transaction) = self.transactions.accept_request(request, source) else { return };
        self.answer_in_dialog(now, transaction, request, if refused { 488 } else { status });
        if !offered && !body.is_empty() {
            self.emit(Event::OfferAnswered { session: id, body: Ok(body) });
        }
        self.next_provisional(now, id);
    }

    fn acknowledge_provisional(&mut self, id: SessionId, acknowledged: &RAck) -> u16 {
        let Some(session) = self.sessions.get_mut(&id) else { return 481 };
        match &mut session.state {
            SessionState::Incoming(incoming) => {
                let same = incoming.request.essential.cseq == acknowledged.cseq;
                let reliable = incoming.reliable.as_mut().filter(|it| same && it.rseq == acknowledged.rseq);
                match reliable.and_then(|reliable| reliable.outstanding.take()) {
                    Some(_) => 200,
                    None => 481,
                }
            }
            SessionState::Established(established) => {
                match established.overtaken.take_if(|rseq| *rseq == acknowledged.rseq) {
                    Some(_) => 200,
                    None => 481,
                }
            }
            SessionState::Calling(_) | SessionState::Releasing(_) => 481,
        }
    }

    fn next_provisional(&mut self, now: Instant, id: SessionId) {
        let Some(incoming) = self.incoming_mut(id) else { return };
        // Once the answer has been given in a provisional response, nothing stands in the way of more.
        incoming.offered = true;
        let Some(reliable) = &mut incoming.reliable else { return };
        if let Some(body) = reliable.accept.take() {
            self.accept(now, id, body);
        } else if let Some((status, body)) = reliable.waiting.pop_front() {
            self.provisional_reliably(now, id, status, body.as_ref());
        }
        self.settle(id);
    }

    /// Acknowledges a reliable provisional response of the peer (section 4). `false` if it has come before, or
    /// before its turn: then nobody should hear of it.
    pub(super) fn acknowledge_reliable(
        &mut self,
        now: Instant,
        id: SessionId,
        response: &Received<Response>,
    ) -> bool {
        let headers = &response.message.headers;
        let rseq = headers.typed::<RSeq>().ok().flatten();
        let Some(RSeq(rseq)) = rseq.filter(|_| has_option(headers, &HeaderName::Require, "100rel")) else {
            return true;
        };
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let destination = session.destination;
        let SessionState::Calling(calling) = &mut session.state else { return false };
        let dialog = Dialog::from_response(response);
        let dialog_id = dialog.id.clone();
        let known = calling.early.iter().position(|early| early.dialog.id == dialog_id);
        let index = match known {
            Some(_) => known,
            None if calling.early.len() < MOST_EARLY => {
                calling.early.push(EarlyDialog { dialog, rseq: rseq.saturating_sub(1) });
                Some(calling.early.len() - 1)
            }
            None => None,
        };
        let Some(early) = index.and_then(|index| calling.early.get_mut(index)) else { return false };
        if early.rseq.checked_add(1) != Some(rseq) {
            return false;
        }
        early.rseq = rseq;
        let mut prack = early.dialog.request(Method::Prack);
        prack.headers.push_typed(&RAck { rseq, cseq: response.essential.cseq.clone() });
        self.dialogs.insert(dialog_id, id);
        self.finish_request(&mut prack, &destination);
        let transaction = self.transactions.send_request(now, prack, destination);
        self.owners.insert(transaction, Owner::Silent);
        true
    }

    /// The early dialogs of an INVITE that got its final response or is sent anew; `confirmed` goes on.
    pub(super) fn drop_early(&mut self, id: SessionId, confirmed: Option<&mut Dialog>) {
        let Some(SessionState::Calling(calling)) =
            self.sessions.get_mut(&id).map(|session| &mut session.state)
        else {
            return;
        };
        let early = std::mem::take(&mut calling.early);
        for early in &early {
            self.dialogs.remove(&early.dialog.id);
        }
        if let Some(confirmed) = confirmed
            && let Some(early) = early.iter().find(|early| early.dialog.id == confirmed.id)
        {
            confirmed.continue_from(&early.dialog);
        }
    }

    /// The description a provisional response carries.
    pub(super) fn early_description(response: &Response) -> Option<Bytes> {
        Some(described_by(response)).filter(|body| !body.is_empty())
    }
}
