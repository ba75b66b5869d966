//! Hostile and odd messages against a whole user agent: what it answers, and that it lives on.

use std::time::Duration;

use sip_core::ua::{Command, Event};

use crate::support::*;

const PEER: &str = "203.0.113.77:5060";

fn status_of(text: &str) -> u16 {
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Sends a text to a gateway that trusts nobody, and says what it answers.
fn answer(text: &str) -> Option<u16> {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network.send(PEER, text);
    let answers = network.take(PEER);
    assert!(answers.len() <= 1, "{answers:#?}");
    assert_eq!(network.events(GATEWAY), []);
    network.send(PEER, &options("OPTIONS", "sip:x@acme.test", "z9hG4bKalive"));
    assert_eq!(network.take(PEER).len(), 1, "it lives");
    network.run_until_idle();
    answers.first().map(|text| status_of(text))
}

fn options(method: &str, uri: &str, branch: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP host.test:5060;branch={branch}\r\nFrom: <sip:t@h>;tag=t\r\n\
         To: <sip:x@acme.test>\r\nCall-ID: t1\r\nCSeq: 8 {method}\r\nMax-Forwards: 3\r\nContent-Length: 0\r\n\r\n"
    )
}

fn basic() -> String {
    options("OPTIONS", "sip:x@acme.test", "z9hG4bKt")
}

#[test]
fn odd_but_legal_requests_are_served() {
    let swap = |from: &str, to: &str| basic().replace(from, to);
    for text in [
        basic(),
        swap("Max-Forwards: 3", "Max-Forwards: 0"),
        swap("branch=z9hG4bKt", "branch=z9hG4bK"),
        swap(";branch=z9hG4bKt", ""),
        swap("From: <sip:t@h>;tag=t", "From: sip:t@h;tag=t;x=\"; ,\""),
        swap("From: <sip:t@h>;tag=t", "f: Odd~ Name* <sip:a;b=c@h?d=e>"),
        swap("From: <sip:t@h>;tag=t", "From: <tel:+12025550100>;tag=t"),
        swap("To: <sip:x@acme.test>", "To: \"\\\"\\\\\" <sip:%00@acme.test>"),
        swap("To: <sip:x@acme.test>", "To:< sip:x@acme.test >"),
        swap("Content-Length: 0", "X-Odd~'`: \u{7f}\u{fffd} ,;=<\"\r\nContent-Length: 0"),
        swap("Content-Length: 0", "Date: yesterday\r\nExpires: 999999999999\r\nContent-Length: 0"),
        swap("host.test:5060", "[2001:db8::9:1]:5060"),
        swap("host.test:5060", "host.test : 5060 "),
        swap("Via: ", "Via: SIP/2.0/UNKNOWN t9;branch=z9hG4bKu, "),
        swap("sip:x@acme.test SIP", "sip:x@acme.test?Route=%3Csip:evil.test%3E SIP"),
        format!("\r\n\r\n{}trailing bytes", basic()),
    ] {
        assert_eq!(answer(&text), Some(200), "{text}");
    }
}

#[test]
fn malformed_requests_get_400_or_their_own_code() {
    let swap = |from: &str, to: &str| basic().replace(from, to);
    for (text, status) in [
        (swap("Content-Length: 0", "Content-Length: 9999"), 400),
        (swap("Content-Length: 0", "Content-Length: -9"), 400),
        (swap("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 5"), 400),
        (swap("CSeq: 8", "CSeq: 4294967296"), 400),
        (swap("CSeq: 8 OPTIONS", "CSeq: 8 INVITE"), 400),
        (swap("To: <sip:x@acme.test>", "To: \"open <sip:x@acme.test>"), 400),
        (swap("To: <sip:x@acme.test>", "To: <sip:x@acme.test>\r\nTo: <sip:y@acme.test>"), 400),
        (swap("From: <sip:t@h>;tag=t\r\n", ""), 400),
        (swap("From: <sip:t@h>;tag=t", "From: Last, First <sip:t@h>"), 400),
        (swap("Via: SIP/2.0/UDP host.test:5060;", "Via: SIP/2.0/UDP host.test:5060;;,;,;"), 400),
        (swap("Max-Forwards: 3", "Max-Forwards: 3\nEvil: 1"), 400),
        (swap("Max-Forwards: 3", "Max-Forwards: 3\0"), 400),
        (swap("sip:x@acme.test SIP", "sip:x@acme.test; lr SIP"), 400),
        (swap("sip:x@acme.test SIP", "<sip:x@acme.test> SIP"), 400),
        (swap("sip:x@acme.test SIP", "sip:2001:db8::10 SIP"), 400),
        (swap("sip:x@acme.test SIP", "nobody:knows SIP"), 416),
        (swap("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505),
        (swap("Max-Forwards: 3", "Require: a, b\r\nProxy-Require: c"), 420),
        (options("NEWMETHOD", "sip:x@acme.test", "z9hG4bKn"), 501),
        (options("!weird%20Method*", "sip:x@acme.test", "z9hG4bKn"), 501),
    ] {
        assert_eq!(answer(&text), Some(status), "{text}");
    }
}

#[test]
fn p4_a_header_smuggled_past_authentication_is_not_seen_by_routing_either() {
    for authorization in [
        "Authorization : Digest username=\"103a\"\r\n",
        "Authorization: Digest username=\"103a\", realm=\"acme.test\", nonce=\"\", uri=\"\", response=\"\"\r\n",
        "Authorization: Basic MTAzYTp4\r\n",
        "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n",
        "Proxy-Authorization: Digest username=\"103a\", realm=\"acme.test\"\r\n",
        "P-Asserted-Identity: <sip:103a@acme.test>\r\n",
        "Route: <sip:192.0.2.1;lr>\r\n",
        "Record-Route: <sip:evil.test;lr>\r\n",
    ] {
        let invite = options("INVITE", "sip:900000001@acme.test", "z9hG4bKs")
            .replace("Max-Forwards: 3\r\n", authorization);
        assert_eq!(answer(&invite), Some(401), "{authorization}");
    }
    let maddr = options("INVITE", "sip:900000001@acme.test;maddr=192.0.2.1", "z9hG4bKs");
    assert_eq!(answer(&maddr), Some(401));
}

#[test]
fn what_is_no_request_is_met_with_silence() {
    let stray = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnone\r\nFrom: <sip:a@h>;tag=1\r\n\
                 To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
    for text in
        ["", "\r\n\r\n", "\0\0\0\0", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", stray]
    {
        assert_eq!(answer(text), None, "{text:?}");
    }
    assert_eq!(answer(&options("ACK", "sip:x@acme.test", "z9hG4bKa")), None);
    assert_eq!(answer(&options("ACK", "sip:", "z9hG4bKa")), None);
}

#[test]
fn a_body_we_cannot_read_gets_415() {
    let mut network = Network::gateway();
    let mut trunk = carrier_trunk();
    trunk.peer = addr(PEER).into();
    network.command(GATEWAY, Command::PutTrunk(Box::new(trunk)));
    let invite = options("INVITE", "sip:900000001@acme.test", "z9hG4bKb");
    for (kind, status) in [
        ("Content-Type: application/unknown", 415),
        ("Content-Type: application/sdp\r\nContent-Encoding: gzip", 415),
        ("Content-Type: APPLICATION/SDP;charset=utf-8", 100),
    ] {
        let text =
            invite.replace("Content-Length: 0\r\n\r\n", &format!("{kind}\r\nContent-Length: 3\r\n\r\nv=0"));
        network.send(PEER, &text);
        assert_eq!(status_of(&network.take_one(PEER)), status, "{kind}");
    }
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}

#[test]
fn s9_answers_to_strangers_stay_small_and_leave_nothing_behind() {
    let mut network = Network::gateway();
    for n in 0..200 {
        let branch = format!("z9hG4bKf{n}");
        let text = options(["INVITE", "REGISTER", "OPTIONS"][n % 3], "sip:900000001@acme.test", &branch);
        network.send(PEER, &text);
        let answer = network.take_one(PEER);
        assert!(answer.len() <= 3 * text.len());
        assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts(), Default::default());
    }
}

#[test]
fn s9_a_short_request_gets_no_long_answer() {
    let mut network = Network::gateway();
    network.send(
        PEER,
        "INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP h\r\nf:sip:a\r\nt:sip:a\r\ni:1\r\nCSeq:1 INVITE\r\n\r\n",
    );
    assert_eq!(network.take(PEER), Vec::<String>::new());
    network.send(PEER, &basic().replace("CSeq: 8", "CSeq: x"));
    let refusal = network.take_one(PEER);
    assert!(header(&refusal, "To").contains(";tag="), "{refusal}");
    assert_eq!(header(&refusal, "Server"), "Partyline");
}

#[test]
fn a_malformed_answer_does_not_end_the_call() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    network.command(GATEWAY, call(to_number()));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(CARRIER);
    for bad in ["200 OK\r\nFrom: x", "200 OK\r\nCSeq: 1 BYE", "99 OK", "200 OK\r\nVia: SIP/2.0/UDP other"] {
        network.send(CARRIER, &answer_to(&invite, bad, "a", "", ""));
    }
    assert_eq!(network.take_events(GATEWAY), []);
    network.send(CARRIER, &answer_to(&invite, "486 Busy", "a", "Contact: <<>>\r\nWarning: \"\r\n", ""));
    assert!(matches!(network.take_events(GATEWAY)[..], [Event::Ended { .. }]));
    network.run_until_idle();
}

#[test]
fn every_cut_and_every_flipped_byte_of_a_call_is_survived() {
    let mut network = with_phone();
    let text = request_with(
        "INVITE",
        "sip:900000001@acme.test",
        "sip:103a@acme.test",
        "sip:900000001@acme.test",
        1,
        "Contact: <sip:103a@10.0.0.9>\r\nRecord-Route: <sip:p;lr>\r\n",
        OFFER,
        "c9",
        "m",
    );
    for at in 0..text.len() {
        let mut flipped = text.clone().into_bytes();
        flipped[at] ^= 1 << (at % 7);
        for bytes in [text.as_bytes()[..at].to_vec(), flipped] {
            network.send(PEER, &String::from_utf8_lossy(&bytes));
        }
    }
    network.run_until_registration_ends();
}
