use super::*;
use proptest::prelude::*;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

fn key(suite: Suite, seed: u8) -> MasterKey {
    let (key, salt) = suite.lengths();
    let bytes: Vec<u8> = (0..key + salt).map(|n| (n as u8).wrapping_mul(37).wrapping_add(seed)).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

fn packet(sequence_number: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 1, 0xCA, 0xFE, 0xBA, 0xBE];
    packet[2..4].copy_from_slice(&sequence_number.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn seal(sealer: &mut Sealer, plain: &[u8]) -> Vec<u8> {
    let mut datagram = plain.to_vec();
    datagram.resize(plain.len() + MAX_GROWTH, 0);
    let length = sealer.seal_rtp(&mut datagram, plain.len()).unwrap();
    datagram.truncate(length);
    datagram
}

fn open(opener: &mut Opener, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut datagram = sealed.to_vec();
    let length = opener.open_rtp(&mut datagram)?;
    datagram.truncate(length);
    Some(datagram)
}

fn profile(suite: Suite) -> ProtectionProfile {
    match suite {
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
    }
}

fn other(suite: Suite, key: &MasterKey) -> Context {
    let provider = rtc::crypto::default_provider().unwrap();
    Context::new(key.key(), key.salt(), profile(suite), None, None, provider.crypto()).unwrap()
}

#[test]
fn d22_another_implementation_reads_what_we_seal_and_we_what_it_seals() {
    for suite in Suite::ALL {
        let master = key(suite, 9);
        let (mut sealer, mut opener) = (Sealer::new(suite, &master), Opener::new(suite, &master));
        let (mut reader, mut writer) = (other(suite, &master), other(suite, &master));
        // Over two wraps of the sequence number.
        for n in (0..140_000_u32).step_by(997) {
            let number = n as u16;
            let plain = packet(number, &[n as u8; 160]);
            let sealed = seal(&mut sealer, &plain);
            assert_eq!(reader.decrypt_rtp(&sealed).unwrap(), plain, "{suite:?} {n}");
            let sealed = writer.encrypt_rtp(&plain).unwrap();
            assert_eq!(open(&mut opener, &sealed), Some(plain), "{suite:?} {n}");
        }
        let report = [vec![0x80, 200, 0, 6, 1, 2, 3, 4], vec![7; 20]].concat();
        for _ in 0..3 {
            let mut datagram = report.clone();
            datagram.resize(report.len() + MAX_GROWTH, 0);
            let length = sealer.seal_rtcp(&mut datagram, report.len()).unwrap();
            assert_eq!(reader.decrypt_rtcp(&datagram[..length]).unwrap(), report, "{suite:?}");
            let mut sealed = writer.encrypt_rtcp(&report).unwrap().to_vec();
            let length = opener.open_rtcp(&mut sealed).unwrap();
            assert_eq!(sealed[..length], report, "{suite:?}");
        }
    }
}

#[test]
fn m4_ten_thousand_bad_packets_and_repetitions_change_nothing() {
    for suite in Suite::ALL {
        let master = key(suite, 3);
        let (mut sealer, mut opener) = (Sealer::new(suite, &master), Opener::new(suite, &master));
        let first = seal(&mut sealer, &packet(65_530, &[1; 160]));
        assert!(open(&mut opener, &first).is_some());
        for n in 0..10_000_u32 {
            let mut forged = first.clone();
            let at = 12 + n as usize % (forged.len() - 12);
            forged[at] ^= 1 << (n % 8);
            forged[2..4].copy_from_slice(&(n as u16).to_be_bytes());
            assert!(open(&mut opener, &forged).is_none());
            forged[8..12].copy_from_slice(&n.to_be_bytes());
            assert!(open(&mut opener, &forged).is_none(), "nor of any other source");
        }
        assert!(open(&mut opener, &first).is_none(), "a repetition");
        for n in 1..20_u16 {
            let plain = packet(65_530_u16.wrapping_add(n), &[n as u8; 160]);
            let sealed = seal(&mut sealer, &plain);
            assert_eq!(open(&mut opener, &sealed), Some(plain), "the call goes on, also over the wrap");
        }
    }
}

#[test]
fn a_packet_out_of_order_over_the_wrap_is_opened() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut sealer, mut opener) = (Sealer::new(suite, &key(suite, 1)), Opener::new(suite, &key(suite, 1)));
    let sealed: Vec<_> = [65_534, 65_535, 0, 1].map(|n| seal(&mut sealer, &packet(n, &[5; 20]))).into();
    for at in [0, 2, 1, 3] {
        assert!(open(&mut opener, &sealed[at]).is_some(), "{at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for suite in Suite::ALL {
            let mut opener = Opener::new(suite, &key(suite, 1));
            prop_assert!(open(&mut opener, &bytes).is_none());
            prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_none());
            let mut datagram = bytes.clone();
            let mut sealer = Sealer::new(suite, &key(suite, 1));
            let _ = sealer.seal_rtp(&mut datagram, bytes.len());
            let _ = sealer.seal_rtcp(&mut datagram, bytes.len());
        }
    }
}
