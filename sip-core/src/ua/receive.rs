//! Takes datagrams apart and hands their messages to those concerned.

use std::time::Instant;

use bytes::Bytes;

use super::UserAgent;
use super::acceptable;
use super::api::EndCause;
use super::compose::ALLOW;
use super::session_timer::timer_of_request;
use crate::dialog::Dialog;
use crate::flow::{Hop, Transport};
use crate::guard::is_scanner;
use crate::message::{Answer, HeaderName, Message, Method, Received, Request, Uri, read, read_from_stream};

impl UserAgent {
    pub(super) fn receive(&mut self, now: Instant, source: Hop, payload: &[u8]) {
        if !self.is_edge(&source) && !self.guard.admit(now, source.remote) && !self.is_exempt(&source) {
            return;
        }
        self.asked_bytes = payload.len();
        let limit = self.config.limits.message_bytes;
        // One byte more than the limit is enough for the reader to see that it is exceeded.
        let payload = payload.get(..limit.saturating_add(1)).unwrap_or(payload);
        let stream = matches!(source.transport, Transport::Tcp | Transport::Tls);
        let reader = if stream { read_from_stream } else { read };
        match reader(&Bytes::copy_from_slice(payload), &self.config.limits) {
            Ok(Received { message: Message::Request(message), essential }) => {
                self.receive_request(now, Received { message, essential }, source);
            }
            Ok(Received { message: Message::Response(message), essential }) => {
                // RFC 3261 section 8.1.3.3: a response with a second Via is not for us.
                if essential.via_count == 1 {
                    self.response_source = Some(source.remote);
                    self.transactions.handle_response(now, Received { message, essential });
                }
            }
            Err(error) => {
                let words = error.to_string();
                match error.answer {
                    Answer::Reject(rejection) => self.answer_rejection(*rejection, source, words),
                    Answer::Drop => {}
                }
            }
        }
    }

    /// Whether the guard has no say: trusted peers and trunks.
    pub(super) fn is_exempt(&self, source: &Hop) -> bool {
        self.is_trusted(source) || self.trunks.values().any(|entry| entry.owns(source))
    }

    /// Whether the address alone is enough; not where strangers can write any address on their datagrams.
    pub(super) fn is_trusted(&self, source: &Hop) -> bool {
        let listed = self.config.trusted_peers.iter().any(|range| range.contains(source.remote.ip()));
        listed && !self.is_public(source)
    }

    /// A scanner gets no answer: it would go on asking.
    fn is_scan(&self, request: &Received<Request>, source: &Hop) -> bool {
        let user_agent = request.message.headers.first(&HeaderName::UserAgent);
        user_agent.is_some_and(|value| is_scanner(&value.text())) && !self.is_exempt(source)
    }

    fn receive_request(&mut self, now: Instant, mut request: Received<Request>, source: Hop) {
        self.asker = self.behind_edge(&request, &source);
        if self.is_scan(&request, &source) || self.asker.is_some_and(|asker| !self.guard.admit(now, asker)) {
            return;
        }
        request.essential.via.stamp(source.remote);
        self.answer_to = Some(source.for_answer(&request.essential.via).remote);
        let via = request.essential.via.to_string();
        request.message.headers.replace_first_value(&HeaderName::Via, &via);
        if self.transactions.handle_request(now, &request) {
            return;
        }
        if request.message.method == Method::Ack {
            self.receive_ack(now, &request, source);
        } else if request.message.method == Method::Cancel {
            self.receive_cancel(now, &request, source);
        } else {
            self.receive_new(now, request, source);
        }
    }

    fn receive_new(&mut self, now: Instant, request: Received<Request>, source: Hop) {
        let in_dialog = request.essential.to.tag().is_some();
        if let Some(status) = self.refusal(&request, in_dialog) {
            self.refuse(now, &request, source, status);
        } else if in_dialog {
            self.receive_in_dialog(now, request, source);
        } else if request.message.method == Method::Invite {
            self.receive_invite(now, request, source);
        } else if request.message.method == Method::Register {
            self.receive_register(now, &request, source);
        } else if request.message.method == Method::Subscribe {
            self.receive_subscribe(now, request, source);
        } else {
            self.receive_options(&request, source);
        }
    }

    /// The checks of RFC 3261 section 8.2 that come before any thought of the request's meaning.
    fn refusal(&self, request: &Received<Request>, in_dialog: bool) -> Option<u16> {
        match &request.message.method {
            Method::Other(_) => return Some(501),
            Method::Message | Method::Notify | Method::Publish => {
                let known = !in_dialog || self.dialogs.contains_key(&Dialog::id_of(request));
                return Some(if known { 405 } else { 481 });
            }
            Method::Refer if !in_dialog => return Some(405),
            Method::Bye | Method::Info | Method::Prack | Method::Update if !in_dialog => return Some(481),
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Info
            | Method::Invite
            | Method::Options
            | Method::Prack
            | Method::Refer
            | Method::Register
            | Method::Subscribe
            | Method::Update => {}
        }
        let foreign = match &request.message.uri {
            Uri::Sip(_) => false,
            Uri::Tel(_) => request.message.method == Method::Register,
            // A phone that calls for help shall be told, not corrected (RFC 5031).
            Uri::Other { .. } => {
                request.message.method != Method::Invite || !is_emergency(&request.message.uri)
            }
        };
        if foreign {
            return Some(416);
        }
        if !unsupported(request).is_empty() {
            return Some(420);
        }
        acceptable::refusal(request)
    }

    pub(super) fn refuse(&mut self, now: Instant, request: &Received<Request>, source: Hop, status: u16) {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, status, Some(&tag));
        match status {
            405 | 501 => response.headers.push(HeaderName::Allow, ALLOW),
            415 => response.headers.push(HeaderName::Accept, "application/sdp"),
            420 => {
                response.headers.push(HeaderName::Unsupported, unsupported(request).join(", "));
            }
            422 => {
                let limits = &self.config.limits;
                if let Err(shortest) = timer_of_request(now, &request.message.headers, limits) {
                    response.headers.push_typed(&shortest);
                }
            }
            _ => {}
        }
        self.send_statelessly(response, source);
    }

    /// RFC 3261 section 11.2; open to all, since it tells nothing that an INVITE would not.
    pub(super) fn receive_options(&mut self, request: &Received<Request>, source: Hop) {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, 200, Some(&tag));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Accept, "application/sdp");
        response.headers.push(HeaderName::Contact, self.contact(None, &source, false));
        self.send_statelessly(response, source);
    }

    /// RFC 3261 section 9.2.
    fn receive_cancel(&mut self, now: Instant, request: &Received<Request>, source: Hop) {
        let Some(invite) = self.transactions.cancelled(&request.essential) else {
            self.answer_statelessly(request, source, 481);
            return;
        };
        let Some(transaction) = self.transactions.accept_request(request, source) else {
            self.answer_statelessly(request, source, 503);
            return;
        };
        // Section 9.2: the same To tag as in the 487.
        let dialog = self.ringing.get(&invite).and_then(|session| self.sessions.get(session));
        let dialog = dialog.and_then(|session| session.dialog_ids().first().map(|id| id.local_tag.clone()));
        let tag = dialog.unwrap_or_else(|| self.stateless_tag(request));
        let response = self.response_to(request, 200, Some(&tag));
        self.transactions.respond(now, transaction, response);
        if let Some(session) = self.ringing.get(&invite).copied() {
            self.refuse_ringing(now, session, 487, EndCause::RemoteCancel);
            self.cancel_offer(now, session);
        }
    }
}

/// The extensions a request requires and we do not have (RFC 3261 section 8.2.2.3). 100rel means something in an
/// INVITE only (RFC 3262 section 3), but it does no harm elsewhere.
fn unsupported(request: &Received<Request>) -> Vec<String> {
    let mut required = request.message.headers.tokens(&HeaderName::Require);
    required.retain(|option| {
        !["100rel", "timer", "path", "outbound", "replaces", "norefersub"]
            .iter()
            .any(|ours| option.eq_ignore_ascii_case(ours))
    });
    required
}

/// `urn:service:sos` and what is below it (RFC 5031 section 4.2).
fn is_emergency(uri: &Uri) -> bool {
    let Uri::Other { scheme, rest } = uri else { return false };
    let service = rest.to_ascii_lowercase();
    let service = service.strip_prefix("service:sos").filter(|_| scheme.eq_ignore_ascii_case("urn"));
    service.is_some_and(|below| below.is_empty() || below.starts_with(['.', ';', '?']))
}
