//! Samples: linear PCM, 16 bit, mono, in frames of one tick.

use std::time::Duration;

/// Length of one mix tick.
pub const TICK: Duration = Duration::from_millis(20);

/// Samples of one tick at 8 kHz.
pub const NARROW_FRAME: usize = 160;

/// Samples of one tick at 48 kHz.
pub const FULL_FRAME: usize = 960;

/// The two rates voices are mixed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// 8 kHz: PCMU and PCMA.
    Narrow,
    /// 48 kHz: Opus.
    Full,
}

impl Rate {
    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Full => 48_000,
        }
    }

    /// Samples in one tick.
    #[must_use]
    pub const fn frame(self) -> usize {
        match self {
            Self::Narrow => NARROW_FRAME,
            Self::Full => FULL_FRAME,
        }
    }
}

/// Limits a sum of samples to what 16 bits hold: the only place where a mix may clip.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
pub fn limit(sum: i32) -> i16 {
    sum.clamp(-32_768, 32_767) as i16
}

/// Rounds a sample on the scale of full deflection = 1.0 to 16 bits, limited.
#[inline]
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float-to-integer cast saturates, which is what is wanted"
)]
pub fn from_float(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// A sample on the scale of full deflection = 1.0.
#[inline]
#[must_use]
pub fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limiting_keeps_what_fits_and_clips_the_rest() {
        for (sum, expected) in
            [(0, 0), (-32_768, i16::MIN), (32_767, i16::MAX), (32_768, i16::MAX), (-70_000, i16::MIN)]
        {
            assert_eq!(limit(sum), expected);
        }
    }

    #[test]
    fn every_sample_survives_the_way_through_floats() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(from_float(to_float(sample)), sample);
        }
        assert_eq!(from_float(2.0), i16::MAX);
        assert_eq!(from_float(f32::NAN), 0);
    }
}
