//! Answers an offer: builds the peer connection, negotiates it in one step and hands over the finished peer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    NackGeneratorBuilder, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot as ChainSlot,
    TwccReceiverBuilder,
};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverId, RTCRtpTransceiverInit};

use super::answer::{local_ufrag, without_rtx};
use super::feedback::Feedback;
use super::offer::{AUDIO_LEVEL, ReducedOffer, Role, TRANSPORT_CC};
use super::peer::{AcceptedPeer, MediaKind, PeerConfig, PeerError};
use super::rtc_peer::{RtcPeer, SlotStream};

/// Silence on ICE after which the path counts as disturbed; browsers check every 2.5 s.
const ICE_DISCONNECTED: Duration = Duration::from_secs(5);
/// Further silence after which the browser counts as gone.
const ICE_FAILED: Duration = Duration::from_secs(5);
/// How often missing packets of a publisher are asked for.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// How often one packet is asked for at most.
const MAX_NACKS_PER_PACKET: u16 = 10;
/// SRTP replay window in packets: repairs of 10 times 20 ms and a slow path arrive far behind the newest.
const SRTP_REPLAY_WINDOW: usize = 1024;
/// First SSRC of our slots; they need only differ within one connection (RFC 3550 section 8).
const FIRST_SSRC: u32 = 0x5041_0000;

/// Answers `offer_sdp`.
///
/// Takes a few milliseconds, so it belongs on a signalling thread; the peer is then moved to its media thread.
/// The answer is complete: ICE-lite, with `config.local` as its only candidate.
///
/// # Errors
/// [`PeerError`] says whether the offer cannot be read, is not of the form browsers must send, or the
/// implementation refused it.
pub fn accept_offer(now: Instant, offer_sdp: &str, config: &PeerConfig) -> Result<AcceptedPeer, PeerError> {
    let offer = ReducedOffer::read(offer_sdp, config.video_slots)?;
    let mut connection = build_connection(now)?;
    let candidate = host_candidate(config.local)?;
    connection.add_local_candidate(candidate).map_err(internal)?;
    let slots = add_slots(&mut connection, &offer)?;
    let remote = RTCSessionDescription::offer(offer.sdp.clone()).map_err(rejected)?;
    connection.set_remote_description(now, remote).map_err(rejected)?;
    let answer = connection.create_answer(None).map_err(internal)?;
    connection.set_local_description(now, answer).map_err(internal)?;
    let description = connection.local_description().ok_or_else(|| missing("local description"))?;
    let ufrag = local_ufrag(&description.sdp).ok_or_else(|| missing("ICE user fragment"))?.to_owned();
    let camera_mid = offer.camera_mid();
    let answer_sdp = without_rtx(&description.sdp, camera_mid.unwrap_or_default());
    let camera = camera_mid.and_then(|mid| transceiver(&mut connection, mid));
    let streams =
        slots.iter().map(|slot| slot_stream(&mut connection, slot)).collect::<Result<Vec<_>, _>>()?;
    let video_slots = u8::try_from(offer.receive_slots(MediaKind::Video)).unwrap_or(u8::MAX);
    let peer = RtcPeer::new(now, connection, config.local, &offer, streams, camera);
    Ok(AcceptedPeer { peer: Box::new(peer), ufrag, answer_sdp, video_slots })
}

/// A slot between being added and being negotiated.
struct PendingSlot {
    transceiver: RTCRtpTransceiverId,
    kind: MediaKind,
    ssrc: u32,
}

fn build_connection(now: Instant) -> Result<RTCPeerConnection, PeerError> {
    let settings = SettingEngineBuilder::new()
        .with_lite(true)
        .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), None)
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .with_srtp_replay_protection_window(SRTP_REPLAY_WINDOW)
        .build();
    RTCPeerConnectionBuilder::new()
        .with_setting_engine(settings)
        .with_media_engine(media_engine().map_err(internal)?)
        .with_interceptor_registry(chain())
        .build(now)
        .map_err(internal)
}

/// The packet chain, ordered by distance from the wire.
fn chain() -> Registry {
    let nack = NackGeneratorBuilder::new()
        .with_interval(NACK_INTERVAL)
        .with_max_nacks_per_packet(MAX_NACKS_PER_PACKET)
        .build();
    Registry::new()
        .with(ChainSlot::NackResponder, Feedback::default())
        .with(ChainSlot::NackGenerator, nack)
        .with(ChainSlot::TwccReceiver, TwccReceiverBuilder::new().build())
        .with(ChainSlot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(ChainSlot::SenderReport, SenderReportBuilder::new().build())
}

fn media_engine() -> Result<MediaEngine, rtc::shared::error::Error> {
    let mut engine = MediaEngine::default();
    engine.register_codec(opus(), RtpCodecKind::Audio)?;
    engine.register_codec(vp8(), RtpCodecKind::Video)?;
    engine.register_codec(rtx(), RtpCodecKind::Video)?;
    for (uri, kind) in [
        (AUDIO_LEVEL, RtpCodecKind::Audio),
        (TRANSPORT_CC, RtpCodecKind::Audio),
        (TRANSPORT_CC, RtpCodecKind::Video),
    ] {
        engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri: uri.into() }, kind, None)?;
    }
    Ok(engine)
}

pub(super) fn opus() -> RTCRtpCodecParameters {
    codec(111, MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1", &[("transport-cc", "")])
}

pub(super) fn vp8() -> RTCRtpCodecParameters {
    let feedback = [("transport-cc", ""), ("ccm", "fir"), ("nack", ""), ("nack", "pli")];
    codec(96, MIME_TYPE_VP8, 90_000, 0, "", &feedback)
}

fn rtx() -> RTCRtpCodecParameters {
    codec(97, MIME_TYPE_RTX, 90_000, 0, "apt=96", &[])
}

fn codec(
    payload_type: u8,
    mime_type: &str,
    clock_rate: u32,
    channels: u16,
    fmtp: &str,
    feedback: &[(&str, &str)],
) -> RTCRtpCodecParameters {
    let rtcp_feedback = feedback
        .iter()
        .map(|(typ, parameter)| RTCPFeedback { typ: (*typ).into(), parameter: (*parameter).into() })
        .collect();
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: mime_type.into(),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.into(),
            rtcp_feedback,
        },
        payload_type,
    }
}

fn host_candidate(
    local: SocketAddr,
) -> Result<rtc::peer_connection::transport::RTCIceCandidateInit, PeerError> {
    let config = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".into(),
            address: local.ip().to_string(),
            port: local.port(),
            component: 1,
            ..Default::default()
        },
        ..Default::default()
    };
    let candidate = config.new_candidate_host().map_err(internal)?;
    RTCIceCandidate::from(&candidate).to_json().map_err(internal)
}

/// Adds one sending transceiver per m-line the browser receives on, in order: they are matched by kind and order.
fn add_slots(
    connection: &mut RTCPeerConnection,
    offer: &ReducedOffer,
) -> Result<Vec<PendingSlot>, PeerError> {
    let mut ssrcs = (FIRST_SSRC..).filter(|ssrc| {
        [MediaKind::Audio, MediaKind::Video].iter().all(|kind| offer.published_ssrc(*kind) != Some(*ssrc))
    });
    let mut next_ssrc = || ssrcs.next().unwrap_or(FIRST_SSRC);
    let mut slots = Vec::new();
    for section in offer.sections.iter().filter(|section| section.role == Role::Receive) {
        let ssrc = next_ssrc();
        let (kind, codec, rtx) = match section.kind {
            MediaKind::Audio => (RtpCodecKind::Audio, opus(), None),
            MediaKind::Video => (RtpCodecKind::Video, vp8(), Some(RTCRtpRtxParameters { ssrc: next_ssrc() })),
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), rtx, ..Default::default() },
            active: true,
            codec: codec.rtp_codec,
            ..Default::default()
        };
        let name = format!("slot-{}", section.mid);
        let track = MediaStreamTrack::new(name.clone(), name.clone(), name, kind, vec![encoding]);
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec![],
            send_encodings: vec![],
        };
        let transceiver = connection.add_transceiver_from_track(track, Some(init)).map_err(internal)?;
        slots.push(PendingSlot { transceiver, kind: section.kind, ssrc });
    }
    Ok(slots)
}

/// The transceiver of the m-line `mid`.
fn transceiver(connection: &mut RTCPeerConnection, mid: &str) -> Option<RTCRtpTransceiverId> {
    let count = connection.get_transceivers().count();
    (0..count).find(|id| {
        let transceiver = connection.rtp_transceiver(*id);
        transceiver.is_some_and(|transceiver| transceiver.mid().as_deref() == Some(mid))
    })
}

fn slot_stream(connection: &mut RTCPeerConnection, slot: &PendingSlot) -> Result<SlotStream, PeerError> {
    let mime_type = match slot.kind {
        MediaKind::Audio => MIME_TYPE_OPUS,
        MediaKind::Video => MIME_TYPE_VP8,
    };
    let payload_type = connection.rtp_sender(slot.transceiver.into()).and_then(|mut sender| {
        let codecs = &sender.get_parameters().rtp_parameters.codecs;
        let found = codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(mime_type));
        found.map(|codec| codec.payload_type)
    });
    let payload_type = payload_type.ok_or_else(|| missing(mime_type))?;
    Ok(SlotStream { kind: slot.kind, ssrc: slot.ssrc, payload_type })
}

fn missing(what: &str) -> PeerError {
    PeerError::Internal(format!("the answer has no {what}"))
}

fn internal(error: rtc::shared::error::Error) -> PeerError {
    PeerError::Internal(error.to_string())
}

fn rejected(error: rtc::shared::error::Error) -> PeerError {
    PeerError::MalformedOffer(error.to_string())
}

#[cfg(test)]
mod tests;
