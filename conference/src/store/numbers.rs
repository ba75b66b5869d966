//! The tenant's numbers, caller IDs and the do-not-call list.

use super::columns::Columns;
use super::{Store, StoreError};
use crate::ids::{TenantId, UserId};
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
}

impl Store {
    pub(crate) async fn caller_id(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Option<CallerIdRow>, StoreError> {
        let row = sqlx::query(
            "SELECT n.e164, c.display_name, c.hidden, \
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
        }))
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
