//! Who picked up: what a host is shown, and what stays in the record (I50). It decides nothing.

use crate::vocabulary::{CallState, UnixMillis};
use media::answer::AnswerSummary;
use serde::{Deserialize, Serialize};

/// The evidence of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// From the INVITE to the answer, in ms. A voicemail box answers after its full ring time, or at once.
    pub answered_after_ms: Option<u64>,
    /// How long the first words of the callee took, in ms; a person says a word or two.
    pub greeting_ms: Option<u32>,
    /// How long the callee spoke in all before the key, in ms.
    pub speech_ms: Option<u32>,
    /// A beep was heard.
    pub beep: bool,
    /// The key pressed at the gate.
    pub key: Option<char>,
    /// From the answer to the key, in ms.
    pub key_after_ms: Option<u64>,
    /// When the INVITE was sent.
    #[serde(skip)]
    dialled_at: Option<UnixMillis>,
    /// When it was answered.
    #[serde(skip)]
    answered_at: Option<UnixMillis>,
}

impl Evidence {
    /// The call has entered a state.
    pub(super) fn entered(&mut self, state: CallState, at: UnixMillis) {
        if state == CallState::Dialling {
            self.dialled_at = Some(at);
        }
        if state == CallState::Answered {
            self.answered_at = Some(at);
            self.answered_after_ms = self.dialled_at.map(|dialled| at.0.saturating_sub(dialled.0));
        }
    }

    /// This was heard of the callee so far.
    pub(super) fn heard(&mut self, summary: AnswerSummary) {
        self.greeting_ms = Some(summary.greeting_ms);
        self.speech_ms = Some(summary.speech_ms);
        self.beep |= summary.beep;
    }

    /// The callee pressed a key that counts.
    pub(super) fn pressed(&mut self, key: char, at: UnixMillis) {
        self.key = Some(key);
        self.key_after_ms = self.answered_at.map(|answered| at.0.saturating_sub(answered.0));
    }

    /// The same in words, for the call's trail.
    pub fn words(&self) -> String {
        let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        let mut words = Vec::new();
        words.extend(self.answered_after_ms.map(|ms| format!("answered after {}", seconds(ms))));
        words.extend(self.greeting_ms.map(|ms| format!("greeting of {}", seconds(u64::from(ms)))));
        words.push(if self.beep { "beep heard" } else { "no beep" }.to_owned());
        words.push(match (self.key, self.key_after_ms) {
            (Some(key), Some(ms)) => format!("key {key} after {}", seconds(ms)),
            (Some(key), None) => format!("key {key}"),
            (None, _) => "no key".to_owned(),
        });
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i50_evidence_is_told_in_words() {
        let mut evidence = Evidence::default();
        evidence.entered(CallState::Dialling, UnixMillis(1_000));
        evidence.entered(CallState::Answered, UnixMillis(7_250));
        let summary = AnswerSummary { quiet_ms: 300, greeting_ms: 4_100, speech_ms: 4_000, beep: true };
        evidence.heard(summary);
        assert_eq!(evidence.words(), "answered after 6.2 s, greeting of 4.1 s, beep heard, no key");
        evidence.pressed('1', UnixMillis(9_350));
        assert_eq!(
            evidence.words(),
            "answered after 6.2 s, greeting of 4.1 s, beep heard, key 1 after 2.1 s"
        );
    }
}
