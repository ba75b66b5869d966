//! Typed header fields, one file each. Reading is lazy: a field costs nothing until somebody asks for it.

mod allow;
mod authenticate;
mod authorization;
mod contact;
mod content_length;
mod cseq;
mod event;
mod expires;
mod max_forwards;
mod name_addr;
mod p_asserted_identity;
mod privacy;
mod reason;
mod reliable;
mod replaces;
mod retry_after;
mod route;
mod session_expires;
mod via;

pub use allow::Allow;
pub use authenticate::{Challenge, ProxyAuthenticate, WwwAuthenticate};
pub use authorization::{Authorization, DigestCredentials, ProxyAuthorization};
pub use contact::Contact;
pub use content_length::ContentLength;
pub use cseq::CSeq;
pub use event::EventPackage;
pub use expires::{Expires, MinExpires, MinSe};
pub use max_forwards::MaxForwards;
pub use name_addr::{From, NameAddr, To};
pub use p_asserted_identity::PAssertedIdentity;
pub use privacy::Privacy;
pub use reason::Reason;
pub use reliable::{RAck, RSeq};
pub use replaces::{ReferTo, Replaces};
pub use retry_after::RetryAfter;
pub use route::{Path, RecordRoute, Route};
pub use session_expires::{Refresher, SessionExpires};
pub use via::Via;

use std::fmt;

use super::HeaderName;

/// A header field value with a meaning. `parse(x.to_string())` gives `x` again.
pub trait TypedHeader: Sized + fmt::Display {
    /// The field this is the value of.
    const NAME: HeaderName;

    /// Reads one value.
    ///
    /// # Errors
    /// [`HeaderError`] names the field and what is wrong with it.
    fn parse(text: &str) -> Result<Self, HeaderError>;
}

/// A header field that cannot be read: the field, and what is wrong with it. The sender is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// The long name of the field.
    pub header: String,
    /// What is wrong, in words.
    pub problem: String,
}

impl HeaderError {
    /// An error about a field.
    pub fn new(name: &HeaderName, problem: impl fmt::Display) -> Self {
        Self { header: name.as_str().to_owned(), problem: problem.to_string() }
    }
}
