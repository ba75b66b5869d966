//! Calls that are never acknowledged, and avalanches, on the virtual clock (L3, L5).

use std::time::Duration;

use sip_core::ua::{Command, GuardLimits};

use crate::support::*;

const SILENT: &str = "203.0.113.200:5060";

/// A gateway that trusts the silent caller by address, as it would a trunk.
fn gateway() -> Network {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.trusted_peers = vec!["203.0.113.200/32".parse().unwrap()];
    config.limits.sessions = 2_000;
    network.add(GATEWAY, config, Behaviour::RingThenAnswer(Duration::ZERO));
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    network
}

#[test]
fn l5_invites_that_are_never_acknowledged_cost_no_more_than_the_limit_and_are_forgotten() {
    let mut network = gateway();
    let (mut most, mut served) = (0, 0);
    for second in 0..40_u32 {
        for number in 0..100_u32 {
            let id = format!("l5-{second}-{number}");
            let more = format!("Contact: <sip:x@{SILENT}>\r\nContent-Type: application/sdp\r\n");
            let (uri, from) = ("sip:900000001@acme.test", "sip:x@elsewhere.test");
            network.send(SILENT, &request_with("INVITE", uri, from, uri, 1, &more, OFFER, &id, &id));
            network.take(SILENT);
        }
        most = most.max(network.nodes[&addr(GATEWAY)].ua.counts().sessions);
        // Meanwhile a phone registers, as on any day.
        let answer =
            register(&mut network, PHONE, "103a", 1 + 2 * second, "Contact: <sip:103a@10.0.0.9:5060>\r\n");
        served += usize::from(answer.starts_with("SIP/2.0 200 "));
        network.run_for(Duration::from_millis(200));
        network.take(SILENT);
        network.take_events(GATEWAY);
        network.log.clear();
    }
    assert!(most > 500 && most <= 2_000, "{most} sessions at once");
    assert_eq!(served, 40, "every registration was served");
    network.run_for(Duration::from_secs(64));
    let counts = network.nodes[&addr(GATEWAY)].ua.counts();
    assert_eq!((counts.sessions, counts.dialogs, counts.transactions), (0, 0, 0), "64 seconds later");
}

#[test]
fn l3_a_thousand_phones_that_register_in_one_instant_are_all_in() {
    let mut network = Network::new(1, Loss::Nothing);
    let mut config = config(GATEWAY);
    config.limits.guard = GuardLimits::default();
    network.add(GATEWAY, config, Behaviour::Nothing);
    for number in 0..1_000 {
        let user = format!("p{number}");
        network.command(GATEWAY, Command::PutDevice(account(&user, "acme.test", &format!("{user}-secret"))));
    }
    for number in 0..1_000 {
        let user = format!("p{number}");
        let answer = register(&mut network, PHONE, &user, 1, "Contact: <sip:x@10.0.0.9:5060>\r\n");
        assert!(answer.starts_with("SIP/2.0 200 "), "{user}: {answer}");
    }
    assert_eq!(network.nodes[&addr(GATEWAY)].ua.counts().bindings, 1_000);
    network.run_until_registration_ends();
}
