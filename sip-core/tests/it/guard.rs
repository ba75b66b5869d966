//! Floods, guessed passwords and scanners against a whole user agent (S3, S4, S9, S11, L4).

use std::time::Duration;

use sip_core::auth::{DigestAlgorithm, DigestInput, ha1, ha1_sha256};
use sip_core::message::Method;
use sip_core::message::TypedHeader;
use sip_core::message::header::WwwAuthenticate;
use sip_core::ua::{Command, DeviceAccount, Event};

use crate::support::*;

const AOR: &str = "sip:103a@acme.test";
const GUESSER: &str = "203.0.113.9:5060";

fn guarded() -> Network {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network
}

fn ask(network: &mut Network, from: &str, cseq: u32, more: &str) -> Option<String> {
    let text = request("REGISTER", "sip:acme.test", AOR, AOR, cseq, more);
    network.send(from, &text);
    network.take(from).pop()
}

#[test]
fn s4_ten_guesses_are_met_with_silence_and_others_go_on() {
    let mut network = guarded();
    let challenge = ask(&mut network, GUESSER, 1, "").unwrap();
    for guess in 1..=10 {
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "guess", guess);
        let answer = ask(&mut network, GUESSER, guess + 1, &proof).unwrap();
        assert!(answer.starts_with("SIP/2.0 403 "));
    }
    let [Event::Banned { address, .. }] = network.take_events(GATEWAY)[..] else { panic!() };
    assert_eq!(address, addr(GUESSER).ip());
    let right = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "103a-secret", 11);
    assert_eq!(ask(&mut network, GUESSER, 20, &right), None);
    // The account is not locked for its owner, who is elsewhere.
    let response = register(&mut network, PHONE, "103a", 30, "Contact: <sip:103a@10.0.0.9>\r\n");
    assert!(response.starts_with("SIP/2.0 200 "));
    network.run_for(Duration::from_secs(14 * 60));
    assert_eq!(ask(&mut network, GUESSER, 21, ""), None);
    network.run_for(Duration::from_secs(61));
    assert!(ask(&mut network, GUESSER, 22, "").unwrap().starts_with("SIP/2.0 401 "));
    network.run_until_registration_ends();
}

#[test]
fn s3_a_nonce_that_is_not_ours_tells_nothing_about_the_password_and_bans_nobody() {
    let mut network = guarded();
    let forged = "SIP/2.0 401 x\r\nWWW-Authenticate: Digest realm=\"acme.test\", nonce=\"mine\"\r\n";
    for guess in 1..=20 {
        let password = if guess % 2 == 0 { "103a-secret" } else { "guess" };
        let proof = authorize(forged, "REGISTER", "sip:acme.test", "103a", password, guess);
        let answer = ask(&mut network, GUESSER, guess, &proof).unwrap();
        assert!(answer.starts_with("SIP/2.0 401 ") && answer.contains(", stale=true,"), "{answer}");
    }
    assert_eq!(network.take_events(GATEWAY), []);
    network.run_until_idle();
}

#[test]
fn s4_trusted_addresses_are_exempt_and_bans_can_be_put_back_and_lifted() {
    let mut network = guarded();
    let mut trunk = carrier_trunk();
    trunk.sources = vec!["203.0.113.9/32".parse().unwrap()];
    network.command(GATEWAY, Command::PutTrunk(Box::new(trunk)));
    let challenge = ask(&mut network, GUESSER, 1, "").unwrap();
    for guess in 1..=20 {
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "guess", guess);
        assert!(ask(&mut network, GUESSER, guess + 1, &proof).is_some());
    }
    let address = addr(PHONE).ip();
    for (duration, heard) in [(60, false), (0, true)] {
        network.command(GATEWAY, Command::Ban { address, duration: Duration::from_secs(duration) });
        assert_eq!(ask(&mut network, PHONE, 1, "").is_some(), heard);
    }
    network.run_until_idle();
}

const EDGE: &str = "198.51.100.30:5060";

/// A REGISTER that has passed the edge.
fn through_edge(network: &mut Network, phone: &str, cseq: u32, more: &str) -> Option<String> {
    let text = request("REGISTER", "sip:acme.test", AOR, AOR, cseq, more);
    let via = text.lines().find(|line| line.starts_with("Via: ")).unwrap();
    let edge = format!("Via: SIP/2.0/UDP {EDGE};branch=z9hG4bKedge{cseq}{}", phone.replace(['.', ':'], ""));
    let text = text.replacen(via, &format!("{edge}\r\n{via};received={phone}"), 1);
    network.send(EDGE, &text);
    network.take(EDGE).pop()
}

#[test]
fn s4_behind_an_edge_the_guesser_is_banned_and_nobody_else() {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.edges = vec!["198.51.100.30/32".parse().unwrap()];
    network.add(GATEWAY, config, Behaviour::Nothing);
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    let challenge = through_edge(&mut network, "10.1.1.1", 1, "").unwrap();
    for guess in 1..=10 {
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "guess", guess);
        let answer = through_edge(&mut network, "10.1.1.1", guess + 1, &proof).unwrap();
        assert!(answer.starts_with("SIP/2.0 403 "));
    }
    let [Event::Banned { address, .. }] = network.take_events(GATEWAY)[..] else { panic!() };
    assert_eq!(address.to_string(), "10.1.1.1");
    assert_eq!(through_edge(&mut network, "10.1.1.1", 20, ""), None);
    assert!(through_edge(&mut network, "10.1.1.2", 21, "").unwrap().starts_with("SIP/2.0 401 "));
    // Only an edge may say who is behind it, and it is trusted with nothing else.
    let invite = request("INVITE", "sip:1@acme.test", "sip:x@acme.test", "sip:1@acme.test", 1, "");
    network.send(EDGE, &invite);
    assert!(network.take(EDGE).pop().unwrap().starts_with("SIP/2.0 401 "));
    network.run_until_idle();
}

#[test]
fn s11_scanners_get_silence() {
    let mut network = guarded();
    for name in ["friendly-scanner", "SIPVicious 0.3", "sipcli/v1.8"] {
        assert_eq!(ask(&mut network, GUESSER, 1, &format!("User-Agent: {name}\r\n")), None, "{name}");
    }
    assert!(ask(&mut network, GUESSER, 1, "User-Agent: Yealink SIP-T46S\r\n").is_some());
    network.run_until_idle();
}

#[test]
fn l4_a_flood_leaves_nothing_behind_and_others_are_served() {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.limits.guard.burst = 50;
    config.limits.guard.messages_per_second = 10;
    network.add(GATEWAY, config, Behaviour::Nothing);
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    let mut answers = 0;
    for cseq in 0..1_000 {
        answers += usize::from(ask(&mut network, GUESSER, cseq, "").is_some());
    }
    // 60 virtual seconds went by.
    assert!((500..800).contains(&answers), "{answers}");
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts(), Default::default());
    let response = register(&mut network, PHONE, "103a", 1, "Contact: <sip:103a@10.0.0.9>\r\n");
    assert!(response.starts_with("SIP/2.0 200 "));
    network.run_until_registration_ends();
}

/// As a phone that takes the first challenge it knows.
fn sha256_proof(challenge: &str) -> String {
    let first = WwwAuthenticate::parse(header(challenge, "WWW-Authenticate")).unwrap().0;
    assert_eq!(first.algorithm.as_deref(), Some("SHA-256"));
    let ha1 = ha1(DigestAlgorithm::Sha256, "103a", "acme.test", "103a-secret");
    let auth = Some(("00000001", "c"));
    let input = DigestInput { method: &Method::Register, uri: "sip:acme.test", nonce: &first.nonce, auth };
    format!(
        "Authorization: Digest username=\"103a\", realm=\"acme.test\", nonce=\"{}\", uri=\"sip:acme.test\", \
         response=\"{}\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
        first.nonce,
        input.response(DigestAlgorithm::Sha256, &ha1)
    )
}

#[test]
fn s3_sha_256_is_offered_beside_md5_where_every_device_has_its_hash() {
    let mut network = guarded();
    let plain = ask(&mut network, PHONE, 1, "").unwrap();
    assert_eq!(plain.matches("WWW-Authenticate: ").count(), 1);
    let hash = ha1_sha256("103a", "acme.test", "103a-secret");
    let known = DeviceAccount { ha1_sha256: Some(hash), ..account("103a", "acme.test", "103a-secret") };
    network.command(GATEWAY, Command::PutDevice(known));
    let both = ask(&mut network, PHONE, 2, "").unwrap();
    assert_eq!(both.matches("WWW-Authenticate: ").count(), 2);
    let contact = "Contact: <sip:103a@10.0.0.9>\r\n";
    let ok = ask(&mut network, PHONE, 3, &format!("{}{contact}", sha256_proof(&both))).unwrap();
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
    // An old phone answers with MD5.
    let again = ask(&mut network, PHONE, 4, "").unwrap();
    let proof = authorize(&again, "REGISTER", "sip:acme.test", "103a", "103a-secret", 1);
    assert!(ask(&mut network, PHONE, 5, &format!("{proof}{contact}")).unwrap().starts_with("SIP/2.0 200 "));
    // One device without the hash, and nobody is asked for it: the challenge would tell who is known.
    network.command(GATEWAY, Command::PutDevice(account("104a", "acme.test", "x")));
    assert_eq!(ask(&mut network, PHONE, 6, "").unwrap().matches("WWW-Authenticate: ").count(), 1);
    network.command(GATEWAY, Command::RemoveDevice(device("104a", "acme.test")));
    assert_eq!(ask(&mut network, PHONE, 7, "").unwrap().matches("WWW-Authenticate: ").count(), 2);
    network.run_until_registration_ends();
}
