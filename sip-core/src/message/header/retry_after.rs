//! Retry-After, RFC 3261 section 20.33.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::saturating_u32;

/// When to ask again, in seconds; comment and parameters are read over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u32);

impl TypedHeader for RetryAfter {
    const NAME: HeaderName = HeaderName::RetryAfter;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let number = text.trim().split([';', '(', ' ', '\t']).next().and_then(saturating_u32);
        number.map(Self).ok_or_else(|| HeaderError::new(&Self::NAME, "is not a number of seconds"))
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
