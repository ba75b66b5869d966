//! Webhooks, and the events put into the outbox for them.

use super::columns::{Columns, millis};
use super::{Connection, NewParcel, Row, Store, StoreError};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::services::outbox::WEBHOOK_LIFETIME_MS;
use crate::vocabulary::UnixMillis;
use sha2::{Digest as _, Sha256};

/// The most events that wait for one webhook; later ones are dropped and counted.
const WAITING_MAX: i64 = 10_000;

/// One row of `webhooks`.
#[derive(Clone, Debug)]
pub(crate) struct WebhookRow {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(crate) url: String,
    pub(crate) description: String,
    /// Kinds and groups; empty for all.
    pub(crate) events: Vec<String>,
    pub(crate) enabled: bool,
    /// Sealed.
    pub(crate) secret: String,
    pub(crate) created_by: Option<UserId>,
    /// Events that found the queue full.
    pub(crate) dropped: i64,
    pub(crate) created_at: UnixMillis,
}

impl WebhookRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            url: row.text("url")?,
            description: row.text("description")?,
            events: serde_json::from_str(&row.text("events")?).unwrap_or_default(),
            enabled: row.flag("enabled")?,
            secret: row.text("secret")?,
            created_by: row.optional_text("created_by")?.map(UserId::new),
            dropped: row.integer("dropped")?,
            created_at: row.time("created_at")?,
        })
    }

    /// Whether events of this kind are wanted.
    pub(crate) fn wants(&self, kind: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(group) => kind.starts_with(group),
            None => wanted == kind,
        };
        self.events.is_empty() || self.events.iter().any(fits)
    }
}

/// Something that webhooks are told of, written in the transaction in which it happens.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingEvent<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) meeting: Option<&'a MeetingId>,
    pub(crate) kind: &'a str,
    pub(crate) at: UnixMillis,
    pub(crate) data: serde_json::Value,
}

impl OutgoingEvent<'_> {
    /// The same for the same event, however often it is written down.
    fn id(&self) -> String {
        let meeting = self.meeting.map_or("", MeetingId::as_str);
        let text = format!("{}\n{meeting}\n{}\n{}\n{}", self.tenant, self.kind, self.at.0, self.data);
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        format!("e{}", hash.chars().take(32).collect::<String>())
    }

    fn body(&self, id: &str) -> String {
        serde_json::json!({
            "id": id, "kind": self.kind, "at": self.at, "tenant": self.tenant, "meeting": self.meeting,
            "data": self.data,
        })
        .to_string()
    }
}

impl Store {
    /// Puts an event into the outbox, once for each webhook of the tenant that wants it.
    pub(crate) async fn queue_event(
        &self,
        connection: &mut Connection,
        event: &OutgoingEvent<'_>,
    ) -> Result<(), StoreError> {
        for hook in Self::hooks_for(connection, event.tenant, event.kind).await? {
            self.queue_event_for(connection, &hook, event).await?;
        }
        Ok(())
    }

    /// The webhooks of a tenant that want events of this kind.
    pub(super) async fn hooks_for(
        connection: &mut Connection,
        tenant: &TenantId,
        kind: &str,
    ) -> Result<Vec<WebhookRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM webhooks WHERE tenant_id = $1 AND enabled = 1 ORDER BY id")
            .bind(tenant.as_str())
            .fetch_all(connection)
            .await?;
        let hooks: Result<Vec<_>, _> = rows.iter().map(WebhookRow::read).collect();
        Ok(hooks?.into_iter().filter(|hook| hook.wants(kind)).collect())
    }

    /// Puts an event into the outbox for one webhook; returns the event's identifier.
    pub(crate) async fn queue_event_for(
        &self,
        connection: &mut Connection,
        hook: &WebhookRow,
        event: &OutgoingEvent<'_>,
    ) -> Result<String, StoreError> {
        let id = event.id();
        if Self::waiting_parcels(connection, &hook.id).await? >= WAITING_MAX {
            sqlx::query("UPDATE webhooks SET dropped = dropped + 1 WHERE id = $1")
                .bind(&hook.id)
                .execute(connection)
                .await?;
            return Ok(id);
        }
        let parcel = NewParcel {
            id: format!("{id}.{}", hook.id),
            tenant: event.tenant,
            channel: "webhook",
            destination: &hook.id,
            lane: format!("{}.{}", hook.id, event.meeting.map_or("", MeetingId::as_str)),
            subject: &id,
            kind: event.kind,
            meeting: event.meeting,
            recipient: &hook.url,
            payload: event.body(&id),
            expires_at: UnixMillis(event.at.0.saturating_add(WEBHOOK_LIFETIME_MS)),
            at: event.at,
        };
        self.insert_parcel(connection, &parcel).await?;
        Ok(id)
    }

    pub(crate) async fn insert_webhook(
        connection: &mut Connection,
        hook: &WebhookRow,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO webhooks (id, tenant_id, url, description, events, enabled, secret, created_by, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        )
        .bind(&hook.id)
        .bind(hook.tenant.as_str())
        .bind(&hook.url)
        .bind(&hook.description)
        .bind(serde_json::to_string(&hook.events).unwrap_or_default())
        .bind(i64::from(hook.enabled))
        .bind(&hook.secret)
        .bind(hook.created_by.as_ref().map(UserId::as_str))
        .bind(millis(hook.created_at))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn update_webhook(
        connection: &mut Connection,
        hook: &WebhookRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE webhooks SET url = $1, description = $2, events = $3, enabled = $4, secret = $5, updated_at = $6 \
             WHERE tenant_id = $7 AND id = $8",
        )
        .bind(&hook.url)
        .bind(&hook.description)
        .bind(serde_json::to_string(&hook.events).unwrap_or_default())
        .bind(i64::from(hook.enabled))
        .bind(&hook.secret)
        .bind(millis(now))
        .bind(hook.tenant.as_str())
        .bind(&hook.id)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Deletes a webhook with all that waits for it.
    pub(crate) async fn delete_webhook(
        connection: &mut Connection,
        tenant: &TenantId,
        id: &str,
    ) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM outbox WHERE tenant_id = $1 AND channel = 'webhook' AND destination = $2",
            "DELETE FROM webhooks WHERE tenant_id = $1 AND id = $2",
        ] {
            sqlx::query(statement).bind(tenant.as_str()).bind(id).execute(&mut *connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn webhook(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<WebhookRow>, StoreError> {
        sqlx::query("SELECT * FROM webhooks WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| WebhookRow::read(&row))
            .transpose()
    }

    pub(crate) async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM webhooks WHERE tenant_id = $1 ORDER BY created_at, id")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(WebhookRow::read).collect()
    }
}
