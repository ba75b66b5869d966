//! Devices: adding them with a secret that is shown once, what is known of their registration, and the sheet that
//! tells whoever sets one up what to type.

use super::actor::{Actor, UserActor};
use super::error::ServiceError;
use super::meetings::conflict;
use super::policy::tenant_admin;
use super::provision::Provision;
use super::trunks::{CODECS, check_codecs};
use super::{Services, input};
use crate::ids::{DeviceName, UserId};
use crate::store::secrets::ha1;
use crate::store::{DeviceRow, Store, StoreError, UserRow};
use crate::vocabulary::{TenantRole, UnixMillis};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Serialize;

/// What everybody is told who gets a device.
pub const EMERGENCY_NOTICE: &str =
    "This device cannot call emergency services: use another phone to call for help";
/// How long a secret is.
const SECRET_LENGTH: usize = 16;
/// Characters of a secret: none that look alike.
const SECRET_ALPHABET: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
/// The most devices of one user.
const DEVICES_MAX: usize = 20;

/// How a device's registration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Registration {
    /// The contact the phone gave.
    pub contact: String,
    /// What it calls itself.
    pub user_agent: String,
    /// Where its REGISTER came from, and where calls go.
    pub source: String,
    /// How long the phone took to answer when it last had to prove itself, in milliseconds: the way there and back with
    /// its own reckoning. None until it had to.
    pub latency_ms: Option<u64>,
    /// When it last registered, if that has been written down.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub last_seen: Option<UnixMillis>,
    /// When the registration ends unless refreshed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub expires_at: Option<UnixMillis>,
}

/// A device as its user and the tenant's administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceRecord {
    /// Its row.
    pub id: String,
    /// Its name, the user part of its SIP address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: DeviceName,
    /// Whose it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub user: UserId,
    /// What it is: `desk phone`.
    pub kind: String,
    /// What a host reads: `Desk phone 103a`.
    pub label: String,
    /// Its SIP address.
    pub sip_uri: String,
    /// What the sheet tells it to use: `udp`, `tcp`, `tls`, `wss`.
    pub transport: String,
    /// Whether sound must, may or shall not be encrypted: `required`, `optional`, `off`.
    pub srtp: String,
    /// Its codecs, the best liked first; none for those of the house.
    pub codecs: Vec<String>,
    /// Whether its voice is brought to one loudness; none: as the configuration says.
    pub even_loudness: Option<bool>,
    /// Whether noise is taken out of its voice.
    pub suppress_noise: bool,
    /// The beginning of the user agents that may register; all when missing.
    pub ua_filter: Option<String>,
    /// Whether it is registered at this moment.
    pub registered: bool,
    /// Where, if it is; the newest first.
    pub registrations: Vec<Registration>,
    /// What whoever uses it must know.
    pub notice: &'static str,
}

/// What somebody types into a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvisioningSheet {
    /// The SIP domain, which is the registrar and the realm.
    pub domain: String,
    /// `host:port` of the server (outbound proxy).
    pub server: String,
    /// `udp`, `tcp`, `tls`, `wss`.
    pub transport: String,
    /// User name and authentication name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub user: DeviceName,
    /// The secret; only when the device was made or its secret was renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The name to show.
    pub display_name: String,
    /// Codecs, the preferred one first.
    pub codecs: Vec<String>,
    /// How keys are sent.
    pub dtmf: &'static str,
    /// `required`, `optional`, `off`.
    pub srtp: String,
    /// How long a registration shall last, in seconds.
    pub expires_seconds: u32,
    /// The same as plain text.
    pub text: String,
    /// The same as a QR code, an SVG picture.
    pub qr_svg: String,
    /// What whoever uses it must know.
    pub notice: &'static str,
}

/// A device that was made, or got a new secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDeviceRecord {
    /// The device.
    pub device: DeviceRecord,
    /// Shown this once: only its digest is kept.
    pub secret: String,
    /// What to type into the phone, the secret included.
    pub sheet: ProvisioningSheet,
    /// What whoever uses it must know.
    pub notice: &'static str,
}

/// A device to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDevice {
    /// The user part of its SIP address; the user's extension with a letter when missing.
    pub name: Option<String>,
    /// What it is; `desk phone` when missing.
    pub kind: Option<String>,
    /// The rest.
    pub change: DeviceChange,
}

/// What is to change about a device. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceChange {
    /// What it is.
    pub kind: Option<String>,
    /// What its owner calls it.
    pub label: Option<Option<String>>,
    /// `udp`, `tcp`, `tls`, `wss`.
    pub transport: Option<String>,
    /// `off`, `optional`, `required`.
    pub srtp: Option<String>,
    /// Codecs offered, the best liked first: `opus`, `g722`, `pcmu`, `pcma`; none for those of the house.
    pub codecs: Option<Vec<String>>,
    /// Whether its voice is brought to one loudness; null: as the configuration says.
    pub even_loudness: Option<Option<bool>>,
    /// Whether noise is taken out of its voice.
    pub suppress_noise: Option<bool>,
    /// The beginning of the user agents that may register.
    pub ua_filter: Option<Option<String>>,
    /// Whether it gets a new secret; it must register again then.
    pub new_secret: bool,
}

impl Services {
    /// Makes a device for a user: one's own, or as Tenant Admin anybody's.
    ///
    /// # Errors
    /// Forbidden for others' devices; not found; conflict for a name that is taken; invalid, naming the field.
    pub async fn add_device(
        &self,
        actor: &Actor,
        user: &UserId,
        new: NewDevice,
    ) -> Result<NewDeviceRecord, ServiceError> {
        let admin = tenant_admin(actor)?;
        let owner = self.store.user(&admin.tenant, user).await?;
        let owner = owner.ok_or_else(|| ServiceError::not_found("user"))?;
        let tenant = self.tenant_row(&admin.tenant).await?;
        let own = self.store.devices_of(&admin.tenant, user).await?;
        input::length("devices", own.len(), DEVICES_MAX - 1)?;
        let name = match new.name {
            Some(name) => device_name(&name)?,
            None => free_name(&self.store, &owner).await?,
        };
        let secret = self.device_secret();
        let (ha1_md5, ha1_sha256) = ha1(&name, &tenant.domain, &secret);
        let mut row = DeviceRow {
            id: self.random_id('d'),
            user: user.clone(),
            name: DeviceName::new(name),
            kind: "desk phone".to_owned(),
            realm: tenant.domain,
            ha1_md5,
            ha1_sha256,
            own_label: None,
            transport: "udp".to_owned(),
            srtp: "optional".to_owned(),
            codecs: Vec::new(),
            even_loudness: None,
            suppress_noise: false,
            ua_filter: None,
        };
        let change = DeviceChange { kind: new.kind.or_else(|| new.change.kind.clone()), ..new.change };
        apply(&mut row, &change)?;
        let mut transaction = self.store.begin().await?;
        match Store::insert_device(&mut transaction, &admin.tenant, &row, self.now()).await {
            Err(error) if error.is_unique_violation() => {
                return Err(ServiceError {
                    field: Some("name".to_owned()),
                    ..conflict("A device of this name exists").mend("Choose another name")
                });
            }
            written => written?,
        }
        self.audit(&mut transaction, admin, "device.added", &row.id, (None, Some(facts(&row)))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.provision_device(&owner, &row).await?;
        self.with_secret(&owner, row, secret).await
    }

    /// One device with its registration (D15).
    ///
    /// # Errors
    /// Not found, also for others' devices unless the asker is an administrator.
    pub async fn device(&self, actor: &Actor, id: &str) -> Result<DeviceRecord, ServiceError> {
        let (_, row, _) = self.reach_device(actor, id).await?;
        self.device_record(&row).await
    }

    /// Changes a device. With a new secret the answer holds it, this once.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; not found; invalid, naming the field.
    pub async fn change_device(
        &self,
        actor: &Actor,
        id: &str,
        change: DeviceChange,
    ) -> Result<(DeviceRecord, Option<NewDeviceRecord>), ServiceError> {
        let admin = tenant_admin(actor)?;
        let (owner, before, _) = self.reach_device(actor, id).await?;
        let mut row = before.clone();
        apply(&mut row, &change)?;
        let secret = change.new_secret.then(|| self.device_secret());
        if let Some(secret) = &secret {
            (row.ha1_md5, row.ha1_sha256) = ha1(row.name.as_str(), &row.realm, secret);
        }
        let mut transaction = self.store.begin().await?;
        Store::update_device(&mut transaction, &admin.tenant, &row, self.now()).await?;
        let action = if secret.is_some() { "device.secret_renewed" } else { "device.changed" };
        let values = (Some(facts(&before)), Some(facts(&row)));
        self.audit(&mut transaction, admin, action, &row.id, values).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        if secret.is_some() || row.ua_filter != before.ua_filter {
            // Whoever is registered with what held before must prove it again.
            self.live.provision(Provision::NoDevice(row.aor())).await;
        }
        self.provision_device(&owner, &row).await?;
        let record = self.device_record(&row).await?;
        match secret {
            Some(secret) => Ok((record, Some(self.with_secret(&owner, row, secret).await?))),
            None => Ok((record, None)),
        }
    }

    /// Removes a device: its registration ends, and it may not come back.
    ///
    /// # Errors
    /// Forbidden for all but Tenant Admins; not found.
    pub async fn remove_device(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let admin = tenant_admin(actor)?;
        let (_, row, _) = self.reach_device(actor, id).await?;
        let mut transaction = self.store.begin().await?;
        Store::delete_device(&mut transaction, &admin.tenant, &row).await?;
        self.audit(&mut transaction, admin, "device.removed", &row.id, (Some(facts(&row)), None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::NoDevice(row.aor())).await;
        Ok(())
    }

    /// Ends a device's registration; it may register again.
    ///
    /// # Errors
    /// Forbidden for others' devices; not found.
    pub async fn end_registration(&self, actor: &Actor, id: &str) -> Result<DeviceRecord, ServiceError> {
        let (owner, row, by) = self.reach_device(actor, id).await?;
        let mut transaction = self.store.begin().await?;
        self.audit(&mut transaction, &by, "device.unregistered", &row.id, (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::NoDevice(row.aor())).await;
        self.provision_device(&owner, &row).await?;
        self.device_record(&row).await
    }

    /// What to type into the phone. The secret is not among it: it was shown when it was made.
    ///
    /// # Errors
    /// As for [`Self::device`].
    pub async fn provisioning_sheet(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<ProvisioningSheet, ServiceError> {
        let (owner, row, _) = self.reach_device(actor, id).await?;
        self.sheet(&owner, &row, None)
    }

    /// A device the asker may know of: their own, or as an administrator any of the tenant.
    async fn reach_device(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<(UserRow, DeviceRow, UserActor), ServiceError> {
        let none = || ServiceError::not_found("device");
        let member = actor.member()?;
        let row = self.store.device(&member.tenant, id).await?.ok_or_else(none)?;
        if row.user != member.user && member.role != TenantRole::TenantAdmin {
            return Err(none());
        }
        let owner = self.store.user(&member.tenant, &row.user).await?.ok_or_else(none)?;
        Ok((owner, row, member.clone()))
    }

    async fn device_record(&self, row: &DeviceRow) -> Result<DeviceRecord, ServiceError> {
        let written = self.store.registrations_of(&row.aor().to_string()).await?;
        let bindings = self.live.bindings(vec![row.aor()]).await.pop().unwrap_or_default();
        let registered = bindings.iter().any(|binding| binding.reachable);
        let registrations = bindings.into_iter().rev().map(|binding| {
            let known = written.iter().find(|known| known.0.contact == binding.contact);
            Registration {
                latency_ms: binding.latency_ms().map(u64::from),
                contact: binding.contact,
                user_agent: binding.user_agent,
                source: binding.source.to_string(),
                last_seen: known.map(|known| known.1),
                expires_at: known.map(|known| known.0.expires_at),
            }
        });
        Ok(DeviceRecord {
            registrations: registrations.collect(),
            registered,
            id: row.id.clone(),
            name: row.name.clone(),
            user: row.user.clone(),
            kind: row.kind.clone(),
            label: row.label(),
            sip_uri: row.aor().to_string(),
            transport: row.transport.clone(),
            srtp: row.srtp.clone(),
            codecs: row.codecs.clone(),
            even_loudness: row.even_loudness,
            suppress_noise: row.suppress_noise,
            ua_filter: row.ua_filter.clone(),
            notice: EMERGENCY_NOTICE,
        })
    }

    async fn with_secret(
        &self,
        owner: &UserRow,
        row: DeviceRow,
        secret: String,
    ) -> Result<NewDeviceRecord, ServiceError> {
        Ok(NewDeviceRecord {
            device: self.device_record(&row).await?,
            sheet: self.sheet(owner, &row, Some(&secret))?,
            secret,
            notice: EMERGENCY_NOTICE,
        })
    }

    fn sheet(
        &self,
        owner: &UserRow,
        row: &DeviceRow,
        secret: Option<&str>,
    ) -> Result<ProvisioningSheet, ServiceError> {
        let server = self.config.sip_server.clone();
        let transport = &row.transport;
        let password = secret.unwrap_or("(shown once, when it was made)");
        let known = row.codecs.is_empty().then(|| CODECS.map(str::to_owned).to_vec());
        let codecs = known.unwrap_or_else(|| row.codecs.clone());
        let listed = codecs.join(", ");
        let text = format!(
            "Display name: {}\nSIP domain: {}\nServer (outbound proxy): {server};transport={transport}\n\
             User name: {}\nPassword: {password}\nCodecs: {listed}\nKeys: RFC 4733 (telephone-event)\n\
             Encrypted sound (SRTP): {}\nRegistration: every 300 s\n{EMERGENCY_NOTICE}\n",
            owner.display_name, row.realm, row.name, row.srtp
        );
        let code = serde_json::json!({
            "sip": { "server": server, "transport": transport, "domain": row.realm, "user": row.name,
                     "password": secret, "name": owner.display_name, "codecs": codecs }
        });
        let code = QrCode::new(code.to_string().as_bytes())
            .map_err(|error| ServiceError::internal(format!("QR code: {error}")))?;
        Ok(ProvisioningSheet {
            domain: row.realm.clone(),
            server,
            transport: transport.clone(),
            user: row.name.clone(),
            password: secret.map(str::to_owned),
            display_name: owner.display_name.clone(),
            codecs,
            dtmf: "rfc4733",
            srtp: row.srtp.clone(),
            expires_seconds: 300,
            text,
            qr_svg: code.render::<svg::Color<'_>>().min_dimensions(200, 200).build(),
            notice: EMERGENCY_NOTICE,
        })
    }

    /// Sixteen characters, each as likely as any other.
    fn device_secret(&self) -> String {
        let mut secret = String::with_capacity(SECRET_LENGTH);
        let largest =
            u8::try_from(256 / SECRET_ALPHABET.len() * SECRET_ALPHABET.len() - 1).unwrap_or(u8::MAX);
        while secret.len() < SECRET_LENGTH {
            let mut bytes = [0; 32];
            self.entropy.fill(&mut bytes);
            let fair = bytes.into_iter().filter(|byte| *byte <= largest);
            let chars =
                fair.filter_map(|byte| SECRET_ALPHABET.get(usize::from(byte) % SECRET_ALPHABET.len()));
            secret.extend(chars.map(|byte| char::from(*byte)).take(SECRET_LENGTH - secret.len()));
        }
        secret
    }
}

fn apply(row: &mut DeviceRow, change: &DeviceChange) -> Result<(), ServiceError> {
    let one_of = |field: &str, value: &Option<String>, known: &[&str], old: &str| match value {
        None => Ok(old.to_owned()),
        Some(value) if known.contains(&value.as_str()) => Ok(value.clone()),
        Some(_) => Err(ServiceError::invalid(field, "This is not known")
            .mend(format!("Send one of {}", known.join(", ")))),
    };
    row.transport = one_of("transport", &change.transport, &["udp", "tcp", "tls", "wss"], &row.transport)?;
    row.srtp = one_of("srtp", &change.srtp, &["off", "optional", "required"], &row.srtp)?;
    if let Some(codecs) = &change.codecs {
        check_codecs(codecs)?;
        row.codecs.clone_from(codecs);
    }
    row.even_loudness = change.even_loudness.unwrap_or(row.even_loudness);
    row.suppress_noise = change.suppress_noise.unwrap_or(row.suppress_noise);
    if let Some(kind) = &change.kind {
        row.kind = input::name("kind", kind)?;
    }
    if let Some(label) = &change.label {
        row.own_label = label.as_deref().map(|label| input::name("label", label)).transpose()?;
    }
    if let Some(filter) = &change.ua_filter {
        row.ua_filter = filter.as_deref().map(|filter| input::name("ua_filter", filter)).transpose()?;
    }
    Ok(())
}

/// What the audit log keeps of a device: never its digest.
fn facts(row: &DeviceRow) -> serde_json::Value {
    serde_json::json!({
        "name": row.name, "user": row.user, "kind": row.kind, "label": row.own_label, "transport": row.transport,
        "srtp": row.srtp, "codecs": row.codecs, "even_loudness": row.even_loudness,
        "suppress_noise": row.suppress_noise, "ua_filter": row.ua_filter,
    })
}

/// The user part of a SIP address that needs no escaping.
fn device_name(text: &str) -> Result<String, ServiceError> {
    let name = text.trim().to_lowercase();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain && (2..=32).contains(&name.len()) && name.contains(|c: char| c.is_ascii_alphabetic()) {
        return Ok(name);
    }
    Err(ServiceError::invalid("name", "This is not a name for a device")
        .mend("Write 2 to 32 letters, digits, hyphens or dots, with at least one letter: 103a"))
}

/// `103a`, `103b` …; without an extension `phone-…`.
async fn free_name(store: &Store, owner: &UserRow) -> Result<String, ServiceError> {
    let base = owner.extension.clone().unwrap_or_else(|| {
        let letters = owner.login.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>();
        format!("{}-", letters.to_lowercase())
    });
    let taken = store.device_names(&owner.tenant, &base).await?;
    let letters = ('a'..='z').map(|letter| format!("{base}{letter}"));
    let names = letters.chain((2..).map(|count| format!("{base}a{count}")));
    Ok(names.into_iter().find(|name| !taken.contains(name)).unwrap_or(base))
}
