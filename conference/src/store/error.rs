//! What can go wrong with the database.

use super::seed::SeedError;

/// A failure of the database. None of these texts is shown to a client of the API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite or the connection pool failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A schema change could not be applied.
    #[error("database migration: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The database belongs to a newer version of the program.
    #[error(
        "the database has schema {found}, this version knows up to {known}: start the newer version, \
         or give another --data folder"
    )]
    NewerSchema {
        /// The schema version in the database.
        found: i64,
        /// The newest schema version of this program.
        known: i64,
    },
    /// The file is no database, or a broken one.
    #[error(
        "the database file is damaged ({what}): restore a backup, or move the file away to start with an empty database"
    )]
    Damaged {
        /// What SQLite says of it.
        what: String,
    },
    /// No database answers.
    #[error(
        "the database cannot be reached ({what}): check store.url, and that the database runs and lets us in"
    )]
    Unreachable {
        /// What went wrong, in one line.
        what: String,
    },
    /// A value in the database is not one of the words this version knows.
    #[error("database column {column} holds {value:?}, which this version does not know")]
    UnknownWord {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A file beside the database could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A key file holds something else than keys.
    #[error(
        "{path}: not a key (64 hex digits a line): restore the file; deleting it invalidates what was made with it"
    )]
    LinkKey {
        /// The file.
        path: String,
    },
    /// The seed data of the configuration contradicts itself or the database.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

impl StoreError {
    /// What went wrong while the database was opened, in one line.
    pub(super) fn opening(error: sqlx::Error) -> Self {
        let code = sqlite_code(&error);
        let what = error.to_string().replace('\n', " ");
        match (error, code) {
            // SQLITE_CORRUPT, SQLITE_NOTADB.
            (_, Some(11 | 26)) => Self::Damaged { what },
            (sqlx::Error::Configuration(_), _) => Self::Unreachable { what },
            (error, None) if is_gone(&error) => Self::Unreachable { what },
            (error, _) => Self::Database(error),
        }
    }

    /// Whether the database is away or busy, so that the same may succeed in a while.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if is_gone(error))
    }

    /// Whether a text holds what PostgreSQL's texts cannot: the character NUL.
    pub(crate) fn is_unstorable_text(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().as_deref() == Some("22021")
    }

    /// Whether a UNIQUE constraint refused the row: somebody else took that value first.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

/// The primary result code of SQLite.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else { return None };
    // PostgreSQL's codes have five places.
    let code = error.code().filter(|code| code.len() < 5)?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sqlx adds kinds of errors; all others are faults of ours"
)]
fn is_gone(error: &sqlx::Error) -> bool {
    if let Some(code) = sqlite_code(error) {
        // BUSY, LOCKED, IOERR, FULL, CANTOPEN, PROTOCOL.
        return matches!(code, 5 | 6 | 10 | 13 | 14 | 15);
    }
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection trouble, too little of something, an operator's hand, the system; statement or lock time-out.
            ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "55P03"
        }),
        _ => false,
    }
}
