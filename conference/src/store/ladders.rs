//! The SIP messages of calls that are over.

use super::columns::{Columns, millis};
use super::{Connection, Store, StoreError};
use crate::ids::{CallId, TenantId};
use crate::live::ladder::Rung;
use crate::vocabulary::UnixMillis;

impl Store {
    /// Keeps the messages of a call. Those of a call nobody knows are thrown away.
    pub(super) async fn put_ladder(
        connection: &mut Connection,
        call: &CallId,
        rungs: &[Rung],
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO call_ladders (call_id, tenant_id, ladder, at) \
             SELECT id, tenant_id, $2, $3 FROM calls WHERE id = $1 \
             ON CONFLICT (call_id) DO UPDATE SET ladder = excluded.ladder, at = excluded.at",
        )
        .bind(call.as_str())
        .bind(serde_json::to_string(rungs).unwrap_or_default())
        .bind(millis(at))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The messages of a call, if they are still kept.
    pub(crate) async fn ladder(
        &self,
        tenant: &TenantId,
        call: &CallId,
    ) -> Result<Option<Vec<Rung>>, StoreError> {
        let row = sqlx::query("SELECT ladder FROM call_ladders WHERE tenant_id = $1 AND call_id = $2")
            .bind(tenant.as_str())
            .bind(call.as_str())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(serde_json::from_str(&Columns(&row).text("ladder")?).ok())
    }

    /// Forgets those that are older.
    pub(crate) async fn sweep_ladders(
        &self,
        tenant: &TenantId,
        before: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM call_ladders WHERE tenant_id = $1 AND at < $2")
            .bind(tenant.as_str())
            .bind(millis(before))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
