//! The way to the database: every statement has a deadline, writers wait their turn in order, and all is timed.
//!
//! Queries are written as `sqlx::query(..).execute(&self.pool)` or `.execute(&mut *transaction)`; both go through here,
//! so that no request and no task can wait for ever for a database that has stopped, is locked, or has gone.

use super::Dialect;
use super::patience::Answers;
use crate::times::Times;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Either, Error, Execute, Executor, SqlStr};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A statement taken apart, so that it can be looked at and sent on.
type Statement = (SqlStr, Option<AnyArguments>);

/// The pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    inner: AnyPool,
    dialect: Dialect,
    turn: Arc<Semaphore>,
    times: Arc<Times>,
    answers: Answers,
}

/// A connection that is held for longer than one statement.
#[derive(Debug)]
pub(crate) struct Connection {
    /// `None` once it has been given back.
    inner: Option<PoolConnection<Any>>,
    times: Arc<Times>,
    answers: Answers,
    /// Whether it has its turn to write.
    writes: bool,
}

/// A writing transaction: it rolls back unless it is committed.
#[derive(Debug)]
pub(crate) struct Transaction {
    connection: Connection,
    turn: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(super) fn new(inner: AnyPool, dialect: Dialect, answers: Answers) -> Self {
        Self { inner, dialect, turn: Arc::new(Semaphore::new(1)), times: Arc::default(), answers }
    }

    /// How long statements took.
    pub(super) fn times(&self) -> &Times {
        &self.times
    }

    pub(crate) async fn close(&self) {
        self.inner.close().await;
    }

    /// How many connections are open, and how many of them idle.
    pub(super) fn connections(&self) -> (u32, usize) {
        (self.inner.size(), self.inner.num_idle())
    }

    /// A connection without deadlines, for the start.
    pub(super) async fn patient(&self) -> Result<PoolConnection<Any>, Error> {
        self.inner.acquire().await
    }

    async fn acquire(&self, began: Instant, writes: bool) -> Result<Connection, Error> {
        let inner = self.answers.any.wait(began, self.inner.acquire()).await??;
        let (times, answers) = (Arc::clone(&self.times), self.answers.clone());
        Ok(Connection { inner: Some(inner), times, answers, writes })
    }

    /// Begins a writing transaction. Writing transactions run one after the other: within this process by turns, in the
    /// order in which they were asked for, and beyond it by the lock of the database (docs/decisions/0004).
    pub(super) async fn begin(&self) -> Result<Transaction, Error> {
        let began = Instant::now();
        let turn = Some(self.turn(began).await?);
        let connection = self.acquire(began, true).await?;
        let mut transaction = Transaction { connection, turn };
        let begin = match self.dialect {
            // Takes the write lock at once, so that it cannot fail half-way.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            // Held to the end of the transaction; the statements after it see what others have committed before.
            Dialect::Postgres => "BEGIN; SELECT pg_advisory_xact_lock(7226741)",
        };
        transaction.connection.run(began, |inner| inner.execute(sqlx::raw_sql(begin))).await?;
        Ok(transaction)
    }

    async fn turn(&self, began: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let turn = self.answers.writes.wait(began, Arc::clone(&self.turn).acquire_owned()).await?;
        turn.map_err(|_| Error::PoolClosed)
    }

    /// SQLite knows one writer. Whoever finds it busy would sleep and look again, ever longer: a queue is fair and quick.
    async fn turn_for(&self, sql: &SqlStr, began: Instant) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let reads =
            sql.as_str().trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
        match self.dialect {
            Dialect::Sqlite if !reads => self.turn(began).await.map(Some),
            Dialect::Sqlite | Dialect::Postgres => Ok(None),
        }
    }

    async fn run_statement<T>(
        &self,
        statement: Result<Statement, Error>,
        run: impl for<'c> FnOnce(&'c mut AnyConnection, Statement) -> BoxFuture<'c, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let statement = statement?;
        let began = Instant::now();
        let turn = self.turn_for(&statement.0, began).await?;
        let mut connection = self.acquire(began, turn.is_some()).await?;
        connection.run(began, |inner| run(inner, statement)).await
    }
}

impl Connection {
    async fn run_statement<T>(
        &mut self,
        statement: Result<Statement, Error>,
        run: impl for<'c> FnOnce(&'c mut AnyConnection, Statement) -> BoxFuture<'c, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let statement = statement?;
        self.run(Instant::now(), |inner| run(inner, statement)).await
    }

    /// Runs one statement, for which has been waited since `began`, until its time is up. A connection on which it did not
    /// end in time is closed.
    async fn run<T>(
        &mut self,
        began: Instant,
        run: impl for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let inner = self.inner.as_mut().ok_or(Error::PoolClosed)?;
        let deadline = if self.writes { &self.answers.writes } else { &self.answers.any }.deadline(began);
        let sent = Instant::now();
        let result = tokio::time::timeout_at(deadline, run(inner)).await;
        let took = sent.elapsed();
        self.times.observe(took);
        match result {
            Ok(answer) => {
                if answer.is_ok() {
                    self.answers.note(self.writes, took);
                }
                answer
            }
            Err(_) => {
                self.discard();
                Err(too_late())
            }
        }
    }

    /// Closes a connection of which nobody knows what it is doing.
    fn discard(&mut self) {
        drop(self.inner.take().map(PoolConnection::detach));
    }
}

impl Transaction {
    /// Makes it all lasting.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let committed =
            self.connection.run(Instant::now(), |inner| inner.execute(sqlx::raw_sql("COMMIT"))).await;
        match committed {
            // Back to the pool as it is: there is nothing to roll back.
            Ok(_) => drop(self.connection.inner.take()),
            // The answer may be what was lost; whether it is done, the database alone knows.
            Err(_) => self.connection.discard(),
        }
        committed.map(drop)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(inner) = self.connection.inner.take() else { return };
        let (times, answers) = (Arc::clone(&self.connection.times), self.connection.answers.clone());
        let mut connection = Connection { inner: Some(inner), times, answers, writes: true };
        let turn = self.turn.take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return connection.discard() };
        runtime.spawn(async move {
            if connection.run(Instant::now(), |inner| inner.execute(sqlx::raw_sql("ROLLBACK"))).await.is_err()
            {
                connection.discard();
            }
            drop(turn);
        });
    }
}

impl std::ops::Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

pub(super) fn too_late() -> Error {
    let words = "the database did not answer in time";
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, words))
}

fn taken_apart<'q>(mut query: impl Execute<'q, Any>) -> Result<Statement, Error> {
    let arguments = query.take_arguments().map_err(Error::Encode)?;
    Ok((query.sql(), arguments))
}

/// The four ways of running a statement, for whatever has a `run` as [`Pool`] or [`Connection`] have.
macro_rules! run_in_time {
    ($runner:ident, $statement:ident, |$inner:ident| $call:expr) => {
        $runner.run_statement($statement, |$inner, $statement| $call).boxed()
    };
}

macro_rules! executor {
    ($type:ty) => {
        impl<'c> Executor<'c> for $type {
            type Database = Any;

            fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<AnyQueryResult, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Any>,
            {
                let statement = taken_apart(query);
                run_in_time!(self, statement, |inner| inner.execute(statement))
            }

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Any>,
            {
                let statement = taken_apart(query);
                let rows = run_in_time!(self, statement, |inner| inner
                    .fetch_many(statement)
                    .collect::<Vec<_>>()
                    .map(Ok)
                    .boxed());
                stream::once(rows)
                    .flat_map(|rows| match rows {
                        Ok(rows) => stream::iter(rows).boxed(),
                        Err(error) => stream::iter(vec![Err(error)]).boxed(),
                    })
                    .boxed()
            }

            fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<AnyRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Any>,
            {
                let statement = taken_apart(query);
                run_in_time!(self, statement, |inner| inner.fetch_all(statement))
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Any>,
            {
                let statement = taken_apart(query);
                run_in_time!(self, statement, |inner| inner.fetch_optional(statement))
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                _: &'e [AnyTypeInfo],
            ) -> BoxFuture<'e, Result<AnyStatement, Error>>
            where
                'c: 'e,
            {
                // Statements are prepared where they are run, and kept by the connection.
                std::future::ready(Err(Error::Protocol(format!("not prepared beforehand: {}", sql.as_str()))))
                    .boxed()
            }
        }
    };
}

executor!(&'c Pool);
executor!(&'c mut Connection);
