//! Whole sessions without sockets: a second implementation instance plays the browser.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::interceptor::{Registry, Slot as ChainSlot, TwccSenderBuilder};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use super::demux::Demux;
use super::{MediaKind, OutgoingRtp, PeerConfig, PeerEvent, Slot, WebrtcPeer, accept_offer};

const SERVER: &str = "127.0.0.1:8443";
const BROWSER: &str = "127.0.0.1:40000";
const MICROPHONE: u32 = 11;
const CAMERA: u32 = 12;
/// The only header extension of the browser's microphone gets the first identifier.
const AUDIO_LEVEL_ID: u8 = 1;
const STEP: Duration = Duration::from_millis(5);

/// A browser and our peer, joined by a wire without delay, on a clock of their own.
struct Session {
    now: Instant,
    browser: RTCPeerConnection,
    peer: Box<dyn WebrtcPeer>,
    demux: Demux<u8>,
    events: Vec<PeerEvent>,
    received: Vec<rtc::rtp::Packet>,
    /// Payload types of our datagrams; SRTP leaves the RTP header readable.
    sent_types: Vec<u8>,
}

impl Session {
    fn new() -> Self {
        let now = Instant::now();
        let mut browser = browser(now);
        let offer = browser.create_offer(None).unwrap();
        browser.set_local_description(now, offer).unwrap();
        let offer = browser.local_description().unwrap().sdp;
        let config = PeerConfig { local: SERVER.parse().unwrap(), video_slots: 8 };
        let accepted = accept_offer(now, &offer, &config).unwrap();
        let answer = RTCSessionDescription::answer(accepted.answer_sdp).unwrap();
        browser.set_remote_description(now, answer).unwrap();
        let mut demux = Demux::new();
        demux.insert(accepted.ufrag, 1);
        Self {
            now,
            browser,
            peer: accepted.peer,
            demux,
            events: Vec::new(),
            received: Vec::new(),
            sent_types: Vec::new(),
        }
    }

    fn connected() -> Self {
        let mut session = Self::new();
        session.run(Duration::from_secs(3));
        assert_eq!(session.events, [PeerEvent::Connected]);
        session.events.clear();
        session
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.browser.handle_timeout(self.now).unwrap();
            self.peer.handle_timeout(self.now);
            while self.exchange() {}
        }
    }

    /// Carries what is ready from each side to the other.
    fn exchange(&mut self) -> bool {
        let mut carried = false;
        let (server, client): (SocketAddr, SocketAddr) = (SERVER.parse().unwrap(), BROWSER.parse().unwrap());
        while let Some(datagram) = self.browser.poll_write() {
            carried = true;
            if self.demux.route(client, &datagram.message) == Some(1) {
                self.peer.handle_datagram(self.now, client, &datagram.message);
            }
        }
        while let Some(datagram) = self.peer.poll_transmit() {
            carried = true;
            assert_eq!(datagram.destination, client);
            self.sent_types.push(datagram.payload[1] & 0x7F);
            self.demux.observe_transmit(1, client, &datagram.payload);
            let transport = TransportContext {
                local_addr: client,
                peer_addr: server,
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            };
            let message = BytesMut::from(&datagram.payload[..]);
            let _ = self.browser.handle_read(TaggedBytesMut { now: self.now, transport, message });
        }
        while self.browser.poll_event().is_some() {}
        while let Some(message) = self.browser.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.received.push(packet);
            }
        }
        self.events.extend(std::iter::from_fn(|| self.peer.poll_event()));
        carried
    }

    fn browser_sends(&mut self, ssrc: u32, payload_type: u8, sequence_number: u16) {
        let mut header = rtc::rtp::Header {
            version: 2,
            payload_type,
            ssrc,
            sequence_number,
            timestamp: u32::from(sequence_number) * 960,
            ..Default::default()
        };
        if ssrc == MICROPHONE {
            header.set_extension(AUDIO_LEVEL_ID, Bytes::from_static(&[0x80 | 37])).unwrap();
        }
        let packet = rtc::rtp::Packet { header, payload: Bytes::from(vec![payload_type; 40]) };
        let message = RTCMessage::RtpPacket(String::new(), packet);
        self.browser.handle_write(TaggedRTCMessage { now: self.now, message }).unwrap();
    }

    fn browser_reports(&mut self, packet: Box<dyn rtc::rtcp::Packet>) {
        let empty = rtc::rtcp::receiver_report::ReceiverReport::default();
        let message = RTCMessage::RtcpPacket(String::new(), vec![Box::new(empty), packet]);
        self.browser.handle_write(TaggedRTCMessage { now: self.now, message }).unwrap();
    }

    fn we_send(&mut self, slot: Slot, sequence_number: u16) {
        let timestamp = u32::from(sequence_number) * 960;
        let packet = OutgoingRtp { marker: true, sequence_number, timestamp, payload: &[7; 60] };
        self.peer.write_rtp(self.now, slot, packet);
    }
}

fn browser(now: Instant) -> RTCPeerConnection {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().unwrap();
    let level = RTCRtpHeaderExtensionCapability { uri: super::offer::AUDIO_LEVEL.into() };
    engine.register_header_extension(level, RtpCodecKind::Audio, None).unwrap();
    let mut browser = RTCPeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(
            Registry::new().with(ChainSlot::TwccSender, TwccSenderBuilder::new().build()),
        )
        .build(now)
        .unwrap();
    let init = |direction| RTCRtpTransceiverInit { direction, streams: vec![], send_encodings: vec![] };
    let send = Some(init(RTCRtpTransceiverDirection::Sendonly));
    browser.add_transceiver_from_track(track(RtpCodecKind::Audio, MICROPHONE), send.clone()).unwrap();
    browser.add_transceiver_from_track(track(RtpCodecKind::Video, CAMERA), send).unwrap();
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video, RtpCodecKind::Video] {
        let receive = Some(init(RTCRtpTransceiverDirection::Recvonly));
        browser.add_transceiver_from_kind(kind, receive).unwrap();
    }
    let address: SocketAddr = BROWSER.parse().unwrap();
    let base_config = CandidateConfig {
        network: "udp".into(),
        address: address.ip().to_string(),
        port: address.port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host().unwrap();
    browser.add_local_candidate(RTCIceCandidate::from(&candidate).to_json().unwrap()).unwrap();
    browser
}

fn track(kind: RtpCodecKind, ssrc: u32) -> MediaStreamTrack {
    let name = format!("track-{ssrc}");
    let codec = if kind == RtpCodecKind::Audio { super::accept::opus() } else { super::accept::vp8() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        active: true,
        codec: codec.rtp_codec,
        ..Default::default()
    };
    MediaStreamTrack::new(name.clone(), name.clone(), name, kind, vec![encoding])
}

/// Sequence numbers of what arrived of `kind`.
fn arrived(events: &[PeerEvent], wanted: MediaKind) -> Vec<u16> {
    let number = |event: &PeerEvent| match event {
        PeerEvent::Rtp { kind, packet } if *kind == wanted => Some(packet.sequence_number),
        PeerEvent::Rtp { .. }
        | PeerEvent::Connected
        | PeerEvent::Closed
        | PeerEvent::KeyFrameRequested { .. } => None,
    };
    events.iter().filter_map(number).collect()
}

#[test]
fn opus_is_carried_both_ways() {
    let mut session = Session::connected();
    for sequence_number in 1..=50 {
        session.browser_sends(MICROPHONE, 111, sequence_number);
        session.we_send(Slot::Audio, sequence_number);
        session.run(Duration::from_millis(20));
    }
    assert_eq!(arrived(&session.events, MediaKind::Audio), (1..=50).collect::<Vec<_>>());
    let is_level = |event: &PeerEvent| matches!(event, PeerEvent::Rtp { packet, .. } if packet.audio_level == Some(37) && packet.payload[..] == [111; 40]);
    assert!(session.events.iter().all(is_level), "the level without its voice flag");
    let heard: Vec<_> = session.received.iter().map(|packet| packet.header.sequence_number).collect();
    assert_eq!(heard, (1..=50).collect::<Vec<_>>());
    assert!(
        session
            .received
            .iter()
            .all(|packet| packet.header.payload_type == 111 && packet.payload[..] == [7; 60])
    );
}

#[test]
fn video_goes_into_its_slot_and_duplicates_are_dropped() {
    let mut session = Session::connected();
    for sequence_number in [1, 2, 2, 3, 1] {
        session.browser_sends(CAMERA, 96, sequence_number);
    }
    session.we_send(Slot::Video(1), 9);
    session.we_send(Slot::Video(2), 9);
    session.run(Duration::from_millis(20));
    assert_eq!(arrived(&session.events, MediaKind::Video), [1, 2, 3]);
    assert_eq!(session.received.len(), 1, "there is no third slot");
}

#[test]
fn a_lost_packet_is_resent_on_request_once() {
    let mut session = Session::connected();
    session.we_send(Slot::Video(0), 100);
    session.run(Duration::from_millis(10));
    let media_ssrc = session.received[0].header.ssrc;
    for _ in 0..3 {
        let nacks = vec![NackPair { packet_id: 100, lost_packets: 0 }];
        session.browser_reports(Box::new(TransportLayerNack { sender_ssrc: 1, media_ssrc, nacks }));
    }
    session.run(Duration::from_millis(10));
    assert_eq!(session.sent_types.iter().filter(|payload_type| **payload_type == 97).count(), 1);
}

#[test]
fn a_key_frame_request_names_its_slot() {
    let mut session = Session::connected();
    session.we_send(Slot::Video(1), 1);
    session.run(Duration::from_millis(10));
    let media_ssrc = session.received[0].header.ssrc;
    session.browser_reports(Box::new(PictureLossIndication { sender_ssrc: 1, media_ssrc }));
    session.run(Duration::from_millis(10));
    assert_eq!(session.events, [PeerEvent::KeyFrameRequested { slot: 1 }]);
}

#[test]
fn nothing_flows_before_the_connection_is_up() {
    let mut session = Session::new();
    session.we_send(Slot::Audio, 1);
    session.peer.request_key_frame(session.now);
    session.peer.handle_datagram(
        session.now,
        BROWSER.parse().unwrap(),
        &[0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 11],
    );
    assert_eq!(session.peer.poll_event(), None);
    assert!(session.peer.poll_transmit().is_none());
}

#[test]
fn a_silent_browser_is_closed_once_and_for_good() {
    let mut session = Session::connected();
    for _ in 0..12 {
        session.now += Duration::from_secs(1);
        session.peer.handle_timeout(session.now);
        session.events.extend(std::iter::from_fn(|| session.peer.poll_event()));
    }
    assert_eq!(session.events, [PeerEvent::Closed]);
    session.we_send(Slot::Audio, 1);
    session.run(Duration::from_secs(1));
    assert_eq!(session.events.len(), 1);
    assert_eq!(session.peer.poll_timeout(), None);
}

#[test]
fn a_browser_that_never_comes_is_closed() {
    let mut session = Session::new();
    while let Some(deadline) = session.peer.poll_timeout() {
        session.now = session.now.max(deadline) + Duration::from_millis(1);
        session.peer.handle_timeout(session.now);
    }
    assert_eq!(session.peer.poll_event(), Some(PeerEvent::Closed));
    assert_eq!(session.peer.poll_event(), None);
}

#[test]
fn the_peer_moves_between_threads_and_hates_no_datagram() {
    let mut session = Session::connected();
    let (now, source) = (session.now, BROWSER.parse().unwrap());
    let peer = std::thread::scope(|scope| {
        let mut peer = session.peer;
        scope
            .spawn(move || {
                for first in 0..=255u8 {
                    for length in [0, 1, 2, 12, 20, 48, 1500] {
                        peer.handle_datagram(now, source, &vec![first; length]);
                    }
                }
                peer
            })
            .join()
            .unwrap()
    });
    session.peer = peer;
    session.browser_sends(MICROPHONE, 111, 5);
    session.run(Duration::from_millis(20));
    assert_eq!(arrived(&session.events, MediaKind::Audio), [5]);
}
