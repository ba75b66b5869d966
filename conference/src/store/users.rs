//! Users and their addresses.

use super::columns::Columns;
use super::{Store, StoreError};
use crate::ids::{TenantId, UserId};
use crate::store::Row;
use crate::vocabulary::{TenantRole, UnixMillis};

/// One row of `users` with the addresses a resolver needs.
#[derive(Clone, Debug)]
pub(crate) struct UserRow {
    pub(crate) id: UserId,
    pub(crate) tenant: TenantId,
    pub(crate) login: String,
    pub(crate) password_hash: String,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) display_name: String,
    pub(crate) extension: Option<String>,
    pub(crate) area_code: Option<String>,
    pub(crate) tenant_role: TenantRole,
    pub(crate) enabled: bool,
    /// When the user chose a password; until then nobody can log in as them (I83).
    pub(crate) enrolled_at: Option<UnixMillis>,
    /// The tenant's own identifier of the user, such as a staff number.
    pub(crate) generic_id: Option<String>,
    /// What is typed at login, where it is not `login`.
    pub(crate) login_name: Option<String>,
    /// Where an invitation goes (A23).
    pub(crate) mail: Option<String>,
    /// E.164 numbers of the user, apart by spaces: their own mobile, not the tenant's.
    pub(crate) phones: Vec<String>,
    /// E.164 numbers of the tenant that reach this user.
    pub(crate) direct_numbers: Vec<String>,
}

/// A user with the addresses gathered; a condition follows.
macro_rules! select_users {
    ($condition:literal) => {
        concat!(
            "SELECT u.*, \
             (SELECT a.value FROM user_addresses a WHERE a.tenant_id = u.tenant_id AND a.user_id = u.id AND a.kind = 'mail' \
              ORDER BY a.is_invitation_address DESC, a.created_at, a.id LIMIT 1) AS mail, \
             (SELECT string_agg(a.value, ' ') FROM user_addresses a \
              WHERE a.tenant_id = u.tenant_id AND a.user_id = u.id AND a.kind = 'phone') AS phones, \
             (SELECT string_agg(n.e164, ' ') FROM numbers n \
              WHERE n.user_id = u.id AND n.tenant_id = u.tenant_id) AS direct_numbers \
             FROM users u WHERE ",
            $condition
        )
    };
}

pub(super) use select_users;

impl UserRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        let list = |column| -> Result<Vec<String>, StoreError> {
            let joined = row.optional_text(column)?.unwrap_or_default();
            Ok(joined.split_whitespace().map(str::to_owned).collect())
        };
        Ok(Self {
            id: UserId::new(row.text("id")?),
            tenant: TenantId::new(row.text("tenant_id")?),
            login: row.text("login")?,
            password_hash: row.text("password_hash")?,
            first: row.text("first")?,
            last: row.text("last")?,
            display_name: row.text("display_name")?,
            extension: row.optional_text("extension")?,
            area_code: row.optional_text("area_code")?,
            tenant_role: row.word("tenant_role")?,
            enabled: row.flag("enabled")?,
            enrolled_at: row.optional_time("enrolled_at")?,
            generic_id: row.optional_text("generic_id")?,
            login_name: row.optional_text("login_name")?,
            mail: row.optional_text("mail")?,
            phones: list("phones")?,
            direct_numbers: list("direct_numbers")?,
        })
    }
}

impl Store {
    pub(crate) async fn user(&self, tenant: &TenantId, id: &UserId) -> Result<Option<UserRow>, StoreError> {
        sqlx::query(select_users!("u.tenant_id = $1 AND u.id = $2 AND u.enabled = 1"))
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| UserRow::read(&row))
            .transpose()
    }

    /// The name of a user, also of a disabled one.
    pub(crate) async fn user_name(
        &self,
        tenant: &TenantId,
        id: &UserId,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT display_name FROM users WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Columns(&row).text("display_name")).transpose()
    }

    /// The area code a user has set for themselves.
    pub(crate) async fn area_code(
        &self,
        tenant: &TenantId,
        id: &UserId,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT area_code FROM users WHERE tenant_id = $1 AND id = $2 AND enabled = 1")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| Columns(&row).optional_text("area_code")).transpose()?.flatten())
    }

    /// The users of a tenant whose account is not in force.
    pub(crate) async fn disabled_users(&self, tenant: &TenantId) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM users WHERE tenant_id = $1 AND enabled = 0 ORDER BY id")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(UserId::new(Columns(row).text("id")?))).collect()
    }
}
