//! Privacy, RFC 3323 section 4.2 and RFC 3325 section 9.3.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::is_token;

/// The kinds of privacy the caller asks for, e.g. `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy(pub Vec<String>);

impl Privacy {
    /// Whether the asserted identity must not be shown (RFC 3325 section 9.3).
    pub fn hides_identity(&self) -> bool {
        self.0.iter().any(|kind| kind.eq_ignore_ascii_case("id"))
    }
}

impl TypedHeader for Privacy {
    const NAME: HeaderName = HeaderName::Privacy;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let kinds: Vec<String> = text.split([';', ',']).map(|kind| kind.trim().to_owned()).collect();
        let tokens = kinds.iter().all(|kind| is_token(kind));
        tokens.then_some(Self(kinds)).ok_or_else(|| HeaderError::new(&Self::NAME, "a value is no token"))
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}
