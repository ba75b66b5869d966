//! How far a caller's number can be believed: SHAKEN's words (RFC 8588) and what came of checking (verstat). Making and
//! checking signatures needs keys, certificates and the clock on the wall, and is done by whoever drives the user agent;
//! here they are only carried.

use std::fmt;

/// What the signer says of a caller (RFC 8588 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attestation {
    /// `A`: we know the customer, and the number is theirs to show.
    Full,
    /// `B`: we know the customer, not whether the number is theirs.
    Partial,
    /// `C`: we know only where the call came in.
    Gateway,
}

impl Attestation {
    /// `A`, `B` or `C`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "A",
            Self::Partial => "B",
            Self::Gateway => "C",
        }
    }

    /// Reads `A`, `B` or `C`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Full, Self::Partial, Self::Gateway].into_iter().find(|level| level.as_str() == text)
    }
}

/// What came of checking the Identity header field of an incoming call (ATIS-1000074, 3GPP TS 24.229 `verstat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verstat {
    /// The signature is good and says this of the caller.
    Passed(Attestation),
    /// There is a signature, and it is not good for this call.
    Failed,
    /// Nothing could be checked.
    NotValidated,
}

impl fmt::Display for Verstat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(level) => write!(f, "TN-Validation-Passed-{}", level.as_str()),
            Self::Failed => f.write_str("TN-Validation-Failed"),
            Self::NotValidated => f.write_str("No-TN-Validation"),
        }
    }
}
