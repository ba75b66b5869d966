//! Requests within a dialog: ACK, BYE, re-INVITE (RFC 3261 sections 12.2.2, 13.3.1.4, 14.2, 15.1.2).

use std::time::Instant;

use bytes::Bytes;

use super::UserAgent;
use super::api::{EndCause, Event, SessionId};
use super::session::{PendingOffer, SessionState};
use super::session_timer::{confirm, shortest_interval, timer_of_request};
use crate::dialog::Dialog;
use crate::flow::Hop;
use crate::message::{HeaderName, Method, Received, Request, Response, session_description};
use crate::transaction::TransactionId;

impl UserAgent {
    pub(super) fn receive_in_dialog(&mut self, now: Instant, request: Received<Request>, source: Hop) {
        let Some(id) = self.dialogs.get(&Dialog::id_of(&request)).copied() else {
            if !self.receive_in_subscription(now, &request, source) {
                self.answer_statelessly(&request, source, 481);
            }
            return;
        };
        if !self.is_from_peer(id, source) {
            self.answer_statelessly(&request, source, 481);
            return;
        }
        if request.message.method == Method::Options {
            self.receive_options(&request, source);
            return;
        }
        let repeated = self.is_repeated(id, &request);
        // Section 12.2.2; without a transaction, so that repeating it costs us nothing. What is answered without
        // one gets the same answer again.
        if repeated && let Some(status) = self.refused_before(id, &request) {
            self.refuse_offer(id, &request, source, status);
            return;
        }
        if self.note_cseq(id, &request).is_none()
            && !(repeated && matches!(request.message.method, Method::Info | Method::Update | Method::Refer))
        {
            let answer = self.response_in_dialog(&request, 500);
            self.send_statelessly(answer, source);
            return;
        }
        match request.message.method {
            Method::Bye => self.receive_bye(now, id, &request, source),
            Method::Invite => self.receive_reinvite(now, id, request, source),
            Method::Info => self.receive_info(id, &request, source, repeated),
            Method::Prack => self.receive_prack(now, id, &request, source),
            Method::Update => self.receive_update(now, id, request, source, repeated),
            Method::Refer => self.receive_refer(now, id, request, source, repeated),
            // RFC 6665 section 4.5.1: nothing shares a call's dialog but the transfers asked for in it.
            Method::Subscribe => match self.refers.get(&id).copied() {
                Some(refer) => self.refresh_refer(now, refer, &request, source),
                None => self.refuse(now, &request, source, 403),
            },
            Method::Ack
            | Method::Cancel
            | Method::Message
            | Method::Notify
            | Method::Options
            | Method::Publish
            | Method::Register
            | Method::Other(_) => self.refuse(now, &request, source, 405),
        }
    }

    /// Refuses an offer of the peer without a transaction, and remembers how.
    pub(super) fn refuse_offer(
        &mut self,
        id: SessionId,
        request: &Received<Request>,
        source: Hop,
        status: u16,
    ) {
        let mut response = self.response_in_dialog(request, status);
        if status == 422 {
            response.headers.push_typed(&shortest_interval(&self.config.limits));
        }
        if let Some(established) = self.established_mut(id) {
            established.refused = Some((request.essential.cseq.number, status));
        }
        self.send_statelessly(response, source);
    }

    fn refused_before(&mut self, id: SessionId, request: &Received<Request>) -> Option<u16> {
        let (cseq, status) = self.established_mut(id)?.refused?;
        (cseq == request.essential.cseq.number).then_some(status)
    }

    /// Whether a request of a dialog comes from where the dialog's peer is: the same host, whatever the port (a
    /// NAT may have changed it), or another address of its trunk. Whoever has only learnt the tags cannot draw
    /// the session, and with it our answers to challenges, to a place of their own.
    fn is_from_peer(&self, id: SessionId, source: Hop) -> bool {
        let Some(session) = self.sessions.get(&id) else { return false };
        let trunk = session.trunk.and_then(|trunk| self.trunks.get(&trunk));
        session.destination.same_host(&source) || trunk.is_some_and(|entry| entry.owns(&source))
    }

    fn note_cseq(&mut self, id: SessionId, request: &Received<Request>) -> Option<()> {
        let dialog = self.sessions.get_mut(&id)?.dialog_mut(&Dialog::id_of(request))?;
        dialog.accept(request.essential.cseq.number).ok()
    }

    fn is_repeated(&mut self, id: SessionId, request: &Received<Request>) -> bool {
        let dialog =
            self.sessions.get_mut(&id).and_then(|session| session.dialog_mut(&Dialog::id_of(request)));
        dialog.is_some_and(|dialog| dialog.is_repeated(request.essential.cseq.number))
    }

    fn receive_bye(&mut self, now: Instant, id: SessionId, request: &Received<Request>, source: Hop) {
        let Some(transaction) = self.transactions.accept_request(request, source) else { return };
        self.answer_in_dialog(now, transaction, request, 200);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            SessionState::Calling(_) => {}
            SessionState::Incoming(_) => self.refuse_ringing(now, id, 487, EndCause::RemoteBye),
            SessionState::Established(established) => {
                if let Some(PendingOffer { transaction, request }) = established.offer.take() {
                    self.answer_in_dialog(now, transaction, &request, 487);
                }
                self.end(id, EndCause::RemoteBye);
                self.forget(id);
            }
            // The peer's BYE crossed ours; ours may still be answered, but nobody waits for it.
            SessionState::Releasing(_) => self.forget(id),
        }
    }

    fn receive_reinvite(&mut self, now: Instant, id: SessionId, request: Received<Request>, source: Hop) {
        let description = session_description(&request.message.headers, &request.message.body);
        let refusal = match self.sessions.get(&id).map(|session| &session.state) {
            Some(_) if description.is_err() => Some(415),
            Some(SessionState::Established(established)) if established.release => Some(481),
            // Section 14.2: a second re-INVITE before the first one is answered.
            Some(SessionState::Established(established)) if established.offer.is_some() => Some(500),
            // Our last answer is not acknowledged, or our own offer not answered: the offers could cross.
            Some(SessionState::Established(established)) if established.is_negotiating() => Some(491),
            Some(SessionState::Established(_)) => None,
            Some(SessionState::Incoming(_)) => Some(500),
            Some(SessionState::Calling(_) | SessionState::Releasing(_)) | None => Some(481),
        };
        let interval = timer_of_request(now, &request.message.headers, &self.config.limits);
        let refusal = refusal.or_else(|| interval.is_err().then_some(422));
        if let Some(status) = refusal {
            // Without a transaction: one dialog cannot make us keep any number of them.
            self.refuse_offer(id, &request, source, status);
            return;
        }
        let Some(transaction) = self.transactions.accept_request(&request, source) else {
            self.answer_statelessly(&request, source, 503);
            return;
        };
        let trying = self.response_to(&request, 100, None);
        self.transactions.respond(now, transaction, trying);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // The peer may have moved; like the first INVITE, this one shows how it can be reached.
        session.destination = source;
        if let SessionState::Established(established) = &mut session.state {
            established.dialog.refresh_target(&request.message.headers);
            let body = description.unwrap_or_default();
            established.offer = Some(PendingOffer { transaction, request });
            self.ringing.insert(transaction, id);
            self.emit(Event::Offer { session: id, body });
        }
    }

    pub(super) fn answer_offer(&mut self, now: Instant, id: SessionId, body: Result<Bytes, u16>) {
        let Some(pending) = self.take_offer(id) else {
            let owed = self.established_mut(id).is_some_and(|established| established.owed.is_some());
            match body {
                Ok(body) => self.acknowledge_offer(now, id, Some(body)),
                Err(_) if owed => self.refuse_late_offer(now, id),
                Err(_) => {}
            }
            return;
        };
        match body {
            Err(status) => {
                let status = if (400..700).contains(&status) { status } else { 488 };
                self.answer_in_dialog(now, pending.transaction, &pending.request, status);
            }
            Ok(body) => self.accept_offer(now, id, &pending, body),
        }
        self.offer_if_free(now, id);
    }

    fn accept_offer(&mut self, now: Instant, id: SessionId, pending: &PendingOffer, body: Bytes) {
        let request = &pending.request;
        let timer = timer_of_request(now, &request.message.headers, &self.config.limits).unwrap_or_default();
        let mut response = self.response_to(request, 200, None);
        confirm(&mut response, timer.as_ref());
        self.describe(&mut response, body.clone(), (id, request));
        let Some(response) = self.transactions.respond(now, pending.transaction, response) else { return };
        // Only an INVITE is acknowledged; the ACK carries the answer if the INVITE carried no offer.
        let offered = session_description(&request.message.headers, &request.message.body)
            .is_ok_and(|description| description.is_empty());
        let cseq = request.essential.cseq.number;
        let waiting = (request.message.method == Method::Invite)
            .then(|| self.await_ack(now, response, cseq, false, offered));
        if let Some(established) = self.established_mut(id) {
            established.unacknowledged = waiting;
            established.local = body;
            established.timer = timer;
        }
        self.settle(id);
    }

    /// CANCEL of a re-INVITE that waits for the user.
    pub(super) fn cancel_offer(&mut self, now: Instant, id: SessionId) {
        if let Some(pending) = self.take_offer(id) {
            self.answer_in_dialog(now, pending.transaction, &pending.request, 487);
        }
    }

    fn take_offer(&mut self, id: SessionId) -> Option<PendingOffer> {
        let SessionState::Established(established) = &mut self.sessions.get_mut(&id)?.state else {
            return None;
        };
        let pending = established.offer.take()?;
        self.ringing.remove(&pending.transaction);
        Some(pending)
    }

    pub(super) fn receive_ack(&mut self, now: Instant, request: &Received<Request>, source: Hop) {
        let Some(id) = self.dialogs.get(&Dialog::id_of(request)).copied() else { return };
        if !self.is_from_peer(id, source) {
            return;
        }
        let Some(SessionState::Established(established)) =
            self.sessions.get_mut(&id).map(|session| &mut session.state)
        else {
            return;
        };
        let cseq = request.essential.cseq.number;
        let Some(waiting) = established.unacknowledged.take_if(|waiting| waiting.cseq == cseq) else {
            return;
        };
        let release = established.release;
        self.settle(id);
        if release {
            self.release(now, id);
            return;
        }
        if waiting.offered {
            let body = session_description(&request.message.headers, &request.message.body);
            let body = body.ok().filter(|body| !body.is_empty()).ok_or(488);
            self.emit(Event::OfferAnswered { session: id, body });
        }
        if waiting.first {
            self.emit(Event::Established { session: id });
        }
        self.offer_if_free(now, id);
    }

    /// Repeats a 200 that no ACK has come for, or gives the session up (section 13.3.1.4).
    pub(super) fn repeat_answer(&mut self, now: Instant, id: SessionId) {
        let longest = self.config.timers.t2;
        let Some(SessionState::Established(established)) =
            self.sessions.get_mut(&id).map(|session| &mut session.state)
        else {
            return;
        };
        let Some(waiting) = &mut established.unacknowledged else { return };
        if waiting.give_up <= now {
            established.unacknowledged = None;
            self.end(id, EndCause::NoAck);
            self.release(now, id);
            return;
        }
        waiting.interval = waiting.interval.saturating_mul(2).min(longest);
        waiting.repeat_at = now + waiting.interval;
        let response = waiting.response.clone();
        self.transactions.transmit(&response);
        self.settle(id);
    }

    /// Answers a request of a dialog without a body.
    pub(super) fn answer_in_dialog(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Received<Request>,
        status: u16,
    ) {
        let response = self.response_in_dialog(request, status);
        self.ringing.remove(&transaction);
        self.transactions.respond(now, transaction, response);
    }

    /// An answer to a request of a dialog, without a body.
    pub(super) fn response_in_dialog(&mut self, request: &Received<Request>, status: u16) -> Response {
        let mut response = self.response_to(request, status, None);
        self.warn(&mut response);
        if status == 415 {
            response.headers.push(HeaderName::Accept, "application/sdp");
        }
        if status == 500 {
            // Section 14.2 asks for a random value of 0 to 10 seconds.
            response.headers.push(HeaderName::RetryAfter, self.random.up_to(10).to_string());
        }
        response
    }
}
