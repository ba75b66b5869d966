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

    /// How much it is liked beside other contacts of the same phone, in thousandths: the `q` parameter (sections 10.2.1.2
    /// and 25.1); 1000 where there is none or a malformed one.
    pub fn q(&self) -> u16 {
        self.address().and_then(|address| thousandths(address.params.raw("q")?)).unwrap_or(MOST_LIKED)
    }
}

const MOST_LIKED: u16 = 1_000;

/// A qvalue: `0`, `0.5`, `0.125`, `1`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let value: u16 = digits.then(|| format!("{part:0<3}").parse().ok())??;
    match whole {
        "0" => Some(value),
        "1" if value == 0 => Some(MOST_LIKED),
        _ => None,
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
    fn q_is_read_in_thousandths_and_is_one_where_it_makes_no_sense() {
        for (text, q) in [
            ("<sip:a@b>", 1_000),
            ("<sip:a@b>;q=1", 1_000),
            ("<sip:a@b>;Q=0.5", 500),
            ("<sip:a@b>;q=0.125", 125),
            ("<sip:a@b>;q=0", 0),
            ("<sip:a@b>;q=0.", 0),
            ("<sip:a@b>;q=1.5", 1_000),
            ("<sip:a@b>;q=0.1234", 1_000),
            ("<sip:a@b>;q=-1", 1_000),
            ("<sip:a@b>;q=\"0.5\"", 1_000),
            ("*", 1_000),
        ] {
            assert_eq!(Contact::parse(text).unwrap().q(), q, "{text}");
        }
    }

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
