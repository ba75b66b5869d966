//! Phones that agree on keys by DTLS, and phones that check their media path by ICE.

use super::*;
use crate::dtls::tests::Caller;
use crate::dtls::{DtlsParameters, Identity, SetupRole};
use crate::ice::{IceCredentials, tests::check};
use crate::srtp::{Opener, Sealer};

/// Our port, as phones see it.
const OURS: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 20_000);

fn agree(bench: &mut Bench, leg: LegId, host: Option<IpAddr>, change: impl FnOnce(&mut Negotiated)) {
    let phone = &bench.phones[&leg];
    let mut negotiated = negotiated(phone.address, phone.codec);
    change(&mut negotiated);
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: host });
}

/// One tick in which `leg`'s phone sends `datagrams` from `source`; gives what was sent to it.
fn exchange(
    bench: &mut Bench,
    leg: LegId,
    source: SocketAddr,
    datagrams: Vec<Vec<u8>>,
) -> Vec<(SocketAddr, Vec<u8>)> {
    for datagram in datagrams {
        bench.worker.handle_sip_datagram(bench.now, leg, source, &datagram);
    }
    bench.now += TICK;
    for (&other, phone) in &mut bench.phones {
        let datagram = phone.speak();
        bench.worker.handle_sip_datagram(bench.now, other, phone.address, &datagram);
    }
    bench.worker.handle_tick(bench.now);
    let mut sent = Vec::new();
    while let Some(transmit) = bench.worker.poll_transmit() {
        match transmit.from {
            Port::Sip(to) if to == leg => sent.push((transmit.destination, transmit.payload.to_vec())),
            Port::Sip(to) => bench.phones.get_mut(&to).unwrap().hear(transmit.payload),
            Port::SipRtcp(_) | Port::Webrtc => {}
        }
    }
    sent
}

fn sealed(sealer: &mut Sealer, mut datagram: Vec<u8>) -> Vec<u8> {
    let length = datagram.len();
    datagram.resize(length + crate::srtp::MAX_GROWTH, 0);
    let length = sealer.seal_rtp(&mut datagram, length).unwrap();
    datagram.truncate(length);
    datagram
}

/// The phone is where its description says, or behind a NAT.
fn keys_by_dtls(host: Option<IpAddr>, role: SetupRole) {
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let shown = ours.fingerprint();
    let mut bench = Bench::new();
    bench.worker.set_identity(Arc::new(ours));
    let ear = bench.phone(1, Codec::Pcmu, 700, ALL);
    let leg = bench.phone(2, Codec::Pcmu, 500, ALL);
    let dtls = DtlsParameters { role, remote: theirs.fingerprint() };
    agree(&mut bench, leg, host, |negotiated| negotiated.dtls = Some(dtls));
    let mut phone = bench.phones.remove(&leg).unwrap();
    let source = host.map_or(phone.address, |host| SocketAddr::new(host, 9_999));
    // Without keys nobody is heard and nothing is sent in the clear.
    for _ in 0..20 {
        let plain = phone.speak();
        let sent = exchange(&mut bench, leg, source, vec![plain]);
        assert!(sent.iter().all(|(_, datagram)| (20..64).contains(&datagram[0])), "handshake only");
    }
    assert!(bench.hears_nothing(ear));
    let mut caller = Caller::new(source, &theirs, shown);
    if role == SetupRole::Active {
        let dtls = DtlsParameters { role: SetupRole::Passive, remote: shown };
        caller.handshake = crate::dtls::Handshake::new(&theirs, dtls).unwrap();
    }
    let begins = role == SetupRole::Passive;
    for _ in 0..200 {
        let flight = if begins || caller.keys.is_some() {
            caller.sends(bench.now, OURS)
        } else {
            std::iter::from_fn(|| caller.handshake.poll_transmit()).map(|(_, sent)| sent.to_vec()).collect()
        };
        let sent = exchange(&mut bench, leg, source, flight);
        let now = bench.now;
        sent.iter().for_each(|(_, datagram)| caller.take(now, OURS, datagram));
    }
    let keys = caller.keys.expect("the phone has its keys");
    let mut sealer = Sealer::new(keys.suite, &keys.local);
    let mut opener = Opener::new(keys.suite, &keys.remote);
    bench.phones.get_mut(&ear).unwrap().heard.clear();
    for n in 0..100 {
        let datagram = sealed(&mut sealer, phone.speak());
        for (destination, mut datagram) in exchange(&mut bench, leg, source, vec![datagram]) {
            assert_eq!(destination, source);
            let length = opener.open_rtp(&mut datagram).expect("sealed with the agreed key");
            phone.hear(&datagram[..length]);
        }
        if n == 30 {
            // The same description again changes no keys (RFC 8842 section 4).
            bench.phones.insert(leg, phone);
            agree(&mut bench, leg, host, |negotiated| negotiated.dtls = Some(dtls));
            phone = bench.phones.remove(&leg).unwrap();
            bench.phones.get_mut(&ear).unwrap().heard.clear();
        }
    }
    for (heard, hz) in [(&phone.heard, 700), (&bench.phones[&ear].heard, 500)] {
        let level = level_at(&heard[heard.len() - 8_000..], hz, 8_000);
        assert!((level + 15.0).abs() < 0.5, "{hz} Hz at {level} dB");
    }
}

#[test]
fn d22_m3_a_phone_agrees_on_keys_by_dtls_and_is_heard_only_then() {
    keys_by_dtls(None, SetupRole::Passive);
    keys_by_dtls(None, SetupRole::Active);
}

#[test]
fn d22_m1_a_phone_behind_a_nat_is_where_it_shows_its_certificate() {
    keys_by_dtls(Some(IpAddr::from([203, 0, 113, 5])), SetupRole::Passive);
}

#[test]
fn m3_nobody_but_the_phones_own_host_may_begin_a_handshake() {
    let ours = Identity::generate().unwrap();
    let theirs = Identity::generate().unwrap();
    let (shown, remote) = (ours.fingerprint(), theirs.fingerprint());
    let mut bench = Bench::new();
    bench.worker.set_identity(Arc::new(ours));
    let leg = bench.phone(2, Codec::Pcmu, 0, ALL);
    let dtls = Some(DtlsParameters { role: SetupRole::Passive, remote });
    agree(&mut bench, leg, None, |negotiated| negotiated.dtls = dtls);
    bench.phones.clear();
    let stranger: SocketAddr = "203.0.113.66:9".parse().unwrap();
    // Even with the right certificate: a stranger is not spoken to at all.
    let mut caller = Caller::new(stranger, &theirs, shown);
    for _ in 0..100 {
        let flight = caller.sends(bench.now, OURS);
        assert!(exchange(&mut bench, leg, stranger, flight).is_empty());
    }
}

#[test]
fn m1_m5_with_ice_the_media_path_is_where_good_checks_come_from() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 700, ALL);
    let leg = bench.phone(2, Codec::Pcmu, 500, ALL);
    let ice = IceCredentials::derive(&[3; 32], "them");
    agree(&mut bench, leg, None, |negotiated| negotiated.ice = Some(ice));
    let mut phone = bench.phones.remove(&leg).unwrap();
    let signalled = phone.address;
    let wrong = check(ice.ufrag(), "not the password we gave it", true);
    for _ in 0..20 {
        let plain = phone.speak();
        assert!(exchange(&mut bench, leg, signalled, vec![plain, wrong.clone()]).is_empty(), "unchecked");
    }
    assert!(bench.hears_nothing(ear));
    let good = |nominates| check(ice.ufrag(), ice.password(), nominates);
    let (first, chosen): (SocketAddr, SocketAddr) =
        ("10.0.0.1:5000".parse().unwrap(), "203.0.113.9:61000".parse().unwrap());
    let sent = exchange(&mut bench, leg, first, vec![good(false)]);
    assert!(sent.iter().all(|(to, _)| *to == first), "the first that passes, until one is chosen");
    let is_stun = |datagram: &[u8]| matches!(datagram.first(), Some(0..=3));
    assert_eq!(sent.iter().filter(|(_, datagram)| is_stun(datagram)).count(), 1, "one answer");
    exchange(&mut bench, leg, chosen, vec![good(true)]);
    exchange(&mut bench, leg, first, vec![good(false)]);
    let mut to_phone = 0;
    for _ in 0..100 {
        let datagram = phone.speak();
        bench.worker.handle_sip_datagram(bench.now, leg, signalled, &datagram);
        for (destination, datagram) in exchange(&mut bench, leg, chosen, vec![datagram]) {
            assert_eq!(destination, chosen);
            phone.hear(&datagram);
            to_phone += 1;
        }
    }
    assert_eq!(to_phone, 100);
    let heard = &bench.phones[&ear].heard;
    assert!(level_at(&heard[heard.len() - 8_000..], 500, 8_000) > -25.0, "heard from there");
}
