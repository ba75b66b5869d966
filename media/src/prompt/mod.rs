//! Spoken prompts: embedded wav files, ready as samples at both mix rates.
//!
//! `media/prompts/make.sh` speaks them again.

pub mod wav;

use std::sync::LazyLock;

use crate::resample::Resampler;
use crate::sample::Rate;

/// Which prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PromptId {
    /// "You are invited to a meeting. Press 1 to join."
    PressOneToJoin,
    /// "You are joining the meeting."
    Joining,
    /// "Goodbye."
    Goodbye,
}

impl PromptId {
    /// Every prompt, in the order of the variants.
    pub const ALL: [Self; 3] = [Self::PressOneToJoin, Self::Joining, Self::Goodbye];

    const fn file(self) -> &'static [u8] {
        match self {
            Self::PressOneToJoin => include_bytes!("../../prompts/press_one_to_join.wav"),
            Self::Joining => include_bytes!("../../prompts/joining.wav"),
            Self::Goodbye => include_bytes!("../../prompts/goodbye.wav"),
        }
    }
}

/// One recording at both mix rates.
#[derive(Debug, Default)]
pub struct Recording {
    narrow: Vec<i16>,
    full: Vec<i16>,
}

impl Recording {
    /// The samples at one rate.
    #[must_use]
    pub fn samples(&self, rate: Rate) -> &[i16] {
        match rate {
            Rate::Narrow => &self.narrow,
            Rate::Full => &self.full,
        }
    }

    /// Reads a wav file and converts it to both rates.
    ///
    /// # Errors
    /// Names what is wrong with the file.
    pub fn from_wav(file: &[u8]) -> Result<Self, wav::WavError> {
        let wav = wav::parse(file)?;
        let at = |rate: Rate| {
            Resampler::convert(wav.rate, rate.hz(), &wav.samples).map_err(|_| wav::WavError::Rate(wav.rate))
        };
        Ok(Self { narrow: at(Rate::Narrow)?, full: at(Rate::Full)? })
    }
}

/// All embedded prompts; converted once per process, on first use.
#[derive(Debug)]
pub struct PromptTable([Recording; PromptId::ALL.len()]);

static SHARED: LazyLock<PromptTable> = LazyLock::new(|| {
    // The files are compiled in and every one is read by a test: a silent prompt here cannot reach a release.
    PromptTable(PromptId::ALL.map(|prompt| Recording::from_wav(prompt.file()).unwrap_or_default()))
});

impl PromptTable {
    /// The table all workers share. The first call takes some milliseconds: make it where no tick waits.
    #[must_use]
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// One prompt.
    #[must_use]
    pub fn get(&self, prompt: PromptId) -> &Recording {
        let [press_one_to_join, joining, goodbye] = &self.0;
        match prompt {
            PromptId::PressOneToJoin => press_one_to_join,
            PromptId::Joining => joining,
            PromptId::Goodbye => goodbye,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d50_every_prompt_is_readable_and_audible_at_both_rates() {
        for prompt in PromptId::ALL {
            Recording::from_wav(prompt.file()).unwrap();
            let recording = PromptTable::shared().get(prompt);
            let (narrow, full) = (recording.samples(Rate::Narrow), recording.samples(Rate::Full));
            assert!(
                narrow.len() > 4_000 && narrow.len() < 80_000,
                "{prompt:?} lasts {} samples",
                narrow.len()
            );
            assert!(full.len().abs_diff(narrow.len() * 6) < 12);
            let (at_narrow, at_full) = (crate::level::measure(narrow), crate::level::measure(full));
            assert!((15..35).contains(&at_narrow), "{prompt:?} speaks at -{at_narrow} dBov");
            assert!(at_narrow.abs_diff(at_full) <= 1);
        }
    }
}
