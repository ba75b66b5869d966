//! Requests of session admins to add somebody.

use super::columns::{Columns, millis, word};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::services::users_admin::RequestState;
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// One row of `user_requests`.
#[derive(Clone, Debug)]
pub(crate) struct UserRequestRow {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    pub(crate) requested_by: UserId,
    /// The address or number, in its one form.
    pub(crate) target: String,
    /// `email` or `number`.
    pub(crate) target_kind: String,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) state: RequestState,
    pub(crate) decided_by: Option<UserId>,
    pub(crate) decided_at: Option<UnixMillis>,
    /// Who was added.
    pub(crate) user: Option<UserId>,
    pub(crate) created_at: UnixMillis,
}

impl UserRequestRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            requested_by: UserId::new(row.text("requested_by")?),
            target: row.text("target")?,
            target_kind: row.text("target_kind")?,
            first: row.optional_text("first")?,
            last: row.optional_text("last")?,
            note: row.optional_text("note")?,
            state: row.word("state")?,
            decided_by: row.optional_text("decided_by")?.map(UserId::new),
            decided_at: row.optional_time("decided_at")?,
            user: row.optional_text("user_id")?.map(UserId::new),
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    pub(crate) async fn insert_user_request(
        connection: &mut Connection,
        request: &UserRequestRow,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO user_requests (id, tenant_id, requested_by, target, target_kind, first, last, note, state, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        )
        .bind(&request.id)
        .bind(request.tenant.as_str())
        .bind(request.requested_by.as_str())
        .bind(&request.target)
        .bind(&request.target_kind)
        .bind(request.first.as_deref())
        .bind(request.last.as_deref())
        .bind(request.note.as_deref())
        .bind(word(&request.state))
        .bind(millis(request.created_at))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The open request for a target, if there is one.
    pub(crate) async fn open_user_request(
        connection: &mut Connection,
        tenant: &TenantId,
        target: &str,
    ) -> Result<Option<UserRequestRow>, StoreError> {
        sqlx::query("SELECT * FROM user_requests WHERE tenant_id = $1 AND target = $2 AND state = 'open'")
            .bind(tenant.as_str())
            .bind(target)
            .fetch_optional(connection)
            .await?
            .map(|row| UserRequestRow::read(&row))
            .transpose()
    }

    pub(crate) async fn user_request(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<UserRequestRow>, StoreError> {
        sqlx::query("SELECT * FROM user_requests WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| UserRequestRow::read(&row))
            .transpose()
    }

    /// The requests of a tenant, or of one asker, newest first; and how many there are.
    pub(crate) async fn user_requests(
        &self,
        tenant: &TenantId,
        by: Option<&UserId>,
        state: Option<RequestState>,
        (limit, offset): (i64, i64),
    ) -> Result<(Vec<UserRequestRow>, i64), StoreError> {
        macro_rules! wanted {
            () => {
                " FROM user_requests WHERE tenant_id = $1 AND ($2 = '' OR requested_by = $2) AND ($3 = '' OR state = $3)"
            };
        }
        let by = by.map_or("", UserId::as_str);
        let state = state.map(|state| word(&state)).unwrap_or_default();
        let total = sqlx::query(concat!("SELECT count(*)", wanted!()))
            .bind(tenant.as_str())
            .bind(by)
            .bind(&state)
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let rows =
            sqlx::query(concat!("SELECT *", wanted!(), " ORDER BY created_at DESC, id LIMIT $4 OFFSET $5"))
                .bind(tenant.as_str())
                .bind(by)
                .bind(&state)
                .bind(limit)
                .bind(offset)
                .fetch_all(&self.pool)
                .await?;
        Ok((rows.iter().map(UserRequestRow::read).collect::<Result<_, _>>()?, total))
    }

    /// Decides a request; says whether it was still open.
    pub(crate) async fn decide_user_request(
        connection: &mut Connection,
        request: &UserRequestRow,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let decided = sqlx::query(
            "UPDATE user_requests SET state = $1, decided_by = $2, decided_at = $3, user_id = $4, updated_at = $3 \
             WHERE tenant_id = $5 AND id = $6 AND state = 'open'",
        )
        .bind(word(&request.state))
        .bind(request.decided_by.as_ref().map(UserId::as_str))
        .bind(millis(now))
        .bind(request.user.as_ref().map(UserId::as_str))
        .bind(request.tenant.as_str())
        .bind(&request.id)
        .execute(connection)
        .await?;
        Ok(decided.rows_affected() > 0)
    }
}
