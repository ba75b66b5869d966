//! A clear "no": what is wrong, in which field, and what would mend it.

use crate::vocabulary::Cause;
use std::fmt;

/// The class of a refusal, which the API turns into a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// There is no such thing (404).
    NotFound,
    /// The person may not do that (403).
    Forbidden,
    /// Not as things stand now (409).
    Conflict,
    /// The request itself is wrong (422).
    Invalid,
    /// Too much at once (429 or 503).
    Overload,
}

/// Why a command was not carried out. Nothing has changed when one is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The class.
    pub kind: RefusalKind,
    /// The cause from the closed list, for calls.
    pub cause: Option<Cause>,
    /// The request's field at fault.
    pub field: Option<&'static str>,
    /// One sentence saying what is wrong.
    pub detail: String,
    /// One sentence saying what would help; empty if nothing would.
    pub mend: String,
}

impl Refusal {
    /// A refusal without cause, field and mend yet.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind, cause: None, field: None, detail: detail.into(), mend: String::new() }
    }

    /// The thing named does not exist.
    pub fn not_found(field: &'static str, detail: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, detail).field(field)
    }

    /// A call that may not be made now, with its cause; the cause's words are the detail.
    pub fn call(kind: RefusalKind, cause: Cause) -> Self {
        Self { cause: Some(cause), ..Self::new(kind, cause.words()) }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Says more precisely what is wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says what would help.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.detail)?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, ". {}", self.mend) }
    }
}

impl std::error::Error for Refusal {}
