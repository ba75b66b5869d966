//! The conversation with somebody who dials in: meeting id, PIN, and in (I12). A machine without clock, sockets or
//! knowledge of meetings.
//!
//! ```text
//! start -> meeting id, # -> PIN, # -> in
//!             |  ^           |  ^
//!             wrong          wrong        three times: goodbye
//! ```
//! Whoever is slow is not pushed: a pause between keys may last [`BETWEEN_KEYS`]. A key ends what is being said.
//! `*` throws away what was keyed in; before the first key it changes the language.

use crate::live::speech::{Language, Part, PromptId, Utterance};
use std::time::Duration;

/// How long nothing may be keyed in after a question before it is asked again.
pub const BEFORE_KEYS: Duration = Duration::from_secs(12);
/// How long a pause between two keys may be; then what was keyed in counts as finished.
pub const BETWEEN_KEYS: Duration = Duration::from_secs(12);
/// How long the whole conversation may last.
pub const WHOLE: Duration = Duration::from_secs(240);
/// How long the last words may take.
pub const LAST_WORDS: Duration = Duration::from_secs(8);
/// How often a wrong id, a wrong PIN or silence is met with the question again.
pub const TRIES: u8 = 3;
/// More keys than any id or PIN has.
const KEYS: usize = 24;

/// The deadlines of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IvrTimer {
    /// Nothing was keyed in.
    Silence,
    /// No further key came.
    Digits,
    /// It has lasted long enough.
    Whole,
    /// The last words must be over.
    LastWords,
    /// An answer that was held back is due: somebody is guessing.
    Verdict,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The caller can hear us.
    Start,
    /// A key.
    Key(char),
    /// What was said has been said to its end.
    Spoken,
    /// A deadline has come.
    Timer(IvrTimer),
    /// The answer to [`Action::Meeting`] or [`Action::Pin`].
    Verdict(Verdict),
}

/// What has become of an id or a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is such a meeting, and it wants a PIN.
    PinWanted,
    /// Not known, or not right.
    Wrong,
    /// The caller is in; the conversation is over.
    In,
    /// The caller may not come in; these words say why.
    Refused(PromptId),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Say this.
    Say(Utterance),
    /// Stop saying it.
    Hush,
    /// Start a deadline from now.
    Arm(IvrTimer, Duration),
    /// Forget a deadline.
    Disarm(IvrTimer),
    /// Look for the meeting of this id.
    Meeting(String),
    /// See whether this PIN lets the caller in.
    Pin(String),
    /// BYE.
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Meeting,
    Pin,
    /// The last words are being said.
    Leaving,
    Over,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Ivr {
    language: Language,
    stage: Stage,
    keyed: String,
    /// An id or PIN is being looked at.
    waits: bool,
    wrong: u8,
    silent: u8,
}

impl Ivr {
    /// Begins with the question for the meeting id.
    pub fn new(language: Language) -> Self {
        Self { language, stage: Stage::Meeting, keyed: String::new(), waits: false, wrong: 0, silent: 0 }
    }

    /// Begins with the question for the PIN: the caller has dialled the meeting's own number.
    pub fn for_pin(language: Language) -> Self {
        Self { stage: Stage::Pin, ..Self::new(language) }
    }

    /// The language spoken now.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Takes what happened and says what to do.
    pub fn handle(&mut self, input: Input) -> Vec<Action> {
        match (self.stage, input) {
            (Stage::Over, _) => Vec::new(),
            (Stage::Leaving, Input::Spoken | Input::Timer(IvrTimer::LastWords)) => self.hang_up(),
            (Stage::Leaving, _) => Vec::new(),
            (_, Input::Start) => {
                let mut actions = vec![Action::Arm(IvrTimer::Whole, WHOLE)];
                actions.extend(self.ask(&[]));
                actions
            }
            (_, Input::Key(key)) => self.key(key),
            (_, Input::Spoken) if self.keyed.is_empty() && !self.waits => {
                vec![Action::Arm(IvrTimer::Silence, BEFORE_KEYS)]
            }
            (_, Input::Timer(IvrTimer::Silence)) if !self.waits => self.silence(),
            (_, Input::Timer(IvrTimer::Digits)) => self.submit(),
            (_, Input::Timer(IvrTimer::Whole)) => self.leave(&[PromptId::HeardNothing]),
            (_, Input::Verdict(verdict)) => self.verdict(verdict),
            (_, Input::Spoken | Input::Timer(_)) => Vec::new(),
        }
    }

    fn key(&mut self, key: char) -> Vec<Action> {
        if self.waits {
            return Vec::new();
        }
        let mut actions = vec![Action::Hush, Action::Disarm(IvrTimer::Silence)];
        self.silent = 0;
        match key {
            '0'..='9' if self.keyed.len() < KEYS => {
                self.keyed.push(key);
                actions.push(Action::Arm(IvrTimer::Digits, BETWEEN_KEYS));
            }
            '#' => actions.extend(self.submit()),
            '*' => {
                if self.keyed.is_empty() {
                    self.language = self.language.other();
                }
                self.keyed.clear();
                actions.push(Action::Disarm(IvrTimer::Digits));
                actions.extend(self.ask(&[]));
            }
            _ => {}
        }
        actions
    }

    fn submit(&mut self) -> Vec<Action> {
        let mut actions = vec![Action::Disarm(IvrTimer::Digits)];
        if self.keyed.is_empty() {
            actions.extend(self.ask(&[]));
            return actions;
        }
        self.waits = true;
        let keyed = std::mem::take(&mut self.keyed);
        actions.push(if self.stage == Stage::Pin { Action::Pin(keyed) } else { Action::Meeting(keyed) });
        actions
    }

    fn verdict(&mut self, verdict: Verdict) -> Vec<Action> {
        if !std::mem::take(&mut self.waits) {
            return Vec::new();
        }
        match verdict {
            Verdict::In => {
                self.stage = Stage::Over;
                [IvrTimer::Silence, IvrTimer::Digits, IvrTimer::Whole].map(Action::Disarm).to_vec()
            }
            Verdict::PinWanted => {
                self.stage = Stage::Pin;
                self.wrong = 0;
                self.ask(&[])
            }
            Verdict::Refused(why) => self.leave(&[why]),
            Verdict::Wrong => {
                let words =
                    if self.stage == Stage::Pin { PromptId::WrongPin } else { PromptId::NoSuchMeeting };
                self.wrong += 1;
                if self.wrong >= TRIES { self.leave(&[words]) } else { self.ask(&[words]) }
            }
        }
    }

    fn silence(&mut self) -> Vec<Action> {
        self.silent += 1;
        if self.silent >= TRIES { self.leave(&[PromptId::HeardNothing]) } else { self.ask(&[]) }
    }

    /// The question of the stage, after these words. What the caller speaks may be the other language: it is told how
    /// to change, in that language.
    fn ask(&self, before: &[PromptId]) -> Vec<Action> {
        let mut parts: Vec<Part> = before.iter().copied().map(Part::Prompt).collect();
        if self.stage == Stage::Pin {
            parts.push(Part::Prompt(PromptId::EnterPin));
        } else {
            parts.push(Part::Prompt(PromptId::EnterMeeting));
            parts.push(Part::PromptIn(self.language.other(), PromptId::ForThisLanguage));
        }
        vec![Action::Disarm(IvrTimer::Silence), Action::Say(Utterance::recorded(self.language, parts))]
    }

    fn leave(&mut self, words: &[PromptId]) -> Vec<Action> {
        self.stage = Stage::Leaving;
        let words = words.iter().copied().chain([PromptId::Goodbye]);
        let utterance = Utterance::recorded(self.language, words.map(Part::Prompt).collect());
        let mut actions = [IvrTimer::Silence, IvrTimer::Digits, IvrTimer::Whole].map(Action::Disarm).to_vec();
        actions.push(Action::Say(utterance));
        actions.push(Action::Arm(IvrTimer::LastWords, LAST_WORDS));
        actions
    }

    fn hang_up(&mut self) -> Vec<Action> {
        self.stage = Stage::Over;
        vec![Action::Disarm(IvrTimer::LastWords), Action::HangUp]
    }
}

#[cfg(test)]
#[path = "tests/ivr.rs"]
mod tests;
