//! What a request asks that can be refused before anybody thinks about its meaning.

use crate::message::header::To;
use crate::message::{HeaderName, Method, Received, Request, Uri};

/// The status such a request gets.
pub(super) fn refusal(request: &Received<Request>) -> Option<u16> {
    match &request.message.method {
        // RFC 3261 section 21.4.7: the caller could not read any answer of ours.
        Method::Invite if !takes_descriptions(&request.message) => Some(406),
        // RFC 3261 section 10.3 (5): what is registered is a SIP or SIPS URI.
        Method::Register if !is_sip(&request.essential.to) => Some(400),
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Info
        | Method::Invite
        | Method::Message
        | Method::Notify
        | Method::Options
        | Method::Prack
        | Method::Publish
        | Method::Refer
        | Method::Register
        | Method::Subscribe
        | Method::Update
        | Method::Other(_) => None,
    }
}

/// Whether Accept, if there is one, has a place for a session description (RFC 3261 section 20.1). An empty one means
/// "nothing" by the RFC, and nothing at all by those who send it.
fn takes_descriptions(request: &Request) -> bool {
    let ranges = request.headers.tokens(&HeaderName::Accept);
    ranges.is_empty()
        || ranges.iter().any(|range| {
            let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            ["application/sdp", "application/*", "*/*", "*"].contains(&kind.as_str())
                || kind.starts_with("multipart/")
        })
}

fn is_sip(to: &To) -> bool {
    matches!(to.0.uri, Uri::Sip(_))
}
