//! CSeq, RFC 3261 section 20.16.

use std::fmt;

use super::{HeaderError, TypedHeader};
use crate::message::{HeaderName, Method};

/// The sequence number and method that order requests within a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// The number, below 2^31 (section 8.1.1.5).
    pub number: u32,
    /// The method, the same as the request's.
    pub method: Method,
}

impl TypedHeader for CSeq {
    const NAME: HeaderName = HeaderName::CSeq;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (number, method) =
            text.trim().split_once([' ', '\t']).ok_or_else(|| error("method is missing"))?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number: &u32| digits && *number < 1 << 31);
        let number = number.ok_or_else(|| error("number is not below 2^31"))?;
        let method = Method::parse(method.trim_start()).ok_or_else(|| error("method is no token"))?;
        Ok(Self { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_two_to_the_31() {
        assert_eq!(CSeq::parse("0009   INVITE").unwrap(), CSeq { number: 9, method: Method::Invite });
        assert_eq!(CSeq::parse("2147483647 BYE").unwrap().number, 2_147_483_647);
        for text in
            ["", "1", "x INVITE", "2147483648 BYE", "36893488147419103232 REGISTER", "+1 BYE", "1 A B"]
        {
            assert!(CSeq::parse(text).is_err(), "{text}");
        }
    }
}
