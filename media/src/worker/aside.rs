//! Hearing aside: what comes from a phone that has no right to be heard reaches one ear alone. So a Host hears the ring-back
//! and the announcements of a call before its answer, and the meeting does not (early media, RFC 3960).

use crate::mixer::{ConverterPool, Voice};
use crate::resample::ResampleError;
use crate::sample::{FULL_FRAME, Rate};

use super::room::Room;
use super::types::LegId;

/// The ear: of whom it hears, and this tick of it.
pub(super) struct Aside {
    of: LegId,
    voice: Voice,
    converters: ConverterPool,
    is_heard: bool,
}

impl Aside {
    fn new(of: LegId) -> Result<Self, ResampleError> {
        let mut converters = ConverterPool::default();
        converters.reserve(Rate::Narrow, 1)?;
        converters.reserve(Rate::Full, 1)?;
        Ok(Self { of, voice: Voice::new(Rate::Narrow), converters, is_heard: false })
    }

    /// Takes the next tick of it, if there is one, for an ear of this rate.
    fn take(&mut self, tick: Option<(Rate, [i16; FULL_FRAME])>, ear: Rate) {
        self.is_heard = tick.is_some();
        let Some((rate, samples)) = tick else { return };
        self.voice.set_rate(rate);
        self.converters.lend(&mut self.voice);
        self.voice.frame_mut().iter_mut().zip(samples).for_each(|(to, from)| *to = from);
        if ear != rate {
            self.voice.convert();
        }
    }

    /// This tick at one rate, if anything is heard.
    pub(super) fn frame(&self, rate: Rate) -> Option<&[i16]> {
        self.is_heard.then(|| self.voice.at(rate))
    }
}

/// What a leg that is heard aside has said in this tick, before its rights make it silent.
pub(super) struct Overheard {
    rate: Rate,
    samples: [i16; FULL_FRAME],
    is_fresh: bool,
}

impl Default for Overheard {
    fn default() -> Self {
        Self { rate: Rate::Narrow, samples: [0; FULL_FRAME], is_fresh: false }
    }
}

impl Overheard {
    pub(super) fn keep(&mut self, rate: Rate, frame: &[i16]) {
        (self.rate, self.is_fresh) = (rate, true);
        self.samples.iter_mut().zip(frame).for_each(|(to, from)| *to = *from);
    }

    /// The leg may be heard by all: there is nothing to be heard aside.
    pub(super) const fn forget(&mut self) {
        self.is_fresh = false;
    }

    fn tick(&self) -> Option<(Rate, [i16; FULL_FRAME])> {
        self.is_fresh.then_some((self.rate, self.samples))
    }
}

impl Room {
    /// A leg begins to hear another one aside, or (`None`) ends it. Allocates.
    pub(super) fn overhear(&mut self, ear: LegId, of: Option<LegId>) {
        self.hears_aside = true;
        let Some(listener) = self.leg_mut(ear) else { return };
        let before = std::mem::take(&mut listener.aside).map(|aside| aside.of);
        // Without memory for a converter nothing is heard aside: the call goes on all the same.
        listener.aside = of.and_then(|of| Aside::new(of).ok()).map(Box::new);
        if let Some(source) = of.and_then(|of| self.leg_mut(of)) {
            source.overheard.get_or_insert_default();
        }
        let Some(before) = before.filter(|before| Some(*before) != of) else { return };
        let is_wanted =
            self.legs.iter().any(|leg| leg.aside.as_ref().is_some_and(|aside| aside.of == before));
        if let Some(source) = self.leg_mut(before).filter(|_| !is_wanted) {
            source.overheard = None;
        }
    }

    /// Hands a listener what he hears aside in this tick.
    pub(super) fn hand_aside(&mut self, at: usize) {
        let Some(of) = self.legs.get(at).and_then(|leg| leg.aside.as_ref()).map(|aside| aside.of) else {
            return;
        };
        let source = self.legs.binary_search_by_key(&of, |leg| leg.id).ok();
        let source = source.and_then(|source| self.legs.get(source)?.overheard.as_ref());
        let tick = source.and_then(|overheard| overheard.tick());
        let Some(listener) = self.legs.get_mut(at) else { return };
        let rate = listener.listening_rate();
        if let Some(aside) = &mut listener.aside {
            aside.take(tick, rate);
        }
    }
}
