//! Calls that a Host asked to be made again, and devices whose connection was lost.

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{CallId, TenantId, UserId};
use crate::vocabulary::UnixMillis;

/// One row of `call_again`.
#[derive(Clone, Debug)]
pub(crate) struct AgainRow {
    pub(crate) call: CallId,
    pub(crate) tenant: TenantId,
    /// The Host who asked for it, and whose caller ID is shown.
    pub(crate) host: UserId,
    pub(crate) after_ms: u64,
    pub(crate) times_left: u32,
    /// `waiting`, `done`, `cancelled`.
    pub(crate) state: String,
    pub(crate) detail: Option<String>,
}

impl AgainRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            call: CallId::new(row.text("call_id")?),
            tenant: TenantId::new(row.text("tenant_id")?),
            host: UserId::new(row.text("host_id")?),
            after_ms: u64::try_from(row.integer("after_ms")?).unwrap_or(0),
            times_left: u32::try_from(row.integer("times_left")?).unwrap_or(0),
            state: row.text("state")?,
            detail: row.optional_text("detail")?,
        })
    }
}

/// A lost call and whose it was.
#[derive(Clone, Debug)]
pub(crate) struct LostCall {
    pub(crate) call: CallId,
    pub(crate) tenant: TenantId,
    pub(crate) host: UserId,
}

impl Store {
    pub(crate) async fn put_again(
        connection: &mut Connection,
        row: &AgainRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO call_again (call_id, tenant_id, host_id, after_ms, times_left, state, detail, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (call_id) DO UPDATE SET \
             host_id = excluded.host_id, after_ms = excluded.after_ms, times_left = excluded.times_left, \
             state = excluded.state, detail = excluded.detail, updated_at = excluded.updated_at",
        )
        .bind(row.call.as_str())
        .bind(row.tenant.as_str())
        .bind(row.host.as_str())
        .bind(millis(UnixMillis(row.after_ms)))
        .bind(i64::from(row.times_left))
        .bind(&row.state)
        .bind(row.detail.as_deref())
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn again(&self, call: &CallId) -> Result<Option<AgainRow>, StoreError> {
        sqlx::query("SELECT * FROM call_again WHERE call_id = $1")
            .bind(call.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| AgainRow::read(&row))
            .transpose()
    }

    /// Those of one meeting.
    pub(crate) async fn agains_of(
        &self,
        meeting: &crate::ids::MeetingId,
    ) -> Result<Vec<AgainRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.* FROM call_again a JOIN calls c ON c.id = a.call_id WHERE c.meeting_id = $1 ORDER BY a.call_id",
        )
        .bind(meeting.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(AgainRow::read).collect()
    }

    /// Those whose call is over, with whether their time has come.
    pub(crate) async fn agains_over(&self, now: UnixMillis) -> Result<Vec<(AgainRow, bool)>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.*, CASE WHEN c.ended_at + a.after_ms <= $1 THEN 1 ELSE 0 END AS due FROM call_again a \
             JOIN calls c ON c.id = a.call_id WHERE a.state = 'waiting' \
             AND c.state IN ('ended', 'failed', 'refused', 'cancelled') ORDER BY c.ended_at, a.call_id LIMIT 100",
        )
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((AgainRow::read(row)?, Columns(row).flag("due")?))).collect()
    }

    /// Settles one that waits; returns whether it was still waiting. Whoever gets `true` makes the call.
    pub(crate) async fn settle_again(
        &self,
        call: &CallId,
        state: &str,
        detail: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE call_again SET state = $2, detail = $3, updated_at = $4 WHERE call_id = $1 AND state = 'waiting'",
        )
        .bind(call.as_str())
        .bind(state)
        .bind(detail)
        .bind(millis(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Devices that were in a meeting and whose connection was lost since `since`, if nobody has looked after them.
    pub(crate) async fn lost_devices(&self, since: UnixMillis) -> Result<Vec<LostCall>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, tenant_id, acting_host_id FROM calls WHERE state = 'ended' AND cause = 'lost' AND tended = 0 \
             AND device IS NOT NULL AND number IS NULL AND purpose <> 'reconnect' AND ended_at >= $1 \
             AND answered_at IS NOT NULL ORDER BY ended_at LIMIT 100",
        )
        .bind(millis(since))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &Row| {
            let row = Columns(row);
            Ok(LostCall {
                call: CallId::new(row.text("id")?),
                tenant: TenantId::new(row.text("tenant_id")?),
                host: UserId::new(row.text("acting_host_id")?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Notes that a lost call has been looked after; returns whether it had not been.
    pub(crate) async fn tend(&self, call: &CallId) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE calls SET tended = 1 WHERE id = $1 AND tended = 0")
            .bind(call.as_str())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
