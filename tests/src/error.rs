//! What can go wrong in the lab. Each error says what the lab was about to do.

use std::io;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What the lab was doing.
        what: String,
        /// The reason.
        source: io::Error,
    },
    /// Nothing came in time.
    #[error("waited too long for {0}")]
    Timeout(String),
    /// The other side refused with a SIP or HTTP status.
    #[error("{what} was refused with {status}: {detail}")]
    Refused {
        /// What the lab asked for.
        what: String,
        /// The status code.
        status: u16,
        /// The answer's own words.
        detail: String,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

impl LabError {
    /// An operating system error with what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Any error as words, with what was being done.
    pub fn other<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Other(format!("{what}: {error}"))
    }
}

/// Result of the lab.
pub type LabResult<T> = Result<T, LabError>;
