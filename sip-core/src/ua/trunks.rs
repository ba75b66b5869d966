//! Trunks and our registrations with them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Event, TrunkId};
use super::pace::Pace;
use super::probe::{Probe, ProbeAnswer};
use super::session::{Owner, Registering};
use super::trunk::{Peer, Trunk};
use crate::flow::Hop;
use crate::locate::{Destination, Located, Target};
use crate::message::header::{Contact, Expires, From, MinExpires, NameAddr, RetryAfter, To};
use crate::message::{HeaderName, Host, Method, Received, Request, Response, SipUri, Uri};
use crate::registration::{Registration, RegistrationChange};
use crate::transaction::TransactionId;

/// So long a REGISTER waits for a name that is being looked up before it is looked up again.
const UNLOCATED_WAIT: Duration = Duration::from_secs(5);

/// A trunk and the state of our registration with it.
#[derive(Debug)]
pub(super) struct TrunkEntry {
    pub(super) trunk: Trunk,
    registration: Option<Registration>,
    /// A REGISTER waits until the trunk's name is looked up.
    unlocated: bool,
    pub(super) probe: Option<Probe>,
    pub(super) pace: Pace,
    /// The trunk has asked for peace until then (Retry-After).
    pub(super) not_before: Option<Instant>,
    /// Where it was found last.
    addresses: Vec<Target>,
    /// Which of them requests outside calls begin with; goes on when one has trouble.
    rotation: usize,
}

/// What is known of a trunk, for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Whether it has accepted our registration; `None` if it wants none.
    pub registered: Option<bool>,
    /// Whether it answers our probes; `None` before there is a finding.
    pub answering: Option<bool>,
    /// When it last answered a probe, with which status and after how long.
    pub last_answer: Option<ProbeAnswer>,
    /// Calls from it.
    pub incoming: u32,
    /// Calls to it, those that wait for their turn included.
    pub outgoing: u32,
    /// Where it was found last.
    pub addresses: Vec<Target>,
    /// It gets no calls until then, because it said so.
    pub not_before: Option<Instant>,
}

impl TrunkEntry {
    /// Whether the trunk has accepted our registration, or wants none.
    pub(super) fn is_registered(&self) -> bool {
        self.registration.as_ref().is_none_or(Registration::is_up)
    }

    /// Whether a request is the trunk's. The peer counts with its port, so that a phone on the same host is not taken for
    /// the trunk; list the host in `sources` if the trunk uses other ports. Of a trunk by TCP or TLS the host is enough:
    /// connections come from any port, and nobody can forge their addresses.
    pub(super) fn owns(&self, source: &Hop) -> bool {
        let listed = self.trunk.sources.iter().any(|range| range.contains(source.remote.ip()));
        let stream = source.transport.is_reliable() && self.trunk.transport == Some(source.transport);
        listed
            || self.known_addresses().any(|address| {
                address.ip().to_canonical() == source.remote.ip().to_canonical()
                    && (stream || address.port() == source.remote.port())
            })
    }

    /// Whether requests sent this way go to the trunk itself: only it gets answers to challenges.
    fn is_at(&self, hop: &Hop) -> bool {
        self.known_addresses().any(|address| address == hop.remote)
    }

    fn known_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let found = self.addresses.iter().map(|target| target.address);
        self.trunk.peer.address().into_iter().chain(found)
    }

    /// Whether no call may go to it now: it answers no probes, or has asked for peace.
    pub(super) fn is_out(&self, now: Instant) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.up == Some(false))
            || self.not_before.is_some_and(|at| at > now)
    }
}

impl UserAgent {
    pub(super) fn put_trunk(&mut self, now: Instant, trunk: Trunk) {
        let id = trunk.id;
        if let Some(entry) = self.trunks.get_mut(&id).filter(|entry| entry.trunk.same_account(&trunk)) {
            entry.trunk = trunk;
            return;
        }
        let old = self.trunks.get(&id);
        let every = old.and_then(|entry| entry.probe.as_ref()).and_then(Probe::lasting);
        let told = self.leave_trunk(now, id);
        let call_id = format!("{}{}", self.random.token(), self.random.token());
        // A new registration waits for the end of the old one, so that the one cannot undo the other.
        let first = if told { now + self.config.timers.transaction_timeout() } else { now };
        let registration =
            trunk.registration.as_ref().map(|wanted| Registration::new(first, wanted, call_id));
        let entry = TrunkEntry {
            trunk,
            registration,
            unlocated: false,
            probe: None,
            pace: Pace::default(),
            not_before: None,
            addresses: Vec::new(),
            rotation: 0,
        };
        self.trunks.insert(id, entry);
        // Whoever asks for its servers first shall not have to wait.
        self.trunk_hops(now, id);
        self.register_with_trunk(now, id);
        if every.is_some() {
            self.probe_trunk(now, id, every);
        }
    }

    pub(super) fn remove_trunk(&mut self, now: Instant, id: TrunkId) {
        self.leave_trunk(now, id);
    }

    /// Forgets a trunk; says whether it is being told (by a de-REGISTER).
    fn leave_trunk(&mut self, now: Instant, id: TrunkId) -> bool {
        self.drop_all_waiting(id);
        let told = self.stop_registration(now, id);
        self.probe_trunk(now, id, None);
        self.trunks.remove(&id);
        self.settle_trunk(id);
        told
    }

    /// The trunk as it is known now: where its requests go, the first one to be tried first. Empty if its name leads nowhere
    /// or is still being looked up.
    pub(super) fn trunk_hops(&mut self, now: Instant, id: TrunkId) -> Vec<Hop> {
        let Some(entry) = self.trunks.get_mut(&id) else { return Vec::new() };
        let Peer { host, port } = entry.trunk.peer.clone();
        let transport = entry.trunk.transport;
        let destination = Destination { host, port, transport, secure: false };
        if let Located::Targets(targets) = self.locator.locate(now, &destination) {
            entry.addresses = targets;
        }
        let identity = entry.trunk.identity_name();
        let mut targets = entry.addresses.clone();
        let turn = entry.rotation.checked_rem(targets.len()).unwrap_or(0);
        targets.rotate_left(turn);
        let hops = targets.into_iter();
        hops.filter_map(|Target { transport, address }| self.hop_to(transport, address, Some(&identity)))
            .collect()
    }

    /// The trunk, if this way leads to it: only then may its challenges be answered.
    pub(super) fn trunk_at(&self, id: TrunkId, hop: &Hop) -> Option<Trunk> {
        self.trunks.get(&id).filter(|entry| entry.is_at(hop)).map(|entry| entry.trunk.clone())
    }

    /// The next request outside a call goes to another server of the trunk, if there is one.
    pub(super) fn rotate(&mut self, id: TrunkId) {
        if let Some(entry) = self.trunks.get_mut(&id) {
            entry.rotation = entry.rotation.wrapping_add(1);
        }
    }

    /// What is known of a trunk.
    pub fn trunk_status(&self, now: Instant, id: TrunkId) -> Option<TrunkStatus> {
        let entry = self.trunks.get(&id)?;
        let (incoming, outgoing) = self.carried(id);
        Some(TrunkStatus {
            registered: entry.registration.as_ref().map(Registration::is_up),
            answering: entry.probe.as_ref().and_then(|probe| probe.up),
            last_answer: entry.probe.as_ref().and_then(|probe| probe.last),
            incoming,
            outgoing,
            addresses: entry.addresses.clone(),
            not_before: entry.not_before.filter(|at| *at > now),
        })
    }

    /// An answer of the name servers may be what registrations wait for.
    pub(super) fn register_where_located(&mut self, now: Instant) {
        let waiting = self.trunks.iter().filter(|(_, entry)| entry.unlocated);
        let waiting: Vec<TrunkId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.register_with_trunk(now, id);
        }
    }

    /// The trunk has been told that the old registration is over: the new one may begin.
    pub(super) fn release_registration(&mut self, now: Instant, id: TrunkId) {
        let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
        if registration.is_some_and(|registration| registration.begin(now)) {
            self.register_with_trunk(now, id);
        }
    }

    /// Sends a REGISTER if one is due (RFC 3261 section 10.2).
    pub(super) fn register_with_trunk(&mut self, now: Instant, id: TrunkId) {
        let registration = self.trunks.get(&id).and_then(|entry| entry.registration.as_ref());
        if registration.and_then(Registration::next_timeout).is_some_and(|at| at <= now) {
            self.send_register(now, id, false);
        }
        self.settle_trunk(id);
    }

    /// De-registers; says whether the trunk is being told.
    pub(super) fn stop_registration(&mut self, now: Instant, id: TrunkId) -> bool {
        let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
        let told = registration.is_some_and(Registration::stop);
        if told {
            self.send_register(now, id, true);
        }
        self.settle_trunk(id);
        told
    }

    fn send_register(&mut self, now: Instant, id: TrunkId, removing: bool) {
        let hop = self.trunk_hops(now, id).into_iter().next();
        let Some(entry) = self.trunks.get_mut(&id) else { return };
        entry.unlocated = hop.is_none();
        let Some(hop) = hop else {
            if let Some(registration) = entry.registration.as_mut().filter(|it| !it.is_stopped()) {
                registration.postpone(now + UNLOCATED_WAIT);
            }
            return;
        };
        let (Some(registration), Some(wanted)) = (&mut entry.registration, &entry.trunk.registration) else {
            return;
        };
        let (call_id, cseq, expires) = registration.next_request();
        let host = Host::from_config(&entry.trunk.host);
        let (trunk, user) = (entry.trunk.clone(), wanted.aor_user.clone());
        let mut request = Request::new(Method::Register, Uri::Sip(SipUri::new(None, host.clone(), None)));
        let aor = NameAddr::new(Uri::Sip(SipUri::new(Some(&user), host, None)));
        let mut from = From(aor.clone());
        from.0.params.set("tag", Some(&self.random.token()));
        request.headers.push_typed(&from);
        request.headers.push_typed(&To(aor));
        request.headers.push(HeaderName::CallId, call_id);
        request.headers.push(HeaderName::CSeq, format!("{cseq} REGISTER"));
        request.headers.push(HeaderName::Contact, self.contact(Some(&user), &hop, false));
        request.headers.push(HeaderName::Expires, expires.to_string());
        self.finish_request(&mut request, &hop);
        self.send_registering(now, Registering { trunk, hop, request, challenges: 0, removing });
    }

    fn send_registering(&mut self, now: Instant, registering: Registering) {
        let transaction = self.transactions.send_request(now, registering.request.clone(), registering.hop);
        self.owners.insert(transaction, Owner::Register(Box::new(registering)));
    }

    pub(super) fn register_response(
        &mut self,
        now: Instant,
        id: TransactionId,
        response: &Received<Response>,
    ) {
        if !response.message.is_final() {
            return;
        }
        let Some(Owner::Register(registering)) = self.owners.remove(&id) else { return };
        let Registering { trunk, hop, mut request, challenges, removing } = *registering;
        if self.authorize(&mut request, &trunk, (challenges, &hop), response).is_some() {
            if !removing {
                self.count_register(trunk.id);
            }
            let challenges = challenges + 1;
            self.send_registering(now, Registering { trunk, hop, request, challenges, removing });
        } else if removing {
            self.release_registration(now, trunk.id);
        } else {
            self.register_answered(now, trunk.id, &request, response);
        }
    }

    fn register_answered(
        &mut self,
        now: Instant,
        id: TrunkId,
        request: &Request,
        response: &Received<Response>,
    ) {
        let headers = &response.message.headers;
        let status = response.message.status;
        if (200..300).contains(&status) {
            let granted = granted_seconds(request, &response.message);
            let random = &mut self.random;
            let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
            let change = registration.and_then(|it| it.handle_accepted(now, granted, random));
            self.report_trunk(id, change);
            return;
        }
        let min_expires = headers.typed::<MinExpires>().ok().flatten().map(|min| min.0);
        let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
        if status == 423 && registration.is_some_and(|it| it.handle_too_brief(now, min_expires)) {
            self.register_with_trunk(now, id);
            return;
        }
        if status >= 500 || status == 408 {
            self.rotate(id);
        }
        let retry_after = headers.typed::<RetryAfter>().ok().flatten().map(|after| after.0);
        self.registration_failed(now, id, Some(status), retry_after);
    }

    pub(super) fn registration_failed(
        &mut self,
        now: Instant,
        id: TrunkId,
        status: Option<u16>,
        retry_after: Option<u32>,
    ) {
        let random = &mut self.random;
        let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
        let change = registration.and_then(|it| it.handle_failed(now, status, retry_after, random));
        self.report_trunk(id, change);
    }

    fn report_trunk(&mut self, trunk: TrunkId, change: Option<RegistrationChange>) {
        self.settle_trunk(trunk);
        match change {
            // Registered, but it answers no probes: the second answer will tell.
            Some(RegistrationChange::Up) if self.is_probed_down(trunk) => {}
            Some(RegistrationChange::Up) => self.emit(Event::TrunkUp { trunk }),
            Some(RegistrationChange::Down(status)) => self.emit(Event::TrunkDown { trunk, status }),
            None => {}
        }
    }

    fn is_probed_down(&self, id: TrunkId) -> bool {
        let probe = self.trunks.get(&id).and_then(|entry| entry.probe.as_ref());
        probe.is_some_and(|probe| probe.up == Some(false))
    }

    /// A challenged REGISTER was sent again with the next CSeq number.
    fn count_register(&mut self, id: TrunkId) {
        if let Some(registration) = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut()) {
            registration.count_request();
        }
    }

    fn settle_trunk(&mut self, id: TrunkId) {
        let registration = self.trunks.get(&id).and_then(|entry| entry.registration.as_ref());
        let next = registration.and_then(Registration::next_timeout);
        self.trunk_deadlines.set(&id, next);
    }
}

/// The time granted: that of our Contact, else of Expires, else what was asked for (section 10.2.4).
fn granted_seconds(request: &Request, response: &Response) -> u32 {
    let ours = request.headers.typed::<Contact>().ok().flatten();
    let ours = ours.as_ref().and_then(Contact::address).map(|address| &address.uri);
    let listed = response.headers.typed_list::<Contact>().unwrap_or_default();
    let of_contact = listed.iter().find(|contact| contact.address().map(|address| &address.uri) == ours);
    let header = |headers: &crate::message::Headers| headers.typed::<Expires>().ok().flatten().map(|it| it.0);
    let granted = of_contact.and_then(Contact::expires).or_else(|| header(&response.headers));
    granted.or_else(|| header(&request.headers)).unwrap_or(3_600)
}
