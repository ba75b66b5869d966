//! Devices: one address of record each, each of one user.

use super::columns::Columns;
use super::{Store, StoreError};
use crate::ids::{DeviceName, TenantId, UserId};
use crate::store::Row;

/// One row of `devices`.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    pub(crate) user: UserId,
    pub(crate) name: DeviceName,
    pub(crate) kind: String,
    pub(crate) realm: String,
    /// Digest HA1 with MD5, in hex.
    pub(crate) ha1_md5: String,
    /// Digest HA1 with SHA-256, in hex.
    pub(crate) ha1_sha256: String,
}

impl DeviceRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            user: UserId::new(row.text("user_id")?),
            name: DeviceName::new(row.text("name")?),
            kind: row.text("kind")?,
            realm: row.text("realm")?,
            ha1_md5: row.text("ha1_md5")?,
            ha1_sha256: row.text("ha1_sha256")?,
        })
    }

    /// The label a host reads: `Desk phone 103a` (A48).
    pub(crate) fn label(&self) -> String {
        let mut kind = self.kind.chars();
        let first = kind.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
        format!("{first}{} {}", kind.as_str(), self.name)
    }
}

impl Store {
    /// The devices of a tenant, by name.
    pub(crate) async fn devices(&self, tenant: &TenantId) -> Result<Vec<DeviceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM devices WHERE tenant_id = $1 ORDER BY name")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(DeviceRow::read).collect()
    }

    /// The devices of one user, by name.
    pub(crate) async fn devices_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM devices WHERE tenant_id = $1 AND user_id = $2 ORDER BY name")
            .bind(tenant.as_str())
            .bind(user.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(DeviceRow::read).collect()
    }
}
