//! Noise taken out of one voice, by the recurrent network of RNNoise (`nnnoiseless`).
//!
//! It knows speech at 48 kHz: a voice of the telephone band is converted there and back. It delays the voice by 10 ms,
//! and by 10 more where it is converted; it takes tones for noise, so keys and tones are listened for before it.

use std::sync::LazyLock;

use nnnoiseless::{DenoiseState, RnnModel};

use crate::resample::{ResampleError, Resampler};
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate, limit};

static MODEL: LazyLock<RnnModel> = LazyLock::new(RnnModel::default);

/// The suppressor of one voice; allocates at construction only.
pub struct NoiseSuppressor {
    state: Box<DenoiseState<'static>>,
    up: Resampler,
    down: Resampler,
    full: Box<[i16; FULL_FRAME]>,
    input: Box<[f32; DenoiseState::FRAME_SIZE]>,
    output: Box<[f32; DenoiseState::FRAME_SIZE]>,
}

impl NoiseSuppressor {
    /// A suppressor that has heard nothing yet. Takes tables for this thread along, so that none are made in a tick.
    ///
    /// # Errors
    /// When the two rates cannot be converted, which they can.
    pub fn new() -> Result<Self, ResampleError> {
        let mut made = Self {
            state: DenoiseState::with_model(&MODEL),
            up: Resampler::new(Rate::Narrow.hz(), Rate::Full.hz())?,
            down: Resampler::new(Rate::Full.hz(), Rate::Narrow.hz())?,
            full: Box::new([0; FULL_FRAME]),
            input: Box::new([0.0; DenoiseState::FRAME_SIZE]),
            output: Box::new([0.0; DenoiseState::FRAME_SIZE]),
        };
        // What is not silent passes through all of it once.
        let mut hiss: [i16; NARROW_FRAME] = std::array::from_fn(|n| if n % 3 == 0 { 400 } else { -200 });
        made.clean(&mut hiss);
        Ok(made)
    }

    /// Takes the noise out of a tick, at 8 or 48 kHz. Frames of other lengths stay as they are.
    pub fn clean(&mut self, frame: &mut [i16]) {
        match frame.len() {
            NARROW_FRAME => {
                self.up.process(frame, self.full.as_mut_slice());
                self.denoise();
                self.down.process(self.full.as_slice(), frame);
            }
            FULL_FRAME => {
                self.full.copy_from_slice(frame);
                self.denoise();
                frame.copy_from_slice(self.full.as_slice());
            }
            _ => {}
        }
    }

    fn denoise(&mut self) {
        for half in self.full.chunks_exact_mut(DenoiseState::FRAME_SIZE) {
            for (float, &sample) in self.input.iter_mut().zip(half.iter()) {
                *float = f32::from(sample);
            }
            self.state.process_frame(self.output.as_mut_slice(), self.input.as_slice());
            for (sample, &float) in half.iter_mut().zip(self.output.iter()) {
                *sample = rounded(float);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float-to-integer cast saturates, and what is left is limited"
)]
fn rounded(float: f32) -> i16 {
    limit(float.round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Language, PromptId, PromptSet};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn energy(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        10.0 * (sum / samples.len() as f64 + 1e-9).log10()
    }

    /// How much softer, in dB, noise alone becomes, and speech in the same noise.
    fn softer(rate: Rate) -> (f64, f64) {
        let mut random = ChaCha8Rng::from_seed([1; 32]);
        let set = PromptSet::default();
        let speech = set.get(Language::English, PromptId::Help);
        let speech = speech.samples(rate);
        let quiet = vec![0; rate.frame() * 100];
        let clean = [&quiet, &speech[..speech.len() / rate.frame() * rate.frame()], &quiet].concat();
        // What a room sounds like: softer and softer above some 800 Hz.
        let (mut low, share) = (0.0, if rate == Rate::Narrow { 0.47 } else { 0.1 });
        let mut noise = || {
            let white = f64::from(random.next_u32() % 601) - 300.0;
            low += share * (white - low);
            (low * 3.0) as i16
        };
        let noisy: Vec<i16> = clean.iter().map(|&sample| sample.saturating_add(noise())).collect();
        let mut suppressor = NoiseSuppressor::new().unwrap();
        let mut cleaned = noisy.clone();
        cleaned.chunks_exact_mut(rate.frame()).for_each(|frame| suppressor.clean(frame));
        let (pause, talk) = (rate.frame() * 50..quiet.len(), quiet.len()..clean.len() - quiet.len());
        let change = |range: std::ops::Range<usize>| energy(&noisy[range.clone()]) - energy(&cleaned[range]);
        (change(pause), change(talk))
    }

    #[test]
    fn d45_noise_goes_and_speech_stays() {
        for rate in [Rate::Narrow, Rate::Full] {
            let (pause, talk) = softer(rate);
            assert!(pause > 12.0, "{rate:?}: noise alone is {pause} dB softer");
            assert!(talk.abs() < 3.0, "{rate:?}: speech is {talk} dB softer");
        }
    }

    #[test]
    fn frames_of_other_lengths_stay() {
        let mut frame = [5; 100];
        NoiseSuppressor::new().unwrap().clean(&mut frame);
        assert_eq!(frame, [5; 100]);
    }
}
