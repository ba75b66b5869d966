//! Sample rate conversion between the two mix rates, streaming, 20 ms in and 20 ms out.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use crate::sample::{from_float, to_float};

/// The two rates do not fit: their ratio makes no whole number of samples per chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot resample {from_hz} Hz to {to_hz} Hz: {detail}")]
pub struct ResampleError {
    from_hz: u32,
    to_hz: u32,
    detail: String,
}

/// Converts one stream from one rate to another; allocates at construction only.
///
/// Works in two blocks of 10 ms per tick, which delays the voice by 5 ms and leaves the telephone band (300 to
/// 3400 Hz) whole; in one block where 10 ms are no whole number of samples (22,050 Hz).
pub struct Resampler {
    inner: Fft<f32>,
    input: Box<[f32]>,
    output: Box<[f32]>,
}

impl Resampler {
    const TICKS_PER_SECOND: u32 = 50;

    /// A resampler for whole ticks of 20 ms.
    ///
    /// # Errors
    /// When one of the rates is no multiple of 50 Hz or rubato refuses the pair.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, ResampleError> {
        let error = |detail: String| ResampleError { from_hz, to_hz, detail };
        let size = |hz: u32| usize::try_from(hz / Self::TICKS_PER_SECOND).map_err(|e| error(e.to_string()));
        let rate = |hz: u32| usize::try_from(hz).map_err(|e| error(e.to_string()));
        let (frames_in, frames_out) = (size(from_hz)?, size(to_hz)?);
        let blocks = if frames_in.is_multiple_of(2) && frames_out.is_multiple_of(2) { 2 } else { 1 };
        let inner = Fft::new_custom(
            rate(from_hz)?,
            rate(to_hz)?,
            frames_in,
            blocks,
            1,
            WindowFunction::BlackmanHarris,
            FixedSync::Input,
        )
        .map_err(|e| error(e.to_string()))?;
        if inner.output_frames_max() != frames_out || inner.input_frames_next() != frames_in {
            return Err(error("20 ms in are not 20 ms out".to_owned()));
        }
        Ok(Self { inner, input: vec![0.0; frames_in].into(), output: vec![0.0; frames_out].into() })
    }

    /// Converts the next 20 ms.
    ///
    /// Both frames have the length of one tick at their rate; a shorter input counts as followed by silence.
    pub fn process(&mut self, from: &[i16], to: &mut [i16]) {
        self.input.fill(0.0);
        for (float, &sample) in self.input.iter_mut().zip(from) {
            *float = to_float(sample);
        }
        if self.run().is_none() {
            self.output.fill(0.0); // sizes are fixed at construction, so this does not happen
        }
        for (sample, &float) in to.iter_mut().zip(&self.output) {
            *sample = from_float(float);
        }
    }

    fn run(&mut self) -> Option<()> {
        let (frames_in, frames_out) = (self.input.len(), self.output.len());
        let input = InterleavedSlice::new(&self.input, 1, frames_in).ok()?;
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, frames_out).ok()?;
        self.inner.process_into_buffer(&input, &mut output, None).ok()?;
        Some(())
    }

    /// Forgets the signal so far: the next frame starts a new stream.
    pub fn reset(&mut self) {
        self.inner.reset();
    }

    /// Converts a whole recording at once, for tables built at start; the delay is cut off.
    ///
    /// # Errors
    /// As [`Resampler::new`].
    pub fn convert(from_hz: u32, to_hz: u32, samples: &[i16]) -> Result<Vec<i16>, ResampleError> {
        if from_hz == to_hz {
            return Ok(samples.to_vec());
        }
        let mut resampler = Self::new(from_hz, to_hz)?;
        let (frames_in, frames_out) = (resampler.input.len(), resampler.output.len());
        let delay = resampler.inner.output_delay();
        let wanted = samples.len() * frames_out / frames_in;
        let mut converted = Vec::with_capacity(wanted + delay + frames_out);
        let mut frame = vec![0; frames_out];
        let mut chunks = samples.chunks(frames_in);
        while converted.len() < wanted + delay {
            resampler.process(chunks.next().unwrap_or_default(), &mut frame);
            converted.extend_from_slice(&frame);
        }
        converted.drain(..delay);
        converted.truncate(wanted);
        Ok(converted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Oscillator, level_at};

    fn tone(hz: u32, rate: u32, samples: usize) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hz, rate);
        (0..samples).map(|_| oscillator.next_sample()).collect()
    }

    #[test]
    fn d50_a_recording_at_22050_hz_keeps_its_tones() {
        for hz in [300, 1000, 3000] {
            let spoken = tone(hz, 22_050, 22_050);
            let level = level_at(&spoken[4410..13_230], hz, 22_050);
            for rate in [8_000, 48_000] {
                let converted = Resampler::convert(22_050, rate, &spoken).unwrap();
                let rate = usize::try_from(rate).unwrap();
                assert_eq!(converted.len(), rate);
                let heard = level_at(&converted[rate / 5..rate * 3 / 5], hz, u32::try_from(rate).unwrap());
                assert!((heard - level).abs() < 0.6, "{hz} Hz: {heard} instead of {level} dB");
            }
        }
    }

    #[test]
    fn d46_tones_of_the_telephone_band_keep_their_level_both_ways() {
        for hz in [100, 300, 440, 1000, 2000, 3000, 3400] {
            let narrow = tone(hz, 8_000, 8_000);
            let spoken = level_at(&narrow[1600..6400], hz, 8_000);
            let full = Resampler::convert(8_000, 48_000, &narrow).unwrap();
            let up = level_at(&full[9600..38_400], hz, 48_000);
            let back = Resampler::convert(48_000, 8_000, &full).unwrap();
            let down = level_at(&back[1600..6400], hz, 8_000);
            assert!((up - spoken).abs() < 0.6, "{hz} Hz up: {up} instead of {spoken} dB");
            assert!((down - spoken).abs() < 1.0, "{hz} Hz down: {down} instead of {spoken} dB");
        }
    }

    #[test]
    fn d46_resampling_down_does_not_alias() {
        for hz in [4_600, 5_000, 7_000, 9_000, 15_000] {
            let narrow = Resampler::convert(48_000, 8_000, &tone(hz, 48_000, 48_000)).unwrap();
            let alias = crate::level::measure(&narrow[1600..6400]);
            assert!(alias > 70, "{hz} Hz leaves -{alias} dBov behind");
        }
    }

    #[test]
    fn d46_resampling_up_leaves_no_images() {
        let full = Resampler::convert(8_000, 48_000, &tone(1_000, 8_000, 8_000)).unwrap();
        for image in [7_000, 9_000, 15_000, 17_000, 23_000] {
            let level = level_at(&full[9600..38_400], image, 48_000);
            assert!(level < -80.0, "image at {image} Hz: {level} dB");
        }
    }

    #[test]
    fn streaming_equals_converting_at_once() {
        let narrow = tone(700, 8_000, 1_600);
        let whole = Resampler::convert(8_000, 48_000, &narrow).unwrap();
        let mut resampler = Resampler::new(8_000, 48_000).unwrap();
        let mut streamed = Vec::new();
        for chunk in narrow.chunks(160) {
            let mut frame = [0; 960];
            resampler.process(chunk, &mut frame);
            streamed.extend_from_slice(&frame);
        }
        let delay = streamed.len() - whole.len().min(streamed.len());
        let delay = if delay == 0 { resampler.inner.output_delay() } else { delay };
        assert_eq!(streamed[delay..], whole[..streamed.len() - delay]);
    }

    #[test]
    fn odd_rates_are_refused_by_name() {
        let error = Resampler::new(8_001, 48_000).err().unwrap();
        assert!(error.to_string().contains("8001 Hz"));
    }
}
