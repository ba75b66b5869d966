//! The user agent itself: its state and its drive loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::api::{Command, Counts, Datagram, EndCause, Event, Output, SessionId, TrunkId, UserAgentConfig};
use super::flows::Flows;
use super::session::{CancelState, Owner, Session, SessionState};
use super::subscription::{Subscription, SubscriptionId};
use super::trunks::TrunkEntry;
use crate::auth::DigestServer;
use crate::deadlines::Deadlines;
use crate::dialog::DialogId;
use crate::flow::{Hop, Listener, Transport};
use crate::guard::Guard;
use crate::locate::{Answer, Locator, LookupFailed, Question};
use crate::message::{Received, Response};
use crate::random::Random;
use crate::registrar::{AddressOfRecord, BindingChange, BindingInfo, Registrar};
use crate::transaction::{TransactionId, TransactionLayer, TransactionOutput, TuEvent};

use super::DeviceAccount;

/// A SIP user agent, registrar and trunk client. See the [module](super) documentation.
#[derive(Debug)]
pub struct UserAgent {
    pub(super) config: UserAgentConfig,
    pub(super) random: Random,
    /// Key of the To tags of stateless answers.
    pub(super) tag_secret: [u8; 32],
    pub(super) digest: DigestServer,
    pub(super) guard: Guard,
    pub(super) registrar: Registrar,
    pub(super) transactions: TransactionLayer,
    pub(super) owners: BTreeMap<TransactionId, Owner>,
    pub(super) devices: BTreeMap<AddressOfRecord, DeviceAccount>,
    /// The realm of each domain, so that unknown users are challenged like known ones.
    pub(super) realms: BTreeMap<String, String>,
    /// How many devices of a domain have no SHA-256 hash: where there is one, nobody is asked for it, so that
    /// the challenge does not tell who is known.
    pub(super) without_sha256: BTreeMap<String, usize>,
    pub(super) locator: Locator,
    pub(super) trunks: BTreeMap<TrunkId, TrunkEntry>,
    pub(super) trunk_deadlines: Deadlines<TrunkId>,
    pub(super) probe_deadlines: Deadlines<TrunkId>,
    pub(super) pace_deadlines: Deadlines<TrunkId>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) session_deadlines: Deadlines<SessionId>,
    pub(super) dialogs: BTreeMap<DialogId, SessionId>,
    /// Incoming INVITEs not finally answered, by their transaction: what CANCEL looks for.
    pub(super) ringing: BTreeMap<TransactionId, SessionId>,
    pub(super) last_incoming: u64,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// Where the requests of subscribers find them.
    pub(super) subscription_dialogs: BTreeMap<DialogId, SubscriptionId>,
    pub(super) subscription_deadlines: Deadlines<SubscriptionId>,
    /// The transfer asked for within a session.
    pub(super) refers: BTreeMap<SessionId, SubscriptionId>,
    /// Who watches which device.
    pub(super) watchers: BTreeMap<AddressOfRecord, BTreeSet<SubscriptionId>>,
    /// Watched devices whose state may have changed.
    pub(super) touched: BTreeSet<AddressOfRecord>,
    pub(super) last_subscription: u64,
    /// Where the response being dealt with came from.
    pub(super) response_source: Option<SocketAddr>,
    /// How long the message being dealt with is.
    pub(super) asked_bytes: usize,
    /// Where answers to the request being dealt with go, if not where it came from.
    pub(super) answer_to: Option<SocketAddr>,
    /// Who has sent the request being dealt with, if it came through an edge.
    pub(super) asker: Option<SocketAddr>,
    pub(super) flows: Flows,
    pub(super) shutting_down: bool,
    out: VecDeque<Output>,
}

impl UserAgent {
    /// An idle user agent. All its randomness comes from the seed.
    pub fn new(mut config: UserAgentConfig, seed: [u8; 32]) -> Self {
        // Nobody on the network need know our version.
        config.product = config.product.split('/').next().unwrap_or_default().trim().to_owned();
        let mut random = Random::new(seed);
        Self {
            tag_secret: random.seed(),
            digest: DigestServer::new(random.seed(), config.limits.nonces),
            guard: Guard::new(config.limits.guard.clone()),
            registrar: Registrar::new(config.registrar.clone()),
            transactions: TransactionLayer::new(config.timers.clone(), config.limits.transactions),
            owners: BTreeMap::new(),
            devices: BTreeMap::new(),
            realms: BTreeMap::new(),
            without_sha256: BTreeMap::new(),
            trunks: BTreeMap::new(),
            trunk_deadlines: Deadlines::new(),
            probe_deadlines: Deadlines::new(),
            pace_deadlines: Deadlines::new(),
            locator: locator(&config.listeners, random.seed()),
            sessions: BTreeMap::new(),
            session_deadlines: Deadlines::new(),
            dialogs: BTreeMap::new(),
            ringing: BTreeMap::new(),
            last_incoming: 0,
            subscriptions: BTreeMap::new(),
            subscription_dialogs: BTreeMap::new(),
            subscription_deadlines: Deadlines::new(),
            refers: BTreeMap::new(),
            watchers: BTreeMap::new(),
            touched: BTreeSet::new(),
            last_subscription: 0,
            response_source: None,
            asked_bytes: 0,
            answer_to: None,
            asker: None,
            flows: Flows::default(),
            shutting_down: false,
            out: VecDeque::new(),
            config,
            random,
        }
    }

    /// Takes a datagram that came to the first UDP listener.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        if let Some(local) = self.listener_for(Transport::Udp, datagram.source).map(|listener| listener.local)
        {
            self.take(now, Hop::udp(local, datagram.source), datagram.payload);
        }
    }

    /// Takes a message, however it came.
    pub(super) fn take(&mut self, now: Instant, source: Hop, payload: &[u8]) {
        self.receive(now, source, payload);
        self.drain_transactions(now);
        self.response_source = None;
        self.answer_to = None;
        self.asker = None;
    }

    /// Carries out an order.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::PutDevice(account) => {
                self.realms.insert(account.aor.domain.clone(), account.realm.clone());
                self.count_hashes(&account.aor, Some(&account));
                self.devices.insert(account.aor.clone(), account);
            }
            Command::RemoveDevice(device) => {
                self.count_hashes(&device, None);
                self.devices.remove(&device);
                self.end_subscriptions_of(now, &device);
                let change = self.registrar.remove(&device);
                self.report_bindings(change);
            }
            Command::RestoreBinding(stored) => {
                let remote = stored.source;
                if let Some(listener) = self.listener_for(stored.transport, remote) {
                    let (transport, local) = (stored.transport, listener.local);
                    self.registrar.restore(now, *stored, Hop { transport, local, remote, flow: None });
                }
            }
            Command::PutTrunk(trunk) => self.put_trunk(now, *trunk),
            Command::RemoveTrunk(trunk) => self.remove_trunk(now, trunk),
            Command::Invite(invite) => self.invite(now, *invite),
            Command::Provisional { session, status, body } => self.provisional(now, session, status, body),
            Command::Accept { session, body } => self.accept(now, session, body),
            Command::Reject { session, status } => self.reject(now, session, status),
            Command::HangUp { session } => self.hang_up(now, session),
            Command::AnswerOffer { session, body } => self.answer_offer(now, session, body),
            Command::Offer { session, body } => self.offer(now, session, body),
            Command::ProbeTrunk { trunk, every } => self.probe_trunk(now, trunk, every),
            Command::ProbeNow(trunk) => self.probe_now(now, trunk),
            Command::Ban { address, duration } if duration.is_zero() => self.guard.lift(address),
            Command::Ban { address, duration } => {
                self.guard.ban(now, address, duration);
            }
            Command::Check { session } => self.check(now, session),
            Command::AnswerRefer { refer, answer } => self.answer_refer(now, refer, answer),
            Command::ReferProgress { refer, status, reason } => {
                self.refer_progress(now, refer, status, &reason);
            }
            Command::AnswerSubscribe { subscription, answer } => {
                self.answer_subscription(now, subscription, answer);
            }
            Command::Notify { subscription, body } => self.notify(now, subscription, body),
            Command::EndSubscription { subscription } => self.end_subscription(now, subscription),
            Command::Message { device, text } => self.send_message(now, device, text),
            Command::Shutdown => self.shutdown(now),
        }
        self.drain_transactions(now);
    }

    /// Does everything whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        self.drain_transactions(now);
        while let Some(session) = self.session_deadlines.take_due(now) {
            self.session_timeout(now, session);
        }
        while let Some(trunk) = self.trunk_deadlines.take_due(now) {
            self.register_with_trunk(now, trunk);
        }
        while let Some(trunk) = self.probe_deadlines.take_due(now) {
            self.probe_due(now, trunk);
        }
        while let Some(trunk) = self.pace_deadlines.take_due(now) {
            self.invite_waiting(now, trunk);
        }
        while let Some(subscription) = self.subscription_deadlines.take_due(now) {
            self.subscription_due(now, subscription);
        }
        for device in self.registrar.handle_timeout(now) {
            self.touch(&device);
            self.emit(Event::RegistrationExpired { device });
        }
        self.drain_transactions(now);
    }

    /// The next output: datagrams and events in the order in which they arose, then the next instant.
    pub fn poll_output(&mut self) -> Output {
        if let Some(question) = self.locator.poll_question() {
            return Output::Resolve(question);
        }
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.next_timeout()))
    }

    /// The bindings of a device, oldest first.
    pub fn bindings(&self, device: &AddressOfRecord) -> Vec<BindingInfo> {
        self.registrar.bindings(device)
    }

    /// The addresses that get no answer, and until when.
    pub fn bans(&self, now: Instant) -> Vec<(IpAddr, Instant)> {
        self.guard.bans(now)
    }

    /// The name servers have answered a question, or have not.
    pub fn handle_answer(&mut self, now: Instant, question: &Question, answer: Result<Answer, LookupFailed>) {
        self.locator.handle_answer(now, question, answer);
        self.register_where_located(now);
        self.drain_transactions(now);
    }

    /// How much is held at this moment.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.transactions.len(),
            dialogs: self.dialogs.len(),
            sessions: self.sessions.len(),
            subscriptions: self.subscriptions.len(),
            bindings: self.registrar.len(),
            connections: self.flows.len(),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let all = [
            self.transactions.next_timeout(),
            self.session_deadlines.next(),
            self.trunk_deadlines.next(),
            self.probe_deadlines.next(),
            self.pace_deadlines.next(),
            self.registrar.next_timeout(),
            self.subscription_deadlines.next(),
        ];
        all.into_iter().flatten().min()
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(super) fn report_bindings(&mut self, changes: impl IntoIterator<Item = BindingChange>) {
        for change in changes {
            match &change {
                BindingChange::Registered(info) => self.touch(&info.device),
                BindingChange::Unregistered(device) => self.touch(device),
            }
            self.emit(match change {
                BindingChange::Registered(info) => Event::Registered(*info),
                BindingChange::Unregistered(device) => Event::Unregistered { device },
            });
        }
    }

    /// Moves what the transactions put out, and lets their users react, until all is quiet.
    pub(super) fn drain_transactions(&mut self, now: Instant) {
        self.drain_once(now);
        while !self.touched.is_empty() {
            self.tell_watchers(now);
            self.drain_once(now);
        }
    }

    fn drain_once(&mut self, now: Instant) {
        while let Some(output) = self.transactions.poll_output() {
            match output {
                TransactionOutput::Transmit(transmit) => {
                    let hop = transmit.destination;
                    let connect = hop.flow.and_then(|flow| self.flows.connect(flow, hop.local));
                    self.out.extend(connect.map(Output::Connect));
                    self.out.push_back(Output::Transmit(transmit));
                }
                TransactionOutput::Event(id, event) => self.transaction_event(now, id, event),
            }
        }
    }

    fn transaction_event(&mut self, now: Instant, id: TransactionId, event: TuEvent) {
        match event {
            TuEvent::Response(response) => self.client_response(now, id, *response),
            TuEvent::TimedOut | TuEvent::TransportFailed => self.client_timed_out(now, id),
            // A refusal that is never acknowledged changes nothing for anybody.
            TuEvent::NoAck => {}
            TuEvent::Terminated => {
                self.owners.remove(&id);
                self.ringing.remove(&id);
            }
        }
    }

    fn client_response(&mut self, now: Instant, id: TransactionId, response: Received<Response>) {
        match self.owners.get(&id) {
            Some(Owner::Invite { session, .. }) => self.invite_response(now, id, *session, response),
            Some(Owner::Bye { session }) => {
                if let (Some(session), true) = (*session, response.message.is_final()) {
                    self.bye_response(now, session, &response);
                }
            }
            Some(Owner::Register(_)) => self.register_response(now, id, &response),
            Some(Owner::Reinvite(_)) => self.reinvite_response(now, id, &response),
            Some(Owner::Update(_)) => self.update_response(now, id, &response),
            Some(Owner::Probe(trunk)) => self.probe_response(now, id, *trunk, &response),
            Some(Owner::Check(session)) => self.check_response(*session, &response),
            Some(Owner::Notify(subscription)) => self.notify_response(now, *subscription, &response),
            Some(Owner::Ask { device, text }) if response.message.is_final() => {
                let asked = (device.clone(), text.clone());
                self.asked_response(now, asked, &response);
            }
            Some(Owner::Text(device)) if response.message.is_final() => {
                let (device, status) = (device.clone(), Some(response.message.status));
                self.emit(Event::MessageOver { device, status });
            }
            Some(Owner::Ask { .. } | Owner::Text(_) | Owner::Silent) | None => {}
        }
    }

    fn client_timed_out(&mut self, now: Instant, id: TransactionId) {
        match self.owners.get(&id) {
            Some(Owner::Invite { session, .. }) => {
                let session = *session;
                let waits = self.sessions.get(&session).is_some_and(|it| it.waits_for(id));
                if waits && !self.try_next_hop(now, session) {
                    self.end(session, EndCause::NoResponse);
                    self.forget(session);
                }
            }
            Some(Owner::Bye { session: Some(session) }) => {
                let session = *session;
                self.forget(session);
            }
            Some(Owner::Register(registering)) if !registering.removing => {
                let trunk = registering.trunk.id;
                self.rotate(trunk);
                self.registration_failed(now, trunk, None, None);
            }
            Some(Owner::Register(removing)) => {
                let trunk = removing.trunk.id;
                self.release_registration(now, trunk);
            }
            Some(Owner::Reinvite(reinvite)) => self.reinvite_timed_out(now, id, reinvite.session),
            Some(Owner::Update(updating)) => self.session_lost(now, updating.session),
            Some(Owner::Probe(trunk)) => {
                let trunk = *trunk;
                self.probe_timed_out(id, trunk);
            }
            Some(Owner::Notify(subscription)) => {
                let subscription = *subscription;
                self.drop_subscription(subscription);
            }
            Some(Owner::Ask { device, .. } | Owner::Text(device)) => {
                let device = device.clone();
                self.emit(Event::MessageOver { device, status: None });
            }
            Some(Owner::Bye { session: None } | Owner::Check(_) | Owner::Silent) | None => {}
        }
    }

    fn session_timeout(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        match &session.state {
            SessionState::Calling(calling) => {
                if let CancelState::Sent { give_up } = calling.cancel
                    && give_up <= now
                {
                    let transaction = calling.transaction;
                    self.transactions.abandon(transaction);
                    self.end(id, EndCause::LocalHangUp);
                    self.forget(id);
                } else {
                    self.patience_over(now, id);
                }
            }
            SessionState::Incoming(_) => self.repeat_provisional(now, id),
            SessionState::Established(_) => self.established_timeout(now, id),
            SessionState::Releasing(_) => {}
        }
    }

    /// Says once that a session is over.
    pub(super) fn end(&mut self, id: SessionId, cause: EndCause) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !std::mem::replace(&mut session.ended, true) {
            self.emit(Event::Ended { session: id, cause });
        }
    }

    /// Drops all that is kept of a session.
    pub(super) fn forget(&mut self, id: SessionId) {
        self.session_deadlines.set(&id, None);
        self.touch_session(id);
        self.keep_dialog(id);
        let Some(session) = self.sessions.remove(&id) else { return };
        for dialog in session.dialog_ids() {
            self.dialogs.remove(dialog);
        }
    }

    /// After any change of a session: notes its next deadline.
    pub(super) fn settle(&mut self, id: SessionId) {
        self.touch_session(id);
        let next = self.sessions.get(&id).and_then(Session::next_timeout);
        self.session_deadlines.set(&id, next);
    }

    fn shutdown(&mut self, now: Instant) {
        self.shutting_down = true;
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.hang_up(now, session);
        }
        let subscriptions: Vec<SubscriptionId> = self.subscriptions.keys().copied().collect();
        for subscription in subscriptions {
            self.end_for(now, subscription, "deactivated");
        }
        let trunks: Vec<TrunkId> = self.trunks.keys().copied().collect();
        for trunk in trunks {
            self.drop_all_waiting(trunk);
            self.stop_registration(now, trunk);
            self.probe_trunk(now, trunk, None);
        }
    }
}

/// What can be spoken, the best liked first: UDP where there is a socket for it, and connections, which we can always make.
fn locator(listeners: &[Listener], seed: [u8; 32]) -> Locator {
    let udp = listeners.iter().any(|listener| listener.transport == Transport::Udp);
    let first = udp.then_some(Transport::Udp);
    let transports = first.into_iter().chain([Transport::Tcp, Transport::Tls]).collect();
    let ipv4 = listeners.iter().any(|listener| listener.local.is_ipv4());
    let ipv6 = listeners.iter().any(|listener| listener.local.is_ipv6());
    Locator::new(transports, ipv4, ipv6, seed)
}
