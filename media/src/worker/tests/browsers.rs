//! Browsers: coming, going, sound and pictures.

use super::*;

/// A VP8 payload that begins a key frame (RFC 7741), marked with `mark`.
fn key_frame(mark: u8) -> Vec<u8> {
    vec![0x10, 0x00, 0x00, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00, mark]
}

#[test]
fn a_browser_comes_and_goes() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcmu, 500, ALL);
    let browser = bench.browser(2, 900, ALL);
    bench.settle(20);
    bench.run(20);
    assert!(bench.hears(phone, 900) > -16.0 && bench.hears(browser, 500) > -16.0);
    assert_eq!(bench.count(&Event::WebrtcConnected { leg: browser }), 1);
    assert_eq!(bench.count(&Event::MediaStarted { leg: browser }), 1);
    bench.browsers[&browser].events.send(PeerEvent::Closed).unwrap();
    bench.settle(2);
    bench.run(20);
    assert_eq!(bench.count(&Event::WebrtcClosed { leg: browser }), 1);
    assert!(bench.hears_nothing(phone));
}

#[test]
fn a_browser_is_sent_one_packet_each_tick_and_silence_after_speech_is_cheap() {
    let mut bench = Bench::new();
    bench.phone(1, Codec::Pcmu, 500, ALL);
    let browser = bench.browser(2, 0, ALL);
    bench.run(50);
    let packets = bench.browsers[&browser].payloads.len();
    assert!(packets >= 49, "{packets} packets");
    bench.phones.get_mut(&LegId(1)).unwrap().tone = None;
    bench.run(50);
    let before = bench.worker.load().encodes;
    bench.run(20);
    assert_eq!(bench.worker.load().encodes, before);
    assert_eq!(bench.browsers[&browser].payloads.last().unwrap(), &opus::SILENCE);
}

#[test]
fn d48_cameras_are_forwarded_by_right_and_slots_are_told() {
    let mut bench = Bench::new();
    let (hana, pia) = (bench.browser(1, 0, ALL), bench.browser(2, 0, ALL));
    let viewer = bench.browser(3, 0, LISTEN);
    bench.run(2);
    bench.browsers[&hana].send(MediaKind::Video, 0, 0, vec![0x10, 0x01, 0x00]); // no key frame
    bench.tick();
    for n in 1..10_u16 {
        bench.browsers[&hana].send(MediaKind::Video, n, u32::from(n) * 3_000, key_frame(1));
        bench.browsers[&viewer].send(MediaKind::Video, n, u32::from(n) * 3_000, key_frame(3));
        bench.tick();
    }
    let marks = |leg: LegId| {
        let marks: std::collections::BTreeSet<u8> =
            bench.browsers[&leg].video.iter().filter_map(|(_, payload)| payload.last().copied()).collect();
        marks.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(marks(pia), [1]);
    assert_eq!(marks(viewer), [1]);
    assert_eq!(marks(hana), [] as [u8; 0], "neither his own nor the viewer's");
    assert_eq!(bench.count(&Event::VideoSlots { leg: pia, slots: vec![Some(hana), None] }), 1);
    assert!(bench.browsers[&hana].key_frames_asked > 0);
    bench.command(Command::RemoveLeg { leg: hana });
    bench.drain();
    assert_eq!(bench.count(&Event::VideoSlots { leg: pia, slots: vec![None, None] }), 1);
}

#[test]
fn d48_a_phone_changes_nothing_for_the_cameras() {
    let mut bench = Bench::new();
    let (hana, pia) = (bench.browser(1, 0, ALL), bench.browser(2, 0, ALL));
    bench.run(2);
    let frames = |bench: &mut Bench, from: u16| {
        for n in from..from + 10 {
            bench.browsers[&hana].send(MediaKind::Video, n, u32::from(n) * 3_000, key_frame(1));
            bench.tick();
        }
    };
    frames(&mut bench, 0);
    let (seen, told) = (bench.browsers[&pia].video.len(), bench.events.len());
    bench.phone(3, Codec::Pcmu, 0, ALL);
    frames(&mut bench, 10);
    assert_eq!(bench.browsers[&pia].video.len() - seen, 10);
    assert!(!bench.events[told..].iter().any(|event| matches!(event, Event::VideoSlots { .. })));
}

#[test]
fn d47_taking_away_a_camera_takes_effect_at_the_next_tick() {
    let mut bench = Bench::new();
    let (hana, pia) = (bench.browser(1, 0, ALL), bench.browser(2, 0, ALL));
    bench.run(2);
    bench.browsers[&hana].send(MediaKind::Video, 1, 3_000, key_frame(1));
    bench.run(2);
    assert_eq!(bench.browsers[&pia].video.len(), 1);
    bench.plan(hana, LISTEN);
    bench.tick();
    bench.browsers[&hana].send(MediaKind::Video, 2, 6_000, key_frame(1));
    bench.run(5);
    assert_eq!(bench.browsers[&pia].video.len(), 1);
    assert_eq!(bench.count(&Event::VideoSlots { leg: pia, slots: vec![None, None] }), 1);
}

#[test]
fn peers_are_woken_when_they_asked_for_it() {
    let mut bench = Bench::new();
    bench.browser(1, 0, ALL);
    assert_eq!(bench.worker.poll_timeout(), None);
    let (events, incoming) = mpsc::channel();
    let (outgoing, _written) = mpsc::channel();
    let due = bench.now + Duration::from_millis(5);
    let peer =
        FakePeer { events: incoming, written: outgoing, transmits: VecDeque::new(), deadline: Some(due) };
    let ufrag = "late".to_owned();
    bench.command(Command::AddWebrtcLeg {
        leg: LegId(2),
        room: ROOM,
        peer: Box::new(peer),
        ufrag,
        video_slots: 0,
    });
    assert_eq!(bench.worker.poll_timeout(), Some(due));
    bench.worker.handle_timeout(due);
    assert_eq!(bench.worker.poll_timeout(), Some(due + Duration::from_millis(50)));
    events.send(PeerEvent::Connected).unwrap();
    bench.worker.handle_timeout(due + Duration::from_millis(50));
    assert_eq!(bench.worker.poll_event(), Some(Event::WebrtcConnected { leg: LegId(2) }));
}

#[test]
fn what_a_peer_sends_leaves_by_the_shared_port() {
    let mut bench = Bench::new();
    bench.browser(1, 0, ALL);
    bench.now += TICK;
    bench.worker.handle_tick(bench.now);
    bench.worker.handle_tick(bench.now + TICK);
    let transmit = bench.worker.poll_transmit().unwrap();
    assert_eq!((transmit.from, transmit.payload), (Port::Webrtc, &b"sealed"[..]));
    assert!(bench.worker.poll_transmit().is_none());
}

#[test]
fn audio_that_cannot_be_opus_is_not_taken() {
    let mut bench = Bench::new();
    let browser = bench.browser(1, 0, ALL);
    bench.browsers[&browser].send(MediaKind::Audio, 7, 0, Vec::new());
    bench.browsers[&browser].send(MediaKind::Audio, 8, 960, vec![0xFF; 2]);
    bench.now += TICK;
    bench.worker.handle_tick(bench.now);
    bench.drain();
    assert_eq!(bench.count(&Event::MediaStarted { leg: browser }), 0);
}
