//! Login tokens and participant tokens. Only their hashes are known here.

use super::columns::{Columns, millis};
use super::{Store, StoreError};
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::vocabulary::UnixMillis;

/// Whom a valid token stands for.
#[derive(Clone, Debug)]
pub(crate) enum SessionRow {
    /// Somebody who logged in.
    User {
        /// Their tenant.
        tenant: TenantId,
        /// The user.
        user: UserId,
    },
    /// Somebody who joined one meeting by a link.
    Participant {
        /// The meeting's tenant.
        tenant: TenantId,
        /// The one meeting.
        meeting: MeetingId,
        /// Who they are in it.
        person: PersonId,
    },
}

impl Store {
    pub(crate) async fn insert_session(
        &self,
        token_hash: &str,
        session: &SessionRow,
        now: UnixMillis,
        expires_at: UnixMillis,
    ) -> Result<(), StoreError> {
        let (tenant, user, meeting, person) = match session {
            SessionRow::User { tenant, user } => (tenant, Some(user), None, None),
            SessionRow::Participant { tenant, meeting, person } => {
                (tenant, None, Some(meeting), Some(person))
            }
        };
        sqlx::query(
            "INSERT INTO sessions (token_hash, tenant_id, user_id, meeting_id, person_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token_hash)
        .bind(tenant.as_str())
        .bind(user.map(UserId::as_str))
        .bind(meeting.map(MeetingId::as_str))
        .bind(person.map(PersonId::as_str))
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The session of a token, unless it has expired.
    pub(crate) async fn session(
        &self,
        token_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<SessionRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE token_hash = $1 AND expires_at > $2")
            .bind(token_hash)
            .bind(millis(now))
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        let tenant = TenantId::new(row.text("tenant_id")?);
        let user = row.optional_text("user_id")?;
        let meeting = row.optional_text("meeting_id")?;
        let person = row.optional_text("person_id")?;
        Ok(match (user, meeting, person) {
            (Some(user), _, _) => Some(SessionRow::User { tenant, user: UserId::new(user) }),
            (None, Some(meeting), Some(person)) => Some(SessionRow::Participant {
                tenant,
                meeting: MeetingId::new(meeting),
                person: PersonId::new(person),
            }),
            _ => None,
        })
    }

    pub(crate) async fn delete_session(&self, token_hash: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends the tokens of somebody who was removed from a meeting (I74).
    pub(crate) async fn delete_sessions_of_person(
        &self,
        tenant: &TenantId,
        person: &PersonId,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE tenant_id = $1 AND person_id = $2")
            .bind(tenant.as_str())
            .bind(person.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets expired tokens.
    pub(crate) async fn delete_expired_sessions(&self, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
