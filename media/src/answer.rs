//! What is heard of somebody who has picked up: how long a greeting is, and whether a machine beeps after it.
//!
//! A person says a word or two and waits; a voicemail box speaks for seconds and beeps. This is evidence for a host
//! and never a verdict: nobody is let in or kept out by it.

use crate::level;

/// What was heard so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerSummary {
    /// How long it was quiet before the first word, in ms; until then, how long it has been quiet.
    pub quiet_ms: u32,
    /// How long the first words took, pauses of less than [`AnswerObserver::PAUSE_MS`] included, in ms.
    pub greeting_ms: u32,
    /// How long there was speech in all, in ms.
    pub speech_ms: u32,
    /// A beep was heard: a single steady tone, then quiet.
    pub beep: bool,
}

/// Listens to one phone, frame by frame.
#[derive(Debug, Clone, Default)]
pub struct AnswerObserver {
    summary: AnswerSummary,
    reported: AnswerSummary,
    ticks: u32,
    stage: Stage,
    beep: BeepDetector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing was said yet.
    #[default]
    Quiet,
    /// The first words go on; it has been quiet for so long, in ms.
    Greeting(u32),
    /// They are over.
    Over,
}

impl AnswerObserver {
    /// A pause of this length ends the greeting.
    pub const PAUSE_MS: u32 = 800;
    /// A frame this loud is speech, in -dBov.
    const SPEECH_DBOV: u8 = 45;
    /// Length of a frame.
    const FRAME_MS: u32 = 20;
    /// Frames between two reports.
    const REPORT_EVERY: u32 = 250;

    /// Takes 20 ms of sound at `hz` samples per second; gives the summary when it is worth telling: every five seconds
    /// while it changes, and at once when a greeting ends or a beep is heard.
    pub fn hear(&mut self, frame: &[i16], hz: u32) -> Option<AnswerSummary> {
        let dbov = level::measure(frame);
        let heard_beep = self.beep.hear(frame, hz, dbov) && !self.summary.beep;
        self.summary.beep |= heard_beep;
        let was = self.stage;
        self.follow(dbov <= Self::SPEECH_DBOV);
        let ended = was != self.stage && self.stage == Stage::Over;
        self.ticks += 1;
        let due = self.ticks >= Self::REPORT_EVERY;
        if due {
            self.ticks = 0;
        }
        let news = heard_beep || ended || due;
        if !news || self.summary == self.reported {
            return None;
        }
        self.reported = self.summary;
        Some(self.summary)
    }

    /// What was heard so far.
    #[must_use]
    pub const fn summary(&self) -> AnswerSummary {
        self.summary
    }

    fn follow(&mut self, speaks: bool) {
        if speaks {
            self.summary.speech_ms += Self::FRAME_MS;
        }
        match (self.stage, speaks) {
            (Stage::Quiet, false) => self.summary.quiet_ms += Self::FRAME_MS,
            (Stage::Quiet, true) => {
                self.summary.greeting_ms = Self::FRAME_MS;
                self.stage = Stage::Greeting(0);
            }
            (Stage::Greeting(pause), true) => {
                self.summary.greeting_ms += pause + Self::FRAME_MS;
                self.stage = Stage::Greeting(0);
            }
            (Stage::Greeting(pause), false) if pause + Self::FRAME_MS >= Self::PAUSE_MS => {
                self.stage = Stage::Over;
            }
            (Stage::Greeting(pause), false) => self.stage = Stage::Greeting(pause + Self::FRAME_MS),
            (Stage::Over, _) => {}
        }
    }
}

/// Finds a single steady tone of 100 to 1500 ms with quiet after it. Speech is never that pure for that long.
#[derive(Debug, Clone, Default)]
struct BeepDetector {
    run: Option<Run>,
    /// A tone of the right length has ended: this many frames are left in which it must become quiet, and the tone's
    /// level.
    ended: Option<(u8, u8)>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    hz: f32,
    dbov: u8,
    frames: u16,
}

impl BeepDetector {
    const FRAMES: std::ops::RangeInclusive<u16> = 5..=75;
    const HZ: std::ops::RangeInclusive<f32> = 350.0..=2_600.0;
    /// A tone softer than this is line noise, in -dBov.
    const SOFTEST_DBOV: u8 = 45;
    /// How far two frames of one tone may be apart, in Hz.
    const DRIFT_HZ: f32 = 30.0;
    /// How much quieter it is after a beep, in dB.
    const DROP_DB: u8 = 12;
    /// Frames in which it must have become quiet.
    const PATIENCE: u8 = 5;

    /// Says whether a beep has just ended.
    fn hear(&mut self, frame: &[i16], hz: u32, dbov: u8) -> bool {
        let tone = if dbov <= Self::SOFTEST_DBOV { pure_tone(frame, hz) } else { None };
        let tone = tone.filter(|hz| Self::HZ.contains(hz));
        match (&mut self.run, tone) {
            (Some(run), Some(hz)) if (run.hz - hz).abs() <= Self::DRIFT_HZ => {
                run.frames = run.frames.saturating_add(1);
                return false;
            }
            _ => {}
        }
        if let Some(run) = self.run.take()
            && Self::FRAMES.contains(&run.frames)
        {
            self.ended = Some((Self::PATIENCE, run.dbov));
        }
        self.run = tone.map(|hz| Run { hz, dbov, frames: 1 });
        self.becomes_quiet(dbov)
    }

    fn becomes_quiet(&mut self, dbov: u8) -> bool {
        let Some((left, tone)) = self.ended else { return false };
        let quiet = dbov >= tone.saturating_add(Self::DROP_DB);
        self.ended = if quiet || left == 0 { None } else { Some((left - 1, tone)) };
        quiet
    }
}

/// The frequency of a frame that is one sine and nothing else.
///
/// A sine obeys `x[n] + x[n-2] = 2 cos(w) x[n-1]`; the least-squares cosine leaves nearly nothing unexplained only if the
/// frame is a sine.
fn pure_tone(frame: &[i16], hz: u32) -> Option<f32> {
    let (mut product, mut square, mut total) = (0.0_f64, 0.0_f64, 0.0_f64);
    for window in frame.windows(3) {
        let [before, middle, after] = window else { continue };
        let (sum, middle) = (f64::from(*before) + f64::from(*after), f64::from(*middle));
        product += sum * middle;
        square += middle * middle;
        total += sum * sum;
    }
    if square < 1.0 || total < 1.0 {
        return None;
    }
    let twice_cosine = product / square;
    let unexplained = total - twice_cosine * product;
    let cosine = twice_cosine / 2.0;
    // What is left of a sine coded as G.711 is its noise, 35 dB below.
    let is_pure = unexplained < 0.004 * square && cosine.abs() < 1.0 && is_even(frame);
    is_pure.then(|| frequency(cosine, hz))
}

/// Whether a frame is as loud at its end as at its beginning: two tones close to each other swell and fall.
fn is_even(frame: &[i16]) -> bool {
    let quarters = frame.chunks((frame.len() / 4).max(1)).take(4);
    let energies = quarters.map(|part| part.iter().map(|&s| u64::from(s.unsigned_abs()).pow(2)).sum::<u64>());
    let (least, most) = energies.fold((u64::MAX, 0), |(least, most), one| (least.min(one), most.max(one)));
    most <= least.saturating_mul(2)
}

#[expect(clippy::cast_possible_truncation, reason = "a frequency in Hz fits a float")]
fn frequency(cosine: f64, hz: u32) -> f32 {
    (cosine.acos() / std::f64::consts::TAU * f64::from(hz)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Language, PromptId, PromptSet};
    use crate::sample::Rate;
    use crate::tone::Oscillator;

    fn tone(hz: u32, ms: usize) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hz, 8_000);
        (0..ms * 8).map(|_| oscillator.next_sample()).collect()
    }

    fn coded(samples: &[i16]) -> Vec<i16> {
        let (mut bytes, mut back) = (vec![0; samples.len()], vec![0; samples.len()]);
        crate::codec::Codec::Pcmu.encode(samples, &mut bytes);
        crate::codec::Codec::Pcmu.decode(&bytes, &mut back);
        back
    }

    fn summary(samples: &[i16]) -> AnswerSummary {
        let mut observer = AnswerObserver::default();
        coded(samples).chunks(160).for_each(|frame| {
            observer.hear(frame, 8_000);
        });
        observer.summary()
    }

    fn speech(prompt: PromptId) -> Vec<i16> {
        PromptSet::default().get(Language::English, prompt).samples(Rate::Narrow).to_vec()
    }

    #[test]
    fn i50_a_voicemail_greets_long_and_beeps() {
        for (hz, ms) in [(1_000, 200), (440, 1_000), (1_400, 400), (2_100, 500)] {
            let quiet = vec![0; 8_000];
            let call = [&vec![0; 4_000][..], &speech(PromptId::Help), &quiet, &tone(hz, ms), &quiet].concat();
            let heard = summary(&call);
            assert!(heard.beep, "{hz} Hz for {ms} ms");
            assert!(heard.greeting_ms > 4_000, "{heard:?}");
            assert!((400..800).contains(&heard.quiet_ms), "{heard:?}");
        }
    }

    #[test]
    fn i50_a_person_says_a_word_and_waits() {
        let call = [&vec![0; 4_000][..], &speech(PromptId::Goodbye), &vec![0; 16_000]].concat();
        let heard = summary(&call);
        assert!((200..1_500).contains(&heard.greeting_ms), "{heard:?}");
        assert!(!heard.beep);
    }

    #[test]
    fn no_prompt_in_no_language_sounds_like_a_beep() {
        for language in Language::ALL {
            for prompt in PromptId::ALL.into_iter().filter(|prompt| prompt.file(language).is_some()) {
                let recording = PromptSet::default().get(language, prompt);
                let call = [recording.samples(Rate::Narrow), &vec![0; 8_000]].concat();
                assert!(!summary(&call).beep, "{language:?} {prompt:?}");
            }
        }
    }

    #[test]
    fn a_tone_that_does_not_end_or_goes_on_as_speech_is_no_beep() {
        assert!(!summary(&tone(440, 4_000)).beep, "it does not end");
        assert!(!summary(&[tone(440, 3_000), vec![0; 8_000]].concat()).beep, "a tone of three seconds");
        let two: Vec<i16> = tone(440, 500).iter().zip(tone(480, 500)).map(|(a, b)| a / 2 + b / 2).collect();
        assert!(!summary(&[two, vec![0; 8_000]].concat()).beep, "ring-back is two tones");
        assert!(!summary(&[tone(440, 40), vec![0; 8_000]].concat()).beep, "a click");
    }

    #[test]
    fn a_summary_is_told_when_it_changes_and_not_more_than_needed() {
        let mut observer = AnswerObserver::default();
        let call = [tone(700, 600), vec![0; 40_000]].concat();
        let told = call.chunks(160).filter_map(|frame| observer.hear(frame, 8_000)).count();
        assert!((1..=3).contains(&told), "{told}");
    }
}
