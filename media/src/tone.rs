//! Tones: made for prompts and measured in tests.

/// A sine at -12 dBov.
#[derive(Debug, Clone)]
pub struct Oscillator {
    /// Rotation per sample.
    step: (f64, f64),
    /// Where the pointer stands.
    pointer: (f64, f64),
}

impl Oscillator {
    /// Peak deflection: 0.355 of full scale, which is 12 dB below overload as a root mean square.
    const PEAK: f64 = 0.355 * 32_768.0;

    /// A tone of `hz` sampled at `rate` Hz.
    #[must_use]
    pub fn new(hz: u32, rate: u32) -> Self {
        let angle = std::f64::consts::TAU * f64::from(hz) / f64::from(rate.max(1));
        Self { step: (angle.cos(), angle.sin()), pointer: (1.0, 0.0) }
    }

    /// The next sample.
    #[expect(clippy::cast_possible_truncation, reason = "the pointer's length is 1, the peak fits 16 bits")]
    pub fn next_sample(&mut self) -> i16 {
        let (x, y) = self.pointer;
        let (c, s) = self.step;
        let turned = (x * c - y * s, x * s + y * c);
        // One Newton step keeps the length at 1 for ever.
        let correction = 1.5 - 0.5 * (turned.0 * turned.0 + turned.1 * turned.1);
        self.pointer = (turned.0 * correction, turned.1 * correction);
        (y * Self::PEAK).round() as i16
    }
}

/// How loud the tone of `hz` is in `samples`, in dB against a full-scale sine (Goertzel).
///
/// Exact when `samples` holds a whole number of periods.
#[must_use]
pub fn level_at(samples: &[i16], hz: u32, rate: u32) -> f64 {
    let angle = std::f64::consts::TAU * f64::from(hz) / f64::from(rate.max(1));
    let coefficient = 2.0 * angle.cos();
    let (mut previous, mut before) = (0.0, 0.0);
    for &sample in samples {
        let next = f64::from(sample) / 32_768.0 + coefficient * previous - before;
        before = previous;
        previous = next;
    }
    let power = previous * previous + before * before - coefficient * previous * before;
    let count = f64::from(u32::try_from(samples.len().max(1)).unwrap_or(u32::MAX));
    20.0 * (2.0 * power.max(1e-20).sqrt() / count).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_where_it_belongs_and_nowhere_else() {
        let mut oscillator = Oscillator::new(440, 8_000);
        let samples: Vec<i16> = (0..8_000).map(|_| oscillator.next_sample()).collect();
        assert!((level_at(&samples, 440, 8_000) + 9.0).abs() < 0.1);
        assert!(level_at(&samples, 620, 8_000) < -80.0);
        assert_eq!(crate::level::measure(&samples), 12);
    }
}
