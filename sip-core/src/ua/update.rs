//! UPDATE, RFC 3311: a sign of life without an offer, or a new offer without the three ways of INVITE.

use std::time::Instant;

use super::UserAgent;
use super::api::{Event, SessionId};
use super::session::{PendingOffer, SessionState};
use super::session_timer::{confirm, timer_of_request};
use crate::flow::Hop;
use crate::message::{HeaderName, Received, Request, session_description};

impl UserAgent {
    pub(super) fn receive_update(
        &mut self,
        now: Instant,
        id: SessionId,
        request: Received<Request>,
        source: Hop,
        repeated: bool,
    ) {
        let headers = &request.message.headers;
        let Ok(timer) = timer_of_request(now, headers, &self.config.limits) else {
            self.refuse_offer(id, &request, source, 422);
            return;
        };
        let Ok(body) = session_description(headers, &request.message.body) else {
            let response = self.response_in_dialog(&request, 415);
            self.send_statelessly(response, source);
            return;
        };
        if !body.is_empty() {
            // An offer that was taken has a transaction; what comes again without one was not.
            let refusal = if repeated { Some(500) } else { self.update_refusal(id) };
            if let Some(status) = refusal {
                self.refuse_offer(id, &request, source, status);
                return;
            }
            let Some(transaction) = self.transactions.accept_request(&request, source) else {
                self.answer_statelessly(&request, source, 503);
                return;
            };
            if let Some(established) = self.established_mut(id) {
                established.dialog.refresh_target(&request.message.headers);
                established.offer = Some(PendingOffer { transaction, request });
            }
            self.emit(Event::Offer { session: id, body });
            return;
        }
        let mut response = self.response_in_dialog(&request, 200);
        response.headers.push(HeaderName::Contact, self.contact(None, &source, false));
        if let Some(established) = self.established_mut(id) {
            established.dialog.refresh_target(&request.message.headers);
            confirm(&mut response, timer.as_ref());
            self.restart_timer(id, timer);
        }
        self.send_statelessly(response, source);
    }

    /// RFC 3311 section 5.2: why an offer cannot be taken now.
    fn update_refusal(&self, id: SessionId) -> Option<u16> {
        match &self.sessions.get(&id)?.state {
            // Before our answer there is no agreement that could be changed.
            SessionState::Incoming(_) => Some(500),
            // Early media is not renegotiated: nobody hears it but the caller.
            SessionState::Calling(_) => Some(488),
            SessionState::Established(established) if established.release => Some(481),
            SessionState::Established(established) if established.offer.is_some() => Some(500),
            SessionState::Established(established) if established.is_negotiating() => Some(491),
            SessionState::Established(_) => None,
            SessionState::Releasing(_) => Some(481),
        }
    }
}
