//! Where the world is read: the clock and the entropy of the operating system. Everything below is told both.

use conference::services::{Clock, Entropy};
use conference::vocabulary::UnixMillis;
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall time now; 0 if the system's clock stands before 1970.
pub fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// 256 bits from the operating system's generator, to seed a deterministic part.
///
/// # Errors
/// When the operating system has no entropy to give.
pub fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    Ok(seed)
}

/// Sixteen random bytes, for what must differ but need not be secret.
pub(crate) fn nonce() -> [u8; 16] {
    let mut bytes = [0; 16];
    OsEntropy.fill(&mut bytes);
    bytes
}

/// The operating system's wall clock, for the services.
#[derive(Clone, Copy, Debug)]
pub struct WallClock;

impl Clock for WallClock {
    fn wall(&self) -> UnixMillis {
        wall()
    }
}

/// The operating system's generator, for the services.
#[derive(Clone, Copy, Debug)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Going on would hand out guessable tokens.
            tracing::error!(%error, "the operating system gives no random bytes");
            std::process::abort();
        }
    }
}
