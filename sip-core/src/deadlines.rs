//! A table of deadlines by owner: the earliest is found without looking at all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// At most one deadline per owner.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_owner: BTreeMap<K, Instant>,
}

impl<K: Ord + Clone> Deadlines<K> {
    pub(crate) fn new() -> Self {
        Self { by_time: BTreeSet::new(), by_owner: BTreeMap::new() }
    }

    /// Sets, moves or (with `None`) clears the owner's deadline.
    pub(crate) fn set(&mut self, owner: &K, deadline: Option<Instant>) {
        let old = match deadline {
            Some(at) => self.by_owner.insert(owner.clone(), at),
            None => self.by_owner.remove(owner),
        };
        if let Some(old) = old {
            self.by_time.remove(&(old, owner.clone()));
        }
        if let Some(at) = deadline {
            self.by_time.insert((at, owner.clone()));
        }
    }

    /// The owner's deadline.
    pub(crate) fn get(&self, owner: &K) -> Option<Instant> {
        self.by_owner.get(owner).copied()
    }

    /// How many owners have one.
    pub(crate) fn len(&self) -> usize {
        self.by_owner.len()
    }

    /// Takes the owner with the earliest deadline, whether it has come or not.
    pub(crate) fn pop_first(&mut self) -> Option<K> {
        let first = self.by_time.first()?.1.clone();
        self.set(&first, None);
        Some(first)
    }

    /// All deadlines, the earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, &K)> {
        self.by_time.iter().map(|(at, owner)| (*at, owner))
    }

    /// The earliest deadline of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one owner whose deadline has come.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<K> {
        let due = self.by_time.first().filter(|(at, _)| *at <= now)?.1.clone();
        self.set(&due, None);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_move_clear_and_come_in_order() {
        let base = Instant::now();
        let at = |seconds| base + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::new();
        deadlines.set(&1, Some(at(3)));
        deadlines.set(&2, Some(at(2)));
        deadlines.set(&3, Some(at(1)));
        deadlines.set(&3, None);
        deadlines.set(&1, Some(at(2)));
        assert_eq!(deadlines.next(), Some(at(2)));
        assert_eq!(deadlines.take_due(at(1)), None);
        assert_eq!(
            [deadlines.take_due(at(2)), deadlines.take_due(at(2)), deadlines.take_due(at(9))],
            [Some(1), Some(2), None]
        );
        assert_eq!(deadlines.next(), None);
    }
}
