//! Phones of every codec in one room.

use super::*;
use crate::sdp::Format;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn agree(bench: &mut Bench, leg: LegId, change: impl FnOnce(&mut Negotiated)) {
    let phone = &bench.phones[&leg];
    let mut negotiated = negotiated(phone.address, phone.codec);
    change(&mut negotiated);
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: None });
}

#[test]
fn d40_d46_phones_of_every_codec_hear_each_other_at_the_right_level() {
    let mut bench = Bench::new();
    let legs: Vec<LegId> = CODECS
        .iter()
        .zip(1..)
        .map(|(&codec, id)| bench.phone(id, codec, 300 + 200 * id as u32, ALL))
        .collect();
    bench.settle(150);
    bench.run(100);
    for (index, &leg) in legs.iter().enumerate() {
        for talker in 0..4 {
            let level = bench.hears(leg, 500 + 200 * talker);
            if talker as usize == index {
                assert!(level < -45.0, "{leg:?} hears himself: {level} dB");
            } else {
                // Half of the usual tone of -9 dB.
                assert!((level + 15.0).abs() < 1.0, "{leg:?} hears {talker} at {level} dB");
            }
        }
    }
}

#[test]
fn d46_all_who_only_listen_with_the_same_opus_share_one_encoder() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Opus, 500, ALL);
    let listeners: Vec<LegId> = (2..12).map(|id| bench.phone(id, Codec::Opus, 0, ALL)).collect();
    bench.run(150);
    let before = bench.worker.load().encodes;
    bench.phones.values_mut().for_each(|phone| phone.payloads.clear());
    bench.run(100);
    let encodes = bench.worker.load().encodes - before;
    assert!(encodes <= 110, "one for all listeners, none for the talker: {encodes}");
    let heard: Vec<_> = listeners.iter().map(|leg| &bench.phones[leg].payloads).collect();
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn d46_all_who_only_listen_with_g722_share_one_encoder_and_nobody_notices() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    let listeners: Vec<LegId> = (2..8).map(|id| bench.phone(id, Codec::G722, 0, ALL)).collect();
    bench.settle(150);
    let before = bench.worker.load().encodes;
    bench.run(100);
    let encodes = bench.worker.load().encodes - before;
    assert!(encodes <= 110, "one for all listeners, none for the talker: {encodes}");
    // One of them speaks now and then, softly, and has an encoder of his own meanwhile.
    let turner = listeners[0];
    bench.phones.get_mut(&turner).unwrap().heard.clear();
    for round in 0..4 {
        bench.phones.get_mut(&turner).unwrap().tone =
            (round % 2 == 0).then(|| Oscillator::new(3_000, 16_000));
        bench.run(150);
    }
    for (tick, frame) in bench.phones[&turner].heard.chunks(320).enumerate() {
        let level = level_at(frame, 500, 16_000);
        assert!((level + 15.0).abs() < 1.0, "tick {tick}: {level} dB");
    }
}

#[test]
fn f11_a_phone_changes_its_codec_without_a_word() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Opus, 500, ALL);
    let other = bench.phone(2, Codec::Pcmu, 0, ALL);
    agree(&mut bench, phone, |negotiated| negotiated.received.insert(9, Format::Audio(Codec::G722)));
    bench.settle(60);
    for codec in [Codec::G722, Codec::Pcmu, Codec::Opus] {
        let address = bench.phones[&phone].address;
        let old = bench.phones.insert(phone, Phone::new(address, codec, 500)).unwrap();
        let now = bench.phones.get_mut(&phone).unwrap();
        (now.sequence_number, now.timestamp) = (old.sequence_number, 1_000_000);
        // What comes back is Opus as agreed, which this phone does not read now.
        bench.phones.get_mut(&other).unwrap().heard.clear();
        for _ in 0..60 {
            let datagram = bench.phones.get_mut(&phone).unwrap().speak();
            bench.worker.handle_sip_datagram(bench.now, phone, address, &datagram);
            bench.now += TICK;
            bench.worker.handle_tick(bench.now);
            while let Some(transmit) = bench.worker.poll_transmit() {
                if transmit.from == Port::Sip(other) {
                    let datagram = transmit.payload.to_vec();
                    bench.phones.get_mut(&other).unwrap().hear(&datagram);
                }
            }
        }
        let heard = &bench.phones[&other].heard;
        let level = level_at(&heard[heard.len() - 4_000..], 500, 8_000);
        assert!((level + 15.0).abs() < 1.0, "{codec:?}: {level} dB");
    }
}

#[test]
fn f11_packets_have_the_length_the_phone_asks_for() {
    for (codec, ptime, bytes, packets) in [
        (Codec::Pcmu, 10, 80, 100),
        (Codec::Pcmu, 30, 240, 33),
        (Codec::G722, 40, 320, 25),
        (Codec::Pcma, 60, 480, 16),
        (Codec::Pcmu, 200, 480, 16),
    ] {
        let mut bench = Bench::new();
        let listener = bench.phone(1, codec, 0, ALL);
        bench.phone(2, Codec::Pcmu, 500, ALL);
        agree(&mut bench, listener, |negotiated| negotiated.ptime_ms = ptime);
        bench.settle(50);
        let phone = bench.phones.get_mut(&listener).unwrap();
        phone.received.clear();
        phone.payloads.clear();
        bench.run(50);
        let phone = &bench.phones[&listener];
        assert!(phone.payloads.iter().all(|payload| payload.len() == bytes), "{ptime} ms");
        assert!(phone.received.len().abs_diff(packets) <= 1, "{ptime} ms: {}", phone.received.len());
        for pair in phone.received.windows(2) {
            let (step, time) = (pair[1].0.wrapping_sub(pair[0].0), pair[1].1.wrapping_sub(pair[0].1));
            assert_eq!((step, time as usize), (1, bytes), "{ptime} ms");
        }
        let level = bench.hears(listener, 500);
        assert!((level + 15.0).abs() < 1.0, "{ptime} ms: {level} dB");
    }
}

#[test]
fn d21_keys_go_out_in_the_clock_of_the_codec() {
    let mut bench = Bench::new();
    let leg = bench.phone(1, Codec::Opus, 0, ALL);
    agree(&mut bench, leg, |negotiated| {
        (negotiated.telephone_event, negotiated.telephone_event_hz) = (Some(102), 48_000);
    });
    bench.run(5);
    bench.command(Command::SendDigits { leg, digits: "5".to_owned() });
    let mut durations = Vec::new();
    for _ in 0..12 {
        bench.now += TICK;
        bench.worker.handle_tick(bench.now);
        while let Some(transmit) = bench.worker.poll_transmit() {
            let packet = RtpPacket::parse(transmit.payload).unwrap();
            if packet.payload_type == 102 {
                durations.push(u16::from_be_bytes([packet.payload[2], packet.payload[3]]));
            }
        }
    }
    assert_eq!(durations, [960, 1_920, 2_880, 3_840, 4_800, 4_800, 4_800]);
}

#[test]
fn a_prompt_is_heard_in_every_codec() {
    for codec in CODECS {
        let mut bench = Bench::new();
        let leg = bench.phone(1, codec, 0, NOTHING);
        bench.run(5);
        bench.command(Command::Play {
            leg,
            source: Source::Tone { hz: 440 },
            repeat: true,
            playing: PlayingId(1),
        });
        bench.settle(25);
        bench.run(50);
        assert!(bench.hears(leg, 440) > -12.0, "{codec:?}: {} dB", bench.hears(leg, 440));
    }
}
