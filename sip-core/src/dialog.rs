//! Dialogs, RFC 3261 section 12.

use crate::message::header::{Contact, From, NameAddr, RecordRoute, To};
use crate::message::{HeaderName, Headers, Method, Received, Request, Response, TypedHeader, Uri};

/// What identifies a dialog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// The tag we gave.
    pub local_tag: String,
    /// The tag the peer gave; empty if the peer gives none (RFC 2543).
    pub remote_tag: String,
}

/// A request with a CSeq that is not higher than one seen before (answered with 500, section 12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("CSeq of the peer's request is out of order")]
pub struct OutOfOrder;

/// One side's view of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Its identifier.
    pub id: DialogId,
    local: String,
    remote: String,
    route_set: Vec<NameAddr>,
    remote_target: Uri,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// The dialog a response creates at the side that sent the request (section 12.1.2).
    pub fn from_response(response: &Received<Response>) -> Self {
        let (essential, headers) = (&response.essential, &response.message.headers);
        let mut route_set = route_set(headers);
        route_set.reverse();
        Self {
            id: DialogId {
                call_id: essential.call_id.clone(),
                local_tag: essential.from.tag().unwrap_or_default(),
                remote_tag: essential.to.tag().unwrap_or_default(),
            },
            local: essential.from.to_string(),
            remote: essential.to.to_string(),
            route_set,
            remote_target: target(headers).unwrap_or_else(|| essential.to.0.uri.clone()),
            local_cseq: essential.cseq.number,
            remote_cseq: None,
        }
    }

    /// The dialog our answer creates at the side that received the request (section 12.1.1).
    pub fn from_request(request: &Received<Request>, local_tag: &str) -> Self {
        let (essential, headers) = (&request.essential, &request.message.headers);
        let mut local = essential.to.clone();
        local.0.params.set("tag", Some(local_tag));
        Self {
            id: DialogId {
                call_id: essential.call_id.clone(),
                local_tag: local_tag.to_owned(),
                remote_tag: essential.from.tag().unwrap_or_default(),
            },
            local: local.to_string(),
            remote: essential.from.to_string(),
            route_set: route_set(headers),
            remote_target: target(headers).unwrap_or_else(|| essential.from.0.uri.clone()),
            local_cseq: 0,
            remote_cseq: Some(essential.cseq.number),
        }
    }

    /// The identifier of the dialog a received request claims to belong to.
    pub fn id_of(request: &Received<Request>) -> DialogId {
        DialogId {
            call_id: request.essential.call_id.clone(),
            local_tag: request.essential.to.tag().unwrap_or_default(),
            remote_tag: request.essential.from.tag().unwrap_or_default(),
        }
    }

    /// A new request of ours within the dialog (section 12.2.1.1), without Via and Contact.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        self.request_numbered(method, self.local_cseq)
    }

    /// The ACK for the 2xx of our INVITE with this CSeq number (section 13.2.2.4), without Via.
    pub fn ack(&self, invite_cseq: u32) -> Request {
        self.request_numbered(Method::Ack, invite_cseq)
    }

    /// A request of this dialog was sent once more with the next CSeq number (after a challenge).
    pub(crate) fn count_request(&mut self) {
        self.local_cseq += 1;
    }

    /// Goes on counting where the early state of the same dialog has stopped.
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = self.remote_cseq.max(early.remote_cseq);
    }

    /// Takes note of a request of the peer.
    ///
    /// # Errors
    /// [`OutOfOrder`] if its number is not higher than the last one's.
    pub fn accept(&mut self, cseq: u32) -> Result<(), OutOfOrder> {
        if self.remote_cseq.is_some_and(|last| cseq <= last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(cseq);
        Ok(())
    }

    /// Whether this is the number of the peer's last request: the request has come again.
    pub(crate) fn is_repeated(&self, cseq: u32) -> bool {
        self.remote_cseq == Some(cseq)
    }

    /// A re-INVITE of the peer may move its remote target (section 12.2.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(uri) = target(headers) {
            self.remote_target = uri;
        }
    }

    /// Where requests are addressed to.
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    fn request_numbered(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.routing();
        let mut request = Request::new(method.clone(), uri);
        for route in routes {
            request.headers.push(HeaderName::Route, route.to_string());
        }
        request.headers.push(From::NAME, self.local.clone());
        request.headers.push(To::NAME, self.remote.clone());
        request.headers.push(HeaderName::CallId, self.id.call_id.clone());
        request.headers.push(HeaderName::CSeq, format!("{cseq} {method}"));
        request
    }

    /// Request-URI and Route for loose and for strict routers (section 12.2.1.1).
    fn routing(&self) -> (Uri, Vec<NameAddr>) {
        let strict = self
            .route_set
            .first()
            .filter(|first| !first.uri.as_sip().is_some_and(|uri| uri.params.contains("lr")));
        match strict {
            None => (self.remote_target.clone(), self.route_set.clone()),
            Some(first) => {
                let mut routes: Vec<NameAddr> = self.route_set.iter().skip(1).cloned().collect();
                routes.push(NameAddr::new(self.remote_target.clone()));
                (first.uri.clone(), routes)
            }
        }
    }
}

/// A route set that cannot be read counts as empty: the dialog then goes straight to the peer.
fn route_set(headers: &Headers) -> Vec<NameAddr> {
    let records = headers.typed_list::<RecordRoute>().unwrap_or_default();
    records.into_iter().map(|record| record.0).collect()
}

fn target(headers: &Headers) -> Option<Uri> {
    let contacts = headers.typed_list::<Contact>().ok()?;
    contacts.first()?.address().map(|address| address.uri.clone())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::{Limits, Message, read};

    fn message(first: &str, more: &str, cseq: u32) -> Received<Message> {
        let method = if first.starts_with("BYE") { "BYE" } else { "INVITE" };
        let text = format!(
            "{first}\r\nVia: SIP/2.0/UDP h\r\nFrom: \"A\" <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\nCall-ID: c\r\n\
             CSeq: {cseq} {method}\r\n{more}\r\n"
        );
        read(&Bytes::from(text), &Limits::default()).unwrap()
    }

    fn response(more: &str) -> Received<Response> {
        let received = message("SIP/2.0 200 OK", more, 7);
        let Message::Response(message) = received.message else { panic!() };
        Received { message, essential: received.essential }
    }

    fn request(more: &str) -> Received<Request> {
        let received = message("INVITE sip:b@h SIP/2.0", more, 7);
        let Message::Request(message) = received.message else { panic!() };
        Received { message, essential: received.essential }
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.all(&HeaderName::Route).map(|value| value.text().into_owned()).collect()
    }

    const ROUTES: &str =
        "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nContact: <sip:b@host>\r\n";

    #[test]
    fn the_caller_reverses_the_route_and_the_called_side_does_not() {
        let mut caller = Dialog::from_response(&response(ROUTES));
        let bye = caller.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:b@host");
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(bye.headers.first(&HeaderName::CSeq).unwrap().text(), "8 BYE");
        assert_eq!(caller.ack(7).headers.first(&HeaderName::CSeq).unwrap().text(), "7 ACK");
        let mut called = Dialog::from_request(&request(ROUTES), "mine");
        let bye = called.request(Method::Bye);
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(bye.headers.first(&HeaderName::From).unwrap().text(), "<sip:b@h>;tag=mine");
        assert_eq!(bye.headers.first(&HeaderName::To).unwrap().text(), "\"A\" <sip:a@h>;tag=a");
    }

    #[test]
    fn a_strict_router_gets_its_own_address_as_request_uri() {
        let dialog = Dialog::from_request(&request(&ROUTES.replace("p1;lr", "p1")), "mine");
        let ack = dialog.ack(1);
        assert_eq!(ack.uri.to_string(), "sip:p1");
        assert_eq!(routes(&ack), ["<sip:p2;lr>", "<sip:b@host>"]);
    }

    #[test]
    fn the_peers_numbers_must_grow_and_its_target_may_move() {
        let mut dialog = Dialog::from_request(&request(ROUTES), "mine");
        assert_eq!(
            (dialog.accept(7), dialog.accept(6), dialog.accept(9)),
            (Err(OutOfOrder), Err(OutOfOrder), Ok(()))
        );
        dialog.refresh_target(&request("Contact: <sip:new@host>\r\n").message.headers);
        assert_eq!(dialog.remote_target().to_string(), "sip:new@host");
        dialog.refresh_target(&request("Contact: <broken\r\n").message.headers);
        assert_eq!(dialog.remote_target().to_string(), "sip:new@host");
    }

    #[test]
    fn without_contact_the_address_itself_is_the_target() {
        let dialog = Dialog::from_response(&response(""));
        assert_eq!(dialog.remote_target().to_string(), "sip:b@h");
    }
}
