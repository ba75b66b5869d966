//! A synthetic camera: VP8 payloads with true descriptors and key frame headers, and nothing to look at behind them.
//! A forwarder cannot tell, a decoder would.

use std::sync::Arc;
use std::time::Duration;

use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::shared::unique_number;

const PERIOD: Duration = Duration::from_millis(100);
/// Every so many pictures is a key frame, asked for or not.
const KEY_FRAME_EVERY: u64 = 10;
/// 90 kHz ticks of one picture.
const TICKS: u32 = 9_000;
const PACKETS_OF_A_PICTURE: u8 = 2;

/// Sends ten pictures a second until aborted.
pub(super) async fn film(track: Arc<TrackLocalStaticRTP>, ssrc: u32, payload_type: u8) {
    let mut sequence_number = unique_number() as u16;
    let mut timestamp = unique_number() as u32;
    let mut next = tokio::time::Instant::now();
    for picture in 0u64.. {
        tokio::time::sleep_until(next).await;
        for part in 0..PACKETS_OF_A_PICTURE {
            let header = rtc::rtp::Header {
                version: 2,
                marker: part + 1 == PACKETS_OF_A_PICTURE,
                payload_type,
                sequence_number,
                timestamp,
                ssrc,
                ..Default::default()
            };
            let payload = payload(picture, part).into();
            // Refused until the connection is up.
            let _ = track.write_rtp(rtc::rtp::Packet { header, payload }).await;
            sequence_number = sequence_number.wrapping_add(1);
        }
        timestamp = timestamp.wrapping_add(TICKS);
        next += PERIOD;
    }
}

/// RFC 7741: descriptor with a 15-bit picture id, then on the first packet the frame tag of RFC 6386 section 9.1.
fn payload(picture: u64, part: u8) -> Vec<u8> {
    let start = if part == 0 { 0x10 } else { 0x00 };
    let [high, low] = ((picture as u16 & 0x7fff) | 0x8000).to_be_bytes();
    let mut payload = vec![0x80 | start, 0x80, high, low];
    if part == 0 {
        let key = picture.is_multiple_of(KEY_FRAME_EVERY);
        // show_frame, and bit 0 clear on a key frame; start code and 320x240 follow.
        payload.extend(if key {
            vec![0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]
        } else {
            vec![0x11, 0x02, 0x00]
        });
    }
    payload.extend((0..400u16).map(|byte| byte as u8 ^ picture as u8));
    payload
}

/// Whether a VP8 payload is the first packet of a key frame.
pub(super) fn begins_key_frame(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    // S set and partition 0.
    if first & 0x1f != 0x10 {
        return false;
    }
    let mut at = 1;
    if first & 0x80 != 0 {
        let Some(extension) = payload.get(1) else { return false };
        at = 2;
        if extension & 0x80 != 0 {
            at += if payload.get(2).is_some_and(|id| id & 0x80 != 0) { 2 } else { 1 };
        }
        at += usize::from(extension & 0x40 != 0) + usize::from(extension & 0x30 != 0);
    }
    payload.get(at).is_some_and(|tag| tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_told_from_others() {
        assert!(begins_key_frame(&payload(0, 0)));
        assert!(!begins_key_frame(&payload(0, 1)));
        assert!(!begins_key_frame(&payload(1, 0)));
        assert!(begins_key_frame(&payload(10, 0)));
        assert!(begins_key_frame(&[0x10, 0x10]));
        assert!(!begins_key_frame(&[]));
    }
}
