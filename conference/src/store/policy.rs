//! Dial policies and the do-not-call list.

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;

/// One row of `blocked_numbers`.
#[derive(Clone, Debug)]
pub(crate) struct BlockedRow {
    pub(crate) id: String,
    pub(crate) e164: String,
    pub(crate) reason: String,
    pub(crate) source: String,
    pub(crate) added_by: Option<UserId>,
    pub(crate) created_at: UnixMillis,
}

impl BlockedRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            e164: row.text("e164")?,
            reason: row.text("reason")?,
            source: row.text("source")?,
            added_by: row.optional_text("added_by")?.map(UserId::new),
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    /// The tenant's policy as JSON, if it has set one.
    pub(crate) async fn dial_policy(&self, tenant: &TenantId) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT policy FROM dial_policies WHERE tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Columns(&row).text("policy")).transpose()
    }

    pub(crate) async fn put_dial_policy(
        connection: &mut Connection,
        tenant: &TenantId,
        policy: &str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO dial_policies (tenant_id, policy, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant_id) DO UPDATE SET policy = excluded.policy, updated_at = excluded.updated_at",
        )
        .bind(tenant.as_str())
        .bind(policy)
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The do-not-call list from one number on, in order of the numbers.
    pub(crate) async fn blocked_numbers(
        &self,
        tenant: &TenantId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<BlockedRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM blocked_numbers WHERE tenant_id = $1 AND e164 > $2 ORDER BY e164 LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(BlockedRow::read).collect()
    }

    /// Puts a number on the do-not-call list; one that is there stays as it is. Returns whether it is new.
    pub(crate) async fn block_number(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &BlockedRow,
    ) -> Result<bool, StoreError> {
        let written = sqlx::query(
            "INSERT INTO blocked_numbers (id, tenant_id, e164, reason, source, added_by, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (tenant_id, e164) DO NOTHING",
        )
        .bind(&row.id)
        .bind(tenant.as_str())
        .bind(&row.e164)
        .bind(&row.reason)
        .bind(&row.source)
        .bind(row.added_by.as_ref().map(UserId::as_str))
        .bind(millis(row.created_at))
        .execute(connection)
        .await?;
        Ok(written.rows_affected() > 0)
    }

    /// Takes a number off the list, by its id or as it stands. Returns the number if it was there.
    pub(crate) async fn unblock_number(
        connection: &mut Connection,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM blocked_numbers WHERE tenant_id = $1 AND (id = $2 OR e164 = $2) RETURNING e164",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(connection)
        .await?;
        row.map(|row| Columns(&row).text("e164")).transpose()
    }
}
