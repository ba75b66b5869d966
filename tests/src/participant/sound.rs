//! Opus both ways.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opusic_c::{Application, Bitrate, Channels, Decoder, Encoder, SampleRate};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::ear::Ear;
use crate::shared::unique_number;
use crate::voice::Voice;

/// Samples per second of Opus.
pub(super) const RATE: u32 = 48_000;
const FRAME: usize = 960;
const PTIME: Duration = Duration::from_millis(20);
/// The longest Opus packet holds 120 ms.
const LONGEST: usize = 5_760;

/// Says `voice` on `track` until aborted.
pub(super) async fn speak(track: Arc<TrackLocalStaticRTP>, ssrc: u32, payload_type: u8, voice: Voice) {
    // The restricted low-delay mode keeps a tone a tone, and adds 2.5 ms only.
    let Ok(mut encoder) = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::LowDelay) else {
        return;
    };
    let _ = encoder.set_bitrate(Bitrate::Value(64_000));
    let mut sequence_number = unique_number() as u16;
    let mut timestamp = unique_number() as u32;
    let mut next = tokio::time::Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let mut frame = [0i16; FRAME];
        voice.fill(next.into_std(), RATE, &mut frame);
        if let Some(payload) = encode(&mut encoder, &frame) {
            let header = rtc::rtp::Header {
                version: 2,
                payload_type,
                sequence_number,
                timestamp,
                ssrc,
                ..Default::default()
            };
            // Refused until the connection is up; a microphone does not wait.
            let _ = track.write_rtp(rtc::rtp::Packet { header, payload: payload.into() }).await;
        }
        sequence_number = sequence_number.wrapping_add(1);
        timestamp = timestamp.wrapping_add(FRAME as u32);
        next += PTIME;
    }
}

fn encode(encoder: &mut Encoder, frame: &[i16]) -> Option<Vec<u8>> {
    // The binding takes the bits of the samples.
    let bits: Vec<u16> = frame.iter().map(|sample| *sample as u16).collect();
    let mut packet = vec![0u8; 1275];
    let length = encoder.encode_to_slice(&bits, &mut packet).ok()?;
    packet.truncate(length);
    Some(packet)
}

/// Hears `track` until it ends.
pub(super) async fn listen(track: Arc<dyn TrackRemote>, ear: Ear) {
    let Ok(mut decoder) = Decoder::new(Channels::Mono, SampleRate::Hz48000) else { return };
    let mut bits = vec![0u16; LONGEST];
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        let at = Instant::now();
        if packet.payload.is_empty() {
            continue;
        }
        if let Ok(length) = decoder.decode_to_slice(&packet.payload, &mut bits, false) {
            let samples: Vec<i16> = bits[..length].iter().map(|sample| *sample as i16).collect();
            ear.hear(at, &samples);
        }
    }
}
