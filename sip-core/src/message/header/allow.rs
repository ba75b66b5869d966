//! Allow, RFC 3261 section 20.5.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::{HeaderName, Method};

/// The methods a user agent supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow(pub Vec<Method>);

impl TypedHeader for Allow {
    const NAME: HeaderName = HeaderName::Allow;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let methods = names.map(Method::parse).collect::<Option<_>>();
        methods.map(Self).ok_or_else(|| HeaderError::new(&Self::NAME, "a method is no token"))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Method::as_str).collect();
        f.write_str(&names.join(", "))
    }
}
