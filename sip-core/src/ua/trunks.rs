//! Trunks and our registrations with them.

use std::time::Instant;

use super::UserAgent;
use super::api::{Event, Trunk, TrunkId};
use super::probe::Probe;
use super::session::{Owner, Registering};
use crate::message::header::{Contact, Expires, From, MinExpires, NameAddr, RetryAfter, To};
use crate::message::{HeaderName, Host, Method, Received, Request, Response, SipUri, Uri};
use crate::registration::{Registration, RegistrationChange};
use crate::transaction::TransactionId;

/// A trunk and the state of our registration with it.
#[derive(Debug)]
pub(super) struct TrunkEntry {
    pub(super) trunk: Trunk,
    registration: Option<Registration>,
    pub(super) probe: Option<Probe>,
}

impl TrunkEntry {
    /// Whether the trunk has accepted our registration, or wants none.
    pub(super) fn is_registered(&self) -> bool {
        self.registration.as_ref().is_none_or(Registration::is_up)
    }
}

impl UserAgent {
    pub(super) fn put_trunk(&mut self, now: Instant, trunk: Trunk) {
        let id = trunk.id;
        if self.trunks.get(&id).is_some_and(|entry| entry.trunk == trunk) {
            return;
        }
        let every = self.trunks.get(&id).and_then(|entry| entry.probe.as_ref()).map(|probe| probe.every);
        self.remove_trunk(now, id);
        let call_id = format!("{}{}", self.random.token(), self.random.token());
        let registration = trunk.registration.as_ref().map(|wanted| Registration::new(now, wanted, call_id));
        self.trunks.insert(id, TrunkEntry { trunk, registration, probe: None });
        self.register_with_trunk(now, id);
        if every.is_some() {
            self.probe_trunk(now, id, every);
        }
    }

    pub(super) fn remove_trunk(&mut self, now: Instant, id: TrunkId) {
        self.stop_registration(now, id);
        self.probe_trunk(now, id, None);
        self.trunks.remove(&id);
    }

    /// Sends a REGISTER if one is due (RFC 3261 section 10.2).
    pub(super) fn register_with_trunk(&mut self, now: Instant, id: TrunkId) {
        let registration = self.trunks.get(&id).and_then(|entry| entry.registration.as_ref());
        if registration.and_then(Registration::next_timeout).is_some_and(|at| at <= now) {
            self.send_register(now, id, false);
        }
        self.settle_trunk(id);
    }

    pub(super) fn stop_registration(&mut self, now: Instant, id: TrunkId) {
        let registration = self.trunks.get_mut(&id).and_then(|entry| entry.registration.as_mut());
        if registration.is_some_and(Registration::stop) {
            self.send_register(now, id, true);
        }
        self.settle_trunk(id);
    }

    fn send_register(&mut self, now: Instant, id: TrunkId, removing: bool) {
        let Some(entry) = self.trunks.get_mut(&id) else { return };
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
        request.headers.push(HeaderName::Contact, self.contact(Some(&user)));
        request.headers.push(HeaderName::Expires, expires.to_string());
        self.finish_request(&mut request);
        self.send_registering(now, Registering { trunk, request, challenges: 0, removing });
    }

    fn send_registering(&mut self, now: Instant, registering: Registering) {
        let peer = registering.trunk.peer;
        let transaction = self.transactions.send_request(now, registering.request.clone(), peer);
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
        let Registering { trunk, mut request, challenges, removing } = *registering;
        if self.authorize(&mut request, &trunk, challenges, response).is_some() {
            self.count_register(trunk.id);
            self.send_registering(now, Registering { trunk, request, challenges: challenges + 1, removing });
        } else if !removing {
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
