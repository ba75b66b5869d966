//! Small rooms of phones: every voice is taken in right after it has come, and every listener is sent his mix right
//! after the last of the voices he hears was taken in. Each does so once in 20 ms, at a step of his own.
//!
//! In a room of three that saves whoever hears two of them the wait for the third, who is himself. It costs a sum for
//! each listener instead of one for all, so large rooms, where most only listen, tick as one.
//!
//! Between two packets to a listener every voice is taken in exactly once: nothing is heard twice or left out. What
//! would break that is done only with voices that are silent or have just begun.

use std::time::Instant;

use crate::mixer::Rates;

use super::align::{Aligner, Waiting};
use super::leg::SharedMixes;
use super::room::Room;
use super::schedule::Schedule;
use super::{Outbox, STEP};

/// The next steps of one leg.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turns {
    /// Its voice is taken in.
    pub(super) voice: u64,
    /// It is sent what it hears.
    pub(super) ear: u64,
}

impl Turns {
    /// How many steps before `to` the turn at `from` comes, whatever the number of ticks between.
    fn between(from: u64, to: u64) -> i64 {
        to.wrapping_sub(from).cast_signed().rem_euclid(Aligner::TICK)
    }
}

impl Room {
    /// The largest room whose listeners have steps of their own.
    const SMALL: usize = 4;

    /// Legs came or went: looks whether everybody has steps of his own now.
    pub(super) fn choose_manner(&mut self, max_voices: usize) {
        let small = self.legs.len() <= Self::SMALL.min(max_voices) && self.browsers == 0;
        if small && !self.is_apart {
            let next = self.next_step;
            self.legs.iter_mut().for_each(|leg| leg.turns = Turns { voice: next, ear: next });
        }
        self.is_apart = small;
    }

    /// A step in which somebody has his turn.
    pub(super) fn tick_apart(&mut self, step: u64, now: Instant, out: &mut Outbox) {
        self.take_plans(now, out);
        self.take_voices_in(step, now, out);
        for at in 0..self.legs.len() {
            if self.legs.get(at).is_some_and(|leg| leg.turns.ear <= step) {
                self.send_mix_to(at, step, now, out);
            }
        }
        let next = self.legs.iter().map(|leg| leg.turns.ear).min();
        self.next_step = next.unwrap_or(step + Schedule::STEPS).max(step + 1);
    }

    /// Takes in the voices whose turn has come since the last step, as if that had been done in time.
    fn take_voices_in(&mut self, step: u64, now: Instant, out: &mut Outbox) {
        for leg in self.legs.iter_mut().filter(|leg| leg.turns.voice <= step) {
            let late = u32::try_from(step - leg.turns.voice).unwrap_or(0);
            leg.turns.voice = (leg.turns.voice + Schedule::STEPS).max(step + 1);
            leg.begin_tick(now.checked_sub(STEP * late).unwrap_or(now), out);
            leg.was_mixed = leg.is_mixed;
            leg.is_mixed = leg.is_active;
            if !leg.is_mixed {
                self.converters.take_back(&mut leg.voice);
                continue;
            }
            self.converters.lend(&mut leg.voice);
            if !leg.was_mixed {
                leg.voice.fade_in();
            }
        }
    }

    fn send_mix_to(&mut self, at: usize, step: u64, now: Instant, out: &mut Outbox) {
        let Some(listener) = self.legs.get(at) else { return };
        let mut needed = Rates::default();
        needed.insert(listener.listening_rate());
        let before = self.mixer.conversions();
        self.mixer.begin(needed);
        if listener.listens() {
            let others = self.legs.iter_mut().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others.filter(|(_, other)| other.is_mixed && other.may_speak()) {
                self.mixer.add(&mut other.voice);
            }
        }
        out.conversions += self.mixer.conversions() - before;
        self.hand_aside(at);
        let Some(listener) = self.legs.get_mut(at) else { return };
        let mut unshared = SharedMixes::new(&mut [], None);
        listener.end_tick(now, &self.mixer, false, &mut unshared, out);
        listener.turns.ear = step + Schedule::STEPS;
        let is_time = listener.aligner.is_time();
        if at == 0 {
            self.choose_speaker(out);
        }
        if is_time {
            self.align_voice(at);
            self.align_ear(at);
        }
    }

    /// Moves the turn of a voice to where it has just come.
    fn align_voice(&mut self, at: usize) {
        let Some(leg) = self.legs.get(at).filter(|leg| leg.may_speak()) else { return };
        let Some(waiting) = leg.waiting() else { return };
        let turn = leg.turns.voice;
        let mut earlier = Aligner::earlier(&[waiting]);
        for (_, other) in self.legs.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            let ahead = Turns::between(turn, other.turns.ear);
            if earlier < 0 {
                // Whoever hears this voice waits for it.
                let push = (-earlier - ahead).max(0);
                other.turns.ear = other.turns.ear.saturating_add_signed(push);
            } else if !waiting.may_cross {
                // One tick before, at the same distance, is the packet this voice must not come into.
                earlier = earlier.min(Aligner::TICK - ahead - 1);
            }
        }
        if let Some(leg) = self.legs.get_mut(at) {
            leg.turns.voice = turn.saturating_add_signed(-earlier);
        }
    }

    /// Moves the turn of a listener to where those he hears have just come: those who speak, or all in silence.
    fn align_ear(&mut self, at: usize) {
        let Some(turn) = self.legs.get(at).map(|leg| leg.turns.ear) else { return };
        let others = || self.legs.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, leg)| leg);
        let is_heard = others().any(|leg| leg.is_active);
        self.waiting.clear();
        for other in others().filter(|leg| leg.may_speak() && (leg.is_active || !is_heard)) {
            if let Some(waiting) = other.waiting() {
                self.waiting.push(Waiting { ms: Turns::between(other.turns.voice, turn), ..waiting });
            }
        }
        let earlier = Aligner::earlier_without_guard(&self.waiting);
        if let Some(leg) = self.legs.get_mut(at) {
            leg.turns.ear = turn.saturating_add_signed(-earlier);
        }
    }
}
