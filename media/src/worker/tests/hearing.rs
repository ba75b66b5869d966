//! Who hears whom, how loud, and at what cost.

use super::*;

/// Level of the tones phones and browsers send in these tests, in dB against a full-scale sine.
const SENT: f64 = -15.0;

#[test]
fn d40_every_ear_hears_all_tones_but_its_own() {
    let mut bench = Bench::new();
    let ears = [
        (bench.phone(1, Codec::Pcmu, 400, ALL), 400),
        (bench.phone(2, Codec::Pcma, 700, ALL), 700),
        (bench.phone(3, Codec::Pcmu, 1_100, ALL), 1_100),
        (bench.browser(4, 1_500, ALL), 1_500),
        (bench.browser(5, 1_900, ALL), 1_900),
    ];
    bench.settle(50);
    bench.run(50);
    for (ear, own) in ears {
        for (_, tone) in ears {
            let level = bench.hears(ear, tone);
            if tone == own {
                assert!(level < -50.0, "{ear:?} hears himself at {level} dB");
            } else {
                assert!((level - SENT).abs() < 1.0, "{ear:?} hears {tone} Hz at {level} dB");
            }
        }
    }
}

#[test]
fn d46_silent_listeners_share_one_encode_per_codec() {
    let mut bench = Bench::new();
    for id in 1..=3 {
        bench.phone(id, Codec::Pcmu, 300 * id as u32, ALL);
    }
    for id in 4..=13 {
        bench.phone(id, Codec::Pcmu, 0, ALL);
    }
    for id in 14..=18 {
        bench.phone(id, Codec::Pcma, 0, LISTEN);
    }
    bench.run(10);
    let before = bench.worker.load().encodes;
    bench.run(10);
    let per_tick = (bench.worker.load().encodes - before) / 10;
    assert_eq!(per_tick, 3 + 1 + 1, "each talker's own mix, and one per codec for all who only listen");
    assert_eq!(bench.worker.load().conversions, 0, "a room of phones never leaves 8 kHz");
    let all_alike = |ids: std::ops::RangeInclusive<u64>| {
        ids.clone().all(|id| bench.phones[&LegId(id)].heard == bench.phones[&LegId(*ids.start())].heard)
    };
    assert!(all_alike(4..=13) && all_alike(14..=18));
}

#[test]
fn d46_browsers_who_only_listen_share_one_encode() {
    let mut bench = Bench::new();
    for id in 1..=2 {
        bench.browser(id, 400 * id as u32, ALL);
    }
    for id in 3..=10 {
        bench.browser(id, 0, ALL);
    }
    bench.phone(11, Codec::Pcmu, 1_500, ALL);
    bench.phone(12, Codec::Pcmu, 0, ALL);
    bench.run(20);
    let before = bench.worker.load().encodes;
    bench.run(10);
    let per_tick = (bench.worker.load().encodes - before) / 10;
    assert_eq!(per_tick, 3 + 1 + 1, "three who speak, one for the browsers who listen, one for the phone");
    let heard = |id: u64| &bench.browsers[&LegId(id)].payloads;
    assert!((4..=10).all(|id| heard(id) == heard(3)));
}

#[test]
fn d46_nobody_notices_who_encodes_for_him() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    for id in 2..=5 {
        bench.browser(id, 0, ALL);
    }
    let turner = LegId(2);
    bench.settle(50);
    for round in 0..4 {
        // He speaks, softly and at 3 kHz, and hears the others by an encoder of his own; then he is silent.
        bench.browsers.get_mut(&turner).unwrap().tone =
            (round % 2 == 0).then(|| Oscillator::new(3_000, 48_000));
        bench.run(150);
    }
    let heard = &bench.browsers[&turner].heard;
    assert_eq!(heard.len(), 600 * FULL_FRAME);
    for (tick, frame) in heard.chunks(FULL_FRAME).enumerate() {
        let level = level_at(frame, 500, 48_000);
        assert!((level - SENT).abs() < 1.0, "tick {tick}: {level} dB");
        let whole = crate::level::measure(frame);
        assert!((17..=19).contains(&whole), "tick {tick}: -{whole} dBov in all");
    }
}

#[test]
fn d46_a_voice_is_converted_once_however_many_listen() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    for id in 2..=6 {
        bench.browser(id, 0, ALL);
    }
    bench.run(10);
    let before = bench.worker.load().conversions;
    bench.run(10);
    assert_eq!(bench.worker.load().conversions - before, 10);
}

#[test]
fn digital_silence_costs_no_encode_but_packets_flow() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcma, 0, ALL);
    let browser = bench.browser(2, 0, ALL);
    bench.run(50);
    assert_eq!(bench.worker.load().encodes, 0);
    assert_eq!(bench.phones[&phone].received.len(), 50);
    assert!(bench.hears_nothing(phone) && bench.hears_nothing(browser));
    assert!(bench.browsers[&browser].payloads.iter().all(|payload| *payload == opus::SILENCE));
}

#[test]
fn d42_the_stream_to_a_phone_is_continuous() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 0, ALL);
    bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.run(100);
    let received = &bench.phones[&phone].received;
    assert!(received[0].2, "the first packet is marked");
    for pair in received.windows(2) {
        assert_eq!(pair[1], (pair[0].0.wrapping_add(1), pair[0].1.wrapping_add(160), false));
    }
}

#[test]
fn d43_a_phones_voice_needs_no_more_than_its_jitter_delay_and_one_tick() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    bench.phone(2, Codec::Pcmu, 1_000, ALL);
    bench.run(20);
    let first = bench.phones[&ear].heard.iter().position(|&sample| sample != 0).unwrap();
    // The first packet arrives 10 ms after the bench began and holds a tone from its first sample on.
    assert!(first <= 40 * 8, "heard after {} ms", first / 8);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut bench = Bench::new();
        bench.phone(1, Codec::Pcmu, 440, ALL);
        bench.phone(2, Codec::Pcma, 620, ALL);
        bench.browser(3, 0, LISTEN);
        bench.run(30);
        let heard: Vec<_> = bench.phones.values().map(|p| (p.received.clone(), p.heard.clone())).collect();
        (heard, bench.browsers[&LegId(3)].payloads.clone(), bench.events)
    };
    assert_eq!(run(), run());
}

#[test]
fn rooms_do_not_hear_each_other() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    let elsewhere = LegId(2);
    bench.phone(2, Codec::Pcmu, 0, ALL);
    bench.command(Command::RemoveLeg { leg: elsewhere });
    bench.command(Command::AddSipLeg { leg: elsewhere, room: RoomId(2) });
    let remote = bench.phones[&elsewhere].address;
    bench.command(Command::SetSipRemote {
        leg: elsewhere,
        negotiated: negotiated(remote, Codec::Pcmu),
        symmetric_from: None,
    });
    bench.plan(elsewhere, ALL);
    bench.run(50);
    assert!(bench.hears_nothing(elsewhere));
    assert_eq!((bench.worker.load().rooms, bench.worker.load().legs), (2, 2));
}

#[test]
fn only_the_loudest_voices_are_mixed_when_there_are_too_many() {
    let mut bench = Bench::new();
    bench.worker = Worker::new(WorkerConfig { max_voices: 2, ..WorkerConfig::default() }, [7; 32]);
    let ear = bench.phone(1, Codec::Pcmu, 0, LISTEN);
    bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.phone(3, Codec::Pcmu, 900, ALL);
    bench.settle(20);
    bench.phone(4, Codec::Pcmu, 1_300, ALL);
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(ear, 500) > -17.0 && bench.hears(ear, 900) > -17.0);
    assert!(bench.hears(ear, 1_300) < -50.0, "an equal voice does not push another out");
}

#[test]
fn d49_levels_and_the_active_speaker_are_reported() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    bench.phone(2, Codec::Pcmu, 0, ALL);
    bench.run(50);
    assert_eq!(bench.count(&Event::ActiveSpeaker { room: ROOM, leg: Some(phone) }), 1);
    assert_eq!(bench.count(&Event::Levels { leg: phone, dbov: 18 }), 1);
    bench.phones.get_mut(&phone).unwrap().tone = None;
    bench.run(250);
    assert_eq!(bench.count(&Event::ActiveSpeaker { room: ROOM, leg: None }), 1);
    assert_eq!(bench.count(&Event::Levels { leg: phone, dbov: 127 }), 1);
}

#[test]
fn d45_five_percent_loss_leaves_the_tone_whole() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.settle(20);
    for n in 0..200 {
        if n % 20 == 7 {
            let phone = bench.phones.get_mut(&LegId(2)).unwrap();
            phone.speak(); // sent, but lost on the way
            bench.now += TICK;
            bench.worker.handle_tick(bench.now);
            bench.drain();
        } else {
            bench.tick();
        }
    }
    let level = bench.hears(ear, 500);
    assert!((level - SENT).abs() < 1.0, "{level} dB");
    let frames = bench.phones[&ear].heard.chunks(NARROW_FRAME);
    assert!(frames.into_iter().all(|frame| crate::level::measure(frame) < 30), "no hole");
}

#[test]
fn a_worker_can_be_moved_to_its_thread() {
    const fn is_send<T: Send>() {}
    is_send::<Worker>();
    is_send::<Command>();
}

#[test]
fn d41_a_browser_hears_whoever_speaks_of_many_phones() {
    let mut bench = Bench::new();
    bench.worker = Worker::new(WorkerConfig { max_voices: 2, ..WorkerConfig::default() }, [7; 32]);
    let browser = bench.browser(1, 0, ALL);
    for id in 2..=12 {
        bench.phone(id, Codec::Pcmu, 0, ALL);
    }
    for id in 2..=12 {
        let speaker = LegId(id);
        bench.phones.get_mut(&speaker).unwrap().tone = Some(Oscillator::new(500, 8_000));
        bench.settle(30);
        bench.run(10);
        assert!((bench.hears(browser, 500) - SENT).abs() < 1.0, "{speaker:?} is heard");
        if id % 3 == 0 {
            bench.phones.remove(&speaker);
            bench.command(Command::RemoveLeg { leg: speaker });
        } else {
            bench.phones.get_mut(&speaker).unwrap().tone = None;
        }
    }
}

/// 20 ms in which the packets of one phone are what `change` makes of them.
fn tick_with(bench: &mut Bench, leg: LegId, change: impl FnOnce(&mut Phone) -> Vec<Vec<u8>>) {
    let mut phone = bench.phones.remove(&leg).unwrap();
    for datagram in change(&mut phone) {
        bench.worker.handle_sip_datagram(bench.now, leg, phone.address, &datagram);
    }
    bench.tick();
    bench.phones.insert(leg, phone);
}

#[test]
fn f10_a_fifth_lost_in_bursts_leaves_the_tone_in_95_percent_of_windows_and_others_unharmed() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let lossy = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.phone(3, Codec::Pcma, 1_300, ALL);
    bench.settle(20);
    let mut held: Vec<Vec<u8>> = Vec::new();
    for n in 0..1_000_u32 {
        tick_with(&mut bench, lossy, |phone| {
            let datagram = phone.speak();
            let mut sent = std::mem::take(&mut held);
            match n {
                _ if (n / 4) % 5 == 2 => {}              // lost
                _ if n % 20 == 5 => held.push(datagram), // one tick late, so out of order
                _ if n % 10 == 3 => sent.extend([datagram.clone(), datagram]),
                _ => sent.insert(0, datagram),
            }
            sent
        });
    }
    let windows: Vec<_> = bench.phones[&ear].heard.chunks_exact(800).collect();
    let with = |hz: u32, least: f64| windows.iter().filter(|w| level_at(w, hz, 8_000) > least).count();
    assert!(
        with(500, SENT - 6.0) * 100 >= windows.len() * 95,
        "{} of {}",
        with(500, SENT - 6.0),
        windows.len()
    );
    assert_eq!(with(1_300, SENT - 1.0), windows.len(), "the other voice is whole");
}

#[test]
fn f10_a_silence_of_five_seconds_is_forgotten_within_one() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let lost = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.run(50);
    for _ in 0..250 {
        tick_with(&mut bench, lost, |phone| {
            phone.speak();
            Vec::new()
        });
    }
    bench.settle(50);
    bench.run(50);
    assert!((bench.hears(ear, 500) - SENT).abs() < 1.0);
}

#[test]
fn f11_a_stream_may_change_everything_in_mid_call() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let other = bench.phone(2, Codec::Pcmu, 500, ALL);
    type Change = fn(&mut Phone);
    let changes: [(&str, Change); 4] = [
        ("a timestamp jump forward", |phone| phone.timestamp = phone.timestamp.wrapping_add(1_000_000)),
        ("a timestamp jump backward", |phone| phone.timestamp = phone.timestamp.wrapping_sub(1_000_000)),
        ("sequence numbers begin anew", |phone| {
            phone.sequence_number = phone.sequence_number.wrapping_add(30_000)
        }),
        ("another payload type", |phone| phone.codec = Codec::Pcma),
    ];
    bench.run(50);
    for (name, change) in changes {
        change(bench.phones.get_mut(&other).unwrap());
        if bench.phones[&other].codec == Codec::Pcma {
            let address = bench.phones[&other].address;
            let negotiated = negotiated(address, Codec::Pcma);
            bench.command(Command::SetSipRemote { leg: other, negotiated, symmetric_from: None });
        }
        bench.settle(50);
        bench.run(50);
        assert!((bench.hears(ear, 500) - SENT).abs() < 1.0, "{name}: {} dB", bench.hears(ear, 500));
    }
}

#[test]
fn d40_voices_are_brought_to_one_loudness_where_that_is_wanted() {
    let level = |even_loudness: bool, divisor: i16| {
        let mut bench = Bench::new();
        bench.worker = Worker::new(WorkerConfig { even_loudness, ..WorkerConfig::default() }, [7; 32]);
        let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
        let speaker = bench.phone(2, Codec::Pcmu, 0, ALL);
        let mut tone = Oscillator::new(500, 8_000);
        for _ in 0..300 {
            let address = bench.phones[&speaker].address;
            let datagram = bench.phones.get_mut(&speaker).unwrap().say(&mut tone, divisor);
            bench.worker.handle_sip_datagram(bench.now, speaker, address, &datagram);
            bench.now += TICK;
            bench.worker.handle_tick(bench.now);
            bench.drain();
        }
        let heard = &bench.phones[&ear].heard;
        level_at(&heard[heard.len() - 4_000..], 500, 8_000)
    };
    let own = |even_loudness: bool, divisor: i16| {
        let mut bench = Bench::new();
        let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
        let leg = bench.phone(2, Codec::Pcmu, 0, ALL);
        let treatment = VoiceTreatment { even_loudness: Some(even_loudness), suppress_noise: false };
        bench.command(Command::TreatVoice { leg, treatment });
        let mut tone = Oscillator::new(500, 8_000);
        for _ in 0..300 {
            let address = bench.phones[&leg].address;
            let datagram = bench.phones.get_mut(&leg).unwrap().say(&mut tone, divisor);
            bench.worker.handle_sip_datagram(bench.now, leg, address, &datagram);
            bench.now += TICK;
            bench.worker.handle_tick(bench.now);
            bench.drain();
        }
        let heard = &bench.phones[&ear].heard;
        level_at(&heard[heard.len() - 4_000..], 500, 8_000)
    };
    assert!((own(true, 1) - own(true, 8)).abs() < 1.0, "one leg alone");
    assert!(own(false, 1) - own(false, 8) > 17.0);
    let (loud, soft) = (level(true, 1), level(true, 8));
    assert!((loud - soft).abs() < 1.0, "{loud} and {soft}");
    assert!(level(false, 1) - level(false, 8) > 17.0, "and not where it is not");
}
