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
    /// Whether a UNIQUE constraint refused the row: somebody else took that value first.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}
