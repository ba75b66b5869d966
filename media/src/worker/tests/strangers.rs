//! What a stranger sends is never heard, attracts no media, is not answered and harms nobody (M1, M2, M4, M5).

use super::*;
use crate::dtls::{DtlsParameters, Identity, SetupRole};
use crate::ice::{IceCredentials, tests::check};
use crate::rtcp::Report;

/// The level of a voice at everybody's ear, in dB.
const SENT: f64 = -15.0;

/// Another host, and another port of the phone's own host.
fn strangers(phone: SocketAddr) -> [SocketAddr; 2] {
    ["203.0.113.66:666".parse().unwrap(), SocketAddr::new(phone.ip(), phone.port() + 2)]
}

/// A room of two who speak; `change` says how the second one's media was agreed on.
fn room(change: impl FnOnce(&mut Negotiated), host: Option<IpAddr>) -> (Bench, LegId, LegId) {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 700, ALL);
    let leg = bench.phone(2, Codec::Pcmu, 500, ALL);
    let phone = &bench.phones[&leg];
    let mut negotiated = negotiated(phone.address, phone.codec);
    change(&mut negotiated);
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: host });
    bench.settle(50);
    (bench, ear, leg)
}

/// Both hear each other's tone at its level and no other.
fn assert_unharmed(bench: &Bench, (ear, leg): (LegId, LegId), foreign: u32) {
    assert!((bench.hears(ear, 500) - SENT).abs() < 0.5, "{} dB", bench.hears(ear, 500));
    assert!((bench.hears(leg, 700) - SENT).abs() < 0.5, "{} dB", bench.hears(leg, 700));
    assert!(bench.hears(ear, foreign) < -55.0, "the stranger at {} dB", bench.hears(ear, foreign));
}

#[test]
fn m1_m2_the_victims_own_ssrc_and_next_number_from_elsewhere_are_not_heard() {
    for host in [None, Some(IpAddr::from([192, 0, 2, 2]))] {
        let (mut bench, ear, leg) = room(|_| {}, host);
        let victim = bench.phones[&leg].address;
        let mut tone = Phone::new(victim, Codec::Pcmu, 1_300);
        for n in 0..100_u16 {
            for source in strangers(victim) {
                // What the victim will send next, sent before the victim sends it; and another SSRC.
                (tone.sequence_number, tone.timestamp) =
                    (bench.phones[&leg].sequence_number, bench.phones[&leg].timestamp);
                let forged = tone.speak();
                bench.worker.handle_sip_datagram(bench.now, leg, source, &forged);
                let mut other = forged.clone();
                other[8..12].copy_from_slice(&[9, 9, 9, 9]);
                bench.worker.handle_sip_datagram(bench.now, leg, source, &other);
                bench.key(leg, source, n);
                let bye = Report {
                    ssrc: 5,
                    cname: b"stranger",
                    sender: None,
                    block: None,
                    metrics: None,
                    bye: true,
                };
                let mut datagram = [0; 100];
                let length = bye.write(&mut datagram).unwrap();
                bench.worker.handle_sip_datagram(bench.now, leg, source, &datagram[..length]);
            }
            // `tick` asserts that everything sent to the leg goes to the victim's own address.
            bench.tick();
        }
        assert_unharmed(&bench, (ear, leg), 1_300);
        assert_eq!(bench.digits(), "", "no keys of strangers");
    }
}

/// Garbage of every kind a media port may be sent: at least 375 different ones.
fn garbage() -> Vec<Vec<u8>> {
    let mut kinds: Vec<Vec<u8>> = vec![Vec::new()];
    // Every first byte, alone and before noise of several lengths: all protocols of RFC 7983 and none.
    for first in 0..=255_u8 {
        let length = [1, 2, 11, 12, 13, 20, 28, 60, 300, 1_400][usize::from(first) % 10];
        kinds.push((0..length).map(|n: u32| if n == 0 { first } else { (n * 37) as u8 ^ first }).collect());
    }
    // STUN: all classes and methods, wrong lengths, no attributes, broken ones.
    for kind in [0x0001_u16, 0x0011, 0x0101, 0x0111, 0x0003, 0x0004, 0x0008, 0x0009, 0x3FFF] {
        for (length, body) in [(0, 0), (8, 8), (8, 4), (0xFFFC, 8), (3, 3)] {
            let mut message =
                [&kind.to_be_bytes()[..], &u16::to_be_bytes(length), &[0x21, 0x12, 0xA4, 0x42]].concat();
            message.extend([7; 12]);
            message.extend([0, 6, 0xFF, 0xFF, 1, 2, 3, 4].iter().take(body));
            kinds.push(message);
        }
    }
    kinds.push(check("AAAAAAAA", "a password that is not ours", true));
    // DTLS: every content type and odd versions, lengths that lie.
    for content in 20..=63_u8 {
        let mut record = vec![content, 0xFE, [0xFD, 0xFF, 0x00][usize::from(content) % 3]];
        record.extend([0, 0, 0, 0, 0, 0, 0, content, 0, [0, 40, 255][usize::from(content) % 3]]);
        record.extend([1; 40]);
        kinds.push(record);
    }
    // RTP: extensions, contributors and padding that lie, types nobody agreed on.
    for flags in [0x80_u8, 0x8F, 0x90, 0x9F, 0xA0, 0xBF] {
        for (kind, tail) in
            [(0_u8, 0), (0, 160), (8, 3), (13, 0), (34, 10), (101, 2), (127, 160), (0x80, 1_300)]
        {
            let mut packet = vec![flags, kind, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
            packet.extend(std::iter::repeat_n(0xFF, tail));
            kinds.push(packet);
        }
    }
    // RTCP: every packet type, with counts and lengths that lie.
    for kind in 192..=223_u8 {
        let flags = 0x80 | (kind % 32);
        kinds.push(vec![flags, kind, 0, kind % 9, 0, 0, 0, 5, 1, 2, 3, 4]);
    }
    kinds
}

#[test]
fn m5_375_kinds_of_garbage_change_nothing_and_get_no_answer() {
    let ours = Identity::generate().unwrap();
    let remote = ours.fingerprint();
    let kinds = garbage();
    assert!(kinds.len() >= 375, "{}", kinds.len());
    for ice in [None, Some(IceCredentials::derive(&[1; 32], "them"))] {
        for dtls in [None, Some(DtlsParameters { role: SetupRole::Passive, remote })] {
            let is_plain = ice.is_none() && dtls.is_none();
            let (mut bench, ear, leg) = room(
                |negotiated| (negotiated.ice, negotiated.dtls) = (ice, dtls),
                Some(IpAddr::from([192, 0, 2, 2])),
            );
            bench.worker.set_identity(Arc::new(Identity::generate().unwrap()));
            let victim = bench.phones[&leg].address;
            for kind in &kinds {
                for source in strangers(victim) {
                    bench.worker.handle_sip_datagram(bench.now, leg, source, kind);
                    let answered = bench.worker.poll_transmit().is_some();
                    assert!(!answered, "{kind:?} from {source} was answered");
                }
                bench.tick();
            }
            if is_plain {
                assert_unharmed(&bench, (ear, leg), 1_300);
            }
            assert_eq!(bench.digits(), "");
        }
    }
}

#[test]
fn m5_garbage_from_the_phones_own_address_leaves_the_call_as_it_was() {
    let (mut bench, ear, leg) = room(|_| {}, None);
    let victim = bench.phones[&leg].address;
    for kind in garbage() {
        bench.worker.handle_sip_datagram(bench.now, leg, victim, &kind);
        bench.tick();
    }
    bench.settle(100);
    bench.run(50);
    assert_unharmed(&bench, (ear, leg), 1_300);
}

#[test]
fn f11_two_phones_with_the_same_ssrc_and_numbers_are_two_voices() {
    // The phones of this bench all use the same SSRC, sequence numbers and timestamps.
    let (mut bench, ear, leg) = room(|_| {}, None);
    bench.run(50);
    assert_unharmed(&bench, (ear, leg), 1_300);
}

#[test]
fn f11_a_phone_may_use_our_ssrc_or_another_one_from_packet_to_packet() {
    let (mut bench, ear, leg) = room(|_| {}, None);
    let mut phone = bench.phones.remove(&leg).unwrap();
    let mut ours = [0; 4];
    for n in 0..200_u32 {
        let mut datagram = phone.speak();
        match n {
            0..=99 => datagram[8..12].copy_from_slice(&ours),
            _ => datagram[8..12].copy_from_slice(&[8, 8, 8, 8]),
        }
        bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
        bench.now += TICK;
        let spoken = bench.phones.get_mut(&ear).unwrap().speak();
        let address = bench.phones[&ear].address;
        bench.worker.handle_sip_datagram(bench.now, ear, address, &spoken);
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(leg) {
                if !crate::rtcp::is_rtcp(transmit.payload) {
                    ours.copy_from_slice(&transmit.payload[8..12]);
                }
            } else {
                bench.phones.get_mut(&ear).unwrap().hear(transmit.payload);
            }
        }
    }
    let heard = &bench.phones[&ear].heard;
    for half in [&heard[4_000..16_000], &heard[heard.len() - 8_000..]] {
        let level = level_at(half, 500, 8_000);
        assert!((level - SENT).abs() < 1.0, "{level}");
    }
}

#[test]
fn f11_a_phone_moves_to_another_port_by_reinvite() {
    let (mut bench, ear, leg) = room(|_| {}, None);
    let old = bench.phones[&leg].address;
    let new = SocketAddr::new(old.ip(), 5_000);
    bench.phones.get_mut(&leg).unwrap().address = new;
    let moved = negotiated(new, Codec::Pcmu);
    bench.command(Command::SetSipRemote { leg, negotiated: moved, symmetric_from: None });
    bench.settle(50);
    let mut stranger = Phone::new(old, Codec::Pcmu, 1_300);
    for _ in 0..50 {
        let datagram = stranger.speak();
        bench.worker.handle_sip_datagram(bench.now, leg, old, &datagram);
        bench.tick();
    }
    assert_unharmed(&bench, (ear, leg), 1_300);
}

#[test]
fn d21_i58_keys_of_one_leg_are_never_heard_by_others() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let wide = bench.phone(3, Codec::Opus, 0, ALL);
    let leg = bench.phone(2, Codec::Pcmu, 0, ALL);
    bench.settle(20);
    let address = bench.phones[&leg].address;
    let mut phone = bench.phones.remove(&leg).unwrap();
    for n in 0..200_u16 {
        // Without marker, the end lost, held for seconds: `hear` asserts that only audio types arrive.
        let mut datagram = phone.speak();
        datagram.truncate(12);
        datagram[1] = 101;
        datagram[4..8].copy_from_slice(&9_000_u32.to_be_bytes());
        let [d0, d1] = (n * 160).to_be_bytes();
        datagram.extend([1, 0x0A, d0, d1]);
        bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram);
        bench.tick();
    }
    assert_eq!(bench.digits(), "1");
    assert!(bench.hears_nothing(ear) && bench.hears_nothing(wide));
}
