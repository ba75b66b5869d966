//! What happens within calls: late offers, keys, holding, reliable ringing, session timers, probes.

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{Command, EndCause, Event, OutgoingInvite, SessionId, TrunkId};

use crate::races::{CONTACT, calling, methods, their_request};
use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);
const ROOM: &str = "sip:900000001@acme.test";
const FROM: &str = "sip:+12025550177@carrier.test";
const IN: SessionId = SessionId::Incoming(1);

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A call of ours that the carrier has answered; what its 200 says beside.
fn established(more: &str) -> (Network, String) {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", &format!("{CONTACT}{more}"), ANSWER));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK"]);
    network.take_events(GATEWAY);
    (network, invite)
}

/// A call from the carrier that waits for an answer.
fn incoming(more: &str, body: &str) -> Network {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    let contact = "Contact: <sip:gw@192.0.2.2:5060>\r\nContent-Type: application/sdp\r\n";
    let invite = request_with("INVITE", ROOM, FROM, ROOM, 1, &format!("{contact}{more}"), body, "in", "i1");
    network.send(CARRIER, &invite);
    assert!(matches!(network.take_events(GATEWAY)[..], [Event::Incoming(_)]));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 100 "));
    network
}

/// A later request of that caller.
fn caller(method: &str, cseq: u32, to: &str, more: &str, body: &str) -> String {
    let branch = format!("{method}{cseq}");
    request_with(method, "sip:192.0.2.1:5060", FROM, ROOM, cseq, more, body, "in", &branch)
        .replace(&format!("To: <{ROOM}>"), &format!("To: {to}"))
}

fn hang_up(mut network: Network) {
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}

#[test]
fn an_invite_without_offer_gets_the_answer_in_its_ack() {
    let mut network = incoming("", "");
    network.command(GATEWAY, Command::Accept { session: IN, body: sdp(OFFER) });
    network.run_for(SECOND / 20);
    let ok = network.take_one(CARRIER);
    assert!(ok.ends_with(OFFER));
    let kind = "Content-Type: application/sdp\r\n";
    network.send(CARRIER, &caller("ACK", 1, header(&ok, "To"), kind, ANSWER));
    let answered = Event::OfferAnswered { session: IN, body: Ok(sdp(ANSWER)) };
    assert_eq!(network.take_events(GATEWAY), [answered, Event::Established { session: IN }]);
    hang_up(network);
}

#[test]
fn our_invite_without_offer_is_acknowledged_with_the_answer() {
    for answered in [true, false] {
        let mut network = Network::gateway();
        network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
        let order = OutgoingInvite {
            session: CALL,
            target: to_number(),
            caller: hana(),
            call_id: "late".into(),
            offer: Bytes::new(),
            replaces: None,
            patience: None,
            attestation: None,
            diverted_by: None,
            identity: None,
        };
        network.command(GATEWAY, Command::Invite(Box::new(order)));
        network.run_for(SECOND / 20);
        let invite = network.take_one(CARRIER);
        let ok = answer_to(&invite, "200 OK", "a", CONTACT, OFFER);
        network.send(CARRIER, &ok);
        network.send(CARRIER, &ok);
        assert_eq!(network.take(CARRIER), Vec::<String>::new(), "the answer is the user's");
        let offered = Event::Answered { session: CALL, body: sdp(OFFER), source: addr(CARRIER) };
        assert_eq!(network.take_events(GATEWAY), [offered]);
        let body = if answered { Ok(sdp(ANSWER)) } else { Err(488) };
        network.command(GATEWAY, Command::AnswerOffer { session: CALL, body });
        network.run_for(SECOND / 20);
        let texts = network.take(CARRIER);
        assert_eq!(methods(&texts), if answered { vec!["ACK"] } else { vec!["ACK", "BYE"] });
        assert_eq!(texts[0].ends_with(ANSWER), answered);
        network.send(CARRIER, &ok);
        assert_eq!(network.take_one(CARRIER), texts[0]);
        hang_up(network);
    }
}

#[test]
fn d21_a_key_told_by_info_is_pressed_once() {
    let (mut network, invite) = established("");
    let info = |cseq: u32, kind: &str, body: &str| {
        their_request("INFO", &invite, cseq, body).replace("application/sdp", kind)
    };
    let press = info(1, "application/dtmf-relay", "Signal=1\r\nDuration=160\r\n");
    network.send(CARRIER, &press);
    network.send(CARRIER, &press);
    let texts = network.take(CARRIER);
    assert!(texts.len() == 2 && texts.iter().all(|text| text.starts_with("SIP/2.0 200 ")), "{texts:#?}");
    let duration = Some(Duration::from_millis(160));
    assert_eq!(network.take_events(GATEWAY), [Event::Dtmf { session: CALL, digit: '1', duration }]);
    network.send(CARRIER, &info(2, "application/unknown", "x"));
    let refusal = network.take_one(CARRIER);
    assert!(refusal.starts_with("SIP/2.0 415 "));
    assert_eq!(header(&refusal, "Accept"), "application/dtmf-relay, application/dtmf");
    network.send(CARRIER, &info(3, "text/plain", ""));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 200 "));
    assert_eq!(network.take_events(GATEWAY), []);
    hang_up(network);
}

#[test]
fn d10_update_carries_an_offer_or_nothing() {
    let (mut network, invite) = established("");
    network.send(CARRIER, &their_request("UPDATE", &invite, 1, ""));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 200 "));
    assert_eq!(network.take_events(GATEWAY), []);
    network.send(CARRIER, &their_request("UPDATE", &invite, 2, OFFER));
    assert_eq!(network.take_events(GATEWAY), [Event::Offer { session: CALL, body: sdp(OFFER) }]);
    network.send(CARRIER, &their_request("UPDATE", &invite, 3, OFFER));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 500 "));
    network.command(GATEWAY, Command::AnswerOffer { session: CALL, body: Ok(sdp(ANSWER)) });
    network.run_for(SECOND * 2);
    let ok = network.take_one(CARRIER);
    assert!(ok.starts_with("SIP/2.0 200 ") && ok.ends_with(ANSWER) && header(&ok, "CSeq") == "2 UPDATE");
    hang_up(network);
}

#[test]
fn a_new_offer_of_ours_is_answered() {
    let (mut network, _) = established("");
    network.command(GATEWAY, Command::Offer { session: CALL, body: sdp("v=0\r\na=sendonly\r\n") });
    network.run_for(SECOND / 20);
    let reinvite = network.take_one(CARRIER);
    assert!(reinvite.starts_with("INVITE sip:callee@192.0.2.2:5060 SIP/2.0\r\n"));
    assert!(header(&reinvite, "CSeq") == "2 INVITE" && reinvite.ends_with("a=sendonly\r\n"));
    // The newest of those wanted meanwhile follows when this one is answered.
    for body in ["v=1\r\n", "v=2\r\n"] {
        network.command(GATEWAY, Command::Offer { session: CALL, body: sdp(body) });
    }
    let ok = answer_to(&reinvite, "200 OK", "a", CONTACT, ANSWER);
    network.send(CARRIER, &ok);
    let texts = network.take(CARRIER);
    assert_eq!(methods(&texts), ["ACK", "INVITE"]);
    assert!(header(&texts[0], "CSeq") == "2 ACK" && texts[1].ends_with("v=2\r\n"));
    network.send(CARRIER, &ok);
    assert_eq!(network.take_one(CARRIER), texts[0]);
    network.send(CARRIER, &answer_to(&texts[1], "488 Not Acceptable Here", "a", "", ""));
    let answers = [Ok(sdp(ANSWER)), Err(488)].map(|body| Event::OfferAnswered { session: CALL, body });
    assert_eq!(network.take_events(GATEWAY), answers);
    hang_up(network);
}

#[test]
fn d38_an_offer_that_gets_nothing_but_a_provisional_answer_ends_the_call_and_leaves_nothing() {
    for hung_up in [false, true] {
        let (mut network, _) = established("");
        network.command(GATEWAY, Command::Offer { session: CALL, body: sdp(OFFER) });
        network.run_for(SECOND / 20);
        let reinvite = network.take_one(CARRIER);
        network.send(CARRIER, &answer_to(&reinvite, "199 Early Dialog Terminated", "a", "", ""));
        if hung_up {
            network.command(GATEWAY, Command::HangUp { session: CALL });
        }
        network.run_for(SECOND * 33);
        let byes = network.take(CARRIER);
        assert!(byes.iter().all(|text| text.starts_with("BYE ")) && !byes.is_empty(), "{byes:#?}");
        network.send(CARRIER, &answer_to(&byes[0], "200 OK", "a", "", ""));
        assert!(matches!(network.take_events(GATEWAY).last(), Some(Event::Ended { session: CALL, .. })));
        network.run_until_idle();
    }
}

#[test]
fn d38_offers_that_cross_are_tried_again_after_a_while() {
    let (mut network, invite) = established("");
    network.command(GATEWAY, Command::Offer { session: CALL, body: sdp(OFFER) });
    network.run_for(SECOND / 20);
    let ours = network.take_one(CARRIER);
    network.send(CARRIER, &their_request("INVITE", &invite, 1, OFFER));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 491 "));
    network.send(CARRIER, &their_request("ACK", &invite, 1, ""));
    network.send(CARRIER, &answer_to(&ours, "491 Request Pending", "a", "", ""));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK"]);
    // We own the Call-ID: 2.1 to 4 seconds.
    network.run_for(Duration::from_millis(1_900));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.run_for(Duration::from_millis(2_200));
    let again = network.take(CARRIER).remove(0);
    assert_eq!((header(&again, "CSeq"), again.ends_with(OFFER)), ("3 INVITE", true));
    network.send(CARRIER, &answer_to(&again, "200 OK", "a", CONTACT, ANSWER));
    let answered = Event::OfferAnswered { session: CALL, body: Ok(sdp(ANSWER)) };
    assert_eq!(network.take_events(GATEWAY), [answered]);
    hang_up(network);
}

#[test]
fn d38_two_of_us_that_offer_at_once_both_get_their_answer_whatever_is_lost() {
    // Few enough seeds that no request is lost all its seven times: that would end the call, and rightly.
    let by_chance = (0..10).map(|seed| (seed, Loss::OneInThree));
    let by_count = (0..3).map(|offset| (1, Loss::EveryThird(offset)));
    for (seed, loss) in by_chance.chain(by_count).chain([(1, Loss::Nothing)]) {
        let answering = Behaviour::RingThenAnswer(SECOND);
        let mut network = Network::pair(seed, loss, answering);
        network.behave(GATEWAY, answering);
        network.command(GATEWAY, call(to_number()));
        for (node, session) in [(GATEWAY, CALL), (CARRIER, IN)] {
            network.command_at(SECOND * 60, node, Command::Offer { session, body: sdp(OFFER) });
        }
        network.command_at(SECOND * 170, GATEWAY, Command::HangUp { session: CALL });
        network.run_until_idle();
        assert!(network.log.contains("SIP/2.0 491 "));
        for (node, session) in [(GATEWAY, CALL), (CARRIER, IN)] {
            let events = network.events(node);
            let answered = Event::OfferAnswered { session, body: Ok(sdp(ANSWER)) };
            assert_eq!(events.iter().filter(|event| **event == answered).count(), 1, "{seed} {events:#?}");
        }
    }
}

#[test]
fn d24_a_peer_that_is_gone_is_noticed_when_we_offer() {
    for answered in [true, false] {
        let (mut network, _) = established("");
        network.command(GATEWAY, Command::Offer { session: CALL, body: sdp(OFFER) });
        network.run_for(SECOND / 20);
        let ours = network.take_one(CARRIER);
        if answered {
            network.send(CARRIER, &answer_to(&ours, "481 Gone", "a", "", ""));
            assert_eq!(methods(&network.take(CARRIER)), ["ACK", "BYE"]);
        }
        network.run_until_idle();
        let ended = Event::Ended { session: CALL, cause: EndCause::NoResponse };
        assert_eq!(network.take_events(GATEWAY), [ended]);
    }
}

#[test]
fn a_re_invite_answered_after_the_bye_is_still_acknowledged() {
    let (mut network, invite) = established("");
    network.command(GATEWAY, Command::Offer { session: CALL, body: sdp(OFFER) });
    network.run_for(SECOND / 20);
    let ours = network.take_one(CARRIER);
    network.send(CARRIER, &their_request("BYE", &invite, 1, ""));
    network.take(CARRIER);
    network.send(CARRIER, &answer_to(&ours, "200 OK", "a", CONTACT, ANSWER));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK"]);
    network.run_until_idle();
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: CALL, cause: EndCause::RemoteBye }]);
}

#[test]
fn d10_ringing_is_repeated_until_its_prack_and_the_answer_waits() {
    let mut network = incoming("Require: 100rel\r\n", OFFER);
    network.command(GATEWAY, Command::Provisional { session: IN, status: 183, body: Some(sdp(ANSWER)) });
    network.command(GATEWAY, Command::Provisional { session: IN, status: 180, body: None });
    network.command(GATEWAY, Command::Accept { session: IN, body: sdp(ANSWER) });
    network.run_for(Duration::from_millis(1_600));
    let texts = network.take(CARRIER);
    // At 0, 0.5 and 1.5 s.
    assert!(texts.len() == 3 && texts.iter().all(|text| text.starts_with("SIP/2.0 183 ")), "{texts:#?}");
    assert_eq!(header(&texts[0], "Require"), "100rel");
    let (to, rseq) = (header(&texts[0], "To").to_owned(), header(&texts[0], "RSeq").to_owned());
    network.send(CARRIER, &caller("PRACK", 2, &to, "RAck: 1 1 INVITE\r\n", ""));
    assert!(network.take_one(CARRIER).starts_with("SIP/2.0 481 "));
    network.send(CARRIER, &caller("PRACK", 3, &to, &format!("RAck: {rseq} 1 INVITE\r\n"), ""));
    let texts = network.take(CARRIER);
    assert!(texts[0].starts_with("SIP/2.0 200 ") && header(&texts[0], "CSeq") == "3 PRACK");
    assert!(texts[1].starts_with("SIP/2.0 200 ") && header(&texts[1], "CSeq") == "1 INVITE");
    network.send(CARRIER, &caller("ACK", 1, &to, "", ""));
    assert_eq!(network.take_events(GATEWAY), [Event::Established { session: IN }]);
    hang_up(network);
}

#[test]
fn d10_ringing_that_nobody_acknowledges_ends_the_call() {
    let mut network = incoming("Require: 100rel\r\n", OFFER);
    network.command(GATEWAY, Command::Provisional { session: IN, status: 180, body: None });
    network.run_for(SECOND * 33);
    assert!(network.take(CARRIER).iter().any(|text| text.starts_with("SIP/2.0 504 ")));
    network.run_until_idle();
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: IN, cause: EndCause::NoAck }]);
}

#[test]
fn d10_reliable_ringing_of_the_peer_is_acknowledged_once() {
    let (mut network, invite) = calling();
    assert_eq!(header(&invite, "Supported"), "100rel, timer");
    let ring = |status: &str, rseq: u32| {
        answer_to(&invite, status, "a", &format!("{CONTACT}Require: 100rel\r\nRSeq: {rseq}\r\n"), ANSWER)
    };
    network.send(CARRIER, &ring("183 Progress", 7));
    network.send(CARRIER, &ring("183 Progress", 7));
    network.send(CARRIER, &ring("180 Ringing", 9));
    let prack = network.take_one(CARRIER);
    assert!(prack.starts_with("PRACK sip:callee@192.0.2.2:5060 SIP/2.0\r\n"));
    assert_eq!((header(&prack, "RAck"), header(&prack, "CSeq")), ("7 1 INVITE", "2 PRACK"));
    network.send(CARRIER, &answer_to(&prack, "200 OK", "", "", ""));
    network.send(CARRIER, &ring("180 Ringing", 8));
    let prack = network.take_one(CARRIER);
    assert_eq!((header(&prack, "RAck"), header(&prack, "CSeq")), ("8 1 INVITE", "3 PRACK"));
    network.send(CARRIER, &answer_to(&prack, "200 OK", "", "", ""));
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ""));
    assert_eq!(methods(&network.take(CARRIER)), ["ACK"]);
    assert_eq!(network.take_events(GATEWAY).len(), 3);
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(SECOND / 20);
    assert_eq!(header(&network.take_one(CARRIER), "CSeq"), "4 BYE");
    network.run_until_idle();
}

#[test]
fn early_media_in_a_multipart_body_is_found() {
    let (mut network, invite) = calling();
    let more = "Content-Type: multipart/mixed;boundary=b\r\n";
    let body = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{ANSWER}\r\n--b--\r\n");
    network.send(CARRIER, &answer_to(&invite, "183 Progress", "a", more, &body));
    let event = Event::Provisional { session: CALL, status: 183, body: Some(sdp(ANSWER)) };
    assert_eq!(network.take_events(GATEWAY), [event]);
    hang_up(network);
}

#[test]
fn d24_the_side_that_shall_refresh_does() {
    let agreed = "Supported: timer\r\nAllow: INVITE, UPDATE\r\nRequire: timer\r\nSession-Expires: 200;refresher=uac\r\n";
    let (mut network, invite) = established(agreed);
    assert_eq!((header(&invite, "Session-Expires"), header(&invite, "Min-SE")), ("1800", "90"));
    network.run_for(SECOND * 99);
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.run_for(SECOND * 2);
    let update = network.take(CARRIER).remove(0);
    assert!(update.starts_with("UPDATE "));
    assert_eq!(header(&update, "Session-Expires"), "200;refresher=uac");
    network.send(CARRIER, &answer_to(&update, "200 OK", "", agreed, ""));
    assert_eq!(network.take_events(GATEWAY), []);
    // The next one is not answered: the call is over.
    network.run_for(SECOND * 150);
    let texts = network.take(CARRIER);
    assert_eq!((methods(&texts)[0], texts.last().unwrap().starts_with("BYE ")), ("UPDATE", true));
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: CALL, cause: EndCause::NoResponse }]);
    network.run_until_idle();
}

#[test]
fn d24_a_peer_without_timers_is_asked_by_re_invite() {
    let (mut network, _) = established("");
    network.run_for(SECOND * 901);
    let reinvite = network.take(CARRIER).remove(0);
    assert!(reinvite.starts_with("INVITE ") && reinvite.ends_with(OFFER), "our description again");
    network.send(CARRIER, &answer_to(&reinvite, "488 Not Acceptable Here", "a", "", ""));
    network.take(CARRIER);
    network.run_for(SECOND * 901);
    let reinvite = network.take(CARRIER).remove(0);
    network.send(CARRIER, &answer_to(&reinvite, "200 OK", "a", CONTACT, ANSWER));
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().sessions, 1);
    hang_up(network);
}

#[test]
fn d24_a_caller_that_does_not_refresh_is_released() {
    let timer = "Supported: timer\r\nSession-Expires: 300\r\n";
    let mut network = incoming(timer, OFFER);
    network.command(GATEWAY, Command::Accept { session: IN, body: sdp(ANSWER) });
    network.run_for(SECOND / 20);
    let ok = network.take_one(CARRIER);
    assert_eq!((header(&ok, "Session-Expires"), header(&ok, "Require")), ("300;refresher=uac", "timer"));
    network.send(CARRIER, &caller("ACK", 1, header(&ok, "To"), "", ""));
    network.run_for(SECOND * 200);
    network.send(CARRIER, &caller("UPDATE", 2, header(&ok, "To"), timer, ""));
    let refreshed = network.take_one(CARRIER);
    assert_eq!(header(&refreshed, "Session-Expires"), "300;refresher=uac");
    network.run_for(SECOND * 260);
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.run_for(SECOND * 20);
    assert!(network.take(CARRIER)[0].starts_with("BYE "));
    let events = network.take_events(GATEWAY);
    assert_eq!(events.last(), Some(&Event::Ended { session: IN, cause: EndCause::NoResponse }));
    network.run_until_idle();
}

#[test]
fn d24_too_short_an_interval_is_refused_both_ways() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    let more = "Supported: timer\r\nSession-Expires: 60\r\n";
    network.send(CARRIER, &request("INVITE", ROOM, FROM, ROOM, 1, more));
    let refusal = network.take_one(CARRIER);
    assert!(refusal.starts_with("SIP/2.0 422 ") && header(&refusal, "Min-SE") == "90", "{refusal}");
    network.run_until_idle();
    let (mut network, invite) = calling();
    let small = "422 Session Interval Too Small";
    network.send(CARRIER, &answer_to(&invite, small, "a", "Min-SE: 3600\r\n", ""));
    let texts = network.take(CARRIER);
    assert_eq!(methods(&texts), ["ACK", "INVITE"]);
    let again = &texts[1];
    assert_eq!(
        (header(again, "CSeq"), header(again, "Session-Expires"), header(again, "Min-SE")),
        ("2 INVITE", "3600", "3600")
    );
    network.send(CARRIER, &answer_to(again, small, "a", "Min-SE: 3600\r\n", ""));
    assert!(matches!(
        network.take_events(GATEWAY)[..],
        [Event::Ended { cause: EndCause::Refused { status: 422, .. }, .. }]
    ));
    network.run_until_idle();
}

#[test]
fn f8_a_trunk_that_misses_three_probes_is_down_until_it_answers_two() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    let trunk = TrunkId(1);
    let (up, down) = (Event::TrunkUp { trunk }, Event::TrunkDown { trunk, status: None });
    network.command(GATEWAY, Command::ProbeTrunk { trunk, every: Some(SECOND * 8) });
    network.run_for(SECOND);
    let probe = network.take(CARRIER).remove(0);
    assert!(probe.starts_with("OPTIONS sip:carrier.test SIP/2.0\r\n"));
    network.send(CARRIER, &answer_to(&probe, "404 Not Found", "x", "", ""));
    assert_eq!(network.take_events(GATEWAY), std::slice::from_ref(&up));
    network.run_for(SECOND * 24);
    assert_eq!(network.take_events(GATEWAY), []);
    network.run_for(SECOND * 8);
    assert_eq!(network.take_events(GATEWAY), [down]);
    network.take(CARRIER);
    for expected in [vec![], vec![up]] {
        network.run_for(SECOND * 8);
        let probe = network.take(CARRIER).pop().unwrap();
        network.send(CARRIER, &answer_to(&probe, "200 OK", "x", "", ""));
        assert_eq!(network.take_events(GATEWAY), expected);
    }
    network.command(GATEWAY, Command::ProbeTrunk { trunk, every: None });
    network.run_until_idle();
}
