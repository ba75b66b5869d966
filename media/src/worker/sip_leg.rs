//! A phone: RTP with G.711 and telephone events on a port of its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand_chacha::rand_core::Rng;

use crate::answer::{AnswerObserver, AnswerSummary};
use crate::codec::Codec;
use crate::dtmf::{DigitReceiver, DigitSender, EventPacket, InbandDetector};
use crate::jitter::{Arrival, Pushed};
use crate::quality::{CodecImpairment, LegStats};
use crate::rtcp::{self, RtcpSession};
use crate::rtp::{RtpPacket, RtpStream};
use crate::sample::NARROW_FRAME;
use crate::sdp::{Direction, Negotiated, RtcpPort, TELEPHONE_EVENT};

use super::queue::TransmitRing;
use super::receiver::{G711Decoder, Receiver};
use super::source::SourceLock;
use super::types::LegId;

/// Comfort noise (RFC 3389): not offered, but some send it.
const COMFORT_NOISE: u8 = 13;

/// The RTP clock of G.711.
const CLOCK_HZ: u32 = 8_000;

/// Units of the 8 kHz clock in one tick.
const TICK_UNITS: u32 = 160;

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Taken.
    Media,
    /// Taken, and a key press began with it.
    Digit(char),
    /// RTCP, or a payload type nobody agreed on.
    Ignored,
    /// A stranger's, or not RTP.
    Dropped,
}

/// The media of one phone.
#[derive(Debug)]
pub(super) struct SipLeg {
    source: SourceLock,
    remote: Option<Negotiated>,
    digits: DigitReceiver,
    receiver: Receiver<G711Decoder>,
    stream: RtpStream,
    rtcp: RtcpSession,
    sender: DigitSender,
    detector: InbandDetector,
    /// Whether to listen for tones; `None`: if the phone knows no telephone events.
    detects_tones: Option<bool>,
    /// Listens to how the call was answered, while that is wanted.
    observer: Option<Box<AnswerObserver>>,
    /// What it has found out since it was last asked.
    answer: Option<AnswerSummary>,
}

impl SipLeg {
    pub(super) fn new(random: &mut impl Rng) -> Self {
        Self {
            source: SourceLock::default(),
            remote: None,
            digits: DigitReceiver::default(),
            receiver: Receiver::new(G711Decoder::default()),
            stream: RtpStream::new(random),
            rtcp: RtcpSession::new(CLOCK_HZ, random),
            sender: DigitSender::default(),
            detector: InbandDetector::default(),
            detects_tones: None,
            observer: None,
            answer: None,
        }
    }

    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        negotiated: Negotiated,
        symmetric_from: Option<IpAddr>,
    ) {
        if !negotiated.remote.ip().is_unspecified() {
            // The unspecified address is the hold of RFC 2543 and says nothing about where the phone is.
            self.source.signal(now, negotiated.remote, symmetric_from);
        }
        let was_held = self.remote.is_some_and(|old| old.direction != Direction::SendRecv);
        if was_held && negotiated.direction == Direction::SendRecv {
            // What is left of the hold music must not be heard.
            self.receiver.reset();
        }
        self.remote = Some(negotiated);
    }

    /// Whether the phone's voice may be heard as far as signalling goes. While it holds us its audio is hold
    /// music and stays out of the meeting.
    pub(super) fn is_conversing(&self) -> bool {
        self.remote.is_some_and(|remote| remote.direction == Direction::SendRecv)
    }

    /// The codec to send, if the phone takes media now.
    pub(super) fn sends(&self) -> Option<Codec> {
        let remote = self.remote.filter(|remote| remote.direction.sends())?;
        let destination = self.source.destination()?;
        (!destination.ip().is_unspecified()).then_some(remote.codec)
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) -> Received {
        if rtcp::is_rtcp(payload) {
            return self.handle_rtcp(now, source, payload);
        }
        let (Some(remote), Ok(packet)) = (self.remote, RtpPacket::parse(payload)) else {
            return Received::Dropped;
        };
        let Some(kind) = Kind::of(&remote, packet.payload_type) else { return Received::Ignored };
        if !self.source.admit(now, source, &packet) {
            return Received::Dropped;
        }
        if !remote.direction.receives() {
            return Received::Ignored;
        }
        self.take(now, kind, &packet)
    }

    /// Reports count only from whom the media comes from, and change nothing but statistics.
    fn handle_rtcp(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) -> Received {
        let is_known = self.source.knows(source) || self.rtcp_destination() == Some(source);
        if is_known && self.rtcp.handle(now, self.stream.ssrc(), payload).is_ok() {
            Received::Ignored
        } else {
            Received::Dropped
        }
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let destination = self.source.destination()?;
        match self.remote?.rtcp {
            RtcpPort::Muxed => Some(destination),
            RtcpPort::Apart(port) => Some(SocketAddr::new(destination.ip(), port)),
            RtcpPort::None => None,
        }
    }

    /// How the call has been so far.
    pub(super) fn stats(&self) -> LegStats {
        self.receiver.playout().stats_with(CodecImpairment::G711, &self.rtcp)
    }

    /// Sends a report if it is time for one.
    pub(super) fn report(&mut self, now: Instant, leg: LegId, ring: &mut TransmitRing) {
        if let Some(destination) = self.rtcp_destination()
            && self.rtcp.is_due(now)
        {
            self.send_report(now, leg, destination, false, ring);
        }
    }

    /// The last report, with a BYE: only for those who were sent something (RFC 3550 section 6.3.7).
    pub(super) fn say_goodbye(&mut self, now: Instant, leg: LegId, ring: &mut TransmitRing) {
        if let Some(destination) = self.rtcp_destination()
            && self.rtcp.sent_packets() > 0
        {
            self.send_report(now, leg, destination, true, ring);
        }
    }

    fn send_report(
        &mut self,
        now: Instant,
        leg: LegId,
        destination: SocketAddr,
        bye: bool,
        ring: &mut TransmitRing,
    ) {
        let (ssrc, timestamp) = (self.stream.ssrc(), self.stream.timestamp());
        let rtcp = &mut self.rtcp;
        ring.push_with(leg, destination, |datagram| rtcp.write(now, ssrc, timestamp, bye, datagram));
    }

    fn take(&mut self, now: Instant, kind: Kind, packet: &RtpPacket<'_>) -> Received {
        let (tag, duration, payload) = match kind {
            Kind::Audio(codec) => {
                (codec.payload_type(), u32::try_from(packet.payload.len()).unwrap_or(0), packet.payload)
            }
            Kind::ComfortNoise => {
                self.receiver.noise.set(packet.payload);
                (0, 0, [].as_slice())
            }
            Kind::TelephoneEvent => (0, 0, [].as_slice()),
        };
        let arrival = Arrival {
            ssrc: packet.ssrc,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            tag,
            duration,
            payload,
        };
        let pushed = self.receiver.push(now, &arrival);
        if !matches!(pushed, Pushed::Unexpected | Pushed::TooLong) {
            let restarted = pushed == Pushed::NewStream;
            self.rtcp.reception.packet(now, packet.ssrc, packet.sequence_number, packet.timestamp, restarted);
        }
        if kind != Kind::TelephoneEvent {
            return Received::Media;
        }
        self.digits.handle_packet(now, packet).map_or(Received::Media, Received::Digit)
    }

    /// This tick's frame; returns a key that is heard in it. A key that is down is not heard by the others.
    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) -> Option<char> {
        let knows_events = self.remote.is_none_or(|remote| remote.telephone_event.is_some());
        if !self.detects_tones.unwrap_or(!knows_events) {
            self.receiver.fill(now, decode || self.observer.is_some(), frame);
            self.observe(frame);
            return None;
        }
        self.receiver.fill(now, true, frame);
        self.observe(frame);
        let digit = self.detector.hear(frame);
        if self.detector.is_pressed() {
            frame.fill(0);
        }
        digit.filter(|_| self.is_conversing())
    }

    fn observe(&mut self, frame: &[i16]) {
        if let Some(observer) = &mut self.observer
            && let Some(summary) = observer.hear(frame, CLOCK_HZ)
        {
            self.answer = Some(summary);
        }
    }

    /// Begins or ends listening to how the call was answered.
    pub(super) fn observe_answer(&mut self, enabled: bool) {
        self.observer = enabled.then(Box::default);
        self.answer = None;
    }

    /// What was found out about the answer since the last time.
    pub(super) const fn take_answer(&mut self) -> Option<AnswerSummary> {
        self.answer.take()
    }

    pub(super) const fn detect_tones(&mut self, enabled: bool) {
        self.detects_tones = Some(enabled);
    }

    pub(super) fn send_digits(&mut self, digits: &str) {
        self.sender.send(digits);
    }

    /// Sends this tick's payload, or nothing when there is none; the stream's time goes on either way.
    pub(super) fn send(&mut self, leg: LegId, payload: Option<&[u8; NARROW_FRAME]>, ring: &mut TransmitRing) {
        let sending = self.remote.zip(self.source.destination()).zip(payload);
        if let Some(((remote, destination), payload)) = sending {
            let key = self.sender.tick(self.stream.timestamp());
            let (marker, sequence_number, timestamp) = self.stream.next_packet();
            let mut tone = [0; NARROW_FRAME];
            let audio = RtpPacket {
                marker,
                payload_type: remote.payload_type,
                sequence_number,
                timestamp,
                ssrc: self.stream.ssrc(),
                payload: self.press(remote.codec, key.as_ref(), payload, &mut tone),
            };
            let packet = match (&key, remote.telephone_event) {
                (Some(event), Some(payload_type)) => RtpPacket {
                    marker: event.marker,
                    payload_type,
                    timestamp: event.timestamp,
                    payload: &event.payload,
                    ..audio
                },
                _ => audio,
            };
            ring.push(leg, destination, &packet);
            self.rtcp.sent(packet.payload.len());
        } else {
            self.stream.pause();
        }
        self.stream.advance(TICK_UNITS);
    }

    /// The audio of a tick in which a key may be down: its tone, which only those hear who take no events.
    fn press<'a>(
        &mut self,
        codec: Codec,
        key: Option<&EventPacket>,
        payload: &'a [u8; NARROW_FRAME],
        tone: &'a mut [u8; NARROW_FRAME],
    ) -> &'a [u8; NARROW_FRAME] {
        if !key.is_some_and(|key| key.is_down) {
            return payload;
        }
        let mut samples = [0; NARROW_FRAME];
        self.sender.tone(&mut samples);
        codec.encode(&samples, tone);
        tone
    }
}

/// What a payload type means on this leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio(Codec),
    TelephoneEvent,
    ComfortNoise,
}

impl Kind {
    /// Both forms of G.711 are taken under their static numbers, whichever was chosen for sending: phones may
    /// switch between the codecs they listed without saying so.
    fn of(remote: &Negotiated, payload_type: u8) -> Option<Self> {
        let ours = remote.telephone_event.is_some() && payload_type == TELEPHONE_EVENT;
        if payload_type == remote.payload_type {
            Some(Self::Audio(remote.codec))
        } else if remote.telephone_event == Some(payload_type) || ours {
            Some(Self::TelephoneEvent)
        } else if payload_type == COMFORT_NOISE {
            Some(Self::ComfortNoise)
        } else {
            let known = [Codec::Pcmu, Codec::Pcma];
            known.into_iter().find(|codec| codec.payload_type() == payload_type).map(Self::Audio)
        }
    }
}
