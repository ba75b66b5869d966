//! Calls between two user agents over good and bad networks.

use std::time::Duration;

use sip_core::ua::{Command, EndCause, Event, SessionId};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

fn answered_then_hung_up(seed: u64, loss: Loss) -> Network {
    let mut network = Network::pair(seed, loss, Behaviour::RingThenAnswer(SECOND * 2));
    network.command(GATEWAY, call(to_number()));
    network.command_at(SECOND * 100, GATEWAY, Command::HangUp { session: CALL });
    network.run_until_idle();
    network
}

fn assert_whole_call(network: &Network) {
    let gateway = network.events(GATEWAY);
    let carrier = network.events(CARRIER);
    assert!(
        gateway
            .iter()
            .any(|event| matches!(event, Event::Answered { session: CALL, body, source } if body == ANSWER && *source == addr(CARRIER)))
    );
    assert_eq!(gateway.last(), Some(&Event::Ended { session: CALL, cause: EndCause::LocalHangUp }));
    let session = SessionId::Incoming(1);
    assert!(carrier.contains(&Event::Established { session }));
    assert_eq!(carrier.last(), Some(&Event::Ended { session, cause: EndCause::RemoteBye }));
}

#[test]
fn a_call_rings_is_answered_and_released() {
    let network = answered_then_hung_up(1, Loss::Nothing);
    assert_whole_call(&network);
    let kinds: Vec<Event> = network.events(GATEWAY);
    assert_eq!(kinds[0], Event::Provisional { session: CALL, status: 180, body: None });
    let Event::Incoming(invite) = &network.events(CARRIER)[0] else { panic!() };
    assert_eq!(invite.request_user, "+12025550177");
    assert_eq!(invite.request_domain, "carrier.test");
    assert_eq!(invite.from_display, "Hana Host");
    assert_eq!(invite.call_id, "call-7@acme.test");
    assert_eq!(invite.body, OFFER);
}

#[test]
fn d10_every_third_datagram_lost_and_the_call_still_sets_up() {
    for offset in 0..3 {
        let network = answered_then_hung_up(1, Loss::EveryThird(offset));
        assert!(network.log.contains(" LOST"));
        assert_whole_call(&network);
    }
}

#[test]
fn d10_one_in_three_lost_by_chance_and_the_call_still_sets_up() {
    for seed in 0..100 {
        assert_whole_call(&answered_then_hung_up(seed, Loss::OneInThree));
    }
}

#[test]
fn same_seed_same_bytes() {
    for seed in 0..5 {
        let first = answered_then_hung_up(seed, Loss::OneInThree).log;
        assert_eq!(first, answered_then_hung_up(seed, Loss::OneInThree).log);
        assert_ne!(first, answered_then_hung_up(seed + 1, Loss::OneInThree).log);
    }
}

#[test]
fn d36_refusals_arrive_with_their_status() {
    for status in [302, 404, 480, 484, 486, 488, 503, 600, 603, 604] {
        for loss in [Loss::Nothing, Loss::OneInThree] {
            let mut network = Network::pair(3, loss, Behaviour::Reject(status));
            network.command(GATEWAY, call(to_number()));
            network.run_until_idle();
            let ends: Vec<Event> = network.events(GATEWAY);
            let [Event::Ended { cause: EndCause::Refused { status: got, .. }, .. }] = ends.as_slice() else {
                panic!("{ends:?}");
            };
            assert_eq!(*got, status);
        }
    }
}

#[test]
fn d36_no_answer_at_all_ends_after_32_seconds() {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
    network.command(GATEWAY, call(to_number()));
    network.run_until_idle();
    let node = &network.nodes[&addr(GATEWAY)];
    assert_eq!(node.events, [(SECOND * 32, Event::Ended { session: CALL, cause: EndCause::NoResponse })]);
    // Timer A: 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s.
    assert_eq!(network.take(CARRIER).len(), 7);
}

#[test]
fn d38_cancel_while_ringing_ends_both_sides() {
    for seed in 0..20 {
        let mut network = Network::pair(seed, Loss::OneInThree, Behaviour::RingThenAnswer(SECOND * 3_000));
        network.command(GATEWAY, call(to_number()));
        network.command_at(SECOND * 40, GATEWAY, Command::HangUp { session: CALL });
        network.run_for(SECOND * 140);
        let events = network.events(GATEWAY);
        assert_eq!(events.last(), Some(&Event::Ended { session: CALL, cause: EndCause::LocalHangUp }));
        let cause = EndCause::RemoteCancel;
        let session = SessionId::Incoming(1);
        assert_eq!(network.events(CARRIER).last(), Some(&Event::Ended { session, cause }));
        network.run_until_idle();
    }
}

#[test]
fn the_called_side_hangs_up() {
    for loss in [Loss::Nothing, Loss::EveryThird(1)] {
        let mut network = Network::pair(5, loss, Behaviour::RingThenAnswer(SECOND));
        network.command(GATEWAY, call(to_number()));
        network.command_at(SECOND * 60, CARRIER, Command::HangUp { session: SessionId::Incoming(1) });
        network.run_until_idle();
        let events = network.events(GATEWAY);
        assert_eq!(events.last(), Some(&Event::Ended { session: CALL, cause: EndCause::RemoteBye }));
    }
}

#[test]
fn shutdown_ends_every_call_and_refuses_new_ones() {
    let mut network = Network::pair(5, Loss::Nothing, Behaviour::RingThenAnswer(SECOND));
    network.command(GATEWAY, call(to_number()));
    network.run_for(SECOND * 5);
    network.command(GATEWAY, Command::Shutdown);
    network.run_until_idle();
    network.command(GATEWAY, call(to_number()));
    let last = network.events(GATEWAY).pop();
    assert!(
        matches!(last, Some(Event::Ended { cause: EndCause::Refused { status: 503, .. }, .. })),
        "{last:?}"
    );
}

#[test]
fn an_unknown_trunk_or_device_ends_at_once() {
    let mut network = Network::gateway();
    network.command(GATEWAY, call(to_number()));
    network.command(GATEWAY, call(to_phone()));
    let ended = |cause| Event::Ended { session: CALL, cause };
    assert_eq!(network.events(GATEWAY), [ended(EndCause::TrunkUnknown), ended(EndCause::NotRegistered)]);
    network.run_until_idle();
}

#[test]
fn the_names_of_incoming_sessions_are_not_for_the_user() {
    let mut network = Network::gateway();
    let session = SessionId::Incoming(9);
    let Command::Invite(mut order) = call(to_number()) else { panic!() };
    order.session = session;
    network.command(GATEWAY, Command::Invite(order));
    assert_eq!(network.events(GATEWAY), [Event::Ended { session, cause: EndCause::ProtocolError }]);
}

#[test]
fn orders_about_unknown_things_do_nothing() {
    let mut network = Network::gateway();
    for session in [CALL, SessionId::Incoming(1)] {
        let body = bytes::Bytes::from_static(b"v=0\r\n");
        for command in [
            Command::Provisional { session, status: 180, body: None },
            Command::Accept { session, body: body.clone() },
            Command::Reject { session, status: 486 },
            Command::HangUp { session },
            Command::AnswerOffer { session, body: Ok(body) },
            Command::RemoveTrunk(sip_core::ua::TrunkId(9)),
            Command::RemoveDevice(device("nobody", "acme.test")),
        ] {
            network.command(GATEWAY, command);
        }
    }
    assert!(network.log.is_empty());
    network.run_until_idle();
}

#[test]
fn calls_run_over_ipv6() {
    let (ours, theirs) = ("[2001:db8::1]:5060", "[2001:db8::2]:5070");
    let mut network = Network::new(1, Loss::EveryThird(0));
    network.add(ours, config(ours), Behaviour::Nothing);
    let mut carrier = config(theirs);
    carrier.trusted_peers = vec!["2001:db8::/32".parse().unwrap()];
    network.add(theirs, carrier, Behaviour::RingThenAnswer(SECOND));
    let trunk =
        sip_core::ua::Trunk { peer: addr(theirs).into(), host: "[2001:db8::2]".into(), ..carrier_trunk() };
    network.command(ours, Command::PutTrunk(Box::new(trunk)));
    network.command(ours, call(to_number()));
    network.command_at(SECOND * 60, ours, Command::HangUp { session: CALL });
    network.run_until_idle();
    assert!(network.log.contains("INVITE sip:+12025550177@[2001:db8::2] SIP/2.0\r\n"));
    assert!(network.log.contains(";rport=5060;received=2001:db8::1\r\n"));
    assert_eq!(
        network.events(ours).last(),
        Some(&Event::Ended { session: CALL, cause: EndCause::LocalHangUp })
    );
}
