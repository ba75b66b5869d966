//! Content-Length, RFC 3261 section 20.14.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::saturating_u32;

/// The size of the body in bytes. Reader and writer deal with it; it never stands in
/// [`crate::message::Headers`] of a message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentLength(pub u32);

impl TypedHeader for ContentLength {
    const NAME: HeaderName = HeaderName::ContentLength;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let number = saturating_u32(text.trim());
        number.map(Self).ok_or_else(|| HeaderError::new(&Self::NAME, "is not a number"))
    }
}

impl fmt::Display for ContentLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
