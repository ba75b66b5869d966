//! The header fields without which no message can be handled (RFC 3261 section 8.1.1), read once.

use super::header::{CSeq, From, HeaderError, To, Via};
use super::{HeaderName, Headers};

/// Via, From, To, Call-ID and CSeq of a received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essential {
    /// The topmost Via.
    pub via: Via,
    /// How many Via values there are.
    pub via_count: usize,
    /// From, with the tag of the side that sent the request.
    pub from: From,
    /// To, with the tag of the side that answers, once it has one.
    pub to: To,
    /// Call-ID.
    pub call_id: String,
    /// CSeq.
    pub cseq: CSeq,
}

impl Essential {
    /// Reads the five fields; an error names the first one that is missing or malformed.
    pub fn read(headers: &Headers) -> Result<Self, HeaderError> {
        fn required<T>(name: &HeaderName, value: Option<T>) -> Result<T, HeaderError> {
            value.ok_or_else(|| HeaderError::new(name, "is missing"))
        }
        let mut vias = headers.typed_list::<Via>()?;
        let via_count = vias.len();
        let via = if vias.is_empty() { None } else { Some(vias.swap_remove(0)) };
        let call_id = headers.first(&HeaderName::CallId).map(|value| value.text().into_owned());
        let call_id = call_id.filter(|id| !id.is_empty() && !id.contains(char::is_whitespace));
        Ok(Self {
            via: required(&HeaderName::Via, via)?,
            via_count,
            from: required(&HeaderName::From, headers.typed()?)?,
            to: required(&HeaderName::To, headers.typed()?)?,
            call_id: required(&HeaderName::CallId, call_id)?,
            cseq: required(&HeaderName::CSeq, headers.typed()?)?,
        })
    }
}
