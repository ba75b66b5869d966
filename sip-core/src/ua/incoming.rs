//! Calls we get: RFC 3261 section 13.3.

use std::time::Instant;

use bytes::Bytes;

use super::UserAgent;
use super::api::{EndCause, Event, IncomingInvite, Origin, SessionId};
use super::compose::ALLOW;
use super::register::Authentication;
use super::reliable::{Reliable, has_option};
use super::session::{Established, Incoming, Session, SessionState, Unacknowledged};
use super::session_timer::{confirm, timer_of_request};
use crate::dialog::{Dialog, DialogId};
use crate::flow::Hop;
use crate::message::{HeaderName, Received, Request, Response, UnreadableBody, Uri, session_description};
use crate::registrar::AddressOfRecord;
use crate::transaction::{TransactionId, Transmit};

/// So many Identity header fields are looked at (RFC 8224 section 4.1 allows several).
const MOST_IDENTITIES: usize = 4;

impl UserAgent {
    pub(super) fn receive_invite(&mut self, now: Instant, mut request: Received<Request>, source: Hop) {
        let origin = match self.origin(now, &request, source) {
            Ok(origin) => origin,
            Err(answer) => {
                self.send_statelessly(answer, source);
                return;
            }
        };
        match session_description(&request.message.headers, &request.message.body) {
            Ok(description) => request.message.body = description,
            Err(UnreadableBody) => {
                self.refuse(now, &request, source, 415);
                return;
            }
        }
        let replaces = match self.replaced(&request, &origin) {
            Ok(replaces) => replaces,
            Err(status) => return self.refuse(now, &request, source, status),
        };
        if timer_of_request(now, &request.message.headers, &self.config.limits).is_err() {
            self.refuse(now, &request, source, 422);
            return;
        }
        if self.is_merged(&request) {
            self.refuse(now, &request, source, 482);
            return;
        }
        let carried = match &origin {
            Origin::Trunk(trunk) => self.may_take_from(*trunk),
            Origin::Device(_) | Origin::TrustedPeer => true,
        };
        let full = !carried || self.sessions.len() >= self.config.limits.sessions || self.shutting_down;
        let transaction = if full { None } else { self.transactions.accept_request(&request, source) };
        let Some(transaction) = transaction else {
            self.answer_statelessly(&request, source, 503);
            return;
        };
        let trying = self.response_to(&request, 100, None);
        self.transactions.respond(now, transaction, trying);
        self.open_incoming(transaction, (origin, replaces), request, source);
    }

    /// Whether this INVITE has come before on another way, e.g. through a forking proxy (section 8.2.2.2).
    fn is_merged(&self, request: &Received<Request>) -> bool {
        let essential = &request.essential;
        let remote_tag = essential.from.tag().unwrap_or_default();
        let first = DialogId {
            call_id: essential.call_id.clone(),
            local_tag: String::new(),
            remote_tag: String::new(),
        };
        let same_call = self.dialogs.range(first..).take_while(|(id, _)| id.call_id == essential.call_id);
        let mut sessions = same_call.filter(|(id, _)| id.remote_tag == remote_tag);
        sessions.any(|(_, session)| match self.sessions.get(session).map(|session| &session.state) {
            Some(SessionState::Incoming(incoming)) => incoming.request.essential.cseq == essential.cseq,
            Some(SessionState::Established(established)) => {
                established.invite_cseq == Some(essential.cseq.number)
            }
            Some(SessionState::Calling(_) | SessionState::Releasing(_)) | None => false,
        })
    }

    fn open_incoming(
        &mut self,
        transaction: TransactionId,
        (origin, replaces): (Origin, Option<SessionId>),
        mut request: Received<Request>,
        source: Hop,
    ) {
        self.last_incoming += 1;
        let id = SessionId::Incoming(self.last_incoming);
        let dialog = Dialog::from_request(&request, &self.random.token());
        let body = std::mem::take(&mut request.message.body);
        let wanted = has_option(&request.message.headers, &HeaderName::Require, "100rel");
        let first = u32::try_from(self.random.up_to(0x3fff_ffff)).unwrap_or_default() + 1;
        let reliable = wanted.then(|| Reliable::new(first));
        let offered = !body.is_empty();
        let from = &request.essential.from.0;
        let signed = match origin {
            Origin::Trunk(_) | Origin::TrustedPeer => MOST_IDENTITIES,
            Origin::Device(_) => 0,
        };
        let identities = request.message.headers.all(&HeaderName::Identity).take(signed);
        let incoming = IncomingInvite {
            identity: identities.map(|value| value.text().into_owned()).collect(),
            verstat: None,
            session: id,
            source: source.remote,
            transport: source.transport,
            request_user: dialled(&request.message.uri),
            request_domain: request.message.uri.host_text(),
            from_user: from.uri.user_text(),
            from_display: from.display.clone().unwrap_or_default(),
            body,
            call_id: request.essential.call_id.clone(),
            origin: origin.clone(),
            replaces,
        };
        let (trunk, device) = match origin {
            Origin::Trunk(trunk) => (Some(trunk), None),
            Origin::Device(device) => (None, Some(device)),
            Origin::TrustedPeer => (None, None),
        };
        self.dialogs.insert(dialog.id.clone(), id);
        self.ringing.insert(transaction, id);
        let state =
            SessionState::Incoming(Box::new(Incoming { transaction, request, offered, dialog, reliable }));
        self.sessions.insert(id, Session { state, destination: source, trunk, device, ended: false });
        self.touch_session(id);
        self.emit(Event::Incoming(Box::new(incoming)));
    }

    /// Who is calling, or what to answer instead: trunks and trusted peers by address, devices by digest.
    fn origin(&mut self, now: Instant, request: &Received<Request>, source: Hop) -> Result<Origin, Response> {
        let trunk = self.trunks.values().find(|entry| entry.owns(&source));
        let trusted = self.is_trusted(&source);
        let has_credentials = request.message.headers.first(&HeaderName::Authorization).is_some();
        let claimed = request.essential.from.0.uri.clone();
        // A device may share an address with a trunk or trusted peer; then its credentials say who it is, and
        // whoever speaks in a device's name must have them.
        let fallback = trunk
            .map(|entry| Origin::Trunk(entry.trunk.id))
            .or_else(|| trusted.then_some(Origin::TrustedPeer))
            .filter(|_| !self.is_device(&claimed));
        if !has_credentials && let Some(origin) = fallback {
            return Ok(origin);
        }
        match (self.authenticate(now, request, &claimed, source), fallback) {
            (Authentication::Device(device, _), _) => Ok(Origin::Device(device)),
            (Authentication::Refused(_), Some(origin)) => Ok(origin),
            (Authentication::Refused(answer), None) => Err(answer),
        }
    }

    fn is_device(&self, uri: &Uri) -> bool {
        self.devices.contains_key(&AddressOfRecord::new(uri.user_text(), &uri.host_text()))
    }

    pub(super) fn provisional(&mut self, now: Instant, id: SessionId, status: u16, body: Option<Bytes>) {
        let status = if (101..200).contains(&status) { status } else { 180 };
        if self.provisional_reliably(now, id, status, body.as_ref()) {
            return;
        }
        let Some(SessionState::Incoming(incoming)) = self.sessions.get(&id).map(|session| &session.state)
        else {
            return;
        };
        let transaction = incoming.transaction;
        let mut response = self.response_to(&incoming.request, status, Some(&incoming.dialog.id.local_tag));
        self.describe(&mut response, body.unwrap_or_default(), (id, &incoming.request));
        self.transactions.respond(now, transaction, response);
    }

    pub(super) fn accept(&mut self, now: Instant, id: SessionId, body: Bytes) {
        if self.accept_later(id, &body) {
            return;
        }
        let Some(SessionState::Incoming(incoming)) = self.sessions.get(&id).map(|session| &session.state)
        else {
            return;
        };
        let (transaction, cseq) = (incoming.transaction, incoming.request.essential.cseq.number);
        let offered = !incoming.offered;
        let overtaken = incoming.reliable.as_ref().and_then(Reliable::unacknowledged);
        let dialog = incoming.dialog.clone();
        let mut response = self.response_to(&incoming.request, 200, Some(&dialog.id.local_tag));
        let headers = &incoming.request.message.headers;
        let timer = timer_of_request(now, headers, &self.config.limits).unwrap_or_default();
        confirm(&mut response, timer.as_ref());
        self.describe(&mut response, body.clone(), (id, &incoming.request));
        self.ringing.remove(&transaction);
        let Some(response) = self.transactions.respond(now, transaction, response) else { return };
        let mut established = Established::new(dialog, body, timer);
        established.overtaken = overtaken;
        established.invite_cseq = Some(cseq);
        established.unacknowledged = Some(self.await_ack(now, response, cseq, true, offered));
        self.set_state(id, SessionState::Established(Box::new(established)));
    }

    pub(super) fn reject(&mut self, now: Instant, id: SessionId, status: u16) {
        let status = if (300..700).contains(&status) { status } else { 500 };
        self.refuse_ringing(now, id, status, EndCause::LocalHangUp);
    }

    /// Refuses an INVITE not answered yet and ends its session.
    pub(super) fn refuse_ringing(&mut self, now: Instant, id: SessionId, status: u16, cause: EndCause) {
        let Some(SessionState::Incoming(incoming)) = self.sessions.get(&id).map(|session| &session.state)
        else {
            return;
        };
        let transaction = incoming.transaction;
        let mut response = self.response_to(&incoming.request, status, Some(&incoming.dialog.id.local_tag));
        self.warn(&mut response);
        if status == 503 {
            response.headers.push(HeaderName::RetryAfter, "10");
        }
        self.ringing.remove(&transaction);
        self.transactions.respond(now, transaction, response);
        self.end(id, cause);
        self.forget(id);
    }

    /// Contact, Allow and the session description of an answer.
    pub(super) fn describe(
        &self,
        response: &mut Response,
        body: Bytes,
        (id, request): (SessionId, &Received<Request>),
    ) {
        // RFC 3261 section 12.1.1: a request by `sips` makes a dialog by `sips`.
        let secure = request.message.uri.as_sip().is_some_and(|uri| uri.secure);
        if let Some(session) = self.sessions.get(&id) {
            response.headers.push(HeaderName::Contact, self.contact(None, &session.destination, secure));
        }
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Supported, "100rel, timer, replaces");
        if !body.is_empty() {
            response.headers.push(HeaderName::ContentType, "application/sdp");
        }
        response.body = body;
    }

    /// RFC 3261 section 13.3.1.4: a 200 is repeated at T1, doubling up to T2, for 64 x T1.
    pub(super) fn await_ack(
        &self,
        now: Instant,
        response: Transmit,
        cseq: u32,
        first: bool,
        offered: bool,
    ) -> Unacknowledged {
        let timers = &self.config.timers;
        Unacknowledged {
            response,
            cseq,
            first,
            offered,
            interval: timers.t1,
            repeat_at: now + timers.t1,
            give_up: now + timers.transaction_timeout(),
        }
    }
}

/// What was dialled: the user part or number; all of a URN, which has neither.
fn dialled(uri: &Uri) -> String {
    match uri {
        Uri::Sip(_) | Uri::Tel(_) => uri.user_text(),
        Uri::Other { .. } => uri.to_string(),
    }
}
