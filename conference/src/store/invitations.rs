//! Invitations: whom the mail about a meeting went to, and what they answered.

use super::columns::{Columns, millis, word};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId};
use crate::services::views::{InvitationStatus, Rsvp};
use crate::vocabulary::UnixMillis;
use sqlx::{Any, Executor};

/// One row of `invitations`.
#[derive(Clone, Debug)]
pub(crate) struct InvitationRow {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(crate) meeting: MeetingId,
    pub(crate) person: PersonId,
    /// Where the last mail went; the profile's address at that moment.
    pub(crate) address: Option<String>,
    pub(crate) status: InvitationStatus,
    /// SEQUENCE of the calendar event this person has last been told.
    pub(crate) sequence: i64,
    pub(crate) error: Option<String>,
    pub(crate) rsvp: Option<Rsvp>,
    pub(crate) rsvp_at: Option<UnixMillis>,
    pub(crate) reminded_at: Option<UnixMillis>,
    pub(crate) queued_at: UnixMillis,
    pub(crate) sent_at: Option<UnixMillis>,
}

impl InvitationRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            meeting: MeetingId::new(row.text("meeting_id")?),
            person: PersonId::new(row.text("person_id")?),
            address: row.optional_text("address")?,
            status: row.word("status")?,
            sequence: row.integer("sequence")?,
            error: row.optional_text("error")?,
            rsvp: row.optional_word("rsvp")?,
            rsvp_at: row.optional_time("rsvp_at")?,
            reminded_at: row.optional_time("reminded_at")?,
            queued_at: row.time("queued_at")?,
            sent_at: row.optional_time("sent_at")?,
        })
    }
}

impl Store {
    /// Writes an invitation, the first one of this person or a later one.
    pub(crate) async fn put_invitation(
        connection: &mut Connection,
        row: &InvitationRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let method = if row.status == InvitationStatus::Cancelled { "cancel" } else { "request" };
        sqlx::query(
            "INSERT INTO invitations (id, tenant_id, meeting_id, person_id, address, method, status, sequence, error, \
             rsvp, rsvp_at, reminded_at, queued_at, sent_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15) \
             ON CONFLICT (person_id) DO UPDATE SET address = $5, method = $6, status = $7, sequence = $8, error = $9, \
             rsvp = $10, rsvp_at = $11, reminded_at = $12, queued_at = $13, sent_at = $14, updated_at = $15",
        )
        .bind(&row.id)
        .bind(row.tenant.as_str())
        .bind(row.meeting.as_str())
        .bind(row.person.as_str())
        .bind(row.address.as_deref())
        .bind(method)
        .bind(word(&row.status))
        .bind(row.sequence)
        .bind(row.error.as_deref())
        .bind(row.rsvp.map(|rsvp| word(&rsvp)))
        .bind(row.rsvp_at.map(millis))
        .bind(row.reminded_at.map(millis))
        .bind(millis(row.queued_at))
        .bind(row.sent_at.map(millis))
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// What became of the mail of an invitation. One that was cancelled meanwhile stays cancelled.
    pub(crate) async fn set_invitation_status(
        connection: &mut Connection,
        id: &str,
        status: InvitationStatus,
        error: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE invitations SET status = $1, error = $2, \
             sent_at = CASE WHEN $1 = 'sent' THEN $3 ELSE sent_at END, updated_at = $3 \
             WHERE id = $4 AND status <> 'cancelled'",
        )
        .bind(word(&status))
        .bind(error)
        .bind(millis(now))
        .bind(id)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The invitations of a meeting.
    pub(crate) async fn invitations(
        &self,
        tenant: &TenantId,
        meeting: &MeetingId,
    ) -> Result<Vec<InvitationRow>, StoreError> {
        invitations(&self.pool, tenant, meeting).await
    }

    /// The same within a transaction.
    pub(crate) async fn invitations_within(
        connection: &mut Connection,
        tenant: &TenantId,
        meeting: &MeetingId,
    ) -> Result<Vec<InvitationRow>, StoreError> {
        invitations(connection, tenant, meeting).await
    }

    /// The invitation of a person.
    pub(crate) async fn invitation_of(
        connection: &mut Connection,
        person: &PersonId,
    ) -> Result<Option<InvitationRow>, StoreError> {
        sqlx::query("SELECT * FROM invitations WHERE person_id = $1")
            .bind(person.as_str())
            .fetch_optional(connection)
            .await?
            .map(|row| InvitationRow::read(&row))
            .transpose()
    }

    /// An invitation by its identifier, whatever the tenant: the caller holds a signed link to it, or its mail.
    pub(crate) async fn invitation(&self, id: &str) -> Result<Option<InvitationRow>, StoreError> {
        sqlx::query("SELECT * FROM invitations WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| InvitationRow::read(&row))
            .transpose()
    }

    /// Takes down an answer.
    pub(crate) async fn set_rsvp(
        connection: &mut Connection,
        id: &str,
        rsvp: Rsvp,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE invitations SET rsvp = $1, rsvp_at = $2, updated_at = $2 WHERE id = $3")
            .bind(word(&rsvp))
            .bind(millis(now))
            .bind(id)
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn invitations(
    executor: impl Executor<'_, Database = Any>,
    tenant: &TenantId,
    meeting: &MeetingId,
) -> Result<Vec<InvitationRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM invitations WHERE tenant_id = $1 AND meeting_id = $2")
        .bind(tenant.as_str())
        .bind(meeting.as_str())
        .fetch_all(executor)
        .await?;
    rows.iter().map(InvitationRow::read).collect()
}
