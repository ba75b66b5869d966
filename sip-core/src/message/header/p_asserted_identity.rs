//! P-Asserted-Identity, RFC 3325 section 9.1.

use std::fmt;

use super::{HeaderError, NameAddr, TypedHeader};
use crate::message::HeaderName;

/// Who the caller is, asserted between peers that trust each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PAssertedIdentity(pub NameAddr);

impl TypedHeader for PAssertedIdentity {
    const NAME: HeaderName = HeaderName::PAssertedIdentity;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        NameAddr::parse_text(text).map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
    }
}

impl fmt::Display for PAssertedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
