//! One room: its legs, its mix and its active speaker.

use std::time::Instant;

use crate::mixer::{ConverterPool, Mixer, Rates};
use crate::resample::ResampleError;
use crate::sample::Rate;
use crate::speaker::SpeakerChoice;
use crate::webrtc::forwarder::Forwarder;

use super::Outbox;
use super::align::{Aligner, Waiting};
use super::apart::Turns;
use super::g722_sender::SharedG722;
use super::leg::{Leg, SharedMixes};
use super::opus_sender::SharedOpus;
use super::schedule::Schedule;
use super::types::{Event, LegId, RoomId};

/// A room is never empty: it comes with its first leg and goes with its last.
pub(super) struct Room {
    pub(super) id: RoomId,
    /// The step of its next tick.
    pub(super) next_step: u64,
    /// In order of their ids.
    pub(super) legs: Vec<Leg>,
    /// Every leg has steps of its own.
    pub(super) is_apart: bool,
    /// Somebody hears another leg aside, or did.
    pub(super) hears_aside: bool,
    /// How many of them are browsers: rooms without any have no timers to look for.
    pub(super) browsers: usize,
    pub(super) mixer: Mixer,
    pub(super) converters: ConverterPool,
    speaker: SpeakerChoice<LegId>,
    pub(super) forwarder: Forwarder<LegId>,
    /// One for each way in which somebody takes Opus.
    shared_opus: Vec<SharedOpus>,
    /// There while it is worth it.
    shared_g722: Option<Box<SharedG722>>,
    aligner: Aligner,
    /// How many steps the next tick should come earlier.
    earlier: i64,
    pub(super) waiting: Vec<Waiting>,
    /// Active voices of this tick: level with a bonus for who was mixed already, and index.
    ranking: Vec<(u8, usize)>,
}

impl Room {
    /// How much louder a voice must be to push another one out of a full mix, in dB.
    const MIXED_BONUS_DB: u8 = 6;

    pub(super) fn new(id: RoomId, next_step: u64) -> Self {
        Self {
            id,
            next_step,
            legs: Vec::new(),
            is_apart: false,
            hears_aside: false,
            browsers: 0,
            mixer: Mixer::default(),
            converters: ConverterPool::default(),
            speaker: SpeakerChoice::default(),
            forwarder: Forwarder::new(),
            shared_opus: Vec::new(),
            shared_g722: None,
            aligner: Aligner::default(),
            earlier: 0,
            waiting: Vec::new(),
            ranking: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, mut leg: Leg, max_voices: usize) -> Result<(), ResampleError> {
        self.browsers += usize::from(leg.webrtc().is_some());
        let at = self.legs.partition_point(|other| other.id < leg.id);
        leg.turns = Turns { voice: self.next_step, ear: self.next_step };
        self.legs.insert(at, leg);
        self.choose_manner(max_voices);
        self.ranking.clear();
        self.ranking.reserve(self.legs.len());
        self.waiting.clear();
        self.waiting.reserve(self.legs.len());
        self.reserve(max_voices)
    }

    /// Makes what the legs need together: shared encoders, and converters as soon as somebody listens at another
    /// rate than somebody may speak at. Allocates.
    pub(super) fn reserve(&mut self, max_voices: usize) -> Result<(), ResampleError> {
        self.count_listeners();
        for settings in self.legs.iter().filter_map(Leg::opus_settings) {
            // Without it everybody has an encoder of his own: more work, nothing worse.
            if !self.shared_opus.iter().any(|shared| shared.settings == settings)
                && let Ok(shared) = SharedOpus::new(settings)
            {
                self.shared_opus.push(shared);
            }
        }
        self.count_listeners();
        for (from, to) in [(Rate::Narrow, Rate::Full), (Rate::Full, Rate::Narrow)] {
            if self.legs.iter().any(|leg| leg.listening_rate() == to) {
                let voices = self.legs.iter().filter(|leg| leg.may_speak_at(from)).count();
                self.converters.reserve(from, voices.min(max_voices))?;
            }
        }
        Ok(())
    }

    fn count_listeners(&mut self) {
        for shared in &mut self.shared_opus {
            let alike = self.legs.iter().filter(|leg| leg.opus_settings() == Some(shared.settings));
            shared.listeners = alike.count();
        }
        let wide = self.legs.iter().filter(|leg| leg.takes_g722()).count();
        if wide < SharedMixes::WORTH_SHARING {
            self.shared_g722 = None;
        } else {
            self.shared_g722.get_or_insert_default();
        }
    }

    pub(super) fn remove(&mut self, now: Instant, leg: LegId, max_voices: usize, out: &mut Outbox) {
        if let Ok(at) = self.legs.binary_search_by_key(&leg, |other| other.id) {
            let mut gone = self.legs.remove(at);
            self.browsers -= usize::from(gone.webrtc().is_some());
            self.count_listeners();
            self.choose_manner(max_voices);
            gone.end(now, out);
            self.converters.take_back(&mut gone.voice);
            self.forwarder.leave(now, leg);
            self.forward_video(now, out);
        }
    }

    /// Takes a phone out without a word to it: it goes on in another room.
    pub(super) fn take(&mut self, leg: LegId, max_voices: usize) -> Option<Leg> {
        let at = self.legs.binary_search_by_key(&leg, |other| other.id).ok()?;
        self.legs.get(at).filter(|leg| leg.webrtc().is_none())?;
        let mut taken = self.legs.remove(at);
        self.count_listeners();
        self.choose_manner(max_voices);
        self.converters.take_back(&mut taken.voice);
        taken.leave_room();
        (taken.aside, taken.overheard) = (None, None);
        Some(taken)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// The leg at this place of [`Self::legs`], if it is the one expected there.
    pub(super) fn leg_at(&mut self, at: usize, leg: LegId) -> Option<&mut Leg> {
        self.legs.get_mut(at).filter(|found| found.id == leg)
    }

    pub(super) fn leg_mut(&mut self, leg: LegId) -> Option<&mut Leg> {
        let at = self.legs.binary_search_by_key(&leg, |other| other.id).ok()?;
        self.legs.get_mut(at)
    }

    pub(super) fn legs(&self) -> &[Leg] {
        &self.legs
    }

    pub(super) fn legs_mut(&mut self) -> &mut [Leg] {
        &mut self.legs
    }

    /// One mix tick of 20 ms.
    pub(super) fn tick(&mut self, now: Instant, max_voices: usize, out: &mut Outbox) {
        self.take_plans(now, out);
        for leg in &mut self.legs {
            leg.begin_tick(now, out);
        }
        if self.hears_aside {
            (0..self.legs.len()).for_each(|at| self.hand_aside(at));
        }
        self.choose_voices(max_voices);
        let before = self.mixer.conversions();
        self.mix();
        out.conversions += self.mixer.conversions() - before;
        self.shared_opus.iter_mut().for_each(SharedOpus::begin_tick);
        let mut g722 = self.shared_g722.as_deref_mut();
        if let Some(shared) = &mut g722 {
            shared.begin_tick();
        }
        let mut shared = SharedMixes::new(&mut self.shared_opus, g722);
        for leg in &mut self.legs {
            leg.end_tick(now, &self.mixer, true, &mut shared, out);
        }
        self.choose_speaker(out);
        if self.aligner.is_time() {
            self.align();
        }
    }

    /// What the room has to do in `step`, and when it is its turn again.
    pub(super) fn step(&mut self, step: u64, now: Instant, max_voices: usize, out: &mut Outbox) {
        if self.is_apart {
            return self.tick_apart(step, now, out);
        }
        self.tick(now, max_voices, out);
        let earlier = std::mem::take(&mut self.earlier);
        self.next_step = (step + Schedule::STEPS).saturating_add_signed(-earlier);
    }

    /// Looks how long the voices wait: those that are heard, or all while it is silent.
    fn align(&mut self) {
        let is_heard = self.legs.iter().any(|leg| leg.is_active);
        self.waiting.clear();
        let voices = self.legs.iter().filter(|leg| leg.may_speak() && (leg.is_active || !is_heard));
        self.waiting.extend(voices.filter_map(Leg::waiting));
        self.earlier = Aligner::earlier(&self.waiting);
    }

    /// All plans that wait take effect together, before anything of this tick is decided.
    pub(super) fn take_plans(&mut self, now: Instant, out: &mut Outbox) {
        let mut changed = false;
        for index in 0..self.legs.len() {
            let Some(leg) = self.legs.get_mut(index) else { return };
            let id = leg.id;
            if leg.take_plan() {
                self.apply_video_plan(now, id);
                changed = true;
            }
        }
        if changed {
            self.forward_video(now, out);
        }
    }

    /// Marks the loudest active voices, at most `max_voices`, as mixed.
    fn choose_voices(&mut self, max_voices: usize) {
        self.ranking.clear();
        for (index, leg) in self.legs.iter_mut().enumerate() {
            let bonus = if leg.is_mixed { Self::MIXED_BONUS_DB } else { 0 };
            leg.was_mixed = leg.is_mixed;
            leg.is_mixed = leg.is_active;
            if leg.is_active {
                self.ranking.push((leg.held.dbov().saturating_sub(bonus), index));
            }
        }
        if self.ranking.len() > max_voices {
            self.ranking.sort_unstable();
            for &(_, index) in self.ranking.iter().skip(max_voices) {
                if let Some(leg) = self.legs.get_mut(index) {
                    leg.is_mixed = false;
                }
            }
        }
    }

    fn mix(&mut self) {
        let mut needed = Rates::default();
        let listeners = self.legs.iter().filter(|leg| leg.listens());
        listeners.for_each(|leg| needed.insert(leg.listening_rate()));
        self.mixer.begin(needed);
        for leg in self.legs.iter_mut().filter(|leg| !leg.is_mixed) {
            self.converters.take_back(&mut leg.voice);
        }
        for leg in self.legs.iter_mut().filter(|leg| leg.is_mixed) {
            self.converters.lend(&mut leg.voice);
            if !leg.was_mixed {
                leg.voice.fade_in();
            }
            self.mixer.add(&mut leg.voice);
        }
    }

    pub(super) fn choose_speaker(&mut self, out: &mut Outbox) {
        let speaking = self.legs.iter().filter(|leg| leg.may_speak());
        let changed = self.speaker.update(speaking.map(|leg| (leg.id, leg.held.dbov())));
        if let Some(leg) = changed {
            out.events.push(Event::ActiveSpeaker { room: self.id, leg });
        }
    }
}
