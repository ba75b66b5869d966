//! How often anything may be asked (W9): a bucket per token and one per address, each refilled by the second.

use crate::AppState;
use crate::auth::{bearer, cookie};
use crate::problem::ApiError;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use conference::vocabulary::UnixMillis;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// A bucket holds what comes in within so many seconds.
const BURST_SECONDS: u64 = 2;
/// One address may stand for many people behind one router.
const PER_ADDRESS: u64 = 5;
/// How many buckets are kept. When they run out, full ones go first, then the oldest.
const BUCKETS: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A token, as a hash that only this process can make.
    Token(u64),
    Address(IpAddr),
}

/// Thousandths of requests left, and when that was.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u64,
    at: UnixMillis,
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Limits {
    per_second: u64,
    hasher: RandomState,
    buckets: Mutex<BTreeMap<Key, Bucket>>,
}

impl Limits {
    /// So many requests a second of one token.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second: u64::from(per_second).max(1),
            hasher: RandomState::new(),
            buckets: Mutex::new(BTreeMap::new()),
        }
    }

    /// Whether a request with this token from this address is taken; if not, after how many seconds.
    fn admit(&self, now: UnixMillis, token: Option<&str>, address: Option<IpAddr>) -> Result<(), u64> {
        let token = token.map(|token| (Key::Token(self.hasher.hash_one(token)), self.per_second));
        let address = address.map(|address| (Key::Address(address), self.per_second * PER_ADDRESS));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, per_second) in [token, address].into_iter().flatten() {
            self.make_room(&mut buckets, now);
            let full = per_second * BURST_SECONDS * 1000;
            let bucket = buckets.entry(key).or_insert(Bucket { left: full, at: now });
            // A thousandth of a request comes in per millisecond and request a second.
            let since = now.0.saturating_sub(bucket.at.0);
            bucket.left = full.min(bucket.left.saturating_add(since.saturating_mul(per_second)));
            bucket.at = now;
            match bucket.left.checked_sub(1000) {
                Some(left) => bucket.left = left,
                None => return Err((1000 - bucket.left).div_ceil(per_second).div_ceil(1000).max(1)),
            }
        }
        Ok(())
    }

    fn make_room(&self, buckets: &mut BTreeMap<Key, Bucket>, now: UnixMillis) {
        if buckets.len() < BUCKETS {
            return;
        }
        // Whoever has not come for this long has a full bucket, which is none at all.
        buckets.retain(|_, bucket| bucket.at.0 + BURST_SECONDS * 1000 > now.0);
        if buckets.len() >= BUCKETS
            && let Some(oldest) = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| *key)
        {
            buckets.remove(&oldest);
        }
    }
}

/// Refuses what comes too often, before anything else is done for it.
pub(crate) async fn limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let token = bearer(request.headers()).or_else(|| cookie(request.headers()));
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    match state.limits.admit(state.services.now(), token, address) {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
                .mend(format!("Wait {seconds} seconds, then send fewer at once"));
            ApiError { retry_after: Some(seconds), ..error }.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w9_a_token_that_asks_too_often_waits_and_others_do_not() {
        let limits = Limits::new(10);
        let here: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        for _ in 0..20 {
            assert_eq!(limits.admit(UnixMillis(0), Some("a"), here), Ok(()));
        }
        assert_eq!(limits.admit(UnixMillis(0), Some("a"), here), Err(1));
        assert_eq!(limits.admit(UnixMillis(0), Some("b"), here), Ok(()));
        assert_eq!(
            limits.admit(UnixMillis(100), Some("a"), here),
            Ok(()),
            "one more after a tenth of a second"
        );
        assert_eq!(limits.admit(UnixMillis(100), Some("a"), here), Err(1));
    }

    #[test]
    fn w9_many_tokens_do_not_help_an_address() {
        let limits = Limits::new(1);
        let here: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        let taken =
            (0..100).filter(|n| limits.admit(UnixMillis(0), Some(&n.to_string()), here).is_ok()).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn the_memory_is_bounded() {
        let limits = Limits::new(10);
        for n in 0..BUCKETS + 50 {
            assert_eq!(limits.admit(UnixMillis(0), Some(&n.to_string()), None), Ok(()));
        }
        assert!(limits.buckets.lock().unwrap().len() <= BUCKETS);
    }
}
