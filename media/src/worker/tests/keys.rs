//! Keys both ways, comfort noise, and voices that come in softly.

use super::*;
use crate::dtmf::{DigitReceiver, DigitSender, InbandDetector};

/// A phone that knows telephone events, or does not.
fn phone(bench: &mut Bench, id: u64, events: bool) -> LegId {
    let leg = bench.phone(id, Codec::Pcmu, 0, ALL);
    let telephone_event = events.then_some(96);
    let negotiated = Negotiated { telephone_event, ..negotiated(bench.phones[&leg].address, Codec::Pcmu) };
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: None });
    leg
}

/// Runs ticks and hands what is sent to `leg` to `sink`.
fn watch(bench: &mut Bench, leg: LegId, ticks: u32, mut sink: impl FnMut(Instant, &RtpPacket<'_>)) {
    for _ in 0..ticks {
        bench.now += TICK;
        bench.worker.handle_tick(bench.now);
        let mut packets = 0;
        while let Some(transmit) = bench.worker.poll_transmit() {
            if transmit.from == Port::Sip(leg) {
                packets += 1;
                sink(bench.now, &RtpPacket::parse(transmit.payload).unwrap());
            }
        }
        assert_eq!(packets, 1, "one packet each tick");
    }
}

#[test]
fn i34_keys_are_sent_as_events_between_the_audio() {
    let mut bench = Bench::new();
    let leg = phone(&mut bench, 1, true);
    bench.command(Command::SendDigits { leg, digits: "1w23".to_owned() });
    let mut receiver = DigitReceiver::default();
    let (mut digits, mut numbers, mut audio) = (String::new(), Vec::new(), 0);
    watch(&mut bench, leg, 100, |now, packet| {
        numbers.push(packet.sequence_number);
        match packet.payload_type {
            96 => digits.extend(receiver.handle_packet(now, packet)),
            0 => audio += 1,
            other => panic!("payload type {other}"),
        }
    });
    assert_eq!((digits.as_str(), audio), ("123", 100 - 3 * 7));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "one numbering for both");
}

#[test]
fn i34_keys_are_sent_as_tones_to_a_phone_without_events() {
    let mut bench = Bench::new();
    let leg = phone(&mut bench, 1, false);
    bench.command(Command::SendDigits { leg, digits: "159#".to_owned() });
    let (mut detector, mut digits) = (InbandDetector::default(), String::new());
    watch(&mut bench, leg, 60, |_, packet| {
        let mut frame = [0; NARROW_FRAME];
        Codec::Pcmu.decode(packet.payload, &mut frame);
        digits.extend(detector.hear(&frame));
    });
    assert_eq!(digits, "159#");
}

/// Presses a key twice, as tones, and says for how many ticks `ear` hears it.
fn press_tones(bench: &mut Bench, leg: LegId, ear: LegId) -> usize {
    let mut sender = DigitSender::default();
    sender.send("1,1");
    bench.phones.get_mut(&ear).unwrap().heard.clear();
    let mut phone = bench.phones.remove(&leg).unwrap();
    for n in 0..150_u32 {
        let mut frame = [0; NARROW_FRAME];
        if sender.tick(n * 160, 160).is_some_and(|key| key.is_down) {
            sender.tone(&mut frame);
        }
        let mut datagram = phone.speak();
        Codec::Pcmu.encode(&frame, &mut datagram[12..]);
        bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
        bench.tick();
    }
    bench.phones.insert(leg, phone);
    bench.phones[&ear].heard.chunks(NARROW_FRAME).filter(|frame| crate::level::measure(frame) < 30).count()
}

#[test]
fn d21_keys_are_heard_as_tones_from_a_phone_without_events_whatever_the_plan() {
    for plan in [ALL, NOTHING] {
        let mut bench = Bench::new();
        let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
        let leg = phone(&mut bench, 2, false);
        bench.plan(leg, plan);
        bench.run(20);
        press_tones(&mut bench, leg, ear);
        assert_eq!(bench.digits(), "11");
        assert!(plan == ALL || bench.hears_nothing(ear));
    }
}

#[test]
fn d21_tones_are_no_keys_where_events_are_known_or_it_is_switched_off() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let (with, without) = (phone(&mut bench, 2, true), phone(&mut bench, 3, false));
    bench.command(Command::DetectTones { leg: without, enabled: false });
    bench.run(20);
    let whole = press_tones(&mut bench, with, ear);
    press_tones(&mut bench, without, ear);
    assert_eq!(bench.digits(), "");
    bench.command(Command::DetectTones { leg: with, enabled: true });
    let hushed = press_tones(&mut bench, with, ear);
    assert_eq!(bench.digits(), "11");
    assert!((10..=12).contains(&whole), "{whole} ticks");
    assert!(hushed <= 6, "the others hear the beginning of a key at most: {hushed} of {whole} ticks");
}

#[test]
fn f11_comfort_noise_fills_the_pauses_of_a_phone() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let leg = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.run(50);
    let mut phone = bench.phones.remove(&leg).unwrap();
    let mut noise = RtpPacket::parse(&phone.speak())
        .map(|packet| RtpPacket { payload_type: 13, payload: &[50], ..packet })
        .unwrap();
    noise.sequence_number = phone.sequence_number;
    let mut datagram = [0; 13];
    noise.write(&mut datagram).unwrap();
    bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
    bench.settle(25);
    bench.run(50);
    let level = crate::level::measure(&bench.phones[&ear].heard);
    assert!(level.abs_diff(50) <= 2, "{level}");
    phone.timestamp += 75 * 160;
    phone.tone = None;
    bench.phones.insert(leg, phone);
    bench.settle(50);
    bench.run(20);
    assert!(bench.hears_nothing(ear), "speech, even a silent one, ends it");
}

#[test]
fn a_voice_that_comes_in_begins_softly() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let speaker = bench.phone(2, Codec::Pcmu, 300, LISTEN);
    bench.settle(50);
    bench.plan(speaker, ALL);
    bench.run(1);
    let heard = &bench.phones[&ear].heard;
    let loudest = |samples: &[i16]| samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(loudest(&heard[..8]) < loudest(&heard[80..]) / 4, "{:?}", &heard[..40]);
    bench.settle(5);
    bench.run(1);
    assert!(loudest(&bench.phones[&ear].heard[..40]) > 1_000, "only in the first tick");
}
