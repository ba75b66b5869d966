//! Phones whose media is encrypted.

use super::*;
use crate::srtp::{MasterKey, Opener, Sealer, SrtpKeys, Suite};

fn key(suite: Suite, seed: u8) -> MasterKey {
    let (key, salt) = suite.lengths();
    MasterKey::new(suite, &vec![seed; key + salt]).unwrap()
}

/// Makes a phone's leg encrypted; gives the phone's side.
fn encrypt(bench: &mut Bench, leg: LegId, suite: Suite, symmetric_from: Option<IpAddr>) -> (Sealer, Opener) {
    let phone = &bench.phones[&leg];
    let keys = SrtpKeys { suite, local: key(suite, 1), remote: key(suite, 2) };
    let negotiated = Negotiated { srtp: Some(keys), ..negotiated(phone.address, phone.codec) };
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from });
    (Sealer::new(suite, &keys.remote), Opener::new(suite, &keys.local))
}

fn sealed(sealer: &mut Sealer, mut datagram: Vec<u8>) -> Vec<u8> {
    let length = datagram.len();
    datagram.resize(length + crate::srtp::MAX_GROWTH, 0);
    let length = sealer.seal_rtp(&mut datagram, length).unwrap();
    datagram.truncate(length);
    datagram
}

#[test]
fn d22_m4_encrypted_phones_are_heard_and_hear_whatever_a_stranger_sends() {
    for suite in Suite::ALL {
        let mut bench = Bench::new();
        let other = bench.phone(1, Codec::Pcmu, 700, ALL);
        let leg = bench.phone(2, Codec::Pcmu, 500, ALL);
        let (mut sealer, mut opener) = encrypt(&mut bench, leg, suite, None);
        let mut phone = bench.phones.remove(&leg).unwrap();
        let dropped = bench.worker.load().dropped_datagrams;
        for n in 0..200_u32 {
            let plain = phone.speak();
            for k in 0..50_u32 {
                let mut bad = sealed(&mut Sealer::new(suite, &key(suite, 9)), plain.clone());
                bad[8..12].copy_from_slice(&(k * n).to_be_bytes());
                bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &bad);
            }
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &plain); // not encrypted at all
            let datagram = sealed(&mut sealer, plain);
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
            let spoken = bench.phones.get_mut(&other).unwrap().speak();
            let address = bench.phones[&other].address;
            bench.worker.handle_sip_datagram(bench.now, other, address, &spoken);
            bench.now += TICK;
            bench.worker.handle_tick(bench.now);
            while let Some(transmit) = bench.worker.poll_transmit() {
                let mut datagram = transmit.payload.to_vec();
                if transmit.from == Port::Sip(leg) {
                    let length = opener.open_rtp(&mut datagram).expect("sealed with our key");
                    phone.hear(&datagram[..length]);
                } else {
                    bench.phones.get_mut(&other).unwrap().hear(&datagram);
                }
            }
        }
        assert_eq!(bench.worker.load().dropped_datagrams - dropped, 200 * 52, "{suite:?}");
        for (heard, hz) in [(&phone.heard, 700), (&bench.phones[&other].heard, 500)] {
            let level = level_at(&heard[heard.len() - 8_000..], hz, 8_000);
            assert!((level + 15.0).abs() < 0.5, "{suite:?}: {hz} Hz at {level} dB");
        }
    }
}

#[test]
fn m1_a_source_is_learned_only_after_its_tag_is_right() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Pcmu, 500, ALL);
    let host = IpAddr::from([203, 0, 113, 5]);
    let (mut sealer, _) = encrypt(&mut bench, leg, suite, Some(host));
    let mut phone = bench.phones.remove(&leg).unwrap();
    let (stranger, nat) = (SocketAddr::new(host, 6_666), SocketAddr::new(host, 7_777));
    let mut destinations = Vec::new();
    for n in 0..10 {
        let plain = phone.speak();
        bench.worker.handle_sip_datagram(bench.now, leg, stranger, &plain);
        let forged = sealed(&mut Sealer::new(suite, &key(suite, 9)), plain.clone());
        bench.worker.handle_sip_datagram(bench.now, leg, stranger, &forged);
        if n >= 5 {
            let datagram = sealed(&mut sealer, plain);
            bench.worker.handle_sip_datagram(bench.now, leg, nat, &datagram);
        }
        bench.now += TICK;
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            destinations.push(transmit.destination);
        }
    }
    assert!(!destinations.contains(&stranger));
    assert_eq!(destinations.last(), Some(&nat));
}
