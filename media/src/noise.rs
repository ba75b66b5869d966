//! Comfort noise (RFC 3389), receiving side: white noise at the level the sender measured. Its spectrum is passed
//! over.

/// Makes noise of one level.
#[derive(Debug, Clone)]
pub struct ComfortNoise {
    /// Peak of the evenly distributed samples; 0 is silence.
    peak: i32,
    state: u32,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self { peak: 0, state: 0x2545_F491 }
    }
}

impl ComfortNoise {
    /// The loudest noise made, in -dBov: nobody needs comfort louder than this.
    const LOUDEST: u8 = 40;

    /// Takes a payload: from now on the noise has its level.
    pub fn set(&mut self, payload: &[u8]) {
        let level = payload.first().map_or(127, |byte| byte & 0x7F).max(Self::LOUDEST);
        // Evenly distributed samples have a peak of sqrt(3) times their root mean square.
        let peak = 32_768.0 * 3_f64.sqrt() * 10_f64.powf(-f64::from(level) / 20.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most 568")]
        let peak = peak.round() as i32;
        self.peak = peak;
    }

    /// Speech goes on: silence is silence again.
    pub const fn clear(&mut self) {
        self.peak = 0;
    }

    /// Fills a piece of sound.
    pub fn fill(&mut self, samples: &mut [i16]) {
        if self.peak == 0 {
            samples.fill(0);
        } else {
            samples.iter_mut().for_each(|sample| *sample = self.next_sample());
        }
    }

    /// The next sample.
    pub fn next_sample(&mut self) -> i16 {
        if self.peak == 0 {
            return 0;
        }
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [high, low, ..] = self.state.to_be_bytes();
        let random = i32::from(i16::from_be_bytes([high, low]));
        i16::try_from(random * self.peak / 32_768).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::measure;

    fn level(payload: &[u8]) -> u8 {
        let mut noise = ComfortNoise::default();
        noise.set(payload);
        let samples: Vec<i16> = (0..8_000).map(|_| noise.next_sample()).collect();
        measure(&samples)
    }

    #[test]
    fn noise_has_the_level_that_was_sent_but_is_never_loud() {
        for dbov in [40, 50, 60, 70] {
            assert!(level(&[dbov, 1, 2]).abs_diff(dbov) <= 1, "{dbov}: {}", level(&[dbov]));
        }
        assert!(level(&[0]) >= 39);
        assert_eq!([level(&[127]), level(&[])], [127, 127]);
    }
}
