//! Who came and went, and each time a meeting was held.

use super::columns::{Columns, millis, word};
use super::{Connection, Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::live::event::Record;
use crate::live::leg_record::InstanceRecord;
use crate::vocabulary::{Access, LegKind, Role, UnixMillis};

/// One time a meeting was held.
#[derive(Clone, Debug)]
pub(crate) struct InstanceRow {
    pub(crate) id: String,
    pub(crate) started_at: UnixMillis,
    pub(crate) active_at: Option<UnixMillis>,
    pub(crate) ended_at: Option<UnixMillis>,
    pub(crate) peak: i64,
    /// The process died while it ran.
    pub(crate) lost: bool,
}

/// Somebody came or went.
#[derive(Clone, Debug)]
pub(crate) struct AttendanceRow {
    pub(crate) instance: Option<String>,
    pub(crate) person: PersonId,
    pub(crate) user: Option<UserId>,
    pub(crate) display_name: Option<String>,
    pub(crate) role: Option<Role>,
    pub(crate) access: Option<Access>,
    pub(crate) leg_kind: Option<LegKind>,
    pub(crate) joined: bool,
    pub(crate) at: UnixMillis,
}

impl Store {
    /// Writes how far this time of the meeting has come.
    pub(super) async fn put_instance(
        connection: &mut Connection,
        instance: &InstanceRecord,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO meeting_instances (id, tenant_id, meeting_id, started_at, active_at, ended_at, peak) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET active_at = excluded.active_at, \
             ended_at = excluded.ended_at, peak = excluded.peak",
        )
        .bind(&instance.id)
        .bind(instance.tenant.as_str())
        .bind(instance.meeting.as_str())
        .bind(millis(instance.started_at))
        .bind(instance.active_at.map(millis))
        .bind(instance.ended_at.map(millis))
        .bind(i64::try_from(instance.peak).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Somebody came or went: one line.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other records are no attendance")]
    pub(super) async fn insert_attendance(
        &self,
        connection: &mut Connection,
        record: &Record,
    ) -> Result<(), StoreError> {
        let line = match record {
            Record::PersonJoined {
                meeting,
                instance,
                person,
                user,
                display_name,
                role,
                access,
                leg_kind,
                at,
            } => {
                let who = (user.as_ref(), display_name, word(role), word(access), word(leg_kind));
                (meeting, instance, person, "joined", Some(who), at)
            }
            Record::PersonLeft { meeting, instance, person, at } => {
                (meeting, instance, person, "left", None, at)
            }
            _ => return Ok(()),
        };
        let (meeting, instance, person, what, who, at) = line;
        sqlx::query(
            "INSERT INTO attendance (meeting_id, person_id, at, what, leg_kind, instance_id, user_id, display_name, role, \
             access) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(meeting.as_str())
        .bind(person.as_str())
        .bind(millis(*at))
        .bind(what)
        .bind(who.as_ref().map(|who| who.4.as_str()))
        .bind(instance.as_deref())
        .bind(who.as_ref().and_then(|who| who.0.map(UserId::as_str)))
        .bind(who.as_ref().map(|who| who.1.as_str()))
        .bind(who.as_ref().map(|who| who.2.as_str()))
        .bind(who.as_ref().map(|who| who.3.as_str()))
        .execute(&mut *connection)
        .await?;
        let leg_kind = match record {
            Record::PersonJoined { leg_kind, .. } => Some(*leg_kind),
            _ => None,
        };
        self.queue_attendance_event(connection, meeting, (person.as_str(), what, leg_kind), *at).await
    }

    /// The times a meeting was held, newest first.
    pub(crate) async fn instances(
        &self,
        tenant: &TenantId,
        meeting: &MeetingId,
        after: Option<&(i64, String)>,
        limit: i64,
    ) -> Result<Vec<InstanceRow>, StoreError> {
        let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (*at, id.as_str()));
        let rows = sqlx::query(
            "SELECT * FROM meeting_instances WHERE tenant_id = $1 AND meeting_id = $2 \
             AND (started_at < $3 OR (started_at = $3 AND id < $4)) ORDER BY started_at DESC, id DESC LIMIT $5",
        )
        .bind(tenant.as_str())
        .bind(meeting.as_str())
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let read = |row| {
            let row = Columns(row);
            Ok(InstanceRow {
                id: row.text("id")?,
                started_at: row.time("started_at")?,
                active_at: row.optional_time("active_at")?,
                ended_at: row.optional_time("ended_at")?,
                peak: row.integer("peak")?,
                lost: row.flag("lost")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Who came to a meeting and went, in order; of one time only if it is given.
    pub(crate) async fn attendance(
        &self,
        meeting: &MeetingId,
        instance: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AttendanceRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM attendance WHERE meeting_id = $1 AND ($2 IS NULL OR instance_id = $2) ORDER BY id LIMIT $3",
        )
        .bind(meeting.as_str())
        .bind(instance)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let read = |row| {
            let row = Columns(row);
            Ok(AttendanceRow {
                instance: row.optional_text("instance_id")?,
                person: PersonId::new(row.text("person_id")?),
                user: row.optional_text("user_id")?.map(UserId::new),
                display_name: row.optional_text("display_name")?,
                role: row.optional_word("role")?,
                access: row.optional_word("access")?,
                leg_kind: row.optional_word("leg_kind")?,
                joined: row.text("what")? == "joined",
                at: row.time("at")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
