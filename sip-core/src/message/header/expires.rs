//! Expires and Min-Expires, RFC 3261 sections 20.19 and 20.23; Min-SE, RFC 4028 section 5.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::saturating_u32;

macro_rules! delta_seconds {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl TypedHeader for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &str) -> Result<Self, HeaderError> {
                let seconds = saturating_u32(text.split(';').next().unwrap_or_default().trim());
                seconds.map(Self).ok_or_else(|| HeaderError::new(&Self::NAME, "is not a number of seconds"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

delta_seconds! {
    /// How long the request or its registration is good for, in seconds; too large a number is the largest.
    Expires
}
delta_seconds! {
    /// The shortest registration a registrar accepts, in seconds.
    MinExpires
}
delta_seconds! {
    /// The shortest session interval that is accepted, in seconds (RFC 4028 section 5).
    MinSe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_values_become_the_largest() {
        assert_eq!(Expires::parse("99999999999999999999").unwrap(), Expires(u32::MAX));
        assert!(MinExpires::parse("soon").is_err());
        assert!(Expires::parse("-1").is_err());
    }
}
