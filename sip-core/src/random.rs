//! The one source of randomness: a generator seeded at construction.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded cryptographic generator.
#[derive(Debug)]
pub(crate) struct Random(ChaCha20Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A seed for a part of its own.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// 64 random bits in hexadecimal: a tag or cnonce that cannot be guessed.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}", self.0.next_u64())
    }

    /// A branch with the magic cookie of RFC 3261 section 8.1.1.7.
    pub(crate) fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    /// A number from 0 to `bound`, both included.
    pub(crate) fn up_to(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound.saturating_add(1)).unwrap_or(0)
    }
}
