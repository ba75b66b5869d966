//! The people of meetings.

use super::columns::{Columns, millis, word};
use super::{Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::store::Connection;
use crate::store::Row;
use crate::vocabulary::{Access, Role, UnixMillis};

/// Who a person of a meeting is. At most one row per identity and meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// A user of the tenant.
    User(UserId),
    /// Somebody known by an e-mail address.
    Mail(String),
    /// Somebody known by a phone number, in E.164.
    Number(String),
    /// Somebody who came by the shared link; every time anew.
    #[default]
    Guest,
}

/// One row of `people`.
#[derive(Clone, Debug, Default)]
pub(crate) struct PersonRow {
    pub(crate) id: PersonId,
    pub(crate) tenant: TenantId,
    pub(crate) meeting: MeetingId,
    pub(crate) identity: Identity,
    pub(crate) display_name: String,
    pub(crate) role: Role,
    pub(crate) access: Access,
    pub(crate) invited_by: Option<UserId>,
    /// By which way they came: `people`, `call`, `link`, `dial_in`.
    pub(crate) source: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) removed_at: Option<UnixMillis>,
    /// Sealed; it stays the same as long as the row does.
    pub(crate) pin: Option<String>,
    /// The role of the latest invitation by a Host; `None` for those nobody invited.
    pub(crate) invited_role: Option<Role>,
    /// When that was.
    pub(crate) invited_at: Option<UnixMillis>,
    /// An Attendee whom a Host lets speak in a presentation.
    pub(crate) may_speak: bool,
}

impl PersonRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        let identity =
            match (row.optional_text("user_id")?, row.optional_text("mail")?, row.optional_text("e164")?) {
                (Some(user), _, _) => Identity::User(UserId::new(user)),
                (None, Some(mail), _) => Identity::Mail(mail),
                (None, None, Some(number)) => Identity::Number(number),
                (None, None, None) => Identity::Guest,
            };
        Ok(Self {
            id: PersonId::new(row.text("id")?),
            tenant: TenantId::new(row.text("tenant_id")?),
            meeting: MeetingId::new(row.text("meeting_id")?),
            identity,
            display_name: row.text("display_name")?,
            role: row.word("role")?,
            access: row.word("access")?,
            invited_by: row.optional_text("invited_by")?.map(UserId::new),
            source: row.text("source")?,
            created_at: row.time("created_at")?,
            removed_at: row.optional_time("removed_at")?,
            pin: row.optional_text("pin")?,
            invited_role: row.optional_word("invited_role")?,
            invited_at: row.optional_time("invited_at")?,
            may_speak: row.flag("may_speak")?,
        })
    }

    pub(crate) fn user(&self) -> Option<&UserId> {
        match &self.identity {
            Identity::User(user) => Some(user),
            Identity::Mail(_) | Identity::Number(_) | Identity::Guest => None,
        }
    }
}

impl Store {
    /// Inserts a person. `link_hash` is the hash of the personal link's token.
    pub(crate) async fn insert_person(
        connection: &mut Connection,
        person: &PersonRow,
        link_hash: &str,
    ) -> Result<(), StoreError> {
        let (user, mail, number) = match &person.identity {
            Identity::User(user) => (Some(user.as_str()), None, None),
            Identity::Mail(mail) => (None, Some(mail.as_str()), None),
            Identity::Number(number) => (None, None, Some(number.as_str())),
            Identity::Guest => (None, None, None),
        };
        sqlx::query(
            "INSERT INTO people (id, tenant_id, meeting_id, user_id, mail, e164, display_name, role, access, \
             invited_by, source, link_hash, created_at, updated_at, position, pin, invited_role, invited_at, \
             may_speak) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, \
             (SELECT count(*) FROM people WHERE meeting_id = $3), $14, $15, $16, $17)",
        )
        .bind(person.id.as_str())
        .bind(person.tenant.as_str())
        .bind(person.meeting.as_str())
        .bind(user)
        .bind(mail)
        .bind(number)
        .bind(&person.display_name)
        .bind(word(&person.role))
        .bind(word(&person.access))
        .bind(person.invited_by.as_ref().map(UserId::as_str))
        .bind(&person.source)
        .bind(link_hash)
        .bind(millis(person.created_at))
        .bind(person.pin.as_deref())
        .bind(person.invited_role.map(|role| word(&role)))
        .bind(person.invited_at.map(millis))
        .bind(i64::from(person.may_speak))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Writes role, access, name, inviter and invitation; a removed person is back in.
    pub(crate) async fn update_person(
        connection: &mut Connection,
        person: &PersonRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE people SET display_name = $1, role = $2, access = $3, invited_by = $4, removed_at = NULL, \
             updated_at = $5, invited_role = $9, invited_at = $10, may_speak = $11, pin = $12 \
             WHERE tenant_id = $6 AND meeting_id = $7 AND id = $8",
        )
        .bind(&person.display_name)
        .bind(word(&person.role))
        .bind(word(&person.access))
        .bind(person.invited_by.as_ref().map(UserId::as_str))
        .bind(millis(now))
        .bind(person.tenant.as_str())
        .bind(person.meeting.as_str())
        .bind(person.id.as_str())
        .bind(person.invited_role.map(|role| word(&role)))
        .bind(person.invited_at.map(millis))
        .bind(i64::from(person.may_speak))
        .bind(person.pin.as_deref())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Writes a role that the running meeting has given.
    pub(crate) async fn set_role(
        connection: &mut Connection,
        meeting: &MeetingId,
        person: &PersonId,
        role: Role,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE people SET role = $1, updated_at = $2 WHERE meeting_id = $3 AND id = $4")
            .bind(word(&role))
            .bind(millis(at))
            .bind(meeting.as_str())
            .bind(person.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Takes somebody off the list; the row stays, so that their link is refused with the right words (I74).
    pub(crate) async fn remove_person(
        connection: &mut Connection,
        tenant: &TenantId,
        person: &PersonId,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE people SET removed_at = $1, updated_at = $1 WHERE tenant_id = $2 AND id = $3")
            .bind(millis(now))
            .bind(tenant.as_str())
            .bind(person.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Everybody on the list, removed people too, in the order they were added.
    pub(crate) async fn people(
        &self,
        tenant: &TenantId,
        meeting: &MeetingId,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM people WHERE tenant_id = $1 AND meeting_id = $2 ORDER BY created_at, position",
        )
        .bind(tenant.as_str())
        .bind(meeting.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(PersonRow::read).collect()
    }

    /// The same within a transaction.
    pub(crate) async fn people_within(
        connection: &mut Connection,
        tenant: &TenantId,
        meeting: &MeetingId,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM people WHERE tenant_id = $1 AND meeting_id = $2 ORDER BY created_at, position",
        )
        .bind(tenant.as_str())
        .bind(meeting.as_str())
        .fetch_all(connection)
        .await?;
        rows.iter().map(PersonRow::read).collect()
    }

    /// One person of one meeting.
    pub(crate) async fn person(
        &self,
        tenant: &TenantId,
        meeting: &MeetingId,
        person: &PersonId,
    ) -> Result<Option<PersonRow>, StoreError> {
        sqlx::query("SELECT * FROM people WHERE tenant_id = $1 AND meeting_id = $2 AND id = $3")
            .bind(tenant.as_str())
            .bind(meeting.as_str())
            .bind(person.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| PersonRow::read(&row))
            .transpose()
    }

    /// The person of a personal link. The hash of a random token belongs to one person of one tenant.
    pub(crate) async fn person_by_link(&self, link_hash: &str) -> Result<Option<PersonRow>, StoreError> {
        sqlx::query("SELECT * FROM people WHERE link_hash = $1")
            .bind(link_hash)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| PersonRow::read(&row))
            .transpose()
    }

    /// The row of an identity in a meeting, removed or not. Guests have no identity to be found by.
    pub(crate) async fn person_by_identity(
        connection: &mut Connection,
        meeting: &MeetingId,
        identity: &Identity,
    ) -> Result<Option<PersonRow>, StoreError> {
        let query = match identity {
            Identity::User(user) => {
                sqlx::query("SELECT * FROM people WHERE meeting_id = $1 AND user_id = $2")
                    .bind(meeting.as_str())
                    .bind(user.as_str())
            }
            Identity::Mail(mail) => sqlx::query("SELECT * FROM people WHERE meeting_id = $1 AND mail = $2")
                .bind(meeting.as_str())
                .bind(mail.as_str()),
            Identity::Number(number) => {
                sqlx::query("SELECT * FROM people WHERE meeting_id = $1 AND e164 = $2 AND user_id IS NULL")
                    .bind(meeting.as_str())
                    .bind(number.as_str())
            }
            Identity::Guest => return Ok(None),
        };
        query.fetch_optional(connection).await?.map(|row| PersonRow::read(&row)).transpose()
    }
}
