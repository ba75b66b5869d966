//! Contact, RFC 3261 section 20.10.

use std::fmt;

use super::{HeaderError, NameAddr, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::saturating_u32;

/// One Contact value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// `*`: all bindings (REGISTER only, section 10.2.2).
    Wildcard,
    /// An address.
    Address(NameAddr),
}

impl Contact {
    /// The address, if it is one.
    pub fn address(&self) -> Option<&NameAddr> {
        match self {
            Self::Wildcard => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The `expires` parameter in seconds; a malformed one counts as absent (section 20.10).
    pub fn expires(&self) -> Option<u32> {
        self.address()?.params.raw("expires").and_then(saturating_u32)
    }
}

impl TypedHeader for Contact {
    const NAME: HeaderName = HeaderName::Contact;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        if text.trim() == "*" {
            return Ok(Self::Wildcard);
        }
        NameAddr::parse_text(text)
            .map(Self::Address)
            .map_err(|problem| HeaderError::new(&Self::NAME, problem))
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("*"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_is_lenient_about_size_and_strict_about_digits() {
        for (text, expires) in [
            ("<sip:a@b>;expires=60", Some(60)),
            ("<sip:a@b>\t;expires=280297596632815", Some(u32::MAX)),
            ("<sip:a@b>;expires=\"60\"", None),
            ("<sip:a@b>;expires=-1", None),
            ("*", None),
        ] {
            assert_eq!(Contact::parse(text).unwrap().expires(), expires, "{text}");
        }
    }
}
