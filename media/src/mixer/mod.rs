//! The mixing kernel (the media-mixing mixer of RFC 7667 section 3.6.1): a sum per rate, minus each listener's own
//! voice, limited once.
//!
//! One tick is: [`Mixer::begin`], [`Mixer::add`] for every active voice, [`Mixer::mix`] for every listener. The
//! kernel knows no rights, codecs or packets: who is active and who listens is its caller's plan.

mod pool;
mod voice;

#[cfg(test)]
mod tests;

pub use pool::ConverterPool;
pub use voice::Voice;

use crate::sample::{FULL_FRAME, NARROW_FRAME, Rate, limit};

/// Which rates some listener needs this tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Somebody listens at 8 kHz.
    pub narrow: bool,
    /// Somebody listens at 48 kHz.
    pub full: bool,
}

impl Rates {
    /// Whether `rate` is needed.
    #[must_use]
    pub const fn contains(self, rate: Rate) -> bool {
        match rate {
            Rate::Narrow => self.narrow,
            Rate::Full => self.full,
        }
    }

    /// Adds a listener's rate.
    pub const fn insert(&mut self, rate: Rate) {
        match rate {
            Rate::Narrow => self.narrow = true,
            Rate::Full => self.full = true,
        }
    }
}

/// The sums of one room's active voices in one tick.
#[derive(Debug)]
pub struct Mixer {
    needed: Rates,
    narrow: Box<[i32; NARROW_FRAME]>,
    full: Box<[i32; FULL_FRAME]>,
    voices: usize,
    conversions: u64,
}

impl Default for Mixer {
    fn default() -> Self {
        Self {
            needed: Rates::default(),
            narrow: Box::new([0; NARROW_FRAME]),
            full: Box::new([0; FULL_FRAME]),
            voices: 0,
            conversions: 0,
        }
    }
}

impl Mixer {
    /// Begins a tick for listeners at the rates of `needed`.
    pub fn begin(&mut self, needed: Rates) {
        self.needed = needed;
        if self.voices > 0 {
            self.narrow.fill(0);
            self.full.fill(0);
            self.voices = 0;
        }
    }

    /// Adds one active voice to the sums; converts it at most once, and only if somebody needs the other rate.
    pub fn add(&mut self, voice: &mut Voice) {
        self.voices += 1;
        for rate in [Rate::Narrow, Rate::Full] {
            if !self.needed.contains(rate) {
                continue;
            }
            if rate != voice.rate() && voice.convert() {
                self.conversions += 1;
            }
            let total: &mut [i32] = match rate {
                Rate::Narrow => self.narrow.as_mut_slice(),
                Rate::Full => self.full.as_mut_slice(),
            };
            add(total, voice.at(rate));
        }
    }

    /// Whether a listener hears nothing at all: there is no voice but perhaps his own.
    #[must_use]
    pub const fn is_silent(&self, speaks_himself: bool) -> bool {
        self.voices == 0 || (self.voices == 1 && speaks_himself)
    }

    /// What one listener hears: all voices without his own, and `over` (a prompt) on top.
    ///
    /// `own` is the listener's voice as it was added this tick; `None` if it was not.
    pub fn mix(&self, rate: Rate, own: Option<&Voice>, over: Option<&[i16]>, mix: &mut [i16]) {
        let total = self.total(rate);
        let own = own.map_or::<&[i16], _>(&[], |voice| voice.at(rate));
        mix_minus(total, own, over.unwrap_or_default(), mix);
    }

    /// The plain sum at one rate.
    #[must_use]
    pub fn total(&self, rate: Rate) -> &[i32] {
        match rate {
            Rate::Narrow => self.narrow.as_slice(),
            Rate::Full => self.full.as_slice(),
        }
    }

    /// How many voices were converted to another rate since the mixer was made.
    #[must_use]
    pub const fn conversions(&self) -> u64 {
        self.conversions
    }
}

/// Adds a voice to a sum; 65,536 voices at full deflection still fit.
fn add(total: &mut [i32], voice: &[i16]) {
    for (sum, &sample) in total.iter_mut().zip(voice) {
        // Wrapping, so that the compiler may add several at once; see above why it never wraps.
        *sum = sum.wrapping_add(i32::from(sample));
    }
}

/// Sum minus own plus over, limited once. `own` is empty or whole; `over` may end early.
fn mix_minus(total: &[i32], own: &[i16], over: &[i16], mix: &mut [i16]) {
    // The frequent forms are plain loops, which the compiler makes wide.
    if own.is_empty() && over.is_empty() {
        mix.iter_mut().zip(total).for_each(|(out, &sum)| *out = limit(sum));
    } else if over.is_empty() {
        for ((out, &sum), &own) in mix.iter_mut().zip(total).zip(own) {
            *out = limit(sum.wrapping_sub(i32::from(own)));
        }
    } else {
        let own = own.iter().copied().chain(std::iter::repeat(0));
        let over = over.iter().copied().chain(std::iter::repeat(0));
        for (((out, &sum), own), over) in mix.iter_mut().zip(total).zip(own).zip(over) {
            *out = limit(sum - i32::from(own) + i32::from(over));
        }
    }
}
