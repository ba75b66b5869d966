//! What people called tell by what they do: who picked up, and that they want no more calls.

use super::audit::AuditEntry;
use super::columns::millis;
use super::policy::BlockedRow;
use super::secrets::token_hash;
use super::{Connection, Store, StoreError};
use crate::ids::{CallId, TenantId};
use crate::live::call::Evidence;
use crate::vocabulary::UnixMillis;

impl Store {
    /// Writes down who picked up a call (I50).
    pub(crate) async fn set_call_evidence(
        connection: &mut Connection,
        call: &CallId,
        evidence: &Evidence,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(evidence).unwrap_or_default();
        sqlx::query("UPDATE calls SET evidence = $1, updated_at = $2 WHERE id = $3")
            .bind(text)
            .bind(millis(at))
            .bind(call.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Somebody called pressed the key that asks not to be called again: the number goes on the tenant's list (I42).
    pub(crate) async fn block_by_key(
        connection: &mut Connection,
        tenant: &TenantId,
        e164: &str,
        call: Option<&CallId>,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        // Derived, so that a record written twice is one row.
        let id: String = token_hash(&format!("{tenant} {e164}")).chars().take(32).collect();
        let row = BlockedRow {
            id: format!("k{id}"),
            e164: e164.to_owned(),
            reason: "pressed 9 when called".to_owned(),
            source: "key".to_owned(),
            added_by: None,
            created_at: at,
        };
        if Self::block_number(connection, tenant, &row).await? {
            let entry = AuditEntry {
                tenant,
                actor: None,
                action: "number.blocked",
                object: e164,
                before: None,
                after: Some(serde_json::json!({ "reason": row.reason, "call": call })),
                source: "key",
                at,
            };
            Self::insert_audit(connection, &entry).await?;
        }
        Ok(())
    }
}
