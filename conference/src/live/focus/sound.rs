//! What is said and played to one leg alone: answers to keys, last words, chimes, music for those who wait.
//!
//! Nothing of it reaches anybody else: it is no voice in the mix, and whoever hears it need not be in the meeting.

use super::{At, Effect, Focus};
use crate::ids::{MeetingId, PersonId};
use crate::live::call::Input;
use crate::live::speech::{Language, PromptId, Utterance};
use crate::vocabulary::LegKind;
use media::worker::{Command as MediaCommand, LegId, PlayingId};

/// What a leg hears beside the meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sound {
    /// Nothing.
    #[default]
    Quiet,
    /// A chime: the next thing takes its place.
    Chime,
    /// Words: no chime takes their place.
    Words,
    /// Music, until it is stopped.
    Music,
}

impl Focus {
    /// Says something to one leg, instead of what it was hearing.
    pub(super) fn say(&mut self, leg: LegId, utterance: Utterance) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.sound = if utterance.repeat { Sound::Music } else { Sound::Words };
        self.speak(leg, utterance);
    }

    /// Each thing that is said has its own number: the end of an earlier one, told late, is not the end of this one.
    fn speak(&mut self, leg: LegId, utterance: Utterance) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        self.last_playing += 1;
        entry.playing = PlayingId(self.last_playing);
        let (room, playing) = (entry.room, entry.playing);
        self.effect(Effect::Speak { leg, room, utterance, playing });
    }

    /// Says prompts to one leg in its own language.
    pub(super) fn tell<const N: usize>(&mut self, leg: LegId, prompts: [PromptId; N]) {
        let language = self.language_of(leg);
        self.say(leg, Utterance::prompts(language, prompts));
    }

    /// Says prompts to the phone of a person who is in.
    pub(super) fn tell_person<const N: usize>(
        &mut self,
        meeting: &MeetingId,
        person: &PersonId,
        prompts: [PromptId; N],
    ) {
        let row = self.meetings.get(meeting).and_then(|meeting| meeting.people.get(person));
        if let Some(leg) = row.and_then(|row| row.leg(LegKind::Sip)) {
            self.tell(leg, prompts);
        }
    }

    /// Stops what is being said or played to one leg.
    pub(super) fn hush(&mut self, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if entry.sound != Sound::Quiet {
            entry.sound = Sound::Quiet;
            self.leg_media(leg, MediaCommand::StopPlaying { leg });
        }
    }

    /// Music from now on, after these words, until [`Self::stop_music`]: for a phone that waits.
    pub(super) fn play_music(&mut self, leg: LegId, words: PromptId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.music = true;
        self.tell(leg, [words]);
    }

    /// The wait is over.
    pub(super) fn stop_music(&mut self, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if std::mem::take(&mut entry.music) {
            self.hush(leg);
        }
    }

    /// What was played to a leg is over, unless that was something before the latest.
    pub(super) fn played_out(&mut self, at: At, leg: LegId, playing: PlayingId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if entry.playing != playing || entry.sound == Sound::Quiet {
            return;
        }
        entry.sound = Sound::Quiet;
        if entry.parting {
            return self.finish_parting(at, leg);
        }
        if self.visit_spoken(at, leg) {
            return;
        }
        self.leg_call_input(at, leg, Input::PromptEnded);
        if self.legs.get(&leg).is_some_and(|entry| entry.music && entry.sound == Sound::Quiet) {
            self.say(leg, Utterance::music());
        }
    }

    /// Somebody has come or gone: a chime for the others who are in, unless the meeting is crowded (I57).
    pub(super) fn chime(&mut self, id: &MeetingId, chime: PromptId, except: &PersonId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        let settings = &meeting.spec.settings;
        let crowded = meeting.present() > usize::try_from(settings.chimes_up_to).unwrap_or(usize::MAX);
        if !settings.chimes || crowded || meeting.ending {
            return;
        }
        let others = meeting.people.values().filter(|row| row.spec.person != *except);
        let legs: Vec<LegId> = others.flat_map(|row| row.legs().map(|(_, leg)| leg)).collect();
        for leg in legs {
            let Some(entry) = self.legs.get_mut(&leg) else { continue };
            let listens = entry.admitted && entry.plan.receive_audio;
            if !listens || !matches!(entry.sound, Sound::Quiet | Sound::Chime) {
                continue;
            }
            entry.sound = Sound::Chime;
            self.speak(leg, Utterance::prompts(Language::default(), [chime]));
        }
    }

    /// The language a leg is spoken to in: what its caller has chosen, or its tenant's.
    pub(super) fn language_of(&self, leg: LegId) -> Language {
        let Some(entry) = self.legs.get(&leg) else { return Language::default() };
        entry.language.unwrap_or_else(|| {
            let tenant = self.meetings.get(&entry.meeting).map(|meeting| &meeting.spec.tenant);
            tenant.and_then(|tenant| self.languages.get(tenant)).copied().unwrap_or_default()
        })
    }
}
