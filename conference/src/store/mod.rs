//! The database: SQLite through sqlx, one file of queries per group of tables.
//!
//! Every query carries the tenant (or a value that only one tenant can hold, such as a token's hash) and passes
//! values as parameters. Nothing here decides who may do what; that is the services' work. Neither the SIP nor the
//! media path waits for this module: what the running meetings report arrives through [`records::RecordWriter`].

mod calls;
mod columns;
mod devices;
mod error;
mod idempotency;
mod meetings;
mod numbers;
mod open;
mod people;
pub mod records;
mod registrations;
pub mod secrets;
pub mod seed;
mod sessions;
mod settings;
mod tenants;
mod trunks;
mod users;
pub mod world;

pub use error::StoreError;

pub(crate) use calls::{CallRow, CallStep, NewCall};
pub(crate) use devices::DeviceRow;
pub(crate) use idempotency::StoredAnswer;
pub(crate) use meetings::MeetingRow;
pub(crate) use numbers::CallerIdRow;
pub(crate) use people::{Identity, PersonRow};
pub(crate) use registrations::RegistrationRow;
pub(crate) use sessions::SessionRow;
pub(crate) use tenants::TenantRow;
pub(crate) use trunks::TrunkRow;
pub(crate) use users::UserRow;

use sqlx::{Sqlite, SqlitePool, Transaction};

/// A handle on the database; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Begins a writing transaction. It takes the write lock at once, so that it cannot fail half-way because
    /// another writer came in between its first read and its first write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Whether the database answers: the readiness check.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// The whole database as bytes, for [`Self::from_image`].
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn image(&self) -> Result<Vec<u8>, StoreError> {
        Ok(self.pool.acquire().await?.serialize(None).await?.as_ref().to_vec())
    }

    /// A database in memory that begins as a copy of another.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn from_image(image: &[u8]) -> Result<Self, StoreError> {
        let store = Self::open("sqlite::memory:").await?;
        let image = image.try_into()?;
        store.pool.acquire().await?.deserialize(None, image, false).await?;
        Ok(store)
    }

    /// Closes every connection, which also folds the write-ahead log into the database file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests;
