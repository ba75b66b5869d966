//! Invitations of many to many: the request, its pairs, its progress.

use super::columns::{Columns, millis, word};
use super::{AuditEntry, Connection, PersonRow, Row, Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::vocabulary::{Access, UnixMillis};
use sqlx::{AssertSqlSafe, Row as _};

/// Rows of one INSERT. SQLite takes 32,766 parameters, PostgreSQL 65,535; more than a hundred rows gain nothing.
const ROWS: usize = 100;

/// One row of `bulk_invites`.
#[derive(Clone, Debug)]
pub(crate) struct BulkRow {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(crate) actor: UserId,
    pub(crate) access: Access,
    /// The whole request, as JSON.
    pub(crate) request: String,
    pub(crate) users: i64,
    pub(crate) sessions: i64,
    /// Pairs that have their result.
    pub(crate) done: i64,
    /// How many pairs by outcome, as JSON.
    pub(crate) counts: String,
    /// How many users have been sent their one message.
    pub(crate) notified: i64,
    pub(crate) running: bool,
    pub(crate) created_at: UnixMillis,
    pub(crate) finished_at: Option<UnixMillis>,
}

/// One row of `bulk_results`.
#[derive(Clone, Debug)]
pub(crate) struct BulkResultRow {
    pub(crate) position: i64,
    pub(crate) meeting: MeetingId,
    pub(crate) target: String,
    pub(crate) user: Option<UserId>,
    pub(crate) person: Option<PersonId>,
    pub(crate) outcome: String,
}

impl BulkRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            actor: UserId::new(row.text("actor_id")?),
            access: row.word("access")?,
            request: row.text("request")?,
            users: row.integer("users")?,
            sessions: row.integer("sessions")?,
            done: row.integer("done")?,
            counts: row.text("counts")?,
            notified: row.integer("notified")?,
            running: row.text("state")? == "running",
            created_at: row.time("created_at")?,
            finished_at: row.optional_time("finished_at")?,
        })
    }
}

/// `($1, $2), ($3, $4)` for two rows of two columns.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |at: usize| {
        let names: Vec<String> = (1..=columns).map(|column| format!("${}", at * columns + column)).collect();
        format!("({})", names.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

impl Store {
    pub(crate) async fn insert_bulk(connection: &mut Connection, bulk: &BulkRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO bulk_invites (id, tenant_id, actor_id, access, request, users, sessions, state, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $8)",
        )
        .bind(&bulk.id)
        .bind(bulk.tenant.as_str())
        .bind(bulk.actor.as_str())
        .bind(word(&bulk.access))
        .bind(&bulk.request)
        .bind(bulk.users)
        .bind(bulk.sessions)
        .bind(millis(bulk.created_at))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn bulk(&self, tenant: &TenantId, id: &str) -> Result<Option<BulkRow>, StoreError> {
        sqlx::query("SELECT * FROM bulk_invites WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| BulkRow::read(&row))
            .transpose()
    }

    /// How many of a tenant are running.
    pub(crate) async fn bulks_running(&self, tenant: &TenantId) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT count(*) FROM bulk_invites WHERE state = 'running' AND tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Those a restart has interrupted.
    pub(crate) async fn unfinished_bulks(&self) -> Result<Vec<BulkRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM bulk_invites WHERE state = 'running' ORDER BY created_at, id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(BulkRow::read).collect()
    }

    /// Writes how far it is.
    pub(crate) async fn set_bulk_progress(
        connection: &mut Connection,
        bulk: &BulkRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bulk_invites SET done = $1, counts = $2, state = $3, finished_at = $4, updated_at = $5, \
             notified = $7 WHERE id = $6",
        )
        .bind(bulk.done)
        .bind(&bulk.counts)
        .bind(if bulk.running { "running" } else { "done" })
        .bind(bulk.finished_at.map(millis))
        .bind(millis(now))
        .bind(&bulk.id)
        .bind(bulk.notified)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The rows of a user in all meetings, removed ones too.
    pub(crate) async fn people_of_user(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM people WHERE tenant_id = $1 AND user_id = $2")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(PersonRow::read).collect()
    }

    /// A part of the results, in the order of the request.
    pub(crate) async fn bulk_results(
        &self,
        id: &str,
        (limit, offset): (i64, i64),
    ) -> Result<Vec<BulkResultRow>, StoreError> {
        // Positions have no gaps, so a page is a range of them.
        let rows = sqlx::query(
            "SELECT * FROM bulk_results WHERE bulk_id = $1 AND position >= $2 AND position < $3 ORDER BY position",
        )
        .bind(id)
        .bind(offset)
        .bind(offset.saturating_add(limit))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &Row| {
            let row = Columns(row);
            Ok(BulkResultRow {
                position: row.integer("position")?,
                meeting: MeetingId::new(row.text("meeting_id")?),
                target: row.text("target")?,
                user: row.optional_text("user_id")?.map(UserId::new),
                person: row.optional_text("person_id")?.map(PersonId::new),
                outcome: row.text("outcome")?,
            })
        };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_bulk_results(
        connection: &mut Connection,
        bulk: &str,
        results: &[BulkResultRow],
    ) -> Result<(), StoreError> {
        for chunk in results.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO bulk_results (bulk_id, position, meeting_id, target, user_id, person_id, outcome) VALUES {}",
                placeholders(chunk.len(), 7)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for row in chunk {
                query = query
                    .bind(bulk)
                    .bind(row.position)
                    .bind(row.meeting.as_str())
                    .bind(&row.target)
                    .bind(row.user.as_ref().map(UserId::as_str))
                    .bind(row.person.as_ref().map(PersonId::as_str))
                    .bind(&row.outcome);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// The rows of these users in a meeting, removed or not.
    pub(crate) async fn people_of_meeting(
        connection: &mut Connection,
        meeting: &MeetingId,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM people WHERE meeting_id = $1")
            .bind(meeting.as_str())
            .fetch_all(connection)
            .await?;
        rows.iter().map(PersonRow::read).collect()
    }

    /// Adds users to a meeting; each comes with the hash of their personal link. Places go on from `position`.
    pub(crate) async fn insert_users_as_people(
        connection: &mut Connection,
        people: &[(PersonRow, String)],
        position: i64,
    ) -> Result<(), StoreError> {
        let mut position = position;
        for chunk in people.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO people (id, tenant_id, meeting_id, user_id, display_name, role, access, invited_by, \
                 source, link_hash, created_at, updated_at, position, pin, invited_role, invited_at) VALUES {}",
                placeholders(chunk.len(), 16)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (row, link_hash) in chunk {
                query = query
                    .bind(row.id.as_str())
                    .bind(row.tenant.as_str())
                    .bind(row.meeting.as_str())
                    .bind(row.user().map(UserId::as_str))
                    .bind(&row.display_name)
                    .bind(word(&row.role))
                    .bind(word(&row.access))
                    .bind(row.invited_by.as_ref().map(UserId::as_str))
                    .bind(&row.source)
                    .bind(link_hash)
                    .bind(millis(row.created_at))
                    .bind(millis(row.created_at))
                    .bind(position)
                    .bind(row.pin.as_deref())
                    .bind(row.invited_role.map(|role| word(&role)))
                    .bind(row.invited_at.map(millis));
                position += 1;
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Appends many lines to the audit log.
    pub(crate) async fn insert_audits(
        connection: &mut Connection,
        entries: &[AuditEntry<'_>],
    ) -> Result<(), StoreError> {
        for chunk in entries.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO audit (tenant_id, actor_id, action, object, before_value, after_value, source, at) \
                 VALUES {}",
                placeholders(chunk.len(), 8)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for entry in chunk {
                query = query
                    .bind(entry.tenant.as_str())
                    .bind(entry.actor.map(UserId::as_str))
                    .bind(entry.action)
                    .bind(entry.object)
                    .bind(entry.before.as_ref().map(ToString::to_string))
                    .bind(entry.after.as_ref().map(ToString::to_string))
                    .bind(entry.source)
                    .bind(millis(entry.at));
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
