//! How often a password may be tried.

use conference::vocabulary::UnixMillis;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures are counted over this time.
const WINDOW_MS: u64 = 5 * 60 * 1000;
/// Failures of one login from one address. Counted together, so that a stranger cannot lock a user out.
const PER_LOGIN: u32 = 10;
/// Failures from one address, whatever the login.
const PER_ADDRESS: u32 = 100;
/// How many counters are kept. When they run out, the oldest give way.
const COUNTERS: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Login(Option<IpAddr>, String),
    Address(Option<IpAddr>),
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    since: UnixMillis,
    failures: u32,
}

/// Counts failed logins.
#[derive(Debug, Default)]
pub(crate) struct LoginGuard(Mutex<BTreeMap<Key, Counter>>);

impl LoginGuard {
    /// Whether this login may be tried from this address now; if not, after how many seconds. A try counts as a
    /// failure until [`Self::succeeded`], so that many at once get no further than many in a row.
    pub(crate) fn admit(&self, now: UnixMillis, address: Option<IpAddr>, login: &str) -> Result<(), u64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = [(Key::Login(address, fold(login)), PER_LOGIN), (Key::Address(address), PER_ADDRESS)];
        for (key, limit) in &keys {
            let full = counters.get(key).filter(|counter| counter.failures >= *limit);
            if let Some(left) = full.and_then(|counter| counter.left(now)) {
                return Err(left.div_ceil(1000));
            }
        }
        make_room(&mut counters, now);
        for (key, _) in keys {
            let counter = counters.entry(key).or_insert(Counter { since: now, failures: 0 });
            if counter.left(now).is_none() {
                *counter = Counter { since: now, failures: 0 };
            }
            counter.failures = counter.failures.saturating_add(1);
        }
        Ok(())
    }

    /// The password was right: this try was no failure, and earlier slips are forgiven.
    pub(crate) fn succeeded(&self, address: Option<IpAddr>, login: &str) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.remove(&Key::Login(address, fold(login)));
        if let Some(counter) = counters.get_mut(&Key::Address(address)) {
            counter.failures = counter.failures.saturating_sub(1);
        }
    }
}

/// Leaves room for the two counters of one try.
fn make_room(counters: &mut BTreeMap<Key, Counter>, now: UnixMillis) {
    if counters.len() + 2 > COUNTERS {
        counters.retain(|_, counter| counter.left(now).is_some());
    }
    while counters.len() + 2 > COUNTERS {
        let oldest = counters.iter().min_by_key(|(_, counter)| counter.since).map(|(key, _)| key.clone());
        let Some(oldest) = oldest else { return };
        counters.remove(&oldest);
    }
}

impl Counter {
    /// Milliseconds until this counter no longer counts.
    fn left(&self, now: UnixMillis) -> Option<u64> {
        (self.since.0 + WINDOW_MS).checked_sub(now.0).filter(|left| *left > 0)
    }
}

fn fold(login: &str) -> String {
    login.trim().to_lowercase().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_close_one_login_from_one_address_for_five_minutes() {
        let guard = LoginGuard::default();
        let here: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        let there: Option<IpAddr> = Some("192.0.2.2".parse().unwrap());
        for second in 0..10 {
            assert_eq!(guard.admit(UnixMillis(second * 1000), here, "Hana "), Ok(()));
        }
        assert_eq!(guard.admit(UnixMillis(10_000), here, "hana"), Err(290));
        assert_eq!(guard.admit(UnixMillis(10_000), there, "hana"), Ok(()), "others are not locked out");
        assert_eq!(guard.admit(UnixMillis(10_000), here, "pia"), Ok(()));
        assert_eq!(guard.admit(UnixMillis(300_000), here, "hana"), Ok(()));
    }

    #[test]
    fn a_right_password_forgives_and_many_logins_do_not_help() {
        let guard = LoginGuard::default();
        for n in 0..PER_ADDRESS {
            assert_eq!(guard.admit(UnixMillis(0), None, &format!("user{n}")), Ok(()));
        }
        assert!(guard.admit(UnixMillis(1), None, "hana").is_err());
        let guard = LoginGuard::default();
        for _ in 0..PER_ADDRESS * 2 {
            assert_eq!(guard.admit(UnixMillis(0), None, "hana"), Ok(()));
            guard.succeeded(None, "hana");
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let guard = LoginGuard::default();
        for n in 0..COUNTERS + 100 {
            let address = IpAddr::from(u32::try_from(n / 50).unwrap().to_be_bytes());
            assert_eq!(guard.admit(UnixMillis(0), Some(address), &format!("user{n}")), Ok(()));
        }
        assert!(guard.0.lock().unwrap().len() <= COUNTERS);
    }
}
