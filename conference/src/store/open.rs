//! Opening the database and bringing its schema up to date.

use super::migrations;
use super::patience::{Answers, FRESH, PATIENCE};
use super::pool::Pool;
use super::{Dialect, Store, StoreError};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, Connection as _, Executor as _, Row as _};
use std::time::Duration;
use tokio::time::Instant;

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
        probe(url).await?;
        let store = Self::connect(url).await?;
        store.prepare().await?;
        store.fold_older_rows().await?;
        store.close_what_a_crash_left().await?;
        Ok(store)
    }

    /// Opens the database as [`Self::open`] does, but leaves calls in flight alone: they may be those of a program that is
    /// running beside.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn open_beside(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url).await?;
        store.prepare().await?;
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
        let answers = Answers::default();
        let heard = answers.clone();
        // Every connection to ":memory:" is a database of its own, so there is only one, and it is never dropped.
        let options = AnyPoolOptions::new()
            .max_connections(if memory { 1 } else { CONNECTIONS })
            .min_connections(u32::from(memory))
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(move |connection, idle| {
                // A server may have gone meanwhile; asking each time would cost each statement a round trip.
                let asked = dialect == Dialect::Postgres && idle.idle_for > FRESH;
                Box::pin(async move {
                    if asked {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                let heard = heard.clone();
                Box::pin(async move {
                    let connected = Instant::now();
                    heard.note(false, Duration::ZERO);
                    connection.execute(sqlx::raw_sql(settings)).await?;
                    heard.note(false, connected.elapsed());
                    Ok(())
                })
            });
        let connected = tokio::time::timeout(OPENING, options.connect(&url)).await;
        let pool = match connected {
            Ok(Ok(pool)) => pool,
            Ok(Err(error)) => return Err(StoreError::opening(error)),
            Err(_) => return Err(StoreError::opening(sqlx::Error::PoolTimedOut)),
        };
        Ok(Self {
            pool: Pool::new(pool, dialect, answers),
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
            Dialect::Sqlite => {}
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
}

/// Asks the database once, before there is a pool, which would go on trying: whether it can be reached, and whether every
/// page of a file is sound, so that a broken one is found now, not in the middle of a meeting.
async fn probe(url: &str) -> Result<(), StoreError> {
    sqlx::any::install_default_drivers();
    if url.contains(":memory:") {
        return Ok(());
    }
    let sqlite = url.starts_with("sqlite");
    let address = if sqlite && !url.contains('?') { format!("{url}?mode=rwc") } else { url.to_owned() };
    let asked = async {
        let mut connection = AnyConnection::connect(&address).await?;
        let question = if sqlite { "PRAGMA quick_check(1)" } else { "SELECT 'ok'" };
        let row = connection.fetch_one(question).await?;
        let words = row.try_get::<String, _>(0)?;
        connection.close().await?;
        Ok(words)
    };
    let words = match tokio::time::timeout(OPENING, asked).await {
        Ok(answer) => answer.map_err(StoreError::opening)?,
        Err(_) => return Err(StoreError::opening(sqlx::Error::PoolTimedOut)),
    };
    if words == "ok" { Ok(()) } else { Err(StoreError::Damaged { what: words.replace('\n', " ") }) }
}

async fn schema_version(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = connection.fetch_one("SELECT max(version) FROM _sqlx_migrations").await?;
    Ok(row.try_get(0)?)
}
