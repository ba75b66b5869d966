//! One room: its legs, its mix and its active speaker.

use std::time::Instant;

use crate::mixer::{ConverterPool, Mixer, Rates};
use crate::resample::ResampleError;
use crate::sample::Rate;
use crate::speaker::SpeakerChoice;
use crate::webrtc::forwarder::Forwarder;

use super::Outbox;
use super::leg::{Leg, SharedMixes};
use super::opus_sender::SharedOpus;
use super::types::{Event, LegId, RoomId};

/// A room is never empty: it comes with its first leg and goes with its last.
pub(super) struct Room {
    id: RoomId,
    /// In order of their ids.
    legs: Vec<Leg>,
    /// How many of them are browsers: rooms without any have no timers to look for.
    pub(super) browsers: usize,
    mixer: Mixer,
    converters: ConverterPool,
    speaker: SpeakerChoice<LegId>,
    pub(super) forwarder: Forwarder<LegId>,
    /// For rooms with many browsers; comes with the first of them.
    shared_opus: Option<Box<SharedOpus>>,
    /// Active voices of this tick: level with a bonus for who was mixed already, and index.
    ranking: Vec<(u8, usize)>,
}

impl Room {
    /// How much louder a voice must be to push another one out of a full mix, in dB.
    const MIXED_BONUS_DB: u8 = 6;
    /// Browsers a room must have before those who only listen share an encoder. In a small meeting everybody
    /// speaks now and then, and his own encoder all the time is the simpler thing.
    const WORTH_SHARING: usize = 4;

    pub(super) fn new(id: RoomId) -> Self {
        Self {
            id,
            legs: Vec::new(),
            browsers: 0,
            mixer: Mixer::default(),
            converters: ConverterPool::default(),
            speaker: SpeakerChoice::default(),
            forwarder: Forwarder::new(),
            shared_opus: None,
            ranking: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, leg: Leg, max_voices: usize) -> Result<(), ResampleError> {
        self.browsers += usize::from(leg.webrtc().is_some());
        let at = self.legs.partition_point(|other| other.id < leg.id);
        self.legs.insert(at, leg);
        self.ranking.clear();
        self.ranking.reserve(self.legs.len());
        if self.shared_opus.is_none() && self.legs.iter().any(|leg| leg.rate() == Rate::Full) {
            // Without it everybody has an encoder of his own: more work, nothing worse.
            self.shared_opus = SharedOpus::new().ok().map(Box::new);
        }
        self.reserve_converters(max_voices)
    }

    /// As soon as a room has legs of both rates its voices can be converted, and not before.
    fn reserve_converters(&mut self, max_voices: usize) -> Result<(), ResampleError> {
        let count = |rate| self.legs.iter().filter(|leg| leg.rate() == rate).count();
        let (narrow, full) = (count(Rate::Narrow), count(Rate::Full));
        if narrow > 0 && full > 0 {
            self.converters.reserve(Rate::Narrow, narrow.min(max_voices))?;
            self.converters.reserve(Rate::Full, full.min(max_voices))?;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Instant, leg: LegId, out: &mut Outbox) {
        if let Ok(at) = self.legs.binary_search_by_key(&leg, |other| other.id) {
            let mut gone = self.legs.remove(at);
            self.browsers -= usize::from(gone.webrtc().is_some());
            gone.end(now, out);
            self.converters.take_back(&mut gone.voice);
            self.forwarder.leave(now, leg);
            self.forward_video(now, out);
        }
    }

    /// Takes a phone out without a word to it: it goes on in another room.
    pub(super) fn take(&mut self, leg: LegId) -> Option<Leg> {
        let at = self.legs.binary_search_by_key(&leg, |other| other.id).ok()?;
        self.legs.get(at).filter(|leg| leg.webrtc().is_none())?;
        let mut taken = self.legs.remove(at);
        self.converters.take_back(&mut taken.voice);
        taken.leave_room();
        Some(taken)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.legs.is_empty()
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
        self.choose_voices(max_voices);
        self.mix();
        if let Some(shared) = &mut self.shared_opus {
            shared.begin_tick();
        }
        let is_worth_sharing = self.browsers >= Self::WORTH_SHARING;
        let shared_opus = self.shared_opus.as_deref_mut().filter(|_| is_worth_sharing);
        let mut shared = SharedMixes::new(shared_opus);
        for leg in &mut self.legs {
            leg.end_tick(now, &self.mixer, &mut shared, out);
        }
        self.choose_speaker(out);
    }

    /// All plans that wait take effect together, before anything of this tick is decided.
    fn take_plans(&mut self, now: Instant, out: &mut Outbox) {
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

    /// How many voices were converted since the room came into being.
    pub(super) const fn conversions(&self) -> u64 {
        self.mixer.conversions()
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
        self.legs.iter().filter(|leg| leg.listens()).for_each(|leg| needed.insert(leg.rate()));
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

    fn choose_speaker(&mut self, out: &mut Outbox) {
        let speaking = self.legs.iter().filter(|leg| leg.may_speak());
        let changed = self.speaker.update(speaking.map(|leg| (leg.id, leg.held.dbov())));
        if let Some(leg) = changed {
            out.events.push(Event::ActiveSpeaker { room: self.id, leg });
        }
    }
}
