//! Limits against guessing meeting ids and PINs (I15, reliability W3).
//!
//! Three wrong answers end a call ([`super::ivr`]). Beyond that a source that has keyed in a hundred wrong ids within
//! an hour is not listened to for an hour, and a meeting that has seen twenty wrong PINs answers slowly, right ones
//! too, or the delay would tell them apart.

use crate::ids::MeetingId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Wrong ids of one source within [`WINDOW`]: then it is blocked.
pub const WRONG_IDS: u32 = 100;
/// Wrong PINs of one meeting within [`WINDOW`]: then it answers slowly.
pub const WRONG_PINS: u32 = 20;
/// Wrong PINs of one call or one API client: then it is refused.
pub const WRONG_PINS_OF_ONE: u32 = 5;
/// For how long a wrong answer counts, and how long a block lasts.
pub const WINDOW: Duration = Duration::from_secs(3600);
/// How long an answer is held back while somebody guesses.
pub const SLOW: Duration = Duration::from_secs(5);
/// Sources and meetings remembered; beyond that the oldest are forgotten.
const REMEMBERED: usize = 10_000;

/// Counts wrong answers.
#[derive(Debug, Default)]
pub struct GuessGuard {
    sources: Counts<String>,
    meetings: Counts<MeetingId>,
}

impl GuessGuard {
    /// Somebody keyed in the id of no meeting.
    pub fn wrong_id(&mut self, now: Instant, source: &str) {
        self.sources.add(now, source.to_owned());
    }

    /// Somebody keyed in a wrong PIN of this meeting; it counts against the source like a wrong id.
    pub fn wrong_pin(&mut self, now: Instant, source: &str, meeting: &MeetingId) {
        self.wrong_id(now, source);
        self.meetings.add(now, meeting.clone());
    }

    /// Whether this source is no longer listened to.
    pub fn is_blocked(&self, now: Instant, source: &str) -> bool {
        self.sources.count(now, source) >= WRONG_IDS
    }

    /// How long an answer to a PIN of this meeting is to be held back.
    pub fn delay(&self, now: Instant, meeting: &MeetingId) -> Duration {
        if self.meetings.count(now, meeting) >= WRONG_PINS { SLOW } else { Duration::ZERO }
    }
}

#[derive(Debug)]
struct Counts<K>(BTreeMap<K, Count>);

#[derive(Clone, Copy, Debug)]
struct Count {
    wrong: u32,
    /// Of the latest wrong answer.
    at: Instant,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Counts<K> {
    fn add(&mut self, now: Instant, key: K) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            self.forget(now);
        }
        let count = self.0.entry(key).or_insert(Count { wrong: 0, at: now });
        if now.saturating_duration_since(count.at) > WINDOW {
            count.wrong = 0;
        }
        *count = Count { wrong: count.wrong.saturating_add(1), at: now };
    }

    fn count<Q: Ord + ?Sized>(&self, now: Instant, key: &Q) -> u32
    where
        K: std::borrow::Borrow<Q>,
    {
        let fresh = |count: &&Count| now.saturating_duration_since(count.at) <= WINDOW;
        self.0.get(key).filter(fresh).map_or(0, |count| count.wrong)
    }

    /// Makes room: all that is old, and if nothing is, the least suspicious.
    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, count| now.saturating_duration_since(count.at) <= WINDOW);
        if self.0.len() < REMEMBERED {
            return;
        }
        let least =
            self.0.iter().min_by_key(|(_, count)| (count.wrong, count.at)).map(|(key, _)| key.clone());
        if let Some(key) = least {
            self.0.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_a_hundred_wrong_ids_from_one_source_block_it_for_an_hour() {
        let (mut guard, now) = (GuessGuard::default(), Instant::now());
        for n in 0..99 {
            guard.wrong_id(now + Duration::from_secs(n), "+12025550199");
        }
        let later = now + Duration::from_secs(100);
        assert!(!guard.is_blocked(later, "+12025550199"));
        guard.wrong_id(later, "+12025550199");
        assert!(guard.is_blocked(later, "+12025550199"));
        assert!(!guard.is_blocked(later, "+12025550198"), "nobody else");
        assert!(!guard.is_blocked(later + WINDOW + Duration::from_secs(1), "+12025550199"));
    }

    #[test]
    fn w3_a_meeting_with_twenty_wrong_pins_answers_slowly_whoever_asks() {
        let (mut guard, now, meeting) = (GuessGuard::default(), Instant::now(), MeetingId::new("m1"));
        for n in 0..20_u8 {
            assert_eq!(guard.delay(now, &meeting), Duration::ZERO);
            guard.wrong_pin(now, &format!("+120255501{n:02}"), &meeting);
        }
        assert_eq!(guard.delay(now, &meeting), SLOW);
        assert_eq!(guard.delay(now, &MeetingId::new("m2")), Duration::ZERO);
        assert_eq!(guard.delay(now + WINDOW * 2, &meeting), Duration::ZERO);
    }

    #[test]
    fn a_flood_of_sources_is_bounded_and_does_not_free_who_is_blocked() {
        let (mut guard, now) = (GuessGuard::default(), Instant::now());
        (0..WRONG_IDS).for_each(|_| guard.wrong_id(now, "bad"));
        for n in 0..12_000 {
            guard.wrong_id(now, &format!("source {n}"));
        }
        assert!(guard.sources.0.len() <= REMEMBERED);
        assert!(guard.is_blocked(now, "bad"));
    }
}
