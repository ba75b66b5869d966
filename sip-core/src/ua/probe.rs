//! Asking trunks by OPTIONS whether they are there (RFC 3261 section 11).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Event, TrunkId};
use super::session::Owner;
use crate::message::header::{From, NameAddr, To};
use crate::message::{HeaderName, Host, Method, Received, Request, Response, SipUri, Uri};
use crate::transaction::TransactionId;

/// So many answers missed in a row mean that the trunk is down.
const MISSES: u32 = 3;
/// So many answers in a row mean that it is back.
const ANSWERS: u32 = 2;
/// More often than this nobody is asked.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is known of a trunk that is asked.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) every: Duration,
    outstanding: Option<TransactionId>,
    missed: u32,
    answered: u32,
    /// What was found; `None` before the first answer and the third miss.
    pub(super) up: Option<bool>,
}

impl Probe {
    fn new(every: Duration) -> Self {
        Self { every: every.max(SHORTEST), outstanding: None, missed: 0, answered: 0, up: None }
    }

    fn miss(&mut self) -> Option<bool> {
        self.answered = 0;
        self.missed = self.missed.saturating_add(1);
        let down = self.missed >= MISSES && self.up != Some(false);
        down.then(|| self.turn(false))
    }

    fn answer(&mut self) -> Option<bool> {
        self.missed = 0;
        self.answered = self.answered.saturating_add(1);
        let back = self.up.is_none() || (self.up == Some(false) && self.answered >= ANSWERS);
        back.then(|| self.turn(true))
    }

    fn turn(&mut self, up: bool) -> bool {
        self.up = Some(up);
        up
    }
}

impl UserAgent {
    pub(super) fn probe_trunk(&mut self, now: Instant, id: TrunkId, every: Option<Duration>) {
        let Some(entry) = self.trunks.get_mut(&id) else { return };
        let old = std::mem::replace(&mut entry.probe, every.map(Probe::new));
        if let Some(outstanding) = old.and_then(|probe| probe.outstanding) {
            self.transactions.abandon(outstanding);
        }
        self.probe_deadlines.set(&id, every.map(|_| now));
        self.probe_due(now, id);
    }

    /// Counts the last question as missed if it is open still, and asks again.
    pub(super) fn probe_due(&mut self, now: Instant, id: TrunkId) {
        let Some(probe) = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut()) else { return };
        let every = probe.every;
        if let Some(open) = probe.outstanding.take() {
            let change = probe.miss();
            self.transactions.abandon(open);
            self.report_probe(id, change, None);
        }
        self.probe_deadlines.set(&id, Some(now + every));
        let Some(request) = self.compose_probe(id) else { return };
        let Some(entry) = self.trunks.get_mut(&id) else { return };
        let transaction = self.transactions.send_request(now, request, entry.trunk.peer);
        if let Some(probe) = &mut entry.probe {
            probe.outstanding = Some(transaction);
        }
        self.owners.insert(transaction, Owner::Probe(id));
    }

    fn compose_probe(&mut self, id: TrunkId) -> Option<Request> {
        let host = Host::from_config(&self.trunks.get(&id)?.trunk.host);
        let uri = Uri::Sip(SipUri::new(None, host, None));
        let mut request = Request::new(Method::Options, uri.clone());
        let mut from = NameAddr::new(Uri::Sip(SipUri::new(None, self.own_domain(), None)));
        from.params.set("tag", Some(&self.random.token()));
        request.headers.push_typed(&From(from));
        request.headers.push_typed(&To(NameAddr::new(uri)));
        request.headers.push(HeaderName::CallId, self.random.token());
        request.headers.push(HeaderName::CSeq, "1 OPTIONS");
        request.headers.push(HeaderName::Contact, self.contact(None));
        request.headers.push(HeaderName::Accept, "application/sdp");
        self.finish_request(&mut request);
        Some(request)
    }

    /// Any final answer is a sign of life but 408 and 503, which say that nobody is behind it.
    pub(super) fn probe_response(
        &mut self,
        transaction: TransactionId,
        id: TrunkId,
        response: &Received<Response>,
    ) {
        let status = response.message.status;
        let probe = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut());
        let Some(probe) = probe.filter(|probe| probe.outstanding == Some(transaction) && status >= 200)
        else {
            return;
        };
        probe.outstanding = None;
        let alive = ![408, 503].contains(&status);
        let change = if alive { probe.answer() } else { probe.miss() };
        self.report_probe(id, change, Some(status));
    }

    fn report_probe(&mut self, trunk: TrunkId, change: Option<bool>, status: Option<u16>) {
        let registered = self.trunks.get(&trunk).is_some_and(|entry| entry.is_registered());
        match change {
            Some(true) if registered => self.emit(Event::TrunkUp { trunk }),
            Some(false) => self.emit(Event::TrunkDown { trunk, status }),
            Some(true) | None => {}
        }
    }
}
