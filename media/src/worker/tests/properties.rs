//! What holds in every room of phones, whoever is in it, whatever they may do and in whatever order they came.

use super::*;
use proptest::prelude::*;

use crate::sample::limit;

/// A phone that always says the same level.
#[derive(Debug, Clone)]
struct Speaker {
    level: i16,
    plan: LegPlan,
}

fn speakers() -> impl Strategy<Value = Vec<Speaker>> {
    let plan = prop_oneof![4 => Just(ALL), 1 => Just(LISTEN), 1 => Just(NOTHING)];
    // Loud enough that no gate is closed; the sums of some rooms are far beyond 16 bits.
    let level = prop_oneof![100_i16..=i16::MAX, i16::MIN..=-100];
    let speaker = (level, plan).prop_map(|(level, plan)| {
        let code = crate::codec::g711::encode_ulaw(level);
        Speaker { level: crate::codec::g711::decode_ulaw(code), plan }
    });
    prop::collection::vec(speaker, 2..8)
}

/// The last packet each of them hears, if they come in this order. With `steps` the worker is driven as by a media
/// thread, each room at its own time, and not by ticks for all.
fn heard(speakers: &[Speaker], order: &[usize], steps: bool) -> Vec<Vec<u8>> {
    let start = Instant::now();
    let mut worker = Worker::new(WorkerConfig::default(), [7; 32]);
    let address = |who: usize| SocketAddr::from(([192, 0, 2, 1], 4_000 + who as u16));
    for &who in order {
        let leg = LegId(who as u64);
        worker.handle_command(start, Command::AddSipLeg { leg, room: ROOM });
        let negotiated = negotiated(address(who), Codec::Pcmu);
        worker.handle_command(start, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
        worker.handle_command(start, Command::SetPlan { leg, plan: speakers[who].plan });
    }
    let mut last = vec![Vec::new(); speakers.len()];
    for tick in 0..80_u16 {
        let now = start + TICK * u32::from(tick);
        for (who, speaker) in speakers.iter().enumerate() {
            let datagram = level_packet(tick, speaker.level);
            worker.handle_sip_datagram(now, LegId(who as u64), address(who), &datagram);
        }
        let moments: Vec<Duration> =
            if steps { (1..=20).map(|n| STEP * n).collect() } else { vec![TICK / 2] };
        for moment in moments {
            if steps {
                worker.handle_step(now + moment);
            } else {
                worker.handle_tick(now + moment);
            }
            while let Some(transmit) = worker.poll_transmit() {
                let Port::Sip(LegId(leg)) = transmit.from else { continue };
                last[leg as usize] = RtpPacket::parse(transmit.payload).unwrap().payload.to_vec();
            }
            while worker.poll_event().is_some() {}
        }
    }
    last
}

/// What he should hear: the others who may speak, added up, limited once, encoded once.
fn expected(speakers: &[Speaker], listener: usize) -> Vec<u8> {
    let others = speakers.iter().enumerate().filter(|(who, other)| *who != listener && other.plan.send_audio);
    let sum = others.map(|(_, other)| i32::from(other.level)).sum();
    let sum = if speakers[listener].plan.receive_audio { sum } else { 0 };
    vec![crate::codec::g711::encode_ulaw(limit(sum)); NARROW_FRAME]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Nobody hears himself, a muted or not admitted leg adds not one sample, and the sum is clipped at most once.
    #[test]
    fn d40_d47_each_hears_those_who_may_speak_without_himself(speakers in speakers(), steps: bool) {
        let order: Vec<usize> = (0..speakers.len()).collect();
        for (listener, heard) in heard(&speakers, &order, steps).iter().enumerate() {
            prop_assert_eq!(heard, &expected(&speakers, listener), "{} hears", listener);
        }
    }

    #[test]
    fn d40_the_order_of_joining_does_not_matter(
        (speakers, order) in speakers().prop_flat_map(|speakers| {
            let order: Vec<usize> = (0..speakers.len()).collect();
            (Just(speakers), Just(order).prop_shuffle())
        }),
        steps: bool,
    ) {
        let in_order: Vec<usize> = (0..speakers.len()).collect();
        prop_assert_eq!(heard(&speakers, &in_order, steps), heard(&speakers, &order, steps));
    }
}
