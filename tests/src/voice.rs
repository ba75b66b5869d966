//! What an endpoint says. A voice is shared between the endpoint that sends it and the test that changes it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::shared::lock;
use crate::tone::{Generator, SPEAKING_DBFS};

/// A stretch of speech: a tone or silence, for a time or without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The tone, or silence.
    pub hz: Option<u32>,
    /// How long; `None` is without end.
    pub duration: Option<Duration>,
}

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    /// Samples already said of the first segment.
    said: u64,
    generator: Option<(u32, Generator)>,
    /// When the first sample after the last change was spoken.
    spoken_at: Option<Instant>,
    waiting_for_change: bool,
}

/// What an endpoint says; clones speak with one mouth.
#[derive(Debug, Clone)]
pub struct Voice(Arc<Mutex<State>>);

impl Voice {
    /// Says the segments one after the other, then nothing.
    pub fn sequence(segments: impl IntoIterator<Item = Segment>) -> Self {
        Self(Arc::new(Mutex::new(State {
            segments: segments.into_iter().collect(),
            said: 0,
            generator: None,
            spoken_at: None,
            waiting_for_change: true,
        })))
    }

    /// One tone without end.
    pub fn steady(hz: u32) -> Self {
        Self::sequence([Segment { hz: Some(hz), duration: None }])
    }

    /// Says nothing (packets of silence still flow).
    pub fn silent() -> Self {
        Self::sequence([])
    }

    /// From the next frame on says `hz`, or nothing.
    pub fn set(&self, hz: Option<u32>) {
        let mut state = lock(&self.0);
        state.segments = VecDeque::from([Segment { hz, duration: None }]);
        state.said = 0;
        state.generator = None;
        state.spoken_at = None;
        state.waiting_for_change = true;
    }

    /// When the first sample after the last change was spoken; `None` while it waits for the next frame.
    pub fn spoken_at(&self) -> Option<Instant> {
        lock(&self.0).spoken_at
    }

    /// The next frame. `sent_at` is when its packet leaves: its first sample was spoken one frame earlier, as with a
    /// real microphone.
    pub fn fill(&self, sent_at: Instant, rate: u32, frame: &mut [i16]) {
        let mut state = lock(&self.0);
        if state.waiting_for_change {
            let length = Duration::from_micros(frame.len() as u64 * 1_000_000 / u64::from(rate));
            state.spoken_at = sent_at.checked_sub(length);
            state.waiting_for_change = false;
        }
        for sample in frame {
            *sample = state.next_sample(rate);
        }
    }
}

impl State {
    fn next_sample(&mut self, rate: u32) -> i16 {
        while let Some(Segment { duration: Some(duration), .. }) = self.segments.front() {
            if self.said < duration.as_millis() as u64 * u64::from(rate) / 1000 {
                break;
            }
            self.segments.pop_front();
            self.said = 0;
        }
        let Some(hz) = self.segments.front().and_then(|segment| segment.hz) else {
            self.said += 1;
            return 0;
        };
        self.said += 1;
        if self.generator.as_ref().is_none_or(|(current, _)| *current != hz) {
            self.generator = Some((hz, Generator::new(hz, SPEAKING_DBFS)));
        }
        self.generator.as_mut().map_or(0, |(_, generator)| generator.next_sample(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{BEEP, GREETING, HANA, level_dbfs};

    #[test]
    fn a_sequence_changes_tone_and_ends_in_silence() {
        let ms = |value| Some(Duration::from_millis(value));
        let voice = Voice::sequence([
            Segment { hz: Some(GREETING), duration: ms(40) },
            Segment { hz: Some(BEEP), duration: ms(20) },
        ]);
        let heard: Vec<[bool; 2]> = (0..4)
            .map(|_| {
                let mut frame = [0; 160];
                voice.fill(Instant::now(), 8_000, &mut frame);
                [GREETING, BEEP].map(|hz| level_dbfs(&frame, 8_000, hz) > -20.0)
            })
            .collect();
        assert_eq!(heard, [[true, false], [true, false], [false, true], [false, false]]);
    }

    #[test]
    fn a_change_is_stamped_with_the_moment_it_was_spoken() {
        let voice = Voice::silent();
        let start = Instant::now() + Duration::from_secs(1);
        let mut frame = [0; 160];
        voice.fill(start, 8_000, &mut frame);
        voice.set(Some(HANA));
        assert_eq!(voice.spoken_at(), None);
        voice.fill(start + Duration::from_millis(20), 8_000, &mut frame);
        voice.fill(start + Duration::from_millis(40), 8_000, &mut frame);
        assert_eq!(voice.spoken_at(), Some(start));
    }
}
