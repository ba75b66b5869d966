//! One loudness for all: a soft caller is made louder and a loud one softer, slowly, by what he says and not by his noise.

use crate::sample::limit;

/// The gain of one voice.
#[derive(Debug, Clone)]
pub struct Loudness {
    /// How loud the voice speaks, in dBov; `None` until it has spoken.
    spoken: Option<f32>,
    /// In dB.
    gain: f32,
    /// The factor at the end of the last frame.
    factor: f32,
}

impl Default for Loudness {
    fn default() -> Self {
        Self { spoken: None, gain: 0.0, factor: 1.0 }
    }
}

impl Loudness {
    /// What every voice is brought to, in -dBov: between the nominal level of telephone lines (ITU-T P.56, -26 dBov) and that of
    /// browsers.
    pub const TARGET_DBOV: u8 = 24;
    /// The most a voice is made louder and softer, in dB.
    pub const RANGE: (f32, f32) = (-12.0, 15.0);
    /// A frame softer than this is no speech whatever came before, in -dBov.
    const FLOOR_DBOV: u8 = 50;
    /// And neither is one so much softer than the voice, in dB: breath, and the line between the words.
    const BELOW_SPEECH: f32 = 12.0;
    /// The share of a frame in the loudness: half a second of speech decides half of it.
    const SHARE: f32 = 0.03;
    /// How fast the gain changes, in dB a tick: 10 dB a second down, 5 up.
    const STEP: (f32, f32) = (0.2, 0.1);

    /// Brings a frame nearer to the common loudness; `dbov` is its level.
    pub fn even(&mut self, dbov: u8, frame: &mut [i16]) {
        self.learn(dbov);
        let wanted = self.spoken.map_or(0.0, |spoken| {
            (-f32::from(Self::TARGET_DBOV) - spoken).clamp(Self::RANGE.0, Self::RANGE.1)
        });
        self.gain += (wanted - self.gain).clamp(-Self::STEP.0, Self::STEP.1);
        let mut factor = 10.0_f32.powf(self.gain / 20.0);
        let peak = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        // No gain of ours clips anything: a sudden shout takes the gain back at once.
        let headroom = 32_767.0 / f32::from(peak.max(1));
        if factor > headroom.max(1.0) {
            factor = headroom.max(1.0);
            self.gain = 20.0 * factor.log10();
        }
        let from = self.factor.min(headroom.max(1.0));
        self.factor = factor;
        if (from, factor) == (1.0, 1.0) {
            return;
        }
        let mut present = from;
        let step = (factor - from) / f32::from(u16::try_from(frame.len().max(1)).unwrap_or(u16::MAX));
        for sample in frame {
            present += step;
            *sample = scaled(*sample, present);
        }
    }

    /// The gain in dB.
    #[must_use]
    pub const fn gain(&self) -> f32 {
        self.gain
    }

    fn learn(&mut self, dbov: u8) {
        let level = -f32::from(dbov);
        let is_speech =
            dbov <= Self::FLOOR_DBOV && self.spoken.is_none_or(|spoken| level > spoken - Self::BELOW_SPEECH);
        match &mut self.spoken {
            Some(spoken) if is_speech => *spoken += (level - *spoken) * Self::SHARE,
            // Whoever stays softer than he was for long is heard, too.
            Some(spoken) if dbov <= Self::FLOOR_DBOV => *spoken -= 0.02,
            None if is_speech => self.spoken = Some(level),
            _ => {}
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float-to-integer cast saturates, and what is left is limited"
)]
fn scaled(sample: i16, factor: f32) -> i16 {
    limit((f32::from(sample) * factor).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::measure;
    use crate::tone::Oscillator;

    /// The level, in -dBov, to which a tone so many times softer than usual is brought within 4 s.
    fn brought_to(tone: &mut Oscillator, loudness: &mut Loudness, divisor: i16) -> u8 {
        let mut frame = [0; 160];
        for _ in 0..200 {
            frame.iter_mut().for_each(|sample| *sample = tone.next_sample() / divisor);
            loudness.even(measure(&frame), &mut frame);
        }
        measure(&frame)
    }

    #[test]
    fn soft_and_loud_voices_come_to_one_loudness() {
        for divisor in [1, 2, 4, 8, 16] {
            let level = brought_to(&mut Oscillator::new(400, 8_000), &mut Loudness::default(), divisor);
            assert!(level.abs_diff(Loudness::TARGET_DBOV) <= 1, "1/{divisor}: -{level} dBov");
        }
        let level = brought_to(&mut Oscillator::new(400, 8_000), &mut Loudness::default(), 30);
        assert!((26..=28).contains(&level), "15 dB and no more: -{level} dBov");
    }

    #[test]
    fn noise_between_the_words_is_not_made_louder() {
        let (mut loudness, mut tone) = (Loudness::default(), Oscillator::new(400, 8_000));
        brought_to(&mut tone, &mut loudness, 4);
        let before = loudness.gain();
        let mut noise = [20_i16; 160];
        for _ in 0..500 {
            loudness.even(measure(&noise), &mut noise.clone());
        }
        noise.fill(20);
        assert!((loudness.gain() - before).abs() < 0.5);
        assert!(Loudness::default().gain() == 0.0);
        let mut silent = Loudness::default();
        (0..500).for_each(|_| silent.even(measure(&noise), &mut noise.clone()));
        assert!(silent.gain() == 0.0, "who has not spoken has no gain");
    }

    #[test]
    fn a_shout_is_not_clipped_and_the_gain_makes_no_steps() {
        let (mut loudness, mut tone) = (Loudness::default(), Oscillator::new(400, 8_000));
        brought_to(&mut tone, &mut loudness, 16);
        let mut shout: Vec<i16> = (0..160).map(|n| if n / 10 % 2 == 0 { 30_000 } else { -30_000 }).collect();
        loudness.even(measure(&shout), &mut shout);
        assert!(shout.iter().all(|&sample| (-32_767..=32_767).contains(&sample)), "{shout:?}");
        let (mut loudness, mut last) = (Loudness::default(), 1_000);
        for _ in 0..200 {
            let mut frame = [1_000_i16; 160];
            loudness.even(measure(&frame), &mut frame);
            for sample in frame {
                assert!((sample - last).abs() <= 30, "{last} to {sample}");
                last = sample;
            }
        }
    }
}
