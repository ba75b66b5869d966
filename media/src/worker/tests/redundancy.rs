//! Redundant Opus (RFC 2198), and phones that change numbers and lengths of their packets.

use super::*;
use crate::rtcp::{Report, ReportBlock, RtcpItem, is_rtcp, read};
use crate::rtp::red::{self, Red, RedBlock};
use crate::sdp::{Format, Redundancy};

const RED: u8 = 103;

fn with_redundancy(bench: &mut Bench, leg: LegId, preferred: bool) -> u8 {
    let address = bench.phones[&leg].address;
    let mut agreed = negotiated(address, Codec::Opus);
    agreed.redundancy = Some(Redundancy { payload_type: RED, preferred });
    agreed.rtcp = RtcpPort::Muxed;
    agreed.received.insert(RED, Format::Redundant);
    let opus = agreed.payload_type;
    bench.command(Command::SetSipRemote { leg, negotiated: agreed, symmetric_from: None });
    opus
}

/// A phone that loses every fifth packet, with redundancy or without; gives how it was heard and what was made up.
fn lossy(redundant: bool) -> (f64, Duration, u64) {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Opus, 500, ALL);
    let ear = bench.phone(2, Codec::Pcmu, 0, ALL);
    let opus = with_redundancy(&mut bench, leg, true);
    let mut phone = bench.phones.remove(&leg).unwrap();
    let mut earlier: Vec<u8> = Vec::new();
    for n in 0..500_u32 {
        let datagram = phone.speak();
        let packet = RtpPacket::parse(&datagram).unwrap();
        let mut both = [0; 1_500];
        let before = RedBlock { payload_type: opus, offset: 960, payload: &earlier };
        let primary = RedBlock { payload_type: opus, offset: 0, payload: packet.payload };
        let length = red::write((n > 0).then_some(before), primary, &mut both).unwrap();
        let twice = RtpPacket { payload_type: RED, payload: &both[..length], ..packet };
        let mut wire = [0; 1_600];
        let length = if redundant { twice.write(&mut wire) } else { packet.write(&mut wire) }.unwrap();
        if n % 5 != 4 {
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &wire[..length]);
        }
        earlier = packet.payload.to_vec();
        bench.tick();
        if n == 250 {
            bench.phones.get_mut(&ear).unwrap().heard.clear();
        }
    }
    let stats = bench.worker.stats(leg).unwrap();
    (bench.hears(ear, 500), stats.concealed, stats.duplicate_packets)
}

#[test]
fn d45_redundant_opus_mends_what_is_lost() {
    let (level, made_up, duplicates) = lossy(true);
    let (_, without, _) = lossy(false);
    assert!(without > Duration::from_millis(1_500), "{without:?}");
    assert!(made_up < Duration::from_millis(300), "only until the buffer has grown: {made_up:?}");
    assert_eq!(duplicates, 0, "what is there already is no duplicate");
    assert!((level + 15.0).abs() < 1.0, "{level} dB");
}

/// One second of what is sent to a phone: payload types and payloads.
fn sent(bench: &mut Bench, leg: LegId) -> Vec<(u8, Vec<u8>)> {
    let mut sent = Vec::new();
    for _ in 0..50 {
        bench.speak();
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(leg) && !is_rtcp(transmit.payload) {
                let packet = RtpPacket::parse(transmit.payload).unwrap();
                sent.push((packet.payload_type, packet.payload.to_vec()));
            }
        }
    }
    sent
}

#[test]
fn d45_a_phone_that_likes_redundancy_is_sent_every_packet_twice() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Opus, 0, ALL);
    bench.phone(2, Codec::Pcmu, 500, ALL);
    let opus = with_redundancy(&mut bench, leg, true);
    let sent = sent(&mut bench, leg);
    assert!(sent.iter().all(|(payload_type, _)| *payload_type == RED));
    for pair in sent.windows(2) {
        let (before, now) = (Red::parse(&pair[0].1).unwrap(), Red::parse(&pair[1].1).unwrap());
        let earlier: Vec<_> = now.redundant().collect();
        assert_eq!(earlier, [RedBlock { payload_type: opus, offset: 960, payload: before.primary.payload }]);
    }
}

#[test]
fn d45_others_are_sent_packets_twice_while_they_lose_some() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Opus, 0, ALL);
    bench.phone(2, Codec::Pcmu, 500, ALL);
    let opus = with_redundancy(&mut bench, leg, false);
    assert!(sent(&mut bench, leg).iter().all(|(payload_type, _)| *payload_type == opus));
    let mut ours = None;
    while ours.is_none() {
        bench.now += TICK;
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            if is_rtcp(transmit.payload) {
                read(transmit.payload, |item| {
                    if let RtcpItem::Sender { ssrc, .. } = item {
                        ours = Some(ssrc);
                    }
                })
                .unwrap();
            }
        }
    }
    let address = bench.phones[&leg].address;
    for (fraction_lost, expected) in [(10, RED), (0, opus)] {
        let block = Some(ReportBlock { ssrc: ours.unwrap(), fraction_lost, ..ReportBlock::default() });
        let report = Report { ssrc: 5, cname: b"p", sender: None, block, metrics: None, bye: false };
        let mut datagram = [0; 100];
        let length = report.write(&mut datagram).unwrap();
        bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram[..length]);
        let sent = sent(&mut bench, leg);
        assert!(sent.iter().all(|(payload_type, _)| *payload_type == expected), "{fraction_lost}");
    }
}

#[test]
fn f11_numbers_may_differ_by_direction_and_change_in_mid_call() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Opus, 500, ALL);
    let ear = bench.phone(2, Codec::Pcmu, 700, ALL);
    let address = bench.phones[&leg].address;
    // We send under 97; the phone sends under our 111 first, under its own 97 then.
    let mut agreed = Negotiated { payload_type: 97, ..negotiated(address, Codec::Opus) };
    agreed.received.insert(97, Format::Audio(Codec::Opus));
    bench.command(Command::SetSipRemote { leg, negotiated: agreed, symmetric_from: None });
    let mut phone = bench.phones.remove(&leg).unwrap();
    for n in 0..300 {
        let mut datagram = phone.speak();
        if n >= 150 {
            datagram[1] = datagram[1] & 0x80 | 97;
        }
        bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram);
        bench.now += TICK;
        let answer = bench.phones.get_mut(&ear).unwrap().speak();
        bench.worker.handle_sip_datagram(bench.now, ear, bench.phones[&ear].address, &answer);
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(leg) {
                assert_eq!(RtpPacket::parse(transmit.payload).unwrap().payload_type, 97);
            } else {
                let datagram = transmit.payload.to_vec();
                bench.phones.get_mut(&ear).unwrap().hear(&datagram);
            }
        }
    }
    let heard = &bench.phones[&ear].heard;
    for (at, window) in heard.chunks(800).enumerate().skip(5) {
        let level = level_at(window, 500, 8_000);
        assert!((level + 15.0).abs() < 1.5, "{at}: {level} dB");
    }
    assert_eq!(bench.worker.stats(leg).unwrap().lost_packets, Some(0));
}

#[test]
fn f11_a_phone_changes_the_length_of_its_packets_in_mid_call() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Pcmu, 500, ALL);
    let ear = bench.phone(2, Codec::Pcmu, 0, ALL);
    let mut phone = bench.phones.remove(&leg).unwrap();
    let (mut sequence_number, mut timestamp, mut waiting) = (0_u16, 0_u32, Vec::new());
    for n in 0..600_usize {
        let datagram = phone.speak();
        waiting.extend_from_slice(&datagram[12..]);
        // 20, 10, 60, 40 and 30 ms, two seconds each; 30 ms come as one or two packets at once.
        let length = [160, 80, 480, 320, 240, 160][n / 100];
        while waiting.len() >= length {
            let payload: Vec<u8> = waiting.drain(..length).collect();
            let packet = RtpPacket {
                marker: false,
                payload_type: 0,
                sequence_number,
                timestamp,
                ssrc: 5,
                payload: &payload,
            };
            let mut wire = vec![0; 12 + length];
            packet.write(&mut wire).unwrap();
            bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &wire);
            sequence_number += 1;
            timestamp += length as u32;
        }
        bench.tick();
    }
    let heard = &bench.phones[&ear].heard;
    let windows: Vec<f64> = heard.chunks(800).map(|window| level_at(window, 500, 8_000)).collect();
    let good = windows.iter().filter(|level| (*level + 15.0).abs() < 2.0).count();
    assert!(good * 100 >= windows.len() * 90, "{good} of {}: {windows:?}", windows.len());
    let stats = bench.worker.stats(leg).unwrap();
    assert_eq!((stats.lost_packets, stats.late_packets), (Some(0), 0), "{stats:?}");
}
