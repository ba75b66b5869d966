//! Small things every part of the lab needs: a lock that ignores poison, unique tokens, percentiles.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks `mutex`; a panic of another test thread does not spread through the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number nobody else in this lab has, different in every run.
pub fn unique_number() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(COUNTER.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

/// [`unique_number`] as sixteen hexadecimal digits, for tags, branches and Call-IDs.
pub fn token() -> String {
    format!("{:016x}", unique_number())
}

/// The time that so many percent of the sorted `times` stay below; `None` of none.
pub fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ() {
        assert_ne!(token(), token());
        assert_eq!(token().len(), 16);
    }
}
