//! Opening the database and bringing its schema up to date.

use super::columns::Columns;
use super::migrations;
use super::pool::{Pool, STATEMENT_LIMIT};
use super::{Dialect, Store, StoreError};
use crate::ids::CallId;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, Executor as _, Row as _};
use std::time::Duration;

/// A write-ahead log lets readers go on while a call event is written; with it, NORMAL loses at most the last commits on
/// power failure and never corrupts. Writers of this process take turns before they ask SQLite; what they wait for here is
/// another process, and for less time than a statement may take.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 1200; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
    PRAGMA foreign_keys = ON";
/// The server gives up before we do, so that the connection stays usable. Nothing of ours lies idle in a transaction.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '1300ms'; SET lock_timeout = '1200ms'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";
/// A schema change takes as long as it takes.
const POSTGRES_PATIENCE: &str = "SET statement_timeout = 0; SET lock_timeout = 0";
/// Readers run beside the one writer at a time.
const CONNECTIONS: u32 = 6;
/// How long the start waits for the database.
const OPENING: Duration = Duration::from_secs(10);

impl Store {
    /// Opens (and, for SQLite, creates where missing) the database and applies the migrations it lacks. Calls which were
    /// in flight when the process died are closed as lost.
    ///
    /// `url` is `sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when a newer version of the program has written the database,
    /// [`StoreError::Damaged`] when the file is none or broken, [`StoreError::Unreachable`] when no server answers; other
    /// variants when it cannot be opened or a migration fails.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url).await?;
        store.prepare().await?;
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
        let settings = match dialect {
            Dialect::Sqlite => SQLITE_SETTINGS,
            Dialect::Postgres => POSTGRES_SETTINGS,
        };
        // Every connection to ":memory:" is a database of its own, so there is only one, and it is never dropped.
        let options = AnyPoolOptions::new()
            .max_connections(if memory { 1 } else { CONNECTIONS })
            .min_connections(u32::from(memory))
            .acquire_timeout(STATEMENT_LIMIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(sqlx::raw_sql(settings)).await.map(drop) })
            });
        let connected = tokio::time::timeout(OPENING, options.connect(&url)).await;
        let pool = match connected {
            Ok(Ok(pool)) => pool,
            Ok(Err(error)) => return Err(StoreError::opening(error)),
            Err(_) => return Err(StoreError::opening(sqlx::Error::PoolTimedOut)),
        };
        Ok(Self {
            pool: Pool::new(pool, dialect),
            dialect,
            outbox_bell: std::sync::Arc::default(),
            #[cfg(any(test, feature = "testing"))]
            scratch: None,
        })
    }

    /// Checks the file and changes the schema, on a connection that may take its time.
    async fn prepare(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.patient().await.map_err(StoreError::opening)?;
        match self.dialect {
            Dialect::Sqlite => check_file(&mut connection).await?,
            Dialect::Postgres => {
                connection.execute(sqlx::raw_sql(POSTGRES_PATIENCE)).await?;
            }
        }
        let migrated = self.migrate(&mut connection).await;
        if self.dialect == Dialect::Postgres {
            connection.execute(sqlx::raw_sql(POSTGRES_SETTINGS)).await?;
        }
        migrated
    }

    async fn migrate(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let migrator = Migrator::with_migrations(migrations::all(self.dialect));
        let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
        match migrator.run(&mut *connection).await {
            Ok(()) => Ok(()),
            Err(MigrateError::VersionMissing(found)) if found > known => Err(StoreError::NewerSchema {
                found: schema_version(connection).await.unwrap_or(found),
                known,
            }),
            Err(error) => Err(StoreError::Migration(error)),
        }
    }

    /// A call is made at most once: after a crash it is neither dialled again nor left open for ever. Whatever
    /// was in flight when the process ended lost its media and its dialog with it, so one statement says so. The
    /// trail in `call_events` ends where the process did; the call row carries the verdict.
    async fn close_calls_in_flight(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let lost = sqlx::query(
            "UPDATE calls SET state = 'ended', cause = 'lost', detail = 'the gateway was restarted', \
             ended_at = updated_at WHERE state NOT IN ('ended', 'failed', 'refused', 'cancelled') \
             RETURNING id, updated_at",
        )
        .fetch_all(&mut *transaction)
        .await?;
        let call = |row| Ok((CallId::new(Columns(row).text("id")?), Columns(row).time("updated_at")?));
        let lost = lost.iter().map(call).collect::<Result<Vec<_>, StoreError>>()?;
        self.queue_lost_calls(&mut transaction, &lost).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Reads every page once: a broken file is found now, not in the middle of a meeting.
async fn check_file(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let found = connection.fetch_one("PRAGMA quick_check(1)").await.map_err(StoreError::opening)?;
    let words: String = found.try_get(0)?;
    if words == "ok" { Ok(()) } else { Err(StoreError::Damaged { what: words.replace('\n', " ") }) }
}

async fn schema_version(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = connection.fetch_one("SELECT max(version) FROM _sqlx_migrations").await?;
    Ok(row.try_get(0)?)
}
