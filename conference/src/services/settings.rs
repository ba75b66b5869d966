//! What a tenant has set, kept as JSON in its row: each subject has one section, every field has a default.

use super::phones::PhoneSettings;
use super::retention::RecordSettings;
use super::{ServiceError, Services};
use crate::ids::TenantId;
use serde::{Deserialize, Serialize};

/// The settings of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// What callers and people called hear.
    pub phones: PhoneSettings,
    /// How long records are kept.
    pub records: RecordSettings,
    /// Meetings.
    pub meetings: MeetingDefaults,
}

/// What holds for a tenant's meetings unless the meeting says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeetingDefaults {
    /// The IANA name of the time zone of meetings that name none.
    pub time_zone: String,
}

impl Default for MeetingDefaults {
    fn default() -> Self {
        Self { time_zone: "UTC".to_owned() }
    }
}

impl Services {
    /// The settings of a tenant. What cannot be read counts as not set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tenant_settings(&self, tenant: &TenantId) -> Result<TenantSettings, ServiceError> {
        let text = self.store.tenant_settings(tenant).await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
