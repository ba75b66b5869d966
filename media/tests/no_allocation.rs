//! Proves that the packet path of phones allocates nothing, by counting in the allocator.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::codec::{Codec, opus};
use media::dtls::{DtlsParameters, Identity, SetupRole};
use media::ice::IceCredentials;
use media::prompt::{Language, PromptId, PromptSet};
use media::rtcp::is_rtcp;
use media::rtp::RtpPacket;
use media::rtp::red::{self, RedBlock};
use media::sdp::{Format, Negotiated, OpusSettings, REDUNDANT, Redundancy, RtcpPort};
use media::srtp::{MasterKey, Sealer, SrtpKeys, Suite};
use media::webrtc::{OutgoingRtp, PeerEvent, PeerTransmit, Slot, WebrtcPeer};
use media::worker::{
    Command, LegId, LegPlan, PlayingId, RoomId, Source, VoiceTreatment, Worker, WorkerConfig,
};

/// Counts this thread's allocations; other threads (the test harness) do not disturb it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // While a thread ends its cell is gone already; nothing is measured then.
    let _ = ALLOCATIONS.try_with(|cell| cell.set(cell.get() + 1));
}

#[expect(unsafe_code, reason = "the trait is unsafe; every call is handed to the system allocator unchanged")]
// SAFETY: forwards to `System`, which upholds the contract; counting touches no allocated memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's obligations are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LEGS: u64 = 20;
const TALKERS: u64 = 4;
const ALL: LegPlan = LegPlan { send_audio: true, receive_audio: true, send_video: true, receive_video: true };

fn address(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000 + u16::try_from(leg).unwrap()))
}

fn codec(leg: u64) -> Codec {
    if leg.is_multiple_of(2) { Codec::Pcmu } else { Codec::Pcma }
}

fn room(now: Instant) -> Worker {
    let mut worker = Worker::new(WorkerConfig::default(), [3; 32]);
    for id in 0..LEGS {
        let leg = LegId(id);
        worker.handle_command(now, Command::AddSipLeg { leg, room: RoomId(id % 2) });
        let negotiated = Negotiated {
            telephone_event: (id != 3).then_some(101), // leg 3 is listened to for tones
            rtcp: RtcpPort::Muxed,
            voip_metrics: true,
            ..Negotiated::new(address(id), codec(id))
        };
        worker.handle_command(now, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
        worker.handle_command(now, Command::SetPlan { leg, plan: ALL });
    }
    worker
}

/// Every kind of packet a phone may send: speech, keys, RTCP, garbage, reordered, a new SSRC.
fn datagram(leg: u64, tick: u16, buffer: &mut [u8; 200]) -> usize {
    let talks = leg < TALKERS;
    let payload = [if talks { 0x23 ^ u8::try_from(tick % 100).unwrap() } else { codec(leg).silence() }; 160];
    let swapped = if tick.is_multiple_of(10) {
        tick + 1
    } else if tick % 10 == 1 {
        tick - 1
    } else {
        tick
    };
    let (payload_type, payload): (u8, &[u8]) = match tick % 50 {
        17 => (101, &[1, 0x8A, 3, 0x20]),
        18 => (13, &[40]),
        19 => (99, &payload),
        _ => (codec(leg).payload_type(), &payload),
    };
    let packet = RtpPacket {
        marker: false,
        payload_type,
        sequence_number: swapped,
        timestamp: u32::from(swapped) * 160,
        ssrc: u32::from(tick / 100),
        payload,
    };
    packet.write(buffer).unwrap()
}

/// One tick with everything a driver does; returns how many datagrams were sent and how many events came.
fn tick(worker: &mut Worker, now: Instant, n: u16) -> (usize, usize) {
    let mut buffer = [0; 200];
    for leg in 0..LEGS {
        if (u64::from(n) + leg).is_multiple_of(23) {
            continue; // lost
        }
        let length = datagram(leg, n, &mut buffer);
        worker.handle_sip_datagram(now, LegId(leg), address(leg), &buffer[..length]);
        worker.handle_sip_datagram(now, LegId(leg), address(leg + 100), &buffer[..length]);
        worker.handle_sip_datagram(now, LegId(leg), address(leg), &[0x80, 201, 0, 1, 0, 0, 0, 0]);
    }
    worker.handle_tick(now);
    let (mut sent, mut events) = (0, 0);
    while let Some(transmit) = worker.poll_transmit() {
        sent += usize::from(!is_rtcp(transmit.payload));
    }
    while worker.poll_event().is_some() {
        events += 1;
    }
    (sent, events)
}

#[test]
fn d42_the_mix_tick_allocates_nothing() {
    let mut now = Instant::now();
    let mut worker = room(now);
    let source = Source::clip(PromptSet::default().get(Language::English, PromptId::Joining));
    worker.handle_command(now, Command::Play { leg: LegId(9), source, repeat: false, playing: PlayingId(1) });
    worker.handle_command(
        now,
        Command::Play {
            leg: LegId(10),
            source: Source::Tone { hz: 440 },
            repeat: true,
            playing: PlayingId(1),
        },
    );
    for leg in [LegId(3), LegId(4)] {
        worker.handle_command(now, Command::SendDigits { leg, digits: "123#".to_owned() });
    }
    worker.handle_command(now, Command::Overhear { leg: LegId(4), of: Some(LegId(2)) });
    let (mut sent, mut events) = (0, 0);
    let before = ALLOCATIONS.get();
    for n in 0..500 {
        now += Duration::from_millis(20);
        let plan = if n % 7 == 0 { LegPlan::default() } else { ALL };
        worker.handle_command(now, Command::SetPlan { leg: LegId(2), plan });
        let (s, e) = tick(&mut worker, now, n);
        sent += s;
        events += e;
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(sent, 500 * usize::try_from(LEGS).unwrap(), "one packet per leg and tick");
    assert!(events > 40, "{events} events");
    assert!(worker.load().encodes > 500, "something was really mixed");
}

/// A browser that is connected, says nothing and costs nothing.
#[derive(Default)]
struct QuietPeer {
    told: bool,
}

impl WebrtcPeer for QuietPeer {
    fn handle_datagram(&mut self, _now: Instant, _source: SocketAddr, _payload: &[u8]) {}

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }

    fn poll_transmit(&mut self) -> Option<PeerTransmit> {
        None
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        (!std::mem::replace(&mut self.told, true)).then_some(PeerEvent::Connected)
    }

    fn write_rtp(&mut self, _now: Instant, _slot: Slot, _packet: OutgoingRtp<'_>) {}

    fn request_key_frame(&mut self, _now: Instant) {}
}

#[test]
fn d42_converting_and_encoding_for_browsers_allocates_nothing() {
    let mut now = Instant::now();
    let mut worker = room(now);
    for id in 100..106 {
        let (leg, ufrag) = (LegId(id), format!("ufrag{id}"));
        let peer = Box::new(QuietPeer::default());
        worker
            .handle_command(now, Command::AddWebrtcLeg { leg, room: RoomId(0), peer, ufrag, video_slots: 2 });
        worker.handle_command(now, Command::SetPlan { leg, plan: ALL });
    }
    now += Duration::from_millis(20);
    tick(&mut worker, now, 0); // browsers get their video rights here, and tables of slots are made
    let before = ALLOCATIONS.get();
    for n in 1..300 {
        now += Duration::from_millis(20);
        tick(&mut worker, now, n);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(worker.load().conversions > 300, "voices were really converted");
}

/// Phones of every codec, plain and encrypted, in one room.
#[test]
fn d42_no_codec_and_no_cipher_allocates() {
    let mut now = Instant::now();
    let mut worker = Worker::new(WorkerConfig::default(), [5; 32]);
    let mut phones = Vec::new();
    for (id, (codec, suite)) in (0..).zip(
        Codec::ALL
            .into_iter()
            .flat_map(|codec| [None, Some(0), Some(1), Some(2)].map(|suite| (codec, suite))),
    ) {
        let suite = suite.map(|at: usize| Suite::ALL[at]);
        let key = |suite: Suite, byte| {
            let (key, salt) = suite.lengths();
            MasterKey::new(suite, &vec![byte; key + salt]).unwrap()
        };
        let keys = suite.map(|suite| SrtpKeys { suite, local: key(suite, 1), remote: key(suite, 2) });
        let mut negotiated = Negotiated {
            rtcp: RtcpPort::Apart(4_001),
            voip_metrics: true,
            srtp: keys,
            redundancy: Some(Redundancy { payload_type: REDUNDANT, preferred: true })
                .filter(|_| codec == Codec::Opus),
            ..Negotiated::new(address(id), codec)
        };
        negotiated.received.insert(REDUNDANT, Format::Redundant);
        let leg = LegId(id);
        worker.handle_command(now, Command::AddSipLeg { leg, room: RoomId(0) });
        worker.handle_command(now, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
        worker.handle_command(now, Command::SetPlan { leg, plan: ALL });
        let treatment = VoiceTreatment { even_loudness: Some(true), suppress_noise: id % 2 == 0 };
        worker.handle_command(now, Command::TreatVoice { leg, treatment });
        phones.push((codec, keys.map(|keys| Sealer::new(keys.suite, &keys.remote))));
    }
    let mut encoder = opus::Encoder::new(OpusSettings::default()).unwrap();
    let mut before = 0;
    for n in 0..400_u16 {
        if n == 100 {
            before = ALLOCATIONS.get();
        }
        now += Duration::from_millis(20);
        for (id, (codec, sealer)) in (0..).zip(&mut phones) {
            let mut payload = [0x23 ^ u8::try_from(n % 100).unwrap(); 160];
            let mut length = 160;
            if *codec == Codec::Opus {
                let frame = [i16::try_from(n % 50).unwrap() * 100; 960];
                length = encoder.encode(&frame, &mut payload).unwrap();
            }
            let (mut payload_type, mut twice) = (codec.payload_type(), [0; 340]);
            if *codec == Codec::Opus {
                // Every packet with itself as the one before it; every seventh is lost.
                let block = |offset| RedBlock { payload_type: 96, offset, payload: &payload[..length] };
                length = red::write(Some(block(960)), block(0), &mut twice).unwrap();
                payload_type = REDUNDANT;
            } else {
                twice[..160].copy_from_slice(&payload);
            }
            let packet = RtpPacket {
                marker: false,
                payload_type,
                sequence_number: n,
                timestamp: u32::from(n) * codec.clock_hz() / 50,
                ssrc: 1,
                payload: &twice[..length],
            };
            let mut datagram = [0; 400];
            let mut length = packet.write(&mut datagram).unwrap();
            if n % 7 == 3 {
                continue;
            }
            if let Some(sealer) = sealer {
                length = sealer.seal_rtp(&mut datagram, length).unwrap();
            }
            worker.handle_sip_datagram(now, LegId(id), address(id), &datagram[..length]);
        }
        worker.handle_tick(now);
        while worker.poll_transmit().is_some() {}
        while worker.poll_event().is_some() {}
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(worker.load().encodes > 400 * 10, "something was really mixed: {:?}", worker.load());
}

/// Small rooms, in which every leg has steps of its own, over a network that loses packets.
#[test]
fn d42_small_rooms_allocate_nothing_in_any_codec() {
    let start = Instant::now();
    let mut worker = Worker::new(WorkerConfig::default(), [5; 32]);
    for id in 0..12_u64 {
        let (leg, codec) = (LegId(id), Codec::ALL[usize::try_from(id / 3).unwrap()]);
        worker.handle_command(start, Command::AddSipLeg { leg, room: RoomId(id / 3) });
        let negotiated = Negotiated::new(address(id), codec);
        worker.handle_command(start, Command::SetSipRemote { leg, negotiated, symmetric_from: None });
        worker.handle_command(start, Command::SetPlan { leg, plan: ALL });
    }
    let mut encoder = opus::Encoder::new(OpusSettings::default()).unwrap();
    let (mut before, mut sent) = (0, 0);
    for n in 0..400_u16 {
        if n == 100 {
            (before, sent) = (ALLOCATIONS.get(), 0);
        }
        let frame = [i16::try_from(n % 50).unwrap() * 100; 960];
        let mut packet = [0; 300];
        let length = encoder.encode(&frame, &mut packet).unwrap();
        for step in 0..20 {
            let now = start + Duration::from_millis(u64::from(n) * 20 + step);
            for id in (0..12_u64).filter(|id| id * 7 % 20 == step && (u64::from(n) + id) % 11 != 0) {
                let codec = Codec::ALL[usize::try_from(id / 3).unwrap()];
                let spoken = [0x23 ^ u8::try_from(n % 100).unwrap(); 160];
                let packet = RtpPacket {
                    marker: false,
                    payload_type: codec.payload_type(),
                    sequence_number: n,
                    timestamp: u32::from(n) * codec.clock_hz() / 50,
                    ssrc: 1,
                    payload: if codec == Codec::Opus { &packet[..length] } else { &spoken },
                };
                let mut datagram = [0; 320];
                let length = packet.write(&mut datagram).unwrap();
                worker.handle_sip_datagram(now, LegId(id), address(id), &datagram[..length]);
            }
            worker.handle_step(now);
            while worker.poll_transmit().is_some() {
                sent += 1;
            }
            while worker.poll_event().is_some() {}
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!((3_590..=3_630).contains(&sent), "{sent} packets of 12 phones in 6 s");
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(vec![1_u8; 100]);
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

/// Phones that wait for a handshake or a check, while strangers send all that looks like one, and media too early.
#[test]
fn d42_m5_what_strangers_send_to_a_phone_that_agrees_on_keys_allocates_nothing() {
    let mut now = Instant::now();
    let mut worker = room(now);
    let identity = Identity::generate().unwrap();
    let dtls = Some(DtlsParameters { role: SetupRole::Passive, remote: identity.fingerprint() });
    worker.set_identity(std::sync::Arc::new(identity));
    let host = Some(address(0).ip());
    for (leg, ice) in [(0, None), (1, Some(IceCredentials::derive(&[1; 32], "them")))] {
        let negotiated = Negotiated { dtls, ice, ..Negotiated::new(address(leg), codec(leg)) };
        worker
            .handle_command(now, Command::SetSipRemote { leg: LegId(leg), negotiated, symmetric_from: host });
    }
    let mut kinds: Vec<Vec<u8>> = (0..=255).map(|first| vec![first; 60]).collect();
    let mut check = vec![0, 1, 0, 12, 0x21, 0x12, 0xA4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    check.extend([0, 6, 0, 6, b'a', b':', b'b', b'c', b'd', b'e', 0, 0]);
    kinds.push(check);
    tick(&mut worker, now, 0);
    let before = ALLOCATIONS.get();
    for n in 1..300_u16 {
        now += Duration::from_millis(20);
        for kind in &kinds {
            for leg in [0, 1] {
                for source in [address(leg), address(leg + 300), "203.0.113.66:9".parse().unwrap()] {
                    worker.handle_sip_datagram(now, LegId(leg), source, kind);
                }
            }
        }
        tick(&mut worker, now, n);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
