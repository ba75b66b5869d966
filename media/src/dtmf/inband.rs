//! Keys heard as tones (ITU-T Q.23, Q.24), for phones that send no telephone events: eight Goertzel filters over
//! blocks of 12.75 ms.
//!
//! Speech must not be taken for a key (talk-off): a key needs two tones that carry most of the block's energy, each
//! far above the others of its group and not too unequal, in three blocks in a row.

/// Low and high group in Hz.
pub(super) const ROWS: [u16; 4] = [697, 770, 852, 941];
pub(super) const COLUMNS: [u16; 4] = [1209, 1336, 1477, 1633];
/// Keys row by row.
pub(super) const KEYS: [char; 16] =
    ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];

/// Samples of one block at 8 kHz.
const BLOCK: usize = 102;

/// Listens to one stream of 8 kHz.
#[derive(Debug, Clone)]
pub struct InbandDetector {
    filters: [Goertzel; 8],
    energy: f32,
    samples: usize,
    /// What the last block held, and in how many blocks in a row.
    last: Option<char>,
    blocks: u32,
    /// The key that is down, and for how many blocks it has not been heard.
    pressed: Option<char>,
    missed: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Goertzel {
    coefficient: f32,
    previous: f32,
    before: f32,
}

impl Goertzel {
    fn new(hz: u16) -> Self {
        let angle = std::f32::consts::TAU * f32::from(hz) / 8_000.0;
        Self { coefficient: 2.0 * angle.cos(), ..Self::default() }
    }

    fn take(&mut self, sample: f32) {
        let next = sample + self.coefficient * self.previous - self.before;
        self.before = self.previous;
        self.previous = next;
    }

    /// The power of the block; the filter is ready for the next one.
    fn finish(&mut self) -> f32 {
        let (p, b) = (std::mem::take(&mut self.previous), std::mem::take(&mut self.before));
        p * p + b * b - self.coefficient * p * b
    }
}

impl Default for InbandDetector {
    fn default() -> Self {
        let mut filters = [Goertzel::default(); 8];
        for (filter, &hz) in filters.iter_mut().zip(ROWS.iter().chain(&COLUMNS)) {
            *filter = Goertzel::new(hz);
        }
        Self { filters, energy: 0.0, samples: 0, last: None, blocks: 0, pressed: None, missed: 0 }
    }
}

impl InbandDetector {
    /// Blocks in a row that make a key press (38 ms; tones of 51 ms and more always fill them).
    const PRESS: u32 = 3;
    /// Blocks without it that end one (25 ms; Q.24 wants shorter gaps bridged).
    const RELEASE: u32 = 2;
    /// Two tones of -42 dBov together: softer ones are no keys.
    const LEAST_ENERGY: f32 = 102.0 * 260.0 * 260.0;
    /// The part of the energy both tones must carry.
    const SHARE: f32 = 0.6;
    /// How far a tone must lie above the others of its group (8 dB).
    const PEAK: f32 = 6.3;
    /// How much stronger the low tone may be (8 dB), and the high one (4 dB).
    const TWIST: f32 = 6.3;
    const REVERSE_TWIST: f32 = 2.5;

    /// Hears samples; returns a key when its press is sure, once per press. At most one key per 20 ms can be.
    pub fn hear(&mut self, samples: &[i16]) -> Option<char> {
        let mut key = None;
        for &sample in samples {
            let sample = f32::from(sample);
            self.filters.iter_mut().for_each(|filter| filter.take(sample));
            self.energy += sample * sample;
            self.samples += 1;
            if self.samples == BLOCK {
                key = self.end_block().or(key);
            }
        }
        key
    }

    /// Whether a key is down: its tone need not be heard by the others.
    #[must_use]
    pub const fn is_pressed(&self) -> bool {
        self.pressed.is_some()
    }

    fn end_block(&mut self) -> Option<char> {
        self.samples = 0;
        let energy = std::mem::take(&mut self.energy);
        let mut powers = [0.0; 8];
        for (power, filter) in powers.iter_mut().zip(&mut self.filters) {
            *power = filter.finish();
        }
        let heard = key(&powers, energy);
        self.blocks = if heard.is_some() && heard == self.last { self.blocks + 1 } else { 1 };
        self.last = heard;
        if self.pressed.is_some() {
            self.missed = if heard == self.pressed { 0 } else { self.missed + 1 };
            if self.missed >= Self::RELEASE {
                self.pressed = None;
            }
        }
        let is_new = heard.is_some() && heard != self.pressed && self.blocks >= Self::PRESS;
        if !is_new {
            return None;
        }
        self.pressed = heard;
        self.missed = 0;
        heard
    }
}

/// The key of one block, if it holds one.
fn key(powers: &[f32; 8], energy: f32) -> Option<char> {
    type D = InbandDetector;
    if energy < D::LEAST_ENERGY {
        return None;
    }
    let (rows, columns) = powers.split_first_chunk::<4>()?;
    let (row, row_power) = strongest(rows)?;
    let (column, column_power) = strongest(columns.first_chunk::<4>()?)?;
    let is_balanced = row_power <= column_power * D::TWIST && column_power <= row_power * D::REVERSE_TWIST;
    // A sine of this energy alone would have a power of half a block times it.
    let is_pure = row_power + column_power >= D::SHARE * energy * 51.0;
    KEYS.get(row * 4 + column).copied().filter(|_| is_balanced && is_pure)
}

/// The strongest of a group, if it stands out.
fn strongest(powers: &[f32; 4]) -> Option<(usize, f32)> {
    let (at, &power) = powers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let others = powers.iter().enumerate().filter(|(other, _)| *other != at);
    others.into_iter().all(|(_, &other)| other * InbandDetector::PEAK < power).then_some((at, power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Language, PromptId, PromptSet};
    use crate::sample::Rate;

    /// A key's tones for `ms`, the high one `twist_db` stronger, both `off` parts too high, then silence.
    fn press(row: u16, column: u16, ms: u32, amplitude: f64, twist_db: f64, off: f64) -> Vec<i16> {
        let high = amplitude * 10_f64.powf(twist_db / 20.0);
        let sine = |n: u32, hz: u16, peak: f64| {
            peak * (std::f64::consts::TAU * f64::from(hz) * (1.0 + off) * f64::from(n) / 8_000.0).sin()
        };
        let mut samples: Vec<i16> =
            (0..ms * 8).map(|n| (sine(n, row, amplitude) + sine(n, column, high)) as i16).collect();
        samples.extend([0; 800]);
        samples
    }

    fn heard(samples: &[i16]) -> String {
        let mut detector = InbandDetector::default();
        samples.chunks(160).filter_map(|frame| detector.hear(frame)).collect()
    }

    #[test]
    fn d21_every_key_is_heard_once_at_any_usual_level_and_twist() {
        for (at, &key) in KEYS.iter().enumerate() {
            let (row, column) = (ROWS[at / 4], COLUMNS[at % 4]);
            for (ms, amplitude, twist, off) in [
                (60, 3_000.0, 0.0, 0.0),
                (1_000, 8_000.0, 3.0, 0.0),
                (100, 1_000.0, -6.0, 0.012),
                (100, 600.0, 0.0, -0.012),
            ] {
                let samples = press(row, column, ms, amplitude, twist, off);
                assert_eq!(heard(&samples), key.to_string(), "{ms} ms, {amplitude}, {twist} dB, {off}");
            }
        }
    }

    #[test]
    fn d21_two_presses_are_two_and_a_short_gap_is_none() {
        let tone = press(770, 1336, 80, 4_000.0, 0.0, 0.0);
        assert_eq!(heard(&[&tone[..], &tone[..]].concat()), "55");
        let (whole, gap) = (&tone[..640], [0; 60]);
        assert_eq!(heard(&[whole, &gap, whole].concat()), "5");
    }

    #[test]
    fn d21_what_is_no_key_is_none() {
        assert_eq!(heard(&press(770, 770, 200, 6_000.0, 0.0, 0.0)), "", "one tone");
        assert_eq!(heard(&press(770, 852, 200, 6_000.0, 0.0, 0.0)), "", "two of one group");
        assert_eq!(heard(&press(770, 1336, 20, 6_000.0, 0.0, 0.0)), "", "too short");
        assert_eq!(heard(&press(770, 1336, 200, 60.0, 0.0, 0.0)), "", "too soft");
        assert_eq!(heard(&press(770, 1336, 200, 2_000.0, 9.0, 0.0)), "", "too unequal");
        assert_eq!(heard(&press(770, 1336, 200, 4_000.0, 0.0, 0.035)), "", "too high");
        let mut state = 1_u32;
        let noise: Vec<i16> = (0..80_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 18) as i16 - 8_192
            })
            .collect();
        assert_eq!(heard(&noise), "");
    }

    #[test]
    fn d21_speech_is_no_key() {
        let languages = Language::ALL.map(|language| PromptId::ALL.map(|prompt| (language, prompt)));
        for (language, prompt) in languages.into_iter().flatten() {
            let recording = PromptSet::default().get(language, prompt);
            let speech = recording.samples(Rate::Narrow);
            for gain in [1, 2, 4] {
                // At other speeds it is another voice.
                let loud: Vec<i16> = speech.iter().map(|&s| s.saturating_mul(gain)).collect();
                let faster: Vec<i16> =
                    loud.iter().enumerate().filter(|(n, _)| n % 5 != 0).map(|(_, &s)| s).collect();
                let slower: Vec<i16> =
                    loud.windows(2).flat_map(|w| [w[0], i16::midpoint(w[0], w[1])]).collect();
                for voice in [loud, faster, slower] {
                    assert_eq!(heard(&voice), "", "{prompt:?} x{gain}");
                }
            }
        }
    }
}
