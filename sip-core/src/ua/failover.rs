//! Other servers of a trunk when one has trouble (RFC 3263 section 4.3), and what becomes of those given up.

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{EndCause, SessionId, TrunkId};
use super::session::{Calling, CancelState, Owner, SessionState, WaitedFor};
use crate::flow::Hop;
use crate::message::header::{CSeq, RetryAfter};
use crate::message::{HeaderName, Received, Request, Response};
use crate::transaction::TransactionId;

/// Nobody can ask us to stay away for longer.
const LONGEST_PEACE: u32 = 3_600;

impl UserAgent {
    /// Sends the INVITE to the next server of the trunk; `false` if there is none, or nobody wants the call any more.
    pub(super) fn try_next_hop(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.ended) else { return false };
        let SessionState::Calling(calling) = &mut session.state else { return false };
        if calling.cancel != CancelState::NotWanted {
            return false;
        }
        let Some(hop) = calling.alternatives.pop_front() else { return false };
        let (old, mut request) = (calling.transaction, calling.request.clone());
        self.give_up_branch(old);
        // A number of its own, so that no server takes it for the other one come again (RFC 3261 section 8.2.2.2).
        if let Some(cseq) = request.headers.typed::<CSeq>().ok().flatten() {
            let next = CSeq { number: cseq.number + 1, method: cseq.method };
            request.headers.set(HeaderName::CSeq, next.to_string());
        }
        let secure = request.uri.as_sip().is_some_and(|uri| uri.secure);
        request.headers.set(HeaderName::Contact, self.contact(None, &hop, secure));
        self.finish_request(&mut request, &hop);
        self.send_again(now, id, request, hop, 0);
        true
    }

    /// Sends an INVITE of a session once more, in a new transaction.
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        id: SessionId,
        request: Request,
        hop: Hop,
        challenges: u8,
    ) {
        self.drop_early(id, None);
        let transaction = self.send_invite(now, request.clone(), id, hop);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.destination = hop;
        let SessionState::Calling(calling) = &mut session.state else { return };
        let (alternatives, patience) = (std::mem::take(&mut calling.alternatives), calling.patience);
        let silent_until = patience.map(|patience| now + patience);
        let (cancel, early) = (CancelState::NotWanted, Vec::new());
        let calling =
            Calling { transaction, request, challenges, cancel, early, alternatives, patience, silent_until };
        self.set_state(id, SessionState::Calling(Box::new(calling)));
    }

    /// The server has said nothing at all for too long: another one, or the end. What it may still say is dealt with:
    /// ringing gets CANCEL, an answer ACK and BYE.
    pub(super) fn patience_over(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let SessionState::Calling(calling) = &mut session.state else { return };
        if calling.silent_until.is_none_or(|until| until > now) {
            return;
        }
        calling.silent_until = None;
        let transaction = calling.transaction;
        if self.transactions.is_unanswered(transaction) && !self.try_next_hop(now, id) {
            self.give_up_branch(transaction);
            self.end(id, EndCause::NoResponse);
            self.forget(id);
        }
        self.settle(id);
    }

    /// Nobody waits for this INVITE any more. It is not repeated, so that a server that comes back does not ring anybody.
    fn give_up_branch(&mut self, transaction: TransactionId) {
        self.transactions.stop_repeating(transaction);
        if let Some(Owner::Invite { waited_for, .. }) = self.owners.get_mut(&transaction) {
            *waited_for = WaitedFor::No;
        }
    }

    /// Cancels an INVITE that was given up as soon as that is allowed; `false` if it was not given up.
    pub(super) fn cancel_abandoned(&mut self, now: Instant, transaction: TransactionId) -> bool {
        let Some(Owner::Invite { waited_for, .. }) = self.owners.get_mut(&transaction) else { return false };
        let before = *waited_for;
        if before == WaitedFor::Yes {
            return false;
        }
        *waited_for = WaitedFor::NoAndCancelled;
        let cancel = (before == WaitedFor::No).then(|| self.transactions.cancel(now, transaction)).flatten();
        if let Some(cancel) = cancel {
            self.owners.insert(cancel, Owner::Silent);
        }
        true
    }

    /// A 503 with Retry-After takes the trunk out for so long (RFC 3261 section 21.5.4). Never holds the answer back.
    pub(super) fn note_retry_after(
        &mut self,
        now: Instant,
        id: SessionId,
        response: &Received<Response>,
    ) -> bool {
        let trunk = self.sessions.get(&id).and_then(|session| session.trunk);
        let after = response.message.headers.typed::<RetryAfter>().ok().flatten();
        if let (Some(trunk), Some(RetryAfter(seconds))) = (trunk, after) {
            self.leave_in_peace(now, trunk, seconds);
        }
        false
    }

    fn leave_in_peace(&mut self, now: Instant, trunk: TrunkId, seconds: u32) {
        if let Some(entry) = self.trunks.get_mut(&trunk) {
            entry.not_before = Some(now + Duration::from_secs(seconds.min(LONGEST_PEACE).into()));
        }
    }
}
