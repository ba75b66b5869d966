//! Nonces that prove themselves: time, salt and an HMAC over both and the client's address, so that a forged
//! nonce is refused without any stored state, and one client's nonce is worth nothing elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use super::digest::to_hex;
use super::hmac_sha256;
use crate::random::Random;

/// How long a nonce is good for; a client that comes later is told that it is stale.
const LIFETIME: Duration = Duration::from_secs(300);

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NonceState {
    /// Ours, for this address, and young enough.
    Fresh(NonceId),
    /// Not ours, for another address, or too old.
    Stale,
}

/// Time since the epoch in milliseconds, and the salt.
pub(super) type NonceId = (u64, u64);

/// Issues nonces and keeps the counts of those that were used.
#[derive(Debug)]
pub(super) struct Nonces {
    secret: [u8; 32],
    /// The instant nonce times are counted from: the first one this was told.
    epoch: Option<Instant>,
    used: BTreeMap<NonceId, CountWindow>,
    limit: usize,
    /// The newest time of a nonce that gave way to others: up to it nobody knows which counts were used.
    floor: Option<u64>,
}

/// The nonce counts seen: the highest, and which of the 63 before it.
#[derive(Debug, Clone, Copy)]
struct CountWindow {
    highest: u32,
    seen: u64,
}

impl Nonces {
    pub(super) fn new(secret: [u8; 32], limit: usize) -> Self {
        Self { secret, epoch: None, used: BTreeMap::new(), limit, floor: None }
    }

    pub(super) fn issue(&mut self, now: Instant, address: IpAddr, random: &mut Random) -> String {
        let id = (self.millis(now), random.up_to(u64::MAX - 1));
        self.sign(id, address)
    }

    pub(super) fn check(&mut self, now: Instant, address: IpAddr, nonce: &str) -> NonceState {
        let hex = |range: std::ops::Range<usize>| u64::from_str_radix(nonce.get(range)?, 16).ok();
        let (Some(time), Some(salt)) = (hex(0..16), hex(16..32)) else { return NonceState::Stale };
        let genuine: bool = self.sign((time, salt), address).as_bytes().ct_eq(nonce.as_bytes()).into();
        let age = self.millis(now).saturating_sub(time);
        let forgotten = self.floor.is_some_and(|floor| time <= floor);
        if genuine && !forgotten && u128::from(age) <= LIFETIME.as_millis() {
            NonceState::Fresh((time, salt))
        } else {
            NonceState::Stale
        }
    }

    /// How long ago a nonce was issued.
    pub(super) fn age(&mut self, now: Instant, (time, _): NonceId) -> Duration {
        Duration::from_millis(self.millis(now).saturating_sub(time))
    }

    /// Uses a count of a fresh nonce once; `false` if it was used before or lies too far back.
    pub(super) fn take_count(&mut self, now: Instant, id: NonceId, count: u32) -> bool {
        if !self.used.contains_key(&id) {
            self.forget_old(now);
        }
        match self.used.get_mut(&id) {
            Some(window) => window.take(count),
            None => {
                self.used.insert(id, CountWindow { highest: count, seen: 1 });
                true
            }
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let oldest = self.millis(now).saturating_sub(u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX));
        while self.used.first_key_value().is_some_and(|((time, _), _)| *time < oldest) {
            self.used.pop_first();
        }
        while self.used.len() >= self.limit.max(1)
            && let Some(((time, _), _)) = self.used.pop_first()
        {
            self.floor = self.floor.max(Some(time));
        }
    }

    fn sign(&self, (time, salt): NonceId, address: IpAddr) -> String {
        let address = address.to_canonical().to_string();
        let mac = hmac_sha256(&self.secret, &[&time.to_be_bytes(), &salt.to_be_bytes(), address.as_bytes()]);
        format!("{time:016x}{salt:016x}{}", to_hex(mac.get(..16).unwrap_or(&mac)))
    }

    fn millis(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        u64::try_from(now.saturating_duration_since(epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

impl CountWindow {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        let new = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_one_address_and_a_while() {
        let (now, mut random) = (Instant::now(), Random::new([1; 32]));
        let mut nonces = Nonces::new([2; 32], 10);
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let nonce = nonces.issue(now, here, &mut random);
        assert!(matches!(nonces.check(now + LIFETIME, here, &nonce), NonceState::Fresh(_)));
        assert_eq!(nonces.check(now, there, &nonce), NonceState::Stale);
        let late = now + LIFETIME + Duration::from_millis(1);
        assert_eq!(nonces.check(late, here, &nonce), NonceState::Stale);
        let forged = nonce.replace(|c: char| c == nonce.chars().last().unwrap(), "x");
        for bad in ["", "zz", forged.as_str(), "é0000000000000000"] {
            assert_eq!(nonces.check(now, here, bad), NonceState::Stale);
        }
    }

    #[test]
    fn a_count_is_taken_once_within_its_window() {
        let now = Instant::now();
        let mut nonces = Nonces::new([0; 32], 10);
        for (count, fresh) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (100, true),
            (37, true),
            (36, false),
            (99, true),
        ] {
            assert_eq!(nonces.take_count(now, (0, 0), count), fresh, "{count}");
        }
    }

    #[test]
    fn the_memory_of_counts_is_bounded() {
        let now = Instant::now();
        let mut nonces = Nonces::new([0; 32], 10);
        for salt in 0..1000 {
            nonces.take_count(now, (0, salt), 1);
        }
        assert!(nonces.used.len() <= 10);
    }

    #[test]
    fn s3_a_nonce_whose_count_was_forgotten_is_stale() {
        let (now, mut random) = (Instant::now(), Random::new([1; 32]));
        let mut nonces = Nonces::new([2; 32], 2);
        let here = IpAddr::from([192, 0, 2, 1]);
        let mut use_one = |after: u64| {
            let now = now + Duration::from_millis(after);
            let nonce = nonces.issue(now, here, &mut random);
            let NonceState::Fresh(id) = nonces.check(now, here, &nonce) else { panic!() };
            assert!(nonces.take_count(now, id, 1));
            nonce
        };
        let (first, _, last) = (use_one(0), use_one(1), use_one(2));
        let later = now + Duration::from_millis(3);
        assert_eq!(nonces.check(later, here, &first), NonceState::Stale, "it could be replayed");
        let NonceState::Fresh(id) = nonces.check(later, here, &last) else { panic!() };
        assert!(!nonces.take_count(later, id, 1));
    }
}
