//! The database: SQLite or PostgreSQL through sqlx, one file of queries per group of tables, one text per query.
//!
//! Both databases run the same statements: placeholders are `$1`, columns are `TEXT` and `BIGINT` only (a flag is 0 or
//! 1, a time is milliseconds since the Unix epoch, anything structured is JSON text), and nothing is used that only one
//! of them knows.
//!
//! Every query carries the tenant (or a value that only one tenant can hold, such as a token's hash) and passes
//! values as parameters. Nothing here decides who may do what; that is the services' work. Neither the SIP nor the
//! media path waits for this module: what the running meetings report arrives through [`records::RecordWriter`].

mod accounts;
mod addresses;
mod again;
mod api_keys;
mod attendance;
mod audit;
mod bans;
mod bulk;
mod calls;
mod cdrs;
mod columns;
pub mod command;
mod dashboard;
mod devices;
mod directory;
mod erase;
mod error;
mod evidence;
mod happenings;
mod idempotency;
mod invitations;
mod ladders;
mod meeting_list;
mod meetings;
mod migrations;
mod numbers;
mod oidc;
mod open;
pub(crate) mod outbox;
mod patience;
mod people;
mod policy;
mod pool;
pub mod records;
mod registrations;
mod reminders;
mod reseal;
#[cfg(any(test, feature = "testing"))]
mod scratch;
mod search;
pub mod secrets;
pub mod seed;
mod sessions;
mod settings;
mod tenants;
mod trunks;
mod usage;
mod user_requests;
mod users;
pub mod vault;
mod webhooks;
pub mod world;

pub use error::StoreError;
pub use reseal::Resealed;
#[cfg(any(test, feature = "testing"))]
pub use scratch::Scratch;
pub use vault::Vault;

pub(crate) use accounts::UserSlice;
pub(crate) use again::AgainRow;
pub(crate) use api_keys::ApiKeyRow;
pub(crate) use attendance::{AttendanceRow, InstanceRow};
pub(crate) use audit::{AuditEntry, AuditFilter};
pub(crate) use bans::BanRow;
pub(crate) use bulk::{BulkResultRow, BulkRow};
pub(crate) use calls::{CallEventRow, CallRow, CallStep, NewCall, NewStory};
pub(crate) use cdrs::CdrFilter;
pub(crate) use columns::word as word_of;
pub(crate) use columns::{from_word, word};
pub(crate) use dashboard::SessionSlice;
pub(crate) use devices::DeviceRow;
pub(crate) use erase::Whom;
pub(crate) use idempotency::StoredAnswer;
pub(crate) use invitations::InvitationRow;
pub(crate) use meeting_list::{ListQuery, ListedMeeting};
pub(crate) use meetings::{MeetingRow, PlanColumns};
pub use numbers::NumberPurpose;
pub(crate) use numbers::{CallerIdRow, NumberRow};
pub(crate) use oidc::OidcLoginRow;
pub(crate) use outbox::{NewParcel, OutboxRow};
pub(crate) use people::{Identity, PersonRow};
pub(crate) use policy::BlockedRow;
pub(crate) use pool::{Connection, Transaction};
pub(crate) use registrations::RegistrationRow;
#[cfg(any(test, feature = "testing"))]
pub(crate) use scratch::Image;
pub(crate) use sessions::SessionRow;
pub(crate) use tenants::TenantRow;
pub(crate) use trunks::TrunkRow;
pub(crate) use usage::UsageOf;
pub(crate) use user_requests::UserRequestRow;
pub(crate) use users::UserRow;
pub(crate) use webhooks::{OutgoingEvent, WebhookRow};

/// One row of an answer; read it with [`columns::Columns`].
pub(crate) type Row = sqlx::any::AnyRow;

use crate::times::Times;

/// A handle on the database; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: pool::Pool,
    dialect: Dialect,
    /// Rung when something was put into the outbox.
    outbox_bell: std::sync::Arc<tokio::sync::Notify>,
    #[cfg(any(test, feature = "testing"))]
    scratch: Option<Scratch>,
}

/// Which database it is. Only opening, migrating and beginning differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A file, or memory, of this process.
    Sqlite,
    /// A server.
    Postgres,
}

impl Store {
    /// Begins a writing transaction. Such transactions run one after the other on both databases: what one of them has
    /// read is true until it commits.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// How long statements took, the wait for a connection apart.
    pub fn times(&self) -> &Times {
        self.pool.times()
    }

    /// How many connections are open, and how many of them are idle.
    pub fn connections(&self) -> (u32, usize) {
        self.pool.connections()
    }

    /// Whether the database answers: the readiness check.
    ///
    /// # Errors
    /// When the database cannot be reached or read.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection, which also folds the write-ahead log into the database file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;
