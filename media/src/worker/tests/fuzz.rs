//! Random lives of a worker: nothing panics, nothing piles up, and rights hold throughout.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    AddPhone(u64, u64),
    AddBrowser(u64, u64),
    Remove(u64),
    Remote(u64, Codec, u8, bool),
    Plan(u64, bool, bool),
    Play(u64, bool),
    Stop(u64),
    Keys(u64, String),
    Tones(u64, bool),
    Bytes(u64, Vec<u8>),
    Rtp(u64, u16, u32, u8),
    BrowserRtp(u64, MediaKind, u16, Vec<u8>),
    Ticks(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leg = 0_u64..5;
    let codec = prop_oneof![Just(Codec::Pcmu), Just(Codec::Pcma)];
    let kind = prop_oneof![Just(MediaKind::Audio), Just(MediaKind::Video)];
    let bytes = prop::collection::vec(any::<u8>(), 0..60);
    let step = prop_oneof![
        (leg.clone(), 0_u64..2).prop_map(|(l, r)| Step::AddPhone(l, r)),
        (leg.clone(), 0_u64..2).prop_map(|(l, r)| Step::AddBrowser(l, r)),
        leg.clone().prop_map(Step::Remove),
        (leg.clone(), codec, 0_u8..4, any::<bool>()).prop_map(|(l, c, d, s)| Step::Remote(l, c, d, s)),
        (leg.clone(), any::<bool>(), any::<bool>()).prop_map(|(l, s, r)| Step::Plan(l, s, r)),
        (leg.clone(), any::<bool>()).prop_map(|(l, r)| Step::Play(l, r)),
        leg.clone().prop_map(Step::Stop),
        (leg.clone(), "[0-9A-D#*w,x]{0,8}").prop_map(|(l, digits)| Step::Keys(l, digits)),
        (leg.clone(), any::<bool>()).prop_map(|(l, enabled)| Step::Tones(l, enabled)),
        (leg.clone(), bytes.clone()).prop_map(|(l, b)| Step::Bytes(l, b)),
        (leg.clone(), any::<u16>(), any::<u32>(), any::<u8>()).prop_map(|(l, n, t, p)| Step::Rtp(l, n, t, p)),
        (leg, kind, any::<u16>(), bytes).prop_map(|(l, k, n, b)| Step::BrowserRtp(l, k, n, b)),
        (1_u8..10).prop_map(Step::Ticks),
    ];
    prop::collection::vec(step, 1..60)
}

/// The world of a random life: what was last said about each leg.
#[derive(Default)]
struct World {
    browsers: BTreeMap<LegId, mpsc::Sender<PeerEvent>>,
    plans: BTreeMap<LegId, LegPlan>,
}

fn take(bench: &mut Bench, world: &mut World, step: Step) {
    let phone_address = |leg: u64| SocketAddr::from(([192, 0, 2, leg as u8], 4000));
    match step {
        Step::AddPhone(leg, room) => {
            world.plans.insert(LegId(leg), NOTHING);
            bench.command(Command::AddSipLeg { leg: LegId(leg), room: RoomId(room) });
        }
        Step::AddBrowser(leg, room) => {
            let (events, incoming) = mpsc::channel();
            events.send(PeerEvent::Connected).unwrap();
            world.plans.insert(LegId(leg), NOTHING);
            world.browsers.insert(LegId(leg), events);
            let (written, _) = mpsc::channel();
            let peer = FakePeer { events: incoming, written, transmits: VecDeque::new(), deadline: None };
            let (leg, room, peer, ufrag) = (LegId(leg), RoomId(room), Box::new(peer), format!("u{leg}"));
            bench.command(Command::AddWebrtcLeg { leg, room, peer, ufrag, video_slots: 2 });
        }
        Step::Remove(leg) => bench.command(Command::RemoveLeg { leg: LegId(leg) }),
        Step::Remote(leg, codec, direction, symmetric) => {
            let mut negotiated = negotiated(phone_address(leg), codec);
            negotiated.direction = Direction::new(direction & 1 == 0, direction & 2 == 0);
            negotiated.telephone_event = symmetric.then_some(101);
            let symmetric_from = symmetric.then(|| phone_address(leg).ip());
            bench.command(Command::SetSipRemote { leg: LegId(leg), negotiated, symmetric_from });
        }
        Step::Plan(leg, send, receive) => {
            let plan = LegPlan {
                send_audio: send,
                receive_audio: receive,
                send_video: send,
                receive_video: receive,
            };
            world.plans.insert(LegId(leg), plan);
            bench.plan(LegId(leg), plan);
        }
        Step::Play(leg, repeat) => {
            bench.command(Command::Play {
                leg: LegId(leg),
                source: Source::Tone { hz: 440 },
                repeat,
                playing: PlayingId(1),
            });
        }
        Step::Keys(leg, digits) => bench.command(Command::SendDigits { leg: LegId(leg), digits }),
        Step::Tones(leg, enabled) => bench.command(Command::DetectTones { leg: LegId(leg), enabled }),
        Step::Stop(leg) => bench.command(Command::StopPlaying { leg: LegId(leg) }),
        Step::Bytes(leg, bytes) => {
            bench.worker.handle_sip_datagram(bench.now, LegId(leg), phone_address(leg), &bytes);
            bench.worker.handle_webrtc_datagram(bench.now, phone_address(leg), &bytes);
        }
        Step::Rtp(leg, sequence_number, timestamp, payload_type) => {
            let payload = [0x23; 160];
            let payload_type = payload_type & 0x7F;
            let packet = RtpPacket {
                marker: false,
                payload_type,
                sequence_number,
                timestamp,
                ssrc: 1,
                payload: &payload,
            };
            let mut datagram = [0; 172];
            packet.write(&mut datagram).unwrap();
            bench.worker.handle_sip_datagram(bench.now, LegId(leg), phone_address(leg), &datagram);
        }
        Step::BrowserRtp(leg, kind, sequence_number, payload) => {
            let payload = Bytes::from(payload);
            let packet =
                IncomingRtp { sequence_number, timestamp: 7, marker: true, payload, audio_level: None };
            if let Some(events) = world.browsers.get(&LegId(leg)) {
                let _ = events.send(PeerEvent::Rtp { kind, packet });
            }
        }
        Step::Ticks(ticks) => (0..ticks).for_each(|_| tick(bench, world)),
    }
}

fn tick(bench: &mut Bench, world: &World) {
    bench.now += TICK;
    bench.worker.handle_tick(bench.now);
    bench.worker.handle_timeout(bench.now);
    let mut packets: BTreeMap<LegId, usize> = BTreeMap::new();
    while let Some(transmit) = bench.worker.poll_transmit() {
        if let Port::Sip(leg) = transmit.from {
            *packets.entry(leg).or_default() += 1;
        }
    }
    assert!(packets.values().all(|&count| count == 1), "one packet per phone and tick");
    while let Some(event) = bench.worker.poll_event() {
        if let Event::Levels { leg, dbov } = event {
            let allowed = world.plans.get(&leg).is_some_and(|plan| plan.send_audio);
            assert!(allowed || dbov == 127, "a leg that may not speak has no level");
        }
    }
}

proptest! {
    #[test]
    fn no_life_of_a_worker_panics_or_piles_up(steps in steps()) {
        let mut bench = Bench::new();
        let mut world = World::default();
        for step in steps {
            take(&mut bench, &mut world, step);
        }
        (0..3).for_each(|_| tick(&mut bench, &world));
        prop_assert_eq!(bench.worker.load().dropped_transmits, 0);
        (0..5).for_each(|leg| bench.command(Command::RemoveLeg { leg: LegId(leg) }));
        prop_assert_eq!((bench.worker.load().rooms, bench.worker.load().legs), (0, 0));
    }
}
