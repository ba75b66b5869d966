//! Answers already given, by idempotency key (D39).

use super::columns::millis;
use super::{Connection, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;
use sqlx::Row as _;

/// What an earlier request with the same key asked and was told.
pub(crate) struct StoredAnswer {
    pub(crate) request_hash: String,
    pub(crate) response: String,
}

impl Store {
    /// Looks a key up inside the transaction that would otherwise store it, so that of two equal requests
    /// arriving together the second one sees the first one's answer.
    pub(crate) async fn stored_answer(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
        key: &str,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let row = sqlx::query(
            "SELECT request_hash, response FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2 AND key = $3",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(key)
        .fetch_optional(connection)
        .await?;
        row.map(|row| Ok(StoredAnswer { request_hash: row.try_get(0)?, response: row.try_get(1)? }))
            .transpose()
    }

    pub(crate) async fn insert_answer(
        connection: &mut Connection,
        (tenant, user, key): (&TenantId, &UserId, &str),
        answer: &StoredAnswer,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO idempotency_keys (tenant_id, user_id, key, request_hash, response, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(key)
        .bind(&answer.request_hash)
        .bind(&answer.response)
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Replaces the stored answer once the running meeting has spoken.
    pub(crate) async fn update_answer(
        &self,
        (tenant, user, key): (&TenantId, &UserId, &str),
        response: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE idempotency_keys SET response = $1 WHERE tenant_id = $2 AND user_id = $3 AND key = $4",
        )
        .bind(response)
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(key)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
