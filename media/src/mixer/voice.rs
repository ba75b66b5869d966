//! One voice during one tick, at its own rate and, where somebody needs it, at the other one.

use std::fmt;

use crate::resample::Resampler;
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate, limit};

/// A frame of 20 ms, decoded once and converted at most once per tick.
pub struct Voice {
    rate: Rate,
    narrow: [i16; NARROW_FRAME],
    full: [i16; FULL_FRAME],
    /// With the rate it converts from.
    converter: Option<(Rate, Resampler)>,
    converted: bool,
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Voice {
    /// A silent voice at its own rate.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        let (narrow, full) = ([0; NARROW_FRAME], [0; FULL_FRAME]);
        Self { rate, narrow, full, converter: None, converted: false }
    }

    /// Whether the voice can be converted to the other rate.
    #[must_use]
    pub const fn has_converter(&self) -> bool {
        self.converter.is_some()
    }

    /// Lends the voice a fresh converter from its own rate to the other one.
    pub fn lend(&mut self, converter: Resampler) {
        self.converter = Some((self.rate, converter));
    }

    /// The voice goes on at this rate.
    pub fn set_rate(&mut self, rate: Rate) {
        if rate != self.rate {
            self.rate = rate;
            self.converted = false;
            self.narrow.fill(0);
            self.full.fill(0);
        }
    }

    /// Whether the converter is one from another rate than the voice's own.
    #[must_use]
    pub fn has_wrong_converter(&self) -> bool {
        self.converter.as_ref().is_some_and(|(from, _)| *from != self.rate)
    }

    /// Takes the converter back, fresh, with the rate it converts from; the voice's frame at the other rate is silent from now on.
    pub fn take_back(&mut self) -> Option<(Rate, Resampler)> {
        let (from, mut converter) = self.converter.take()?;
        converter.reset();
        self.converted = false;
        match self.rate {
            Rate::Narrow => self.full.fill(0),
            Rate::Full => self.narrow.fill(0),
        }
        Some((from, converter))
    }

    /// The voice's own rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The frame at the voice's own rate, to be filled in at the beginning of a tick.
    pub fn frame_mut(&mut self) -> &mut [i16] {
        self.converted = false;
        match self.rate {
            Rate::Narrow => self.narrow.as_mut_slice(),
            Rate::Full => self.full.as_mut_slice(),
        }
    }

    /// The voice comes into the mix in this tick: it begins softly, without a click.
    pub fn fade_in(&mut self) {
        // 5 ms.
        let length = self.rate.frame() / 4;
        let whole = i32::try_from(length.max(1)).unwrap_or(i32::MAX);
        for (sample, gain) in self.frame_mut().iter_mut().take(length).zip(0_i32..) {
            *sample = limit(i32::from(*sample) * gain / whole);
        }
    }

    /// The frame at one rate; at the other rate it is valid once the voice was added to a mix that needs it.
    #[must_use]
    pub fn at(&self, rate: Rate) -> &[i16] {
        match rate {
            Rate::Narrow => self.narrow.as_slice(),
            Rate::Full => self.full.as_slice(),
        }
    }

    /// Converts to the other rate unless that was done this tick; says whether it was done now.
    pub(crate) fn convert(&mut self) -> bool {
        if self.converted {
            return false;
        }
        self.converted = true;
        let Some((_, converter)) = &mut self.converter else { return false };
        match self.rate {
            Rate::Narrow => converter.process(&self.narrow, &mut self.full),
            Rate::Full => converter.process(&self.full, &mut self.narrow),
        }
        true
    }
}
