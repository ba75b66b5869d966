//! When meetings are to be reminded of.

use super::columns::{Columns, millis};
use super::{Connection, MeetingRow, Store, StoreError};
use crate::ids::MeetingId;
use crate::vocabulary::UnixMillis;

impl Store {
    /// Writes down when a meeting is next to be looked at for a reminder; `None` for never.
    pub(crate) async fn set_remind_at(
        connection: &mut Connection,
        meeting: &MeetingId,
        at: Option<UnixMillis>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE meetings SET remind_at = $1 WHERE id = $2")
            .bind(at.map(millis))
            .bind(meeting.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The meetings whose reminder's time has come, of whatever tenant, the most urgent first.
    pub(crate) async fn meetings_to_remind(
        &self,
        now: UnixMillis,
        limit: i64,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM meetings WHERE remind_at IS NOT NULL AND remind_at <= $1 ORDER BY remind_at, id LIMIT $2",
        )
        .bind(millis(now))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(MeetingId::new(Columns(row).text("id")?))).collect()
    }

    /// One of these meetings, if its time has still come: it may have been moved since.
    pub(crate) async fn meeting_to_remind(
        connection: &mut Connection,
        meeting: &MeetingId,
        now: UnixMillis,
    ) -> Result<Option<MeetingRow>, StoreError> {
        sqlx::query("SELECT * FROM meetings WHERE id = $1 AND remind_at IS NOT NULL AND remind_at <= $2")
            .bind(meeting.as_str())
            .bind(millis(now))
            .fetch_optional(connection)
            .await?
            .map(|row| MeetingRow::read(&row))
            .transpose()
    }

    /// Takes back the reminders of an invitation that have not been sent.
    pub(crate) async fn take_back_reminders(
        connection: &mut Connection,
        invitation: &str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE outbox SET state = 'superseded', payload = '', updated_at = $1, finished_at = $1 \
             WHERE lane = $2 AND kind = 'reminder' AND state = 'queued'",
        )
        .bind(millis(now))
        .bind(invitation)
        .execute(connection)
        .await?;
        Ok(())
    }
}
