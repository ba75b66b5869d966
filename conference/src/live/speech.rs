//! What is spoken to one leg: prompts, numbers and free texts, put together in one of the two languages.

pub use media::prompt::{Language, PromptId};

use media::prompt::{PromptSet, Recording};
use media::worker::Source;
use std::sync::Arc;

/// A piece of an utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A recorded prompt in the utterance's language.
    Prompt(PromptId),
    /// A recorded prompt in another language.
    PromptIn(Language, PromptId),
    /// Words nobody has recorded: names and titles. They need a voice; see [`Utterance::otherwise`].
    Text(String),
    /// Quiet, in ms.
    Pause(u16),
}

/// Something said to one leg alone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Utterance {
    /// In which language.
    pub language: Language,
    /// What, in this order.
    pub parts: Vec<Part>,
    /// What instead, where no voice can speak the texts, or not in time. Holds no text itself.
    pub otherwise: Vec<Part>,
    /// Again and again, until something else is said.
    pub repeat: bool,
}

/// The longest text spoken, in characters: names and titles come from people.
const TEXT_LIMIT: usize = 120;

impl Utterance {
    /// Prompts, one after the other.
    pub fn prompts<const N: usize>(language: Language, prompts: [PromptId; N]) -> Self {
        Self { language, parts: prompts.map(Part::Prompt).to_vec(), ..Self::default() }
    }

    /// Parts that hold no text.
    pub fn recorded(language: Language, parts: Vec<Part>) -> Self {
        Self { language, parts, ..Self::default() }
    }

    /// Music for somebody who waits, after these words.
    pub fn music() -> Self {
        let parts = vec![Part::Prompt(PromptId::HoldMusic)];
        Self { parts, repeat: true, ..Self::default() }
    }

    /// The texts that need a voice.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Prompt(_) | Part::PromptIn(..) | Part::Pause(_) => None,
        })
    }

    /// The prompts in it, in either form.
    pub fn prompts_in_it(&self) -> impl Iterator<Item = (Language, PromptId)> {
        self.parts.iter().chain(&self.otherwise).filter_map(|part| match part {
            Part::Prompt(prompt) => Some((self.language, *prompt)),
            Part::PromptIn(language, prompt) => Some((*language, *prompt)),
            Part::Text(_) | Part::Pause(_) => None,
        })
    }

    /// What a media worker can play of it. If a text has no recording, [`Self::otherwise`] is played.
    pub fn source(&self, set: &PromptSet, voice: impl Fn(&str) -> Option<Arc<Recording>>) -> Source {
        let clip = |part: &Part| match part {
            Part::Prompt(prompt) => Some(set.get(self.language, *prompt)),
            Part::PromptIn(language, prompt) => Some(set.get(*language, *prompt)),
            Part::Text(text) => voice(text),
            Part::Pause(ms) => Some(Arc::new(Recording::silence(*ms))),
        };
        let whole: Option<Vec<_>> = self.parts.iter().map(clip).collect();
        let clips = whole.unwrap_or_else(|| self.otherwise.iter().filter_map(clip).collect());
        Source::Clips(clips.into())
    }
}

/// A text as it may be spoken: without control characters and marks that a voice would read as commands, and short.
pub fn text(words: &str) -> Part {
    let clean: String =
        words.chars().map(|c| if c.is_control() || "<>[]{}|\\^`~".contains(c) { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    Part::Text(clean.chars().take(TEXT_LIMIT).collect())
}

/// Who invites whom to what, for a voice to speak.
pub fn invites_you(language: Language, host: &str, title: &str) -> String {
    match (language, host.trim().is_empty()) {
        (Language::English, false) => format!("{host} invites you to {title}."),
        (Language::English, true) => format!("You are invited to {title}."),
        (Language::French, false) => format!("{host} vous invite à {title}."),
        (Language::French, true) => format!("Vous êtes invité à {title}."),
    }
}

/// Who called and why, for a voice to speak to somebody who calls back.
pub fn called_you(language: Language, host: &str, title: &str) -> String {
    match (language, host.trim().is_empty()) {
        (Language::English, false) => format!("{host} called you for {title}."),
        (Language::English, true) => format!("You were called for {title}."),
        (Language::French, false) => format!("{host} vous a appelé pour {title}."),
        (Language::French, true) => format!("On vous a appelé pour {title}."),
    }
}

/// A number from 0 to 999 in recorded words; larger ones are said digit by digit.
pub fn number(language: Language, number: usize) -> Vec<Part> {
    if number > 999 {
        let digits = number.to_string();
        return digits.bytes().flat_map(|digit| below_hundred(language, usize::from(digit - b'0'))).collect();
    }
    let (hundreds, rest) = (number / 100, number % 100);
    let mut parts = Vec::new();
    if hundreds > 0 {
        // French says "cent" and not "un cent".
        if hundreds > 1 || language == Language::English {
            parts.extend(below_hundred(language, hundreds));
        }
        parts.push(Part::Prompt(PromptId::Hundred));
    }
    if rest > 0 || hundreds == 0 {
        parts.extend(below_hundred(language, rest));
    }
    parts
}

fn below_hundred(language: Language, number: usize) -> Vec<Part> {
    if let Some(small) = SMALL.get(number) {
        return vec![Part::Prompt(*small)];
    }
    let (tens, ones) = (number / 10, number % 10);
    // French counts on from sixty and from eighty: 71 is sixty-eleven, 91 is eighty-eleven.
    let counts_on = language == Language::French && matches!(tens, 7 | 9) && ones > 0;
    let (tens, ones) = if counts_on { (tens - 1, ones + 10) } else { (tens, ones) };
    let mut parts = vec![Part::Prompt(TENS.get(tens).copied().unwrap_or(PromptId::Zero))];
    if ones > 0 {
        if language == Language::French && matches!(ones, 1 | 11) && tens < 8 {
            parts.push(Part::Prompt(PromptId::And));
        }
        parts.extend(SMALL.get(ones).copied().map(Part::Prompt));
    }
    parts
}

const SMALL: [PromptId; 21] = [
    PromptId::Zero,
    PromptId::One,
    PromptId::Two,
    PromptId::Three,
    PromptId::Four,
    PromptId::Five,
    PromptId::Six,
    PromptId::Seven,
    PromptId::Eight,
    PromptId::Nine,
    PromptId::Ten,
    PromptId::Eleven,
    PromptId::Twelve,
    PromptId::Thirteen,
    PromptId::Fourteen,
    PromptId::Fifteen,
    PromptId::Sixteen,
    PromptId::Seventeen,
    PromptId::Eighteen,
    PromptId::Nineteen,
    PromptId::Twenty,
];

const TENS: [PromptId; 10] = [
    PromptId::Zero,
    PromptId::Ten,
    PromptId::Twenty,
    PromptId::Thirty,
    PromptId::Forty,
    PromptId::Fifty,
    PromptId::Sixty,
    PromptId::Seventy,
    PromptId::Eighty,
    PromptId::Ninety,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(language: Language, value: usize) -> String {
        let name = |part: Part| match part {
            Part::Prompt(prompt) => prompt.name().to_owned(),
            other => format!("{other:?}"),
        };
        number(language, value).into_iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn i58_numbers_are_said_as_people_say_them() {
        let table = [
            (0, "n0", "n0"),
            (7, "n7", "n7"),
            (20, "n20", "n20"),
            (21, "n20 n1", "n20 and n1"),
            (34, "n30 n4", "n30 n4"),
            (70, "n70", "n70"),
            (71, "n70 n1", "n60 and n11"),
            (80, "n80", "n80"),
            (81, "n80 n1", "n80 n1"),
            (95, "n90 n5", "n80 n15"),
            (100, "n1 n100", "n100"),
            (217, "n2 n100 n17", "n2 n100 n17"),
            (1_024, "n1 n0 n2 n4", "n1 n0 n2 n4"),
        ];
        for (value, english, french) in table {
            assert_eq!(said(Language::English, value), english);
            assert_eq!(said(Language::French, value), french);
        }
    }

    #[test]
    fn texts_are_made_safe_to_speak() {
        assert_eq!(text("  Ana\u{7}\n <mark>  B. "), Part::Text("Ana mark B.".into()));
        let Part::Text(long) = text(&"x".repeat(1_000)) else { panic!("a text") };
        assert_eq!(long.len(), TEXT_LIMIT);
    }
}
