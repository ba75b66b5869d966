//! Converters between the two rates, lent to voices while they are mixed.
//!
//! Making one takes a good part of a millisecond, so a room has as many as voices can be mixed at once and not one
//! per leg: a browser that joins a hundred phones must not cost a tick.

use crate::resample::{ResampleError, Resampler};
use crate::sample::Rate;

use super::Voice;

/// The converters of one room.
#[derive(Default)]
pub struct ConverterPool {
    up: Shelf,
    down: Shelf,
}

#[derive(Default)]
struct Shelf {
    free: Vec<Resampler>,
    made: usize,
}

impl ConverterPool {
    /// Makes sure that `count` voices of the rate `from` can be converted at once. Allocates.
    ///
    /// # Errors
    /// When a converter cannot be made.
    pub fn reserve(&mut self, from: Rate, count: usize) -> Result<(), ResampleError> {
        let to = match from {
            Rate::Narrow => Rate::Full,
            Rate::Full => Rate::Narrow,
        };
        let shelf = self.shelf(from);
        shelf.free.reserve(count.max(shelf.made));
        while shelf.made < count {
            shelf.free.push(Resampler::new(from.hz(), to.hz())?);
            shelf.made += 1;
        }
        Ok(())
    }

    /// A voice is about to be mixed: lends it a converter unless it has one or none is free.
    pub fn lend(&mut self, voice: &mut Voice) {
        if voice.has_wrong_converter() {
            self.take_back(voice);
        }
        if !voice.has_converter()
            && let Some(converter) = self.shelf(voice.rate()).free.pop()
        {
            voice.lend(converter);
        }
    }

    /// A voice is mixed no longer: takes its converter back, so that nothing of what is left in it is heard later.
    pub fn take_back(&mut self, voice: &mut Voice) {
        if let Some((from, converter)) = voice.take_back() {
            self.shelf(from).free.push(converter);
        }
    }

    const fn shelf(&mut self, from: Rate) -> &mut Shelf {
        match from {
            Rate::Narrow => &mut self.up,
            Rate::Full => &mut self.down,
        }
    }
}
