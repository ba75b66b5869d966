//! Opening the database and bringing its schema up to date.

use super::Dialect;
use super::migrations;
use super::{Store, StoreError};
use sqlx::Row as _;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};

/// A write-ahead log lets readers go on while a call event is written; with it, NORMAL loses at most the last commits on
/// power failure and never corrupts. A writer waits five seconds for another one before it gives up.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
    PRAGMA busy_timeout = 5000";
/// Readers run beside the one writer that SQLite allows.
const CONNECTIONS: u32 = 6;

impl Store {
    /// Opens (and, for SQLite, creates where missing) the database and applies the migrations it lacks. Calls which were
    /// in flight when the process died are closed as lost.
    ///
    /// `url` is `sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when a newer version of the program has written the database; other variants
    /// when it cannot be opened or a migration fails.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url).await?;
        store.migrate().await?;
        store.close_calls_in_flight().await?;
        Ok(store)
    }

    /// The pool alone: the schema is taken as it is.
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let dialect = if url.starts_with("postgres") { Dialect::Postgres } else { Dialect::Sqlite };
        let memory = url.contains(":memory:");
        let url = match dialect {
            Dialect::Sqlite if !memory && !url.contains('?') => format!("{url}?mode=rwc"),
            Dialect::Sqlite | Dialect::Postgres => url.to_owned(),
        };
        // Every connection to ":memory:" is a database of its own, so there is only one, and it is never dropped.
        let pool = AnyPoolOptions::new()
            .max_connections(if memory { 1 } else { CONNECTIONS })
            .min_connections(u32::from(memory))
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        sqlx::raw_sql(SQLITE_SETTINGS).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await?;
        Ok(Self {
            pool,
            dialect,
            #[cfg(any(test, feature = "testing"))]
            scratch: None,
        })
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let migrator = Migrator::with_migrations(migrations::all(self.dialect));
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
