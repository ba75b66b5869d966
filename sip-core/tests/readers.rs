//! Our reader beside others': conversions from and to `rsip`, and the same messages read by `rsipstack`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use rsipstack::sip::{HeadersExt as _, ToTypedHeader as _};
use sip_core::message::{ConversionError, Limits, Message, read};

const HEAD: &str = "Via: SIP/2.0/UDP h.test:5060;branch=z9hG4bKr1\r\nMax-Forwards: 70\r\nFrom: \"Ann\" <sip:ann@h.test>;tag=a1\r\n\
                    To: <sip:bob@h.test>\r\nCall-ID: r1@h.test\r\nCSeq: 7 OPTIONS\r\n";

fn plain() -> String {
    format!(
        "OPTIONS sip:bob@h.test SIP/2.0\r\n{HEAD}Contact: <sip:ann@h.test:5070>\r\nContent-Length: 4\r\n\r\nbody"
    )
}

fn message(text: &str) -> Message {
    read(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap().message
}

#[test]
fn d03_messages_go_to_rsip_and_back() {
    let response = "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP h.test;branch=z9hG4bKr2\r\nFrom: <sip:a@h.test>;tag=1\r\n\
                    To: <sip:b@h.test>;tag=2\r\nCall-ID: r2\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    for text in [plain().as_str(), response] {
        let ours = message(text);
        let theirs = rsip::SipMessage::try_from(&ours).unwrap();
        assert_eq!(Message::try_from(theirs).unwrap(), ours, "{text}");
    }
    // What its reader cannot read by itself it can after ours has.
    let folded = plain().replace("Call-ID: r1", "i:\r\n r1").replace("From:", "f :");
    let theirs = rsip::SipMessage::try_from(&message(&folded)).unwrap();
    assert_eq!(Message::try_from(theirs).unwrap(), message(&plain()));
}

#[test]
fn what_rsip_cannot_say_is_an_error() {
    let foreign = plain().replace("Contact: <sip:ann", "X: \u{fffd}\r\nContact: <sip:ann");
    let mut foreign = message(&foreign);
    if let Message::Request(request) = &mut foreign {
        request.uri = sip_core::message::Uri::parse("urn:service:sos").unwrap();
    }
    assert!(matches!(rsip::SipMessage::try_from(&foreign), Err(ConversionError::Theirs(_))));
    let bare = rsip::SipMessage::Request(rsip::Request {
        method: rsip::Method::Options,
        uri: rsip::Uri::try_from("sip:bob@h.test").unwrap(),
        version: rsip::Version::V2,
        headers: rsip::Headers::default(),
        body: Vec::new(),
    });
    assert!(matches!(Message::try_from(bare), Err(ConversionError::Ours(_))));
}

/// What a reader made of a message: nothing, or the parts that decide where it goes.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    call_id: String,
    cseq: u32,
    from_tag: String,
    via: String,
    body: Vec<u8>,
}

fn ours(bytes: &[u8]) -> Option<Reading> {
    let received = read(&Bytes::copy_from_slice(bytes), &Limits::default()).ok()?;
    let body = match received.message {
        Message::Request(request) => request.body.to_vec(),
        Message::Response(response) => response.body.to_vec(),
    };
    Some(Reading {
        call_id: received.essential.call_id.clone(),
        cseq: received.essential.cseq.number,
        from_tag: received.essential.from.tag().unwrap_or_default(),
        via: received.essential.via.branch(),
        body,
    })
}

fn theirs(bytes: &[u8]) -> Option<Reading> {
    let message = rsipstack::sip::SipMessage::try_from(bytes).ok()?;
    let from = message.from_header().ok()?.typed().ok()?;
    Some(Reading {
        call_id: message.call_id_header().ok()?.value().to_owned(),
        cseq: message.cseq_header().ok()?.typed().ok()?.seq,
        from_tag: from.tag().map(|tag| tag.value().to_owned()).unwrap_or_default(),
        via: message
            .via_header()
            .ok()?
            .typed()
            .ok()?
            .branch()
            .map(|branch| branch.value().to_owned())
            .unwrap_or_default(),
        body: match message {
            rsipstack::sip::SipMessage::Request(request) => request.body,
            rsipstack::sip::SipMessage::Response(response) => response.body,
        },
    })
}

/// Who is right about a message, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Both,
    Ours(&'static str),
}

use Who::{Both, Ours};

#[test]
fn d23_the_same_messages_read_by_rsipstack_and_who_is_right_where_they_differ() {
    let swap = |from: &str, to: &str| {
        assert!(plain().contains(from), "{from}");
        plain().replacen(from, to, 1).into_bytes()
    };
    let mut not_utf8 = swap("Contact:", "Subject: x\r\nContact:");
    let at = not_utf8.windows(3).position(|window| window == b": x").unwrap();
    not_utf8[at + 2] = 0xff;
    let cases: Vec<(&str, Vec<u8>, Who)> = vec![
        ("plain", plain().into_bytes(), Both),
        ("compact names", swap("Call-ID:", "i:"), Both),
        ("white space before the colon", swap("Call-ID:", "Call-ID \t:"), Both),
        (
            "folding",
            swap("Call-ID: r1", "Call-ID:\r\n r1"),
            Ours(
                "RFC 3261 7.3.1: a fold is one space and the value is trimmed; they keep the space in the Call-ID",
            ),
        ),
        ("a tel URI", swap("OPTIONS sip:bob@h.test", "OPTIONS tel:+12025550100"), Both),
        ("IPv6", swap("h.test:5060", "[2001:db8::1]:5060"), Both),
        (
            "an unknown method",
            String::from_utf8(swap("OPTIONS sip", "NEWONE sip"))
                .unwrap()
                .replace("7 OPTIONS", "7 NEWONE")
                .into_bytes(),
            Ours("RFC 3261 7.1: a method is any token; they refuse it, and a stream with it"),
        ),
        ("an escaped quote in a name", swap("\"Ann\"", "\"A\\\"nn\""), Both),
        ("a body shorter than the datagram", swap("Content-Length: 4", "Content-Length: 2"), Both),
        (
            "bytes that are not UTF-8",
            not_utf8,
            Ours("RFC 3261 7.3.1, 25.1: values may hold them; they lose the body"),
        ),
        (
            "no Content-Length",
            swap("Content-Length: 4\r\n", ""),
            Ours("RFC 3261 18.3: the datagram ends the body; they lose it"),
        ),
        (
            "more promised than sent",
            swap("Content-Length: 4", "Content-Length: 400"),
            Ours("RFC 3261 18.3: MUST be refused; they take what there is"),
        ),
        (
            "two lengths",
            swap("Content-Length: 4", "Content-Length: 4\r\nContent-Length: 2"),
            Ours("RFC 4475 3.3.9: nobody can say which; they take the last one"),
        ),
        (
            "two Call-IDs",
            swap("Call-ID: r1@h.test", "Call-ID: r1@h.test\r\nCall-ID: evil"),
            Ours("RFC 4475 3.3.8: two dialogs in one message; they take the first one"),
        ),
        (
            "a bare LF",
            swap("Max-Forwards: 70\r\n", "Max-Forwards: 70\n"),
            Ours(
                "RFC 3261 7: lines end with CRLF; whoever is next on the way may see other lines than they do",
            ),
        ),
        (
            "a NUL",
            swap("Max-Forwards: 70", "Max-Forwards: 70\0"),
            Ours("RFC 3261 25.1: no grammar holds one"),
        ),
        (
            "another CSeq method",
            swap("7 OPTIONS", "7 INVITE"),
            Ours("RFC 3261 8.1.1.5, RFC 4475 3.1.2.17: MUST match; they do not look"),
        ),
        ("a CSeq too large", swap("7 OPTIONS", "4294967295 OPTIONS"), Ours("RFC 3261 8.1.1.5: below 2^31")),
        (
            "an open quote",
            swap("\"Ann\"", "\"Ann"),
            Ours("RFC 4475 3.1.2.6: nobody can say where the name ends"),
        ),
        ("no To", swap("To: <sip:bob@h.test>\r\n", ""), Ours("RFC 3261 8.1.1: required")),
        (
            "another version",
            swap("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"),
            Ours("RFC 4475 3.1.2.16: gets 505; they read it as 2.0"),
        ),
        (
            "a Via list",
            swap("Via: SIP", "Via: SIP/2.0/TCP p.test;branch=z9hG4bKp, SIP"),
            Ours(
                "RFC 3261 7.3.1: several hops in one line are several; they put the second one into the first one's branch",
            ),
        ),
        ("an angle bracket left open", swap("<sip:ann@h.test>;", "<sip:ann@h.test;"), Both),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, who) in cases {
        let (ours, theirs) = (ours(&bytes), theirs(&bytes));
        let ours_is_right = matches!(who, Ours(rule) if !rule.is_empty());
        if (ours == theirs) == ours_is_right {
            wrong.push(format!("{name}: listed as {who:?}\n  we read   {ours:?}\n  they read {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
