//! MESSAGE (RFC 3428): a line of text to a phone that can show it. None is taken from anybody (405).
//!
//! Whether a phone can is what the Allow of its REGISTER says; a phone that says nothing there is asked by OPTIONS first.

use std::time::Instant;

use bytes::Bytes;

use super::UserAgent;
use super::api::Event;
use super::session::Owner;
use crate::flow::Hop;
use crate::message::header::{Allow, From, NameAddr, To};
use crate::message::{HeaderName, Headers, Host, Method, Received, Request, Response, SipUri, Uri};
use crate::registrar::{AddressOfRecord, Reached};

/// Longest text; with its header fields it stays below what a datagram carries (RFC 3428 section 8).
const LONGEST: usize = 900;

impl UserAgent {
    /// Sends a text to a device, if it can show one; [`Event::MessageOver`] follows.
    pub(super) fn send_message(&mut self, now: Instant, device: AddressOfRecord, text: String) {
        let reached = self.registrar.preferred(now, &device);
        let Some(reached) = reached else {
            return self.emit(Event::MessageOver { device, status: None });
        };
        match self.registrar.takes_messages(&device, &reached.uri) {
            Some(true) => self.send_text(now, &reached, device, &text),
            Some(false) => self.emit(Event::MessageOver { device, status: Some(405) }),
            None => {
                let request = self.outside(Method::Options, &reached, &device);
                let hop = reached.hop;
                let owner = Owner::Ask { device, text };
                self.send_outside(now, request, hop, owner);
            }
        }
    }

    fn send_text(&mut self, now: Instant, reached: &Reached, device: AddressOfRecord, text: &str) {
        let mut request = self.outside(Method::Message, reached, &device);
        request.headers.push(HeaderName::ContentType, "text/plain;charset=UTF-8");
        let end =
            text.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= LONGEST);
        let text = text.get(..end.last().unwrap_or_default()).unwrap_or_default();
        request.body = Bytes::from(text.to_owned());
        self.send_outside(now, request, reached.hop, Owner::Text(device));
    }

    /// A request to a device outside any dialog.
    fn outside(&mut self, method: Method, reached: &Reached, device: &AddressOfRecord) -> Request {
        let mut target = reached.uri.clone();
        if let Uri::Sip(uri) = &mut target {
            uri.headers = None;
        }
        let host = Host::from_config(&device.domain);
        let mut request = Request::new(method.clone(), target);
        for path in &reached.path {
            request.headers.push(HeaderName::Route, path.to_string());
        }
        let mut from = NameAddr::new(Uri::Sip(SipUri::new(None, host.clone(), None)));
        from.params.set("tag", Some(&self.random.token()));
        request.headers.push_typed(&From(from));
        request.headers.push_typed(&To(NameAddr::new(Uri::Sip(SipUri::new(Some(&device.user), host, None)))));
        request.headers.push(HeaderName::CallId, self.random.token());
        request.headers.push(HeaderName::CSeq, format!("1 {method}"));
        request
    }

    fn send_outside(&mut self, now: Instant, mut request: Request, hop: Hop, owner: Owner) {
        self.finish_request(&mut request, &hop);
        let transaction = self.transactions.send_request(now, request, hop);
        self.owners.insert(transaction, owner);
    }

    /// What a phone can do, by its answer to OPTIONS.
    pub(super) fn asked_response(
        &mut self,
        now: Instant,
        (device, text): (AddressOfRecord, String),
        response: &Received<Response>,
    ) {
        let Some(reached) = self.registrar.preferred(now, &device) else {
            return self.emit(Event::MessageOver { device, status: None });
        };
        let can = allows_messages(&response.message.headers).unwrap_or(false);
        self.registrar.note_messages(&device, &reached.uri, can);
        if can {
            self.send_text(now, &reached, device, &text);
        } else {
            self.emit(Event::MessageOver { device, status: Some(405) });
        }
    }
}

/// Whether the sender of these header fields takes MESSAGE; `None` if they do not say.
pub(crate) fn allows_messages(headers: &Headers) -> Option<bool> {
    headers.first(&HeaderName::Allow)?;
    let allowed = headers.typed_list::<Allow>().ok()?;
    Some(allowed.iter().any(|allow| allow.0.contains(&Method::Message)))
}
