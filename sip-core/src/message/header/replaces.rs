//! Replaces, RFC 3891, and Refer-To, RFC 3515.

use std::fmt;

use super::{HeaderError, NameAddr, TypedHeader};
use crate::dialog::DialogId;
use crate::message::text::is_token;
use crate::message::{HeaderName, Params};

/// The dialog that a new one is to take the place of, as the receiver of the request sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The dialog: `to-tag` is the receiver's own, `from-tag` that of its peer.
    pub dialog: DialogId,
    /// Only while that dialog is early.
    pub early_only: bool,
}

impl TypedHeader for Replaces {
    const NAME: HeaderName = HeaderName::Replaces;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (call_id, params) = text.trim().split_once(';').ok_or_else(|| error("tags are missing"))?;
        let params = Params::parse(params).ok_or_else(|| error("parameters are malformed"))?;
        let tag = |name: &str| params.get(name).filter(|tag| is_token(tag));
        let (Some(local_tag), Some(remote_tag)) = (tag("to-tag"), tag("from-tag")) else {
            return Err(error("a tag is missing"));
        };
        let call_id = call_id.trim().to_owned();
        if call_id.is_empty() || call_id.contains(char::is_whitespace) {
            return Err(error("Call-ID is malformed"));
        }
        let dialog = DialogId { call_id, local_tag, remote_tag };
        Ok(Self { dialog, early_only: params.contains("early-only") })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DialogId { call_id, local_tag, remote_tag } = &self.dialog;
        write!(f, "{call_id};to-tag={local_tag};from-tag={remote_tag}")?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

/// Whom the receiver of a REFER is asked to contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferTo(pub NameAddr);

impl TypedHeader for ReferTo {
    const NAME: HeaderName = HeaderName::ReferTo;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        NameAddr::parse_text(text).map(Self).map_err(|problem| HeaderError::new(&Self::NAME, problem))
    }
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_named_from_the_receivers_side() {
        let read = Replaces::parse("98732@x ;from-tag=r33; to-tag=ff;early-only").unwrap();
        assert_eq!((read.dialog.local_tag.as_str(), read.dialog.remote_tag.as_str()), ("ff", "r33"));
        assert_eq!(Replaces::parse(&read.to_string()).unwrap(), read);
        for bad in [
            "x;to-tag=\";a=b\";from-tag=c",
            "",
            "x",
            "x;to-tag=a",
            ";to-tag=a;from-tag=b",
            "a b;to-tag=a;from-tag=b",
        ] {
            assert!(Replaces::parse(bad).is_err(), "{bad}");
        }
        assert!(ReferTo::parse("<sip:a@b?Replaces=c%3Bto-tag%3Dd>").is_ok());
        assert!(ReferTo::parse("nobody").is_err());
    }
}
