//! Between 16 and 48 kHz, for G.722: a windowed sinc of 120 coefficients in three phases. Cheap to make, because
//! each leg has its own.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::sample::{from_float, to_float};

/// Coefficients of one phase.
const TAPS: usize = 40;
const RATIO: usize = 3;
/// Samples of 16 kHz and of 48 kHz in one piece of 10 ms.
const WIDE: usize = 160;
const FULL: usize = WIDE * RATIO;

/// Phase, then tap; the newest sample has the last tap. The sum over a phase is one.
static FILTER: LazyLock<[[f32; TAPS]; RATIO]> = LazyLock::new(|| {
    let length = TAPS * RATIO;
    let mut phases = [[0.0; TAPS]; RATIO];
    for n in 0..length {
        let position = f64::from(u32::try_from(n).unwrap_or(0))
            - f64::from(u32::try_from(length - 1).unwrap_or(0)) / 2.0;
        // Cut off at 7.6 kHz.
        let x = position * 2.0 * 7_600.0 / 48_000.0;
        let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let at = 2.0 * PI * f64::from(u32::try_from(n).unwrap_or(0))
            / f64::from(u32::try_from(length - 1).unwrap_or(1));
        let window = 0.42 - 0.5 * at.cos() + 0.08 * (2.0 * at).cos();
        #[expect(clippy::cast_possible_truncation, reason = "coefficients below one")]
        let coefficient = (sinc * window * 2.0 * 7_600.0 / 16_000.0) as f32;
        if let Some(tap) = phases.get_mut(n % RATIO).and_then(|phase| phase.get_mut(TAPS - 1 - n / RATIO)) {
            *tap = coefficient;
        }
    }
    phases
});

fn convolve(taps: &[f32; TAPS], samples: &[f32]) -> f32 {
    taps.iter().zip(samples).map(|(tap, sample)| tap * sample).sum()
}

/// From 16 to 48 kHz.
#[derive(Debug, Clone)]
pub(crate) struct Up {
    input: [f32; TAPS - 1 + WIDE],
}

impl Default for Up {
    fn default() -> Self {
        LazyLock::force(&FILTER);
        Self { input: [0.0; TAPS - 1 + WIDE] }
    }
}

impl Up {
    /// Converts as many pieces of 10 ms or less as there are.
    pub(crate) fn convert(&mut self, from: &[i16], to: &mut [i16]) {
        for (from, to) in from.chunks(WIDE).zip(to.chunks_mut(FULL)) {
            for (slot, &sample) in self.input.iter_mut().skip(TAPS - 1).zip(from) {
                *slot = to_float(sample);
            }
            for (window, three) in self.input.windows(TAPS).zip(to.chunks_mut(RATIO)) {
                for (sample, phase) in three.iter_mut().zip(FILTER.iter()) {
                    *sample = from_float(convolve(phase, window));
                }
            }
            self.input.copy_within(from.len()..from.len() + TAPS - 1, 0);
        }
    }
}

/// From 48 to 16 kHz.
#[derive(Debug, Clone)]
pub(crate) struct Down {
    /// The three phases of the input, each with its past.
    input: [[f32; TAPS - 1 + WIDE]; RATIO],
}

impl Default for Down {
    fn default() -> Self {
        LazyLock::force(&FILTER);
        Self { input: [[0.0; TAPS - 1 + WIDE]; RATIO] }
    }
}

impl Down {
    /// Converts as many pieces of 10 ms as there are.
    pub(crate) fn convert(&mut self, from: &[i16], to: &mut [i16]) {
        for (from, to) in from.chunks(FULL).zip(to.chunks_mut(WIDE)) {
            for (phase, input) in self.input.iter_mut().enumerate() {
                let mine = from.iter().skip(phase).step_by(RATIO);
                for (slot, &sample) in input.iter_mut().skip(TAPS - 1).zip(mine) {
                    *slot = to_float(sample);
                }
            }
            // The first of three samples is the oldest one: it meets the filter's last phase.
            let [first, second, third] = &self.input;
            let windows = first.windows(TAPS).zip(second.windows(TAPS)).zip(third.windows(TAPS));
            let [zero, one, two] = &*FILTER;
            for (sample, ((a, b), c)) in to.iter_mut().zip(windows) {
                let sum = convolve(two, a) + convolve(one, b) + convolve(zero, c);
                *sample = from_float(sum / 3.0);
            }
            for input in &mut self.input {
                input.copy_within(to.len()..to.len() + TAPS - 1, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::measure;
    use crate::tone::{Oscillator, level_at};

    fn tone(hz: u32, rate: u32) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hz, rate);
        (0..rate).map(|_| oscillator.next_sample()).collect()
    }

    #[test]
    fn d46_tones_of_the_wide_band_keep_their_level_both_ways() {
        for hz in [100, 1_000, 3_400, 5_000, 6_800] {
            let wide = tone(hz, 16_000);
            let (mut full, mut back) = (vec![0; 48_000], vec![0; 16_000]);
            Up::default().convert(&wide, &mut full);
            Down::default().convert(&full, &mut back);
            let spoken = level_at(&wide[1_600..], hz, 16_000);
            let (up, down) = (level_at(&full[4_800..], hz, 48_000), level_at(&back[1_600..], hz, 16_000));
            assert!(
                (up - spoken).abs() < 0.7 && (down - spoken).abs() < 1.4,
                "{hz} Hz: {spoken} {up} {down}"
            );
        }
    }

    #[test]
    fn d46_neither_images_nor_aliases() {
        let mut full = vec![0; 48_000];
        Up::default().convert(&tone(1_000, 16_000), &mut full);
        for image in [15_000, 17_000, 31_000 - 16_000, 23_000] {
            assert!(level_at(&full[4_800..], image, 48_000) < -60.0, "image at {image} Hz");
        }
        let mut wide = vec![0; 16_000];
        Down::default().convert(&tone(11_000, 48_000), &mut wide);
        assert!(measure(&wide[1_600..]) > 60, "11 kHz comes back");
    }
}
