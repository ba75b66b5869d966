//! Mission row D11 and its neighbours: devices register, refresh, move and go.

use std::time::Duration;

use sip_core::ua::{Command, EndCause, Event, SessionId, StoredBinding, Transport};

use crate::support::*;

const AOR: &str = "sip:103a@acme.test";
const CONTACT: &str = "Contact: <sip:103a@10.0.0.9:5060>\r\n";

fn gateway() -> Network {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network
}

fn contacts(network: &Network) -> Vec<String> {
    let bindings = network.nodes[&addr(GATEWAY)].ua.bindings(&device("103a", "acme.test"));
    bindings.into_iter().map(|binding| binding.contact).collect()
}

fn latency(network: &Network) -> Option<Duration> {
    network.nodes[&addr(GATEWAY)].ua.bindings(&device("103a", "acme.test")).remove(0).latency
}

#[test]
fn d11_a_phone_registers_and_the_api_sees_it() {
    let mut network = gateway();
    let ok = register(&mut network, PHONE, "103a", 1, &format!("User-Agent: Desk 1.0\r\n{CONTACT}"));
    assert!(ok.starts_with("SIP/2.0 200 "));
    assert_eq!(header(&ok, "Contact"), "<sip:103a@10.0.0.9:5060>;expires=3600");
    let binding = network.nodes[&addr(GATEWAY)].ua.bindings(&device("103a", "acme.test")).remove(0);
    assert_eq!((binding.user_agent.as_str(), binding.source), ("Desk 1.0", addr(PHONE)));
    assert_eq!(network.take_events(GATEWAY), [Event::Registered(binding)]);
}

#[test]
fn d15_the_time_a_phone_takes_to_answer_a_challenge_is_its_latency() {
    let mut network = gateway();
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 1, CONTACT));
    let challenge = network.take_one(PHONE);
    let mut answered = |count: u32, after: Duration| {
        network.run_for(after);
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", "103a", "103a-secret", count);
        let again = request("REGISTER", "sip:acme.test", AOR, AOR, count + 1, &format!("{proof}{CONTACT}"));
        network.send(PHONE, &again);
        assert!(network.take_one(PHONE).starts_with("SIP/2.0 200 "));
        latency(&network)
    };
    let took = answered(1, Duration::from_millis(80)).unwrap();
    let exact = Duration::from_millis(80);
    assert!(took >= exact && took < exact * 2, "{took:?}, the way in this network included");
    assert_eq!(
        answered(2, Duration::from_secs(60)),
        Some(took),
        "a refresh by the same nonce says nothing new"
    );
}

#[test]
fn d11_wrong_password_gets_403_after_the_challenge() {
    let mut network = gateway();
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 1, CONTACT));
    let challenge = network.take_one(PHONE);
    for (user, password) in [("103a", "wrong"), ("nobody", "103a-secret")] {
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", user, password, 1);
        network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 2, &format!("{proof}{CONTACT}")));
        assert!(network.take_one(PHONE).starts_with("SIP/2.0 403 Forbidden\r\n"));
    }
    assert!(contacts(&network).is_empty());
    network.run_until_idle();
}

#[test]
fn d11_the_digest_is_bound_to_method_uri_nonce_count_and_address() {
    let mut network = gateway();
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 1, CONTACT));
    let challenge = network.take_one(PHONE);
    let proof = |method: &str, uri: &str, nc| authorize(&challenge, method, uri, "103a", "103a-secret", nc);
    let mut cseq = 1;
    let mut attempt = |network: &mut Network, phone: &str, proof: String| {
        cseq += 1;
        network
            .send(phone, &request("REGISTER", "sip:acme.test", AOR, AOR, cseq, &format!("{proof}{CONTACT}")));
        network.take_one(phone)
    };
    let other_method = attempt(&mut network, PHONE, proof("INVITE", "sip:acme.test", 1));
    assert!(other_method.starts_with("SIP/2.0 403 "));
    let other_uri = attempt(&mut network, PHONE, proof("REGISTER", "sip:zeta.test", 1));
    assert!(other_uri.starts_with("SIP/2.0 400 "));
    let elsewhere = attempt(&mut network, "203.0.113.9:5060", proof("REGISTER", "sip:acme.test", 1));
    assert!(elsewhere.starts_with("SIP/2.0 401 ") && elsewhere.contains("stale=true"));
    assert!(attempt(&mut network, PHONE, proof("REGISTER", "sip:acme.test", 1)).starts_with("SIP/2.0 200 "));
    let replayed = attempt(&mut network, PHONE, proof("REGISTER", "sip:acme.test", 1));
    assert!(replayed.starts_with("SIP/2.0 401 ") && replayed.contains("stale=true"));
    assert!(attempt(&mut network, PHONE, proof("REGISTER", "sip:acme.test", 2)).starts_with("SIP/2.0 200 "));
    network.run_for(Duration::from_secs(301));
    let late = attempt(&mut network, PHONE, proof("REGISTER", "sip:acme.test", 3));
    assert!(late.starts_with("SIP/2.0 401 ") && late.contains("stale=true"));
    let no_qop = proof("REGISTER", "sip:acme.test", 4).replace("qop=auth, ", "");
    assert!(attempt(&mut network, PHONE, no_qop).starts_with("SIP/2.0 401 "));
}

#[test]
fn d11_a_binding_expires_by_itself() {
    let mut network = gateway();
    register(&mut network, PHONE, "103a", 1, &format!("{CONTACT}Expires: 60\r\n"));
    network.run_for(Duration::from_secs(59));
    assert_eq!(contacts(&network).len(), 1);
    network.run_for(Duration::from_secs(2));
    assert!(contacts(&network).is_empty());
    let events = network.take_events(GATEWAY);
    assert_eq!(events.last(), Some(&Event::RegistrationExpired { device: device("103a", "acme.test") }));
    network.command(GATEWAY, call(to_phone()));
    assert_eq!(
        network.take_events(GATEWAY),
        [Event::Ended { session: CALL, cause: EndCause::NotRegistered }]
    );
    network.run_until_idle();
}

#[test]
fn d11_times_too_brief_are_refused_and_too_long_are_cut() {
    let mut network = gateway();
    let brief = register(&mut network, PHONE, "103a", 1, &format!("{CONTACT}Expires: 59\r\n"));
    assert!(brief.starts_with("SIP/2.0 423 "));
    assert_eq!(header(&brief, "Min-Expires"), "60");
    let long = register(&mut network, PHONE, "103a", 3, "Contact: <sip:a@10.0.0.9>;expires=999999999999\r\n");
    assert_eq!(header(&long, "Contact"), "<sip:a@10.0.0.9>;expires=3600");
}

#[test]
fn d11_several_contacts_live_side_by_side_and_the_newest_is_called() {
    let mut network = gateway();
    register(&mut network, PHONE, "103a", 1, CONTACT);
    network.run_for(Duration::from_secs(1));
    let second = "198.51.100.8:5060";
    let ok = register(&mut network, second, "103a", 3, "Contact: <sip:103a@10.0.0.10>\r\n");
    assert_eq!(ok.matches("\r\nContact: ").count(), 2);
    assert_eq!(contacts(&network), ["sip:103a@10.0.0.9:5060", "sip:103a@10.0.0.10"]);
    network.command(GATEWAY, call(to_phone()));
    network.run_for(Duration::from_millis(50));
    assert!(network.take_one(second).starts_with("INVITE sip:103a@10.0.0.10 SIP/2.0\r\n"));
    assert_eq!(network.take(PHONE), Vec::<String>::new());
}

#[test]
fn d11_of_several_contacts_the_one_the_phone_likes_best_is_called() {
    let mut network = gateway();
    register(&mut network, PHONE, "103a", 1, CONTACT);
    network.run_for(Duration::from_secs(1));
    let spare = "198.51.100.8:5060";
    let ok = register(&mut network, spare, "103a", 3, "Contact: <sip:103a@10.0.0.10>;q=0.1\r\n");
    assert!(ok.contains("<sip:103a@10.0.0.10>;q=0.1;expires=3600"), "{ok}");
    network.command(GATEWAY, call(to_phone()));
    network.run_for(Duration::from_millis(50));
    assert!(network.take_one(PHONE).starts_with("INVITE sip:103a@10.0.0.9:5060 SIP/2.0\r\n"));
    assert_eq!(network.take(spare), Vec::<String>::new());
}

#[test]
fn d11_unregistering_one_or_all() {
    let mut network = gateway();
    let two = "Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.9>\r\n";
    register(&mut network, PHONE, "103a", 1, two);
    assert_eq!(contacts(&network).len(), 2);
    register(&mut network, PHONE, "103a", 3, "Contact: <sip:a@10.0.0.9>;expires=0\r\n");
    assert_eq!(contacts(&network), ["sip:b@10.0.0.9"]);
    let bad = register(&mut network, PHONE, "103a", 5, "Contact: *\r\n");
    assert!(bad.starts_with("SIP/2.0 400 "));
    let bad = register(&mut network, PHONE, "103a", 7, &format!("Contact: *\r\n{two}Expires: 0\r\n"));
    assert!(bad.starts_with("SIP/2.0 400 "));
    network.take_events(GATEWAY);
    let all = register(&mut network, PHONE, "103a", 9, "Contact: *\r\nExpires: 0\r\n");
    assert!(all.starts_with("SIP/2.0 200 ") && !all.contains("\r\nContact:"));
    assert_eq!(network.take_events(GATEWAY), [Event::Unregistered { device: device("103a", "acme.test") }]);
    network.run_until_idle();
}

#[test]
fn d11_a_fetch_lists_and_changes_nothing() {
    let mut network = gateway();
    register(&mut network, PHONE, "103a", 1, CONTACT);
    network.take_events(GATEWAY);
    let list = register(&mut network, PHONE, "103a", 3, "");
    assert!(list.starts_with("SIP/2.0 200 ") && list.contains("<sip:103a@10.0.0.9:5060>;expires="));
    assert_eq!(network.take_events(GATEWAY), []);
}

#[test]
fn d11_an_older_register_does_not_undo_a_newer_one() {
    let mut network = gateway();
    register(&mut network, PHONE, "103a", 100, CONTACT);
    let late = register(&mut network, PHONE, "103a", 50, &format!("{CONTACT}Expires: 0\r\n"));
    assert!(late.starts_with("SIP/2.0 500 "));
    assert_eq!(contacts(&network).len(), 1);
}

#[test]
fn d11_contacts_per_device_are_bounded() {
    let mut network = gateway();
    for n in 0..15 {
        register(
            &mut network,
            PHONE,
            "103a",
            1 + 2 * n,
            &format!("Contact: <sip:103a@10.0.0.9:{}>\r\n", 5000 + n),
        );
        network.run_for(Duration::from_secs(1));
    }
    let contacts = contacts(&network);
    assert_eq!(contacts.len(), 10);
    assert_eq!(contacts[9], "sip:103a@10.0.0.9:5014");
}

#[test]
fn d12_a_phone_behind_a_nat_is_called_where_its_register_came_from_also_after_the_nat_has_moved_it() {
    let mut network = gateway();
    let private = "Contact: <sip:103a@192.168.7.20:5060>\r\n";
    let (before, after) = ("203.0.113.5:40001", "203.0.113.5:51777");
    for (cseq, outside, silent) in [(1, before, after), (3, after, before)] {
        let ok = register(&mut network, outside, "103a", cseq, private);
        let via = header(&ok, "Via");
        let (address, port) = outside.split_once(':').unwrap();
        assert!(
            via.contains(&format!("received={address}")) && via.contains(&format!("rport={port}")),
            "{via}"
        );
        assert_eq!(
            contacts(&network),
            ["sip:103a@192.168.7.20:5060"],
            "one binding, wherever it is seen from"
        );
        let Command::Invite(mut order) = call(to_phone()) else { panic!("no call") };
        order.session = SessionId::Outgoing(cseq.into());
        order.call_id = format!("call-{cseq}@acme.test");
        network.command(GATEWAY, Command::Invite(order));
        network.run_for(Duration::from_millis(50));
        assert!(network.take_one(outside).starts_with("INVITE sip:103a@192.168.7.20:5060 SIP/2.0\r\n"));
        assert_eq!(network.take(silent), Vec::<String>::new());
    }
}

#[test]
fn d12_a_retransmitted_register_is_answered_again_and_done_once() {
    let mut network = gateway();
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 1, CONTACT));
    let proof = authorize(&network.take_one(PHONE), "REGISTER", "sip:acme.test", "103a", "103a-secret", 1);
    let text = request("REGISTER", "sip:acme.test", AOR, AOR, 2, &format!("{proof}{CONTACT}"));
    network.send(PHONE, &text);
    let first = network.take_one(PHONE);
    network.send(PHONE, &text);
    assert_eq!(network.take_one(PHONE), first);
    assert_eq!(network.take_events(GATEWAY).len(), 1);
}

#[test]
fn d13_a_device_cannot_register_into_another_tenant() {
    let mut network = gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "zeta.test", "other")));
    for (to, uri) in [("sip:103a@zeta.test", "sip:zeta.test"), ("sip:100a@acme.test", "sip:acme.test")] {
        network.send(PHONE, &request("REGISTER", uri, AOR, to, 1, CONTACT));
        let challenge = network.take_one(PHONE);
        let proof = authorize(&challenge, "REGISTER", uri, "103a", "103a-secret", 1);
        network.send(PHONE, &request("REGISTER", uri, AOR, to, 2, &format!("{proof}{CONTACT}")));
        assert!(network.take_one(PHONE).starts_with("SIP/2.0 403 "));
    }
    assert_eq!(network.take_events(GATEWAY), []);
    network.run_until_idle();
}

#[test]
fn i94_a_stored_binding_is_called_after_a_restart() {
    let mut network = gateway();
    let stored = StoredBinding {
        device: device("103a", "acme.test"),
        contact: "sip:103a@10.0.0.9:5060".into(),
        source: addr(PHONE),
        transport: Transport::Udp,
        q: 1_000,
        instance: None,
        reg_id: None,
        path: Vec::new(),
        user_agent: "Desk".into(),
        call_id: "c1@phone".into(),
        cseq: 5,
        latency: Some(Duration::from_millis(30)),
        expires_in: Duration::from_secs(100),
    };
    let useless = StoredBinding { contact: "not a uri".into(), ..stored.clone() };
    network.command(GATEWAY, Command::RestoreBinding(Box::new(useless)));
    assert!(contacts(&network).is_empty());
    network.command(GATEWAY, Command::RestoreBinding(Box::new(stored)));
    assert_eq!(latency(&network), Some(Duration::from_millis(30)));
    network.command(GATEWAY, call(to_phone()));
    network.run_for(Duration::from_millis(50));
    assert!(network.take_one(PHONE).starts_with("INVITE sip:103a@10.0.0.9:5060 "));
    network.run_for(Duration::from_secs(101));
    let device = device("103a", "acme.test");
    assert!(network.take_events(GATEWAY).contains(&Event::RegistrationExpired { device: device.clone() }));
    network.command(GATEWAY, Command::RemoveDevice(device));
    network.run_until_idle();
}

#[test]
fn a_removed_device_is_gone_at_once() {
    let mut network = with_phone();
    network.take_events(GATEWAY);
    network.command(GATEWAY, Command::RemoveDevice(device("103a", "acme.test")));
    assert_eq!(network.take_events(GATEWAY), [Event::Unregistered { device: device("103a", "acme.test") }]);
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 11, CONTACT));
    let proof = authorize(&network.take_one(PHONE), "REGISTER", "sip:acme.test", "103a", "103a-secret", 1);
    network.send(PHONE, &request("REGISTER", "sip:acme.test", AOR, AOR, 12, &format!("{proof}{CONTACT}")));
    assert!(network.take_one(PHONE).starts_with("SIP/2.0 403 "));
}

#[test]
fn d11_a_phone_may_give_its_whole_address_as_digest_user() {
    let mut network = gateway();
    let aor = "sip:103a@acme.test";
    let more = "Contact: <sip:103a@10.0.0.9:5060>\r\n";
    let tries = [
        ("103a@acme.test", "103a-secret", "200"),
        ("103a@ACME.test", "103a-secret", "403"),
        ("103a@acme.test", "wrong", "403"),
        ("103a@zeta.test", "103a-secret", "403"),
    ];
    for (number, (user, password, status)) in tries.into_iter().enumerate() {
        network.send(PHONE, &request("REGISTER", "sip:acme.test", aor, aor, 1, more));
        let challenge = network.take_one(PHONE);
        let proof = authorize(&challenge, "REGISTER", "sip:acme.test", user, password, 1);
        let again = request("REGISTER", "sip:acme.test", aor, aor, 2, &format!("{proof}{more}"));
        let again = again.replace("c1@phone", &format!("c-{user}-{password}"));
        // A branch of its own, or it would be taken for the last one come again.
        let branch = format!("z9hG4bKtry{number}");
        network.send(PHONE, &again.replace("z9hG4bKREGISTER2", &branch));
        let answer = network.take_one(PHONE);
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{user} {answer}");
    }
}
