//! The two things of the outside world that services and store need, handed in at construction.

use crate::vocabulary::UnixMillis;

/// Wall time, for records and expiry dates.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn wall(&self) -> UnixMillis;
}

/// A cryptographic source of random bytes: identifiers, tokens, salts.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn wall(&self) -> UnixMillis {
        (**self).wall()
    }
}

impl<T: Entropy + ?Sized> Entropy for std::sync::Arc<T> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}
