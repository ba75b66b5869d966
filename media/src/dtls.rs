//! DTLS-SRTP for phones (RFC 5763, RFC 5764): the handshake on the media path that gives both sides their keys.
//!
//! Whoever can show the certificate whose fingerprint came by signalling is the phone; its address is believed from
//! then on. Until that, handshakes from a few addresses may be under way at once, so that a stranger's hello ends
//! nobody's. After it only the phone's address is listened to, and only to repeat our last words.

mod fingerprint;
mod handshake;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

use rtc_crypto::RTCCryptoProvider;
use rtc_dtls::crypto::Certificate;

pub use fingerprint::{Fingerprint, Hash};
pub(crate) use handshake::Handshake;

/// Who begins the handshake (RFC 4145 section 4, RFC 5763 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetupRole {
    /// We send the first hello.
    Active,
    /// We wait for it.
    Passive,
}

impl SetupRole {
    /// The attribute's value.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// What was agreed on for one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtlsParameters {
    /// Our part.
    pub role: SetupRole,
    /// What the phone's certificate hashes to.
    pub remote: Fingerprint,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("DTLS: {0}")]
pub struct DtlsError(String);

impl DtlsError {
    fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The certificate that we show to phones: one for as long as the process lives. It draws its own key.
pub struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Makes a key and a certificate for it that nobody has signed.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, DtlsError> {
        let provider = rtc_crypto::default_provider().map_err(DtlsError::new)?;
        let names = ["partyline".to_owned()];
        let certificate =
            Certificate::generate_self_signed(names, provider.crypto()).map_err(DtlsError::new)?;
        let shown =
            certificate.certificate.first().ok_or_else(|| DtlsError::new("no certificate was made"))?;
        let fingerprint = Fingerprint::of(Hash::Sha256, shown);
        Ok(Self { provider, certificate, fingerprint })
    }

    /// What it hashes to, for SDP.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
