//! The tenant's numbers, caller IDs and the do-not-call list.

use super::columns::{Columns, millis, word};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// The caller ID a user has set, with whether the tenant still owns that number (D34).
#[derive(Clone, Debug)]
pub(crate) struct CallerIdRow {
    /// E.164.
    pub(crate) number: String,
    pub(crate) display_name: String,
    pub(crate) hidden: bool,
    /// Assigned to this user or to the tenant as a whole, and verified.
    pub(crate) owned: bool,
    /// A, B or C, if the carrier has said so.
    pub(crate) attestation: Option<String>,
}

const DIAL_IN: &str = "SELECT e164 FROM numbers WHERE tenant_id = $1 AND purpose = 'dial_in' ORDER BY e164";

impl Store {
    pub(crate) async fn caller_id(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Option<CallerIdRow>, StoreError> {
        let row = sqlx::query(
            "SELECT n.e164, c.display_name, c.hidden, n.attestation, \
             CAST(CASE WHEN n.tenant_id = c.tenant_id AND n.verified_at IS NOT NULL \
              AND (n.user_id IS NULL OR n.user_id = c.user_id) THEN 1 ELSE 0 END AS BIGINT) AS owned \
             FROM caller_ids c JOIN numbers n ON n.id = c.number_id WHERE c.tenant_id = $1 AND c.user_id = $2",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        Ok(Some(CallerIdRow {
            number: row.text("e164")?,
            display_name: row.text("display_name")?,
            hidden: row.flag("hidden")?,
            owned: row.flag("owned")?,
            attestation: row.optional_text("attestation")?,
        }))
    }

    /// The numbers people dial to come into a meeting of this tenant, in E.164.
    pub(crate) async fn dial_in_numbers(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(DIAL_IN).bind(tenant.as_str()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Columns(row).text("e164")).collect()
    }

    /// The same within a transaction.
    pub(crate) async fn dial_in_numbers_within(
        connection: &mut Connection,
        tenant: &TenantId,
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(DIAL_IN).bind(tenant.as_str()).fetch_all(connection).await?;
        rows.iter().map(|row| Columns(row).text("e164")).collect()
    }

    /// Whether the number asked this tenant not to be called (I42).
    pub(crate) async fn is_blocked(&self, tenant: &TenantId, e164: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT count(*) FROM blocked_numbers WHERE tenant_id = $1 AND e164 = $2")
            .bind(tenant.as_str())
            .bind(e164)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }
}

/// What a number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NumberPurpose {
    /// Reaches one user of the house directly.
    Did,
    /// People dial it to come into meetings.
    DialIn,
    /// Only shown to those who are called.
    CallerId,
}

/// One row of `numbers`.
#[derive(Clone, Debug)]
pub(crate) struct NumberRow {
    pub(crate) id: String,
    /// E.164.
    pub(crate) e164: String,
    pub(crate) purpose: NumberPurpose,
    /// Whose it is; nobody's is everybody's of the tenant.
    pub(crate) user: Option<UserId>,
    pub(crate) label: Option<String>,
    pub(crate) trunk: Option<u64>,
    /// A, B or C: how the carrier vouches for calls that show it.
    pub(crate) attestation: Option<String>,
    pub(crate) verified_at: Option<UnixMillis>,
}

impl NumberRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            e164: row.text("e164")?,
            purpose: row.word("purpose")?,
            user: row.optional_text("user_id")?.map(UserId::new),
            label: row.optional_text("label")?,
            trunk: row.optional_integer("trunk_id")?.and_then(|id| u64::try_from(id).ok()),
            attestation: row.optional_text("attestation")?,
            verified_at: row.optional_time("verified_at")?,
        })
    }

    /// Whether calls of this user may show it (D34).
    pub(crate) fn may_show(&self, user: &UserId) -> bool {
        self.verified_at.is_some() && self.user.as_ref().is_none_or(|owner| owner == user)
    }
}

impl Store {
    /// The tenant's numbers, in order.
    pub(crate) async fn numbers(&self, tenant: &TenantId) -> Result<Vec<NumberRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM numbers WHERE tenant_id = $1 ORDER BY e164")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(NumberRow::read).collect()
    }

    /// A page of the tenant's numbers in order, and how many there are.
    pub(crate) async fn page_of_numbers(
        &self,
        tenant: &TenantId,
        (limit, offset): (i64, i64),
    ) -> Result<(Vec<NumberRow>, i64), StoreError> {
        let total = sqlx::query("SELECT count(*) FROM numbers WHERE tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let rows = sqlx::query("SELECT * FROM numbers WHERE tenant_id = $1 ORDER BY e164 LIMIT $2 OFFSET $3")
            .bind(tenant.as_str())
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(NumberRow::read).collect::<Result<_, _>>()?, total))
    }

    /// A number by its id, or as it stands.
    pub(crate) async fn number(&self, tenant: &TenantId, id: &str) -> Result<Option<NumberRow>, StoreError> {
        sqlx::query("SELECT * FROM numbers WHERE tenant_id = $1 AND (id = $2 OR e164 = $2)")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| NumberRow::read(&row))
            .transpose()
    }

    /// Adds a number. It is unique over all tenants: nobody can show another tenant's.
    pub(crate) async fn insert_number(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &NumberRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO numbers (id, tenant_id, e164, purpose, user_id, label, trunk_id, attestation, verified_at, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        )
        .bind(&row.id)
        .bind(tenant.as_str())
        .bind(&row.e164)
        .bind(word(&row.purpose))
        .bind(row.user.as_ref().map(UserId::as_str))
        .bind(row.label.as_deref())
        .bind(row.trunk.map(|id| millis(UnixMillis(id))))
        .bind(row.attestation.as_deref())
        .bind(row.verified_at.map(millis))
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn update_number(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &NumberRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE numbers SET purpose = $3, user_id = $4, label = $5, trunk_id = $6, attestation = $7, \
             verified_at = $8, updated_at = $9 WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(&row.id)
        .bind(word(&row.purpose))
        .bind(row.user.as_ref().map(UserId::as_str))
        .bind(row.label.as_deref())
        .bind(row.trunk.map(|id| millis(UnixMillis(id))))
        .bind(row.attestation.as_deref())
        .bind(row.verified_at.map(millis))
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Removes a number, and with it the caller IDs that show it.
    pub(crate) async fn delete_number(
        connection: &mut Connection,
        tenant: &TenantId,
        id: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM caller_ids WHERE tenant_id = $1 AND number_id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM numbers WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// What calls of a user show from now on.
    pub(crate) async fn put_caller_id(
        connection: &mut Connection,
        (tenant, user): (&TenantId, &UserId),
        number: &str,
        display_name: &str,
        hidden: bool,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO caller_ids (user_id, tenant_id, number_id, display_name, hidden, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (user_id) DO UPDATE SET number_id = excluded.number_id, \
             display_name = excluded.display_name, hidden = excluded.hidden, updated_at = excluded.updated_at",
        )
        .bind(user.as_str())
        .bind(tenant.as_str())
        .bind(number)
        .bind(display_name)
        .bind(i64::from(hidden))
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Calls of a user show nothing any more, and are refused.
    pub(crate) async fn delete_caller_id(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM caller_ids WHERE tenant_id = $1 AND user_id = $2")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }
}
