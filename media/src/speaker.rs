//! Who is the active speaker of a room: the loudest voice, with enough hysteresis that a cough does not win.

use crate::level::SILENCE_DBOV;

/// A level that rises at once and falls slowly (50 dB per second), so that pauses between syllables do not count.
#[derive(Debug, Clone, Copy)]
pub struct HeldLevel(u8);

impl Default for HeldLevel {
    fn default() -> Self {
        Self(SILENCE_DBOV)
    }
}

impl HeldLevel {
    /// Takes this tick's level in -dBov and returns the held one.
    pub fn update(&mut self, dbov: u8) -> u8 {
        self.0 = dbov.min(self.0.saturating_add(1)).min(SILENCE_DBOV);
        self.0
    }

    /// The held level in -dBov.
    #[must_use]
    pub const fn dbov(self) -> u8 {
        self.0
    }
}

/// Chooses the active speaker of one room, tick by tick.
#[derive(Debug, Clone)]
pub struct SpeakerChoice<Id> {
    current: Option<Id>,
    challenger: Option<Id>,
    ticks: u16,
}

impl<Id> Default for SpeakerChoice<Id> {
    fn default() -> Self {
        Self { current: None, challenger: None, ticks: 0 }
    }
}

impl<Id: Copy + Ord> SpeakerChoice<Id> {
    /// A level that counts as speech.
    pub const SPEECH_DBOV: u8 = 50;
    /// How much louder than the active speaker a challenger must be, in dB.
    pub const MARGIN_DB: u8 = 6;
    /// How long, in ticks, a challenger must be that loud (300 ms).
    pub const CHALLENGE_TICKS: u16 = 15;
    /// How long somebody must speak after silence (100 ms).
    pub const FIRST_TICKS: u16 = 5;
    /// How long nobody speaks until there is no active speaker (2 s).
    pub const SILENT_TICKS: u16 = 100;

    /// Takes the held levels of all who may speak; returns the new choice if it changed.
    pub fn update(&mut self, levels: impl Iterator<Item = (Id, u8)>) -> Option<Option<Id>> {
        let (mut loudest, mut current_dbov) = (None, SILENCE_DBOV);
        for (id, dbov) in levels {
            if Some(id) == self.current {
                current_dbov = dbov;
            }
            if loudest.is_none_or(|(_, best)| dbov < best) {
                loudest = Some((id, dbov));
            }
        }
        let speaking = loudest.filter(|&(_, dbov)| dbov <= Self::SPEECH_DBOV);
        let next = match speaking {
            Some((id, _)) if Some(id) == self.current => self.current,
            Some((id, dbov)) if dbov.saturating_add(Self::MARGIN_DB) <= current_dbov => Some(id),
            Some(_) => self.current,
            None => None,
        };
        self.settle(next)
    }

    /// The present choice.
    #[must_use]
    pub const fn current(&self) -> Option<Id> {
        self.current
    }

    fn settle(&mut self, next: Option<Id>) -> Option<Option<Id>> {
        if next == self.current {
            self.ticks = 0;
            return None;
        }
        if next != self.challenger || self.ticks == 0 {
            self.challenger = next;
            self.ticks = 0;
        }
        self.ticks += 1;
        let needed = match (self.current, next) {
            (_, None) => Self::SILENT_TICKS,
            (None, Some(_)) => Self::FIRST_TICKS,
            (Some(_), Some(_)) => Self::CHALLENGE_TICKS,
        };
        if self.ticks < needed {
            return None;
        }
        self.ticks = 0;
        self.current = next;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `ticks` ticks of levels and returns the changes.
    fn feed(choice: &mut SpeakerChoice<u8>, ticks: u16, levels: &[(u8, u8)]) -> Vec<Option<u8>> {
        (0..ticks).filter_map(|_| choice.update(levels.iter().copied())).collect()
    }

    #[test]
    fn d49_the_loudest_becomes_the_speaker_after_a_moment() {
        let mut choice = SpeakerChoice::default();
        assert_eq!(feed(&mut choice, 4, &[(1, 30), (2, 40)]), []);
        assert_eq!(feed(&mut choice, 20, &[(1, 30), (2, 40)]), [Some(1)]);
    }

    #[test]
    fn d49_a_cough_or_an_equal_voice_changes_nothing() {
        let mut choice = SpeakerChoice::default();
        feed(&mut choice, 10, &[(1, 30), (2, 60)]);
        assert_eq!(feed(&mut choice, 10, &[(1, 30), (2, 10)]), [], "200 ms are a cough");
        assert_eq!(feed(&mut choice, 200, &[(1, 30), (2, 26)]), [], "4 dB are no lead");
        assert_eq!(feed(&mut choice, 15, &[(1, 30), (2, 24)]), [Some(2)]);
    }

    #[test]
    fn d49_after_two_seconds_of_silence_nobody_speaks() {
        let mut choice = SpeakerChoice::default();
        feed(&mut choice, 10, &[(1, 30)]);
        assert_eq!(feed(&mut choice, 99, &[(1, 100)]), []);
        assert_eq!(feed(&mut choice, 1, &[(1, 100)]), [None]);
        assert_eq!(feed(&mut choice, 100, &[]), []);
    }

    #[test]
    fn a_speaker_who_leaves_is_replaced() {
        let mut choice = SpeakerChoice::default();
        feed(&mut choice, 10, &[(1, 30), (2, 30)]);
        assert_eq!(feed(&mut choice, 15, &[(2, 30)]), [Some(2)]);
    }

    #[test]
    fn a_held_level_rises_at_once_and_falls_slowly() {
        let mut held = HeldLevel::default();
        assert_eq!([held.update(20), held.update(127), held.update(127), held.update(10)], [20, 21, 22, 10]);
    }
}
