//! Trunks at run time: added, changed and removed while calls go on, by the Tenant Admin alone.

use super::actor::{Actor, UserActor};
use super::error::{ErrorKind, ServiceError};
use super::provision::Provision;
use super::{Services, input};
use crate::ids::TenantId;
use crate::store::{Store, StoreError, TrunkRow};
use crate::vocabulary::TenantRole;
use crate::vocabulary::trunk::{
    TrunkDiversion, TrunkFromFormat, TrunkNumberFormat, TrunkPaiFormat, TrunkSettings, TrunkSrtp,
    TrunkTransport,
};
use serde::{Deserialize, Serialize};
use sip_core::message::Host;
use sip_core::ua::{IpNetwork, Peer, TrunkId};
use std::time::Duration;

/// Most trunks of a tenant, and most networks of a trunk.
const TRUNKS_MAX: usize = 100;
const SOURCES_MAX: usize = 64;
/// Bounds on what is typed.
const WORD_MAX: usize = 255;
const LIMIT_MAX: u32 = 100_000;
const PER_SECOND_MAX: u32 = 1_000;
/// The codecs a trunk or device may be offered.
pub(super) const CODECS: [&str; 4] = ["opus", "g722", "pcmu", "pcma"];
/// How long a probe asked for by hand is waited for, and how often it is looked at.
const PROBE_WAIT: Duration = Duration::from_secs(3);
const PROBE_LOOK: Duration = Duration::from_millis(50);

/// A trunk, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrunkView {
    /// Its identifier.
    pub id: u64,
    /// Its name, unique in the tenant.
    pub name: String,
    /// The domain in the URIs sent to it.
    pub host: String,
    /// Where it is: a name or an address, with or without a port.
    pub peer: String,
    /// Networks its own calls come from, beside the peer.
    pub sources: Vec<String>,
    /// User of its digest.
    pub user: Option<String>,
    /// Realm of its digest; any if missing.
    pub realm: Option<String>,
    /// Whether there is a password. It is never shown.
    pub has_password: bool,
    /// Whether we register there.
    pub register: bool,
    /// By which transport it is reached.
    pub transport: TrunkTransport,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among trunks of one priority, the share of the calls.
    pub weight: u16,
    /// Calls from it at once; 0 is no limit.
    pub max_in: u32,
    /// Calls to it at once; 0 is no limit.
    pub max_out: u32,
    /// Calls in both directions at once; 0 is no limit.
    pub max_total: u32,
    /// Calls a second to it; 0 is no limit.
    pub calls_per_second: u32,
    /// How it wants numbers.
    pub number_format: TrunkNumberFormat,
    /// How it is told who calls.
    pub pai_format: TrunkPaiFormat,
    /// What stands in From.
    pub from_format: TrunkFromFormat,
    /// How it is told who has sent a call on.
    pub diversion: TrunkDiversion,
    /// Whether its sound is encrypted.
    pub srtp: TrunkSrtp,
    /// Codecs offered, the best liked first; empty is all there are.
    pub codecs: Vec<String>,
    /// Whether its callers are brought to one loudness; none: as the configuration says.
    pub even_loudness: Option<bool>,
    /// Whether noise is taken out of its callers' voices.
    pub suppress_noise: bool,
    /// Whether it is asked by OPTIONS if it is there.
    pub probe: bool,
    /// Whether calls go to it and come from it.
    pub enabled: bool,
}

/// What is to be set of a trunk. A new one needs `name` and `peer`; what is left out of a change stays.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TrunkChange {
    /// Its name; cannot be changed.
    pub name: Option<String>,
    /// The domain in the URIs sent to it; the peer's host if left out.
    pub host: Option<String>,
    /// Where it is: `sip.example.com`, `192.0.2.1:5060`.
    pub peer: Option<String>,
    /// Networks its own calls come from, e.g. `192.0.2.0/24`.
    pub sources: Option<Vec<String>>,
    /// User of its digest; an empty text takes the account away.
    pub user: Option<String>,
    /// Realm of its digest; an empty text is any.
    pub realm: Option<String>,
    /// Password of its digest.
    pub password: Option<String>,
    /// Whether to register there.
    pub register: Option<bool>,
    /// By which transport it is reached.
    pub transport: Option<TrunkTransport>,
    /// Lower ones are tried first; 10 if left out.
    pub priority: Option<u16>,
    /// Among trunks of one priority, the share of the calls; 10 if left out.
    pub weight: Option<u16>,
    /// Calls from it at once; 0 is no limit.
    pub max_in: Option<u32>,
    /// Calls to it at once; 0 is no limit.
    pub max_out: Option<u32>,
    /// Calls in both directions at once; 0 is no limit.
    pub max_total: Option<u32>,
    /// Calls a second to it; 0 is no limit.
    pub calls_per_second: Option<u32>,
    /// How it wants numbers.
    pub number_format: Option<TrunkNumberFormat>,
    /// How it is told who calls.
    pub pai_format: Option<TrunkPaiFormat>,
    /// What stands in From.
    pub from_format: Option<TrunkFromFormat>,
    /// How it is told who has sent a call on.
    pub diversion: Option<TrunkDiversion>,
    /// Whether its sound is encrypted.
    pub srtp: Option<TrunkSrtp>,
    /// Codecs offered: `opus`, `g722`, `pcmu`, `pcma`.
    pub codecs: Option<Vec<String>>,
    /// Whether its callers are brought to one loudness, whatever the configuration says.
    pub even_loudness: Option<bool>,
    /// Whether noise is taken out of its callers' voices.
    pub suppress_noise: Option<bool>,
    /// Whether it is asked by OPTIONS if it is there.
    pub probe: Option<bool>,
    /// Whether calls go to it and come from it.
    pub enabled: Option<bool>,
}

impl std::fmt::Debug for TrunkChange {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrunkChange")
            .field("name", &self.name)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// How a trunk is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrunkState {
    /// `up`, `down` or `unknown` (neither probed nor registered yet).
    pub state: TrunkHealth,
    /// Whether it has accepted our registration; nothing if it wants none.
    pub registered: Option<bool>,
    /// Whether it answers OPTIONS; nothing before there is a finding.
    pub answering: Option<bool>,
    /// Its last answer to OPTIONS.
    pub last_answer: Option<TrunkAnswer>,
    /// Calls from it.
    pub calls_in: u32,
    /// Calls to it, those that wait for their turn included.
    pub calls_out: u32,
    /// Where it was found last, e.g. `tls 192.0.2.1:5061`, in the order in which it is tried.
    pub addresses: Vec<String>,
    /// It has asked for no calls for so many seconds more (Retry-After).
    pub retry_after_s: Option<u64>,
}

/// Whether calls go to a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrunkHealth {
    /// It answers.
    Up,
    /// It does not; calls go elsewhere.
    Down,
    /// Nothing is known yet.
    Unknown,
}

/// An answer to OPTIONS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrunkAnswer {
    /// Its status code.
    pub status: u16,
    /// How long it took.
    pub latency_ms: u64,
    /// How long ago it came.
    pub age_ms: u64,
}

impl Services {
    /// The tenant's trunks, in the order in which they were added.
    ///
    /// # Errors
    /// Forbidden for all but the Tenant Admin.
    pub async fn trunks(&self, actor: &Actor) -> Result<Vec<TrunkView>, ServiceError> {
        let admin = admin(actor)?;
        let rows = self.store.trunks(&admin.tenant).await?;
        let domain = self.domain_of(&admin.tenant).await?;
        Ok(rows.iter().map(|row| self.trunk_view(&domain, row)).collect())
    }

    /// One trunk.
    ///
    /// # Errors
    /// As [`Self::trunks`]; not found for another tenant's.
    pub async fn trunk_by_id(&self, actor: &Actor, id: u64) -> Result<TrunkView, ServiceError> {
        let admin = admin(actor)?;
        let row = self.trunk_row(&admin.tenant, id).await?;
        let domain = self.domain_of(&admin.tenant).await?;
        Ok(self.trunk_view(&domain, &row))
    }

    /// Adds a trunk; it is used from the next call on.
    ///
    /// # Errors
    /// As [`Self::trunks`]; invalid with the field at fault; conflict for a name that is taken.
    pub async fn add_trunk(&self, actor: &Actor, change: TrunkChange) -> Result<TrunkView, ServiceError> {
        let admin = admin(actor)?;
        let rows = self.store.trunks(&admin.tenant).await?;
        input::length("trunks", rows.len() + 1, TRUNKS_MAX)?;
        let missing = |field: &str| ServiceError::invalid(field, "This is missing").mend("Send this field");
        let name = input::name("name", change.name.as_deref().ok_or_else(|| missing("name"))?)?;
        let peer = peer_of(change.peer.as_deref().ok_or_else(|| missing("peer"))?)?;
        let mut row = TrunkRow {
            id: 0,
            name,
            host: peer.host.to_string(),
            peer: peer.to_string(),
            sources: Vec::new(),
            auth_user: None,
            auth_realm: None,
            register: false,
            password: None,
            settings: TrunkSettings::default(),
        };
        self.apply(&mut row, &change, false)?;
        let mut transaction = self.store.begin().await?;
        let inserted = Store::insert_trunk(&mut transaction, &admin.tenant, &row, self.now()).await?;
        row.id = inserted.ok_or_else(|| {
            ServiceError {
                field: Some("name".to_owned()),
                ..ServiceError::new(ErrorKind::Conflict, "There is a trunk of this name")
            }
            .mend("Choose another name")
        })?;
        let domain = self.domain_of(&admin.tenant).await?;
        let view = self.trunk_view(&domain, &row);
        self.audit_trunk(&mut transaction, admin, "trunk.created", (None, Some(&view))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.provision_trunk(&admin.tenant, &row).await?;
        Ok(view)
    }

    /// Changes a trunk. Running calls go on; the next one goes by the new settings.
    ///
    /// # Errors
    /// As [`Self::add_trunk`].
    pub async fn change_trunk(
        &self,
        actor: &Actor,
        id: u64,
        change: TrunkChange,
    ) -> Result<TrunkView, ServiceError> {
        let admin = admin(actor)?;
        let domain = self.domain_of(&admin.tenant).await?;
        let mut transaction = self.store.begin().await?;
        let mut row = self.trunk_row(&admin.tenant, id).await?;
        let before = self.trunk_view(&domain, &row);
        if change.name.as_ref().is_some_and(|name| *name != row.name) {
            return Err(ServiceError::invalid("name", "The name of a trunk cannot be changed")
                .mend("Add a new trunk and remove this one"));
        }
        self.apply(&mut row, &change, before.has_password)?;
        Store::update_trunk(&mut transaction, &admin.tenant, &row, self.now()).await?;
        let after = self.trunk_view(&domain, &row);
        self.audit_trunk(&mut transaction, admin, "trunk.changed", (Some(&before), Some(&after))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.provision_trunk(&admin.tenant, &row).await?;
        Ok(after)
    }

    /// Removes a trunk. Running calls go on.
    ///
    /// # Errors
    /// As [`Self::trunk_by_id`].
    pub async fn remove_trunk(&self, actor: &Actor, id: u64) -> Result<(), ServiceError> {
        let admin = admin(actor)?;
        let domain = self.domain_of(&admin.tenant).await?;
        let mut transaction = self.store.begin().await?;
        let row = self.trunk_row(&admin.tenant, id).await?;
        let before = self.trunk_view(&domain, &row);
        Store::delete_trunk(&mut transaction, &admin.tenant, id).await?;
        self.audit_trunk(&mut transaction, admin, "trunk.deleted", (Some(&before), None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::TrunkGone(TrunkId(id))).await;
        Ok(())
    }

    /// How a trunk is at this moment.
    ///
    /// # Errors
    /// As [`Self::trunk_by_id`]; conflict for one that is not enabled.
    pub async fn trunk_status(&self, actor: &Actor, id: u64) -> Result<TrunkState, ServiceError> {
        let admin = admin(actor)?;
        let row = self.trunk_row(&admin.tenant, id).await?;
        self.live.trunk_state(TrunkId(row.id)).await.ok_or_else(|| not_enabled(&row))
    }

    /// Asks a trunk by OPTIONS now, and tells how it answered.
    ///
    /// # Errors
    /// As [`Self::trunk_status`].
    pub async fn probe_trunk(&self, actor: &Actor, id: u64) -> Result<TrunkState, ServiceError> {
        let before = self.trunk_status(actor, id).await?;
        self.live.provision(Provision::ProbeTrunk(TrunkId(id))).await;
        let mut waited = Duration::ZERO;
        loop {
            let state = self.trunk_status(actor, id).await?;
            let age = |state: &TrunkState| state.last_answer.map(|answer| answer.age_ms);
            let news = match (age(&before), age(&state)) {
                (_, None) => false,
                (None, Some(_)) => true,
                // An old answer grows older by what was waited.
                (Some(old), Some(new)) => new < old,
            };
            if news || waited >= PROBE_WAIT {
                return Ok(state);
            }
            tokio::time::sleep(PROBE_LOOK).await;
            waited += PROBE_LOOK;
        }
    }

    async fn trunk_row(&self, tenant: &TenantId, id: u64) -> Result<TrunkRow, ServiceError> {
        self.store.trunk(tenant, id).await?.ok_or_else(|| ServiceError::not_found("trunk"))
    }

    async fn domain_of(&self, tenant: &TenantId) -> Result<String, ServiceError> {
        let tenant = self.store.tenant(tenant).await?;
        Ok(tenant.ok_or_else(|| ServiceError::internal("an admin without tenant"))?.domain)
    }

    async fn provision_trunk(&self, tenant: &TenantId, row: &TrunkRow) -> Result<(), ServiceError> {
        let tenant = self.store.tenant(tenant).await?;
        let tenant = tenant.ok_or_else(|| ServiceError::internal("an admin without tenant"))?;
        let change = self.trunk_provision(&tenant, row)?;
        self.live.provision(change).await;
        Ok(())
    }

    fn trunk_view(&self, domain: &str, row: &TrunkRow) -> TrunkView {
        let TrunkSettings { transport, priority, weight, max_in, max_out, max_total, .. } = row.settings;
        TrunkView {
            id: row.id,
            name: row.name.clone(),
            host: row.host.clone(),
            peer: row.peer.clone(),
            sources: row.sources.clone(),
            user: row.auth_user.clone(),
            realm: row.auth_realm.clone(),
            has_password: row.password.is_some() || self.trunk_passwords.get(domain, &row.name).is_some(),
            register: row.register,
            transport,
            priority,
            weight,
            max_in,
            max_out,
            max_total,
            calls_per_second: row.settings.calls_per_second,
            number_format: row.settings.number_format,
            pai_format: row.settings.pai_format,
            from_format: row.settings.from_format,
            diversion: row.settings.diversion,
            srtp: row.settings.srtp,
            codecs: row.settings.codecs.clone(),
            even_loudness: row.settings.even_loudness,
            suppress_noise: row.settings.suppress_noise,
            probe: row.settings.probe,
            enabled: row.settings.enabled,
        }
    }

    async fn audit_trunk(
        &self,
        connection: &mut crate::store::Connection,
        admin: &UserActor,
        action: &'static str,
        (before, after): (Option<&TrunkView>, Option<&TrunkView>),
    ) -> Result<(), ServiceError> {
        let object = before.or(after).map(|view| view.id.to_string()).unwrap_or_default();
        let shown = |view: Option<&TrunkView>| view.map(|view| serde_json::json!(view));
        self.audit(connection, admin, action, &object, (shown(before), shown(after))).await
    }

    /// Checks what is to be set, and sets it.
    fn apply(
        &self,
        row: &mut TrunkRow,
        change: &TrunkChange,
        had_password: bool,
    ) -> Result<(), ServiceError> {
        if let Some(peer) = &change.peer {
            row.peer = peer_of(peer)?.to_string();
        }
        if let Some(host) = &change.host {
            row.host = host_of(host)?;
        }
        if let Some(sources) = &change.sources {
            input::length("sources", sources.len(), SOURCES_MAX)?;
            for (index, source) in sources.iter().enumerate() {
                source.parse::<IpNetwork>().map_err(|error| {
                    ServiceError::invalid(format!("sources[{index}]"), error.to_string())
                        .mend("Write networks such as 192.0.2.0/24")
                })?;
            }
            row.sources.clone_from(sources);
        }
        self.apply_account(row, change, had_password)?;
        apply_settings(&mut row.settings, change)
    }

    fn apply_account(
        &self,
        row: &mut TrunkRow,
        change: &TrunkChange,
        had_password: bool,
    ) -> Result<(), ServiceError> {
        if let Some(user) = &change.user {
            row.auth_user = word("user", user)?;
        }
        if let Some(realm) = &change.realm {
            row.auth_realm = word("realm", realm)?;
        }
        if let Some(password) = &change.password {
            let password = word("password", password)?;
            row.password = password.map(|password| self.vault.seal(&password));
        }
        row.register = change.register.unwrap_or(row.register);
        let has_password = row.password.is_some() || (had_password && change.password.is_none());
        if row.auth_user.is_some() != has_password && (row.auth_user.is_some() || row.password.is_some()) {
            return Err(ServiceError::invalid("password", "User and password go together")
                .mend("Send both, or user \"\" and password \"\" for none"));
        }
        if row.register && row.auth_user.is_none() {
            return Err(ServiceError::invalid("register", "A registration needs a user")
                .mend("Send user and password"));
        }
        Ok(())
    }
}

fn apply_settings(settings: &mut TrunkSettings, change: &TrunkChange) -> Result<(), ServiceError> {
    let limits = [
        ("max_in", change.max_in, &mut settings.max_in, LIMIT_MAX),
        ("max_out", change.max_out, &mut settings.max_out, LIMIT_MAX),
        ("max_total", change.max_total, &mut settings.max_total, LIMIT_MAX),
        ("calls_per_second", change.calls_per_second, &mut settings.calls_per_second, PER_SECOND_MAX),
    ];
    for (field, wish, setting, most) in limits {
        if wish.is_some_and(|wish| wish > most) {
            return Err(ServiceError::invalid(field, "This is too many")
                .mend(format!("Send at most {most}, or 0 for no limit")));
        }
        *setting = wish.unwrap_or(*setting);
    }
    if let Some(codecs) = &change.codecs {
        check_codecs(codecs)?;
        settings.codecs.clone_from(codecs);
    }
    settings.transport = change.transport.unwrap_or(settings.transport);
    settings.priority = change.priority.unwrap_or(settings.priority);
    settings.weight = change.weight.unwrap_or(settings.weight);
    settings.number_format = change.number_format.unwrap_or(settings.number_format);
    settings.pai_format = change.pai_format.unwrap_or(settings.pai_format);
    settings.from_format = change.from_format.unwrap_or(settings.from_format);
    settings.diversion = change.diversion.unwrap_or(settings.diversion);
    settings.srtp = change.srtp.unwrap_or(settings.srtp);
    settings.even_loudness = change.even_loudness.or(settings.even_loudness);
    settings.suppress_noise = change.suppress_noise.unwrap_or(settings.suppress_noise);
    settings.probe = change.probe.unwrap_or(settings.probe);
    settings.enabled = change.enabled.unwrap_or(settings.enabled);
    Ok(())
}

fn admin(actor: &Actor) -> Result<&UserActor, ServiceError> {
    let user = actor.user()?;
    if user.role != TenantRole::TenantAdmin {
        return Err(ServiceError::forbidden("Only a Tenant Admin may see and change trunks")
            .mend("Ask your Tenant Admin"));
    }
    Ok(user)
}

fn not_enabled(row: &TrunkRow) -> ServiceError {
    ServiceError::new(ErrorKind::Conflict, format!("The trunk {} is not enabled", row.name))
        .mend("Enable it first")
}

fn peer_of(text: &str) -> Result<Peer, ServiceError> {
    let peer = text.trim().parse::<Peer>().ok().filter(|_| text.len() <= WORD_MAX);
    peer.ok_or_else(|| {
        ServiceError::invalid("peer", format!("{text:?} is no host and port"))
            .mend("Write sip.example.com, sip.example.com:5060 or 192.0.2.1:5060")
    })
}

fn host_of(text: &str) -> Result<String, ServiceError> {
    let host = Host::parse(text.trim()).ok().filter(|_| text.len() <= WORD_MAX);
    host.map(|host| host.to_string()).ok_or_else(|| {
        ServiceError::invalid("host", format!("{text:?} is no domain name and no address"))
            .mend("Write it as sip.example.com or 192.0.2.1")
    })
}

/// A short text for a SIP header field; empty is none.
fn word(field: &str, text: &str) -> Result<Option<String>, ServiceError> {
    if text.len() > WORD_MAX || text.chars().any(char::is_control) {
        return Err(ServiceError::invalid(field, "This is too long, or holds control characters")
            .mend(format!("Send at most {WORD_MAX} characters on one line")));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// Known names, none of them twice.
pub(super) fn check_codecs(codecs: &[String]) -> Result<(), ServiceError> {
    let wrong = |(index, codec): &(usize, &String)| {
        !CODECS.contains(&codec.as_str()) || codecs.iter().take(*index).any(|other| other == *codec)
    };
    match codecs.iter().enumerate().find(wrong) {
        None => Ok(()),
        Some((index, codec)) => Err(ServiceError::invalid(
            format!("codecs[{index}]"),
            format!("{codec:?} is not a codec, or stands twice"),
        )
        .mend("Send each of opus, g722, pcmu, pcma at most once")),
    }
}
