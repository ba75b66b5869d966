//! Trunks. A password written through the API is here, sealed; one written in the configuration stays there.

use super::columns::{Columns, millis};
use super::{Connection, Store, StoreError};
use crate::ids::TenantId;
use crate::store::Row;
use crate::vocabulary::UnixMillis;
use crate::vocabulary::trunk::TrunkSettings;

/// One row of `trunks`.
#[derive(Clone, Debug)]
pub(crate) struct TrunkRow {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) host: String,
    /// Name or address of the carrier, with or without a port.
    pub(crate) peer: String,
    /// Networks its calls may come from.
    pub(crate) sources: Vec<String>,
    pub(crate) auth_user: Option<String>,
    pub(crate) auth_realm: Option<String>,
    pub(crate) register: bool,
    /// Sealed.
    pub(crate) password: Option<String>,
    pub(crate) settings: TrunkSettings,
}

impl TrunkRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        let name = row.text("name")?;
        let settings = serde_json::from_str(&row.text("settings")?).unwrap_or_else(|error| {
            tracing::error!(%error, trunk.name = %name, "the settings of a trunk cannot be read: the defaults count");
            TrunkSettings::default()
        });
        Ok(Self {
            id: u64::try_from(row.integer("id")?).unwrap_or(0),
            name,
            host: row.text("host")?,
            peer: row.text("peer")?,
            sources: row.text("sources")?.split_whitespace().map(str::to_owned).collect(),
            auth_user: row.optional_text("auth_user")?,
            auth_realm: row.optional_text("auth_realm")?,
            register: row.flag("register")?,
            password: row.optional_text("password")?,
            settings,
        })
    }
}

impl Store {
    /// The trunks of a tenant.
    pub(crate) async fn trunks(&self, tenant: &TenantId) -> Result<Vec<TrunkRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM trunks WHERE tenant_id = $1 ORDER BY id")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(TrunkRow::read).collect()
    }

    /// One trunk of a tenant.
    pub(crate) async fn trunk(&self, tenant: &TenantId, id: u64) -> Result<Option<TrunkRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM trunks WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(i64::try_from(id).unwrap_or(i64::MAX))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(TrunkRow::read).transpose()
    }

    /// Adds a trunk; its identifier is chosen here. `None` if the name is taken.
    pub(crate) async fn insert_trunk(
        connection: &mut Connection,
        tenant: &TenantId,
        trunk: &TrunkRow,
        now: UnixMillis,
    ) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query(
            "INSERT INTO trunks (tenant_id, name, host, peer, sources, auth_user, auth_realm, register, password, \
             settings, managed, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11) \
             ON CONFLICT (tenant_id, name) DO NOTHING RETURNING id",
        )
        .bind(tenant.as_str())
        .bind(&trunk.name)
        .bind(&trunk.host)
        .bind(&trunk.peer)
        .bind(trunk.sources.join(" "))
        .bind(trunk.auth_user.as_deref())
        .bind(trunk.auth_realm.as_deref())
        .bind(i64::from(trunk.register))
        .bind(trunk.password.as_deref())
        .bind(json(&trunk.settings))
        .bind(millis(now))
        .fetch_optional(connection)
        .await?;
        row.map(|row| Columns(&row).integer("id").map(|id| u64::try_from(id).unwrap_or(0))).transpose()
    }

    /// Writes a trunk; from now on the configuration leaves it alone.
    pub(crate) async fn update_trunk(
        connection: &mut Connection,
        tenant: &TenantId,
        trunk: &TrunkRow,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE trunks SET host = $3, peer = $4, sources = $5, auth_user = $6, auth_realm = $7, register = $8, \
             password = $9, settings = $10, managed = 1, updated_at = $11 WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(i64::try_from(trunk.id).unwrap_or(i64::MAX))
        .bind(&trunk.host)
        .bind(&trunk.peer)
        .bind(trunk.sources.join(" "))
        .bind(trunk.auth_user.as_deref())
        .bind(trunk.auth_realm.as_deref())
        .bind(i64::from(trunk.register))
        .bind(trunk.password.as_deref())
        .bind(json(&trunk.settings))
        .bind(millis(now))
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn delete_trunk(
        connection: &mut Connection,
        tenant: &TenantId,
        id: u64,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM trunks WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(i64::try_from(id).unwrap_or(i64::MAX))
            .execute(connection)
            .await?;
        Ok(())
    }
}

fn json(settings: &TrunkSettings) -> String {
    serde_json::to_string(settings).unwrap_or_else(|_| "{}".to_owned())
}
