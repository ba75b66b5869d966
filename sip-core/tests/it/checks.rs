//! Is the peer of a call still there, where does a carrier point to, and which phones may register.

use std::time::Duration;

use sip_core::ua::{Command, DeviceAccount, EndCause, Event};

use crate::support::*;

const CONTACT: &str = "Contact: <sip:callee@192.0.2.2:5060>\r\nContent-Type: application/sdp\r\n";

fn calling() -> (Network, String) {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    network.command(GATEWAY, call(to_number()));
    network.run_for(Duration::from_millis(50));
    let invite = network.take_one(CARRIER);
    (network, invite)
}

#[test]
fn i56_a_peer_that_answers_an_options_is_there_and_one_that_knows_nothing_is_not() {
    for (status, alive) in [
        ("200 OK", true),
        ("405 Method Not Allowed", true),
        ("481 Call/Transaction Does Not Exist", false),
        ("408 Request Timeout", false),
    ] {
        let (mut network, invite) = calling();
        network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
        network.take(CARRIER);
        network.take_events(GATEWAY);
        network.command(GATEWAY, Command::Check { session: CALL });
        network.run_for(Duration::from_millis(50));
        let question = network.take_one(CARRIER);
        assert!(question.starts_with("OPTIONS sip:callee@192.0.2.2:5060"), "{question}");
        assert_eq!(header(&question, "Call-ID"), header(&invite, "Call-ID"));
        assert!(header(&question, "To").ends_with(";tag=a"), "within the dialog");
        network.send(CARRIER, &answer_to(&question, status, "a", "", ""));
        let told = network.take_events(GATEWAY).contains(&Event::Alive { session: CALL });
        assert_eq!(told, alive, "{status}");
        network.command(GATEWAY, Command::HangUp { session: CALL });
        network.run_until_idle();
    }
}

#[test]
fn i56_no_answer_at_all_is_no_sign_of_life_and_leaves_nothing_behind() {
    let (mut network, invite) = calling();
    network.send(CARRIER, &answer_to(&invite, "200 OK", "a", CONTACT, ANSWER));
    network.command(GATEWAY, Command::Check { session: CALL });
    network.run_for(Duration::from_secs(60));
    assert!(!network.take_events(GATEWAY).contains(&Event::Alive { session: CALL }));
    network.command(GATEWAY, Command::HangUp { session: CALL });
    network.run_until_idle();
}

#[test]
fn i45_a_redirection_is_told_and_not_followed() {
    let (mut network, invite) = calling();
    let more = "Contact: <sip:+19005550199@carrier.test;user=phone>;q=0.9, <tel:+12025550110>\r\n";
    network.send(CARRIER, &answer_to(&invite, "302 Moved Temporarily", "a", more, ""));
    let events = network.take_events(GATEWAY);
    let contacts = vec!["sip:+19005550199@carrier.test;user=phone".to_owned(), "tel:+12025550110".to_owned()];
    let cause = EndCause::Refused { status: 302, reason: "Moved Temporarily".to_owned() };
    assert_eq!(
        events,
        [Event::Redirected { session: CALL, contacts }, Event::Ended { session: CALL, cause }]
    );
    network.run_until_idle();
    let sent = network.take(CARRIER);
    assert!(sent.iter().all(|text| !text.starts_with("INVITE")), "{sent:?}");
}

#[test]
fn d14_only_the_user_agents_a_device_allows_may_register() {
    let contact = "Contact: <sip:103a@10.0.0.9:5060;ob>\r\n";
    for (agent, answer) in
        [("User-Agent: DeskPhone 7/1.2\r\n", "200"), ("User-Agent: scanner\r\n", "403"), ("", "403")]
    {
        let mut network = Network::gateway();
        let known = account("103a", "acme.test", "103a-secret");
        let filtered = DeviceAccount { agent_filter: Some("deskphone".to_owned()), ..known };
        network.command(GATEWAY, Command::PutDevice(filtered));
        let response = register(&mut network, PHONE, "103a", 1, &format!("{agent}{contact}"));
        assert!(response.starts_with(&format!("SIP/2.0 {answer} ")), "{agent}: {response}");
    }
}
