//! A scripted far end: a phone or a carrier's callee with its own user agent, one tone to say and an ear.

use super::gateway::{Packet, SIP, ua_config};
use bytes::Bytes;
use media::codec::g711::{decode_ulaw, encode_ulaw};
use media::rtp::RtpPacket;
use media::sdp::{self, Codec, LocalDescription, Negotiated};
use media::tone::{Oscillator, level_at};
use sip_core::ua::{
    Command, Credentials, Datagram, Event, Output, SessionId, Trunk, TrunkId, TrunkRegistration, UserAgent,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a far end does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Rings, then answers.
    Answers,
    /// Rings, answers, and presses 1 after this time.
    Presses(Duration),
    /// Refuses.
    Refuses(u16),
    /// Rings for ever.
    Rings,
}

/// How long a far end rings before it answers.
const RING: Duration = Duration::from_millis(300);
const RATE: u32 = 8_000;
const FRAME: u32 = 160;

pub(super) struct FarEnd {
    pub(super) address: SocketAddr,
    rtp: SocketAddr,
    ua: UserAgent,
    manner: Manner,
    session: Option<SessionId>,
    /// When to do the next thing with the session.
    answer_at: Option<Instant>,
    press_at: Option<Instant>,
    offer: Bytes,
    negotiated: Option<Negotiated>,
    tone: Oscillator,
    sequence_number: u16,
    timestamp: u32,
    /// What was heard, sample by sample, with the time of the last packet.
    pub(super) heard: Vec<i16>,
    /// From each INVITE: what the display shows.
    pub(super) shown: Vec<(String, String)>,
    pub(super) ended: Vec<String>,
    pub(super) outbox: VecDeque<Packet>,
    pub(super) wake: Option<Instant>,
}

impl FarEnd {
    pub(super) fn new(address: &str, manner: Manner, hz: u32, seed: u8) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        Self {
            address,
            rtp: SocketAddr::new(address.ip(), 40_000),
            ua: UserAgent::new(ua_config(&address.to_string(), &["192.0.2.1/32"]), [seed; 32]),
            manner,
            session: None,
            answer_at: None,
            press_at: None,
            offer: Bytes::new(),
            negotiated: None,
            tone: Oscillator::new(hz, RATE),
            sequence_number: 1000,
            timestamp: 0,
            heard: Vec::new(),
            shown: Vec::new(),
            ended: Vec::new(),
            outbox: VecDeque::new(),
            wake: None,
        }
    }

    /// Registers with the gateway as a device: to this side the gateway is a trunk that wants a registration.
    pub(super) fn register(&mut self, now: Instant, device: &str, password: &str) {
        let trunk = Trunk {
            credentials: Some(Credentials { user: device.into(), realm: None, password: password.into() }),
            registration: Some(TrunkRegistration { aor_user: device.into(), expires: 3600 }),
            ..Trunk::new(TrunkId(1), SIP.parse::<SocketAddr>().unwrap(), "acme.test")
        };
        self.ua.handle_command(now, Command::PutTrunk(Box::new(trunk)));
        self.drain(now);
    }

    pub(super) fn hang_up(&mut self, now: Instant) {
        if let Some(session) = self.session {
            self.ua.handle_command(now, Command::HangUp { session });
            self.drain(now);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        let counts = self.ua.counts();
        (counts.sessions, counts.dialogs, counts.transactions) == (0, 0, 0)
    }

    pub(super) fn datagram(&mut self, now: Instant, (from, to, payload): &Packet) {
        if *to == self.address {
            self.ua.handle_datagram(now, Datagram { source: *from, payload });
        } else if let Some(packet) = RtpPacket::parse(payload).ok().filter(|packet| packet.payload_type == 0)
        {
            self.heard.extend(packet.payload.iter().map(|code| decode_ulaw(*code)));
        }
        self.drain(now);
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        self.ua.handle_timeout(now);
        if self.answer_at.is_some_and(|at| at <= now) {
            self.answer_at = None;
            self.answer(now);
        }
        self.drain(now);
    }

    /// Says 20 ms of the tone, or presses the key.
    pub(super) fn tick(&mut self, now: Instant) {
        let Some(negotiated) = self.negotiated else { return };
        if self.press_at.is_some_and(|at| at <= now) {
            self.press_at = None;
            for packet in 0..6_u16 {
                let end = if packet >= 3 { 0x80 } else { 0 };
                let duration = (packet.min(3) + 1) * 160;
                let [high, low] = duration.to_be_bytes();
                self.send(negotiated, 101, packet == 0, &[1, end | 10, high, low]);
            }
        }
        let codes: Vec<u8> = (0..FRAME).map(|_| encode_ulaw(self.tone.next_sample())).collect();
        self.send(negotiated, 0, false, &codes);
        self.timestamp = self.timestamp.wrapping_add(FRAME);
    }

    /// How loud a tone was in the last this many milliseconds heard (0 dB is full scale).
    pub(super) fn level(&self, hz: u32, ms: usize) -> f64 {
        let from = self.heard.len().saturating_sub(ms * 8);
        level_at(&self.heard[from..], hz, RATE)
    }

    fn send(&mut self, negotiated: Negotiated, payload_type: u8, marker: bool, payload: &[u8]) {
        let packet = RtpPacket {
            marker,
            payload_type,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: 77,
            payload,
        };
        let mut bytes = vec![0; 12 + payload.len()];
        let length = packet.write(&mut bytes).unwrap();
        bytes.truncate(length);
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.outbox.push_back((self.rtp, negotiated.remote, bytes));
    }

    fn answer(&mut self, now: Instant) {
        let Some(session) = self.session else { return };
        let local = LocalDescription::new(self.rtp, 5, vec![Codec::Pcmu]);
        let (negotiated, body) = sdp::answer(&local, &self.offer).unwrap();
        self.negotiated = Some(negotiated);
        if let Manner::Presses(after) = self.manner {
            self.press_at = Some(now + after);
        }
        self.ua.handle_command(now, Command::Accept { session, body: body.into() });
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.ua.poll_output() {
                Output::Transmit(transmit) => {
                    self.outbox.push_back((
                        self.address,
                        transmit.destination.remote,
                        transmit.payload.to_vec(),
                    ));
                }
                Output::Connect(_) | Output::Resolve(_) => {}
                Output::Event(event) => self.event(now, event),
                Output::Timeout(at) => {
                    self.wake = [at, self.answer_at].into_iter().flatten().min();
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming(invite) => {
                let session = invite.session;
                self.shown.push((invite.from_user.clone(), invite.from_display.clone()));
                if let Manner::Refuses(status) = self.manner {
                    return self.ua.handle_command(now, Command::Reject { session, status });
                }
                self.session = Some(session);
                self.offer = invite.body;
                self.ua.handle_command(now, Command::Provisional { session, status: 180, body: None });
                self.answer_at = (self.manner != Manner::Rings).then_some(now + RING);
            }
            Event::Ended { cause, .. } => {
                self.ended.push(format!("{cause:?}"));
                self.session = None;
                self.negotiated = None;
                self.answer_at = None;
                self.press_at = None;
            }
            _ => {}
        }
    }
}
