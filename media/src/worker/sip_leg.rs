//! A phone: RTP with its codec and telephone events on a port of its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand_chacha::rand_core::Rng;

use crate::answer::{AnswerObserver, AnswerSummary};
use crate::codec::Codec;
use crate::codec::opus::OpusError;
use crate::dtls::{Handshake, Identity};
use crate::dtmf::{DigitReceiver, DigitSender, EventPacket, InbandDetector};
use crate::ice::Check;
use crate::jitter::Pushed;
use crate::quality::LegStats;
use crate::rtcp::{self, OurStream, RtcpSession};
use crate::rtp::red::Red;
use crate::rtp::{RtpPacket, RtpStream};
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate, limit};
use crate::sdp::{Direction, Format, Negotiated, OpusSettings, RtcpPort};

use super::phone_receiver::PhoneReceiver;
use super::phone_sender::{PhoneSender, Redundant};
use super::queue::TransmitRing;
use super::secure::{MAX_DATAGRAM, Srtp, push};
use super::source::SourceLock;
use super::types::{LegId, Port};

/// Loss a phone reports from which on it is sent Opus twice, in parts of 256: 2 %.
const LOSS_WORTH_REPEATING: u8 = 5;
/// Ticks in a second.
const TICKS_HZ: u32 = 50;

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
pub(super) struct SipLeg {
    source: SourceLock,
    remote: Option<Negotiated>,
    digits: DigitReceiver,
    receiver: PhoneReceiver,
    encoder: PhoneSender,
    srtp: Option<Box<Srtp>>,
    /// The handshake that gives the keys, if they do not come by signalling.
    dtls: Option<Box<Handshake>>,
    stream: RtpStream,
    rtcp: RtcpSession,
    /// Where the reports of a phone behind a NAT come from.
    rtcp_source: Option<SocketAddr>,
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
            receiver: PhoneReceiver::new(),
            encoder: PhoneSender::default(),
            srtp: None,
            dtls: None,
            stream: RtpStream::new(random),
            rtcp: RtcpSession::new(Codec::Pcmu.clock_hz(), random),
            rtcp_source: None,
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
        identity: Option<&Identity>,
    ) -> Result<(), OpusError> {
        if !negotiated.remote.ip().is_unspecified() {
            // The unspecified address is the hold of RFC 2543 and says nothing about where the phone is.
            self.source.signal(now, negotiated.remote, symmetric_from, negotiated.ice.is_some());
        }
        let was_held = self.remote.is_some_and(|old| old.direction != Direction::SendRecv);
        if was_held && negotiated.direction == Direction::SendRecv {
            // What is left of the hold music must not be heard.
            self.receiver.reset();
        }
        self.protect(&negotiated, identity);
        self.rtcp.set_clock(negotiated.codec.clock_hz());
        self.rtcp.set_bandwidth(match negotiated.codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 64_000,
            Codec::Opus => negotiated.opus.bitrate,
        });
        if self.remote.is_none_or(|old| (old.remote, old.rtcp) != (negotiated.remote, negotiated.rtcp)) {
            self.rtcp_source = None;
        }
        self.remote = Some(negotiated);
        self.receiver.expect(&negotiated)?;
        self.encoder.prepare(&negotiated)
    }

    /// Takes over keys, or begins to agree on them. Those agreed on before go on while nothing of it has changed
    /// (RFC 8842 section 4).
    fn protect(&mut self, negotiated: &Negotiated, identity: Option<&Identity>) {
        if let Some(parameters) = negotiated.dtls {
            if self.dtls.as_ref().map(|dtls| dtls.parameters()) != Some(parameters) {
                self.srtp = None;
                let made = identity.and_then(|identity| Handshake::new(identity, parameters).ok());
                self.dtls = made.map(Box::new);
            }
            return;
        }
        if self.dtls.take().is_some() || self.srtp.as_ref().map(|srtp| srtp.keys) != negotiated.srtp {
            self.srtp = negotiated.srtp.map(|keys| Box::new(Srtp::new(keys)));
        }
    }

    /// Whether media may flow: not before there are keys, if there shall be some.
    fn is_protected(&self) -> bool {
        self.srtp.is_some() || self.remote.is_some_and(|remote| remote.dtls.is_none())
    }

    /// The rate of the voice that comes.
    pub(super) const fn voice_rate(&self) -> Rate {
        self.receiver.rate()
    }

    /// The rate of what is sent.
    pub(super) fn listening_rate(&self) -> Rate {
        self.remote.map_or(Rate::Narrow, |remote| remote.codec.rate())
    }

    /// Whether a voice of this rate may come.
    pub(super) fn may_speak_at(&self, rate: Rate) -> bool {
        let received = self.remote.map(|remote| remote.received);
        received.is_some_and(|received| {
            Codec::ALL.into_iter().any(|codec| codec.rate() == rate && received.has(codec))
        })
    }

    /// Whether it takes G.722.
    pub(super) fn takes_g722(&self) -> bool {
        self.remote.is_some_and(|remote| remote.codec == Codec::G722)
    }

    /// The settings of its Opus, if that is what it takes.
    pub(super) fn opus_settings(&self) -> Option<OpusSettings> {
        self.remote.filter(|remote| remote.codec == Codec::Opus).and_then(|_| self.encoder.opus_settings())
    }

    /// Its encoder.
    pub(super) const fn encoder(&mut self) -> &mut PhoneSender {
        &mut self.encoder
    }

    /// Whether the phone's voice may be heard as far as signalling goes. While it holds us its audio is hold
    /// music and stays out of the meeting.
    pub(super) fn is_conversing(&self) -> bool {
        self.remote.is_some_and(|remote| remote.direction == Direction::SendRecv)
    }

    /// The codec to send, if the phone takes media now.
    pub(super) fn sends(&self) -> Option<Codec> {
        let remote = self.remote.filter(|remote| remote.direction.sends() && self.is_protected())?;
        let destination = self.source.destination()?;
        (!destination.ip().is_unspecified()).then_some(remote.codec)
    }

    /// Takes a datagram of the phone's port: a check, a handshake or media, by its first byte (RFC 7983).
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        leg: LegId,
        source: SocketAddr,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) -> Received {
        match payload.first() {
            Some(0..=3) => self.handle_check(now, leg, source, payload, ring),
            Some(20..=63) => self.handle_handshake(now, leg, source, payload, ring),
            _ if self.is_protected() => self.handle_media(now, source, payload),
            _ => Received::Dropped,
        }
    }

    /// A connectivity check with our credentials is answered, and says where the phone is.
    fn handle_check(
        &mut self,
        now: Instant,
        leg: LegId,
        source: SocketAddr,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) -> Received {
        let Some(ice) = self.remote.and_then(|remote| remote.ice) else { return Received::Dropped };
        let Some(check) = Check::read(&ice, payload) else { return Received::Dropped };
        self.source.checked(source, check.nominates);
        ring.push_with(leg, source, |datagram| check.answer(&ice, source, datagram));
        self.shake_hands(now, leg, ring);
        Received::Ignored
    }

    /// Part of a handshake. Whoever ends it with the certificate that was signalled is the phone.
    fn handle_handshake(
        &mut self,
        now: Instant,
        leg: LegId,
        source: SocketAddr,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) -> Received {
        let Some(dtls) = self.dtls.as_mut().filter(|_| self.source.may_be(source)) else {
            return Received::Dropped;
        };
        if let Some(keys) = dtls.handle(now, source, payload) {
            self.srtp = Some(Box::new(Srtp::new(keys)));
            self.source.proved(source);
        }
        self.send_handshake(leg, ring);
        Received::Ignored
    }

    /// What the handshake does by itself: begin, and repeat what was lost.
    pub(super) fn shake_hands(&mut self, now: Instant, leg: LegId, ring: &mut TransmitRing) {
        if let Some(dtls) = self.dtls.as_mut().filter(|dtls| !dtls.is_done()) {
            let target = self.source.destination().filter(|target| !target.ip().is_unspecified());
            dtls.tick(now, target);
            self.send_handshake(leg, ring);
        }
    }

    fn send_handshake(&mut self, leg: LegId, ring: &mut TransmitRing) {
        let Some(dtls) = &mut self.dtls else { return };
        while let Some((destination, flight)) = dtls.poll_transmit() {
            ring.push_with(leg, destination, |datagram| {
                datagram.get_mut(..flight.len())?.copy_from_slice(&flight);
                Some(flight.len())
            });
        }
    }

    fn handle_media(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) -> Received {
        let Some(srtp) = &mut self.srtp else { return self.handle_plain(now, source, payload) };
        let mut memory = [0; MAX_DATAGRAM];
        let Some(datagram) = memory.get_mut(..payload.len()) else { return Received::Dropped };
        datagram.copy_from_slice(payload);
        // Nothing is believed, and no source learned, before the tag is verified.
        match srtp.open(datagram).and_then(|length| memory.get(..length)) {
            Some(plain) => self.handle_plain(now, source, plain),
            None => Received::Dropped,
        }
    }

    fn handle_plain(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) -> Received {
        if rtcp::is_rtcp(payload) {
            return self.handle_rtcp(now, source, payload);
        }
        let (Some(remote), Ok(packet)) = (self.remote, RtpPacket::parse(payload)) else {
            return Received::Dropped;
        };
        let Some(format) = remote.received.get(packet.payload_type) else { return Received::Ignored };
        if !self.source.admit(now, source, &packet) {
            return Received::Dropped;
        }
        if !remote.direction.receives() {
            return Received::Ignored;
        }
        if format == Format::Redundant {
            return self.take_redundant(now, &remote, &packet);
        }
        self.take(now, format, &packet)
    }

    /// The packet itself first, so that a new stream begins with it; then what it brings along.
    fn take_redundant(&mut self, now: Instant, remote: &Negotiated, packet: &RtpPacket<'_>) -> Received {
        let Some(red) = Red::parse(packet.payload) else { return Received::Dropped };
        let primary = red.primary;
        let format = remote.received.get(primary.payload_type);
        let Some(format @ Format::Audio(Codec::Opus)) = format else { return Received::Ignored };
        let plain = RtpPacket { payload_type: primary.payload_type, payload: primary.payload, ..*packet };
        let received = self.take(now, format, &plain);
        if received == Received::Media {
            self.receiver.push_redundant(now, packet, &red);
        }
        received
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

    /// Takes a datagram of the phone's RTCP port: reports from the host its media comes from. Where a NAT has chosen
    /// the ports, they are answered where they come from.
    pub(super) fn handle_rtcp_port(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) -> Received {
        let is_apart = self.remote.is_some_and(|remote| matches!(remote.rtcp, RtcpPort::Apart(_)));
        let mut memory = [0; MAX_DATAGRAM];
        let (Some(expected), Some(copy)) = (self.rtcp_destination(), memory.get_mut(..payload.len())) else {
            return Received::Dropped;
        };
        let is_behind_nat = self.source.destination() != self.remote.map(|remote| remote.remote);
        let may_be = source == expected || (is_behind_nat && source.ip() == expected.ip());
        if !is_apart || !may_be || !rtcp::is_rtcp(payload) {
            return Received::Dropped;
        }
        copy.copy_from_slice(payload);
        let opened = match &mut self.srtp {
            Some(srtp) => srtp.open(copy),
            None => Some(payload.len()),
        };
        let Some(plain) = opened.and_then(|length| memory.get(..length)) else { return Received::Dropped };
        if self.rtcp.handle(now, self.stream.ssrc(), plain).is_err() {
            return Received::Dropped;
        }
        self.rtcp_source = Some(source);
        Received::Ignored
    }

    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let destination = self.source.destination().filter(|_| self.is_protected())?;
        match self.remote?.rtcp {
            RtcpPort::Muxed => Some(destination),
            RtcpPort::Apart(port) => {
                let learned = self.rtcp_source.filter(|source| source.ip() == destination.ip());
                Some(learned.unwrap_or_else(|| SocketAddr::new(destination.ip(), port)))
            }
            RtcpPort::None => None,
        }
    }

    /// How many milliseconds the voice waits more than its jitter asks for, and for how many ticks it has been heard.
    pub(super) fn waiting(&self) -> Option<(i64, u32)> {
        self.receiver.waiting()
    }

    /// How the call has been so far.
    pub(super) fn stats(&self) -> LegStats {
        self.receiver.playout().stats_with(self.receiver.impairment(), &self.rtcp)
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
        let Some(remote) = self.remote else { return };
        let wanted = remote.voip_metrics;
        let metrics = wanted.then(|| self.receiver.playout().metrics(self.receiver.impairment(), &self.rtcp));
        let (ssrc, rtp_timestamp) = (self.stream.ssrc(), self.stream.timestamp());
        let ours = OurStream { ssrc, rtp_timestamp, metrics, bye };
        let from = match remote.rtcp {
            RtcpPort::Apart(_) => Port::SipRtcp(leg),
            RtcpPort::Muxed | RtcpPort::None => Port::Sip(leg),
        };
        let (rtcp, srtp) = (&mut self.rtcp, &mut self.srtp);
        ring.push_from(from, destination, |datagram| {
            let length = rtcp.write(now, &ours, datagram)?;
            match srtp {
                Some(srtp) => srtp.sealer.seal_rtcp(datagram, length),
                None => Some(length),
            }
        });
    }

    fn take(&mut self, now: Instant, format: Format, packet: &RtpPacket<'_>) -> Received {
        let Some(pushed) = self.receiver.push(now, format, packet) else { return Received::Dropped };
        if !matches!(pushed, Pushed::Unexpected | Pushed::TooLong) {
            let restarted = pushed == Pushed::NewStream;
            self.rtcp.reception.packet(now, packet.ssrc, packet.sequence_number, packet.timestamp, restarted);
        }
        if format != Format::TelephoneEvent {
            return Received::Media;
        }
        self.digits.handle_packet(now, packet).map_or(Received::Media, Received::Digit)
    }

    /// This tick's frame; returns a key that is heard in it. A key that is down is not heard by the others.
    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) -> Option<char> {
        let knows_events = self.remote.is_none_or(|remote| remote.telephone_event.is_some());
        // The detector knows the rate of G.711 only.
        if !self.detects_tones.unwrap_or(!knows_events) || frame.len() != NARROW_FRAME {
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
        let Some(observer) = &mut self.observer else { return };
        // What it knows of tones and noise is that of a telephone line.
        let mut narrow = [0; NARROW_FRAME];
        let heard = if frame.len() == NARROW_FRAME {
            frame
        } else {
            narrowed(frame, &mut narrow);
            &narrow
        };
        if let Some(summary) = observer.hear(heard, Rate::Narrow.hz()) {
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
    pub(super) fn send(&mut self, leg: LegId, payload: Option<&[u8]>, ring: &mut TransmitRing) {
        let destination = self.source.destination().filter(|_| self.is_protected());
        let sending = self.remote.zip(destination).zip(payload);
        let units = self.remote.map_or(8_000, |remote| remote.codec.clock_hz()) / TICKS_HZ;
        if let Some(((remote, destination), payload)) = sending {
            match self.sender.tick(self.stream.timestamp(), units) {
                Some(key) => self.send_key(leg, destination, &remote, &key, payload, ring),
                None => self.send_audio(leg, destination, &remote, payload, ring),
            }
        } else {
            self.stream.pause();
            self.encoder.packer.clear();
            if let Some(redundant) = &mut self.encoder.redundant {
                redundant.clear();
            }
        }
        self.stream.advance(units);
    }

    fn send_audio(
        &mut self,
        leg: LegId,
        destination: SocketAddr,
        remote: &Negotiated,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) {
        if self.encoder.redundant.is_some() {
            return self.send_redundant(leg, destination, remote, payload, ring);
        }
        if self.encoder.packer.is_plain() {
            let packet = self.stream.packet(remote.payload_type, payload);
            push(&mut self.srtp, leg, destination, &packet, ring);
            self.rtcp.sent(payload.len());
            return;
        }
        let packer = &mut self.encoder.packer;
        let waited = u32::try_from(packer.fill(payload)).unwrap_or(0);
        let mut packets = 0;
        let mut begins = self.stream.timestamp().wrapping_sub(waited);
        while let Some(payload) = packer.packet(packets) {
            let packet = RtpPacket { timestamp: begins, ..self.stream.packet(remote.payload_type, payload) };
            push(&mut self.srtp, leg, destination, &packet, ring);
            self.rtcp.sent(payload.len());
            packets += 1;
            begins = begins.wrapping_add(u32::try_from(packer.whole()).unwrap_or(0));
        }
        packer.sent(packets);
    }

    /// Opus, with the packet before it where the phone wishes that or loses some.
    fn send_redundant(
        &mut self,
        leg: LegId,
        destination: SocketAddr,
        remote: &Negotiated,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) {
        let (Some(redundant), Some(way)) = (&mut self.encoder.redundant, remote.redundancy) else { return };
        let timestamp = self.stream.timestamp();
        let loses = self.rtcp.remote().0.is_some_and(|report| report.fraction_lost >= LOSS_WORTH_REPEATING);
        let mut memory = [0; Redundant::PAYLOAD];
        let twice = (way.preferred || loses)
            .then(|| redundant.write(remote.payload_type, timestamp, payload, &mut memory))
            .flatten()
            .and_then(|length| memory.get(..length));
        let packet = match twice {
            Some(twice) => self.stream.packet(way.payload_type, twice),
            None => self.stream.packet(remote.payload_type, payload),
        };
        push(&mut self.srtp, leg, destination, &packet, ring);
        self.rtcp.sent(packet.payload.len());
        redundant.remember(timestamp, payload);
    }

    /// The tick of a key: an event, or its tone in the audio for those who take no events.
    fn send_key(
        &mut self,
        leg: LegId,
        destination: SocketAddr,
        remote: &Negotiated,
        key: &EventPacket,
        payload: &[u8],
        ring: &mut TransmitRing,
    ) {
        self.encoder.packer.clear();
        let audio = self.stream.packet(remote.payload_type, payload);
        let mut tone = [0; NARROW_FRAME];
        let packet = match remote.telephone_event {
            Some(payload_type) => RtpPacket {
                marker: key.marker,
                payload_type,
                timestamp: key.timestamp,
                payload: &key.payload,
                ..audio
            },
            // Whoever has a better codec than G.711 knows events.
            None if key.is_down && remote.codec.rate() == Rate::Narrow => {
                let mut samples = [0; NARROW_FRAME];
                self.sender.tone(&mut samples);
                remote.codec.encode(&samples, &mut tone);
                RtpPacket { payload: &tone, ..audio }
            }
            None => audio,
        };
        push(&mut self.srtp, leg, destination, &packet, ring);
        self.rtcp.sent(packet.payload.len());
    }
}

/// A frame at 48 kHz as one at 8 kHz, good enough to tell speech and tones apart: each sample is the mean of six.
fn narrowed(frame: &[i16], narrow: &mut [i16; NARROW_FRAME]) {
    for (to, from) in narrow.iter_mut().zip(frame.chunks(FULL_FRAME / NARROW_FRAME)) {
        let sum: i32 = from.iter().map(|&sample| i32::from(sample)).sum();
        *to = limit(sum / i32::try_from(from.len()).unwrap_or(1));
    }
}
