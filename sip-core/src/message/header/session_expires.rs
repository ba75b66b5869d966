//! Session-Expires, RFC 4028 section 4.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::text::saturating_u32;
use crate::message::{HeaderName, Params};

/// Which side keeps the session alive: the one that sent the request this stands in or answers, or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

/// How long the session lives without a refresh, and who refreshes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub seconds: u32,
    /// Who refreshes; in a request it may be left to the other side.
    pub refresher: Option<Refresher>,
}

impl TypedHeader for SessionExpires {
    const NAME: HeaderName = HeaderName::SessionExpires;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (seconds, params) = text.split_once(';').unwrap_or((text, ""));
        let seconds = saturating_u32(seconds.trim()).ok_or_else(|| error("is not a number of seconds"))?;
        let params = Params::parse(params).ok_or_else(|| error("parameters are malformed"))?;
        let refresher = match params.get("refresher").map(|side| side.to_ascii_lowercase()).as_deref() {
            Some("uac") => Some(Refresher::Uac),
            Some("uas") => Some(Refresher::Uas),
            Some(_) => return Err(error("refresher is neither uac nor uas")),
            None => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seconds.fmt(f)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_and_refresher_read_and_write() {
        for text in ["1800", "90;refresher=uac", "90;refresher=uas"] {
            assert_eq!(SessionExpires::parse(text).unwrap().to_string(), text);
        }
        let odd = SessionExpires::parse(" 99999999999 ; x=y ;Refresher = UAS").unwrap();
        assert_eq!(odd, SessionExpires { seconds: u32::MAX, refresher: Some(Refresher::Uas) });
        for bad in ["", "x", "-1", "90;refresher=me"] {
            assert!(SessionExpires::parse(bad).is_err(), "{bad}");
        }
    }
}
