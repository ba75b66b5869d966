//! Logins under way at the identity provider, and who is who there.

use super::columns::{Columns, millis};
use super::users::select_users;
use super::{Connection, Store, StoreError, TenantRow, UserRow};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// A login under way.
#[derive(Clone, Debug)]
pub(crate) struct OidcLoginRow {
    /// Sealed.
    pub(crate) verifier: String,
    pub(crate) nonce: String,
    /// The place within the page to come back to.
    pub(crate) return_to: String,
}

impl Store {
    pub(crate) async fn insert_oidc_login(
        &self,
        state_hash: &str,
        login: &OidcLoginRow,
        now: UnixMillis,
        expires_at: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO oidc_logins (state_hash, verifier, nonce, return_to, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(state_hash)
        .bind(&login.verifier)
        .bind(&login.nonce)
        .bind(&login.return_to)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes a login that is under way: its state is good once.
    pub(crate) async fn take_oidc_login(
        &self,
        state_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<OidcLoginRow>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM oidc_logins WHERE state_hash = $1 AND expires_at > $2 RETURNING verifier, nonce, return_to",
        )
        .bind(state_hash)
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        Ok(Some(OidcLoginRow {
            verifier: row.text("verifier")?,
            nonce: row.text("nonce")?,
            return_to: row.text("return_to")?,
        }))
    }

    pub(crate) async fn delete_expired_oidc_logins(&self, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM oidc_logins WHERE expires_at <= $1")
            .bind(millis(now))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn oidc_logins_under_way(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT count(*) FROM oidc_logins").fetch_one(&self.pool).await?;
        Ok(row.try_get(0)?)
    }

    /// The user with this issuer and subject, disabled or not.
    pub(crate) async fn user_by_oidc_subject(
        &self,
        tenant: &TenantId,
        subject: &str,
    ) -> Result<Option<UserRow>, StoreError> {
        sqlx::query(select_users!("u.tenant_id = $1 AND u.oidc_subject = $2"))
            .bind(tenant.as_str())
            .bind(subject)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| UserRow::read(&row))
            .transpose()
    }

    /// Ties an enabled user who is not yet tied to an issuer and subject, which enrols them; says whether it did.
    pub(crate) async fn set_oidc_subject(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
        subject: &str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let tied = sqlx::query(
            "UPDATE users SET oidc_subject = $1, enrolled_at = coalesce(enrolled_at, $2), updated_at = $2 \
             WHERE tenant_id = $3 AND id = $4 AND enabled = 1 AND oidc_subject IS NULL",
        )
        .bind(subject)
        .bind(millis(now))
        .bind(tenant.as_str())
        .bind(user.as_str())
        .execute(connection)
        .await?;
        Ok(tied.rows_affected() > 0)
    }

    /// A tenant by its name.
    pub(crate) async fn tenant_by_name(&self, name: &str) -> Result<Option<TenantRow>, StoreError> {
        Ok(self.tenants().await?.into_iter().find(|tenant| tenant.name == name))
    }
}
