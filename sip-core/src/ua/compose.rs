//! Makes requests and responses: the header fields that all of them share.

use super::UserAgent;
use super::api::CallerIdentity;
use super::trunk::{DiversionFormat, FromFormat, IdentityFormat, Trunk};
use crate::auth::hmac_sha256;
use crate::flow::{Hop, Transport};
use crate::message::header::{From, NameAddr, PAssertedIdentity, To, Via};
use crate::message::{HeaderName, Host, Message, Received, Rejection, Request, Response, SipUri, Uri, write};
use crate::transaction::Transmit;

/// The methods this user agent understands.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, INFO, OPTIONS, PRACK, REFER, REGISTER, SUBSCRIBE, UPDATE";

/// How many times as long as the request a stateless answer may be.
const LARGEST_ANSWER: usize = 3;

impl UserAgent {
    /// Puts our Via in front, with a fresh branch, and Max-Forwards and User-Agent behind.
    pub(super) fn finish_request(&mut self, request: &mut Request, hop: &Hop) {
        let branch = self.random.branch();
        let sent_by = self.advertised(hop);
        let via = format!("SIP/2.0/{} {sent_by};branch={branch};rport", hop.transport.token());
        let mut headers = crate::message::Headers::default();
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::MaxForwards, "70");
        for (name, value) in request.headers.iter() {
            if !matches!(name, HeaderName::Via | HeaderName::MaxForwards | HeaderName::UserAgent) {
                headers.push_value(name.clone(), value.clone());
            }
        }
        headers.push(HeaderName::UserAgent, self.config.product.clone());
        request.headers = headers;
    }

    /// `<sip:advertised>`, or with a user part for registrations. The transport is named unless it is UDP, which is what a
    /// URI means without.
    pub(super) fn contact(&self, user: Option<&str>, hop: &Hop, secure: bool) -> String {
        let user = user.map(|user| SipUri::new(Some(user), Host::Name("x".into()), None));
        let user = user.and_then(|uri| uri.user).map(|user| format!("{user}@")).unwrap_or_default();
        let transport = match hop.transport {
            Transport::Udp => String::new(),
            // RFC 3261 section 26.2.2: with `sips` TLS goes without saying; over WebSocket the kind is to be named.
            Transport::Tls if secure => String::new(),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                format!(";transport={}", hop.transport)
            }
        };
        let scheme = if secure { "sips" } else { "sip" };
        format!("<{scheme}:{user}{}{transport}>", self.advertised(hop))
    }

    /// The host part of our own addresses towards trunks.
    pub(super) fn own_domain(&self) -> Host {
        let advertised = self.config.listeners.first().map_or("invalid.invalid", |it| it.advertised.as_str());
        let advertised = advertised.rsplit_once(':').map_or(advertised, |it| it.0);
        let text = self.config.domains.first().map_or(advertised, String::as_str);
        Host::from_config(text)
    }

    /// From and, where the peer may know it, P-Asserted-Identity and Privacy (RFC 3323, RFC 3325), as the trunk wants them;
    /// without a trunk the peer is a device of ours.
    pub(super) fn identify(
        &mut self,
        request: &mut Request,
        caller: &CallerIdentity,
        host: Host,
        trunk: Option<&Trunk>,
    ) {
        let number = trunk.map_or_else(|| caller.number.clone(), |trunk| trunk.numbers.write(&caller.number));
        let uri = Uri::Sip(SipUri::new(Some(&number), host.clone(), None));
        let name = Some(caller.display_name.clone()).filter(|name| !name.is_empty());
        let shown = NameAddr { display: name, ..NameAddr::new(uri) };
        let account = trunk.filter(|trunk| trunk.from == FromFormat::Account).and_then(account_of);
        let mut from = match account {
            Some(account) => {
                // The account belongs to the trunk's own domain.
                let host = trunk.map_or(host, |trunk| Host::from_config(&trunk.host));
                let display = shown.display.clone().filter(|_| !caller.hidden);
                NameAddr { display, ..NameAddr::new(Uri::Sip(SipUri::new(Some(&account), host, None))) }
            }
            None if caller.hidden => {
                let anonymous = SipUri::new(Some("anonymous"), Host::Name("anonymous.invalid".into()), None);
                NameAddr { display: Some("Anonymous".into()), ..NameAddr::new(Uri::Sip(anonymous)) }
            }
            None => shown.clone(),
        };
        from.params.set("tag", Some(&self.random.token()));
        request.headers.push_typed(&From(from));
        let format = trunk.map_or(IdentityFormat::Asserted, |trunk| trunk.identity);
        if !caller.hidden || trunk.is_some() {
            match format {
                IdentityFormat::Asserted => request.headers.push_typed(&PAssertedIdentity(shown)),
                IdentityFormat::RemoteParty => {
                    let privacy = if caller.hidden { "full" } else { "off" };
                    let value = format!("{shown};party=calling;screen=yes;privacy={privacy}");
                    request.headers.push(HeaderName::RemotePartyId, value);
                }
                IdentityFormat::None => {}
            }
        }
        if caller.hidden {
            request.headers.push(HeaderName::Privacy, "id");
        }
    }

    /// Which number has sent the call on to the one it is for now, in the trunk's way.
    pub(super) fn divert(request: &mut Request, first: &str, trunk: &Trunk) {
        let first = SipUri::new(Some(&trunk.numbers.write(first)), Host::from_config(&trunk.host), None);
        match trunk.diversion {
            DiversionFormat::None => {}
            // RFC 5806 section 7.
            DiversionFormat::Diversion => {
                let value = format!("<{}>;reason=unconditional;counter=1", Uri::Sip(first));
                request.headers.push(HeaderName::Diversion, value);
            }
            // RFC 7044 sections 9.2 and 10.1; the cause is that of RFC 4458 section 2.
            DiversionFormat::HistoryInfo => {
                let (first, now) = (Uri::Sip(first), &request.uri);
                let value =
                    format!("<{first}?Reason=SIP%3Bcause%3D302>;index=1, <{now};cause=302>;index=1.1;mp=1");
                request.headers.push(HeaderName::HistoryInfo, value);
            }
        }
    }

    /// A response to this request (RFC 3261 section 8.2.6), with a To tag unless it is a 100.
    pub(super) fn response_to(
        &self,
        request: &Received<Request>,
        status: u16,
        tag: Option<&str>,
    ) -> Response {
        let mut response = Response::new(status);
        let headers = &request.message.headers;
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
        {
            for value in headers.all(&name) {
                match tag.filter(|_| name == HeaderName::To && request.essential.to.tag().is_none()) {
                    Some(tag) => response.headers.push(name.clone(), format!("{};tag={tag}", value.text())),
                    None => response.headers.push_value(name.clone(), value.clone()),
                }
            }
        }
        if (101..300).contains(&status) {
            for value in headers.all(&HeaderName::RecordRoute) {
                response.headers.push_value(HeaderName::RecordRoute, value.clone());
            }
        }
        if status == 100 {
            // RFC 3261 section 8.2.6.1; we add no delay worth naming.
            for value in headers.all(&HeaderName::Timestamp) {
                response.headers.push_value(HeaderName::Timestamp, value.clone());
            }
        }
        response.headers.push(HeaderName::Server, self.config.product.clone());
        response
    }

    /// RFC 3261 section 20.43: what is wrong with an offer that is refused.
    pub(super) fn warn(&self, response: &mut Response) {
        if response.status == 488 {
            let warning = format!("305 {} \"Incompatible media format\"", self.own_domain());
            response.headers.push(HeaderName::Warning, warning);
        }
    }

    /// A To tag that is the same for each retransmission, so that nothing need be remembered
    /// (RFC 3261 section 8.2.7).
    pub(super) fn stateless_tag(&self, request: &Received<Request>) -> String {
        self.tag_of(&request.essential.via.branch(), &request.essential.call_id)
    }

    pub(super) fn tag_of(&self, branch: &str, call_id: &str) -> String {
        let mac = hmac_sha256(&self.tag_secret, &[branch.as_bytes(), b"\n", call_id.as_bytes()]);
        mac.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Answers without a transaction.
    pub(super) fn answer_statelessly(&mut self, request: &Received<Request>, source: Hop, status: u16) {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, status, Some(&tag));
        if status == 503 {
            response.headers.push(HeaderName::RetryAfter, "10");
        }
        self.send_statelessly(response, source);
    }

    /// Sends an answer outside any transaction. One much longer than its request is not sent: the source may be
    /// forged, and we would help to flood it.
    pub(super) fn send_statelessly(&mut self, response: Response, source: Hop) {
        let payload = write(&Message::Response(response));
        if !source.transport.is_reliable() && payload.len() > self.longest_answer() {
            return;
        }
        let destination = Hop { remote: self.answer_to.unwrap_or(source.remote), ..source };
        self.transactions.transmit(&Transmit { destination, payload });
    }

    /// Whether an answer is more than a forged source may be sent.
    pub(super) fn is_too_long(&self, response: &Response, source: &Hop) -> bool {
        !source.transport.is_reliable()
            && write(&Message::Response(response.clone())).len() > self.longest_answer()
    }

    fn longest_answer(&self) -> usize {
        self.asked_bytes.saturating_mul(LARGEST_ANSWER)
    }

    /// The answer to a request that could not be read.
    pub(super) fn answer_rejection(&mut self, rejection: Rejection, source: Hop, words: String) {
        let mut response = Response::new(rejection.status);
        response.headers = rejection.headers;
        let vias = response.headers.typed_list::<Via>().unwrap_or_default();
        let call_id = response.headers.first(&HeaderName::CallId).map(|value| value.text().into_owned());
        // RFC 3261 section 8.2.6.2: the answer has a To tag, whatever is wrong with the request.
        if let Some(to) = response.headers.typed::<To>().ok().flatten().filter(|to| to.tag().is_none()) {
            let branch = vias.first().map(Via::branch).unwrap_or_default();
            let tag = self.tag_of(&branch, &call_id.unwrap_or_default());
            response.headers.set(HeaderName::To, format!("{to};tag={tag}"));
        }
        if let Some(mut via) = vias.into_iter().next() {
            via.stamp(source.remote);
            self.answer_to = Some(source.for_answer(&via).remote);
            response.headers.replace_first_value(&HeaderName::Via, &via.to_string());
        }
        // RFC 3261 section 21.4.1: the reason phrase should name the problem.
        response.reason =
            if rejection.status == 400 { format!("Bad Request: {words}") } else { response.reason };
        response.headers.push(HeaderName::Server, self.config.product.clone());
        self.send_statelessly(response, source);
    }
}

/// The name a trunk knows us by.
fn account_of(trunk: &Trunk) -> Option<String> {
    let registered = trunk.registration.as_ref().map(|registration| registration.aor_user.clone());
    registered.or_else(|| trunk.credentials.as_ref().map(|credentials| credentials.user.clone()))
}
