//! Calls we make: RFC 3261 sections 13.2 and 9.1.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::UserAgent;
use super::api::{EndCause, Event, OutgoingInvite, SessionId, Target};
use super::compose::ALLOW;
use super::session::{
    Calling, CancelState, Established, OwedAck, Owner, PendingOffer, Releasing, Session, SessionState,
    WaitedFor, described_by,
};
use super::session_timer::{propose, raise_interval, timer_of_response};
use super::trunk::Trunk;
use crate::auth;
use crate::dialog::Dialog;
use crate::flow::{Hop, Transport};
use crate::message::header::{Authorization, CSeq, Challenge, NameAddr, Path, ProxyAuthorization, To};
use crate::message::{
    HeaderName, Headers, Host, Message, Method, Received, Request, Response, SipUri, TypedHeader, Uri, write,
};
use crate::registrar::Reached;
use crate::transaction::{TransactionId, Transmit};

/// How many challenges of a trunk are answered for one request: one, and one more if the nonce was stale.
const MOST_CHALLENGES: u8 = 2;
/// How many different 2xx of one INVITE are acknowledged and released.
const MOST_FORKS: usize = 16;
/// The longest request that may go as a datagram where there is a choice (RFC 3261 section 18.1.1).
const LARGEST_DATAGRAM: usize = 1_300;
/// How long one server of a trunk may say nothing if there is another one.
const HOP_PATIENCE: Duration = Duration::from_millis(3_500);

/// Where a call goes.
struct Located {
    request_uri: Uri,
    to: Uri,
    destination: Hop,
    /// Where else the trunk can be reached.
    alternatives: VecDeque<Hop>,
    /// Proxies to pass (RFC 3327).
    path: Vec<Path>,
    trunk: Option<Box<Trunk>>,
    /// The host part of the caller's address.
    from_host: Host,
}

impl UserAgent {
    pub(super) fn invite(&mut self, now: Instant, order: OutgoingInvite) {
        let id = order.session;
        if self.sessions.contains_key(&id) || self.is_waiting(id) {
            return;
        }
        if matches!(id, SessionId::Incoming(_)) {
            // These names are ours to give.
            self.emit(Event::Ended { session: id, cause: EndCause::ProtocolError });
            return;
        }
        let full = self.sessions.len() >= self.config.limits.sessions || self.shutting_down;
        let busy = EndCause::Refused { status: 503, reason: "Too many calls here".to_owned() };
        match if full { Err(busy) } else { self.admit_call(now, order) } {
            Ok(Some(order)) => self.invite_now(now, order),
            Ok(None) => {}
            Err(cause) => self.emit(Event::Ended { session: id, cause }),
        }
    }

    /// Sends the INVITE of a call that nothing stands in the way of.
    pub(super) fn invite_now(&mut self, now: Instant, order: OutgoingInvite) {
        let session = order.session;
        let mut located = match self.locate(now, &order.target) {
            Ok(located) => located,
            Err(cause) => {
                self.emit(Event::Ended { session, cause });
                return;
            }
        };
        let mut request = self.compose_invite(&order, &located);
        if let Some(stream) = self.stream_for(&request, &located) {
            let datagram = std::mem::replace(&mut located.destination, stream);
            located.alternatives.push_front(datagram);
            request = self.compose_invite(&order, &located);
        }
        let destination = located.destination;
        let transaction = self.send_invite(now, request.clone(), session, destination);
        let trunk = located.trunk.map(|trunk| trunk.id);
        let device = match order.target {
            Target::Device(device) => Some(device),
            Target::Trunk { .. } => None,
        };
        let patience = order.patience.or_else(|| (!located.alternatives.is_empty()).then_some(HOP_PATIENCE));
        let patience = patience.filter(|_| trunk.is_some());
        let calling = Calling {
            transaction,
            request,
            challenges: 0,
            cancel: CancelState::NotWanted,
            early: Vec::new(),
            alternatives: located.alternatives,
            patience,
            silent_until: patience.map(|patience| now + patience),
        };
        let state = SessionState::Calling(Box::new(calling));
        self.sessions.insert(session, Session { state, destination, trunk, device, ended: false });
        self.settle(session);
    }

    /// RFC 3261 section 18.1.1: what is too large for a datagram goes by TCP to the same place. Not where the trunk's
    /// transport is fixed, and not to devices: those have a way that works.
    fn stream_for(&mut self, request: &Request, located: &Located) -> Option<Hop> {
        let free = located.trunk.as_ref().is_some_and(|trunk| trunk.transport.is_none());
        let (hop, trunk) = (located.destination, located.trunk.as_ref()?);
        let large = hop.transport == Transport::Udp
            && write(&Message::Request(request.clone())).len() > LARGEST_DATAGRAM;
        let identity = trunk.identity_name();
        (free && large).then(|| self.hop_to(Transport::Tcp, hop.remote, Some(&identity))).flatten()
    }

    fn locate(&mut self, now: Instant, target: &Target) -> Result<Located, EndCause> {
        match target {
            Target::Device(device) => {
                let reached = self.registrar.preferred(now, device).ok_or(EndCause::NotRegistered)?;
                let Reached { uri: mut contact, hop: destination, path } = reached;
                if let Uri::Sip(uri) = &mut contact {
                    // RFC 3261 section 19.1.1: header fields have no place in a Request-URI.
                    uri.headers = None;
                }
                let host = Host::from_config(&device.domain);
                Ok(Located {
                    request_uri: contact,
                    to: Uri::Sip(SipUri::new(Some(&device.user), host.clone(), None)),
                    destination,
                    alternatives: VecDeque::new(),
                    path,
                    trunk: None,
                    from_host: host,
                })
            }
            Target::Trunk { trunk, number } => {
                let mut hops: VecDeque<Hop> = self.trunk_hops(now, *trunk).into();
                let trunk = self.trunks.get(trunk).ok_or(EndCause::TrunkUnknown)?.trunk.clone();
                let number = trunk.numbers.write(number);
                let uri = Uri::Sip(SipUri::new(Some(&number), Host::from_config(&trunk.host), None));
                let destination = hops.pop_front().ok_or(EndCause::TrunkDown)?;
                Ok(Located {
                    request_uri: uri.clone(),
                    to: uri,
                    destination,
                    alternatives: hops,
                    path: Vec::new(),
                    trunk: Some(Box::new(trunk)),
                    from_host: self.own_domain(),
                })
            }
        }
    }

    fn compose_invite(&mut self, order: &OutgoingInvite, located: &Located) -> Request {
        let mut request = Request::new(Method::Invite, located.request_uri.clone());
        for path in &located.path {
            // RFC 3327 section 5.4.
            request.headers.push(HeaderName::Route, path.to_string());
        }
        self.identify(&mut request, &order.caller, located.from_host.clone(), located.trunk.as_deref());
        if let (Some(first), Some(trunk)) = (&order.diverted_by, &located.trunk) {
            Self::divert(&mut request, first, trunk);
        }
        request.headers.push_typed(&To(NameAddr::new(located.to.clone())));
        // A Call-ID is one word (RFC 3261 section 25.1); ours must be one the peer can read.
        let call_id: String = order.call_id.chars().filter(char::is_ascii_graphic).collect();
        request
            .headers
            .push(HeaderName::CallId, if call_id.is_empty() { self.random.token() } else { call_id });
        request.headers.push_typed(&CSeq { number: 1, method: Method::Invite });
        if let (Some(identity), true) = (&order.identity, located.trunk.is_some()) {
            request.headers.push(HeaderName::Identity, identity.clone());
        }
        let secure = located.request_uri.as_sip().is_some_and(|uri| uri.secure);
        request.headers.push(HeaderName::Contact, self.contact(None, &located.destination, secure));
        request.headers.push(HeaderName::Allow, ALLOW);
        if order.offer.is_empty() {
            // An offer in a reliable provisional response would have to be answered in its PRACK.
            request.headers.push(HeaderName::Supported, "timer");
        } else {
            request.headers.push(HeaderName::Supported, "100rel, timer");
            request.headers.push(HeaderName::ContentType, "application/sdp");
        }
        if let Some(replaces) = &order.replaces {
            request.headers.push_typed(replaces);
            request.headers.push(HeaderName::Require, "replaces");
        }
        propose(&mut request.headers, &self.config.limits);
        request.body = order.offer.clone();
        self.finish_request(&mut request, &located.destination);
        request
    }

    pub(super) fn send_invite(
        &mut self,
        now: Instant,
        request: Request,
        session: SessionId,
        destination: Hop,
    ) -> TransactionId {
        let transaction = self.transactions.send_request(now, request, destination);
        self.owners.insert(
            transaction,
            Owner::Invite { session, destination, waited_for: WaitedFor::Yes, acks: Vec::new() },
        );
        transaction
    }

    /// A response to an INVITE of ours.
    pub(super) fn invite_response(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        id: SessionId,
        response: Received<Response>,
    ) {
        match response.message.status {
            ..200 if self.cancel_abandoned(now, transaction) => {}
            ..200 => self.invite_progress(now, id, &response),
            200..300 => self.invite_accepted(now, transaction, id, &response),
            300.. => self.invite_refused(now, transaction, id, &response),
        }
    }

    fn invite_progress(&mut self, now: Instant, id: SessionId, response: &Received<Response>) {
        let news = self.acknowledge_reliable(now, id, response);
        let Some(session) = self.sessions.get(&id) else { return };
        let status = response.message.status;
        if news && !session.ended && status > 100 {
            let body = Self::early_description(&response.message);
            self.emit(Event::Provisional { session: id, status, body });
        }
        self.cancel_if_wanted(now, id);
    }

    /// Sends the CANCEL as soon as it may be sent (RFC 3261 section 9.1).
    fn cancel_if_wanted(&mut self, now: Instant, id: SessionId) {
        let Some(SessionState::Calling(calling)) =
            self.sessions.get_mut(&id).map(|session| &mut session.state)
        else {
            return;
        };
        if calling.cancel != CancelState::Wanted {
            return;
        }
        if let Some(cancel) = self.transactions.cancel(now, calling.transaction) {
            let give_up = now + self.config.timers.transaction_timeout();
            calling.cancel = CancelState::Sent { give_up };
            self.owners.insert(cancel, Owner::Silent);
            self.settle(id);
        }
    }

    /// RFC 3261 section 13.2.2.4: the first 2xx is the call, unless it crossed our CANCEL; every other one
    /// comes from a fork and is acknowledged and released.
    fn invite_accepted(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        id: SessionId,
        response: &Received<Response>,
    ) {
        let Some(Owner::Invite { destination, acks, .. }) = self.owners.get(&transaction) else { return };
        let destination = *destination;
        let mut dialog = Dialog::from_response(response);
        if let Some((_, ack)) = acks.iter().find(|(tag, _)| *tag == dialog.id.remote_tag) {
            let ack = ack.clone();
            self.transactions.transmit(&ack);
            return;
        }
        if acks.len() >= MOST_FORKS {
            return;
        }
        let ours = self.sessions.get(&id).is_some_and(|session| session.waits_for(transaction));
        if !ours {
            if !self.owes_ack(id, transaction, &dialog) {
                let cseq = response.essential.cseq.number;
                self.send_ack(transaction, &dialog, cseq, &Headers::default(), Bytes::new(), destination);
                self.send_bye(now, &mut dialog, destination, None);
            }
            return;
        }
        self.drop_early(id, Some(&mut dialog));
        self.dialogs.insert(dialog.id.clone(), id);
        self.confirm_call(now, transaction, id, dialog, response);
    }

    /// Whether this 200 has come again before the user has answered its offer.
    fn owes_ack(&mut self, id: SessionId, transaction: TransactionId, dialog: &Dialog) -> bool {
        self.established_mut(id).is_some_and(|established| {
            let owed = established.owed.as_ref().is_some_and(|owed| owed.transaction == transaction);
            owed && established.dialog.id == dialog.id
        })
    }

    /// The 2xx that is the call: ACK at once, or (if it carries the offer) once the user has answered.
    fn confirm_call(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        id: SessionId,
        mut dialog: Dialog,
        response: &Received<Response>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let SessionState::Calling(calling) = &session.state else { return };
        let (ended, destination) = (session.ended, session.destination);
        let offer = calling.request.body.clone();
        let mut credentials = Headers::default();
        // Section 13.2.2.4: the ACK carries the same credentials as its INVITE.
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            for value in calling.request.headers.all(&name) {
                credentials.push_value(name.clone(), value.clone());
            }
        }
        let cseq = response.essential.cseq.number;
        if ended {
            self.send_ack(transaction, &dialog, cseq, &credentials, Bytes::new(), destination);
            self.send_bye(now, &mut dialog, destination, Some(id));
            let releasing = Box::new(Releasing { dialog, challenged: false });
            self.set_state(id, SessionState::Releasing(releasing));
            return;
        }
        let timer = timer_of_response(now, &response.message.headers, &self.config.limits);
        let late = offer.is_empty();
        let mut established = Established::new(dialog.clone(), offer, timer);
        if late {
            established.owed = Some(OwedAck { transaction, cseq, credentials });
        } else {
            self.send_ack(transaction, &dialog, cseq, &credentials, Bytes::new(), destination);
        }
        self.set_state(id, SessionState::Established(Box::new(established)));
        let source = self.response_source.unwrap_or(destination.remote);
        self.emit(Event::Answered { session: id, body: described_by(&response.message), source });
    }

    /// The ACK for a 2xx: a request of its own, kept to be repeated with each repeated 2xx.
    pub(super) fn send_ack(
        &mut self,
        transaction: TransactionId,
        dialog: &Dialog,
        cseq: u32,
        credentials: &Headers,
        body: Bytes,
        destination: Hop,
    ) {
        let mut ack = dialog.ack(cseq);
        for (name, value) in credentials.iter() {
            ack.headers.push_value(name.clone(), value.clone());
        }
        if !body.is_empty() {
            ack.headers.push(HeaderName::ContentType, "application/sdp");
            ack.body = body;
        }
        self.finish_request(&mut ack, &destination);
        let ack = Transmit { destination, payload: write(&Message::Request(ack)) };
        self.transactions.transmit(&ack);
        if let Some(Owner::Invite { acks, .. }) = self.owners.get_mut(&transaction) {
            acks.push((dialog.id.remote_tag.clone(), ack));
        }
    }

    fn invite_refused(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        id: SessionId,
        response: &Received<Response>,
    ) {
        if !self.sessions.get(&id).is_some_and(|session| session.waits_for(transaction)) {
            return;
        }
        if self.repeat_invite(now, id, response).is_some() {
            return;
        }
        if response.message.status == 503
            && (self.try_next_hop(now, id) || self.note_retry_after(now, id, response))
        {
            return;
        }
        self.report_contacts(id, response);
        let (status, reason) = (response.message.status, response.message.reason.clone());
        self.end(id, EndCause::Refused { status, reason });
        self.forget(id);
    }

    /// After a challenge of the trunk, or 422: the same INVITE once more, in a new transaction.
    fn repeat_invite(&mut self, now: Instant, id: SessionId, response: &Received<Response>) -> Option<()> {
        let session = self.sessions.get(&id).filter(|session| !session.ended)?;
        let (trunk, destination) = (session.trunk, session.destination);
        let SessionState::Calling(calling) = &session.state else { return None };
        let (mut request, challenges) = (calling.request.clone(), calling.challenges);
        if challenges <= MOST_CHALLENGES && raise_interval(&mut request, response).is_some() {
            self.finish_request(&mut request, &destination);
        } else {
            let trunk = self.trunk_at(trunk?, &destination)?;
            self.authorize(&mut request, &trunk, (challenges, &destination), response)?;
        }
        self.send_again(now, id, request, destination, challenges + 1);
        Some(())
    }

    /// Puts the answer to a trunk's challenge into a request, raises its CSeq and renews its branch. `None`
    /// if this is no challenge, not for the trunk's realm, or has been answered before.
    pub(super) fn authorize(
        &mut self,
        request: &mut Request,
        trunk: &Trunk,
        (challenges, hop): (u8, &Hop),
        response: &Received<Response>,
    ) -> Option<()> {
        let (asked, answered) = match response.message.status {
            401 => (HeaderName::WwwAuthenticate, Authorization::NAME),
            407 => (HeaderName::ProxyAuthenticate, ProxyAuthorization::NAME),
            _ => return None,
        };
        let offered = Challenge::all(&response.message.headers, &asked);
        // A proxy on the way may ask after the peer has, or the other way round (RFC 3261 section 22.3).
        let first = request.headers.first(&answered).is_none();
        let again = first || offered.iter().any(|challenge| challenge.stale);
        if challenges >= MOST_CHALLENGES || (challenges > 0 && !again) {
            return None;
        }
        let credentials = trunk.credentials.as_ref()?;
        let (uri, cnonce) = (request.uri.to_string(), self.random.token());
        let answer = auth::answer(&offered, credentials, &request.method, &uri, cnonce)?;
        request.headers.set(answered, answer.to_string());
        let cseq = request.headers.typed::<CSeq>().ok().flatten()?;
        let next = CSeq { number: cseq.number + 1, method: cseq.method };
        request.headers.set(HeaderName::CSeq, next.to_string());
        self.finish_request(request, hop);
        Some(())
    }

    /// Sends a BYE; `session` is the one that waits for its answer.
    pub(super) fn send_bye(
        &mut self,
        now: Instant,
        dialog: &mut Dialog,
        destination: Hop,
        session: Option<SessionId>,
    ) {
        let mut bye = dialog.request(Method::Bye);
        self.finish_request(&mut bye, &destination);
        let transaction = self.transactions.send_request(now, bye, destination);
        self.owners.insert(transaction, Owner::Bye { session });
    }

    /// The final answer to our BYE: a trunk may challenge it once, anything else ends the session.
    pub(super) fn bye_response(&mut self, now: Instant, id: SessionId, response: &Received<Response>) {
        if self.repeat_bye(now, id, response).is_none() {
            self.forget(id);
        }
    }

    fn repeat_bye(&mut self, now: Instant, id: SessionId, response: &Received<Response>) -> Option<()> {
        let session = self.sessions.get(&id)?;
        let destination = session.destination;
        let SessionState::Releasing(releasing) = &session.state else { return None };
        // Our digest is for the trunk itself, wherever the peer has moved its dialog to.
        let trunk = self.trunk_at(session.trunk?, &destination)?;
        if releasing.challenged {
            return None;
        }
        let mut dialog = releasing.dialog.clone();
        // The number of the challenged BYE is taken; `authorize` raises it by one, as does the dialog.
        let mut bye = dialog.request(Method::Bye);
        bye.headers.set(HeaderName::CSeq, format!("{} BYE", response.essential.cseq.number));
        self.authorize(&mut bye, &trunk, (0, &destination), response)?;
        let transaction = self.transactions.send_request(now, bye, destination);
        self.owners.insert(transaction, Owner::Bye { session: Some(id) });
        self.set_state(id, SessionState::Releasing(Box::new(Releasing { dialog, challenged: true })));
        Some(())
    }

    /// Ends a session in whatever state it is.
    pub(super) fn hang_up(&mut self, now: Instant, id: SessionId) {
        if self.drop_waiting(id) {
            self.emit(Event::Ended { session: id, cause: EndCause::LocalHangUp });
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match &mut session.state {
            SessionState::Calling(calling) => {
                if calling.cancel == CancelState::NotWanted {
                    calling.cancel = CancelState::Wanted;
                }
                self.cancel_if_wanted(now, id);
            }
            SessionState::Incoming(_) => {
                self.refuse_ringing(now, id, 480, EndCause::LocalHangUp);
                return;
            }
            SessionState::Established(established) if established.unacknowledged.is_some() => {
                established.release = true;
            }
            SessionState::Established(_) => self.release(now, id),
            SessionState::Releasing(_) => {}
        }
        self.end(id, EndCause::LocalHangUp);
    }

    /// BYE; an offer the user has not answered is refused.
    pub(super) fn release(&mut self, now: Instant, id: SessionId) {
        // A 200 must be acknowledged before the BYE, whatever it offers.
        self.acknowledge_offer(now, id, None);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let destination = session.destination;
        let SessionState::Established(established) = &mut session.state else { return };
        let mut dialog = established.dialog.clone();
        if let Some(PendingOffer { transaction, request }) = established.offer.take() {
            self.answer_in_dialog(now, transaction, &request, 487);
        }
        self.send_bye(now, &mut dialog, destination, Some(id));
        self.set_state(id, SessionState::Releasing(Box::new(Releasing { dialog, challenged: false })));
    }

    pub(super) fn set_state(&mut self, id: SessionId, state: SessionState) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.state = state;
        }
        self.settle(id);
    }
}
