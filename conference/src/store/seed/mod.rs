//! Seed data: tenants, users, devices, trunks and meetings written in the configuration.
//!
//! Applying it is idempotent: what is missing is added, what differs is brought to what the file says, and what
//! the file does not mention is left alone. It is all or nothing: one transaction.

mod apply;
mod check;

use crate::vocabulary::trunk::TrunkSettings;
use crate::vocabulary::{MeetingKind, Role, TenantRole};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The `[seed]` section of a configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// `[[seed.tenant]]`
    #[serde(default, rename = "tenant")]
    pub tenants: Vec<TenantSeed>,
}

/// `[[seed.tenant]]`: an organisation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSeed {
    /// Its name, unique.
    pub name: String,
    /// Its SIP domain, which is also the realm of its devices' digests; unique.
    pub domain: String,
    /// The domain of addresses of the form number@domain.
    pub phone_address_domain: Option<String>,
    /// ISO 3166 code of the country national numbers belong to.
    #[serde(default = "united_states")]
    pub country: String,
    /// The area code of seven-digit numbers, where a user has none of their own.
    pub area_code: Option<String>,
    /// The numbers people dial to come into a meeting, in E.164.
    #[serde(default)]
    pub dial_in: Vec<String>,
    /// `[[seed.tenant.user]]`
    #[serde(default, rename = "user")]
    pub users: Vec<UserSeed>,
    /// `[[seed.tenant.trunk]]`
    #[serde(default, rename = "trunk")]
    pub trunks: Vec<TrunkSeed>,
    /// `[[seed.tenant.meeting]]`
    #[serde(default, rename = "meeting")]
    pub meetings: Vec<MeetingSeed>,
    /// `[seed.tenant.meeting_range]`
    pub meeting_range: Option<MeetingRangeSeed>,
}

/// `[[seed.tenant.user]]`: somebody who can log in.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSeed {
    /// What is typed at login; unique over all tenants.
    pub login: String,
    /// The password in clear; only its argon2 hash is stored.
    pub password: String,
    /// First name.
    pub first: String,
    /// Last name.
    #[serde(default)]
    pub last: String,
    /// Extension, digits, unique in the tenant.
    pub extension: Option<String>,
    /// Where invitations go.
    pub mail: Option<String>,
    /// Rights in the tenant.
    #[serde(default = "plain_user")]
    pub role: TenantRole,
    /// The number the user's calls show, in E.164. It becomes one of the tenant's numbers and reaches the user.
    pub caller_id: Option<String>,
    /// The user's own outside numbers, in E.164.
    #[serde(default)]
    pub phones: Vec<String>,
    /// The area code of seven-digit numbers this user types.
    pub area_code: Option<String>,
    /// `[[seed.tenant.user.device]]`
    #[serde(default, rename = "device")]
    pub devices: Vec<DeviceSeed>,
}

/// `[[seed.tenant.user.device]]`: a phone that may register.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSeed {
    /// The user part of its address of record, unique in the tenant.
    pub name: String,
    /// What it is, in small letters: `desk phone`, `softphone`.
    #[serde(default = "desk_phone")]
    pub kind: String,
    /// Its digest secret; only the HA1 values are stored.
    pub password: String,
}

/// `[[seed.tenant.trunk]]`: a carrier. Its password is never stored; it is read from here at every start.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkSeed {
    /// Unique in the tenant.
    pub name: String,
    /// The domain in the URIs sent to it.
    pub host: String,
    /// Where it listens: address and port.
    pub peer: String,
    /// Networks its own calls come from; the peer's address when empty.
    #[serde(default)]
    pub sources: Vec<String>,
    /// User of its digest.
    pub user: Option<String>,
    /// Realm of its digest; any when missing.
    pub realm: Option<String>,
    /// Password of its digest.
    pub password: Option<String>,
    /// Whether to register there.
    #[serde(default)]
    pub register: bool,
    /// Everything else that can be set of a trunk, by the names of the API: `transport`, `priority`, `max_out` ...
    #[serde(default)]
    pub settings: TrunkSettings,
}

/// `[[seed.tenant.meeting]]`: a meeting room that is always there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeetingSeed {
    /// Its identifier in the API.
    pub id: String,
    /// Its number, digits: what is keyed in and dialled.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its type.
    #[serde(default)]
    pub kind: MeetingKind,
    /// Login of the owner, a user of the same tenant.
    pub owner: Option<String>,
    /// A second user part of its SIP address.
    pub alias: Option<String>,
    /// The role of those who dial it directly.
    #[serde(default = "attendee")]
    pub role: Role,
}

/// `[seed.tenant.meeting_range]`: many rooms with consecutive numbers, for benches.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeetingRangeSeed {
    /// The first number.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// Alias of the n-th room, `{n}` counting from 1.
    pub alias: Option<String>,
    /// Type of all of them.
    #[serde(default)]
    pub kind: MeetingKind,
    /// The role of those who dial them directly.
    #[serde(default = "attendee")]
    pub role: Role,
}

fn united_states() -> String {
    "US".to_owned()
}

fn plain_user() -> TenantRole {
    TenantRole::User
}

fn desk_phone() -> String {
    "desk phone".to_owned()
}

fn attendee() -> Role {
    Role::Attendee
}

/// The seed data contradicts itself or the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {detail}: {mend}")]
pub struct SeedError {
    /// Which field of which entry: `seed.tenant "acme", user "hana", extension`.
    pub at: String,
    /// What is wrong with it.
    pub detail: String,
    /// What to write instead.
    pub mend: String,
}

/// Passwords of trunks by tenant domain and trunk name. They live in the configuration and in memory only.
#[derive(Clone, Default)]
pub struct TrunkPasswords(BTreeMap<(String, String), String>);

impl TrunkPasswords {
    pub(crate) fn get(&self, domain: &str, trunk: &str) -> Option<&str> {
        self.0.get(&(domain.to_owned(), trunk.to_owned())).map(String::as_str)
    }
}

impl std::fmt::Debug for TrunkPasswords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrunkPasswords({} hidden)", self.0.len())
    }
}

impl Seed {
    /// The trunk passwords of this seed, for `Services::new`.
    pub fn trunk_passwords(&self) -> TrunkPasswords {
        let mut passwords = BTreeMap::new();
        for tenant in &self.tenants {
            for trunk in &tenant.trunks {
                if let Some(password) = &trunk.password {
                    passwords.insert((tenant.domain.clone(), trunk.name.clone()), password.clone());
                }
            }
        }
        TrunkPasswords(passwords)
    }
}

/// Debug output without the secrets.
macro_rules! debug_by_name {
    ($type:ty, $field:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($type), self.$field)
            }
        }
    };
}
debug_by_name!(UserSeed, login);
debug_by_name!(DeviceSeed, name);
debug_by_name!(TrunkSeed, name);

#[cfg(test)]
mod tests;
