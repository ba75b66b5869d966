//! Meetings and meeting rooms.

use super::columns::{Columns, millis, word};
use super::{Connection, Store, StoreError};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::live::settings::MeetingSettings;
use crate::store::Row;
use crate::vocabulary::{MeetingKind, MeetingState, Role, UnixMillis};
use sqlx::Row as _;

/// One row of `meetings`.
#[derive(Clone, Debug)]
pub(crate) struct MeetingRow {
    pub(crate) id: MeetingId,
    pub(crate) tenant: TenantId,
    pub(crate) owner: Option<UserId>,
    pub(crate) kind: MeetingKind,
    pub(crate) title: String,
    /// Nine digits, unique over all tenants: what people key in and what the SIP address carries.
    pub(crate) number: String,
    pub(crate) alias: Option<String>,
    /// The role of those who come by the shared link.
    pub(crate) default_role: Role,
    /// The role of those who call the meeting's SIP address directly.
    pub(crate) direct_join_role: Role,
    pub(crate) state: MeetingState,
    pub(crate) created_at: UnixMillis,
    pub(crate) settings: MeetingSettings,
}

impl MeetingRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: MeetingId::new(row.text("id")?),
            tenant: TenantId::new(row.text("tenant_id")?),
            owner: row.optional_text("owner_id")?.map(UserId::new),
            kind: row.word("kind")?,
            title: row.text("title")?,
            number: row.text("number")?,
            alias: row.optional_text("alias")?,
            default_role: row.word("default_role")?,
            direct_join_role: row.word("direct_join_role")?,
            state: row.word("state")?,
            created_at: row.time("created_at")?,
            // A setting this version does not know is no reason to lose the meeting.
            settings: serde_json::from_str(&row.text("settings")?).unwrap_or_default(),
        })
    }
}

impl Store {
    /// Inserts a meeting. `link_hash` is the hash of its shared link's token.
    pub(crate) async fn insert_meeting(
        connection: &mut Connection,
        meeting: &MeetingRow,
        link_hash: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO meetings (id, tenant_id, owner_id, kind, title, number, alias, default_role, \
             direct_join_role, link_hash, state, created_at, updated_at, settings) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)",
        )
        .bind(meeting.id.as_str())
        .bind(meeting.tenant.as_str())
        .bind(meeting.owner.as_ref().map(UserId::as_str))
        .bind(word(&meeting.kind))
        .bind(&meeting.title)
        .bind(&meeting.number)
        .bind(meeting.alias.as_deref())
        .bind(word(&meeting.default_role))
        .bind(word(&meeting.direct_join_role))
        .bind(link_hash)
        .bind(word(&meeting.state))
        .bind(millis(meeting.created_at))
        .bind(serde_json::to_string(&meeting.settings).unwrap_or_default())
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn meeting(
        &self,
        tenant: &TenantId,
        id: &MeetingId,
    ) -> Result<Option<MeetingRow>, StoreError> {
        sqlx::query("SELECT * FROM meetings WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| MeetingRow::read(&row))
            .transpose()
    }

    /// The meeting of a shared link. The hash of a random token belongs to one meeting of one tenant.
    pub(crate) async fn meeting_by_link(&self, link_hash: &str) -> Result<Option<MeetingRow>, StoreError> {
        sqlx::query("SELECT * FROM meetings WHERE link_hash = $1")
            .bind(link_hash)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| MeetingRow::read(&row))
            .transpose()
    }

    /// All meetings of a tenant, newest first: for its admins, and for provisioning at start.
    pub(crate) async fn meetings(
        &self,
        tenant: &TenantId,
        limit: i64,
    ) -> Result<Vec<MeetingRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM meetings WHERE tenant_id = $1 ORDER BY created_at DESC, id LIMIT $2")
                .bind(tenant.as_str())
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(MeetingRow::read).collect()
    }

    /// The meetings a user owns or is invited to, newest first.
    pub(crate) async fn meetings_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        limit: i64,
    ) -> Result<Vec<MeetingRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM meetings m WHERE m.tenant_id = $1 AND (m.owner_id = $2 OR EXISTS \
             (SELECT 1 FROM people p WHERE p.meeting_id = m.id AND p.user_id = $3 AND p.removed_at IS NULL)) \
             ORDER BY m.created_at DESC, m.id LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(user.as_str())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(MeetingRow::read).collect()
    }

    pub(crate) async fn meeting_number_taken(
        connection: &mut Connection,
        number: &str,
    ) -> Result<bool, StoreError> {
        // An alias shares the name space of SIP user parts with the numbers.
        let row = sqlx::query("SELECT count(*) FROM meetings WHERE number = $1 OR alias = $2")
            .bind(number)
            .bind(number)
            .fetch_one(connection)
            .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// Writes a new state with its time. The first start and the latest end are kept.
    pub(crate) async fn set_meeting_state(
        &self,
        meeting: &MeetingId,
        state: MeetingState,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        Self::write_meeting_state(&mut transaction, meeting, state, at).await?;
        Ok(transaction.commit().await?)
    }

    /// The same within a transaction.
    pub(super) async fn write_meeting_state(
        connection: &mut Connection,
        meeting: &MeetingId,
        state: MeetingState,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let word = word(&state);
        sqlx::query(
            "UPDATE meetings SET state = $1, updated_at = $2, \
             started_at = CASE WHEN $1 IN ('started', 'active') THEN coalesce(started_at, $2) ELSE started_at END, \
             ended_at = CASE WHEN $1 = 'ended' THEN $2 ELSE ended_at END WHERE id = $3",
        )
        .bind(word)
        .bind(millis(at))
        .bind(meeting.as_str())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Renews the link hash of every meeting and person, from its identifier, after a change of key.
    pub(crate) async fn set_link_hashes(
        &self,
        hash: impl Fn(&str) -> String + Send,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for row in sqlx::query("SELECT id FROM meetings").fetch_all(&mut *transaction).await? {
            let id: String = row.try_get(0)?;
            sqlx::query("UPDATE meetings SET link_hash = $1 WHERE id = $2")
                .bind(hash(&id))
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        for row in sqlx::query("SELECT id FROM people").fetch_all(&mut *transaction).await? {
            let id: String = row.try_get(0)?;
            sqlx::query("UPDATE people SET link_hash = $1 WHERE id = $2")
                .bind(hash(&id))
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
