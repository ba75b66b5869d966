//! Addresses that get no answer from SIP for a while, kept so that a restart does not forgive them (S4).

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::vocabulary::UnixMillis;

/// How many are kept; those that end first give way.
const BANS_MAX: i64 = 20_000;

/// One row of `bans`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BanRow {
    pub(crate) address: String,
    pub(crate) until: UnixMillis,
}

impl BanRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self { address: row.text("address")?, until: row.time("until")? })
    }
}

impl Store {
    pub(crate) async fn put_ban(
        connection: &mut Connection,
        ban: &BanRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO bans (address, until) VALUES ($1, $2) \
             ON CONFLICT (address) DO UPDATE SET until = excluded.until",
        )
        .bind(&ban.address)
        .bind(millis(ban.until))
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM bans WHERE until <= $1 OR address NOT IN \
             (SELECT address FROM bans ORDER BY until DESC LIMIT $2)",
        )
        .bind(millis(now))
        .bind(BANS_MAX)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The bans that have not ended.
    pub(crate) async fn live_bans(&self, now: UnixMillis) -> Result<Vec<BanRow>, StoreError> {
        let rows = sqlx::query("SELECT address, until FROM bans WHERE until > $1 ORDER BY until")
            .bind(millis(now))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(BanRow::read).collect()
    }
}
