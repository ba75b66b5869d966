//! Mission row D16: registering with trunks, and their digest challenges.

use std::time::Duration;

use bytes::Bytes;
use sip_core::ua::{Command, Credentials, EndCause, Event, Trunk, TrunkId, TrunkRegistration};

use crate::support::*;

const ID: TrunkId = TrunkId(1);
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"carrier.test\", nonce=\"n1\", algorithm=MD5, qop=\"auth,auth-int\"\r\n";

fn registering() -> Trunk {
    let credentials = Credentials {
        user: "acme".into(),
        realm: Some("carrier.test".into()),
        password: "trunk-secret".into(),
    };
    let registration = TrunkRegistration { aor_user: "acme".into(), expires: 600 };
    Trunk { credentials: Some(credentials), registration: Some(registration), ..carrier_trunk() }
}

fn started() -> (Network, String) {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(registering())));
    network.run_for(Duration::from_millis(50));
    let register = network.take_one(CARRIER);
    (network, register)
}

#[test]
fn d16_a_trunk_is_registered_with_digest_and_refreshed_before_expiry() {
    let (mut network, first) = started();
    assert!(first.starts_with("REGISTER sip:carrier.test SIP/2.0\r\n"));
    assert_eq!(header(&first, "Contact"), "<sip:acme@192.0.2.1:5060>");
    assert_eq!(header(&first, "Expires"), "600");
    network.send(CARRIER, &answer_to(&first, "401 Unauthorized", "x", CHALLENGE, ""));
    let second = network.take_one(CARRIER);
    assert!(header(&second, "Authorization").starts_with("Digest username=\"acme\", realm=\"carrier.test\""));
    assert_eq!(header(&second, "CSeq"), "2 REGISTER");
    assert_eq!(header(&second, "Call-ID"), header(&first, "Call-ID"));
    let granted = "Contact: <sip:acme@192.0.2.1:5060>;expires=100\r\n";
    network.send(CARRIER, &answer_to(&second, "200 OK", "x", granted, ""));
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkUp { trunk: ID }]);
    network.run_for(Duration::from_secs(74));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.run_for(Duration::from_secs(17));
    let refresh = network.take(CARRIER).remove(0);
    assert_eq!(header(&refresh, "CSeq"), "3 REGISTER");
    network.command(GATEWAY, Command::RemoveTrunk(ID));
    network.run_for(Duration::from_millis(50));
    let removal = network.take(CARRIER).pop().unwrap();
    assert_eq!(header(&removal, "Expires"), "0");
    network.run_until_idle();
}

#[test]
fn d16_f8_a_refusing_trunk_is_retried_with_growing_gaps_until_it_recovers() {
    let (mut network, mut register) = started();
    let mut gaps = Vec::new();
    for _ in 0..6 {
        network.send(CARRIER, &answer_to(&register, "503 Service Unavailable", "x", "", ""));
        let mut waited = Duration::ZERO;
        loop {
            network.run_for(Duration::from_millis(100));
            waited += Duration::from_millis(100);
            if let Some(next) = network.take(CARRIER).pop() {
                register = next;
                break;
            }
        }
        gaps.push(waited);
    }
    assert!(gaps[..4].windows(2).all(|pair| pair[0] <= pair[1]), "{gaps:?}");
    // F8: never faster than 30 s, and never slower than the longest wait.
    assert!(gaps.iter().all(|gap| (30..=301).contains(&gap.as_secs())), "{gaps:?}");
    assert!(gaps[4] >= Duration::from_secs(150), "{gaps:?}");
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkDown { trunk: ID, status: Some(503) }]);
    network.send(CARRIER, &answer_to(&register, "200 OK", "x", "Expires: 600\r\n", ""));
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkUp { trunk: ID }]);
}

#[test]
fn d16_retry_after_and_min_expires_are_honoured() {
    let (mut network, register) = started();
    network.send(CARRIER, &answer_to(&register, "423 Interval Too Brief", "x", "Min-Expires: 1800\r\n", ""));
    let again = network.take_one(CARRIER);
    assert_eq!(header(&again, "Expires"), "1800");
    network.send(CARRIER, &answer_to(&again, "503 Busy", "x", "Retry-After: 90 (tea)\r\n", ""));
    network.run_for(Duration::from_secs(89));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.run_for(Duration::from_secs(2));
    assert_eq!(header(&network.take(CARRIER)[0], "Expires"), "1800");
}

#[test]
fn d16_a_silent_trunk_is_down_and_a_wrong_password_is_tried_once() {
    let (mut network, _) = started();
    network.run_for(Duration::from_secs(33));
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkDown { trunk: ID, status: None }]);
    let (mut network, register) = started();
    network.send(CARRIER, &answer_to(&register, "401 Unauthorized", "x", CHALLENGE, ""));
    let second = network.take_one(CARRIER);
    network.send(CARRIER, &answer_to(&second, "401 Unauthorized", "x", CHALLENGE, ""));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkDown { trunk: ID, status: Some(401) }]);
}

#[test]
fn s6_only_the_configured_realm_gets_our_digest() {
    let (mut network, register) = started();
    let other = CHALLENGE.replace("carrier.test", "evil.test");
    network.send(CARRIER, &answer_to(&register, "401 Unauthorized", "x", &other, ""));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    assert_eq!(network.take_events(GATEWAY), [Event::TrunkDown { trunk: ID, status: Some(401) }]);
}

#[test]
fn s6_a_called_device_gets_no_digest() {
    let mut network = with_phone();
    network.command(GATEWAY, Command::PutTrunk(Box::new(registering())));
    network.take_events(GATEWAY);
    network.command(GATEWAY, call(to_phone()));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(PHONE);
    network.send(PHONE, &answer_to(&invite, "401 Unauthorized", "x", CHALLENGE, ""));
    let ack = network.take_one(PHONE);
    assert!(ack.starts_with("ACK ") && !ack.contains("Authorization"), "{ack}");
    let events = network.take_events(GATEWAY);
    assert!(
        matches!(events[0], Event::Ended { cause: EndCause::Refused { status: 401, .. }, .. }),
        "{events:?}"
    );
}

#[test]
fn d16_a_challenged_invite_and_bye_are_sent_again_with_digest() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(Trunk { registration: None, ..registering() })));
    network.command(GATEWAY, call(to_number()));
    network.run_for(Duration::from_millis(50));
    let first = network.take_one(CARRIER);
    let challenge = CHALLENGE.replace("WWW-Authenticate", "Proxy-Authenticate");
    network.send(CARRIER, &answer_to(&first, "407 Proxy Authentication Required", "p", &challenge, ""));
    let texts = network.take(CARRIER);
    assert!(texts[0].starts_with("ACK ") && texts[1].starts_with("INVITE "));
    let second = &texts[1];
    assert_eq!(header(second, "CSeq"), "2 INVITE");
    assert_ne!(header(second, "Via"), header(&first, "Via"));
    assert!(header(second, "Proxy-Authorization").contains("uri=\"sip:+12025550177@carrier.test\""));
    assert!(second.ends_with(OFFER));
    // Stale: once more, then no further.
    let stale = challenge.replace("n1", "n2").replace("realm", "stale=true, realm");
    network.send(CARRIER, &answer_to(second, "407 Again", "p", &stale, ""));
    let third = network.take(CARRIER).pop().unwrap();
    assert_eq!(third.matches("Proxy-Authorization: ").count(), 1);
    let contact = "Contact: <sip:callee@192.0.2.2>\r\n";
    network.send(CARRIER, &answer_to(&third, "200 OK", "p", contact, ANSWER));
    let ack = network.take_one(CARRIER);
    assert_eq!(header(&ack, "CSeq"), "3 ACK");
    assert_eq!(header(&ack, "Proxy-Authorization"), header(&third, "Proxy-Authorization"));
    let body = Bytes::from_static(ANSWER.as_bytes());
    assert_eq!(
        network.take_events(GATEWAY),
        [Event::Answered { session: CALL, body, source: addr(CARRIER) }]
    );
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_for(Duration::from_millis(50));
    let bye = network.take_one(CARRIER);
    network.send(CARRIER, &answer_to(&bye, "407 Again", "", &challenge, ""));
    let bye = network.take_one(CARRIER);
    assert_eq!(header(&bye, "CSeq"), "5 BYE");
    assert!(header(&bye, "Proxy-Authorization").contains("uri=\"sip:callee@192.0.2.2\""));
    network.send(CARRIER, &answer_to(&bye, "200 OK", "", "", ""));
    network.run_until_idle();
}

#[test]
fn a_trunk_put_twice_is_registered_once() {
    let (mut network, _) = started();
    network.command(GATEWAY, Command::PutTrunk(Box::new(registering())));
    network.run_for(Duration::from_millis(50));
    assert_eq!(network.take(CARRIER), Vec::<String>::new());
    network.command(GATEWAY, Command::Shutdown);
    network.run_for(Duration::from_millis(50));
    assert_eq!(header(&network.take_one(CARRIER), "Expires"), "0");
    network.run_until_idle();
}

#[test]
fn a_proxy_may_ask_after_the_trunk_has() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(Trunk { registration: None, ..registering() })));
    network.command(GATEWAY, call(to_number()));
    network.run_for(Duration::from_millis(50));
    let first = network.take_one(CARRIER);
    let asked = CHALLENGE.replace("WWW-Authenticate", "Proxy-Authenticate");
    network.send(CARRIER, &answer_to(&first, "407 Proxy Authentication Required", "x", &asked, ""));
    let second = network.take(CARRIER).pop().unwrap();
    network.send(CARRIER, &answer_to(&second, "401 Unauthorized", "x", CHALLENGE, ""));
    let third = network.take(CARRIER).pop().unwrap();
    assert!(third.contains("\r\nProxy-Authorization: ") && third.contains("\r\nAuthorization: "), "{third}");
    // An answer with another number is no answer to this.
    let wrong = answer_to(&third, "200 OK", "x", "", "").replace("CSeq: 3 ", "CSeq: 2000000000 ");
    network.send(CARRIER, &wrong);
    assert_eq!(network.take_events(GATEWAY), []);
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
}
