//! Whole rooms on a virtual clock: phones that send tones and keep what they hear, and browsers behind fake peers.

mod apart;
mod aside;
mod browsers;
mod codecs;
mod encrypted;
mod fuzz;
mod hearing;
mod keys;
mod moving;
mod paths;
mod phones;
mod properties;
mod redundancy;
mod reports;
mod rights;
mod strangers;

use std::sync::mpsc;

use bytes::Bytes;

use super::*;
use crate::codec::{Codec, g722, opus};
use crate::rtp::RtpPacket;
use crate::sample::{FULL_FRAME, NARROW_FRAME, TICK};
use crate::sdp::{Direction, Negotiated, OpusSettings, RtcpPort};
use crate::tone::{Oscillator, level_at};
use crate::webrtc::{IncomingRtp, MediaKind, OutgoingRtp, PeerEvent, PeerTransmit, Slot, WebrtcPeer};

const ROOM: RoomId = RoomId(1);
const ALL: LegPlan = LegPlan { send_audio: true, receive_audio: true, send_video: true, receive_video: true };
const LISTEN: LegPlan =
    LegPlan { send_audio: false, receive_audio: true, send_video: false, receive_video: true };
const NOTHING: LegPlan =
    LegPlan { send_audio: false, receive_audio: false, send_video: false, receive_video: false };

/// One worker and everybody around it.
struct Bench {
    now: Instant,
    worker: Worker,
    phones: BTreeMap<LegId, Phone>,
    browsers: BTreeMap<LegId, Browser>,
    events: Vec<Event>,
}

/// A phone on the virtual network.
struct Phone {
    address: SocketAddr,
    codec: Codec,
    tone: Option<Oscillator>,
    sequence_number: u16,
    timestamp: u32,
    g722: (g722::Encoder, g722::Decoder),
    opus: (opus::Encoder, opus::Decoder),
    heard: Vec<i16>,
    /// Sequence number, timestamp and marker of what arrived.
    received: Vec<(u16, u32, bool)>,
    payloads: Vec<Vec<u8>>,
}

/// A browser: what its fake peer was told to send, and a way to let events happen in it.
struct Browser {
    tone: Option<Oscillator>,
    encoder: opus::Encoder,
    decoder: opus::Decoder,
    events: mpsc::Sender<PeerEvent>,
    written: mpsc::Receiver<Written>,
    sequence_number: u16,
    heard: Vec<i16>,
    payloads: Vec<Vec<u8>>,
    video: Vec<(u8, Vec<u8>)>,
    key_frames_asked: usize,
}

enum Written {
    Rtp(Slot, Vec<u8>),
    KeyFrame,
}

struct FakePeer {
    events: mpsc::Receiver<PeerEvent>,
    written: mpsc::Sender<Written>,
    transmits: VecDeque<PeerTransmit>,
    deadline: Option<Instant>,
}

impl WebrtcPeer for FakePeer {
    fn handle_datagram(&mut self, _now: Instant, _source: SocketAddr, _payload: &[u8]) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.deadline = Some(now + Duration::from_millis(50));
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadline
    }

    fn poll_transmit(&mut self) -> Option<PeerTransmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.try_recv().ok()
    }

    fn write_rtp(&mut self, _now: Instant, slot: Slot, packet: OutgoingRtp<'_>) {
        let _ = self.written.send(Written::Rtp(slot, packet.payload.to_vec()));
        let destination = "198.51.100.1:5000".parse().unwrap();
        self.transmits.push_back(PeerTransmit { destination, payload: Bytes::from_static(b"sealed") });
    }

    fn request_key_frame(&mut self, _now: Instant) {
        let _ = self.written.send(Written::KeyFrame);
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            worker: Worker::new(WorkerConfig::default(), [7; 32]),
            phones: BTreeMap::new(),
            browsers: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Adds a phone whose remote is set and which sends `hz` (0: silence).
    fn phone(&mut self, id: u64, codec: Codec, hz: u32, plan: LegPlan) -> LegId {
        let leg = LegId(id);
        let address = SocketAddr::from(([192, 0, 2, id as u8], 4000));
        self.command(Command::AddSipLeg { leg, room: ROOM });
        self.command(Command::SetSipRemote {
            leg,
            negotiated: negotiated(address, codec),
            symmetric_from: None,
        });
        self.plan(leg, plan);
        self.phones.insert(leg, Phone::new(address, codec, hz));
        leg
    }

    /// Adds a connected browser whose microphone sends `hz` (0: silence).
    fn browser(&mut self, id: u64, hz: u32, plan: LegPlan) -> LegId {
        let leg = LegId(id);
        let (events, incoming) = mpsc::channel();
        let (outgoing, written) = mpsc::channel();
        let peer =
            FakePeer { events: incoming, written: outgoing, transmits: VecDeque::new(), deadline: None };
        let ufrag = format!("ufrag{id}");
        self.command(Command::AddWebrtcLeg { leg, room: ROOM, peer: Box::new(peer), ufrag, video_slots: 2 });
        self.plan(leg, plan);
        events.send(PeerEvent::Connected).unwrap();
        let browser = Browser {
            tone: (hz > 0).then(|| Oscillator::new(hz, 48_000)),
            encoder: opus::Encoder::new(OpusSettings::default()).unwrap(),
            decoder: opus::Decoder::new().unwrap(),
            events,
            written,
            sequence_number: 0,
            heard: Vec::new(),
            payloads: Vec::new(),
            video: Vec::new(),
            key_frames_asked: 0,
        };
        self.browsers.insert(leg, browser);
        leg
    }

    fn command(&mut self, command: Command) {
        self.worker.handle_command(self.now, command);
    }

    fn plan(&mut self, leg: LegId, plan: LegPlan) {
        self.command(Command::SetPlan { leg, plan });
    }

    /// 20 ms: everybody speaks, the worker mixes, everybody hears.
    fn tick(&mut self) {
        let half = TICK / 2;
        self.now += half;
        for (&leg, phone) in &mut self.phones {
            let datagram = phone.speak();
            self.worker.handle_sip_datagram(self.now, leg, phone.address, &datagram);
        }
        self.browsers.values_mut().for_each(Browser::speak);
        self.now += half;
        self.worker.handle_tick(self.now);
        self.drain();
    }

    /// 20 ms in which phones speak and the worker mixes; what it sends is left to the caller.
    fn speak(&mut self) {
        self.now += TICK;
        for (&leg, phone) in &mut self.phones {
            let datagram = phone.speak();
            self.worker.handle_sip_datagram(self.now, leg, phone.address, &datagram);
        }
        self.worker.handle_tick(self.now);
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.worker.poll_transmit() {
            let Port::Sip(leg) = transmit.from else { continue };
            if let Some(phone) = self.phones.get_mut(&leg) {
                assert_eq!(transmit.destination, phone.address);
                phone.hear(transmit.payload);
            }
        }
        self.browsers.values_mut().for_each(Browser::hear);
        while let Some(event) = self.worker.poll_event() {
            self.events.push(event);
        }
    }

    fn run(&mut self, ticks: usize) {
        (0..ticks).for_each(|_| self.tick());
    }

    /// Runs and forgets what was heard before, so that only the settled state is looked at.
    fn settle(&mut self, ticks: usize) {
        self.run(ticks);
        self.phones.values_mut().for_each(|phone| phone.heard.clear());
        self.browsers.values_mut().for_each(|browser| browser.heard.clear());
    }

    /// How loud `leg` hears the tone of `hz`, in dB against a full-scale sine.
    fn hears(&self, leg: LegId, hz: u32) -> f64 {
        match (self.phones.get(&leg), self.browsers.get(&leg)) {
            (Some(phone), _) => level_at(&phone.heard, hz, Phone::hz(phone.codec)),
            (_, Some(browser)) => level_at(&browser.heard, hz, 48_000),
            _ => panic!("no leg {leg:?}"),
        }
    }

    fn hears_nothing(&self, leg: LegId) -> bool {
        let heard =
            self.phones.get(&leg).map(|phone| &phone.heard).unwrap_or_else(|| &self.browsers[&leg].heard);
        heard.iter().all(|&sample| sample == 0)
    }

    fn digits(&self) -> String {
        let digit = |event: &Event| match event {
            Event::Digit { digit, .. } => Some(*digit),
            _ => None,
        };
        self.events.iter().filter_map(digit).collect()
    }

    fn count(&self, wanted: &Event) -> usize {
        self.events.iter().filter(|event| *event == wanted).count()
    }

    /// Sends one telephone-event packet (key 1) to a leg from any address.
    fn key(&mut self, leg: LegId, source: SocketAddr, sequence_number: u16) {
        let packet = RtpPacket {
            marker: true,
            payload_type: 101,
            sequence_number,
            timestamp: 9_000,
            ssrc: 5,
            payload: &[1, 0x8A, 3, 0x20],
        };
        let mut datagram = [0; 16];
        packet.write(&mut datagram).unwrap();
        self.worker.handle_sip_datagram(self.now, leg, source, &datagram);
    }
}

/// Packet `number` of a phone that says one level with PCMU.
fn level_packet(number: u16, level: i16) -> [u8; 172] {
    let mut payload = [0; NARROW_FRAME];
    Codec::Pcmu.encode(&[level; NARROW_FRAME], &mut payload);
    let packet = RtpPacket {
        marker: false,
        payload_type: 0,
        sequence_number: number,
        timestamp: u32::from(number) * 160,
        ssrc: 9,
        payload: &payload,
    };
    let mut datagram = [0; 172];
    packet.write(&mut datagram).unwrap();
    datagram
}

fn negotiated(remote: SocketAddr, codec: Codec) -> Negotiated {
    Negotiated { telephone_event: Some(101), ..Negotiated::new(remote, codec) }
}

impl Phone {
    fn new(address: SocketAddr, codec: Codec, hz: u32) -> Self {
        Self {
            address,
            codec,
            tone: (hz > 0).then(|| Oscillator::new(hz, Self::hz(codec))),
            sequence_number: 0,
            timestamp: 0,
            g722: Default::default(),
            opus: (opus::Encoder::new(OpusSettings::default()).unwrap(), opus::Decoder::new().unwrap()),
            heard: Vec::new(),
            received: Vec::new(),
            payloads: Vec::new(),
        }
    }

    fn hz(codec: Codec) -> u32 {
        match codec {
            Codec::Pcmu | Codec::Pcma => 8_000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }

    fn encode(&mut self, frame: &[i16]) -> Vec<u8> {
        let mut payload = vec![0; 160];
        match self.codec {
            Codec::Pcmu | Codec::Pcma => self.codec.encode(frame, &mut payload),
            Codec::G722 => self.g722.0.encode(frame, &mut payload),
            Codec::Opus => {
                payload = vec![0; opus::MAX_PACKET];
                let length = self.opus.0.encode(frame.try_into().unwrap(), &mut payload).unwrap();
                payload.truncate(length);
            }
        }
        payload
    }

    fn speak(&mut self) -> Vec<u8> {
        let samples = Self::hz(self.codec) / 50;
        let frame: Vec<i16> = match &mut self.tone {
            // Half the usual level, so that several tones fit below overload.
            Some(tone) => (0..samples).map(|_| tone.next_sample() / 2).collect(),
            None => vec![0; samples as usize],
        };
        let payload = match (&self.tone, self.codec) {
            (None, Codec::Pcmu | Codec::Pcma) => vec![self.codec.silence(); NARROW_FRAME],
            _ => self.encode(&frame),
        };
        self.packet(&payload)
    }

    /// 20 ms of a tone so many times softer than usual.
    fn say(&mut self, tone: &mut Oscillator, divisor: i16) -> Vec<u8> {
        let frame: Vec<i16> = (0..Self::hz(self.codec) / 50).map(|_| tone.next_sample() / divisor).collect();
        let payload = self.encode(&frame);
        self.packet(&payload)
    }

    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock_hz() / 50);
        let packet = RtpPacket {
            marker: false,
            payload_type: self.codec.payload_type(),
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: 5,
            payload,
        };
        let mut datagram = vec![0; 12 + payload.len()];
        packet.write(&mut datagram).unwrap();
        datagram
    }

    fn hear(&mut self, datagram: &[u8]) {
        let packet = RtpPacket::parse(datagram).unwrap();
        assert_eq!(packet.payload_type, self.codec.payload_type());
        self.received.push((packet.sequence_number, packet.timestamp, packet.marker));
        let mut frame = vec![0; packet.payload.len() * 2];
        match self.codec {
            Codec::Pcmu | Codec::Pcma => {
                frame.truncate(packet.payload.len());
                self.codec.decode(packet.payload, &mut frame);
                // The idle pattern of PCMA is not quite zero.
                if packet.payload.iter().all(|&code| code == self.codec.silence()) {
                    frame.fill(0);
                }
            }
            Codec::G722 => self.g722.1.decode(packet.payload, &mut frame),
            Codec::Opus => frame = self.opus.1.decode(packet.payload).unwrap().to_vec(),
        }
        self.heard.extend(frame);
        self.payloads.push(packet.payload.to_vec());
    }
}

impl Browser {
    fn speak(&mut self) {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        let mut payload = opus::SILENCE.to_vec();
        if let Some(tone) = &mut self.tone {
            let mut frame = [0; FULL_FRAME];
            frame.iter_mut().for_each(|sample| *sample = tone.next_sample() / 2);
            payload = vec![0; opus::MAX_PACKET];
            let length = self.encoder.encode(&frame, &mut payload).unwrap();
            payload.truncate(length);
        }
        let timestamp = u32::from(self.sequence_number) * 960;
        self.send(MediaKind::Audio, self.sequence_number, timestamp, payload);
    }

    fn send(&self, kind: MediaKind, sequence_number: u16, timestamp: u32, payload: Vec<u8>) {
        let payload = Bytes::from(payload);
        let packet = IncomingRtp { sequence_number, timestamp, marker: true, payload, audio_level: None };
        let _ = self.events.send(PeerEvent::Rtp { kind, packet });
    }

    fn hear(&mut self) {
        while let Ok(written) = self.written.try_recv() {
            match written {
                Written::Rtp(Slot::Audio, payload) => {
                    self.heard.extend_from_slice(self.decoder.decode(&payload).unwrap());
                    self.payloads.push(payload);
                }
                Written::Rtp(Slot::Video(slot), payload) => self.video.push((slot, payload)),
                Written::KeyFrame => self.key_frames_asked += 1,
            }
        }
    }
}
