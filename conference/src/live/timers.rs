//! One table of deadlines with one next deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Deadlines by key. Arming a key again moves its deadline; equal deadlines fire in the order of their keys.
#[derive(Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets or moves a deadline.
    pub fn arm(&mut self, key: K, at: Instant) {
        self.disarm(&key);
        self.by_key.insert(key.clone(), at);
        self.by_time.insert((at, key));
    }

    /// Forgets a deadline, if it is set.
    pub fn disarm(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// Whether a deadline is set.
    pub fn is_armed(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    /// The earliest deadline; `None` if nothing is pending.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out one deadline that has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moving_a_deadline_leaves_one() {
        let base = Instant::now();
        let mut timers = Timers::default();
        timers.arm("a", base + Duration::from_secs(1));
        timers.arm("b", base + Duration::from_secs(2));
        timers.arm("a", base + Duration::from_secs(3));
        assert_eq!(timers.len(), 2);
        assert_eq!(timers.next(), Some(base + Duration::from_secs(2)));
        assert_eq!(timers.pop_due(base), None);
        let late = base + Duration::from_secs(9);
        assert_eq!(timers.pop_due(late), Some("b"));
        assert_eq!(timers.pop_due(late), Some("a"));
        assert!(timers.is_empty());
    }
}
