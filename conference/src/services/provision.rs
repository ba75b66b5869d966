//! What the running part is told: at start about everything in the database, later about what is new.

use super::Services;
use super::error::ServiceError;
use super::pins::{self, TakenPins};
use super::planning::closes_at;
use crate::ids::{TenantId, UserId};
use crate::live::focus::{MeetingSpec, PersonSpec, TenantDialling};
use crate::live::number::{self, Dialling};
use crate::live::speech::Language;
use crate::store::{
    DeviceRow, Identity, MeetingRow, PersonRow, RegistrationRow, Store, StoreError, TenantRow, TrunkRow,
    UserRow, Vault,
};
use crate::vocabulary::trunk::{
    TrunkDiversion, TrunkFromFormat, TrunkNumberFormat, TrunkPaiFormat, TrunkSettings, TrunkSrtp,
    TrunkTransport,
};
use crate::vocabulary::{MeetingState, UnixMillis};
use media::worker::VoiceTreatment;
use sip_core::ua::{
    AddressOfRecord, Credentials, DeviceAccount, DiversionFormat, FromFormat, IdentityFormat, NumberFormat,
    Peer, StoredBinding, Transport, Trunk, TrunkId, TrunkLimits, TrunkRegistration,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How many meetings per tenant are told to the running part at start, the newest first.
const MEETINGS_AT_START: i64 = 20_000;
/// How many devices are read at once.
const DEVICES_AT_ONCE: i64 = 1_000;
/// The registration time asked of a carrier.
const TRUNK_EXPIRES_SECONDS: u32 = 600;
/// How often a trunk is asked whether it is there: three missed answers are found within 30 seconds (F8).
const PROBE_EVERY: Duration = Duration::from_secs(8);

/// Something that is new or has changed.
#[derive(Clone, Debug)]
pub enum Provision {
    /// A meeting: for the focus.
    Meeting(Box<MeetingSpec>),
    /// A device: its account for the user agent, its user for the focus.
    Device(Box<ProvisionedDevice>),
    /// A device that may no longer register: its registration ends.
    DeviceGone(AddressOfRecord),
    /// A trunk: its peer for the user agent, its tenant for the focus.
    Trunk(Box<ProvisionedTrunk>),
    /// A number of a tenant that callers may dial: for the focus.
    DialIn {
        /// Whose.
        tenant: TenantId,
        /// In E.164.
        number: String,
    },
    /// A number is nobody's any more: for the focus.
    NoDialIn(String),
    /// What a tenant's callers are spoken to in: for the focus.
    Language(TenantId, Language),
    /// A binding from before the restart: for the user agent.
    Binding(Box<StoredBinding>),
    /// A tenant's rules for calling out: for the focus.
    Dialling(TenantId, Box<TenantDialling>),
    /// A number was put on a tenant's do-not-call list, or taken off it.
    Blocked(TenantId, String, bool),
    /// A device that is no more, or must register again: for both.
    NoDevice(AddressOfRecord),
    /// A trunk is gone or not enabled: its calls go on, and nothing else.
    TrunkGone(TrunkId),
    /// A trunk is to be asked whether it is there, once.
    ProbeTrunk(TrunkId),
    /// An address that gets no answer, from before the restart.
    Ban {
        /// Which one.
        address: IpAddr,
        /// For how much longer.
        duration: Duration,
    },
}

/// A trunk with its tenant, whose calls alone it carries.
#[derive(Clone, Debug)]
pub struct ProvisionedTrunk {
    /// For the user agent.
    pub trunk: Trunk,
    /// How often it is asked whether it is there, if at all.
    pub probe: Option<Duration>,
    /// Whether its sound is encrypted.
    pub srtp: TrunkSrtp,
    /// Names of the codecs offered, the best liked first; empty is all there are.
    pub codecs: Vec<String>,
    /// What is done to its callers' voices.
    pub voice: VoiceTreatment,
    /// Whose it is.
    pub tenant: TenantId,
}

/// A device with its user.
#[derive(Clone, Debug)]
pub struct ProvisionedDevice {
    /// For the user agent's digest.
    pub account: DeviceAccount,
    /// Whose it is.
    pub user: UserId,
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user's name.
    pub display_name: String,
    /// Whether its calls' sound is encrypted.
    pub srtp: DeviceSrtp,
    /// Names of its codecs, the best liked first; none for those of the house.
    pub codecs: Vec<String>,
    /// What is done to its voice.
    pub voice: VoiceTreatment,
}

/// Whether the sound of a device's calls is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSrtp {
    /// Never.
    Off,
    /// Where the phone can; always if the house says so.
    Optional,
    /// Always: a call without it is refused.
    Required,
}

impl DeviceSrtp {
    /// By the word in the database.
    fn from_word(word: &str) -> Self {
        match word {
            "off" => Self::Off,
            "required" => Self::Required,
            _ => Self::Optional,
        }
    }
}

impl MeetingRow {
    /// What the running part needs to know, the PINs opened.
    pub(crate) fn spec(&self, vault: &Vault) -> MeetingSpec {
        MeetingSpec {
            meeting: self.id.clone(),
            tenant: self.tenant.clone(),
            number: self.number.clone(),
            alias: self.alias.clone(),
            title: self.title.clone(),
            kind: self.kind,
            direct_join_role: self.direct_join_role,
            owner: self.owner.clone(),
            settings: self.settings.clone(),
            form: self.form,
            closed: self.state.is_closed(),
            closes_at: closes_at(&self.plan),
            guest_pin: pins::opened(vault, self.guest_pin.as_deref()),
            host_pin: pins::opened(vault, self.host_pin.as_deref()),
        }
    }
}

impl PersonRow {
    /// What the running part needs to know, the PIN opened.
    pub(crate) fn spec(&self, vault: &Vault) -> PersonSpec {
        let number = match &self.identity {
            Identity::Number(number) => Some(number.clone()),
            Identity::User(_) | Identity::Mail(_) | Identity::Guest => None,
        };
        PersonSpec {
            person: self.id.clone(),
            user: self.user().cloned(),
            display_name: self.display_name.clone(),
            role: self.role,
            access: self.access,
            pin: pins::opened(vault, self.pin.as_deref()),
            number,
            invited_as: self.invited_role,
            invited_at: self.invited_at.unwrap_or_default(),
            may_speak: self.may_speak,
            verstat: None,
            removed: self.removed_at.is_some(),
        }
    }
}

impl Services {
    /// Tells the running part everything the database holds. To be called once, before the first datagram is read.
    ///
    /// # Errors
    /// When the database fails or holds something unreadable.
    pub async fn provision_all(&self) -> Result<(), ServiceError> {
        let tenants = self.store.tenants().await?;
        for tenant in &tenants {
            for user in self.store.disabled_users(&tenant.id).await? {
                self.put_account(user, false).await;
            }
            self.provision_devices(tenant).await?;
            self.provision_dialling(tenant).await?;
            for row in self.store.trunks(&tenant.id).await? {
                self.live.provision(self.trunk_provision(tenant, &row)?).await;
            }
            self.provision_phones(tenant).await?;
            self.provision_meetings(tenant).await?;
        }
        let now = self.now();
        for row in self.store.live_registrations(now).await? {
            match stored_binding(&row, now) {
                Some(binding) => self.live.provision(Provision::Binding(Box::new(binding))).await,
                None => tracing::warn!(device.aor = %row.aor, "a stored binding is unreadable and forgotten"),
            }
        }
        for ban in self.store.live_bans(now).await? {
            let duration = Duration::from_millis(ban.until.0.saturating_sub(now.0));
            match ban.address.parse() {
                Ok(address) => self.live.provision(Provision::Ban { address, duration }).await,
                Err(_) => tracing::warn!("a stored ban is unreadable and forgotten"),
            }
        }
        Ok(())
    }

    /// What the running part is told of a trunk.
    pub(super) fn trunk_provision(
        &self,
        tenant: &TenantRow,
        row: &TrunkRow,
    ) -> Result<Provision, ServiceError> {
        if !row.settings.enabled {
            return Ok(Provision::TrunkGone(TrunkId(row.id)));
        }
        Ok(Provision::Trunk(Box::new(ProvisionedTrunk {
            trunk: self.trunk(tenant, row)?,
            probe: row.settings.probe.then_some(PROBE_EVERY),
            srtp: row.settings.srtp,
            codecs: row.settings.codecs.clone(),
            voice: VoiceTreatment {
                even_loudness: row.settings.even_loudness,
                suppress_noise: row.settings.suppress_noise,
            },
            tenant: tenant.id.clone(),
        })))
    }

    async fn provision_devices(&self, tenant: &TenantRow) -> Result<(), ServiceError> {
        let mut last = String::new();
        loop {
            let devices = self.store.devices_after(&tenant.id, &last, DEVICES_AT_ONCE).await?;
            let Some(end) = devices.last() else { return Ok(()) };
            last = end.name.as_str().to_owned();
            let ids: BTreeSet<UserId> = devices.iter().map(|device| device.user.clone()).collect();
            let users = self.store.users_by_id(&tenant.id, &ids.into_iter().collect::<Vec<UserId>>()).await?;
            let users: BTreeMap<&UserId, &UserRow> = users.iter().map(|user| (&user.id, user)).collect();
            for device in &devices {
                // A disabled user's devices may not register (I82).
                let Some(user) = users.get(&device.user) else { continue };
                self.provision_device(user, device).await?;
            }
        }
    }

    /// Tells the running part of one device.
    pub(super) async fn provision_device(
        &self,
        user: &UserRow,
        device: &DeviceRow,
    ) -> Result<(), ServiceError> {
        let provisioned = self::device(device, user)?;
        self.live.provision(Provision::Device(Box::new(provisioned))).await;
        Ok(())
    }

    async fn provision_meetings(&self, tenant: &TenantRow) -> Result<(), ServiceError> {
        for mut meeting in self.store.meetings(&tenant.id, MEETINGS_AT_START).await? {
            if meeting.state == MeetingState::Draft {
                continue;
            }
            let people = self.fill_pins(&mut meeting).await?;
            // Whoever was in when the process ended has lost their connection.
            if matches!(meeting.state, MeetingState::Started | MeetingState::Active) {
                self.store.set_meeting_state(&meeting.id, MeetingState::Ended, self.now()).await?;
            }
            self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
            // Removed people too: whoever was shown the door stays out over a restart (I74).
            for person in &people {
                self.put_live_person(person).await;
            }
        }
        Ok(())
    }

    /// Rooms of the configuration, and meetings from before there were PINs, get theirs at the first start.
    async fn fill_pins(&self, meeting: &mut MeetingRow) -> Result<Vec<PersonRow>, ServiceError> {
        let mut people = self.store.people(&meeting.tenant, &meeting.id).await?;
        let unfilled = |person: &&PersonRow| person.pin.is_none() && person.removed_at.is_none();
        if meeting.guest_pin.is_some() && !people.iter().any(|person| unfilled(&person)) {
            return Ok(people);
        }
        let mut transaction = self.store.begin().await?;
        if meeting.guest_pin.is_none() {
            let (guest, host) = self.new_meeting_pins();
            (meeting.guest_pin, meeting.host_pin) = (Some(guest), Some(host));
            Store::update_meeting(&mut transaction, meeting, self.now()).await?;
        }
        let taken = TakenPins::default();
        let known = people.clone();
        for person in people.iter_mut().filter(|person| unfilled(&&**person)) {
            person.pin = Some(self.new_person_pin(&known, &taken));
            Store::update_person(&mut transaction, person, self.now()).await?;
        }
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(people)
    }

    fn trunk(&self, tenant: &TenantRow, row: &TrunkRow) -> Result<Trunk, ServiceError> {
        let wrong = |field: &str| ServiceError::internal(format!("trunk {:?}: unreadable {field}", row.name));
        let mut sources = Vec::with_capacity(row.sources.len());
        for source in &row.sources {
            sources.push(source.parse().map_err(|_| wrong("sources"))?);
        }
        let sealed = row.password.as_deref();
        let opened = sealed.and_then(|sealed| self.vault.open(sealed));
        if sealed.is_some() && opened.is_none() {
            tracing::error!(trunk.name = %row.name, "the password of this trunk is sealed with a key that is gone");
        }
        let configured = || self.trunk_passwords.get(&tenant.domain, &row.name).map(str::to_owned);
        let password = opened.or_else(configured);
        if row.auth_user.is_some() && password.is_none() {
            tracing::warn!(trunk.name = %row.name, "no password is known: this trunk cannot answer a challenge");
        }
        let credentials = row.auth_user.clone().zip(password).map(|(user, password)| Credentials {
            user,
            realm: row.auth_realm.clone(),
            password,
        });
        let aor_user = row.auth_user.clone().filter(|_| row.register);
        let peer: Peer = row.peer.parse().map_err(|_| wrong("peer"))?;
        Ok(Trunk {
            sources,
            credentials,
            transport: transport_of(row.settings.transport),
            limits: limits_of(&row.settings),
            numbers: numbers_of(row.settings.number_format, &tenant.country),
            identity: match row.settings.pai_format {
                TrunkPaiFormat::Pai => IdentityFormat::Asserted,
                TrunkPaiFormat::Rpid => IdentityFormat::RemoteParty,
                TrunkPaiFormat::None => IdentityFormat::None,
            },
            from: match row.settings.from_format {
                TrunkFromFormat::Number => FromFormat::Number,
                TrunkFromFormat::Account => FromFormat::Account,
            },
            diversion: match row.settings.diversion {
                TrunkDiversion::None => DiversionFormat::None,
                TrunkDiversion::Diversion => DiversionFormat::Diversion,
                TrunkDiversion::HistoryInfo => DiversionFormat::HistoryInfo,
            },
            registration: aor_user
                .map(|aor_user| TrunkRegistration { aor_user, expires: TRUNK_EXPIRES_SECONDS }),
            ..Trunk::new(TrunkId(row.id), peer, row.host.clone())
        })
    }
}

/// A device with its user.
pub(super) fn device(device: &DeviceRow, user: &UserRow) -> Result<ProvisionedDevice, ServiceError> {
    Ok(ProvisionedDevice {
        account: account(device)?,
        user: user.id.clone(),
        tenant: user.tenant.clone(),
        display_name: user.display_name.clone(),
        srtp: DeviceSrtp::from_word(&device.srtp),
        codecs: device.codecs.clone(),
        voice: VoiceTreatment { even_loudness: device.even_loudness, suppress_noise: device.suppress_noise },
    })
}

fn transport_of(transport: TrunkTransport) -> Option<Transport> {
    match transport {
        TrunkTransport::Udp => Some(Transport::Udp),
        TrunkTransport::Tcp => Some(Transport::Tcp),
        TrunkTransport::Tls => Some(Transport::Tls),
        TrunkTransport::Auto => None,
    }
}

fn limits_of(settings: &TrunkSettings) -> TrunkLimits {
    let limit = |most: u32| Some(most).filter(|most| *most > 0);
    TrunkLimits {
        incoming: limit(settings.max_in),
        outgoing: limit(settings.max_out),
        total: limit(settings.max_total),
        calls_per_second: limit(settings.calls_per_second),
    }
}

fn numbers_of(format: TrunkNumberFormat, country: &str) -> NumberFormat {
    match format {
        TrunkNumberFormat::E164 => NumberFormat::E164,
        TrunkNumberFormat::E164WithoutPlus => NumberFormat::E164WithoutPlus,
        TrunkNumberFormat::National => {
            let Some(Dialling { country_code, national_prefix, international_prefix }) =
                number::dialling_of(country)
            else {
                return NumberFormat::E164;
            };
            NumberFormat::National { country_code, national_prefix, international_prefix }
        }
    }
}

fn account(device: &DeviceRow) -> Result<DeviceAccount, ServiceError> {
    let wrong = |_| ServiceError::internal(format!("device {}: unreadable HA1", device.name));
    // The second hash, if there is one, is that of the whole address; see `secrets::ha1`.
    let halves = |text: &str| match text.split_once(' ') {
        Some((plain, full)) => (plain.to_owned(), Some(full.to_owned())),
        None => (text.to_owned(), None),
    };
    let ((md5, md5_full), (sha256, sha256_full)) = (halves(&device.ha1_md5), halves(&device.ha1_sha256));
    let (mut ha1_md5, mut ha1_sha256) = ([0; 16], [0; 32]);
    hex::decode_to_slice(&md5, &mut ha1_md5).map_err(wrong)?;
    hex::decode_to_slice(&sha256, &mut ha1_sha256).map_err(wrong)?;
    let (mut full_md5, mut full_sha256) = ([0; 16], [0; 32]);
    let ha1_md5_full =
        md5_full.filter(|text| hex::decode_to_slice(text, &mut full_md5).is_ok()).map(|_| full_md5);
    let ha1_sha256_full =
        sha256_full.filter(|text| hex::decode_to_slice(text, &mut full_sha256).is_ok()).map(|_| full_sha256);
    Ok(DeviceAccount {
        aor: device.aor(),
        realm: device.realm.clone(),
        ha1_md5,
        ha1_sha256: Some(ha1_sha256),
        ha1_md5_full,
        ha1_sha256_full,
        agent_filter: device.ua_filter.clone(),
    })
}

fn stored_binding(row: &RegistrationRow, now: UnixMillis) -> Option<StoredBinding> {
    let (user, domain) = row.aor.strip_prefix("sip:")?.split_once('@')?;
    Some(StoredBinding {
        device: AddressOfRecord { user: user.to_owned(), domain: domain.to_owned() },
        contact: row.contact.clone(),
        source: row.source.parse().ok()?,
        transport: row.transport.parse().ok()?,
        instance: row.instance.clone(),
        reg_id: row.reg_id,
        path: row.path.lines().map(str::to_owned).collect(),
        user_agent: row.user_agent.clone(),
        call_id: row.call_id.clone(),
        cseq: row.cseq,
        q: row.q,
        latency: row.latency_ms.map(|ms| Duration::from_millis(ms.into())),
        expires_in: Duration::from_millis(row.expires_at.0.saturating_sub(now.0)),
    })
}
