//! Who did what to whom: one line for each administrative or moderating act, written with the act itself (I86).

use super::columns::{Columns, millis, narrowed};
use super::{Connection, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;
use sqlx::AssertSqlSafe;

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

    /// The actions written so far, the oldest first: for tests.
    #[cfg(any(test, feature = "testing"))]
    pub async fn audit_actions(&self) -> Vec<String> {
        let rows = sqlx::query("SELECT action FROM audit ORDER BY id").fetch_all(&self.pool).await;
        let rows = rows.unwrap_or_default();
        rows.iter().filter_map(|row| Columns(row).text("action").ok()).collect()
    }
}

/// What the audit log is narrowed to, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    pub(crate) actor: Option<UserId>,
    pub(crate) action: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) since: Option<UnixMillis>,
    pub(crate) until: Option<UnixMillis>,
    /// The last line of the page before.
    pub(crate) after: Option<i64>,
    pub(crate) limit: i64,
}

/// One line of the audit log.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub(crate) id: i64,
    pub(crate) actor: Option<UserId>,
    /// The actor's name, while there is such a user.
    pub(crate) actor_name: Option<String>,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) source: String,
    pub(crate) at: UnixMillis,
}

impl Store {
    /// A page of the audit log, newest first.
    pub(crate) async fn audit(
        &self,
        tenant: &TenantId,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let narrowed = [
            narrowed("a.actor_id", "$2", filter.actor.is_some()),
            narrowed("a.action", "$3", filter.action.is_some()),
            narrowed("a.object", "$4", filter.object.is_some()),
        ];
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT a.*, u.display_name AS actor_name FROM audit a LEFT JOIN users u ON u.id = a.actor_id \
             WHERE a.tenant_id = $1 {} AND a.at >= $5 AND a.at < $6 AND a.id < $7 ORDER BY a.id DESC LIMIT $8",
            narrowed.concat()
        )))
        .bind(tenant.as_str())
        .bind(filter.actor.as_ref().map(UserId::as_str))
        .bind(filter.action.as_deref())
        .bind(filter.object.as_deref())
        .bind(filter.since.map_or(i64::MIN, millis))
        .bind(filter.until.map_or(i64::MAX, millis))
        .bind(filter.after.unwrap_or(i64::MAX))
        .bind(filter.limit)
        .fetch_all(&self.pool)
        .await?;
        let read = |row| {
            let row = Columns(row);
            Ok(AuditRow {
                id: row.integer("id")?,
                actor: row.optional_text("actor_id")?.map(UserId::new),
                actor_name: row.optional_text("actor_name")?,
                action: row.text("action")?,
                object: row.text("object")?,
                before: row.optional_text("before_value")?,
                after: row.optional_text("after_value")?,
                source: row.text("source")?,
                at: row.time("at")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
