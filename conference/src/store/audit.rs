//! Who did what to whom: one line for each administrative or moderating act, written with the act itself (I86).

use super::columns::millis;
use super::{Connection, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;

/// One act.
#[derive(Clone, Debug)]
pub(crate) struct AuditEntry<'a> {
    pub(crate) tenant: &'a TenantId,
    /// Who did it; nobody for what the system does by itself.
    pub(crate) actor: Option<&'a UserId>,
    /// What was done: `person.added`, `user.disabled`.
    pub(crate) action: &'static str,
    /// To what: the identifier of a row.
    pub(crate) object: &'a str,
    /// What it was before, as JSON.
    pub(crate) before: Option<serde_json::Value>,
    /// What it is now, as JSON. Never a secret.
    pub(crate) after: Option<serde_json::Value>,
    /// By which path: `api`, `invite`, `multi`, `keypad`.
    pub(crate) source: &'a str,
    pub(crate) at: UnixMillis,
}

impl Store {
    /// Appends a line to the audit log.
    pub(crate) async fn insert_audit(
        connection: &mut Connection,
        entry: &AuditEntry<'_>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit (tenant_id, actor_id, action, object, before_value, after_value, source, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(entry.tenant.as_str())
        .bind(entry.actor.map(UserId::as_str))
        .bind(entry.action)
        .bind(entry.object)
        .bind(entry.before.as_ref().map(ToString::to_string))
        .bind(entry.after.as_ref().map(ToString::to_string))
        .bind(entry.source)
        .bind(millis(entry.at))
        .execute(connection)
        .await?;
        Ok(())
    }
}
