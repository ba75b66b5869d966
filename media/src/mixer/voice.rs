//! One voice during one tick, at its own rate and, where somebody needs it, at the other one.

use std::fmt;

use crate::resample::{ResampleError, Resampler};
use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate};

/// A frame of 20 ms, decoded once and converted at most once per tick.
pub struct Voice {
    rate: Rate,
    narrow: [i16; NARROW_FRAME],
    full: [i16; FULL_FRAME],
    converter: Option<Box<Resampler>>,
    converted: bool,
    /// The converter has heard something since it was last reset.
    warm: bool,
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
        Self { rate, narrow, full, converter: None, converted: false, warm: false }
    }

    /// Makes conversion to the other rate possible; allocates, so it is done when a leg enters a room.
    ///
    /// # Errors
    /// When the resampler cannot be made.
    pub fn enable_conversion(&mut self) -> Result<(), ResampleError> {
        if self.converter.is_none() {
            let to = match self.rate {
                Rate::Narrow => Rate::Full,
                Rate::Full => Rate::Narrow,
            };
            self.converter = Some(Box::new(Resampler::new(self.rate.hz(), to.hz())?));
        }
        Ok(())
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

    /// The frame at one rate; at the other rate it is valid once the voice was added to a mix that needs it.
    #[must_use]
    pub fn at(&self, rate: Rate) -> &[i16] {
        match rate {
            Rate::Narrow => self.narrow.as_slice(),
            Rate::Full => self.full.as_slice(),
        }
    }

    /// Converts to the other rate unless that was done this tick; says whether it was done now.
    pub(super) fn convert(&mut self) -> bool {
        if self.converted {
            return false;
        }
        self.converted = true;
        self.warm = true;
        let Some(converter) = &mut self.converter else { return false };
        match self.rate {
            Rate::Narrow => converter.process(&self.narrow, &mut self.full),
            Rate::Full => converter.process(&self.full, &mut self.narrow),
        }
        true
    }

    /// The voice was not mixed this tick: what is left of it in the converter must not be heard later.
    pub fn rest(&mut self) {
        if self.warm {
            self.warm = false;
            if let Some(converter) = &mut self.converter {
                converter.reset();
            }
            match self.rate {
                Rate::Narrow => self.full.fill(0),
                Rate::Full => self.narrow.fill(0),
            }
        }
    }
}
