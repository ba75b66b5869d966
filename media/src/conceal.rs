//! Concealment for codecs without their own: repeat the last frame and fade it out.

use crate::sample::{NARROW_FRAME, limit};

/// Covers lost ticks of one G.711 stream.
#[derive(Debug, Clone)]
pub struct Concealer {
    last: [i16; NARROW_FRAME],
    /// How loud the next repetition begins, in parts of [`Self::UNITY`].
    gain: i32,
}

impl Default for Concealer {
    fn default() -> Self {
        Self { last: [0; NARROW_FRAME], gain: 0 }
    }
}

impl Concealer {
    const UNITY: i32 = 64;
    /// Loss of gain per repeated frame: silence after four (80 ms).
    const STEP: i32 = 16;

    /// Remembers what was really heard.
    pub const fn heard(&mut self, frame: &[i16; NARROW_FRAME]) {
        self.last = *frame;
        self.gain = Self::UNITY;
    }

    /// Makes up one tick.
    pub fn conceal(&mut self, frame: &mut [i16; NARROW_FRAME]) {
        let next = (self.gain - Self::STEP).max(0);
        let mut remaining = i32::try_from(NARROW_FRAME).unwrap_or(i32::MAX);
        let whole = remaining;
        for (made_up, &sample) in frame.iter_mut().zip(&self.last) {
            let gain = next * whole + (self.gain - next) * remaining;
            *made_up = limit(i32::from(sample) * gain / (Self::UNITY * whole));
            remaining -= 1;
        }
        self.gain = next;
    }

    /// What comes next has nothing to do with what was heard.
    pub const fn reset(&mut self) {
        self.gain = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d45_a_lost_frame_is_repeated_and_faded_to_silence() {
        let mut concealer = Concealer::default();
        let mut frame = [1; NARROW_FRAME];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; NARROW_FRAME], "nothing heard yet");
        concealer.heard(&[6400; NARROW_FRAME]);
        let mut ends = Vec::new();
        for _ in 0..5 {
            concealer.conceal(&mut frame);
            assert!(frame.is_sorted_by(|a, b| a >= b), "it only gets softer");
            ends.push((frame[0], frame[NARROW_FRAME - 1]));
        }
        assert_eq!(ends, [(6400, 4810), (4800, 3210), (3200, 1610), (1600, 10), (0, 0)]);
        concealer.heard(&[6400; NARROW_FRAME]);
        concealer.reset();
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; NARROW_FRAME]);
    }
}
