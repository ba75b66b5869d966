//! Opening the database and bringing its schema up to date.

use super::{Store, StoreError};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqlSafeStr as _};
use std::str::FromStr as _;
use std::time::Duration;

/// How long a writer waits for another one before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers run beside the one writer that SQLite allows.
const CONNECTIONS: u32 = 6;

impl Store {
    /// Opens (and creates, where missing) the database and applies the migrations it lacks. Calls which were in
    /// flight when the process died are closed as lost.
    ///
    /// `url` is `sqlite:PATH` or `sqlite::memory:`.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when a newer version of the program has written the database; other variants
    /// when the file cannot be opened or a migration fails.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let memory = url.contains(":memory:");
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // A write-ahead log lets readers go on while a call event is written; with it, NORMAL loses at most
            // the last commits on power failure and never corrupts.
            .journal_mode(if memory { SqliteJournalMode::Memory } else { SqliteJournalMode::Wal })
            .synchronous(SqliteSynchronous::Normal);
        // Every connection to ":memory:" is a database of its own, so there is only one, and it is never dropped.
        let pool = SqlitePoolOptions::new()
            .max_connections(if memory { 1 } else { CONNECTIONS })
            .min_connections(u32::from(memory))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        let store = Self { pool };
        store.migrate().await?;
        store.close_calls_in_flight().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let migrator = Migrator::with_migrations(migrations());
        let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
        match migrator.run(&self.pool).await {
            Ok(()) => Ok(()),
            Err(MigrateError::VersionMissing(found)) if found > known => {
                Err(StoreError::NewerSchema { found: self.schema_version().await.unwrap_or(found), known })
            }
            Err(error) => Err(StoreError::Migration(error)),
        }
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT max(version) FROM _sqlx_migrations").fetch_one(&self.pool).await?;
        Ok(row.try_get(0)?)
    }

    /// A call is made at most once: after a crash it is neither dialled again nor left open for ever. Whatever
    /// was in flight when the process ended lost its media and its dialog with it, so one statement says so. The
    /// trail in `call_events` ends where the process did; the call row carries the verdict.
    async fn close_calls_in_flight(&self) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE calls SET state = 'ended', cause = 'lost', detail = 'the gateway was restarted', \
             ended_at = updated_at WHERE state NOT IN ('ended', 'failed', 'refused', 'cancelled')",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The schema, oldest first. A change is a new file here, never an edit of an old one.
fn migrations() -> Vec<Migration> {
    vec![Migration::new(
        1,
        "first slice".into(),
        MigrationType::Simple,
        include_str!("../../migrations/sqlite/0001_first_slice.sql").into_sql_str(),
        false,
    )]
}
