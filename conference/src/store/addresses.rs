//! The addresses of users: where invitations go, and their own phones.

use super::columns::{Columns, millis};
use super::{Connection, Row, Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::vocabulary::UnixMillis;

const ADDRESSES: &str =
    "SELECT * FROM user_addresses WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id";

/// One row of `user_addresses`.
#[derive(Clone, Debug)]
pub(crate) struct AddressRow {
    /// `mail` or `phone`.
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) is_invitation_address: bool,
}

impl AddressRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            kind: row.text("kind")?,
            value: row.text("value")?,
            is_invitation_address: row.flag("is_invitation_address")?,
        })
    }
}

impl Store {
    /// The addresses of a user, oldest first.
    pub(crate) async fn addresses_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<AddressRow>, StoreError> {
        let rows =
            sqlx::query(ADDRESSES).bind(tenant.as_str()).bind(user.as_str()).fetch_all(&self.pool).await?;
        rows.iter().map(AddressRow::read).collect()
    }

    /// The same within a transaction.
    async fn addresses(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<AddressRow>, StoreError> {
        let rows =
            sqlx::query(ADDRESSES).bind(tenant.as_str()).bind(user.as_str()).fetch_all(connection).await?;
        rows.iter().map(AddressRow::read).collect()
    }

    /// Where an invitation of this user goes now: the marked address, else the first one (I20).
    pub(crate) async fn invitation_address(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Option<String>, StoreError> {
        let addresses = Self::addresses(connection, tenant, user).await?;
        let mut mails = addresses.into_iter().filter(|row| row.kind == "mail");
        let first = mails.next();
        let marked = first.iter().find(|row| row.is_invitation_address).cloned();
        let chosen = marked.or_else(|| mails.find(|row| row.is_invitation_address)).or(first);
        Ok(chosen.map(|row| row.value))
    }

    /// The name of a user, disabled ones too.
    pub(crate) async fn display_name(
        connection: &mut Connection,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT display_name FROM users WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .fetch_optional(connection)
            .await?;
        row.map(|row| Columns(&row).text("display_name")).transpose()
    }

    /// Adds an address.
    pub(crate) async fn insert_address(
        connection: &mut Connection,
        (tenant, user): (&TenantId, &UserId),
        id: &str,
        (kind, value): (&str, &str),
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO user_addresses (id, tenant_id, user_id, kind, value, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(id)
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(kind)
        .bind(value)
        .bind(millis(now))
        .execute(&mut *connection)
        .await?;
        Self::fold_user(connection, user).await
    }

    /// Removes an address.
    pub(crate) async fn delete_address(
        connection: &mut Connection,
        (tenant, user): (&TenantId, &UserId),
        (kind, value): (&str, &str),
    ) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM user_addresses WHERE tenant_id = $1 AND user_id = $2 AND kind = $3 AND value = $4",
        )
        .bind(tenant.as_str())
        .bind(user.as_str())
        .bind(kind)
        .bind(value)
        .execute(&mut *connection)
        .await?;
        Self::fold_user(connection, user).await
    }

    /// Marks one of the user's mail addresses as the one invitations go to.
    pub(crate) async fn mark_invitation_address(
        connection: &mut Connection,
        (tenant, user): (&TenantId, &UserId),
        address: &str,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE user_addresses SET is_invitation_address = CASE WHEN value = $1 THEN 1 ELSE 0 END, updated_at = $2 \
             WHERE tenant_id = $3 AND user_id = $4 AND kind = 'mail'",
        )
        .bind(address)
        .bind(millis(now))
        .bind(tenant.as_str())
        .bind(user.as_str())
        .execute(connection)
        .await?;
        Ok(())
    }
}
