//! Event, RFC 6665 section 8.2.1.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::text::is_token;
use crate::message::{HeaderName, Params};

/// What a subscription is about: an event package, and which subscription of the dialog it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPackage {
    /// The package with its templates, such as `conference`, in lower case.
    pub package: String,
    /// The `id` and other parameters.
    pub params: Params,
}

impl TypedHeader for EventPackage {
    const NAME: HeaderName = HeaderName::Event;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (package, params) = text.split_once(';').unwrap_or((text, ""));
        let package = package.trim();
        if !is_token(package) {
            return Err(error("the package is no token"));
        }
        let params = Params::parse(params).ok_or_else(|| error("parameters are malformed"))?;
        Ok(Self { package: package.to_ascii_lowercase(), params })
    }
}

impl fmt::Display for EventPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_reads_with_and_without_parameters() {
        let read = EventPackage::parse(" Conference ;id=7").unwrap();
        assert_eq!((read.package.as_str(), read.params.raw("id")), ("conference", Some("7")));
        assert_eq!(EventPackage::parse(&read.to_string()).unwrap(), read);
        for bad in ["", ";id=7", "a b", "refer;\"x"] {
            assert!(EventPackage::parse(bad).is_err(), "{bad}");
        }
    }
}
