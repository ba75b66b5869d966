//! Webhooks: events posted to a URL of the tenant, signed, in order per meeting, for 24 hours.

mod guard;

pub use guard::{Target, WebhookGuard, is_public};

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::views::{Outgoing, Webhook};
use super::{Services, input};
use crate::store::secrets::random_token;
use crate::store::{Connection, OutboxRow, OutgoingEvent, Store, StoreError, WebhookRow};
use crate::vocabulary::{TenantRole, UnixMillis};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The most webhooks of one tenant.
const WEBHOOKS_MAX: usize = 20;
/// The most entries of a list of events.
const EVENTS_MAX: usize = 50;
/// How many deliveries one answer shows.
const DELIVERIES_MAX: i64 = 200;

/// What a webhook is made of, or what is to change about it.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Where events go.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The kinds and groups it gets; empty for all.
    pub events: Option<Vec<String>>,
    /// Whether it gets any.
    pub enabled: Option<bool>,
    /// Whether it gets a new secret.
    pub renew_secret: bool,
}

/// The headers of one attempt: what it is, and the signature, which covers the time, so that an old delivery cannot be
/// played again later.
pub(crate) fn headers(row: &OutboxRow, secret: &str, now: UnixMillis) -> Vec<(&'static str, String)> {
    let seconds = now.0 / 1000;
    vec![
        ("partyline-event-id", row.subject.clone()),
        ("partyline-delivery", row.id.clone()),
        ("partyline-event", row.kind.clone()),
        ("partyline-attempt", row.attempts.saturating_add(1).to_string()),
        ("partyline-signature", format!("t={seconds},v1={}", signature(secret, seconds, &row.payload))),
    ]
}

/// HMAC-SHA256 over `<seconds>.<body>`, in hex.
pub fn signature(secret: &str, seconds: u64, body: &str) -> String {
    // HMAC takes keys of any length (RFC 2104 section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn admin(actor: &Actor) -> Result<&UserActor, ServiceError> {
    let user = actor.user()?;
    if user.role == TenantRole::TenantAdmin {
        return Ok(user);
    }
    Err(ServiceError::forbidden("Only Tenant Admins may do this").mend("Ask your Tenant Admin"))
}

impl WebhookRow {
    fn view(&self, secret: Option<String>) -> Webhook {
        Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            description: self.description.clone(),
            events: self.events.clone(),
            enabled: self.enabled,
            dropped: u64::try_from(self.dropped).unwrap_or(0),
            created_at: self.created_at,
            secret,
        }
    }
}

impl Services {
    /// The tenant's webhooks.
    ///
    /// # Errors
    /// Forbidden for all but tenant admins.
    pub async fn webhooks(&self, actor: &Actor) -> Result<Vec<Webhook>, ServiceError> {
        let rows = self.store.webhooks(&admin(actor)?.tenant).await?;
        Ok(rows.iter().map(|row| row.view(None)).collect())
    }

    /// One webhook.
    ///
    /// # Errors
    /// Not found; forbidden as above.
    pub async fn webhook(&self, actor: &Actor, id: &str) -> Result<Webhook, ServiceError> {
        Ok(self.own_webhook(admin(actor)?, id).await?.view(None))
    }

    async fn own_webhook(&self, admin: &UserActor, id: &str) -> Result<WebhookRow, ServiceError> {
        let row = self.store.webhook(&admin.tenant, id).await?;
        row.ok_or_else(|| ServiceError::not_found("webhook"))
    }

    /// Makes a webhook; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Invalid, naming the field; forbidden as above; conflict when there are too many.
    pub async fn create_webhook(&self, actor: &Actor, new: WebhookChange) -> Result<Webhook, ServiceError> {
        let admin = admin(actor)?;
        if self.store.webhooks(&admin.tenant).await?.len() >= WEBHOOKS_MAX {
            return Err(super::meetings::conflict(format!("There are {WEBHOOKS_MAX} webhooks already"))
                .mend("Delete one that is no longer needed"));
        }
        let row = WebhookRow {
            id: self.random_id('w'),
            tenant: admin.tenant.clone(),
            url: String::new(),
            description: String::new(),
            events: Vec::new(),
            enabled: true,
            secret: String::new(),
            created_by: Some(admin.user.clone()),
            dropped: 0,
            created_at: self.now(),
        };
        let change =
            WebhookChange { url: Some(new.url.clone().unwrap_or_default()), renew_secret: true, ..new };
        let (row, secret) = self.changed_webhook(row, &change)?;
        let mut transaction = self.store.begin().await?;
        Store::insert_webhook(&mut transaction, &row).await?;
        self.audit_webhook(&mut transaction, admin, "webhook.created", (None, Some(&row))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(row.view(secret))
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// As for [`Self::create_webhook`]; not found.
    pub async fn change_webhook(
        &self,
        actor: &Actor,
        id: &str,
        change: &WebhookChange,
    ) -> Result<Webhook, ServiceError> {
        let admin = admin(actor)?;
        let before = self.own_webhook(admin, id).await?;
        let (row, secret) = self.changed_webhook(before.clone(), change)?;
        let mut transaction = self.store.begin().await?;
        Store::update_webhook(&mut transaction, &row, self.now()).await?;
        self.audit_webhook(&mut transaction, admin, "webhook.changed", (Some(&before), Some(&row))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(row.view(secret))
    }

    fn changed_webhook(
        &self,
        mut row: WebhookRow,
        change: &WebhookChange,
    ) -> Result<(WebhookRow, Option<String>), ServiceError> {
        if let Some(url) = &change.url {
            self.config.webhooks.target(url).map_err(|words| {
                ServiceError::invalid("url", words).mend("Write an https URL on the public internet")
            })?;
            row.url.clone_from(url);
        }
        if let Some(text) = change.description.as_deref() {
            row.description = if text.is_empty() { String::new() } else { input::name("description", text)? };
        }
        if let Some(events) = &change.events {
            input::length("events", events.len(), EVENTS_MAX)?;
            if let Some(index) = events.iter().position(|kind| !is_kind(kind)) {
                return Err(ServiceError::invalid(format!("events[{index}]"), "This is no kind of event")
                    .mend("Write a kind such as call.joined, or a group such as call.*"));
            }
            row.events.clone_from(events);
        }
        row.enabled = change.enabled.unwrap_or(row.enabled);
        let secret = change.renew_secret.then(|| format!("whsec_{}", random_token(self.entropy.as_ref())));
        if let Some(secret) = &secret {
            row.secret = self.vault.seal(secret);
        }
        Ok((row, secret))
    }

    /// Deletes a webhook with everything that waits for it.
    ///
    /// # Errors
    /// Not found; forbidden as above.
    pub async fn delete_webhook(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = admin(actor)?;
        let row = self.own_webhook(admin, id).await?;
        let mut transaction = self.store.begin().await?;
        Store::delete_webhook(&mut transaction, &row.tenant, &row.id).await?;
        self.audit_webhook(&mut transaction, admin, "webhook.deleted", (Some(&row), None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Sends the event `webhook.test` to one webhook, whatever events it wants; gives the event's identifier.
    ///
    /// # Errors
    /// Not found; forbidden as above.
    pub async fn test_webhook(&self, actor: &Actor, id: &str) -> Result<String, ServiceError> {
        let admin = admin(actor)?;
        let row = self.own_webhook(admin, id).await?;
        let event = OutgoingEvent {
            tenant: &row.tenant,
            meeting: None,
            kind: "webhook.test",
            at: self.now(),
            data: serde_json::json!({ "webhook": row.id, "test": self.random_id('t') }),
        };
        let mut transaction = self.store.begin().await?;
        let id = self.store.queue_event_for(&mut transaction, &row, &event).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(id)
    }

    /// The latest deliveries of a webhook, newest first.
    ///
    /// # Errors
    /// Not found; forbidden as above.
    pub async fn deliveries(&self, actor: &Actor, id: &str) -> Result<Vec<Outgoing>, ServiceError> {
        let row = self.own_webhook(admin(actor)?, id).await?;
        let rows = self.store.parcels_to(&row.tenant, &row.id, DELIVERIES_MAX).await?;
        Ok(rows.into_iter().map(outgoing).collect())
    }

    /// What was sent in the tenant, or is to be, by state: `failed` are the dead letters.
    ///
    /// # Errors
    /// Forbidden as above; invalid for a state that does not exist.
    pub async fn outbox(&self, actor: &Actor, state: &str) -> Result<Vec<Outgoing>, ServiceError> {
        let admin = admin(actor)?;
        if !["queued", "sent", "failed", "superseded"].contains(&state) {
            return Err(ServiceError::invalid("state", "There is no such state")
                .mend("Write queued, sent, failed or superseded"));
        }
        let rows = self.store.parcels_in(&admin.tenant, state, DELIVERIES_MAX).await?;
        Ok(rows.into_iter().map(outgoing).collect())
    }

    /// Tries a dead letter again.
    ///
    /// # Errors
    /// Forbidden as above; not found for one that is no dead letter.
    pub async fn retry_outgoing(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = admin(actor)?;
        let now = self.now();
        let until = super::accounts::later(now, self.config.outbox.mail_lifetime);
        if self.store.revive_parcel(&admin.tenant, id, now, until).await? {
            return Ok(());
        }
        Err(ServiceError::not_found("dead letter"))
    }

    async fn audit_webhook(
        &self,
        connection: &mut Connection,
        admin: &UserActor,
        action: &'static str,
        (before, after): (Option<&WebhookRow>, Option<&WebhookRow>),
    ) -> Result<(), ServiceError> {
        let shown = |row: &WebhookRow| serde_json::json!({ "webhook": row.id, "url": row.url, "events": row.events, "enabled": row.enabled });
        let object = after.or(before).map_or("", |row| row.id.as_str());
        self.audit(connection, admin, action, object, (before.map(shown), after.map(shown))).await
    }
}

/// `call.joined`, or `call.*`.
fn is_kind(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.len() <= 40
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.split_once('.').is_some_and(|(group, kind)| word(group) && (kind == "*" || word(kind)))
}

fn outgoing(row: OutboxRow) -> Outgoing {
    Outgoing {
        event: (row.channel == "webhook").then_some(row.subject),
        next_attempt_at: (row.state == "queued").then_some(row.next_attempt_at),
        id: row.id,
        channel: row.channel,
        kind: row.kind,
        meeting: row.meeting,
        recipient: row.recipient,
        state: row.state,
        attempts: row.attempts,
        code: row.code,
        error: row.error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3 (test case 2) has "what do ya want for nothing?" under the key "Jefe"; ours prefixes the time.
    #[test]
    fn the_signature_is_hmac_sha256_of_time_and_body() {
        let expected = signature("whsec_x", 1_800_000_000, "{}");
        assert_eq!(expected.len(), 64);
        assert_ne!(expected, signature("whsec_x", 1_800_000_001, "{}"), "the time is signed");
        assert_ne!(expected, signature("whsec_y", 1_800_000_000, "{}"), "the key counts");
        assert_ne!(expected, signature("whsec_x", 1_800_000_000, "{ }"), "the body is signed");
    }

    #[test]
    fn kinds_and_groups() {
        for good in ["call.joined", "call.*", "person.role_changed"] {
            assert!(is_kind(good), "{good}");
        }
        for bad in ["", "call", "*", "call.", ".x", "call.x.y", "Call.x", "call.x y"] {
            assert!(!is_kind(bad), "{bad}");
        }
    }
}
