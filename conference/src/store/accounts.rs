//! Administering users: pages of them, adding, changing, one-time links.

use super::columns::{Columns, millis, word};
use super::search::anywhere;
use super::users::select_users;
use super::{Connection, Store, StoreError, UserRow};
use crate::ids::{MeetingId, TenantId, UserId};
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// Which users, and which part of them.
#[derive(Clone, Debug)]
pub(crate) struct UserSlice<'a> {
    pub(crate) tenant: &'a TenantId,
    /// Somebody who is left out.
    pub(crate) without: Option<&'a UserId>,
    /// Disabled ones too.
    pub(crate) disabled: bool,
    /// A folded text that name, login, extension or address holds; empty for all.
    pub(crate) query: &'a str,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

/// The condition of a [`UserSlice`]; `$1` to `$4`.
macro_rules! in_slice {
    () => {
        "u.tenant_id = $1 AND u.id <> $2 AND (u.enabled = 1 OR $3 = 1) AND ($4 = '%%' OR u.search LIKE $4 ESCAPE '!')"
    };
}

impl Store {
    /// A part of the users of a tenant, by extension and name, and how many there are in all.
    pub(crate) async fn users_slice(&self, slice: &UserSlice<'_>) -> Result<(Vec<UserRow>, i64), StoreError> {
        let pattern = anywhere(slice.query);
        let without = slice.without.map_or("", UserId::as_str);
        let total = sqlx::query(concat!("SELECT count(*) FROM users u WHERE ", in_slice!()))
            .bind(slice.tenant.as_str())
            .bind(without)
            .bind(i64::from(slice.disabled))
            .bind(&pattern)
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let page = concat!(
            select_users!("u.id IN (SELECT u.id FROM users u WHERE "),
            in_slice!(),
            " ORDER BY (u.extension IS NULL), u.extension, u.display_name, u.id LIMIT $5 OFFSET $6) \
             ORDER BY (u.extension IS NULL), u.extension, u.display_name, u.id"
        );
        let rows = sqlx::query(page)
            .bind(slice.tenant.as_str())
            .bind(without)
            .bind(i64::from(slice.disabled))
            .bind(&pattern)
            .bind(slice.limit)
            .bind(slice.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(UserRow::read).collect::<Result<_, _>>()?, total))
    }

    /// A user, disabled or not.
    pub(crate) async fn any_user(
        &self,
        tenant: &TenantId,
        id: &UserId,
    ) -> Result<Option<UserRow>, StoreError> {
        sqlx::query(select_users!("u.tenant_id = $1 AND u.id = $2"))
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| UserRow::read(&row))
            .transpose()
    }

    /// Whoever may be meant by a typed login: more than one where two tenants know the same address.
    pub(crate) async fn users_by_typed_login(&self, login: &str) -> Result<Vec<UserRow>, StoreError> {
        let rows =
            sqlx::query(select_users!("(u.login = $1 OR u.login_name = $1) ORDER BY u.created_at LIMIT 4"))
                .bind(login)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(UserRow::read).collect()
    }

    /// Whether any tenant has this login.
    pub(crate) async fn login_taken(connection: &mut Connection, login: &str) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT count(*) FROM users WHERE login = $1").bind(login).fetch_one(connection);
        Ok(row.await?.try_get::<i64, _>(0)? > 0)
    }

    /// Whether a user of this tenant types this login.
    pub(crate) async fn login_of_tenant(
        connection: &mut Connection,
        tenant: &TenantId,
        login: &str,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) FROM users WHERE tenant_id = $1 AND (login = $2 OR login_name = $2)",
        )
        .bind(tenant.as_str())
        .bind(login)
        .fetch_one(connection)
        .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// Which user of the tenant has this extension.
    pub(crate) async fn extension_holder(
        connection: &mut Connection,
        tenant: &TenantId,
        extension: &str,
    ) -> Result<Option<UserId>, StoreError> {
        let row = sqlx::query("SELECT id FROM users WHERE tenant_id = $1 AND extension = $2")
            .bind(tenant.as_str())
            .bind(extension)
            .fetch_optional(connection)
            .await?;
        row.map(|row| Ok(UserId::new(row.try_get::<String, _>(0)?))).transpose()
    }

    /// Which user of the tenant has this address.
    pub(crate) async fn address_holder(
        connection: &mut Connection,
        tenant: &TenantId,
        kind: &str,
        value: &str,
    ) -> Result<Option<UserId>, StoreError> {
        let row = sqlx::query(
            "SELECT user_id FROM user_addresses WHERE tenant_id = $1 AND kind = $2 AND value = $3",
        )
        .bind(tenant.as_str())
        .bind(kind)
        .bind(value)
        .fetch_optional(connection)
        .await?;
        row.map(|row| Ok(UserId::new(row.try_get::<String, _>(0)?))).transpose()
    }

    /// Adds a user.
    pub(crate) async fn insert_user(
        connection: &mut Connection,
        user: &UserRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO users (id, tenant_id, login, login_name, password_hash, first, last, display_name, \
             extension, area_code, tenant_role, enabled, enrolled_at, generic_id, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)",
        )
        .bind(user.id.as_str())
        .bind(user.tenant.as_str())
        .bind(&user.login)
        .bind(user.login_name.as_deref())
        .bind(&user.password_hash)
        .bind(&user.first)
        .bind(&user.last)
        .bind(&user.display_name)
        .bind(user.extension.as_deref())
        .bind(user.area_code.as_deref())
        .bind(word(&user.tenant_role))
        .bind(i64::from(user.enabled))
        .bind(user.enrolled_at.map(millis))
        .bind(user.generic_id.as_deref())
        .bind(millis(now))
        .execute(&mut *connection)
        .await?;
        Self::fold_user(connection, &user.id).await
    }

    /// Writes what an administrator may change.
    pub(crate) async fn update_user(
        connection: &mut Connection,
        user: &UserRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE users SET first = $1, last = $2, display_name = $3, extension = $4, area_code = $5, \
             tenant_role = $6, enabled = $7, generic_id = $8, updated_at = $9 WHERE tenant_id = $10 AND id = $11",
        )
        .bind(&user.first)
        .bind(&user.last)
        .bind(&user.display_name)
        .bind(user.extension.as_deref())
        .bind(user.area_code.as_deref())
        .bind(word(&user.tenant_role))
        .bind(i64::from(user.enabled))
        .bind(user.generic_id.as_deref())
        .bind(millis(now))
        .bind(user.tenant.as_str())
        .bind(user.id.as_str())
        .execute(&mut *connection)
        .await?;
        Self::fold_user(connection, &user.id).await
    }

    /// How many others could administer the tenant.
    pub(crate) async fn other_admins(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT count(*) FROM users WHERE tenant_id = $1 AND id <> $2 AND enabled = 1 \
             AND enrolled_at IS NOT NULL AND tenant_role = 'tenant_admin'",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_one(connection)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// Sets a password, which enrols the user if they were not.
    pub(crate) async fn set_password(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
        hash: &str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE users SET password_hash = $1, enrolled_at = coalesce(enrolled_at, $2), updated_at = $2 \
             WHERE tenant_id = $3 AND id = $4",
        )
        .bind(hash)
        .bind(millis(now))
        .bind(tenant.as_str())
        .bind(user.as_str())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Ends the logins of a user, but for the one whose token has this hash.
    pub(crate) async fn delete_sessions_of_user(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
        but: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND token_hash <> $3")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .bind(but.unwrap_or_default())
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// Ends what a user has by their personal links: the meetings are left as a participant, too.
    pub(crate) async fn delete_participations_of_user(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM sessions WHERE tenant_id = $1 AND person_id IN \
             (SELECT p.id FROM people p WHERE p.tenant_id = $1 AND p.user_id = $2)",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The meetings that may have somebody in them and that a user is on the list of: the person they are there.
    pub(crate) async fn running_meetings_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<(MeetingId, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT p.meeting_id, p.id FROM people p JOIN meetings m ON m.id = p.meeting_id \
             WHERE p.tenant_id = $1 AND p.user_id = $2 AND p.removed_at IS NULL \
             AND m.state NOT IN ('draft', 'complete', 'cancelled')",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((MeetingId::new(row.try_get::<String, _>(0)?), row.try_get(1)?))).collect()
    }

    /// The calls to a user that are not over.
    pub(crate) async fn calls_in_flight_to(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM calls WHERE tenant_id = $1 AND user_id = $2 \
             AND state NOT IN ('ended', 'failed', 'refused', 'cancelled')",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Stores a one-time link of a user; older ones for the same purpose no longer work.
    pub(crate) async fn insert_user_token(
        connection: &mut Connection,
        (tenant, user): (&TenantId, &UserId),
        purpose: &str,
        token_hash: &str,
        (now, expires_at): (UnixMillis, UnixMillis),
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM user_tokens WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .bind(purpose)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO user_tokens (token_hash, tenant_id, user_id, purpose, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token_hash)
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(purpose)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Whose one-time link it is, unless it has expired.
    pub(crate) async fn user_token(
        &self,
        purpose: &str,
        token_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<(TenantId, UserId)>, StoreError> {
        let row = sqlx::query(
            "SELECT tenant_id, user_id FROM user_tokens WHERE purpose = $1 AND token_hash = $2 AND expires_at > $3",
        )
        .bind(purpose)
        .bind(token_hash)
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        Ok(Some((TenantId::new(row.text("tenant_id")?), UserId::new(row.text("user_id")?))))
    }

    /// Takes a one-time link; says whether it was still there. Of two at once, one gets it.
    pub(crate) async fn take_user_token(
        connection: &mut Connection,
        token_hash: &str,
    ) -> Result<bool, StoreError> {
        let taken =
            sqlx::query("DELETE FROM user_tokens WHERE token_hash = $1").bind(token_hash).execute(connection);
        Ok(taken.await?.rows_affected() > 0)
    }
}
