//! Mouth-to-ear delay: from the moment a sample is spoken (one packet before it leaves) to the moment it could be played.

use std::time::{Duration, Instant};

use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::voice::Voice;

/// How long a voice must be silent for its next onset to be unmistakable.
const PAUSE: Duration = Duration::from_millis(400);

/// Switches `voice` to the tone `hz` and measures until `ear` hears it. The voice stays on.
///
/// # Errors
/// When it is not heard within three seconds.
pub async fn onset(voice: &Voice, hz: u32, ear: &Ear) -> LabResult<Duration> {
    let before = Instant::now();
    voice.set(Some(hz));
    let heard = ear.wait_for(hz, before, Duration::from_secs(3)).await;
    let heard = heard.ok_or_else(|| LabError::Timeout(format!("the tone of {hz} Hz")))?;
    let spoken = voice.spoken_at().ok_or_else(|| LabError::Other("the voice never spoke".to_owned()))?;
    Ok(heard.saturating_duration_since(spoken))
}

/// The median of `times` onsets after pauses.
///
/// # Errors
/// When one of them is not heard.
pub async fn mouth_to_ear(voice: &Voice, hz: u32, ear: &Ear, times: usize) -> LabResult<Duration> {
    let mut measured = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        voice.set(None);
        tokio::time::sleep(PAUSE).await;
        measured.push(onset(voice, hz, ear).await?);
        // A whole tone before the next pause, or a jitter buffer sees only edges.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    measured.sort();
    Ok(measured[measured.len() / 2])
}
