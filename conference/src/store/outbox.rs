//! What is to be sent out: mails and webhook deliveries.

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{MeetingId, TenantId};
use crate::vocabulary::UnixMillis;
use std::sync::Arc;
use tokio::sync::Notify;

/// Something to be sent, before it is written down.
#[derive(Clone, Debug)]
pub(crate) struct NewParcel<'a> {
    /// Also what receivers recognise a repetition by.
    pub(crate) id: String,
    pub(crate) tenant: &'a TenantId,
    /// `mail` or `webhook`.
    pub(crate) channel: &'static str,
    /// What is slow or down together: the mail server, one webhook.
    pub(crate) destination: &'a str,
    /// What must arrive in order.
    pub(crate) lane: String,
    /// The invitation, the user of a digest, the event.
    pub(crate) subject: &'a str,
    /// `request`, `cancel`, `digest`, `reminder`, or the kind of the event.
    pub(crate) kind: &'a str,
    pub(crate) meeting: Option<&'a MeetingId>,
    /// Whom it goes to, for people to read.
    pub(crate) recipient: &'a str,
    pub(crate) payload: String,
    pub(crate) expires_at: UnixMillis,
    pub(crate) at: UnixMillis,
}

/// One row of `outbox`.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub(crate) position: i64,
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(crate) channel: String,
    pub(crate) destination: String,
    pub(crate) lane: String,
    pub(crate) subject: String,
    pub(crate) kind: String,
    pub(crate) meeting: Option<MeetingId>,
    pub(crate) recipient: String,
    pub(crate) payload: String,
    pub(crate) state: String,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    pub(crate) code: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: UnixMillis,
    pub(crate) finished_at: Option<UnixMillis>,
}

impl OutboxRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            position: row.integer("position")?,
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            channel: row.text("channel")?,
            destination: row.text("destination")?,
            lane: row.text("lane")?,
            subject: row.text("subject")?,
            kind: row.text("kind")?,
            meeting: row.optional_text("meeting_id")?.map(MeetingId::new),
            recipient: row.text("recipient")?,
            payload: row.text("payload")?,
            state: row.text("state")?,
            attempts: u32::try_from(row.integer("attempts")?).unwrap_or(u32::MAX),
            next_attempt_at: row.time("next_attempt_at")?,
            expires_at: row.time("expires_at")?,
            code: row.optional_integer("code")?.and_then(|code| u16::try_from(code).ok()),
            error: row.optional_text("error")?,
            created_at: row.time("created_at")?,
            finished_at: row.optional_time("finished_at")?,
        })
    }
}

/// How an attempt ended, for the row.
#[derive(Clone, Debug)]
pub(crate) struct Settlement<'a> {
    /// `sent`, `failed`, or `queued` for another try.
    pub(crate) state: &'static str,
    pub(crate) next_attempt_at: UnixMillis,
    pub(crate) code: Option<u16>,
    pub(crate) error: Option<&'a str>,
    pub(crate) at: UnixMillis,
}

impl Store {
    /// Rung whenever something is put into the outbox; its transaction may still be open then.
    pub(crate) fn outbox_bell(&self) -> Arc<Notify> {
        Arc::clone(&self.outbox_bell)
    }

    /// Puts something into the outbox; one that is there already stays as it is. Returns whether it is new.
    pub(crate) async fn insert_parcel(
        &self,
        connection: &mut Connection,
        parcel: &NewParcel<'_>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO outbox (id, tenant_id, channel, destination, lane, subject, kind, meeting_id, recipient, \
             payload, state, next_attempt_at, expires_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $12, $11, $11) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&parcel.id)
        .bind(parcel.tenant.as_str())
        .bind(parcel.channel)
        .bind(parcel.destination)
        .bind(&parcel.lane)
        .bind(parcel.subject)
        .bind(parcel.kind)
        .bind(parcel.meeting.map(MeetingId::as_str))
        .bind(parcel.recipient)
        .bind(&parcel.payload)
        .bind(millis(parcel.at))
        .bind(millis(parcel.expires_at))
        .execute(connection)
        .await?;
        self.outbox_bell.notify_one();
        Ok(done.rows_affected() > 0)
    }

    /// What may be sent now: the first of each lane if its time has come, at most `each` of one destination, so that a
    /// slow receiver with a long queue hides nobody else's.
    pub(crate) async fn due_parcels(
        &self,
        channel: &str,
        now: UnixMillis,
        each: i64,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY o.destination ORDER BY o.next_attempt_at, \
             o.position) AS place FROM outbox o WHERE o.channel = $1 AND o.state = 'queued' \
             AND o.next_attempt_at <= $2 AND NOT EXISTS (SELECT 1 FROM outbox before WHERE before.lane = o.lane \
             AND before.state = 'queued' AND before.position < o.position)) AS due \
             WHERE place <= $3 ORDER BY next_attempt_at, position LIMIT $4",
        )
        .bind(channel)
        .bind(millis(now))
        .bind(each)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(OutboxRow::read).collect()
    }

    /// Writes down how an attempt ended. Those behind it in its lane wait as long as it does.
    pub(crate) async fn settle_parcel(
        connection: &mut Connection,
        row: &OutboxRow,
        settlement: &Settlement<'_>,
    ) -> Result<(), StoreError> {
        let again = settlement.state == "queued";
        // What was sent needs no secret any more.
        let forget = settlement.state == "sent" && row.channel == "mail";
        sqlx::query(
            "UPDATE outbox SET state = $1, attempts = attempts + 1, next_attempt_at = $2, code = $3, error = $4, \
             updated_at = $5, finished_at = CASE WHEN $6 = 1 THEN NULL ELSE $5 END, \
             payload = CASE WHEN $7 = 1 THEN '' ELSE payload END WHERE position = $8 AND state = 'queued'",
        )
        .bind(settlement.state)
        .bind(millis(settlement.next_attempt_at))
        .bind(settlement.code.map(i64::from))
        .bind(settlement.error)
        .bind(millis(settlement.at))
        .bind(i64::from(again))
        .bind(i64::from(forget))
        .bind(row.position)
        .execute(&mut *connection)
        .await?;
        if again {
            sqlx::query(
                "UPDATE outbox SET next_attempt_at = $1 WHERE lane = $2 AND state = 'queued' AND next_attempt_at < $1",
            )
            .bind(millis(settlement.next_attempt_at))
            .bind(&row.lane)
            .execute(connection)
            .await?;
        }
        Ok(())
    }

    /// Takes back what was queued for a subject and not yet tried. Returns how many, and how many of its kinds have left
    /// or may have left before.
    pub(crate) async fn supersede_parcels(
        connection: &mut Connection,
        subject: &str,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE outbox SET state = 'superseded', payload = '', updated_at = $1, finished_at = $1 \
             WHERE subject = $2 AND state = 'queued' AND attempts = 0 AND taken_at IS NULL",
        )
        .bind(millis(now))
        .bind(subject)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }

    /// Marks a parcel as being sent: from here on it may have arrived.
    pub(crate) async fn take_parcel(&self, row: &OutboxRow, now: UnixMillis) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE outbox SET taken_at = $1 WHERE position = $2 AND state = 'queued'")
            .bind(millis(now))
            .bind(row.position)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The newest parcels of a destination.
    pub(crate) async fn parcels_to(
        &self,
        tenant: &TenantId,
        destination: &str,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM outbox WHERE tenant_id = $1 AND destination = $2 ORDER BY position DESC LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(destination)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(OutboxRow::read).collect()
    }

    /// The newest parcels of a tenant in one state: `failed` are the dead letters.
    pub(crate) async fn parcels_in(
        &self,
        tenant: &TenantId,
        state: &str,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM outbox WHERE tenant_id = $1 AND state = $2 ORDER BY position DESC LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(state)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(OutboxRow::read).collect()
    }

    /// A mail by its identifier, as it stands in the Message-ID.
    pub(crate) async fn mail_parcel(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<OutboxRow>, StoreError> {
        sqlx::query("SELECT * FROM outbox WHERE tenant_id = $1 AND id = $2 AND channel = 'mail'")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| OutboxRow::read(&row))
            .transpose()
    }

    /// How many parcels of a destination wait.
    pub(crate) async fn waiting_parcels(
        connection: &mut Connection,
        destination: &str,
    ) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT count(*) AS waiting FROM outbox WHERE destination = $1 AND state = 'queued'")
                .bind(destination)
                .fetch_one(connection)
                .await?;
        Columns(&row).integer("waiting")
    }

    /// Tries a dead letter again: it gets new time. Returns whether there was one.
    pub(crate) async fn revive_parcel(
        &self,
        tenant: &TenantId,
        id: &str,
        now: UnixMillis,
        expires_at: UnixMillis,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE outbox SET state = 'queued', next_attempt_at = $1, expires_at = $2, finished_at = NULL, \
             updated_at = $1 WHERE tenant_id = $3 AND id = $4 AND state = 'failed'",
        )
        .bind(millis(now))
        .bind(millis(expires_at))
        .bind(tenant.as_str())
        .bind(id)
        .execute(&self.pool)
        .await?;
        self.outbox_bell.notify_one();
        Ok(done.rows_affected() > 0)
    }

    /// Forgets what was finished before `before`.
    pub(crate) async fn delete_finished_parcels(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM outbox WHERE state <> 'queued' AND finished_at < $1")
            .bind(millis(before))
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }
}
