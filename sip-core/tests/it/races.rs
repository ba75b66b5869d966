//! What happens when messages cross (mission rows D37 and D38), against a scripted carrier.

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{Command, EndCause, Event};

use crate::support::*;

pub(crate) const CONTACT: &str = "Contact: <sip:callee@192.0.2.2:5060>\r\nContent-Type: application/sdp\r\n";

pub(crate) fn calling() -> (Network, String) {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    network.command(GATEWAY, call(to_number()));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(CARRIER);
    assert!(invite.starts_with("INVITE sip:+12025550177@carrier.test SIP/2.0\r\n"));
    (network, invite)
}

pub(crate) fn methods(texts: &[String]) -> Vec<&str> {
    texts.iter().map(|text| text.split(' ').next().unwrap()).collect()
}

#[test]
fn d38_a_200_crossing_the_cancel_is_acknowledged_and_released() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "180 Ringing", "a", "", ""));
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    let texts = network.take(CARRIER);
    assert_eq!(methods(&texts), ["CANCEL", "ACK", "BYE"]);
    assert_eq!(header(&texts[0], "CSeq"), "1 CANCEL");
    assert_eq!(header(&texts[0], "Via"), header(&invite, "Via"));
    assert!(texts[2].starts_with("BYE sip:callee@192.0.2.2:5060 SIP/2.0\r\n"));
    assert_eq!(header(&texts[2], "CSeq"), "2 BYE");
    network.send(CARRIER, &answer_to(&texts[0], "200 OK", "a", "", ""));
    network.send(CARRIER, &answer_to(&texts[2], "200 OK", "a", "", ""));
    network.run_until_idle();
    let provisional = Event::Provisional { session: CALL, status: 180, body: None };
    let ended = Event::Ended { session: CALL, cause: EndCause::LocalHangUp };
    assert_eq!(network.events(GATEWAY), [provisional, ended]);
}

#[test]
fn d38_cancel_waits_for_a_provisional_response() {
    let (mut network, invite) = calling();
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_millis(100));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.send(CARRIER, &answer_to(&invite, "100 Trying", "", "", ""));
    let cancel = network.take_one(CARRIER);
    assert!(cancel.starts_with("CANCEL "));
    network.send(CARRIER, &answer_to(&cancel, "200 OK", "a", "", ""));
    network.send(CARRIER, &answer_to(&invite, "487 Request Terminated", "a", "", ""));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK"]);
    network.run_until_idle();
}

#[test]
fn d38_a_peer_that_ignores_the_cancel_is_given_up() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "180 Ringing", "a", "", ""));
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_secs(40));
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().sessions, 0);
    network.run_until_idle();
}

#[test]
fn d37_forked_200s_keep_one_and_release_the_rest() {
    let (mut network, invite) = calling();
    for tag in ["a", "b", "c"] {
        network.send(CARRIER, &answer_to(&invite, "200 OK", tag, CONTACT, ANSWER));
    }
    let texts = network.take(CARRIER);
    assert_eq!(methods(&texts), ["ACK", "ACK", "BYE", "ACK", "BYE"]);
    for (text, tag) in texts.iter().zip(["a", "b", "b", "c", "c"]) {
        assert!(header(text, "To").ends_with(&format!(";tag={tag}")), "{text}");
    }
    for bye in [&texts[2], &texts[4]] {
        network.send(CARRIER, &answer_to(bye, "200 OK", "", "", ""));
    }
    // Each repeated 200 gets its own ACK again, and no second BYE.
    network.send(CARRIER, &answer_to(&invite, "200 OK", "b", CONTACT, ANSWER));
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    assert_eq!(network.take(CARRIER), [texts[1].clone(), texts[0].clone()]);
    let body = Bytes::from_static(ANSWER.as_bytes());
    let answered = Event::Answered { session: CALL, body, source: addr(CARRIER) };
    assert_eq!(network.take_events(GATEWAY), [answered]);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_until_idle();
    assert_eq!(network.take_events(GATEWAY).len(), 1);
}

#[test]
fn a_200_after_the_end_is_still_acknowledged_and_released() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_millis(50));
    let texts = network.take(CARRIER);
    assert_eq!(methods(&texts), ["ACK", "BYE"]);
    network.send(CARRIER, &answer_to(&texts[1], "200 OK", "a", "", ""));
    network.send(CARRIER, &answer_to(&invite, "200 OK", "late", CONTACT, ANSWER));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK", "BYE"]);
    network.run_until_idle();
}

#[test]
fn d38_bye_crossing_bye_ends_both() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.take(CARRIER);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_millis(50));
    let ours = network.take_one(CARRIER);
    network.send(CARRIER, &their_request("BYE", &invite, 1, ""));
    let theirs = network.take_one(CARRIER);
    assert!(theirs.starts_with("SIP/2.0 200 "), "{theirs}");
    network.send(CARRIER, &answer_to(&ours, "481 Gone", "", "", ""));
    network.run_until_idle();
}

/// A request of the called side within the dialog our INVITE made.
pub(crate) fn their_request(method: &str, invite: &str, cseq: u32, body: &str) -> String {
    let (us, them) = (header(invite, "From"), header(invite, "To"));
    format!(
        "{method} sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKt{method}{cseq}\r\n\
         From: {them};tag=a\r\nTo: {us}\r\nCall-ID: call-7@acme.test\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:callee@192.0.2.2:5060>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_offer_is_answered_and_repeated_until_its_ack() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.take(CARRIER);
    network.take_events(GATEWAY);
    network.send(CARRIER, &their_request("INVITE", &invite, 1, OFFER));
    assert_eq!(
        network.take_events(GATEWAY),
        [Event::Offer { session: CALL, body: Bytes::from_static(OFFER.as_bytes()) }]
    );
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 100 "));
    // A second offer before the first is answered: 500 with Retry-After (RFC 3261 section 14.2).
    network.send(CARRIER, &their_request("INVITE", &invite, 2, OFFER));
    let refusal = network.take_one(CARRIER);
    assert!(refusal.starts_with("SIP/2.0 500 ") && refusal.contains("\r\nRetry-After: "), "{refusal}");
    network.send(CARRIER, &their_request("ACK", &invite, 2, "").replace("tACK2", "tINVITE2"));
    let body = Ok(Bytes::from_static(ANSWER.as_bytes()));
    network.command(GATEWAY, Command::AnswerOffer { session: CALL, body });
    network.run_for(Duration::from_millis(600));
    let answers = network.take(CARRIER);
    assert_eq!(answers.len(), 2, "{answers:#?}");
    assert!(answers[0].starts_with("SIP/2.0 200 ") && answers[0].ends_with(ANSWER));
    // And one while our answer is not acknowledged: glare.
    network.send(CARRIER, &their_request("INVITE", &invite, 3, OFFER));
    assert!(network.take(CARRIER).iter().any(|text| text.starts_with("SIP/2.0 491 ")));
    network.send(CARRIER, &their_request("ACK", &invite, 3, "").replace("tACK3", "tINVITE3"));
    network.send(CARRIER, &their_request("ACK", &invite, 1, ""));
    network.take(CARRIER);
    network.run_for(Duration::from_secs(10));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.send(CARRIER, &their_request("BYE", &invite, 4, ""));
    network.run_until_idle();
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: CALL, cause: EndCause::RemoteBye }]);
}

#[test]
fn a_refused_offer_leaves_the_call_alone_and_an_old_cseq_is_out_of_order() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.take(CARRIER);
    network.send(CARRIER, &their_request("INVITE", &invite, 5, OFFER));
    network.take(CARRIER);
    network.command(GATEWAY, Command::AnswerOffer { session: CALL, body: Err(488) });
    network.run_for(Duration::from_millis(50));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 488 "));
    network.send(CARRIER, &their_request("ACK", &invite, 5, "").replace("tACK5", "tINVITE5"));
    network.send(CARRIER, &their_request("BYE", &invite, 5, ""));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 500 "));
    network.send(CARRIER, &their_request("BYE", &invite, 6, ""));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 200 "));
    network.run_until_idle();
}

#[test]
fn s2_nobody_else_may_speak_in_a_dialog_even_with_its_tags() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.take(CARRIER);
    network.take_events(GATEWAY);
    let stranger = "203.0.113.9:5060";
    for (method, cseq) in [("INVITE", 1), ("BYE", 2), ("OPTIONS", 3)] {
        network.send(stranger, &their_request(method, &invite, cseq, ""));
        assert!(network.take_one(stranger).starts_with("SIP/2.0 481 "), "{method}");
    }
    assert_eq!(network.take_events(GATEWAY), []);
    // The peer behind another port of the same host is still the peer.
    network.send("192.0.2.2:9999", &their_request("BYE", &invite, 1, ""));
    // It named its own address in Via and did not ask for rport: the answer goes to the port it named.
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 200 "));
    network.run_until_idle();
}

#[test]
fn s6_a_bye_that_went_elsewhere_shows_no_digest() {
    let (mut network, invite) = calling();
    let mut trunk = carrier_trunk();
    trunk.sources = vec!["192.0.2.0/24".parse().unwrap()];
    trunk.credentials =
        Some(sip_core::ua::Credentials { user: "u".into(), realm: None, password: "p".into() });
    network.command(GATEWAY, Command::PutTrunk(Box::new(trunk)));
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.take(CARRIER);
    let elsewhere = "192.0.2.99:5060";
    network.send(elsewhere, &their_request("INVITE", &invite, 1, OFFER));
    network.take(elsewhere);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_millis(50));
    let bye = network.take(elsewhere).pop().unwrap();
    assert!(bye.starts_with("BYE "));
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    network.send(elsewhere, &answer_to(&bye, "401 Unauthorized", "", challenge, ""));
    assert!(network.take(elsewhere).iter().all(|text| !text.contains("Authorization:")));
    network.run_until_idle();
}

#[test]
fn l4_refused_offers_leave_no_transactions_behind() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.send(CARRIER, &their_request("INVITE", &invite, 1, OFFER));
    let before = network.nodes[&addr(GATEWAY)].ua.counts();
    for cseq in 2..100 {
        network.send(CARRIER, &their_request("INVITE", &invite, cseq, OFFER));
    }
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts(), before);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_until_idle();
}

#[test]
fn record_route_of_the_answer_becomes_the_route_of_the_dialog() {
    let (mut network, invite) = calling();
    let more = format!("{CONTACT}Record-Route: <sip:p2.test;lr>, <sip:p1.test;lr>\r\n");
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", &more, ANSWER));
    let ack = network.take_one(CARRIER);
    assert!(ack.starts_with("ACK sip:callee@192.0.2.2:5060 SIP/2.0\r\n"));
    let routes: Vec<&str> = ack.lines().filter_map(|line| line.strip_prefix("Route: ")).collect();
    assert_eq!(routes, ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_until_idle();
}
