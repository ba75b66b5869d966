//! A whole meeting without sockets: a phone and a browser in one room, the browser behind real ICE, DTLS and SRTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use media::codec::{Codec, opus};
use media::rtp::RtpPacket;
use media::sample::{FULL_FRAME, NARROW_FRAME};
use media::sdp::{Negotiated, OpusSettings};
use media::tone::{Oscillator, level_at};
use media::webrtc::{PeerConfig, accept_offer};
use media::worker::{Command, Event, LegId, LegPlan, Port, RoomId, Worker, WorkerConfig};
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine};
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

const SERVER: &str = "127.0.0.1:8443";
const BROWSER: &str = "127.0.0.1:40000";
const STRANGER: &str = "127.0.0.1:40001";
const PHONE: &str = "192.0.2.1:4000";
const MICROPHONE: u32 = 11;
const CAMERA: u32 = 12;
const PHONE_LEG: LegId = LegId(1);
const BROWSER_LEG: LegId = LegId(2);
const ALL: LegPlan = LegPlan { send_audio: true, receive_audio: true, send_video: true, receive_video: true };

struct Meeting {
    now: Instant,
    worker: Worker,
    browser: RTCPeerConnection,
    events: Vec<Event>,
    at_phone: Vec<i16>,
    at_browser: Vec<i16>,
    decoder: opus::Decoder,
}

impl Meeting {
    fn new() -> Self {
        let now = Instant::now();
        let mut browser = browser(now);
        let offer = browser.create_offer(None).unwrap();
        browser.set_local_description(now, offer).unwrap();
        let offer = browser.local_description().unwrap().sdp;
        let config = PeerConfig { local: address(SERVER), video_slots: 8 };
        let accepted = accept_offer(now, &offer, &config).unwrap();
        browser
            .set_remote_description(now, RTCSessionDescription::answer(accepted.answer_sdp).unwrap())
            .unwrap();
        let mut worker = Worker::new(WorkerConfig::default(), [1; 32]);
        let room = RoomId(1);
        worker.handle_command(now, Command::AddSipLeg { leg: PHONE_LEG, room });
        worker.handle_command(
            now,
            Command::SetSipRemote { leg: PHONE_LEG, negotiated: negotiated(), symmetric_from: None },
        );
        let (peer, ufrag, video_slots) = (accepted.peer, accepted.ufrag, accepted.video_slots);
        worker
            .handle_command(now, Command::AddWebrtcLeg { leg: BROWSER_LEG, room, peer, ufrag, video_slots });
        for leg in [PHONE_LEG, BROWSER_LEG] {
            worker.handle_command(now, Command::SetPlan { leg, plan: ALL });
        }
        let (events, at_phone, at_browser) = (Vec::new(), Vec::new(), Vec::new());
        let decoder = opus::Decoder::new().unwrap();
        Self { now, worker, browser, events, at_phone, at_browser, decoder }
    }

    /// 20 ms in steps of 5: timers, datagrams both ways, and one mix tick at the end.
    fn tick(&mut self) {
        for step in 1..=4 {
            self.now += Duration::from_millis(5);
            self.browser.handle_timeout(self.now).unwrap();
            if self.worker.poll_timeout().is_some_and(|at| at <= self.now) {
                self.worker.handle_timeout(self.now);
            }
            if step == 4 {
                self.worker.handle_tick(self.now);
            }
            while self.exchange() {}
        }
        while let Some(event) = self.worker.poll_event() {
            self.events.push(event);
        }
    }

    fn exchange(&mut self) -> bool {
        let mut carried = false;
        while let Some(datagram) = self.browser.poll_write() {
            carried = true;
            self.worker.handle_webrtc_datagram(self.now, address(BROWSER), &datagram.message);
        }
        while let Some(transmit) = self.worker.poll_transmit() {
            carried = true;
            if let Port::Sip(_) = transmit.from {
                let packet = RtpPacket::parse(transmit.payload).unwrap();
                let mut frame = [0; NARROW_FRAME];
                Codec::Pcmu.decode(packet.payload, &mut frame);
                self.at_phone.extend(frame);
                continue;
            }
            assert_eq!(transmit.destination, address(BROWSER));
            let transport = TransportContext {
                local_addr: address(BROWSER),
                peer_addr: address(SERVER),
                transport_protocol: TransportProtocol::UDP,
                ecn: None,
            };
            let message = BytesMut::from(transmit.payload);
            let _ = self.browser.handle_read(TaggedBytesMut { now: self.now, transport, message });
        }
        self.read();
        carried
    }

    fn read(&mut self) {
        while self.browser.poll_event().is_some() {}
        while let Some(message) = self.browser.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.at_browser.extend_from_slice(self.decoder.decode(&packet.payload).unwrap());
            }
        }
    }

    fn connect(&mut self) {
        let connected = Event::WebrtcConnected { leg: BROWSER_LEG };
        let ticks = (0..200).find(|_| {
            self.tick();
            self.events.contains(&connected)
        });
        assert!(ticks.is_some(), "not connected after 4 s: {:?}", self.events);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn negotiated() -> Negotiated {
    Negotiated::new(address(PHONE), Codec::Pcmu)
}

fn browser(now: Instant) -> RTCPeerConnection {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().unwrap();
    let mut browser = RTCPeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(Registry::new())
        .build(now)
        .unwrap();
    let init = |direction| RTCRtpTransceiverInit { direction, streams: vec![], send_encodings: vec![] };
    let send = Some(init(RTCRtpTransceiverDirection::Sendonly));
    browser.add_transceiver_from_track(track(RtpCodecKind::Audio, MICROPHONE), send.clone()).unwrap();
    browser.add_transceiver_from_track(track(RtpCodecKind::Video, CAMERA), send).unwrap();
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        let receive = Some(init(RTCRtpTransceiverDirection::Recvonly));
        browser.add_transceiver_from_kind(kind, receive).unwrap();
    }
    let base_config = CandidateConfig {
        network: "udp".into(),
        address: address(BROWSER).ip().to_string(),
        port: address(BROWSER).port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host().unwrap();
    browser.add_local_candidate(RTCIceCandidate::from(&candidate).to_json().unwrap()).unwrap();
    browser
}

fn track(kind: RtpCodecKind, ssrc: u32) -> MediaStreamTrack {
    let name = format!("track-{ssrc}");
    let (mime_type, clock_rate, channels) =
        if kind == RtpCodecKind::Audio { (MIME_TYPE_OPUS, 48_000, 2) } else { (MIME_TYPE_VP8, 90_000, 0) };
    let codec =
        RTCRtpCodec { mime_type: mime_type.to_owned(), clock_rate, channels, ..RTCRtpCodec::default() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        active: true,
        codec,
        ..Default::default()
    };
    MediaStreamTrack::new(name.clone(), name.clone(), name, kind, vec![encoding])
}

/// What both sides say: one frame of a tone each.
struct Mouths {
    phone: Oscillator,
    browser: Oscillator,
    encoder: opus::Encoder,
    number: u16,
}

impl Mouths {
    fn speak(&mut self, meeting: &mut Meeting) {
        self.number += 1;
        let mut frame = [0; FULL_FRAME];
        frame.iter_mut().for_each(|sample| *sample = self.browser.next_sample());
        let mut payload = [0; opus::MAX_PACKET];
        let length = self.encoder.encode(&frame, &mut payload).unwrap();
        let header = rtc::rtp::Header {
            version: 2,
            payload_type: 111,
            ssrc: MICROPHONE,
            sequence_number: self.number,
            timestamp: u32::from(self.number) * 960,
            ..Default::default()
        };
        let packet = rtc::rtp::Packet { header, payload: Bytes::copy_from_slice(&payload[..length]) };
        let message = RTCMessage::RtpPacket(String::new(), packet);
        meeting.browser.handle_write(TaggedRTCMessage { now: meeting.now, message }).unwrap();

        let narrow: Vec<i16> = (0..NARROW_FRAME).map(|_| self.phone.next_sample()).collect();
        let mut payload = [0; NARROW_FRAME];
        Codec::Pcmu.encode(&narrow, &mut payload);
        let packet = RtpPacket {
            marker: false,
            payload_type: 0,
            sequence_number: self.number,
            timestamp: u32::from(self.number) * 160,
            ssrc: 1,
            payload: &payload,
        };
        let mut datagram = [0; 172];
        packet.write(&mut datagram).unwrap();
        meeting.worker.handle_sip_datagram(meeting.now, PHONE_LEG, address(PHONE), &datagram);
    }
}

fn mouths() -> Mouths {
    Mouths {
        phone: Oscillator::new(500, 8_000),
        browser: Oscillator::new(1_300, 48_000),
        encoder: opus::Encoder::new(OpusSettings::default()).unwrap(),
        number: 0,
    }
}

#[test]
fn d41_a_phone_and_a_browser_hear_each_other() {
    let mut meeting = Meeting::new();
    meeting.connect();
    let mut mouths = mouths();
    for _ in 0..100 {
        mouths.speak(&mut meeting);
        meeting.tick();
    }
    let at_phone = &meeting.at_phone[meeting.at_phone.len() - 50 * NARROW_FRAME..];
    let at_browser = &meeting.at_browser[meeting.at_browser.len() - 50 * FULL_FRAME..];
    assert!((level_at(at_phone, 1_300, 8_000) + 9.0).abs() < 1.0, "the phone hears the browser");
    assert!(level_at(at_phone, 500, 8_000) < -50.0, "and not itself");
    assert!((level_at(at_browser, 500, 48_000) + 9.0).abs() < 1.0, "the browser hears the phone");
    assert!(level_at(at_browser, 1_300, 48_000) < -50.0, "and not itself");
    for leg in [PHONE_LEG, BROWSER_LEG] {
        assert!(meeting.events.contains(&Event::MediaStarted { leg }));
    }
}

#[test]
fn datagrams_from_an_address_that_passed_no_check_are_dropped() {
    let mut meeting = Meeting::new();
    meeting.connect();
    let before = meeting.worker.load().dropped_datagrams;
    let rtp = [0x80, 111, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0, 11, 0xF8, 0xFF, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    meeting.worker.handle_webrtc_datagram(meeting.now, address(STRANGER), &rtp);
    assert_eq!(meeting.worker.load().dropped_datagrams - before, 1);
}
