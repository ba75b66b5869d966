//! Suites and master keys.

use std::fmt;

/// A protection suite (RFC 4568 section 6.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AES_CM_128_HMAC_SHA1_80`: what every phone knows.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: short tags for RTP.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// Every suite, the strongest first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The name in `a=crypto`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Bytes of the master key and of the master salt.
    #[must_use]
    pub const fn lengths(self) -> (usize, usize) {
        match self {
            Self::AeadAes256Gcm => (32, 12),
            Self::AeadAes128Gcm => (16, 12),
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => (16, 14),
        }
    }
}

/// A master key with its salt behind it. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    bytes: [u8; Self::MAX],
    key: usize,
    salt: usize,
}

impl MasterKey {
    /// The longest key and salt together.
    pub const MAX: usize = 46;

    /// A key of a suite; `None` if `bytes` has not the length of its key and salt.
    #[must_use]
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<Self> {
        let (key, salt) = suite.lengths();
        let mut kept = [0; Self::MAX];
        kept.get_mut(..key + salt).filter(|kept| kept.len() == bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: kept, key, salt })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.bytes.get(..self.key).unwrap_or_default()
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        self.bytes.get(self.key..self.key + self.salt).unwrap_or_default()
    }

    /// Both, as they stand in `a=crypto`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.key + self.salt).unwrap_or_default()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// What two sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The suite of both directions.
    pub suite: Suite,
    /// For what we send.
    pub local: MasterKey,
    /// For what the remote sends.
    pub remote: MasterKey,
}
