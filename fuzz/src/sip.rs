//! Readers of SIP.

use bytes::Bytes;
use sip_core::auth::{Account, DigestServer};
use sip_core::framing::{Frame, Framer};
use sip_core::message::header::{
    Allow, Authorization, CSeq, Contact, ContentLength, Expires, From, MaxForwards, MinExpires, MinSe, PAssertedIdentity,
    Path, Privacy, ProxyAuthenticate, ProxyAuthorization, RAck, RSeq, Reason, RecordRoute, ReferTo, Replaces, RetryAfter,
    Route, SessionExpires, To, Via, WwwAuthenticate,
};
use sip_core::message::{Limits, Message, Method, TypedHeader, Uri, read, session_description, write};
use std::time::{Duration, Instant};

/// A datagram: what is read is written, and the writer's text is read as the same message.
pub fn sip_message(data: &[u8]) {
    let Ok(received) = read(&Bytes::copy_from_slice(data), &Limits::default()) else { return };
    let written = write(&received.message);
    // A byte that is no UTF-8 comes back as three, and the writer adds Content-Length.
    let limits = Limits::default();
    let wider = Limits {
        message_bytes: 3 * limits.message_bytes,
        start_line_bytes: 3 * limits.start_line_bytes,
        header_bytes: 3 * limits.header_bytes,
        header_count: 1 + limits.header_count,
        ..limits
    };
    let again = read(&written, &wider);
    let again = again.unwrap_or_else(|error| panic!("the writer's own text is refused: {error}\n{written:?}"));
    assert_eq!(again.message, received.message);
    assert_eq!(again.essential, received.essential);
    let headers = match &received.message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    };
    let _ = headers.typed_list::<Contact>();
    let _ = headers.typed_list::<Route>();
    let _ = headers.typed_list::<RecordRoute>();
    let _ = headers.typed::<Authorization>();
    let _ = headers.typed::<Expires>();
}

fn same<T: TypedHeader + PartialEq + std::fmt::Debug>(text: &str) {
    let Ok(value) = T::parse(text) else { return };
    // Control characters are read and never written: what is shown of them would be somebody's next line.
    if text.contains(|char: char| char.is_control() && char != '\t') {
        return;
    }
    let written = value.to_string();
    let again = T::parse(&written);
    let again = again.unwrap_or_else(|error| panic!("{error}: {text:?} was written as {written:?}"));
    assert_eq!(again, value, "{text:?} was written as {written:?}");
}

/// The first byte chooses the field, the rest is its value.
pub fn sip_headers(data: &[u8]) {
    let Some((field, value)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(value) else { return };
    let readers: [fn(&str); 27] = [
        same::<Allow>,
        same::<Authorization>,
        same::<CSeq>,
        same::<Contact>,
        same::<ContentLength>,
        same::<Expires>,
        same::<From>,
        same::<MaxForwards>,
        same::<MinExpires>,
        same::<MinSe>,
        same::<PAssertedIdentity>,
        same::<Path>,
        same::<Privacy>,
        same::<ProxyAuthenticate>,
        same::<ProxyAuthorization>,
        same::<RAck>,
        same::<RSeq>,
        same::<Reason>,
        same::<RecordRoute>,
        same::<ReferTo>,
        same::<Replaces>,
        same::<RetryAfter>,
        same::<Route>,
        same::<SessionExpires>,
        same::<To>,
        same::<Via>,
        same::<WwwAuthenticate>,
    ];
    if let Some(reader) = readers.get(usize::from(*field) % readers.len()) {
        reader(text);
    }
}

/// A URI, as in a request line or a header field.
pub fn sip_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(uri) = Uri::parse(text) else { return };
    let written = uri.to_string();
    assert_eq!(Uri::parse(&written).as_ref(), Ok(&uri), "{text:?} was written as {written:?}");
    let _ = (uri.user_text(), uri.host_text());
}

/// Credentials against a server that has challenged: never accepted, whatever they say.
pub fn sip_digest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(credentials) = Authorization::parse(text) else { return };
    let now = Instant::now();
    let mut server = DigestServer::new([7; 32], 16);
    let address = [192, 0, 2, 1].into();
    let challenge = server.challenge(now, address, "acme.test", false);
    let mut credentials = credentials.0;
    // The fuzzer cannot guess a nonce; with the right one it gets further.
    credentials.nonce = challenge.nonce;
    let Ok(uri) = Uri::parse(&credentials.uri) else { return };
    let account = Account { user: "103a", realm: "acme.test", ha1_md5: &[1; 16], ha1_sha256: Some(&[2; 32]) };
    let verdict = server.check(now, address, (&Method::Register, &uri), &credentials, Some(account));
    assert!(!matches!(verdict, sip_core::auth::Verdict::Accepted { .. }), "{text}");
}

/// The first line is the Content-Type, the rest a body, of several parts or one.
pub fn sip_body(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(kind), Some(body)) = (parts.next(), parts.next()) else { return };
    let Ok(kind) = std::str::from_utf8(kind) else { return };
    if kind.contains(['\r', '\0']) {
        return;
    }
    let mut headers = sip_core::message::Headers::default();
    headers.push(sip_core::message::HeaderName::ContentType, kind);
    let _ = session_description(&headers, &Bytes::copy_from_slice(body));
}

/// A stream in pieces as long as the first bytes say: the frames are those of the whole stream in one piece.
pub fn sip_framing(data: &[u8]) {
    let now = Instant::now();
    let Some((step, stream)) = data.split_first() else { return };
    let whole = frames(now, &[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*step).max(1)).collect();
    assert_eq!(frames(now, &pieces), whole);
}

fn frames(now: Instant, pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let limits = Limits::default();
    let mut framer = Framer::new(&limits);
    let mut found = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let now = now + Duration::from_millis(u64::try_from(index).unwrap_or(0));
        framer.push(now, piece);
        loop {
            match framer.next(now) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
        assert!(framer.len() <= limits.message_bytes + piece.len());
    }
    (found, true)
}
