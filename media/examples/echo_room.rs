//! One room for browsers on one UDP port: everybody sees everybody else and hears a 440 Hz tone.
//!
//! `cargo run -p media --example echo_room -- 127.0.0.1:8443 127.0.0.1:8088`, then POST an offer to `/offer`.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "example"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use media::webrtc::demux::Demux;
use media::webrtc::forwarder::{Forwarder, Output};
use media::webrtc::{
    AcceptedPeer, MediaKind, OutgoingRtp, PeerConfig, PeerEvent, Slot, WebrtcPeer, accept_offer,
};
use opusic_c::{Application, Channels, Encoder, SampleRate};

const TICK: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let media: SocketAddr = arguments.next().ok_or("first argument: UDP address")?.parse()?;
    let http = arguments.next().ok_or("second argument: HTTP address")?;
    let (sender, receiver) = channel();
    let listener = TcpListener::bind(http)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = answer_http(stream, media, &sender) {
                println!("http: {error}");
            }
        }
    });
    Room::new(media)?.run(&receiver)
}

fn answer_http(
    mut stream: TcpStream,
    media: SocketAddr,
    room: &Sender<AcceptedPeer>,
) -> Result<(), Box<dyn Error>> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let body = loop {
        let length = stream.read(&mut buffer)?;
        request.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length == 0 || body.len() >= wanted.unwrap_or(0) {
            break body.to_owned();
        }
    };
    let reply = if body.is_empty() {
        "<!doctype html><title>room</title>".to_owned()
    } else {
        let started = Instant::now();
        let accepted = accept_offer(Instant::now(), &body, &PeerConfig { local: media, video_slots: 8 })?;
        println!("answered {} bytes in {:?}", body.len(), started.elapsed());
        let answer = accepted.answer_sdp.clone();
        room.send(accepted)?;
        answer
    };
    let length = reply.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{reply}")?;
    Ok(())
}

/// The media thread: the only owner of socket, peers and tables.
struct Room {
    socket: UdpSocket,
    peers: BTreeMap<u32, Box<dyn WebrtcPeer>>,
    slots: BTreeMap<u32, u8>,
    demux: Demux<u32>,
    forwarder: Forwarder<u32>,
    tone: Tone,
    joined: u32,
}

impl Room {
    fn new(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            socket: UdpSocket::bind(address)?,
            peers: BTreeMap::new(),
            slots: BTreeMap::new(),
            demux: Demux::new(),
            forwarder: Forwarder::new(),
            tone: Tone::new()?,
            joined: 0,
        })
    }

    fn run(&mut self, joining: &Receiver<AcceptedPeer>) -> Result<(), Box<dyn Error>> {
        let mut buffer = [0; 2048];
        let mut next_tick = Instant::now();
        loop {
            let now = Instant::now();
            for accepted in joining.try_iter() {
                self.join(accepted);
            }
            while next_tick <= now {
                next_tick += TICK;
                self.play(now);
            }
            self.handle_timeouts(now);
            self.drain(now)?;
            let wait = self.next_deadline(next_tick).saturating_duration_since(Instant::now());
            self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
            if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
                let payload = buffer.get(..length).unwrap_or_default();
                let peer = self.demux.route(source, payload).and_then(|key| self.peers.get_mut(&key));
                if let Some(peer) = peer {
                    peer.handle_datagram(Instant::now(), source, payload);
                }
            }
        }
    }

    fn join(&mut self, accepted: AcceptedPeer) {
        self.joined += 1;
        self.demux.insert(accepted.ufrag, self.joined);
        self.peers.insert(self.joined, accepted.peer);
        self.slots.insert(self.joined, accepted.video_slots);
    }

    fn play(&mut self, now: Instant) {
        let packet = self.tone.next();
        for peer in self.peers.values_mut() {
            peer.write_rtp(now, Slot::Audio, packet);
        }
    }

    fn handle_timeouts(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            while peer.poll_timeout().is_some_and(|at| at <= now) {
                peer.handle_timeout(now);
            }
        }
        self.forwarder.handle_timeout(now);
    }

    fn next_deadline(&mut self, tick: Instant) -> Instant {
        let peers = self.peers.values_mut().filter_map(|peer| peer.poll_timeout());
        peers.chain(self.forwarder.poll_timeout()).fold(tick, Instant::min)
    }

    fn drain(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let keys: Vec<u32> = self.peers.keys().copied().collect();
        for key in &keys {
            while let Some(event) = self.peers.get_mut(key).and_then(|peer| peer.poll_event()) {
                self.handle_event(now, *key, event);
            }
        }
        while let Some(output) = self.forwarder.poll_output() {
            match output {
                Output::Packet { receiver, slot, packet } => {
                    if let Some(peer) = self.peers.get_mut(&receiver) {
                        peer.write_rtp(now, Slot::Video(slot), packet.as_outgoing());
                    }
                }
                Output::RequestKeyFrame { publisher } => {
                    println!("key frame wanted of {publisher}");
                    if let Some(peer) = self.peers.get_mut(&publisher) {
                        peer.request_key_frame(now);
                    }
                }
                Output::Slots { receiver, slots } => println!("slots of {receiver}: {slots:?}"),
            }
        }
        for (key, peer) in &mut self.peers {
            while let Some(datagram) = peer.poll_transmit() {
                self.demux.observe_transmit(*key, datagram.destination, &datagram.payload);
                self.socket.send_to(&datagram.payload, datagram.destination)?;
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, now: Instant, key: u32, event: PeerEvent) {
        match event {
            PeerEvent::Rtp { kind: MediaKind::Video, packet } => {
                self.forwarder.handle_packet(now, key, &packet)
            }
            PeerEvent::Rtp { kind: MediaKind::Audio, packet } => {
                if packet.sequence_number % 250 == 0 {
                    println!("{key} level {:?}, {} bytes", packet.audio_level, packet.payload.len());
                }
            }
            PeerEvent::KeyFrameRequested { slot } => self.forwarder.handle_key_frame_request(now, key, slot),
            PeerEvent::Connected => {
                println!("{key} connected");
                self.forwarder.join(key, self.slots.get(&key).copied().unwrap_or(0));
                self.forwarder.set_permissions(now, key, true, true);
            }
            PeerEvent::Closed => {
                println!("{key} closed");
                self.peers.remove(&key);
                self.demux.remove(key);
                self.forwarder.leave(now, key);
            }
        }
    }
}

/// 440 Hz in Opus packets of 20 ms.
struct Tone {
    encoder: Encoder,
    sample: u32,
    sequence_number: u16,
    payload: Vec<u8>,
}

impl Tone {
    fn new() -> Result<Self, Box<dyn Error>> {
        let encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Audio)
            .map_err(|error| format!("{error:?}"))?;
        Ok(Self { encoder, sample: 0, sequence_number: 65_000, payload: Vec::new() })
    }

    fn next(&mut self) -> OutgoingRtp<'_> {
        let timestamp = self.sample;
        let samples: Vec<f32> = (0..960)
            .map(|index| {
                let phase = f64::from(timestamp.wrapping_add(index) % 48_000) * 440.0 / 48_000.0;
                #[allow(clippy::cast_possible_truncation, reason = "example")]
                let sample = ((phase * std::f64::consts::TAU).sin() * 0.244) as f32;
                sample
            })
            .collect();
        self.payload.resize(1500, 0);
        let length = self.encoder.encode_float_to_slice(&samples, &mut self.payload).unwrap_or(0);
        self.payload.truncate(length);
        self.sample = self.sample.wrapping_add(960);
        self.sequence_number = self.sequence_number.wrapping_add(1);
        OutgoingRtp {
            marker: false,
            sequence_number: self.sequence_number,
            timestamp,
            payload: &self.payload,
        }
    }
}
