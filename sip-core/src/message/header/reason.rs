//! Reason, RFC 3326.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::text::is_token;
use crate::message::{HeaderName, Params};

/// Why a request was sent, e.g. `SIP;cause=200;text="Call completed elsewhere"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// Parameters, `cause` and `text` among them.
    pub params: Params,
}

impl Reason {
    /// The cause number, if it is one.
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause")?.parse().ok()
    }

    /// The words.
    pub fn text(&self) -> Option<String> {
        self.params.get("text")
    }
}

impl TypedHeader for Reason {
    const NAME: HeaderName = HeaderName::Reason;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let (protocol, params) = text.split_once(';').unwrap_or((text, ""));
        let params = Params::parse(params).filter(|_| is_token(protocol.trim()));
        let params = params.ok_or_else(|| HeaderError::new(&Self::NAME, "is malformed"))?;
        Ok(Self { protocol: protocol.trim().to_owned(), params })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_and_text_read() {
        let reason = Reason::parse("SIP ;cause=200 ;text=\"Call completed elsewhere\"").unwrap();
        assert_eq!(
            (reason.cause(), reason.text().unwrap().as_str()),
            (Some(200), "Call completed elsewhere")
        );
        assert_eq!(Reason::parse("Q.850;cause=x").unwrap().cause(), None);
        assert!(Reason::parse(";cause=1").is_err());
    }
}
