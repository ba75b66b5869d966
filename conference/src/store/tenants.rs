//! Tenants.

use super::columns::Columns;
use super::{Connection, Store, StoreError};
use crate::ids::TenantId;
use crate::store::Row;

/// One row of `tenants`.
#[derive(Clone, Debug)]
pub(crate) struct TenantRow {
    pub(crate) id: TenantId,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) phone_address_domain: Option<String>,
    pub(crate) country: String,
    pub(crate) area_code: Option<String>,
}

impl TenantRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let row = Columns(row);
        Ok(Self {
            id: TenantId::new(row.text("id")?),
            name: row.text("name")?,
            domain: row.text("domain")?,
            phone_address_domain: row.optional_text("phone_address_domain")?,
            country: row.text("country")?,
            area_code: row.optional_text("area_code")?,
        })
    }
}

impl Store {
    pub(crate) async fn tenant(&self, id: &TenantId) -> Result<Option<TenantRow>, StoreError> {
        sqlx::query("SELECT * FROM tenants WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| TenantRow::read(&row))
            .transpose()
    }

    /// The same within a transaction.
    pub(crate) async fn tenant_within(
        connection: &mut Connection,
        id: &TenantId,
    ) -> Result<Option<TenantRow>, StoreError> {
        sqlx::query("SELECT * FROM tenants WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?
            .map(|row| TenantRow::read(&row))
            .transpose()
    }

    /// What the tenant has set, as JSON.
    pub(crate) async fn tenant_settings(&self, id: &TenantId) -> Result<String, StoreError> {
        let row = sqlx::query("SELECT settings FROM tenants WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| Columns(&row).text("settings")).transpose()?.unwrap_or_default())
    }

    /// Writes one section of what the tenant has set; the others stay as they are.
    pub(crate) async fn set_tenant_section(
        connection: &mut Connection,
        id: &TenantId,
        section: &str,
        value: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT settings FROM tenants WHERE id = $1")
            .bind(id.as_str())
            .fetch_one(&mut *connection)
            .await?;
        let mut settings: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&Columns(&row).text("settings")?).unwrap_or_default();
        settings.insert(section.to_owned(), value.clone());
        sqlx::query("UPDATE tenants SET settings = $1 WHERE id = $2")
            .bind(serde_json::Value::Object(settings).to_string())
            .bind(id.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Every tenant: for provisioning at start.
    pub(crate) async fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tenants ORDER BY id").fetch_all(&self.pool).await?;
        rows.iter().map(TenantRow::read).collect()
    }
}
