//! Why a service said no.

use crate::live::refusal::{Refusal, RefusalKind};
use crate::store::StoreError;
use crate::vocabulary::Cause;

/// The class of a failure, which the API turns into a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody knows who is asking (401).
    Unauthorized,
    /// Known, but not allowed (403).
    Forbidden,
    /// No such thing, or none that the asker may know of (404).
    NotFound,
    /// Not as things stand now (409).
    Conflict,
    /// The request itself is wrong (422).
    Invalid,
    /// Too much in too short a time (429).
    TooMany,
    /// The database is away; it may be back in a while (503).
    Unavailable,
    /// A fault on our side (500).
    Internal,
}

/// A refusal or a failure. `detail` and `mend` are for the person who asked; `internal` is for the log alone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind:?}: {detail}")]
pub struct ServiceError {
    /// The class.
    pub kind: ErrorKind,
    /// The field of the request at fault, such as `people[2].role`.
    pub field: Option<String>,
    /// The cause from the closed list, for calls.
    pub cause: Option<Cause>,
    /// One sentence saying what is wrong.
    pub detail: String,
    /// One sentence saying what would help; empty if nothing would.
    pub mend: String,
    /// What the log gets and the client does not.
    pub internal: Option<String>,
}

impl ServiceError {
    /// A failure without field, cause and mend yet.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, field: None, cause: None, detail: detail.into(), mend: String::new(), internal: None }
    }

    /// The request's field is wrong.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(ErrorKind::Invalid, detail) }
    }

    /// There is none, or none to be known of: both read the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("There is no such {what}"))
    }

    /// The asker's role does not allow it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, detail)
    }

    /// A fault of ours; the text goes to the log.
    pub fn internal(internal: impl Into<String>) -> Self {
        Self {
            internal: Some(internal.into()),
            mend: "Try again; if it stays, give the request id to your administrator".to_owned(),
            ..Self::new(ErrorKind::Internal, "Something went wrong on our side")
        }
    }

    /// Says what would help.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }

    /// Puts the field into its place in the request: `role` in `people[2]` becomes `people[2].role`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.field = Some(match self.field {
            Some(field) => format!("{place}.{field}"),
            None => place.to_owned(),
        });
        self
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            return Self {
                internal: Some(error.to_string()),
                mend: "Try again in a few seconds; running calls are not affected".to_owned(),
                ..Self::new(ErrorKind::Unavailable, "The database does not answer at the moment")
            };
        }
        if error.is_unstorable_text() {
            return Self::new(ErrorKind::Invalid, "A text holds the character NUL").mend("Leave it out");
        }
        Self::internal(error.to_string())
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::NotFound => ErrorKind::NotFound,
            RefusalKind::Forbidden => ErrorKind::Forbidden,
            RefusalKind::Conflict => ErrorKind::Conflict,
            RefusalKind::Invalid => ErrorKind::Invalid,
            RefusalKind::Overload => ErrorKind::TooMany,
        };
        Self {
            kind,
            field: refusal.field.map(str::to_owned),
            cause: refusal.cause,
            detail: refusal.detail,
            mend: refusal.mend,
            internal: None,
        }
    }
}
