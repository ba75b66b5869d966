//! The keypad menu of somebody who is in a meeting by phone (I58): a star, then a key.
//!
//! | keys | who | what |
//! |---|---|---|
//! | `*0` | everybody | how many are in, and who |
//! | `*1` | everybody | what the keys do |
//! | `*5` | everybody | raise or lower the hand |
//! | `*6` | everybody | mute or unmute oneself |
//! | `*2` | Hosts | mute everybody else |
//! | `*3` | Hosts | lock or open the meeting |
//! | `*4` | Hosts | let in everybody who waits |
//! | `*9` `*9` | Hosts | end the meeting for everybody |
//!
//! Other keys mean nothing, and are heard by nobody.

use std::time::{Duration, Instant};

/// How long after the star its key may come.
pub const AFTER_STAR: Duration = Duration::from_secs(5);
/// How long after the first `*9` the second one may come.
pub const AFTER_NINE: Duration = Duration::from_secs(15);

/// What somebody asks for by keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `*0`
    WhoIsHere,
    /// `*1`
    Help,
    /// `*2`
    MuteAll,
    /// `*3`
    Lock,
    /// `*4`
    AdmitAll,
    /// `*5`
    Hand,
    /// `*6`
    Mute,
    /// `*9`, for the first time
    AboutToEnd,
    /// `*9`, again
    End,
}

impl Wish {
    /// Whether only a Host may ask for it.
    pub fn is_hosts(self) -> bool {
        match self {
            Self::WhoIsHere | Self::Help | Self::Hand | Self::Mute => false,
            Self::MuteAll | Self::Lock | Self::AdmitAll | Self::AboutToEnd | Self::End => true,
        }
    }
}

/// The keys of one leg so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keypad {
    star: Option<Instant>,
    nine: Option<Instant>,
}

impl Keypad {
    /// Takes a key; says what it asks for, if it is the end of something.
    pub fn press(&mut self, now: Instant, key: char) -> Option<Wish> {
        if key == '*' {
            self.star = Some(now);
            return None;
        }
        let starred = self.star.take().is_some_and(|at| now.saturating_duration_since(at) <= AFTER_STAR);
        if !starred {
            return None;
        }
        let nine = self.nine.take();
        Some(match key {
            '0' => Wish::WhoIsHere,
            '1' => Wish::Help,
            '2' => Wish::MuteAll,
            '3' => Wish::Lock,
            '4' => Wish::AdmitAll,
            '5' => Wish::Hand,
            '6' => Wish::Mute,
            '9' if nine.is_some_and(|at| now.saturating_duration_since(at) <= AFTER_NINE) => Wish::End,
            '9' => {
                self.nine = Some(now);
                Wish::AboutToEnd
            }
            _ => return None,
        })
    }
}

/// By which way a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPath {
    /// With the sound: RFC 4733, or as a tone.
    Media,
    /// By INFO.
    Signalling,
}

/// Knows a key that comes by both ways for one: some phones send each key twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFilter(Option<(char, KeyPath, Instant)>);

impl KeyFilter {
    /// Within this time the same key by the other way is the same press.
    const TWIN: Duration = Duration::from_millis(600);

    /// Whether this is a press of its own.
    pub fn is_new(&mut self, now: Instant, key: char, path: KeyPath) -> bool {
        let twin = self.0.is_some_and(|(last, by, at)| {
            last == key && by != path && now.saturating_duration_since(at) <= Self::TWIN
        });
        self.0 = if twin { None } else { Some((key, path, now)) };
        !twin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keypad: &mut Keypad, base: Instant, keys: &[(u64, char)]) -> Vec<Wish> {
        let presses = keys.iter().map(|(ms, key)| (base + Duration::from_millis(*ms), *key));
        presses.filter_map(|(now, key)| keypad.press(now, key)).collect()
    }

    #[test]
    fn i58_a_star_and_a_key_are_a_wish_and_nothing_else_is() {
        let (mut keypad, base) = (Keypad::default(), Instant::now());
        let wishes = press(&mut keypad, base, &[(0, '6'), (10, '*'), (900, '6'), (950, '6'), (1_000, '#')]);
        assert_eq!(wishes, [Wish::Mute]);
        let wishes = press(&mut keypad, base, &[(2_000, '*'), (2_100, '*'), (2_200, '5')]);
        assert_eq!(wishes, [Wish::Hand]);
        assert_eq!(press(&mut keypad, base, &[(3_000, '*'), (9_000, '6')]), [], "too late");
        assert_eq!(press(&mut keypad, base, &[(10_000, '*'), (10_100, '#'), (10_200, '6')]), []);
    }

    #[test]
    fn i58_ending_the_meeting_takes_the_keys_twice() {
        let (mut keypad, base) = (Keypad::default(), Instant::now());
        let twice = [(0, '*'), (1, '9'), (100, '*'), (101, '9')];
        assert_eq!(press(&mut keypad, base, &twice), [Wish::AboutToEnd, Wish::End]);
        let interrupted = [(0, '*'), (1, '9'), (2, '*'), (3, '6'), (4, '*'), (5, '9')];
        let wishes = press(&mut keypad, base, &interrupted);
        assert_eq!(wishes, [Wish::AboutToEnd, Wish::Mute, Wish::AboutToEnd]);
        let late = [(0, '*'), (1, '9'), (20_000, '*'), (20_001, '9')];
        assert_eq!(press(&mut Keypad::default(), base, &late), [Wish::AboutToEnd, Wish::AboutToEnd]);
    }

    #[test]
    fn d21_a_key_by_both_ways_is_one_press() {
        let (mut filter, base) = (KeyFilter::default(), Instant::now());
        let at = |ms| base + Duration::from_millis(ms);
        assert!(filter.is_new(at(0), '1', KeyPath::Media));
        assert!(!filter.is_new(at(40), '1', KeyPath::Signalling));
        assert!(filter.is_new(at(80), '1', KeyPath::Media), "a second press");
        assert!(!filter.is_new(at(90), '1', KeyPath::Signalling));
        assert!(filter.is_new(at(200), '1', KeyPath::Media));
        assert!(filter.is_new(at(300), '1', KeyPath::Media), "twice by one way is twice");
        assert!(filter.is_new(at(2_000), '1', KeyPath::Signalling), "long after");
    }
}
