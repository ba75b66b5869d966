//! Properties: random bytes never panic, what is written reads back the same, and a user agent fed with
//! anything forgets it all.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use sip_core::message::header::{
    Allow, Authorization, CSeq, Contact, ContentLength, EventPackage, Expires, From, MaxForwards, MinExpires,
    NameAddr, PAssertedIdentity, Privacy, ProxyAuthenticate, ProxyAuthorization, Reason, RecordRoute,
    RetryAfter, Route, To, TypedHeader, Via, WwwAuthenticate,
};
use sip_core::message::{
    HeaderName, Headers, Host, Limits, Message, Method, Params, Request, Response, SipUri, Uri, read, write,
};
use sip_core::ua::{Command, Datagram, Output, SessionId, UserAgent};

use crate::support::{GATEWAY, PHONE, account, addr, carrier_trunk, config};

/// Text made of the pieces that SIP readers trip over.
fn sip_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "SIP/2.0",
            " ",
            "\r\n",
            "\r\n ",
            "INVITE ",
            "sip:a@b",
            "<",
            ">",
            "\"",
            "\\",
            ",",
            ";",
            "=",
            ":",
            "\0",
            "\r",
            "\n",
            "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
            "From: <sip:a@b>;tag=1\r\n",
            "To: <sip:c@d>\r\n",
            "Call-ID: 1\r\n",
            "CSeq: 1 INVITE\r\n",
            "Content-Length: ",
            "Contact: *",
            "200 OK",
            "[::1]",
            "@",
            "tel:+1",
            "INVITE sip:a@b SIP/2.0\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\n",
            "Authorization: Digest ",
            "nonce=\"",
            "%",
            "?",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn round_trip<T: TypedHeader + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = T::parse(text) {
        let written = value.to_string();
        assert_eq!(T::parse(&written).as_ref(), Ok(&value), "{text:?} was written as {written:?}");
    }
}

fn every_header(text: &str) {
    round_trip::<Allow>(text);
    round_trip::<Authorization>(text);
    round_trip::<CSeq>(text);
    round_trip::<Contact>(text);
    round_trip::<ContentLength>(text);
    round_trip::<EventPackage>(text);
    round_trip::<Expires>(text);
    round_trip::<From>(text);
    round_trip::<MaxForwards>(text);
    round_trip::<MinExpires>(text);
    round_trip::<PAssertedIdentity>(text);
    round_trip::<Privacy>(text);
    round_trip::<ProxyAuthenticate>(text);
    round_trip::<ProxyAuthorization>(text);
    round_trip::<Reason>(text);
    round_trip::<RecordRoute>(text);
    round_trip::<RetryAfter>(text);
    round_trip::<Route>(text);
    round_trip::<To>(text);
    round_trip::<Via>(text);
    round_trip::<WwwAuthenticate>(text);
}

fn no_controls(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&Bytes::from(bytes), &Limits::default());
    }

    #[test]
    fn what_reads_is_written_and_reads_the_same(bytes in sip_like()) {
        if let Ok(received) = read(&Bytes::from(bytes), &Limits::default()) {
            let again = read(&write(&received.message), &Limits::default());
            prop_assert_eq!(again.as_ref(), Ok(&received));
        }
    }

    #[test]
    fn mutated_messages_read_without_panic_and_round_trip(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        folded in any::<bool>(),
    ) {
        let mut bytes = b"INVITE sip:a@b;x=y SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [::1]\r\n\
            f: \"A \\\" B\" <sip:a@b>;tag=1\r\nTo: <sips:c@d:1?e=f>\r\ni: 1@2\r\nCSeq: 1 INVITE\r\n\
            m: <sip:a@b>;expires=5, \"x\" <tel:+1>\r\nRoute: <sip:p;lr>\r\nl: 3\r\n\r\nv=0".to_vec();
        if folded {
            bytes = String::from_utf8(bytes).unwrap().replace(": ", " :\r\n\t").into_bytes();
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(received) = read(&Bytes::from(bytes), &Limits::default()) {
            let again = read(&write(&received.message), &Limits::default());
            prop_assert_eq!(again.as_ref(), Ok(&received));
        }
    }

    #[test]
    fn every_typed_header_round_trips(text in "\\PC{0,40}", bytes in sip_like()) {
        every_header(&text);
        every_header(&no_controls(&String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn uris_round_trip(text in "(sip|sips|tel|x):[ -~]{0,30}") {
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
        }
    }

    /// I93: whatever text the layers above put into names, users and header values, one message comes out.
    #[test]
    fn i93_any_text_stays_in_its_place(display in any::<String>(), user in any::<String>(), value in any::<String>(), tag in any::<String>()) {
        let uri = Uri::Sip(SipUri::new(Some(&user), Host::Name("h".into()), None));
        let mut from = From(NameAddr { display: Some(display.clone()), uri: uri.clone(), params: Params::default() });
        from.0.params.set("tag", Some(&tag));
        let mut request = Request::new(Method::Options, uri.clone());
        request.headers.push(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1");
        request.headers.push_typed(&from);
        request.headers.push_typed(&To(NameAddr::new(uri.clone())));
        request.headers.push(HeaderName::CallId, "1");
        request.headers.push(HeaderName::CSeq, "1 OPTIONS");
        request.headers.push(HeaderName::Subject, value);
        let received = read(&write(&Message::Request(request.clone())), &Limits::default()).unwrap();
        prop_assert_eq!(&received.essential.from.0.uri, &uri);
        prop_assert_eq!(received.essential.from.0.display, Some(no_controls(&display)));
        let Message::Request(read_back) = received.message else { panic!() };
        prop_assert_eq!(read_back.headers.len(), request.headers.len());
    }

    #[test]
    fn i93_any_reason_phrase_stays_in_its_line(reason in any::<String>(), status in 100_u16..700) {
        let mut headers = Headers::default();
        for (name, value) in [
            (HeaderName::Via, "SIP/2.0/UDP h"), (HeaderName::From, "<sip:a@b>"), (HeaderName::To, "<sip:a@b>"),
            (HeaderName::CallId, "1"), (HeaderName::CSeq, "1 BYE"),
        ] {
            headers.push(name, value);
        }
        let response = Response { status, reason, headers, body: Bytes::new() };
        let received = read(&write(&Message::Response(response.clone())), &Limits::default()).unwrap();
        let Message::Response(read_back) = received.message else { panic!() };
        prop_assert_eq!((read_back.status, read_back.headers), (status, response.headers));
    }
}

fn drain(
    ua: &mut UserAgent,
    now: Instant,
    log: &mut Vec<u8>,
    incoming: &mut Vec<SessionId>,
) -> Option<Instant> {
    loop {
        match ua.poll_output() {
            Output::Transmit(transmit) => {
                assert!(
                    read(&transmit.payload, &Limits::default()).is_ok()
                        || transmit.payload.starts_with(b"SIP/2.0 4")
                );
                log.extend(&transmit.payload);
            }
            Output::Resolve(_) | Output::Connect(_) => {}
            Output::Event(event) => {
                log.extend(format!("{event:?}").bytes());
                if let sip_core::ua::Event::Incoming(invite) = event {
                    incoming.push(invite.session);
                }
            }
            Output::Timeout(at) => {
                assert!(at.is_none_or(|at| at + Duration::from_secs(1) > now));
                return at;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Request(u8, u8, u8, bool),
    Command(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        sip_like().prop_map(Step::Bytes),
        (0_u8..8, 0_u8..4, 0_u8..4, any::<bool>()).prop_map(|(m, c, n, t)| Step::Request(m, c, n, t)),
        (0_u8..9).prop_map(Step::Command),
        any::<u16>().prop_map(Step::Wait),
    ]
}

/// Calls differ in what they ask for: reliable ringing, session timers, a description or none.
fn extras(call: u8, sent: &str) -> String {
    let rseq =
        sent.rfind("\r\nRSeq: ").and_then(|at| sent.get(at + 8..)).and_then(|text| text.lines().next());
    let rack = rseq.map(|rseq| format!("RAck: {rseq} 1 INVITE\r\n")).unwrap_or_default();
    let timer = "Supported: timer\r\nSession-Expires: 100;refresher=uas\r\nAllow: UPDATE\r\n";
    match call {
        0 => format!("{rack}Require: 100rel\r\n{timer}"),
        1 => "Session-Expires: 1\r\nRefer-To: <sip:x@y>\r\n".to_owned(),
        2 => format!("{rack}Require: 100rel, timer\r\n"),
        _ => String::new(),
    }
}

fn run(steps: &[Step]) -> Vec<u8> {
    let mut configuration = config(GATEWAY);
    configuration.trusted_peers = vec!["0.0.0.0/0".parse().unwrap()];
    let mut ua = UserAgent::new(configuration, [9; 32]);
    let (mut now, mut log, mut incoming) = (Instant::now(), Vec::new(), Vec::new());
    ua.handle_command(now, Command::PutTrunk(Box::new(carrier_trunk())));
    ua.handle_command(now, Command::PutDevice(account("103a", "acme.test", "x")));
    for step in steps {
        match step {
            Step::Bytes(payload) => ua.handle_datagram(now, Datagram { source: addr(PHONE), payload }),
            Step::Request(method, call, cseq, tagged) => {
                let names = ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "REFER", "INFO", "UPDATE"];
                let method = names[usize::from(*method)];
                // Half of the requests claim the dialog whose tag was seen last.
                let sent = String::from_utf8_lossy(&log).into_owned();
                let to =
                    sent.rfind("\r\nTo: <sip:1@acme.test>;tag=").and_then(|at| sent.get(at + 28..at + 44));
                let tag = to.filter(|_| *tagged).map(|tag| format!(";tag={tag}")).unwrap_or_default();
                let text = format!(
                    "{method} sip:1@acme.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{call}{cseq}{}\r\n\
                     From: <sip:2@h>;tag=f\r\nTo: <sip:1@acme.test>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n{}\r\n{}",
                    if *tagged { "t" } else { "" },
                    extras(*call, &sent),
                    if *call < 2 { "v=0\r\n" } else { "" },
                );
                ua.handle_datagram(now, Datagram { source: addr(PHONE), payload: text.as_bytes() });
            }
            Step::Command(kind) => {
                let session = incoming.last().copied().unwrap_or(crate::support::CALL);
                let body = Bytes::from_static(b"v=0\r\n");
                ua.handle_command(
                    now,
                    match kind {
                        0 => Command::Provisional { session, status: 183, body: Some(body) },
                        1 => Command::Accept { session, body },
                        2 => Command::Reject { session, status: 486 },
                        3 => Command::HangUp { session },
                        4 => Command::AnswerOffer { session, body: Ok(body) },
                        7 => Command::Offer { session, body },
                        8 => Command::Offer { session: crate::support::CALL, body },
                        5 => crate::support::call(crate::support::to_number()),
                        _ => Command::HangUp { session: crate::support::CALL },
                    },
                );
            }
            Step::Wait(millis) => {
                now += Duration::from_millis(u64::from(*millis));
                ua.handle_timeout(now);
            }
        }
        drain(&mut ua, now, &mut log, &mut incoming);
    }
    ua.handle_command(now, Command::Shutdown);
    while let Some(at) = drain(&mut ua, now, &mut log, &mut incoming) {
        now = at;
        ua.handle_timeout(now);
    }
    assert_eq!(ua.counts(), Default::default());
    log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: no panic, everything ends, the same inputs give the same bytes.
    #[test]
    fn a_user_agent_survives_anything_and_forgets_it(steps in prop::collection::vec(step(), 0..40)) {
        prop_assert_eq!(run(&steps), run(&steps));
    }
}
