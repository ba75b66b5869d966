//! Asking trunks by OPTIONS whether they are there (RFC 3261 section 11).

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Event, TrunkId};
use super::session::Owner;
use crate::flow::Hop;
use crate::message::header::{From, NameAddr, To};
use crate::message::{HeaderName, Host, Method, Received, Request, Response, SipUri, Uri};
use crate::transaction::TransactionId;

/// So many answers missed in a row mean that the trunk is down.
const MISSES: u32 = 3;
/// So many answers in a row mean that it is back.
const ANSWERS: u32 = 2;
/// More often than this nobody is asked.
const SHORTEST: Duration = Duration::from_secs(1);

/// How a trunk answered a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// When.
    pub at: Instant,
    /// With which status.
    pub status: u16,
    /// How long after the question.
    pub after: Duration,
}

/// What is known of a trunk that is asked.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) every: Duration,
    outstanding: Option<(TransactionId, Instant)>,
    /// The last answer.
    pub(super) last: Option<ProbeAnswer>,
    /// Only one question was wanted.
    once: bool,
    missed: u32,
    answered: u32,
    /// What was found; `None` before the first answer and the third miss.
    pub(super) up: Option<bool>,
}

impl Probe {
    fn new(every: Duration) -> Self {
        let every = every.max(SHORTEST);
        Self { every, outstanding: None, last: None, once: false, missed: 0, answered: 0, up: None }
    }

    /// How often the trunk is asked for ever, if it is.
    pub(super) fn lasting(&self) -> Option<Duration> {
        (!self.once).then_some(self.every)
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
        let known = entry.probe.as_ref().is_some_and(|probe| Some(probe.every) == every && !probe.once);
        if known {
            return;
        }
        let old = std::mem::replace(&mut entry.probe, every.map(Probe::new));
        if let Some((outstanding, _)) = old.and_then(|probe| probe.outstanding) {
            self.transactions.abandon(outstanding);
        }
        self.probe_deadlines.set(&id, every.map(|_| now));
        self.probe_due(now, id);
    }

    /// Counts the last question as missed if it is open still, and asks again.
    pub(super) fn probe_due(&mut self, now: Instant, id: TrunkId) {
        let Some(probe) = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut()) else { return };
        let every = probe.every;
        if let Some((open, _)) = probe.outstanding.take() {
            let change = probe.miss();
            self.transactions.abandon(open);
            self.rotate(id);
            self.report_probe(id, change, None);
        }
        self.probe_deadlines.set(&id, Some(now + every));
        self.send_probe(now, id);
    }

    /// Asks once, whether or not the trunk is asked for ever.
    pub(super) fn probe_now(&mut self, now: Instant, id: TrunkId) {
        let Some(entry) = self.trunks.get_mut(&id) else { return };
        let probe = entry.probe.get_or_insert_with(|| Probe { once: true, ..Probe::new(Duration::ZERO) });
        if probe.outstanding.is_none() {
            self.send_probe(now, id);
        }
    }

    /// A question that is asked again and again is given up when the next one is due; a single one now.
    pub(super) fn probe_timed_out(&mut self, transaction: TransactionId, id: TrunkId) {
        let probe = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut());
        if let Some(probe) = probe.filter(|probe| probe.once) {
            probe.outstanding.take_if(|(open, _)| *open == transaction);
        }
    }

    fn send_probe(&mut self, now: Instant, id: TrunkId) {
        let Some(hop) = self.trunk_hops(now, id).into_iter().next() else {
            // Nowhere to send it: that is as good as no answer.
            let probe = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut());
            let change = probe.and_then(Probe::miss);
            self.report_probe(id, change, None);
            return;
        };
        let Some(request) = self.compose_probe(id, &hop) else { return };
        let transaction = self.transactions.send_request(now, request, hop);
        if let Some(probe) = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut()) {
            probe.outstanding = Some((transaction, now));
        }
        self.owners.insert(transaction, Owner::Probe(id));
    }

    fn compose_probe(&mut self, id: TrunkId, hop: &Hop) -> Option<Request> {
        let host = Host::from_config(&self.trunks.get(&id)?.trunk.host);
        let uri = Uri::Sip(SipUri::new(None, host, None));
        let mut request = Request::new(Method::Options, uri.clone());
        let mut from = NameAddr::new(Uri::Sip(SipUri::new(None, self.own_domain(), None)));
        from.params.set("tag", Some(&self.random.token()));
        request.headers.push_typed(&From(from));
        request.headers.push_typed(&To(NameAddr::new(uri)));
        request.headers.push(HeaderName::CallId, self.random.token());
        request.headers.push(HeaderName::CSeq, "1 OPTIONS");
        request.headers.push(HeaderName::Contact, self.contact(None, hop, false));
        request.headers.push(HeaderName::Accept, "application/sdp");
        self.finish_request(&mut request, hop);
        Some(request)
    }

    /// Any final answer is a sign of life but 408 and 503, which say that nobody is behind it.
    pub(super) fn probe_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        id: TrunkId,
        response: &Received<Response>,
    ) {
        let status = response.message.status;
        let probe = self.trunks.get_mut(&id).and_then(|entry| entry.probe.as_mut());
        let asked = |probe: &Probe| probe.outstanding.filter(|(id, _)| *id == transaction && status >= 200);
        let Some((probe, (_, asked))) = probe.and_then(|probe| asked(probe).map(|asked| (probe, asked)))
        else {
            return;
        };
        probe.outstanding = None;
        probe.last = Some(ProbeAnswer { at: now, status, after: now.saturating_duration_since(asked) });
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
