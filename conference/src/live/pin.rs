//! PINs keyed in by phone.

use crate::live::refusal::{Refusal, RefusalKind};
use std::fmt;

/// The fewest digits of a PIN.
pub const PIN_MIN: usize = 4;
/// The most digits of a PIN.
pub const PIN_MAX: usize = 10;
/// So many equal or neighbouring digits in a row are too many.
const RUN: usize = 3;

/// Digits that let somebody in by phone. It is never printed, neither by `Debug` nor in a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin(String);

impl Pin {
    /// A PIN as somebody chose it.
    ///
    /// # Errors
    /// Invalid when it is not 4 to 10 digits, or easy to guess: three equal digits in a row, three that count up or
    /// down, or one group repeated (I14).
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(PIN_MIN..=PIN_MAX).contains(&text.len()) {
            return Err(Refusal::new(RefusalKind::Invalid, "a PIN has 4 to 10 digits")
                .field("pin")
                .mend("Choose 4 to 10 digits"));
        }
        if is_easy(text) {
            return Err(Refusal::new(RefusalKind::Invalid, "this PIN is easy to guess")
                .field("pin")
                .mend("Choose digits without runs (123, 321) and repeats (111, 1212)"));
        }
        Ok(Self(text.to_owned()))
    }

    /// A PIN of `length` digits made from random numbers, of which `draw` yields one at a time. Easy ones are drawn
    /// again.
    pub fn draw(length: usize, mut draw: impl FnMut() -> u64) -> Self {
        let length = length.clamp(PIN_MIN, PIN_MAX);
        loop {
            // 64 bits over at most 10^10 values: the bias is below 10^-9.
            let digits: String = format!("{:020}", draw()).chars().rev().take(length).collect();
            if let Ok(pin) = Self::parse(&digits) {
                return pin;
            }
        }
    }

    /// The digits, for the screen of whoever may see them and for the sealed column.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody keyed in exactly this.
    pub fn is(&self, keyed: &str) -> bool {
        self.0 == keyed
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(hidden)")
    }
}

/// Three equal or neighbouring digits in a row, or one group of digits repeated.
fn is_easy(text: &str) -> bool {
    let digits: Vec<i8> = text.bytes().filter_map(|byte| i8::try_from(byte).ok()).collect();
    let steady = |step: i8| {
        digits.windows(RUN).any(|run| run.windows(2).all(|pair| matches!(pair, [a, b] if b - a == step)))
    };
    let repeats = |size: usize| {
        digits.len() > size
            && digits.len().is_multiple_of(size)
            && digits.chunks(size).all(|group| digits.starts_with(group))
    };
    [0, 1, -1].into_iter().any(steady) || (1..=PIN_MAX / 2).any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i14_pins_with_runs_and_repeats_are_refused() {
        for easy in ["1234", "1111", "4321", "9876", "1212", "123123", "5000", "7012", "482482", "66601"] {
            let refusal = Pin::parse(easy).unwrap_err();
            assert_eq!(refusal.field, Some("pin"), "{easy}");
            assert!(refusal.detail.contains("easy"), "{easy}");
        }
        for wrong in ["", "12", "479", "12345678901", "48a1", "４８１６"] {
            assert!(Pin::parse(wrong).is_err(), "{wrong}");
        }
        for good in ["4816", "1357", "90284615", "2580"] {
            assert!(Pin::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn i14_drawn_pins_are_never_easy_and_never_printed() {
        let mut number = 0_u64;
        let mut next = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            number
        };
        for length in [4, 6, 8] {
            let pin = Pin::draw(length, &mut next);
            assert_eq!(pin.as_str().len(), length);
            assert!(Pin::parse(pin.as_str()).is_ok());
            assert!(!format!("{pin:?}").contains(pin.as_str()));
        }
        let mut draws = [1111_u64, 12_340_000_000, 4816].into_iter();
        assert!(Pin::draw(4, || draws.next().unwrap()).is("6184"), "easy ones are drawn again");
    }
}
