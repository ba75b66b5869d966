//! What callers and people called hear, as the tenant has set it, and the numbers they may dial.

use super::Services;
use super::error::ServiceError;
use super::provision::Provision;
use crate::ids::TenantId;
use crate::live::call::Gate;
use crate::live::speech::Language;
use crate::store::TenantRow;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Section `phones` of the tenant's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhoneSettings {
    /// The language callers are spoken to in first: `en` or `fr`.
    pub language: String,
    /// How long somebody called may take to press 1, in seconds: 5 to 120.
    pub gate_seconds: u16,
    /// Whether outside numbers must press 1.
    pub confirm_numbers: bool,
    /// Whether registered devices must press 1 too.
    pub confirm_devices: bool,
}

impl Default for PhoneSettings {
    fn default() -> Self {
        Self { language: "en".to_owned(), gate_seconds: 30, confirm_numbers: true, confirm_devices: false }
    }
}

impl PhoneSettings {
    /// The language, English if it is one we do not speak.
    pub fn language(&self) -> Language {
        Language::from_code(&self.language).unwrap_or_default()
    }

    /// The gate of a dial-out.
    pub(super) fn gate(&self) -> Gate {
        let time = Duration::from_secs(u64::from(self.gate_seconds.clamp(5, 120)));
        Gate { time, language: self.language() }
    }

    /// Whether the person called must press 1. A single call may ask for it where the tenant does not, and the other way
    /// round.
    pub(super) fn confirms(&self, is_number: bool, asked: Option<bool>) -> bool {
        asked.unwrap_or(if is_number { self.confirm_numbers } else { self.confirm_devices })
    }
}

impl Services {
    /// Tells the running part which numbers lead to a tenant's meetings, and in which language. Every number of a tenant
    /// does: whoever returns a call dials the number that was shown.
    pub(super) async fn provision_phones(&self, tenant: &TenantRow) -> Result<(), ServiceError> {
        let settings = self.tenant_settings(&tenant.id).await?.phones;
        self.live.provision(Provision::Language(tenant.id.clone(), settings.language())).await;
        for row in self.store.numbers(&tenant.id).await? {
            self.provision_number(&tenant.id, &row.e164).await;
        }
        Ok(())
    }

    /// A number is a tenant's.
    pub(super) async fn provision_number(&self, tenant: &TenantId, e164: &str) {
        let (tenant, number) = (tenant.clone(), e164.to_owned());
        self.live.provision(Provision::DialIn { tenant, number }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i50_the_gate_is_the_tenants_and_a_single_call_may_differ() {
        let settings = PhoneSettings::default();
        assert!(settings.confirms(true, None) && !settings.confirms(false, None));
        assert!(settings.confirms(false, Some(true)) && !settings.confirms(true, Some(false)));
        assert_eq!(settings.gate(), Gate::default());
        let text = r#"{"language":"fr-CA","gate_seconds":600}"#;
        let settings: PhoneSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.gate(), Gate { time: Duration::from_secs(120), language: Language::French });
    }
}
