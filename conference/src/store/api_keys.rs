//! Keys of machines. Only their hashes are known here.

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// One row of `api_keys`.
#[derive(Clone, Debug)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: String,
    pub(crate) tenant: TenantId,
    /// In whose name the machine acts.
    pub(crate) user: UserId,
    pub(crate) name: String,
    /// The words of its scopes, apart by spaces.
    pub(crate) scopes: String,
    /// The first signs of the key, to tell keys apart by.
    pub(crate) hint: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) last_used_at: Option<UnixMillis>,
}

impl ApiKeyRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            tenant: TenantId::new(row.text("tenant_id")?),
            user: UserId::new(row.text("user_id")?),
            name: row.text("name")?,
            scopes: row.text("scopes")?,
            hint: row.text("hint")?,
            created_at: row.time("created_at")?,
            expires_at: row.optional_time("expires_at")?,
            last_used_at: row.optional_time("last_used_at")?,
        })
    }
}

impl Store {
    pub(crate) async fn insert_api_key(
        connection: &mut Connection,
        key: &ApiKeyRow,
        key_hash: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO api_keys (id, tenant_id, user_id, name, scopes, key_hash, hint, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&key.id)
        .bind(key.tenant.as_str())
        .bind(key.user.as_str())
        .bind(&key.name)
        .bind(&key.scopes)
        .bind(key_hash)
        .bind(&key.hint)
        .bind(millis(key.created_at))
        .bind(key.expires_at.map(millis))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The key with this hash, unless it was revoked or has expired.
    pub(crate) async fn api_key_by_hash(
        &self,
        key_hash: &str,
        now: UnixMillis,
    ) -> Result<Option<ApiKeyRow>, StoreError> {
        sqlx::query(
            "SELECT * FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL \
             AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(key_hash)
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?
        .map(|row| ApiKeyRow::read(&row))
        .transpose()
    }

    pub(crate) async fn touch_api_key(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("UPDATE api_keys SET last_used_at = $1 WHERE id = $2")
            .bind(millis(now))
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The keys of a tenant that have not been revoked, newest first; and how many there are.
    pub(crate) async fn api_keys(
        &self,
        tenant: &TenantId,
        (limit, offset): (i64, i64),
    ) -> Result<(Vec<ApiKeyRow>, i64), StoreError> {
        let total = sqlx::query("SELECT count(*) FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL")
            .bind(tenant.as_str())
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        let rows = sqlx::query(
            "SELECT * FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL \
             ORDER BY created_at DESC, id LIMIT $2 OFFSET $3",
        )
        .bind(tenant.as_str())
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?;
        Ok((rows.iter().map(ApiKeyRow::read).collect::<Result<_, _>>()?, total))
    }

    /// Revokes a key; says whether there was one.
    pub(crate) async fn revoke_api_key(
        connection: &mut Connection,
        tenant: &TenantId,
        id: &str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let revoked = sqlx::query(
            "UPDATE api_keys SET revoked_at = $1 WHERE tenant_id = $2 AND id = $3 AND revoked_at IS NULL",
        )
        .bind(millis(now))
        .bind(tenant.as_str())
        .bind(id)
        .execute(connection)
        .await?;
        Ok(revoked.rows_affected() > 0)
    }
}
