//! Transfers: REFER of a phone (RFC 3515, RFC 4488), and calls that take another one's place (RFC 3891).

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{
    Command, EndCause, Event, Origin, OutgoingInvite, ReferRequest, Replaces, SessionId, SubscriptionId,
};

use crate::races::{calling, methods, their_request};
use crate::support::*;

const OTHER: &str = "198.51.100.8:40000";
const ROOM: &str = "sip:900000001@acme.test";
const CONTACT: &str = "Contact: <sip:103a@10.0.0.9:5060>\r\nContent-Type: application/sdp\r\n";

/// A phone that we have called and that has answered; the INVITE it got.
fn phone_in_a_call() -> (Network, String) {
    let mut network = with_phone();
    network.command(GATEWAY, call(to_phone()));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(PHONE);
    network.send(PHONE, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    assert_eq!(methods(&network.take(PHONE)), ["ACK"]);
    network.take_events(GATEWAY);
    (network, invite)
}

fn refer(invite: &str, cseq: u32, more: &str) -> String {
    their_request("REFER", invite, cseq, "").replace("Content-Type: application/sdp\r\n", more)
}

fn asked(network: &mut Network) -> ReferRequest {
    let events = network.take_events(GATEWAY);
    let [Event::Refer(asked)] = events.as_slice() else { panic!("{events:?}") };
    (**asked).clone()
}

/// Takes the one NOTIFY that has come and answers it; its state and its body.
fn notified(network: &mut Network, phone: &str) -> (String, String) {
    let notify = network.take_one(phone);
    assert!(notify.starts_with("NOTIFY "), "{notify}");
    network.send(phone, &answer_to(&notify, "200 OK", "a", "", ""));
    let body = notify.split("\r\n\r\n").nth(1).unwrap().to_owned();
    (header(&notify, "Subscription-State").to_owned(), body)
}

fn progress(network: &mut Network, refer: SubscriptionId, status: u16) {
    network.command(GATEWAY, Command::ReferProgress { refer, status, reason: String::new() });
    network.run_for(Duration::from_millis(50));
}

fn hang_up(mut network: Network) {
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_registration_ends();
}

#[test]
fn i45_a_transfer_is_judged_and_its_progress_told() {
    let (mut network, invite) = phone_in_a_call();
    network.send(PHONE, &refer(&invite, 5, "Refer-To: <sip:104@acme.test>\r\n"));
    assert_eq!(network.take(PHONE), Vec::<String>::new(), "nothing is said before it is judged");
    let ReferRequest { refer: id, session, device: who, target, host, replaces } = asked(&mut network);
    assert_eq!((session, who), (CALL, device("103a", "acme.test")));
    assert_eq!((target.as_str(), host.as_str(), replaces), ("104", "acme.test", None));
    // A second one meanwhile must wait.
    network.send(PHONE, &refer(&invite, 6, "Refer-To: <sip:105@acme.test>\r\n"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 491 "));
    network.command(GATEWAY, Command::AnswerRefer { refer: id, answer: Ok(()) });
    network.run_for(Duration::from_millis(50));
    let texts = network.take(PHONE);
    assert_eq!(methods(&texts), ["SIP/2.0", "NOTIFY"]);
    assert!(texts[0].starts_with("SIP/2.0 202 Accepted\r\n"));
    assert_eq!(header(&texts[1], "Event"), "refer");
    assert_eq!(header(&texts[1], "Content-Type"), "message/sipfrag;version=2.0");
    assert!(header(&texts[1], "Subscription-State").starts_with("active;expires="));
    assert!(texts[1].ends_with("SIP/2.0 100 Trying\r\n"));
    // What happens before the NOTIFY is answered is told after it, and only the newest of it.
    progress(&mut network, id, 183);
    progress(&mut network, id, 180);
    assert_eq!(network.take(PHONE), Vec::<String>::new());
    network.send(PHONE, &answer_to(&texts[1], "200 OK", "a", "", ""));
    assert_eq!(notified(&mut network, PHONE).1, "SIP/2.0 180 Ringing\r\n");
    progress(&mut network, id, 200);
    let last = notified(&mut network, PHONE);
    assert_eq!((last.0.as_str(), last.1.as_str()), ("terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
    // The next one has its number.
    network.send(PHONE, &refer(&invite, 7, "Refer-To: <sip:105@acme.test>\r\n"));
    let id = asked(&mut network).refer;
    network.command(GATEWAY, Command::AnswerRefer { refer: id, answer: Ok(()) });
    network.run_for(Duration::from_millis(50));
    let texts = network.take(PHONE);
    assert_eq!(header(&texts[1], "Event"), "refer;id=7");
    hang_up(network);
}

#[test]
fn i45_a_refused_transfer_says_why() {
    let (mut network, invite) = phone_in_a_call();
    network.send(PHONE, &refer(&invite, 5, "Refer-To: <sip:+19005550100@acme.test>\r\n"));
    let id = asked(&mut network).refer;
    let why = "premium numbers are \"not\" called\r\nX: y".to_owned();
    network.command(GATEWAY, Command::AnswerRefer { refer: id, answer: Err((403, why)) });
    network.run_for(Duration::from_millis(50));
    let refusal = network.take_one(PHONE);
    assert!(refusal.starts_with("SIP/2.0 403 premium numbers are 'not' calledX: y\r\n"), "{refusal}");
    assert_eq!(header(&refusal, "Warning"), "399 acme.test \"premium numbers are 'not' calledX: y\"");
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().subscriptions, 0);
    // One that is never judged does not wait for ever.
    network.send(PHONE, &refer(&invite, 6, "Refer-To: <tel:+12025550177>\r\n"));
    assert_eq!(asked(&mut network).target, "+12025550177");
    network.run_for(Duration::from_secs(33));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 500 "));
    hang_up(network);
}

#[test]
fn rfc_5057_a_transfer_is_told_to_its_end_after_the_bye() {
    let (mut network, invite) = phone_in_a_call();
    network.send(PHONE, &refer(&invite, 5, "Refer-To: <sip:104@acme.test>\r\n"));
    let id = asked(&mut network).refer;
    network.command(GATEWAY, Command::AnswerRefer { refer: id, answer: Ok(()) });
    network.run_for(Duration::from_millis(50));
    let texts = network.take(PHONE);
    network.send(PHONE, &answer_to(&texts[1], "200 OK", "a", "", ""));
    network.send(PHONE, &their_request("BYE", &invite, 6, ""));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 200 "));
    let ended = Event::Ended { session: CALL, cause: EndCause::RemoteBye };
    assert_eq!(network.take_events(GATEWAY), [ended]);
    progress(&mut network, id, 180);
    let ringing = network.take_one(PHONE);
    let number = |text: &str| header(text, "CSeq").split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(number(&ringing) > number(&texts[1]));
    network.send(PHONE, &answer_to(&ringing, "200 OK", "a", "", ""));
    // The phone has heard enough: SUBSCRIBE with Expires: 0.
    let enough = "Event: refer\r\nExpires: 0\r\n";
    network.send(
        PHONE,
        &their_request("SUBSCRIBE", &invite, 7, "").replace("Content-Type: application/sdp\r\n", enough),
    );
    let texts = network.take(PHONE);
    assert_eq!(methods(&texts), ["SIP/2.0", "NOTIFY"]);
    assert_eq!(header(&texts[1], "Subscription-State"), "terminated;reason=timeout");
    progress(&mut network, id, 200);
    assert_eq!(network.take(PHONE), Vec::<String>::new());
    network.send(PHONE, &answer_to(&texts[1], "200 OK", "a", "", ""));
    hang_up(network);
}

#[test]
fn rfc_4488_without_subscription_nothing_is_told() {
    let (mut network, invite) = phone_in_a_call();
    let more = "Refer-To: <sip:104@acme.test>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n";
    network.send(PHONE, &refer(&invite, 5, more));
    let id = asked(&mut network).refer;
    network.command(GATEWAY, Command::AnswerRefer { refer: id, answer: Ok(()) });
    network.run_for(Duration::from_millis(50));
    let accepted = network.take_one(PHONE);
    assert!(accepted.starts_with("SIP/2.0 202 ") && header(&accepted, "Refer-Sub") == "false");
    progress(&mut network, id, 180);
    progress(&mut network, id, 200);
    assert_eq!(network.take(PHONE), Vec::<String>::new());
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().subscriptions, 0);
    hang_up(network);
}

#[test]
fn i45_nobody_but_a_phone_of_ours_transfers_or_takes_over_a_call() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", crate::races::CONTACT, ANSWER));
    network.take(CARRIER);
    network.take_events(GATEWAY);
    for (cseq, to, status) in [
        (1, "Refer-To: <sip:+19005550100@acme.test>\r\n", "603"),
        (2, "", "400"),
        (3, "Refer-To: x\r\n", "400"),
    ] {
        network.send(CARRIER, &refer(&invite, cseq, to));
        assert!(network.take_one(CARRIER).starts_with(&format!("SIP/2.0 {status} ")), "{to}");
    }
    let from = header(&invite, "From");
    let ours = from.split("tag=").nth(1).unwrap();
    let sender = "sip:+12025550177@carrier.test";
    for (replaces, status) in [
        (format!("call-7@acme.test;to-tag={ours};from-tag=a"), "403"),
        ("other;to-tag=x;from-tag=a".to_owned(), "481"),
        ("other".to_owned(), "400"),
    ] {
        let more = format!("Replaces: {replaces}\r\n");
        network.send(CARRIER, &request("INVITE", ROOM, sender, ROOM, 1, &more));
        assert!(network.take_one(CARRIER).starts_with(&format!("SIP/2.0 {status} ")), "{replaces}");
    }
    assert_eq!(network.take_events(GATEWAY), []);
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
    // A phone may ask for a call, and for nothing else.
    let (mut network, invite) = phone_in_a_call();
    for (cseq, to) in [(5, "<http://x/>"), (6, "<sip:a@b;method=BYE>"), (7, "<sip:a@b?Replaces=x>")] {
        network.send(PHONE, &refer(&invite, cseq, &format!("Refer-To: {to}\r\n")));
        assert!(network.take_one(PHONE).starts_with("SIP/2.0 603 "), "{to}");
    }
    hang_up(network);
}

#[test]
fn rfc_3891_a_phone_of_the_same_domain_takes_the_place_of_a_call() {
    let (mut network, invite) = phone_in_a_call();
    let ours = header(&invite, "From").split("tag=").nth(1).unwrap().to_owned();
    for (user, domain) in [("104a", "acme.test"), ("900a", "zeta.test")] {
        network.command(GATEWAY, Command::PutDevice(account(user, domain, "s")));
    }
    let try_it = |network: &mut Network, user: &str, domain: &str, replaces: &str, n: u32| {
        let from = format!("sip:{user}@{domain}");
        let more = format!("Contact: <sip:x@10.0.0.8>\r\nReplaces: {replaces}\r\nRequire: replaces\r\n");
        let send = |more: &str, cseq| {
            let branch = format!("r{n}{cseq}");
            request_with("INVITE", ROOM, &from, ROOM, cseq, more, "", &format!("r{n}"), &branch)
        };
        network.send(OTHER, &send(&more, 1));
        let challenge = network.take_one(OTHER);
        let proof = authorize(&challenge, "INVITE", ROOM, user, "s", 1);
        network.send(OTHER, &send(&format!("{proof}{more}"), 2));
        network.take_one(OTHER)
    };
    let dialog = format!("call-7@acme.test;to-tag={ours};from-tag=a");
    assert!(try_it(&mut network, "900a", "zeta.test", &dialog, 1).starts_with("SIP/2.0 403 "));
    let early = format!("{dialog};early-only");
    assert!(try_it(&mut network, "104a", "acme.test", &early, 2).starts_with("SIP/2.0 486 "));
    assert_eq!(network.take_events(GATEWAY), []);
    assert!(try_it(&mut network, "104a", "acme.test", &dialog, 3).starts_with("SIP/2.0 100 "));
    let events = network.take_events(GATEWAY);
    let [Event::Incoming(taking)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(
        (taking.origin.clone(), taking.replaces),
        (Origin::Device(device("104a", "acme.test")), Some(CALL))
    );
    hang_up(network);
}

#[test]
fn rfc_3891_our_call_takes_the_place_of_one_of_the_callee() {
    let mut network = with_phone();
    let dialog = sip_core::dialog::DialogId {
        call_id: "consult@x".into(),
        local_tag: "t".into(),
        remote_tag: "f".into(),
    };
    let order = OutgoingInvite {
        session: SessionId::Outgoing(9),
        target: to_phone(),
        caller: hana(),
        call_id: "call-9@acme.test".into(),
        offer: Bytes::from_static(OFFER.as_bytes()),
        replaces: Some(Replaces { dialog, early_only: false }),
        patience: None,
        attestation: None,
        diverted_by: None,
        identity: None,
    };
    network.command(GATEWAY, Command::Invite(Box::new(order)));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(PHONE);
    assert_eq!(header(&invite, "Replaces"), "consult@x;to-tag=t;from-tag=f");
    assert_eq!(header(&invite, "Require"), "replaces");
    network.send(PHONE, &answer_to(&invite, "486 Busy Here", "a", "", ""));
    network.take(PHONE);
    hang_up(network);
}
