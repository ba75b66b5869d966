//! Re-INVITEs of our own: hold, resume, another description, or a sign of life (RFC 3261 section 14.1).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::UserAgent;
use super::api::{EndCause, Event, SessionId};
use super::compose::ALLOW;
use super::session::{Established, Owner, Reinvite, described_by};
use super::session_timer::{raise_interval, timer_of_response};
use super::trunk::Trunk;
use crate::message::{HeaderName, Message, Method, Received, Response, write};
use crate::transaction::{TransactionId, Transmit};

impl UserAgent {
    pub(super) fn established_mut(&mut self, id: SessionId) -> Option<&mut Established> {
        self.sessions.get_mut(&id)?.established_mut()
    }

    /// The user offers a new description.
    pub(super) fn offer(&mut self, now: Instant, id: SessionId, body: Bytes) {
        if body.is_empty() {
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(established) = session.established_mut() else {
            // Before the answer there is nothing that could be changed by INVITE.
            self.emit(Event::OfferAnswered { session: id, body: Err(491) });
            return;
        };
        established.reoffer.wanted = Some(body);
        self.offer_if_free(now, id);
    }

    /// Sends what the user wants to offer, as soon as no other offer is under way.
    pub(super) fn offer_if_free(&mut self, now: Instant, id: SessionId) {
        let Some(established) = self.established_mut(id) else { return };
        let blocked = established.is_negotiating()
            || established.release
            || established.reoffer.retry_at.is_some_and(|at| at > now);
        if blocked {
            return;
        }
        established.reoffer.retry_at = None;
        if let Some(body) = established.reoffer.wanted.take() {
            self.send_reinvite(now, id, body, false);
        }
        self.settle(id);
    }

    pub(super) fn send_reinvite(&mut self, now: Instant, id: SessionId, body: Bytes, refresh: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let destination = session.destination;
        let Some(established) = session.established_mut() else { return };
        let mut request = established.dialog.request(Method::Invite);
        let dialog = established.dialog.clone();
        request.headers.push(HeaderName::Contact, self.contact(None, &destination, false));
        request.headers.push(HeaderName::Allow, ALLOW);
        self.keep_timer(id, &mut request);
        request.headers.push(HeaderName::ContentType, "application/sdp");
        request.body = body;
        self.finish_request(&mut request, &destination);
        let reinvite =
            Reinvite { session: id, dialog, destination, request, challenges: 0, refresh, ack: None };
        self.send_reinviting(now, reinvite);
    }

    fn send_reinviting(&mut self, now: Instant, reinvite: Reinvite) {
        let transaction = self.transactions.send_request(now, reinvite.request.clone(), reinvite.destination);
        // A peer that says "trying" and no more would keep the call, and this transaction after it, for ever.
        self.transactions.bound(transaction);
        if let Some(established) = self.established_mut(reinvite.session) {
            established.reoffer.under_way = Some(transaction);
        }
        self.owners.insert(transaction, Owner::Reinvite(Box::new(reinvite)));
    }

    /// A response to a re-INVITE of ours.
    pub(super) fn reinvite_response(
        &mut self,
        now: Instant,
        id: TransactionId,
        response: &Received<Response>,
    ) {
        match response.message.status {
            ..200 => {}
            200..300 => self.reinvite_accepted(now, id, response),
            300.. => self.reinvite_refused(now, id, response),
        }
    }

    fn reinvite_accepted(&mut self, now: Instant, id: TransactionId, response: &Received<Response>) {
        let Some(Owner::Reinvite(reinvite)) = self.owners.get(&id) else { return };
        if let Some(ack) = &reinvite.ack {
            let ack = ack.clone();
            self.transactions.transmit(&ack);
            return;
        }
        let (session, destination) = (reinvite.session, reinvite.destination);
        let mut dialog = reinvite.dialog.clone();
        dialog.refresh_target(&response.message.headers);
        let mut ack = dialog.ack(response.essential.cseq.number);
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            for value in reinvite.request.headers.all(&name) {
                ack.headers.push_value(name.clone(), value.clone());
            }
        }
        let offered = reinvite.request.body.clone();
        self.finish_request(&mut ack, &destination);
        let ack = Transmit { destination, payload: write(&Message::Request(ack)) };
        self.transactions.transmit(&ack);
        if let Some(Owner::Reinvite(reinvite)) = self.owners.get_mut(&id) {
            reinvite.ack = Some(ack);
            reinvite.request.body = Bytes::new();
        }
        let timer = timer_of_response(now, &response.message.headers, &self.config.limits);
        let Some(established) = self.established_mut(session).filter(|it| it.reoffer.under_way == Some(id))
        else {
            return;
        };
        established.reoffer.under_way = None;
        established.dialog.refresh_target(&response.message.headers);
        established.local = offered;
        established.timer = timer;
        self.settle(session);
        let body = Ok(described_by(&response.message));
        self.emit(Event::OfferAnswered { session, body });
        self.offer_if_free(now, session);
    }

    fn reinvite_refused(&mut self, now: Instant, id: TransactionId, response: &Received<Response>) {
        let Some(Owner::Reinvite(reinvite)) = self.owners.remove(&id) else { return };
        let session = reinvite.session;
        let status = response.message.status;
        let Some(established) = self.established_mut(session).filter(|it| it.reoffer.under_way == Some(id))
        else {
            return;
        };
        established.reoffer.under_way = None;
        match status {
            // Section 12.2.1.2: the peer has no such dialog, or is gone.
            408 | 481 => self.session_lost(now, session),
            491 => self.retry_after_glare(now, *reinvite),
            _ => {
                let refresh = reinvite.refresh;
                if let Some(again) = self.repeat_reinvite(*reinvite, response) {
                    self.send_reinviting(now, again);
                    return;
                }
                // A refused sign of life is one, too.
                if !refresh {
                    self.emit(Event::OfferAnswered { session, body: Err(status) });
                }
                self.offer_if_free(now, session);
            }
        }
    }

    /// Section 14.1: the owner of the Call-ID waits 2.1 to 4 seconds, the other side up to 2, in steps of 10 ms.
    fn retry_after_glare(&mut self, now: Instant, reinvite: Reinvite) {
        let steps = match reinvite.session {
            SessionId::Outgoing(_) => 210 + self.random.up_to(190),
            SessionId::Incoming(_) => self.random.up_to(200),
        };
        let Reinvite { session, request, refresh, .. } = reinvite;
        if refresh {
            return;
        }
        if let Some(established) = self.established_mut(session) {
            established.reoffer.retry_at = Some(now + Duration::from_millis(steps * 10));
            established.reoffer.wanted.get_or_insert(request.body);
        }
        self.settle(session);
    }

    /// After a challenge of the trunk, or 422: the same re-INVITE once more.
    fn repeat_reinvite(&mut self, reinvite: Reinvite, response: &Received<Response>) -> Option<Reinvite> {
        let Reinvite { session, mut request, challenges, mut dialog, destination, .. } = reinvite;
        if raise_interval(&mut request, response).is_some() {
            self.finish_request(&mut request, &destination);
        } else {
            let trunk = self.trunk_of(session)?;
            self.authorize(&mut request, &trunk, (challenges, &destination), response)?;
        }
        self.count_request(session);
        dialog.count_request();
        Some(Reinvite { request, dialog, challenges: challenges + 1, ..reinvite })
    }

    /// A re-INVITE got no answer at all, or no final one (section 14.1 with 12.2.1.2).
    pub(super) fn reinvite_timed_out(&mut self, now: Instant, id: TransactionId, session: SessionId) {
        if self.established_mut(session).is_some_and(|it| it.reoffer.under_way == Some(id)) {
            self.session_lost(now, session);
        }
    }

    /// The trunk whose challenges this session may answer: not if the peer has moved elsewhere.
    pub(super) fn trunk_of(&self, id: SessionId) -> Option<Trunk> {
        let session = self.sessions.get(&id)?;
        self.trunk_at(session.trunk?, &session.destination)
    }

    /// A request of an established session was sent once more with the next CSeq number.
    pub(super) fn count_request(&mut self, id: SessionId) {
        if let Some(established) = self.established_mut(id) {
            established.dialog.count_request();
        }
    }

    /// Does what is due in an established session.
    pub(super) fn established_timeout(&mut self, now: Instant, id: SessionId) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(established) = self.established_mut(id) else { return };
        let waiting = established.unacknowledged.as_ref();
        let answer = due(waiting.map(|waiting| waiting.repeat_at.min(waiting.give_up)));
        let offer = due(established.reoffer.retry_at);
        let timer = due(established.timer.as_ref().and_then(|timer| timer.next()));
        if answer {
            self.repeat_answer(now, id);
        }
        if offer {
            self.offer_retry_due(now, id);
        }
        if timer {
            self.session_timer_due(now, id);
        }
        self.settle(id);
    }

    fn offer_retry_due(&mut self, now: Instant, id: SessionId) {
        if let Some(established) = self.established_mut(id) {
            established.reoffer.retry_at = None;
        }
        self.offer_if_free(now, id);
    }

    /// Acknowledges the 200 of an INVITE without offer, with the user's answer or (`None`) without one.
    pub(super) fn acknowledge_offer(&mut self, now: Instant, id: SessionId, answer: Option<Bytes>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let destination = session.destination;
        let Some(established) = session.established_mut() else { return };
        let Some(owed) = established.owed.take() else { return };
        let dialog = established.dialog.clone();
        established.local = answer.clone().unwrap_or_default();
        let body = answer.unwrap_or_default();
        self.send_ack(owed.transaction, &dialog, owed.cseq, &owed.credentials, body, destination);
        self.offer_if_free(now, id);
    }

    /// The user cannot answer the offer that came with a 200: an ACK without an answer, then BYE.
    pub(super) fn refuse_late_offer(&mut self, now: Instant, id: SessionId) {
        self.end(id, EndCause::LocalHangUp);
        self.release(now, id);
    }
}
