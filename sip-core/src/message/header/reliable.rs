//! RSeq and RAck, RFC 3262 section 7.

use std::fmt;

use super::{CSeq, HeaderError, TypedHeader};
use crate::message::HeaderName;
use crate::message::text::saturating_u32;

/// The number of a reliable provisional response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RSeq(pub u32);

impl TypedHeader for RSeq {
    const NAME: HeaderName = HeaderName::RSeq;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let number = saturating_u32(text.trim());
        number.map(Self).ok_or_else(|| HeaderError::new(&Self::NAME, "is not a number"))
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which provisional response a PRACK acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// Its RSeq.
    pub rseq: u32,
    /// Its CSeq.
    pub cseq: CSeq,
}

impl TypedHeader for RAck {
    const NAME: HeaderName = HeaderName::RAck;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (rseq, cseq) = text.trim().split_once([' ', '\t']).ok_or_else(|| error("CSeq is missing"))?;
        let rseq = saturating_u32(rseq).ok_or_else(|| error("RSeq is not a number"))?;
        let cseq = CSeq::parse(cseq).map_err(|problem| error(&problem.problem))?;
        Ok(Self { rseq, cseq })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    #[test]
    fn rack_names_a_response() {
        let cseq = CSeq { number: 314, method: Method::Invite };
        assert_eq!(RAck::parse("77 \t 314   INVITE").unwrap(), RAck { rseq: 77, cseq });
        assert_eq!(RAck::parse("77 314 INVITE").unwrap().to_string(), "77 314 INVITE");
        for bad in ["", "77", "77 314", "x 314 INVITE", "77 x INVITE"] {
            assert!(RAck::parse(bad).is_err(), "{bad}");
        }
        assert!(RSeq::parse("1 2").is_err());
    }
}
