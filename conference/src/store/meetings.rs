//! Meetings and meeting rooms.

use super::columns::{Columns, millis, word};
use super::{Connection, Store, StoreError};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::live::resolver::fold;
use crate::live::settings::MeetingSettings;
use crate::store::Row;
use crate::vocabulary::{MeetingForm, MeetingKind, MeetingState, Role, UnixMillis};
use sqlx::Row as _;

/// One row of `meetings`.
#[derive(Clone, Debug, Default, PartialEq)]
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
    pub(crate) form: MeetingForm,
    pub(crate) description: Option<String>,
    /// The place the meeting stands for, such as a building site; searched like the title.
    pub(crate) site: Option<String>,
    pub(crate) plan: PlanColumns,
    /// Sealed; [`crate::services`] opens it.
    pub(crate) guest_pin: Option<String>,
    /// Sealed.
    pub(crate) host_pin: Option<String>,
    pub(crate) ics_uid: Option<String>,
    pub(crate) ics_sequence: i64,
    /// When it was last over; written with its states, not by [`Store::update_meeting`].
    pub(crate) ended_at: Option<UnixMillis>,
}

/// When a meeting takes place. Empty for instant meetings and rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlanColumns {
    /// The first start.
    pub(crate) start: Option<UnixMillis>,
    pub(crate) duration_minutes: Option<i64>,
    /// The IANA name the times and the rule are read in.
    pub(crate) time_zone: Option<String>,
    /// RFC 5545 section 3.3.10, without `RRULE:`.
    pub(crate) rrule: Option<String>,
    /// When the last occurrence is over; `None` for those without an end.
    pub(crate) last_end: Option<UnixMillis>,
}

impl MeetingRow {
    /// What the search looks at: title, site and number, case and accents apart.
    pub(crate) fn search_text(&self) -> String {
        let site = self.site.as_deref().unwrap_or_default();
        fold(&format!("{}\n{site}\n{}", self.title, self.number))
    }

    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
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
            form: row.word("form")?,
            description: row.optional_text("description")?,
            site: row.optional_text("site")?,
            plan: PlanColumns {
                start: row.optional_time("start_at")?,
                duration_minutes: row.optional_integer("duration_minutes")?,
                time_zone: row.optional_text("time_zone")?,
                rrule: row.optional_text("rrule")?,
                last_end: row.optional_time("last_end_at")?,
            },
            guest_pin: row.optional_text("guest_pin")?,
            host_pin: row.optional_text("host_pin")?,
            ics_uid: row.optional_text("ics_uid")?,
            ics_sequence: row.integer("ics_sequence")?,
            ended_at: row.optional_time("ended_at")?,
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
        let owner_search = Self::owner_search(connection, meeting.owner.as_ref()).await?;
        sqlx::query(
            "INSERT INTO meetings (id, tenant_id, owner_id, kind, title, number, alias, default_role, \
             direct_join_role, link_hash, state, created_at, updated_at, settings, form, description, site, \
             search_text, start_at, duration_minutes, time_zone, rrule, last_end_at, guest_pin, host_pin, ics_uid, \
             ics_sequence, owner_search) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14, $15, \
             $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)",
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
        .bind(word(&meeting.form))
        .bind(meeting.description.as_deref())
        .bind(meeting.site.as_deref())
        .bind(meeting.search_text())
        .bind(meeting.plan.start.map(millis))
        .bind(meeting.plan.duration_minutes)
        .bind(meeting.plan.time_zone.as_deref())
        .bind(meeting.plan.rrule.as_deref())
        .bind(meeting.plan.last_end.map(millis))
        .bind(meeting.guest_pin.as_deref())
        .bind(meeting.host_pin.as_deref())
        .bind(meeting.ics_uid.as_deref())
        .bind(meeting.ics_sequence)
        .bind(owner_search)
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
        let rows = sqlx::query(
            "SELECT * FROM meetings WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        )
        .bind(tenant.as_str())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(MeetingRow::read).collect()
    }

    /// Writes everything about a meeting that can be changed, its number and state among them.
    pub(crate) async fn update_meeting(
        connection: &mut Connection,
        meeting: &MeetingRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let owner_search = Self::owner_search(connection, meeting.owner.as_ref()).await?;
        sqlx::query(
            "UPDATE meetings SET owner_id = $1, kind = $2, title = $3, number = $4, default_role = $5, \
             direct_join_role = $6, state = $7, updated_at = $8, settings = $9, form = $10, description = $11, \
             site = $12, search_text = $13, start_at = $14, duration_minutes = $15, time_zone = $16, rrule = $17, \
             last_end_at = $18, guest_pin = $19, host_pin = $20, ics_uid = $21, ics_sequence = $22, owner_search = $24 \
             WHERE id = $23",
        )
        .bind(meeting.owner.as_ref().map(UserId::as_str))
        .bind(word(&meeting.kind))
        .bind(&meeting.title)
        .bind(&meeting.number)
        .bind(word(&meeting.default_role))
        .bind(word(&meeting.direct_join_role))
        .bind(word(&meeting.state))
        .bind(millis(now))
        .bind(serde_json::to_string(&meeting.settings).unwrap_or_default())
        .bind(word(&meeting.form))
        .bind(meeting.description.as_deref())
        .bind(meeting.site.as_deref())
        .bind(meeting.search_text())
        .bind(meeting.plan.start.map(millis))
        .bind(meeting.plan.duration_minutes)
        .bind(meeting.plan.time_zone.as_deref())
        .bind(meeting.plan.rrule.as_deref())
        .bind(meeting.plan.last_end.map(millis))
        .bind(meeting.guest_pin.as_deref())
        .bind(meeting.host_pin.as_deref())
        .bind(meeting.ics_uid.as_deref())
        .bind(meeting.ics_sequence)
        .bind(meeting.id.as_str())
        .bind(owner_search)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Forgets a draft and whoever was on its list.
    pub(crate) async fn delete_draft(
        connection: &mut Connection,
        meeting: &MeetingId,
    ) -> Result<(), StoreError> {
        // Earlier versions sent invitations to drafts too.
        sqlx::query(
            "DELETE FROM invitations WHERE meeting_id IN (SELECT id FROM meetings WHERE id = $1 AND state = 'draft')",
        )
        .bind(meeting.as_str())
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM people WHERE meeting_id IN (SELECT id FROM meetings WHERE id = $1 AND state = 'draft')",
        )
        .bind(meeting.as_str())
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM meetings WHERE id = $1 AND state = 'draft'")
            .bind(meeting.as_str())
            .execute(connection)
            .await?;
        Ok(())
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
        self.write_meeting_state(&mut transaction, meeting, state, at).await?;
        Ok(transaction.commit().await?)
    }

    /// The same within a transaction.
    pub(super) async fn write_meeting_state(
        &self,
        connection: &mut Connection,
        meeting: &MeetingId,
        state: MeetingState,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let word = word(&state);
        let changed = sqlx::query("SELECT 1 FROM meetings WHERE id = $1 AND state <> $2")
            .bind(meeting.as_str())
            .bind(&word)
            .fetch_optional(&mut *connection)
            .await?;
        sqlx::query(
            "UPDATE meetings SET state = $1, updated_at = $2, \
             started_at = CASE WHEN $1 IN ('started', 'active') THEN coalesce(started_at, $2) ELSE started_at END, \
             ended_at = CASE WHEN $1 = 'ended' THEN $2 ELSE ended_at END WHERE id = $3",
        )
        .bind(word)
        .bind(millis(at))
        .bind(meeting.as_str())
        .execute(&mut *connection)
        .await?;
        if changed.is_some() {
            self.queue_meeting_event(connection, meeting, state, at).await?;
        }
        Ok(())
    }

    /// Writes the lock into the meeting's settings.
    pub(super) async fn set_meeting_locked(
        connection: &mut Connection,
        meeting: &MeetingId,
        locked: bool,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT settings FROM meetings WHERE id = $1")
            .bind(meeting.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(()) };
        let mut settings: MeetingSettings =
            serde_json::from_str(&Columns(&row).text("settings")?).unwrap_or_default();
        settings.locked = locked;
        sqlx::query("UPDATE meetings SET settings = $1, updated_at = $2 WHERE id = $3")
            .bind(serde_json::to_string(&settings).unwrap_or_default())
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
