//! Route and Record-Route, RFC 3261 sections 20.34 and 20.30; Path, RFC 3327.

use std::fmt;

use super::{HeaderError, NameAddr, TypedHeader};
use crate::message::HeaderName;

macro_rules! route {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub NameAddr);

        impl TypedHeader for $name {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &str) -> Result<Self, HeaderError> {
                NameAddr::parse_text(text).map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

route! {
    /// A hop the request must pass.
    Route
}
route! {
    /// A proxy that wants to stay in the path of the dialog.
    RecordRoute
}
route! {
    /// A proxy that must be passed on the way to a contact (RFC 3327).
    Path
}
