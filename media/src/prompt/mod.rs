//! Everything the service says and plays by itself: spoken prompts in two languages, hold music and chimes.
//!
//! | module | what |
//! |---|---|
//! | [`id`] | the list of prompts and their names |
//! | [`ogg`] | reads the recordings that are compiled in |
//! | [`synth`] | makes the music and the chimes |
//! | [`wav`] | reads recordings that replace ours |
//!
//! `media/prompts/make.sh` speaks the recordings again. A recording is decoded when it is first asked for, which
//! takes milliseconds: ask where no tick waits, and hand the worker what is ready ([`crate::worker::Source`]).

pub mod id;
pub mod ogg;
pub mod synth;
pub mod wav;

pub use id::{Language, PromptId};

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use crate::resample::{ResampleError, Resampler};
use crate::sample::Rate;

/// One recording at both mix rates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
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
        Self::from_samples(wav.rate, &wav.samples).map_err(|_| wav::WavError::Rate(wav.rate))
    }

    /// Takes samples at any rate that is a multiple of 50 Hz and converts them to both rates.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn from_samples(rate: u32, samples: &[i16]) -> Result<Self, ResampleError> {
        let at = |wanted: Rate| Resampler::convert(rate, wanted.hz(), samples);
        Ok(Self { narrow: at(Rate::Narrow)?, full: at(Rate::Full)? })
    }

    /// Reads an Ogg Opus file (RFC 7845) with one channel.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn from_ogg(file: &[u8]) -> Result<Self, ogg::OggError> {
        let stream = ogg::OpusStream::parse(file)?;
        Ok(Self { narrow: stream.decode(Rate::Narrow)?, full: stream.decode(Rate::Full)? })
    }

    /// Silence of this length.
    #[must_use]
    pub fn silence(ms: u16) -> Self {
        let samples = |rate: Rate| vec![0; rate.frame() * usize::from(ms) / 20];
        Self { narrow: samples(Rate::Narrow), full: samples(Rate::Full) }
    }
}

type Table = BTreeMap<(Language, PromptId), OnceLock<Arc<Recording>>>;

/// Our own recordings, each decoded once per process, on first use.
static OWN: LazyLock<Table> = LazyLock::new(|| {
    let all = Language::ALL.into_iter().flat_map(|language| PromptId::ALL.map(|prompt| (language, prompt)));
    all.map(|key| (key, OnceLock::new())).collect()
});

/// The recordings in use: our own, but for those that the installation has replaced.
#[derive(Debug, Default, Clone)]
pub struct PromptSet {
    replaced: BTreeMap<(Language, PromptId), Arc<Recording>>,
}

impl PromptSet {
    /// Puts another recording in the place of ours.
    pub fn replace(&mut self, language: Language, prompt: PromptId, recording: Recording) {
        self.replaced.insert((language, prompt), Arc::new(recording));
    }

    /// One recording. The first call for it takes milliseconds: make it where no tick waits.
    #[must_use]
    pub fn get(&self, language: Language, prompt: PromptId) -> Arc<Recording> {
        self.replaced.get(&(language, prompt)).map_or_else(|| own(language, prompt), Arc::clone)
    }

    /// Whether [`Self::get`] has nothing to decode.
    #[must_use]
    pub fn is_ready(&self, language: Language, prompt: PromptId) -> bool {
        let key = (language, prompt);
        self.replaced.contains_key(&key) || OWN.get(&key).is_some_and(|own| own.get().is_some())
    }
}

fn own(language: Language, prompt: PromptId) -> Arc<Recording> {
    let Some(cell) = OWN.get(&(language, prompt)) else { return Arc::default() };
    // The files are compiled in and every one is read by a test: a silent prompt here cannot reach a release.
    let make = || match prompt.file(language) {
        Some(file) => Recording::from_ogg(file).unwrap_or_default(),
        None => synth::recording(prompt).unwrap_or_default(),
    };
    Arc::clone(cell.get_or_init(|| Arc::new(make())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d50_every_prompt_is_readable_and_audible_at_both_rates() {
        let set = PromptSet::default();
        for language in Language::ALL {
            for prompt in PromptId::ALL {
                if let Some(file) = prompt.file(language) {
                    Recording::from_ogg(file).unwrap();
                }
                let recording = set.get(language, prompt);
                let (narrow, full) = (recording.samples(Rate::Narrow), recording.samples(Rate::Full));
                let is_music = prompt == PromptId::HoldMusic;
                let longest = if is_music { 8_000 * 40 } else { 8_000 * 16 };
                assert!(
                    narrow.len() > 2_000 && narrow.len() < longest,
                    "{prompt:?}: {} samples",
                    narrow.len()
                );
                assert!(full.len().abs_diff(narrow.len() * 6) < 12, "{prompt:?}");
                let (at_narrow, at_full) = (crate::level::measure(narrow), crate::level::measure(full));
                assert!((15..38).contains(&at_narrow), "{prompt:?} speaks at -{at_narrow} dBov");
                assert!(at_narrow.abs_diff(at_full) <= 2, "{prompt:?}: -{at_narrow}, -{at_full} dBov");
            }
        }
    }

    #[test]
    fn a_replaced_prompt_is_the_installations_own() {
        let mut set = PromptSet::default();
        set.replace(Language::English, PromptId::Goodbye, Recording::silence(100));
        assert_eq!(set.get(Language::English, PromptId::Goodbye).samples(Rate::Narrow), [0; 800]);
        assert_ne!(set.get(Language::French, PromptId::Goodbye).samples(Rate::Narrow), [0; 800]);
    }

    #[test]
    fn every_prompt_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = PromptId::ALL.iter().map(|prompt| prompt.name()).collect();
        assert_eq!(names.len(), PromptId::ALL.len());
        for prompt in PromptId::ALL {
            assert_eq!(PromptId::from_name(prompt.name()), Some(prompt));
        }
    }
}
