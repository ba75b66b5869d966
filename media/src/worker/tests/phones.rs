//! Phones: whose packets count, keys, hold, and networks that move.

use super::*;

const STRANGER: &str = "203.0.113.66:666";

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

#[test]
fn d21_a_key_is_one_digit_whatever_the_plan() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 0, NOTHING);
    bench.run(5);
    let address = bench.phones[&phone].address;
    for n in 0..3 {
        bench.key(phone, address, 100 + n);
    }
    bench.drain();
    assert_eq!(bench.digits(), "1");
}

#[test]
fn a_strangers_voice_and_keys_are_dropped() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let phone = bench.phone(2, Codec::Pcmu, 0, ALL);
    bench.run(20);
    let mut intruder = Phone::new(stranger(), Codec::Pcmu, 500);
    let before = bench.worker.load().dropped_datagrams;
    for n in 0..50 {
        let datagram = intruder.speak();
        bench.worker.handle_sip_datagram(bench.now, phone, stranger(), &datagram);
        bench.key(phone, stranger(), 1_000 + n);
        bench.tick();
    }
    assert!(bench.hears_nothing(ear));
    assert_eq!(bench.digits(), "");
    assert_eq!(bench.worker.load().dropped_datagrams - before, 100);
}

#[test]
fn a_phone_behind_a_nat_is_answered_where_it_sends_from() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 0, ALL);
    bench.command(Command::RemoveLeg { leg: phone });
    bench.command(Command::AddSipLeg { leg: phone, room: ROOM });
    let private = negotiated("10.1.2.3:4000".parse().unwrap(), Codec::Pcmu);
    let symmetric_from = Some(bench.phones[&phone].address.ip());
    bench.command(Command::SetSipRemote { leg: phone, negotiated: private, symmetric_from });
    let mut destinations = Vec::new();
    for _ in 0..6 {
        bench.now += TICK;
        let address = bench.phones[&phone].address;
        let datagram = bench.phones.get_mut(&phone).unwrap().speak();
        bench.worker.handle_sip_datagram(bench.now, phone, address, &datagram);
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            destinations.push(transmit.destination.to_string());
        }
    }
    let (signalled, learned) = ("10.1.2.3:4000", "192.0.2.1:4000");
    assert_eq!(destinations, [signalled, signalled, learned, learned, learned, learned]);
}

#[test]
fn d20_while_a_phone_holds_us_its_music_stays_out_and_it_is_sent_nothing() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let holder = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.settle(20);
    let address = bench.phones[&holder].address;
    let mut hold = negotiated(address, Codec::Pcmu);
    hold.direction = Direction::RecvOnly;
    bench.command(Command::SetSipRemote { leg: holder, negotiated: hold, symmetric_from: None });
    bench.settle(1);
    let received = bench.phones[&holder].received.len();
    bench.run(50);
    assert!(bench.hears_nothing(ear));
    assert_eq!(bench.phones[&holder].received.len(), received);
    hold.remote = "0.0.0.0:4000".parse().unwrap(); // and once more in the old way
    bench.command(Command::SetSipRemote { leg: holder, negotiated: hold, symmetric_from: None });
    bench.run(5);
    hold.remote = address;
    hold.direction = Direction::SendRecv;
    bench.command(Command::SetSipRemote { leg: holder, negotiated: hold, symmetric_from: None });
    bench.settle(20);
    bench.run(20);
    assert!(bench.hears(ear, 500) > -16.0, "taken back, he is heard again");
    let after = &bench.phones[&holder].received[received];
    assert!(after.2, "the first packet after the pause is marked");
}

#[test]
fn nothing_is_sent_before_the_remote_is_known() {
    let mut bench = Bench::new();
    let leg = LegId(1);
    bench.command(Command::AddSipLeg { leg, room: ROOM });
    bench.plan(leg, ALL);
    bench.worker.handle_sip_datagram(bench.now, leg, stranger(), &[0x80; 172]);
    bench.now += TICK;
    bench.worker.handle_tick(bench.now);
    assert!(bench.worker.poll_transmit().is_none());
    assert!(bench.worker.poll_event().is_none());
}

#[test]
fn garbage_rtcp_and_datagrams_for_nobody_do_no_harm() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    let ear = bench.phone(2, Codec::Pcmu, 0, ALL);
    let address = bench.phones[&phone].address;
    for n in 0..50_u8 {
        for datagram in
            [&[][..], &[n], &[0x80, n, 0], &[0x80, 200, 0, 1, n, n, n, n], &[n; 40], &[0x80 | n; 200]]
        {
            bench.worker.handle_sip_datagram(bench.now, phone, address, datagram);
            bench.worker.handle_sip_datagram(bench.now, LegId(99), address, datagram);
            bench.worker.handle_webrtc_datagram(bench.now, address, datagram);
        }
        bench.tick();
    }
    bench.settle(10);
    bench.run(20);
    assert!(bench.hears(ear, 500) > -16.0);
}

#[test]
fn a_phone_that_switches_between_the_two_laws_is_understood() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let phone = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.settle(20);
    bench.phones.get_mut(&phone).unwrap().codec = Codec::Pcma;
    for _ in 0..50 {
        bench.now += TICK;
        let address = bench.phones[&phone].address;
        let datagram = bench.phones.get_mut(&phone).unwrap().speak();
        bench.worker.handle_sip_datagram(bench.now, phone, address, &datagram);
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(ear) {
                bench.phones.get_mut(&ear).unwrap().hear(transmit.payload);
            }
        }
    }
    assert!((bench.hears(ear, 500) + 15.0).abs() < 1.0);
}
