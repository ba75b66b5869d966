//! The registrar, RFC 3261 section 10.3: which contacts a device can be reached at.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::deadlines::Deadlines;
use crate::message::header::{Contact, Expires};
use crate::message::{HeaderName, Received, Request, Uri};

/// How many characters of a phone's own description are kept.
const LONGEST_USER_AGENT: usize = 200;

/// The address of a device: `sip:user@domain`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressOfRecord {
    /// The user part, unescaped.
    pub user: String,
    /// The domain, in lower case.
    pub domain: String,
}

/// A text that is no `sip:user@domain`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of record; write sip:user@domain")]
pub struct AddressOfRecordError(String);

impl AddressOfRecord {
    /// An address; the domain is put into lower case.
    pub fn new(user: impl Into<String>, domain: &str) -> Self {
        Self { user: user.into(), domain: domain.to_ascii_lowercase() }
    }
}

impl FromStr for AddressOfRecord {
    type Err = AddressOfRecordError;

    /// Reads `sip:user@domain`; URI parameters are left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = Uri::parse(text).ok();
        let uri = uri.as_ref().and_then(Uri::as_sip).filter(|uri| uri.user.is_some());
        let uri = uri.ok_or_else(|| AddressOfRecordError(text.to_owned()))?;
        Ok(Self::new(uri.user_text(), &uri.host.to_string()))
    }
}

impl fmt::Display for AddressOfRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sip:{}@{}", self.user, self.domain)
    }
}

/// Bounds on registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// Shortest registration in seconds; a shorter wish is refused with 423.
    pub min_expires: u32,
    /// Longest registration in seconds; a longer wish is shortened.
    pub max_expires: u32,
    /// Registration time in seconds for phones that name none.
    pub default_expires: u32,
    /// Most contacts of one device; the one seen longest ago gives way.
    pub max_contacts: usize,
}

impl Default for RegistrarConfig {
    fn default() -> Self {
        Self { min_expires: 60, max_expires: 3_600, default_expires: 3_600, max_contacts: 10 }
    }
}

/// One binding, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingInfo {
    /// The device.
    pub device: AddressOfRecord,
    /// The contact URI the phone gave; calls carry it as Request-URI.
    pub contact: String,
    /// Where the REGISTER came from; calls are sent there.
    pub source: SocketAddr,
    /// What the phone calls itself; empty if it does not say.
    pub user_agent: String,
    /// Call-ID of its REGISTERs.
    pub call_id: String,
    /// CSeq number of its last REGISTER.
    pub cseq: u32,
    /// When it last registered.
    pub last_seen: Instant,
    /// When the binding ends unless refreshed.
    pub expires_at: Instant,
}

/// A binding kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBinding {
    /// The device.
    pub device: AddressOfRecord,
    /// The contact URI.
    pub contact: String,
    /// Where the REGISTER came from.
    pub source: SocketAddr,
    /// What the phone calls itself.
    pub user_agent: String,
    /// Call-ID of its REGISTERs.
    pub call_id: String,
    /// CSeq number of its last REGISTER.
    pub cseq: u32,
    /// How much longer the binding lasts.
    pub expires_in: Duration,
}

/// What a REGISTER changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingChange {
    /// A contact was added or refreshed.
    Registered(BindingInfo),
    /// The last contact of the device was removed.
    Unregistered(AddressOfRecord),
}

/// Why a REGISTER was refused; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    /// 400: a Contact that cannot be read or reached, or `*` together with something else.
    #[error("Contact is malformed")]
    Contact,
    /// 423: shorter than [`RegistrarConfig::min_expires`].
    #[error("registration time is too brief")]
    TooBrief,
    /// 500: an older REGISTER than one that was done already (section 10.3 step 7).
    #[error("REGISTER is out of order")]
    OutOfOrder,
}

impl RegisterRefusal {
    /// The status code to answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Contact => 400,
            Self::TooBrief => 423,
            Self::OutOfOrder => 500,
        }
    }
}

#[derive(Debug)]
struct Binding {
    uri: Uri,
    info: BindingInfo,
}

/// All bindings of all devices.
#[derive(Debug)]
pub struct Registrar {
    config: RegistrarConfig,
    devices: BTreeMap<AddressOfRecord, Vec<Binding>>,
    deadlines: Deadlines<AddressOfRecord>,
}

impl Registrar {
    /// No bindings yet.
    pub fn new(config: RegistrarConfig) -> Self {
        Self { config, devices: BTreeMap::new(), deadlines: Deadlines::new() }
    }

    /// The bounds it keeps.
    pub fn config(&self) -> &RegistrarConfig {
        &self.config
    }

    /// Carries out a REGISTER of an authenticated device, all of it or nothing.
    ///
    /// # Errors
    /// [`RegisterRefusal`] with the status to answer.
    pub fn register(
        &mut self,
        now: Instant,
        device: &AddressOfRecord,
        request: &Received<Request>,
        source: SocketAddr,
    ) -> Result<Vec<BindingChange>, RegisterRefusal> {
        let headers = &request.message.headers;
        let contacts = headers.typed_list::<Contact>().map_err(|_| RegisterRefusal::Contact)?;
        let default = headers.typed::<Expires>().ok().flatten().map(|expires| expires.0);
        if contacts.contains(&Contact::Wildcard) {
            if contacts.len() != 1 || default != Some(0) {
                return Err(RegisterRefusal::Contact);
            }
            self.check_order(device, request, |_| true)?;
            return Ok(self.remove(device).into_iter().collect());
        }
        let wishes = self.wishes(&contacts, default)?;
        self.check_order(device, request, |uri| wishes.iter().any(|(wish, _)| wish == uri))?;
        Ok(self.apply(now, device, request, source, wishes))
    }

    /// Contact and granted seconds of each wish.
    fn wishes(&self, contacts: &[Contact], default: Option<u32>) -> Result<Vec<(Uri, u32)>, RegisterRefusal> {
        let mut wishes = Vec::new();
        for contact in contacts.iter().take(self.config.max_contacts) {
            let address = contact.address().ok_or(RegisterRefusal::Contact)?;
            if address.uri.as_sip().is_none() {
                return Err(RegisterRefusal::Contact);
            }
            let wish = contact.expires().or(default).unwrap_or(self.config.default_expires);
            if wish > 0 && wish < self.config.min_expires {
                return Err(RegisterRefusal::TooBrief);
            }
            wishes.push((address.uri.clone(), wish.min(self.config.max_expires)));
        }
        Ok(wishes)
    }

    /// Section 10.3 steps 6 and 7: within one Call-ID the CSeq must grow.
    fn check_order(
        &self,
        device: &AddressOfRecord,
        request: &Received<Request>,
        touched: impl Fn(&Uri) -> bool,
    ) -> Result<(), RegisterRefusal> {
        let essential = &request.essential;
        let late = self.devices.get(device).into_iter().flatten().any(|binding| {
            touched(&binding.uri)
                && binding.info.call_id == essential.call_id
                && binding.info.cseq >= essential.cseq.number
        });
        if late { Err(RegisterRefusal::OutOfOrder) } else { Ok(()) }
    }

    fn apply(
        &mut self,
        now: Instant,
        device: &AddressOfRecord,
        request: &Received<Request>,
        source: SocketAddr,
        wishes: Vec<(Uri, u32)>,
    ) -> Vec<BindingChange> {
        let had_any = self.devices.contains_key(device);
        let user_agent = request.message.headers.first(&HeaderName::UserAgent);
        let user_agent: String = user_agent
            .map(|value| value.text().chars().take(LONGEST_USER_AGENT).collect())
            .unwrap_or_default();
        let mut changes = Vec::new();
        for (uri, seconds) in wishes {
            let bindings = self.devices.entry(device.clone()).or_default();
            bindings.retain(|binding| binding.uri != uri);
            if seconds == 0 {
                continue;
            }
            let info = BindingInfo {
                device: device.clone(),
                contact: uri.to_string(),
                source,
                user_agent: user_agent.clone(),
                call_id: request.essential.call_id.clone(),
                cseq: request.essential.cseq.number,
                last_seen: now,
                expires_at: now + Duration::from_secs(seconds.into()),
            };
            changes.push(BindingChange::Registered(info.clone()));
            self.put(Binding { uri, info });
        }
        self.settle(device);
        if had_any && !self.devices.contains_key(device) {
            changes.push(BindingChange::Unregistered(device.clone()));
        }
        changes
    }

    /// Puts a binding back after a restart; `false` if its contact cannot be read or its time is over.
    pub fn restore(&mut self, now: Instant, stored: StoredBinding) -> bool {
        let Ok(uri) = Uri::parse(&stored.contact) else { return false };
        if stored.expires_in.is_zero() || uri.as_sip().is_none() {
            return false;
        }
        let device = stored.device.clone();
        let longest = Duration::from_secs(self.config.max_expires.into());
        let info = BindingInfo {
            device: stored.device,
            contact: stored.contact,
            source: stored.source,
            user_agent: stored.user_agent,
            call_id: stored.call_id,
            cseq: stored.cseq,
            last_seen: now,
            expires_at: now + stored.expires_in.min(longest),
        };
        self.devices.entry(device.clone()).or_default().retain(|binding| binding.uri != uri);
        self.put(Binding { uri, info });
        self.settle(&device);
        true
    }

    /// Removes all bindings of a device; says so if there were any.
    pub fn remove(&mut self, device: &AddressOfRecord) -> Option<BindingChange> {
        let removed = self.devices.remove(device);
        self.deadlines.set(device, None);
        removed.map(|_| BindingChange::Unregistered(device.clone()))
    }

    /// Where a call to the device goes: the contact that registered last, and its source address.
    pub fn newest(&self, now: Instant, device: &AddressOfRecord) -> Option<(Uri, SocketAddr)> {
        let alive = self.devices.get(device)?.iter().filter(|binding| binding.info.expires_at > now);
        let newest = alive.max_by_key(|binding| binding.info.last_seen)?;
        Some((newest.uri.clone(), newest.info.source))
    }

    /// The bindings of a device, oldest first.
    pub fn bindings(&self, device: &AddressOfRecord) -> Vec<BindingInfo> {
        self.devices.get(device).into_iter().flatten().map(|binding| binding.info.clone()).collect()
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.devices.values().map(Vec::len).sum()
    }

    /// Whether there is no binding.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Forgets what has expired; returns the devices that have no binding any more.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<AddressOfRecord> {
        let mut gone = Vec::new();
        while let Some(device) = self.deadlines.take_due(now) {
            if let Some(bindings) = self.devices.get_mut(&device) {
                bindings.retain(|binding| binding.info.expires_at > now);
            }
            self.settle(&device);
            if !self.devices.contains_key(&device) {
                gone.push(device);
            }
        }
        gone
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn put(&mut self, binding: Binding) {
        let bindings = self.devices.entry(binding.info.device.clone()).or_default();
        if bindings.len() >= self.config.max_contacts.max(1) {
            bindings.remove(0);
        }
        bindings.push(binding);
    }

    fn settle(&mut self, device: &AddressOfRecord) {
        let next = self
            .devices
            .get(device)
            .and_then(|bindings| bindings.iter().map(|binding| binding.info.expires_at).min());
        if next.is_none() {
            self.devices.remove(device);
        }
        self.deadlines.set(device, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_record_read_and_write() {
        let address: AddressOfRecord = "sip:103a@ACME.test;x=y".parse().unwrap();
        assert_eq!(address, AddressOfRecord::new("103a", "Acme.Test"));
        assert_eq!(address.to_string(), "sip:103a@acme.test");
        for text in ["103a@acme.test", "sip:acme.test", "tel:+1", ""] {
            assert!(text.parse::<AddressOfRecord>().is_err(), "{text}");
        }
    }
}
