//! The peer connection of a participant.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use webrtc::error::Result as RtcResult;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, register_default_interceptors,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use super::{Received, VideoReceived, camera, sound};
use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::shared::{lock, unique_number};
use crate::voice::Voice;

/// Video slots of the offer.
pub const VIDEO_SLOTS: usize = 8;
/// The m-line of the first video slot.
const FIRST_VIDEO_SLOT: usize = 3;
const OPUS_PAYLOAD_TYPE: u8 = 111;
const VP8_PAYLOAD_TYPE: u8 = 96;
const RTX_PAYLOAD_TYPE: u8 = 97;

/// SSRC to m-line, as the answer announced it.
type Announced = Arc<Mutex<BTreeMap<u32, usize>>>;

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    received: Received,
    announced: Announced,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = self.received.clone();
        let announced = Arc::clone(&self.announced);
        tokio::spawn(async move {
            match track.kind().await {
                RtpCodecKind::Audio => sound::listen(track, received.ear).await,
                _ => watch_video(track, &received, &announced).await,
            }
        });
    }
}

/// A peer connection with the page's m-lines, a speaking microphone and counting eyes.
pub struct Peer {
    connection: Arc<dyn PeerConnection>,
    /// What it says.
    pub voice: Voice,
    pub(crate) received: Received,
    camera: Arc<TrackLocalStaticRTP>,
    camera_ssrc: u32,
    state: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
    announced: Announced,
    microphone: JoinHandle<()>,
}

impl Peer {
    /// Builds the connection with its transceivers on a free loopback port.
    ///
    /// # Errors
    /// When the connection cannot be built.
    pub async fn new(voice: Voice) -> LabResult<Self> {
        let (state_sender, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_sender, gathered) = watch::channel(false);
        let received = Received { ear: Ear::new(sound::RATE), video: Arc::default() };
        let announced = Announced::default();
        let handler = Handler {
            state: state_sender,
            gathered: gathered_sender,
            received: received.clone(),
            announced: Arc::clone(&announced),
        };
        let connection =
            build(Arc::new(handler)).await.map_err(LabError::other("building a peer connection"))?;
        let ssrcs = [unique_number() as u32, unique_number() as u32];
        let microphone = local_track("microphone", RtpCodecKind::Audio, opus(), ssrcs[0]);
        let camera = local_track("camera", RtpCodecKind::Video, vp8(), ssrcs[1]);
        transceivers(connection.as_ref(), &microphone, &camera)
            .await
            .map_err(LabError::other("adding transceivers"))?;
        let speaking = sound::speak(microphone, ssrcs[0], OPUS_PAYLOAD_TYPE, voice.clone());
        let microphone = tokio::spawn(speaking);
        Ok(Self {
            connection,
            voice,
            received,
            camera,
            camera_ssrc: ssrcs[1],
            state,
            gathered,
            announced,
            microphone,
        })
    }

    /// The offer, with the local candidate in it.
    ///
    /// # Errors
    /// When the connection refuses to describe itself.
    pub async fn offer(&mut self) -> LabResult<String> {
        let failed = || LabError::other("making an offer");
        let offer = self.connection.create_offer(None).await.map_err(failed())?;
        self.connection.set_local_description(offer).await.map_err(failed())?;
        self.local_sdp().await
    }

    /// Takes the other side's answer.
    ///
    /// # Errors
    /// When the answer does not fit.
    pub async fn accept(&self, answer: &str) -> LabResult<()> {
        *lock(&self.announced) = announced_ssrcs(answer);
        let answer = RTCSessionDescription::answer(answer.to_owned())
            .map_err(LabError::other("reading the answer"))?;
        self.connection.set_remote_description(answer).await.map_err(LabError::other("taking the answer"))
    }

    async fn local_sdp(&mut self) -> LabResult<String> {
        // Only host candidates of loopback: done at once, or the description is sent as it is.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.gathered.wait_for(|done| *done)).await;
        let description = self.connection.local_description().await;
        description
            .map(|description| description.sdp)
            .ok_or_else(|| LabError::Other("no local description".to_owned()))
    }

    /// Waits until packets can flow.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_connected(&self, timeout: Duration) -> LabResult<()> {
        let mut state = self.state.clone();
        let connected = state.wait_for(|state| *state == RTCPeerConnectionState::Connected);
        match tokio::time::timeout(timeout, connected).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(LabError::Timeout(format!("the peer connection, which is {}", *self.state.borrow()))),
        }
    }

    /// Whether packets can flow at this moment.
    pub fn is_connected(&self) -> bool {
        *self.state.borrow() == RTCPeerConnectionState::Connected
    }

    pub(super) fn start_camera(&self) -> JoinHandle<()> {
        tokio::spawn(camera::film(Arc::clone(&self.camera), self.camera_ssrc, VP8_PAYLOAD_TYPE))
    }

    pub(super) async fn close(&self) -> RtcResult<()> {
        self.microphone.abort();
        self.connection.close().await
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.microphone.abort();
    }
}

async fn build(handler: Arc<Handler>) -> RtcResult<Arc<dyn PeerConnection>> {
    let mut engine = MediaEngine::default();
    let mut register = |codec: RTCRtpCodec, payload_type: u8, kind: RtpCodecKind| {
        engine.register_codec(RTCRtpCodecParameters { rtp_codec: codec, payload_type }, kind)
    };
    register(opus(), OPUS_PAYLOAD_TYPE, RtpCodecKind::Audio)?;
    register(vp8(), VP8_PAYLOAD_TYPE, RtpCodecKind::Video)?;
    register(rtx(), RTX_PAYLOAD_TYPE, RtpCodecKind::Video)?;
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let builder = PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(handler)
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()]);
    // The future holds the whole configuration.
    let connection = Box::pin(builder.build()).await?;
    Ok(Arc::new(connection))
}

async fn transceivers(
    connection: &dyn PeerConnection,
    microphone: &Arc<TrackLocalStaticRTP>,
    camera: &Arc<TrackLocalStaticRTP>,
) -> RtcResult<()> {
    let init = |direction| Some(RTCRtpTransceiverInit { direction, ..Default::default() });
    for track in [microphone, camera] {
        let track: Arc<dyn TrackLocal> = Arc::clone(track) as Arc<dyn TrackLocal>;
        connection.add_transceiver_from_track(track, init(RTCRtpTransceiverDirection::Sendonly)).await?;
    }
    let receiving = std::iter::once(RtpCodecKind::Audio).chain([RtpCodecKind::Video; VIDEO_SLOTS]);
    for kind in receiving {
        connection.add_transceiver_from_kind(kind, init(RTCRtpTransceiverDirection::Recvonly)).await?;
    }
    Ok(())
}

fn local_track(name: &str, kind: RtpCodecKind, codec: RTCRtpCodec, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec,
        ..Default::default()
    };
    let id = format!("lab-{name}-{ssrc}");
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        format!("lab-{ssrc}"),
        id,
        name.to_owned(),
        kind,
        vec![coding],
    )))
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn vp8() -> RTCRtpCodec {
    RTCRtpCodec { mime_type: MIME_TYPE_VP8.to_owned(), clock_rate: 90_000, ..RTCRtpCodec::default() }
}

fn rtx() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: 90_000,
        sdp_fmtp_line: format!("apt={VP8_PAYLOAD_TYPE}"),
        ..RTCRtpCodec::default()
    }
}

/// Which m-line each announced SSRC belongs to.
fn announced_ssrcs(sdp: &str) -> BTreeMap<u32, usize> {
    let mut line_number = None;
    let mut announced = BTreeMap::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            line_number = Some(line_number.map_or(0, |number: usize| number + 1));
        }
        let ssrc = line.strip_prefix("a=ssrc:").and_then(|rest| rest.split(' ').next()?.trim().parse().ok());
        if let (Some(ssrc), Some(number)) = (ssrc, line_number) {
            announced.entry(ssrc).or_insert(number);
        }
    }
    announced
}

async fn watch_video(track: Arc<dyn TrackRemote>, received: &Received, announced: &Announced) {
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        let line = lock(announced).get(&packet.header.ssrc).copied();
        let slot = line.and_then(|line| line.checked_sub(FIRST_VIDEO_SLOT)).unwrap_or(usize::MAX);
        let mut video = lock(&received.video);
        let counted: &mut VideoReceived = video.entry(slot).or_default();
        counted.packets += 1;
        counted.frames += u64::from(packet.header.marker);
        counted.key_frames += u64::from(camera::begins_key_frame(&packet.payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{GUEST, HANA};
    use std::time::Instant;

    /// The other side of a peer connection, in the place of the product.
    struct Mirror {
        connection: Arc<dyn PeerConnection>,
        ear: Ear,
        state: watch::Receiver<RTCPeerConnectionState>,
        _speaking: JoinHandle<()>,
        _filming: JoinHandle<()>,
    }

    async fn mirror(offer: &str, voice: Voice) -> (Mirror, String) {
        let (state_sender, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_sender, mut gathered) = watch::channel(false);
        let received = Received { ear: Ear::new(sound::RATE), video: Arc::default() };
        let ear = received.ear.clone();
        let handler = Handler {
            state: state_sender,
            gathered: gathered_sender,
            received,
            announced: Announced::default(),
        };
        let connection = build(Arc::new(handler)).await.unwrap();
        let (mix, slot) = (
            local_track("mix", RtpCodecKind::Audio, opus(), 7_001),
            local_track("slot", RtpCodecKind::Video, vp8(), 7_002),
        );
        for track in [&mix, &slot] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Sendonly,
                ..Default::default()
            };
            let track: Arc<dyn TrackLocal> = Arc::clone(track) as Arc<dyn TrackLocal>;
            connection.add_transceiver_from_track(track, Some(init)).await.unwrap();
        }
        connection
            .set_remote_description(RTCSessionDescription::offer(offer.to_owned()).unwrap())
            .await
            .unwrap();
        let answer = connection.create_answer(None).await.unwrap();
        connection.set_local_description(answer).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_secs(2), gathered.wait_for(|done| *done)).await;
        let sdp = connection.local_description().await.unwrap().sdp;
        let _speaking = tokio::spawn(sound::speak(mix, 7_001, OPUS_PAYLOAD_TYPE, voice));
        let _filming = tokio::spawn(camera::film(slot, 7_002, VP8_PAYLOAD_TYPE));
        (Mirror { connection, ear, state, _speaking, _filming }, sdp)
    }

    #[test]
    fn ssrcs_are_counted_by_m_line() {
        let sdp = "v=0\r\nm=audio 9 x 111\r\nm=video 9 x 96\r\na=ssrc:11 cname:x\r\na=ssrc:11 msid:a b\r\nm=audio 9 x 111\r\na=ssrc:12 cname:y\r\n";
        assert_eq!(announced_ssrcs(sdp), BTreeMap::from([(11, 1), (12, 2)]));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_peers_hear_and_see_each_other() {
        let start = Instant::now();
        let mut peer = Peer::new(Voice::steady(HANA)).await.unwrap();
        let offer = peer.offer().await.unwrap();
        let kinds: Vec<&str> =
            offer.lines().filter_map(|line| line.strip_prefix("m=")?.split(' ').next()).collect();
        let mut wanted = vec!["audio", "video", "audio"];
        wanted.extend(["video"; VIDEO_SLOTS]);
        assert_eq!(kinds, wanted, "the order of the m-lines");
        let (mirror, answer) = mirror(&offer, Voice::steady(GUEST)).await;
        peer.accept(&answer).await.unwrap();
        peer.wait_connected(Duration::from_secs(10)).await.unwrap();
        let second = Duration::from_secs(5);
        assert!(mirror.ear.wait_for(HANA, start, second).await.is_some(), "{}", *mirror.state.borrow());
        assert!(peer.received.ear.wait_for(GUEST, start, second).await.is_some());
        // A key frame comes once a second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let heard = peer.received.ear.heard_since(start);
        assert_eq!(heard.iter().map(|heard| heard.hz).collect::<Vec<_>>(), [GUEST]);
        assert!((heard[0].level_dbfs + 15.0).abs() < 2.0, "{heard:?}");
        let seen = lock(&peer.received.video).clone();
        assert!(seen.values().any(|video| video.frames > 3 && video.key_frames > 0), "{seen:?}");
        peer.close().await.unwrap();
        mirror.connection.close().await.unwrap();
    }
}
