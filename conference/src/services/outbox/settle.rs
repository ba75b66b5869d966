//! One attempt: what is carried, and what its end means for the row, the invitation and those who watch.

use super::schedule::{Verdict, verdict};
use super::worker::Channel;
use super::{Carrier, Delivery, Letter, Outcome, Parcel};
use crate::live::event::PublicEvent;
use crate::services::error::ServiceError;
use crate::services::views::InvitationStatus;
use crate::services::{Services, webhooks};
use crate::store::outbox::Settlement;
use crate::store::{InvitationRow, OutboxRow, Store, StoreError};
use crate::vocabulary::UnixMillis;

/// The longest words of a receiver that are kept.
const WORDS_MAX: usize = 300;

impl Services {
    /// Makes one attempt; `None` when the parcel was taken back meanwhile.
    pub(super) async fn attempt(&self, carrier: &dyn Carrier, row: &OutboxRow) -> Option<Outcome> {
        match self.store.take_parcel(row, self.now()).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                tracing::error!(%error, outbox.id = %row.id, "a parcel could not be taken");
                return Some(Outcome::Later { code: None, words: "The database did not answer".to_owned() });
            }
        }
        // Who was away for longer than a mail lives (a reminder's meeting has begun) sends it no more; whatever has not
        // been tried at all is tried once.
        let late = self.now() >= row.expires_at && (row.attempts > 0 || row.kind == "reminder");
        if late {
            return Some(Outcome::Refused { code: None, words: "Too late to be sent".to_owned() });
        }
        match self.parcel(row).await {
            Ok(parcel) => Some(carrier.deliver(parcel).await),
            Err(outcome) => Some(outcome),
        }
    }

    async fn parcel(&self, row: &OutboxRow) -> Result<Parcel, Outcome> {
        let refused = |words: &str| Outcome::Refused { code: None, words: words.to_owned() };
        if row.channel == "mail" {
            let letter: Option<Letter> =
                self.vault.open(&row.payload).and_then(|text| serde_json::from_str(&text).ok());
            let letter = letter.ok_or_else(|| refused("The mail can no longer be read: its key is gone"))?;
            return Ok(Parcel::Mail(Box::new(letter)));
        }
        let hook = self.store.webhook(&row.tenant, &row.destination).await;
        let hook =
            hook.map_err(|_| Outcome::Later { code: None, words: "The database did not answer".to_owned() })?;
        let hook = hook.filter(|hook| hook.enabled).ok_or_else(|| refused("The webhook was switched off"))?;
        let secret = self.vault.open(&hook.secret).ok_or_else(|| refused("The secret's key is gone"))?;
        let headers = webhooks::headers(row, &secret, self.now());
        Ok(Parcel::Webhook(Delivery { url: hook.url, headers, body: row.payload.clone() }))
    }

    /// The invitations a mail is about: one, or those of a digest.
    async fn invitations_of(
        &self,
        channel: Channel,
        row: &OutboxRow,
    ) -> Result<Vec<InvitationRow>, ServiceError> {
        let mut invitations = Vec::new();
        if channel == Channel::Mail && row.kind != "reminder" {
            for id in row.subject.split_whitespace() {
                invitations.extend(self.store.invitation(id).await?);
            }
        }
        Ok(invitations)
    }

    /// Writes down how an attempt ended, and tells whoever watches.
    pub(super) async fn settle(
        &self,
        channel: Channel,
        row: &OutboxRow,
        outcome: &Outcome,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let (_, policy) = self.channel_config(channel);
        let attempt = row.attempts.saturating_add(1);
        let verdict = verdict(&policy, now, row.expires_at, attempt, outcome, self.jitter());
        let (state, next_attempt_at) = match verdict {
            Verdict::Sent => ("sent", now),
            Verdict::Again(at) => ("queued", at),
            Verdict::Dead => ("failed", now),
        };
        let words = outcome.words().map(shortened);
        let settlement =
            Settlement { state, next_attempt_at, code: outcome.code(), error: words.as_deref(), at: now };
        let invitations = self.invitations_of(channel, row).await?;
        let mut transaction = self.store.begin().await?;
        Store::settle_parcel(&mut transaction, row, &settlement).await?;
        let mut told = Vec::new();
        for invitation in &invitations {
            let (status, kind) = match verdict {
                Verdict::Sent => (InvitationStatus::Sent, Some("invitation.sent")),
                Verdict::Again(_) => (InvitationStatus::Queued, None),
                Verdict::Dead => (InvitationStatus::Failed, Some("invitation.failed")),
            };
            Store::set_invitation_status(&mut transaction, &invitation.id, status, words.as_deref(), now)
                .await?;
            if let Some(kind) = kind {
                let event = invitation_event(kind, invitation, status, words.as_deref(), now);
                told.push(self.record_event(&mut transaction, event).await?);
            }
        }
        transaction.commit().await.map_err(StoreError::from)?;
        for event in told {
            self.publish(event);
        }
        Ok(())
    }
}

/// What is told of an invitation. The address is for Hosts, who read it on the person's row.
pub(crate) fn invitation_event(
    kind: &'static str,
    row: &InvitationRow,
    status: InvitationStatus,
    error: Option<&str>,
    at: UnixMillis,
) -> PublicEvent {
    PublicEvent {
        tenant: row.tenant.clone(),
        meeting: Some(row.meeting.clone()),
        kind,
        at,
        data: serde_json::json!({
            "invitation": row.id, "person": row.person, "status": status, "rsvp": row.rsvp, "error": error,
            "sequence": row.sequence,
        }),
    }
}

/// The words of another machine, fit for a row.
pub(crate) fn shortened(words: &str) -> String {
    crate::services::invitations::letters::one_line(words).chars().take(WORDS_MAX).collect()
}
