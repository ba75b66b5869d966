//! Trunks. Their passwords are not here: they stay in the configuration.

use super::columns::Columns;
use super::{Store, StoreError};
use crate::ids::TenantId;
use crate::store::Row;

/// One row of `trunks`.
#[derive(Clone, Debug)]
pub(crate) struct TrunkRow {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) host: String,
    /// Address and port of the carrier.
    pub(crate) peer: String,
    /// Networks its calls may come from.
    pub(crate) sources: Vec<String>,
    pub(crate) auth_user: Option<String>,
    pub(crate) auth_realm: Option<String>,
    pub(crate) register: bool,
}

impl TrunkRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: u64::try_from(row.integer("id")?).unwrap_or(0),
            name: row.text("name")?,
            host: row.text("host")?,
            peer: row.text("peer")?,
            sources: row.text("sources")?.split_whitespace().map(str::to_owned).collect(),
            auth_user: row.optional_text("auth_user")?,
            auth_realm: row.optional_text("auth_realm")?,
            register: row.flag("register")?,
        })
    }
}

impl Store {
    /// The trunks of a tenant, in the order they are tried.
    pub(crate) async fn trunks(&self, tenant: &TenantId) -> Result<Vec<TrunkRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM trunks WHERE tenant_id = $1 ORDER BY id")
            .bind(tenant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(TrunkRow::read).collect()
    }
}
