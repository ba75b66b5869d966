//! [`WebrtcPeer`] on the crate `rtc`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::RTCRtpTransceiverId;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use rtc::{rtcp, rtp};

use super::offer::ReducedOffer;
use super::peer::{IncomingRtp, MediaKind, OutgoingRtp, PeerEvent, PeerTransmit, Slot, WebrtcPeer};
use super::sequence::ReceiveWindow;

/// Time between two key frame requests to one camera: a key frame costs it much and takes this long anyway.
const KEY_FRAME_REQUEST_GAP: Duration = Duration::from_millis(300);
/// How long ICE and DTLS may take together; then the browser counts as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Events kept for a caller that does not drain; beyond it media is dropped.
const MAX_EVENTS: usize = 4096;

/// A stream from us to the browser.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotStream {
    pub kind: MediaKind,
    pub ssrc: u32,
    pub payload_type: u8,
}

/// A stream from the browser to us.
struct PublishedStream {
    kind: MediaKind,
    ssrc: u32,
    window: ReceiveWindow,
}

/// The camera's stream and what it takes to ask it for a key frame.
struct Camera {
    ssrc: u32,
    transceiver: RTCRtpTransceiverId,
    requested_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// ICE and DTLS are not up yet; given up at this time.
    Connecting(Instant),
    Connected,
    Closed,
}

/// One browser on `rtc`.
pub(super) struct RtcPeer {
    connection: RTCPeerConnection,
    local: SocketAddr,
    state: State,
    published: Vec<PublishedStream>,
    audio_level_extension: Option<u8>,
    camera: Option<Camera>,
    audio_slot: Option<SlotStream>,
    video_slots: Vec<SlotStream>,
    events: VecDeque<PeerEvent>,
}

impl RtcPeer {
    pub(super) fn new(
        now: Instant,
        connection: RTCPeerConnection,
        local: SocketAddr,
        offer: &ReducedOffer,
        slots: Vec<SlotStream>,
        camera: Option<RTCRtpTransceiverId>,
    ) -> Self {
        let published = [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter_map(|kind| {
                let ssrc = offer.published_ssrc(kind)?;
                Some(PublishedStream { kind, ssrc, window: ReceiveWindow::default() })
            })
            .collect();
        let camera = offer.published_ssrc(MediaKind::Video).zip(camera).map(|(ssrc, transceiver)| Camera {
            ssrc,
            transceiver,
            requested_at: None,
        });
        let (audio, video_slots): (Vec<_>, Vec<_>) =
            slots.into_iter().partition(|slot| slot.kind == MediaKind::Audio);
        Self {
            connection,
            local,
            state: State::Connecting(now + CONNECT_TIMEOUT),
            published,
            audio_level_extension: offer.audio_level_extension(),
            camera,
            audio_slot: audio.first().copied(),
            video_slots,
            events: VecDeque::new(),
        }
    }

    /// Moves what the implementation has ready into our own queue.
    fn collect(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.note_state(state);
            }
        }
        while let Some(message) = self.connection.poll_read() {
            match message.message {
                RTCMessage::RtpPacket(_, packet) => self.receive_rtp(packet),
                RTCMessage::RtcpPacket(_, packets) => self.receive_rtcp(&packets),
                RTCMessage::DataChannelMessage(..) | _ => {}
            }
        }
    }

    fn note_state(&mut self, state: RTCPeerConnectionState) {
        match (self.state, state) {
            (State::Connecting(_), RTCPeerConnectionState::Connected) => {
                self.state = State::Connected;
                self.events.push_back(PeerEvent::Connected);
            }
            (State::Closed, _) => {}
            (_, RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed) => self.close(),
            _ => {}
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.events.push_back(PeerEvent::Closed);
    }

    fn receive_rtp(&mut self, packet: rtp::Packet) {
        let header = &packet.header;
        let Some(stream) = self.published.iter_mut().find(|stream| stream.ssrc == header.ssrc) else {
            return;
        };
        let wanted = self.state == State::Connected && self.events.len() < MAX_EVENTS;
        if !wanted || !stream.window.insert(header.sequence_number) {
            return;
        }
        let kind = stream.kind;
        let level = self.audio_level_extension.filter(|_| kind == MediaKind::Audio);
        let packet = IncomingRtp {
            sequence_number: header.sequence_number,
            timestamp: header.timestamp,
            marker: header.marker,
            // RFC 6464 section 3: the highest bit says "voice", the rest is the level.
            audio_level: level
                .and_then(|id| header.get_extension(id))
                .and_then(|value| value.first().map(|octet| octet & 0x7F)),
            payload: packet.payload,
        };
        self.events.push_back(PeerEvent::Rtp { kind, packet });
    }

    fn receive_rtcp(&mut self, packets: &[Box<dyn rtcp::Packet>]) {
        if self.state != State::Connected || self.events.len() >= MAX_EVENTS {
            return;
        }
        for packet in packets {
            if let Some(pli) = packet.as_any().downcast_ref::<PictureLossIndication>() {
                self.note_key_frame_request(pli.media_ssrc);
            } else if let Some(fir) = packet.as_any().downcast_ref::<FullIntraRequest>() {
                for entry in fir.fir.iter().take(self.video_slots.len()) {
                    self.note_key_frame_request(entry.ssrc);
                }
            }
        }
    }

    fn note_key_frame_request(&mut self, ssrc: u32) {
        let slot = self.video_slots.iter().position(|slot| slot.ssrc == ssrc);
        if let Some(slot) = slot.and_then(|index| u8::try_from(index).ok()) {
            self.events.push_back(PeerEvent::KeyFrameRequested { slot });
        }
    }
}

impl WebrtcPeer for RtcPeer {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        let transport = TransportContext {
            local_addr: self.local,
            peer_addr: source,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        // An error here is a datagram that could not be used: it never ends the connection.
        let _ =
            self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(payload) });
        self.collect();
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Closed {
            return;
        }
        // An error here concerns one timer; the others keep their deadlines.
        let _ = self.connection.handle_timeout(now);
        self.collect();
        if matches!(self.state, State::Connecting(until) if until <= now) {
            self.close();
        }
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        match self.state {
            State::Connecting(until) => {
                Some(self.connection.poll_timeout().map_or(until, |at| at.min(until)))
            }
            State::Connected => self.connection.poll_timeout(),
            State::Closed => None,
        }
    }

    fn poll_transmit(&mut self) -> Option<PeerTransmit> {
        let datagram = self.connection.poll_write()?;
        Some(PeerTransmit { destination: datagram.transport.peer_addr, payload: datagram.message.freeze() })
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn write_rtp(&mut self, now: Instant, slot: Slot, packet: OutgoingRtp<'_>) {
        if self.state != State::Connected {
            return;
        }
        let stream = match slot {
            Slot::Audio => self.audio_slot,
            Slot::Video(index) => self.video_slots.get(usize::from(index)).copied(),
        };
        let Some(stream) = stream else {
            return;
        };
        let header = rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type: stream.payload_type,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            ssrc: stream.ssrc,
            ..Default::default()
        };
        let packet = rtp::Packet { header, payload: Bytes::copy_from_slice(packet.payload) };
        let message = RTCMessage::RtpPacket(String::new(), packet);
        // The implementation only queues here; it reports nothing that could be acted upon.
        let _ = self.connection.handle_write(TaggedRTCMessage { now, message });
    }

    fn request_key_frame(&mut self, now: Instant) {
        if self.state != State::Connected {
            return;
        }
        let Some(camera) = &mut self.camera else {
            return;
        };
        let too_soon = |at: Instant| now.saturating_duration_since(at) < KEY_FRAME_REQUEST_GAP;
        if camera.requested_at.is_some_and(too_soon) {
            return;
        }
        camera.requested_at = Some(now);
        let request = PictureLossIndication { sender_ssrc: 0, media_ssrc: camera.ssrc };
        if let Some(mut receiver) = self.connection.rtp_receiver(camera.transceiver.into()) {
            // As above: only queued.
            let _ = receiver.write_rtcp(now, vec![Box::new(request)]);
        }
    }
}
