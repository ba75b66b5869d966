//! Devices: one address of record each, each of one user.

use super::columns::{Columns, millis};
use super::search::beginning;
use super::{Connection, Store, StoreError};
use crate::ids::{DeviceName, TenantId, UserId};
use crate::store::Row;
use crate::vocabulary::UnixMillis;
use std::collections::BTreeSet;

/// One row of `devices`.
#[derive(Clone, Debug)]
pub(crate) struct DeviceRow {
    pub(crate) id: String,
    pub(crate) user: UserId,
    pub(crate) name: DeviceName,
    pub(crate) kind: String,
    pub(crate) realm: String,
    /// Digest HA1 with MD5, in hex.
    pub(crate) ha1_md5: String,
    /// Digest HA1 with SHA-256, in hex.
    pub(crate) ha1_sha256: String,
    /// What its owner calls it.
    pub(crate) own_label: Option<String>,
    /// `udp`, `tcp`, `tls`, `wss`.
    pub(crate) transport: String,
    /// `off`, `optional`, `required`.
    pub(crate) srtp: String,
    /// Names of its codecs, the best liked first; none for those of the house.
    pub(crate) codecs: Vec<String>,
    /// Whether its voice is brought to one loudness; none: as the configuration says.
    pub(crate) even_loudness: Option<bool>,
    /// Whether noise is taken out of its voice.
    pub(crate) suppress_noise: bool,
    /// The beginning of the user agents that may register.
    pub(crate) ua_filter: Option<String>,
}

impl DeviceRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: row.text("id")?,
            own_label: row.optional_text("label")?,
            transport: row.text("transport")?,
            srtp: row.text("srtp")?,
            codecs: row
                .text("codecs")?
                .split(' ')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            even_loudness: row.optional_integer("even_loudness")?.map(|value| value != 0),
            suppress_noise: row.flag("suppress_noise")?,
            ua_filter: row.optional_text("ua_filter")?,
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
        if let Some(label) = &self.own_label {
            return format!("{label} ({})", self.name);
        }
        let mut kind = self.kind.chars();
        let first = kind.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
        format!("{first}{} {}", kind.as_str(), self.name)
    }
}

impl Store {
    /// Some devices of a tenant, by name, those after `last`.
    pub(crate) async fn devices_after(
        &self,
        tenant: &TenantId,
        last: &str,
        limit: i64,
    ) -> Result<Vec<DeviceRow>, StoreError> {
        let page = "SELECT * FROM devices WHERE tenant_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let rows =
            sqlx::query(page).bind(tenant.as_str()).bind(last).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(DeviceRow::read).collect()
    }

    /// The names in use that begin with `base`.
    pub(crate) async fn device_names(
        &self,
        tenant: &TenantId,
        base: &str,
    ) -> Result<BTreeSet<String>, StoreError> {
        let rows = sqlx::query("SELECT name FROM devices WHERE tenant_id = $1 AND name LIKE $2 ESCAPE '!'")
            .bind(tenant.as_str())
            .bind(beginning(base))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Columns(row).text("name")).collect()
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

impl Store {
    /// A device by its id or its name.
    pub(crate) async fn device(&self, tenant: &TenantId, id: &str) -> Result<Option<DeviceRow>, StoreError> {
        sqlx::query("SELECT * FROM devices WHERE tenant_id = $1 AND (id = $2 OR name = $2)")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| DeviceRow::read(&row))
            .transpose()
    }

    pub(crate) async fn insert_device(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &DeviceRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO devices (id, tenant_id, user_id, name, kind, realm, ha1_md5, ha1_sha256, label, transport, \
             srtp, ua_filter, codecs, created_at, updated_at, even_loudness, suppress_noise) VALUES ($1, $2, $3, $4, $5, \
             $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)",
        )
        .bind(&row.id)
        .bind(tenant.as_str())
        .bind(row.user.as_str())
        .bind(row.name.as_str())
        .bind(&row.kind)
        .bind(&row.realm)
        .bind(&row.ha1_md5)
        .bind(&row.ha1_sha256)
        .bind(row.own_label.as_deref())
        .bind(&row.transport)
        .bind(&row.srtp)
        .bind(row.ua_filter.as_deref())
        .bind(row.codecs.join(" "))
        .bind(millis(now))
        .bind(row.even_loudness.map(i64::from))
        .bind(i64::from(row.suppress_noise))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn update_device(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &DeviceRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE devices SET kind = $3, ha1_md5 = $4, ha1_sha256 = $5, label = $6, transport = $7, srtp = $8, \
             ua_filter = $9, codecs = $10, updated_at = $11, even_loudness = $12, suppress_noise = $13 WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(&row.id)
        .bind(&row.kind)
        .bind(&row.ha1_md5)
        .bind(&row.ha1_sha256)
        .bind(row.own_label.as_deref())
        .bind(&row.transport)
        .bind(&row.srtp)
        .bind(row.ua_filter.as_deref())
        .bind(row.codecs.join(" "))
        .bind(millis(now))
        .bind(row.even_loudness.map(i64::from))
        .bind(i64::from(row.suppress_noise))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn delete_device(
        connection: &mut Connection,
        tenant: &TenantId,
        row: &DeviceRow,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM registrations WHERE aor = $1")
            .bind(row.aor().to_string())
            .execute(&mut *connection)
            .await?;
        sqlx::query("DELETE FROM devices WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(&row.id)
            .execute(connection)
            .await?;
        Ok(())
    }
}
