//! The registrar, RFC 3261 section 10.3: which contacts a device can be reached at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::deadlines::Deadlines;
use crate::flow::{FlowId, Hop, Transport};
use crate::message::header::{Contact, Expires, Path};
use crate::message::{HeaderName, Received, Request, TypedHeader, Uri};
use crate::ua::allows_messages;

/// How many characters of a phone's own description are kept.
const LONGEST_USER_AGENT: usize = 200;
/// How many proxies a binding may name in Path, and how many characters an instance may have.
const MOST_PATH: usize = 8;
const LONGEST_INSTANCE: usize = 200;

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
    /// What carried it.
    pub transport: Transport,
    /// How much the phone likes to be called there, in thousandths (RFC 3261 section 10.2.1.2).
    pub q: u16,
    /// Whether a call would arrive: false while the connection it registered by is gone (RFC 5626).
    pub reachable: bool,
    /// The phone's own name for itself (`+sip.instance`, RFC 5626 section 4.1), if it has one.
    pub instance: Option<String>,
    /// Which of the phone's ways to us this is (`reg-id`, RFC 5626 section 4.2).
    pub reg_id: Option<u32>,
    /// The proxies a call must pass, the nearest first (RFC 3327).
    pub path: Vec<String>,
    /// What the phone calls itself; empty if it does not say.
    pub user_agent: String,
    /// Call-ID of its REGISTERs.
    pub call_id: String,
    /// CSeq number of its last REGISTER.
    pub cseq: u32,
    /// How long the phone took to answer the last challenge that was put to it when it registered: the way there and
    /// back with what it reckons. `None` until then.
    pub latency: Option<Duration>,
    /// When it last registered.
    pub last_seen: Instant,
    /// When the binding ends unless refreshed.
    pub expires_at: Instant,
}

impl BindingInfo {
    /// [`Self::latency`] in whole milliseconds.
    pub fn latency_ms(&self) -> Option<u32> {
        self.latency.and_then(|latency| u32::try_from(latency.as_millis()).ok())
    }
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
    /// What carried it. A binding that came by a connection can be called only once the phone has come back.
    pub transport: Transport,
    /// See [`BindingInfo::q`].
    pub q: u16,
    /// See [`BindingInfo::instance`].
    pub instance: Option<String>,
    /// See [`BindingInfo::reg_id`].
    pub reg_id: Option<u32>,
    /// See [`BindingInfo::path`].
    pub path: Vec<String>,
    /// What the phone calls itself.
    pub user_agent: String,
    /// Call-ID of its REGISTERs.
    pub call_id: String,
    /// CSeq number of its last REGISTER.
    pub cseq: u32,
    /// See [`BindingInfo::latency`].
    pub latency: Option<Duration>,
    /// How much longer the binding lasts.
    pub expires_in: Duration,
}

/// What a REGISTER changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingChange {
    /// A contact was added or refreshed.
    Registered(Box<BindingInfo>),
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
    /// 439: outbound was asked for, but the proxy on the way does not do it (RFC 5626 section 6).
    #[error("the first hop lacks outbound support")]
    FirstHopLacksOutbound,
}

impl RegisterRefusal {
    /// The status code to answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Contact => 400,
            Self::TooBrief => 423,
            Self::OutOfOrder => 500,
            Self::FirstHopLacksOutbound => 439,
        }
    }
}

#[derive(Debug)]
struct Binding {
    uri: Uri,
    hop: Hop,
    path: Vec<Path>,
    /// Whether the phone takes MESSAGE, as far as it has said.
    messages: Option<bool>,
    info: BindingInfo,
}

impl Binding {
    /// Whether a contact replaces this one: it is the same way of the same phone (RFC 5626 section 6), or, of phones that
    /// do not say, the same URI.
    fn is_replaced_by(&self, wish: &Wish) -> bool {
        let way = |instance: &Option<String>, reg_id: Option<u32>| instance.clone().zip(reg_id);
        match (way(&self.info.instance, self.info.reg_id), way(&wish.instance, wish.reg_id)) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.uri == wish.uri,
        }
    }
}

/// One Contact of a REGISTER.
#[derive(Debug)]
struct Wish {
    uri: Uri,
    /// The time granted; 0 removes the contact.
    seconds: u32,
    q: u16,
    instance: Option<String>,
    reg_id: Option<u32>,
}

/// Where a call to a device goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The Request-URI.
    pub uri: Uri,
    /// The way its REGISTER came.
    pub hop: Hop,
    /// The proxies to pass, as Route (RFC 3327 section 5.4).
    pub path: Vec<Path>,
}

/// All bindings of all devices.
#[derive(Debug)]
pub struct Registrar {
    config: RegistrarConfig,
    devices: BTreeMap<AddressOfRecord, Vec<Binding>>,
    deadlines: Deadlines<AddressOfRecord>,
    /// Who registered by which connection.
    flows: BTreeSet<(FlowId, AddressOfRecord)>,
}

impl Registrar {
    /// No bindings yet.
    pub fn new(config: RegistrarConfig) -> Self {
        Self { config, devices: BTreeMap::new(), deadlines: Deadlines::new(), flows: BTreeSet::new() }
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
        (source, latency): (&Hop, Option<Duration>),
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
        let path = headers.typed_list::<Path>().map_err(|_| RegisterRefusal::Contact)?;
        if path.len() > MOST_PATH {
            return Err(RegisterRefusal::Contact);
        }
        let wishes = self.wishes(&contacts, default, outbound(request, &path)?)?;
        self.check_order(device, request, |binding| wishes.iter().any(|wish| binding.is_replaced_by(wish)))?;
        Ok(self.apply(now, device, request, (source, &path, latency), wishes))
    }

    fn wishes(
        &self,
        contacts: &[Contact],
        default: Option<u32>,
        outbound: bool,
    ) -> Result<Vec<Wish>, RegisterRefusal> {
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
            let instance = address.params.get("+sip.instance").filter(|text| text.len() <= LONGEST_INSTANCE);
            let reg_id = address.params.raw("reg-id").and_then(|id| id.parse().ok());
            let reg_id = reg_id.filter(|_| outbound && instance.is_some());
            let seconds = wish.min(self.config.max_expires);
            wishes.push(Wish { uri: address.uri.clone(), seconds, q: contact.q(), instance, reg_id });
        }
        Ok(wishes)
    }

    /// Section 10.3 steps 6 and 7: within one Call-ID the CSeq must grow.
    fn check_order(
        &self,
        device: &AddressOfRecord,
        request: &Received<Request>,
        touched: impl Fn(&Binding) -> bool,
    ) -> Result<(), RegisterRefusal> {
        let essential = &request.essential;
        let late = self.devices.get(device).into_iter().flatten().any(|binding| {
            touched(binding)
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
        (source, path, latency): (&Hop, &[Path], Option<Duration>),
        wishes: Vec<Wish>,
    ) -> Vec<BindingChange> {
        let had_any = self.devices.contains_key(device);
        let user_agent = request.message.headers.first(&HeaderName::UserAgent);
        let user_agent: String = user_agent
            .map(|value| value.text().chars().take(LONGEST_USER_AGENT).collect())
            .unwrap_or_default();
        let messages = allows_messages(&request.message.headers);
        let mut changes = Vec::new();
        for wish in wishes {
            let bindings = self.devices.entry(device.clone()).or_default();
            let latency = latency.or_else(|| {
                let before = bindings.iter().find(|binding| binding.is_replaced_by(&wish))?;
                before.info.latency
            });
            bindings.retain(|binding| !binding.is_replaced_by(&wish));
            let Wish { uri, seconds, q, instance, reg_id } = wish;
            if seconds == 0 {
                continue;
            }
            let info = BindingInfo {
                device: device.clone(),
                contact: uri.to_string(),
                source: source.remote,
                transport: source.transport,
                q,
                reachable: true,
                instance,
                reg_id,
                path: path.iter().map(ToString::to_string).collect(),
                user_agent: user_agent.clone(),
                call_id: request.essential.call_id.clone(),
                cseq: request.essential.cseq.number,
                latency,
                last_seen: now,
                expires_at: now + Duration::from_secs(seconds.into()),
            };
            changes.push(BindingChange::Registered(Box::new(info.clone())));
            self.put(Binding { uri, hop: *source, path: path.to_vec(), messages, info });
        }
        self.settle(device);
        if had_any && !self.devices.contains_key(device) {
            changes.push(BindingChange::Unregistered(device.clone()));
        }
        changes
    }

    /// Puts a binding back after a restart; `false` if its contact cannot be read or its time is over.
    /// `hop` is the way to it; of a connection there is none until the phone comes back.
    pub fn restore(&mut self, now: Instant, stored: StoredBinding, hop: Hop) -> bool {
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
            transport: stored.transport,
            q: stored.q,
            reachable: !stored.transport.is_reliable(),
            instance: stored.instance,
            reg_id: stored.reg_id,
            path: stored.path,
            user_agent: stored.user_agent,
            call_id: stored.call_id,
            cseq: stored.cseq,
            latency: stored.latency,
            last_seen: now,
            expires_at: now + stored.expires_in.min(longest),
        };
        self.devices.entry(device.clone()).or_default().retain(|binding| binding.uri != uri);
        let path = info.path.iter().filter_map(|text| Path::parse(text).ok()).collect();
        self.put(Binding { uri, hop, path, messages: None, info });
        self.settle(&device);
        true
    }

    /// Removes all bindings of a device; says so if there were any.
    pub fn remove(&mut self, device: &AddressOfRecord) -> Option<BindingChange> {
        let removed = self.devices.remove(device);
        self.deadlines.set(device, None);
        removed.map(|_| BindingChange::Unregistered(device.clone()))
    }

    /// Where a call to the device goes: to the contact the phone likes best among those that can be reached, and of several
    /// such to the one that registered last.
    pub fn preferred(&self, now: Instant, device: &AddressOfRecord) -> Option<Reached> {
        let bindings = self.devices.get(device)?.iter();
        let alive = bindings.filter(|binding| binding.info.expires_at > now && binding.info.reachable);
        let best = alive.max_by_key(|binding| (binding.info.q, binding.info.last_seen))?;
        Some(Reached { uri: best.uri.clone(), hop: best.hop, path: best.path.clone() })
    }

    /// Whether the phone behind this contact takes MESSAGE, as far as it has said.
    pub(crate) fn takes_messages(&self, device: &AddressOfRecord, contact: &Uri) -> Option<bool> {
        let mut bindings = self.devices.get(device)?.iter();
        bindings.find(|binding| binding.uri == *contact)?.messages
    }

    /// It has said so.
    pub(crate) fn note_messages(&mut self, device: &AddressOfRecord, contact: &Uri, can: bool) {
        let bindings = self.devices.get_mut(device).into_iter().flatten();
        for binding in bindings.filter(|binding| binding.uri == *contact) {
            binding.messages = Some(can);
        }
    }

    /// A connection is gone; the devices that cannot be reached any more for it.
    pub fn flow_gone(&mut self, flow: FlowId) -> Vec<AddressOfRecord> {
        let mut lost = Vec::new();
        while let Some(device) = self.device_on(flow) {
            self.flows.remove(&(flow, device.clone()));
            let mut bindings: Vec<&mut Binding> =
                self.devices.get_mut(&device).into_iter().flatten().collect();
            for binding in &mut bindings {
                binding.info.reachable &= binding.hop.flow != Some(flow);
            }
            if !bindings.is_empty() && !bindings.iter().any(|binding| binding.info.reachable) {
                lost.push(device);
            }
        }
        lost
    }

    fn device_on(&self, flow: FlowId) -> Option<AddressOfRecord> {
        let first = (flow, AddressOfRecord::new("", ""));
        self.flows.range(first..).next().filter(|(other, _)| *other == flow).map(|(_, device)| device.clone())
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
        if let Some(flow) = binding.hop.flow {
            self.flows.insert((flow, binding.info.device.clone()));
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

/// Whether the contacts of a REGISTER name ways that stay open (RFC 5626 section 6): the phone must want it, and what
/// stands between us must keep them open, too.
fn outbound(request: &Received<Request>, path: &[Path]) -> Result<bool, RegisterRefusal> {
    let supported = request.message.headers.tokens(&HeaderName::Supported);
    if !supported.iter().any(|option| option.eq_ignore_ascii_case("outbound")) {
        return Ok(false);
    }
    let kept =
        path.last().is_some_and(|first| first.0.uri.as_sip().is_some_and(|uri| uri.params.contains("ob")));
    if request.essential.via_count > 1 && !kept {
        let named = request.message.headers.typed_list::<Contact>().unwrap_or_default();
        let wanted =
            named.iter().filter_map(Contact::address).any(|address| address.params.contains("reg-id"));
        return if wanted { Err(RegisterRefusal::FirstHopLacksOutbound) } else { Ok(false) };
    }
    Ok(true)
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
