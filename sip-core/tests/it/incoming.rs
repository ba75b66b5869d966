//! Calls that come in: who is let in, and what is done with the rest.

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{Command, EndCause, Event, Origin, SessionId, TrunkId};

use crate::support::*;

const FROM: &str = "sip:103a@acme.test";
const ROOM: &str = "sip:900000001@acme.test";
const SDP: &str = "Content-Type: application/sdp\r\nContact: <sip:103a@10.0.0.9:5060>\r\n";
const IN: SessionId = SessionId::Incoming(1);

fn trusting() -> Network {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.trusted_peers = vec!["198.51.100.0/24".parse().unwrap()];
    network.add(GATEWAY, config, Behaviour::Nothing);
    network
}

fn invite(cseq: u32, more: &str) -> String {
    request_with(
        "INVITE",
        ROOM,
        FROM,
        ROOM,
        cseq,
        &format!("{more}{SDP}"),
        OFFER,
        "c1@phone",
        &format!("i{cseq}"),
    )
}

fn incoming(network: &mut Network) -> sip_core::ua::IncomingInvite {
    let events = network.take_events(GATEWAY);
    let [Event::Incoming(invite)] = events.as_slice() else { panic!("{events:?}") };
    (**invite).clone()
}

fn in_dialog(method: &str, cseq: u32, to: &str, branch: &str) -> String {
    request_with(method, "sip:192.0.2.1:5060", FROM, ROOM, cseq, "", "", "c1@phone", branch)
        .replace(&format!("To: <{ROOM}>"), &format!("To: {to}"))
}

#[test]
fn a_device_proves_itself_and_joins() {
    let mut network = with_phone();
    network.take_events(GATEWAY);
    network.send(PHONE, &invite(1, ""));
    let challenge = network.take_one(PHONE);
    assert!(challenge.starts_with("SIP/2.0 401 "));
    network.send(PHONE, &in_dialog("ACK", 1, header(&challenge, "To"), "i1"));
    let proof = authorize(&challenge, "INVITE", ROOM, "103a", "103a-secret", 1);
    network.send(PHONE, &invite(2, &proof));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 100 "));
    let call = incoming(&mut network);
    assert_eq!(call.origin, Origin::Device(device("103a", "acme.test")));
    assert_eq!((call.request_user.as_str(), call.request_domain.as_str()), ("900000001", "acme.test"));
    assert_eq!(
        (call.session, call.source, call.body),
        (IN, addr(PHONE), Bytes::from_static(OFFER.as_bytes()))
    );
    network.command(GATEWAY, Command::Accept { session: IN, body: Bytes::from_static(ANSWER.as_bytes()) });
    network.run_for(Duration::from_millis(50));
    let ok = network.take_one(PHONE);
    assert!(ok.starts_with("SIP/2.0 200 ") && ok.ends_with(ANSWER));
    assert!(
        header(&ok, "Via").contains("received=198.51.100.7") && header(&ok, "Via").contains("rport=40000")
    );
    network.send(PHONE, &in_dialog("ACK", 2, header(&ok, "To"), "a2"));
    assert_eq!(network.take_events(GATEWAY), [Event::Established { session: IN }]);
    network.send(PHONE, &in_dialog("BYE", 3, header(&ok, "To"), "b3"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 200 "));
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: IN, cause: EndCause::RemoteBye }]);
}

#[test]
fn s1_strangers_are_challenged_and_the_wrong_password_is_refused() {
    let mut network = with_phone();
    network.take_events(GATEWAY);
    let stranger = "203.0.113.9:5060";
    network.send(stranger, &invite(1, ""));
    let challenge = network.take_one(stranger);
    let wrong = authorize(&challenge, "INVITE", ROOM, "103a", "guess", 1);
    network.send(stranger, &invite(2, &wrong));
    let known = network.take_one(stranger);
    let unknown = authorize(&challenge, "INVITE", ROOM, "nobody", "guess", 1);
    network.send(stranger, &invite(3, &unknown));
    let unknown = network.take_one(stranger);
    assert!(known.starts_with("SIP/2.0 403 ") && unknown.starts_with("SIP/2.0 403 "));
    // The right password for another one's From is no way in either.
    let other = authorize(&challenge, "INVITE", ROOM, "103a", "103a-secret", 1);
    network.send(stranger, &invite(4, &other).replace("From: <sip:103a@", "From: <sip:100a@"));
    assert!(network.take_one(stranger).starts_with("SIP/2.0 403 "));
    assert_eq!(network.take_events(GATEWAY), []);
}

#[test]
fn s1_nothing_but_options_works_for_strangers() {
    let mut network = Network::gateway();
    let stranger = "203.0.113.9:5060";
    for (method, status) in [
        ("OPTIONS", "200"),
        ("REGISTER", "401"),
        ("INVITE", "401"),
        ("BYE", "481"),
        ("CANCEL", "481"),
        ("MESSAGE", "405"),
        ("SUBSCRIBE", "401"),
        ("REFER", "405"),
        ("PUBLISH", "405"),
        ("NOTIFY", "405"),
        ("INFO", "481"),
        ("UPDATE", "481"),
        ("PRACK", "481"),
        ("DANCE", "501"),
    ] {
        network.send(stranger, &request(method, ROOM, FROM, ROOM, 1, ""));
        let answer = network.take_one(stranger);
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{method}: {answer}");
        assert_eq!(
            matches!(status, "405" | "501" | "200"),
            header_if_any(&answer, "Allow").is_some(),
            "{method}"
        );
        assert!(header(&answer, "To").contains(";tag="));
        // S2: with a tag of a dialog we do not know, it is 481 whatever it is.
        network.send(stranger, &in_dialog(method, 2, &format!("<{ROOM}>;tag=guess"), &format!("x{method}")));
        let answer = network.take_one(stranger);
        let expected = if method == "DANCE" { "501" } else { "481" };
        assert!(answer.starts_with(&format!("SIP/2.0 {expected} ")), "{method}: {answer}");
    }
    network.send(stranger, &request("ACK", ROOM, FROM, ROOM, 1, ""));
    assert_eq!(network.take(stranger), Vec::<String>::new());
    assert_eq!(network.events(GATEWAY), []);
    network.run_until_idle();
}

#[test]
fn what_we_do_not_support_is_named() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, "Require: 100rel, foo, timer, bar\r\n"));
    let answer = network.take_one(PHONE);
    assert!(answer.starts_with("SIP/2.0 420 "));
    assert_eq!(header(&answer, "Unsupported"), "foo, bar");
    network.send(PHONE, &invite(2, "").replace("INVITE sip:900000001@acme.test", "INVITE isbn:2983792873"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 416 "));
    network.run_until_idle();
}

#[test]
fn i40_calls_for_help_are_handed_on_in_every_form() {
    for (form, dialled) in [
        ("urn:service:sos", "urn:service:sos"),
        ("URN:service:SOS.police", "URN:service:SOS.police"),
        ("tel:911", "911"),
        ("tel:9-1-1;phone-context=+1", "9-1-1"),
        ("tel:+112", "+112"),
        ("sips:911@acme.test;user=phone", "911"),
    ] {
        let mut network = trusting();
        network
            .send(PHONE, &invite(1, "").replace("INVITE sip:900000001@acme.test", &format!("INVITE {form}")));
        assert_eq!(incoming(&mut network).request_user, dialled);
        network.command(GATEWAY, Command::Reject { session: IN, status: 403 });
        network.run_for(Duration::from_millis(50));
        assert!(network.take(PHONE).pop().unwrap().starts_with("SIP/2.0 403 "), "{form}");
    }
    // Other services, other methods, and what only begins alike.
    for (method, uri) in [
        ("INVITE", "urn:service:counseling"),
        ("INVITE", "urn:service:sosimages"),
        ("OPTIONS", "urn:service:sos"),
    ] {
        let mut network = trusting();
        network.send(PHONE, &request(method, uri, FROM, ROOM, 1, ""));
        assert!(network.take_one(PHONE).starts_with("SIP/2.0 416 "), "{method} {uri}");
        assert_eq!(network.take_events(GATEWAY), []);
    }
}

#[test]
fn trunks_and_trusted_peers_are_let_in_by_address() {
    let mut network = trusting();
    let mut trunk = carrier_trunk();
    trunk.sources = vec!["203.0.113.0/28".parse().unwrap()];
    network.command(GATEWAY, Command::PutTrunk(Box::new(trunk)));
    for (session, peer, origin) in [
        (1, CARRIER, Origin::Trunk(TrunkId(1))),
        (2, "203.0.113.15:5099", Origin::Trunk(TrunkId(1))),
        (3, PHONE, Origin::TrustedPeer),
    ] {
        network.send(peer, &invite(1, "").replace("c1@phone", &format!("c{session}@phone")));
        assert_eq!(incoming(&mut network).origin, origin);
        network.command(GATEWAY, Command::Reject { session: SessionId::Incoming(session), status: 486 });
        network.run_for(Duration::from_millis(50));
        let busy = network.take(peer).pop().unwrap();
        assert!(busy.starts_with("SIP/2.0 486 Busy Here\r\n"));
        network.send(
            peer,
            &in_dialog("ACK", 1, header(&busy, "To"), "i1").replace("c1@phone", &format!("c{session}@phone")),
        );
        network.take_events(GATEWAY);
        network.run_for(Duration::from_secs(40));
        assert_eq!(network.take(peer), Vec::<String>::new());
    }
    // A phone on the trunk's host is not the trunk.
    network.send("192.0.2.2:5062", &invite(1, ""));
    assert!(network.take_one("192.0.2.2:5062").starts_with("SIP/2.0 401 "));
    network.send("203.0.113.16:5060", &invite(1, ""));
    assert!(network.take_one("203.0.113.16:5060").starts_with("SIP/2.0 401 "));
    network.run_until_idle();
}

#[test]
fn a_200_is_repeated_and_without_ack_given_up() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.take(PHONE);
    network.take_events(GATEWAY);
    network.command(GATEWAY, Command::Accept { session: IN, body: Bytes::from_static(b"v=0\r\n") });
    network.run_for(Duration::from_secs(33));
    let texts = network.take(PHONE);
    let (oks, rest): (Vec<_>, Vec<_>) = texts.iter().partition(|text| text.starts_with("SIP/2.0 200 "));
    // 0, 0.5, 1.5, 3.5, 7.5, then every 4 s up to 31.5 s.
    assert_eq!(oks.len(), 11);
    assert!(rest[0].starts_with("BYE sip:103a@10.0.0.9:5060 SIP/2.0\r\n"), "{rest:#?}");
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: IN, cause: EndCause::NoAck }]);
    network.run_until_idle();
}

#[test]
fn bye_waits_for_the_ack_of_our_answer() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.command(GATEWAY, Command::Accept { session: IN, body: Bytes::from_static(b"v=0\r\n") });
    network.command(GATEWAY, Command::HangUp { session: IN });
    network.run_for(Duration::from_millis(100));
    let texts = network.take(PHONE);
    assert_eq!(texts.len(), 2, "{texts:#?}");
    network.send(PHONE, &in_dialog("ACK", 1, header(&texts[1], "To"), "a1"));
    assert!(network.take_one(PHONE).starts_with("BYE "));
    network.run_until_idle();
}

#[test]
fn a_cancel_from_the_caller_ends_the_ringing() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.command(GATEWAY, Command::Provisional { session: IN, status: 180, body: None });
    network.run_for(Duration::from_millis(50));
    network.take(PHONE);
    network.take_events(GATEWAY);
    network.send(PHONE, &in_dialog("CANCEL", 1, &format!("<{ROOM}>"), "i1"));
    let texts = network.take(PHONE);
    assert!(texts[0].starts_with("SIP/2.0 200 ") && texts[1].starts_with("SIP/2.0 487 "), "{texts:#?}");
    assert_eq!(header(&texts[1], "CSeq"), "1 INVITE");
    assert_eq!(header(&texts[0], "To"), header(&texts[1], "To"));
    assert_eq!(network.take_events(GATEWAY), [Event::Ended { session: IN, cause: EndCause::RemoteCancel }]);
    network.run_until_idle();
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.command(GATEWAY, Command::Accept { session: IN, body: Bytes::from_static(b"v=0\r\n") });
    network.run_for(Duration::from_millis(50));
    let ok = network.take(PHONE).pop().unwrap();
    network.send(PHONE, &in_dialog("CANCEL", 1, &format!("<{ROOM}>"), "i1"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 200 "));
    network.send(PHONE, &in_dialog("ACK", 1, header(&ok, "To"), "a1"));
    let events = network.take_events(GATEWAY);
    assert_eq!(events.last(), Some(&Event::Established { session: IN }));
    network.command(GATEWAY, Command::HangUp { session: IN });
    network.run_until_idle();
}

#[test]
fn an_invite_that_comes_on_two_ways_is_taken_once() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.take(PHONE);
    network.send(PHONE, &invite(1, "").replace("bKi1", "bKother"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 482 "));
    network.send(PHONE, &invite(1, "").replace("tag=phone", "tag=else").replace("bKi1", "bKthird"));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 100 "));
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}

#[test]
fn s1_a_device_on_a_trusted_address_proves_itself_all_the_same() {
    let mut network = trusting();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network.send(PHONE, &invite(1, ""));
    let challenge = network.take_one(PHONE);
    assert!(challenge.starts_with("SIP/2.0 401 "), "{challenge}");
    let wrong = authorize(&challenge, "INVITE", ROOM, "103a", "guess", 1);
    network.send(PHONE, &invite(2, &wrong));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 403 "));
    let proof = authorize(&challenge, "INVITE", ROOM, "103a", "103a-secret", 2);
    network.send(PHONE, &invite(3, &proof));
    assert_eq!(incoming(&mut network).origin, Origin::Device(device("103a", "acme.test")));
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}

#[test]
fn an_invite_that_comes_on_another_way_after_the_answer_is_not_a_second_call() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.command(GATEWAY, Command::Accept { session: IN, body: Bytes::from_static(b"v=0\r\n") });
    network.run_for(Duration::from_millis(50));
    network.take(PHONE);
    network.send(PHONE, &invite(1, "").replace("bKi1", "bKother"));
    assert!(network.take(PHONE).iter().any(|text| text.starts_with("SIP/2.0 482 ")));
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}

#[test]
fn d20_a_description_without_a_common_codec_is_refused_with_a_warning() {
    let mut network = trusting();
    network.send(PHONE, &invite(1, ""));
    network.command(GATEWAY, Command::Reject { session: IN, status: 488 });
    network.run_for(Duration::from_millis(50));
    let refusal = network.take(PHONE).pop().unwrap();
    assert_eq!(header(&refusal, "Warning"), "305 acme.test \"Incompatible media format\"");
    network.run_until_idle();
}

#[test]
fn beyond_the_limits_it_is_503() {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.trusted_peers = vec!["198.51.100.0/24".parse().unwrap()];
    config.limits.sessions = 2;
    network.add(GATEWAY, config, Behaviour::Nothing);
    for call in 1..=3 {
        let text =
            invite(1, "").replace("c1@phone", &format!("c{call}")).replace("bKi1", &format!("bKi{call}"));
        network.send(PHONE, &text);
        let status = if call <= 2 { "100" } else { "503" };
        assert!(network.take_one(PHONE).starts_with(&format!("SIP/2.0 {status} ")));
    }
    network.command(GATEWAY, Command::Shutdown);
    network.run_for(Duration::from_millis(50));
    assert!(network.take(PHONE).iter().all(|text| text.starts_with("SIP/2.0 480 ")));
    network.run_until_idle();
}
