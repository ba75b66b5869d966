//! Max-Forwards, RFC 3261 section 20.22.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;

/// How many hops the request may still make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxForwards(pub u8);

impl TypedHeader for MaxForwards {
    const NAME: HeaderName = HeaderName::MaxForwards;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let number =
            text.trim().parse().map_err(|_| HeaderError::new(&Self::NAME, "is not a number up to 255"))?;
        Ok(Self(number))
    }
}

impl fmt::Display for MaxForwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
