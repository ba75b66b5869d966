//! Everything behind one endpoint: who may call, what is answered, registrations both ways, counters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rsip::Method;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::call::{Call, CallFacts, Script};
use super::digest::{self, Challenge, Credentials};
use super::endpoint::{Endpoint, Incoming};
use super::incoming::{self, Task};
use super::message::{self, NameAddr, RequestParts};
use super::outgoing;
pub use super::outgoing::Outgoing;
use crate::error::{LabError, LabResult};
use crate::rtp_leg::RtpLeg;
use crate::shared::{lock, token};

/// Decides how an INVITE is met.
pub type Behaviour = dyn Fn(&CallFacts) -> Script + Send + Sync;

/// What an agent is.
pub struct AgentConfig {
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// How it meets an INVITE.
    pub behaviour: Box<Behaviour>,
    /// Asked of every caller (407) when set.
    pub challenge: Option<Credentials>,
    /// Accounts that may register here.
    pub accounts: Vec<Credentials>,
    /// Realm of its own challenges.
    pub realm: String,
}

/// A registration an agent keeps at a registrar.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Where REGISTER goes.
    pub registrar: SocketAddr,
    /// Domain of the address of record.
    pub domain: String,
    /// User and password.
    pub credentials: Credentials,
    /// Seconds asked for; 0 removes the binding.
    pub expires: u32,
}

/// Requests that began something, without repetitions.
#[derive(Debug, Default)]
pub struct Counters {
    invites: AtomicU64,
    challenged: AtomicU64,
    cancels: AtomicU64,
    byes: AtomicU64,
    registers: AtomicU64,
}

/// A reading of [`Counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// INVITEs that began a call.
    pub invites: u64,
    /// INVITEs answered with 407.
    pub challenged: u64,
    /// CANCELs.
    pub cancels: u64,
    /// BYEs received.
    pub byes: u64,
    /// REGISTERs accepted.
    pub registers: u64,
}

/// A binding at the lab's own registrar.
#[derive(Debug, Clone)]
pub struct LabBinding {
    /// The contact URI.
    pub contact: String,
    /// Where REGISTER came from.
    pub source: SocketAddr,
    /// Seconds granted.
    pub expires: u32,
    /// When.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct RegistrationState {
    call_id: Option<String>,
    cseq: u32,
    challenge: Option<(Challenge, u32)>,
}

/// A SIP user agent of the lab.
pub struct Agent {
    pub(super) endpoint: Arc<Endpoint>,
    config: AgentConfig,
    calls: Mutex<Vec<Arc<Call>>>,
    call_count: watch::Sender<usize>,
    routes: Mutex<BTreeMap<String, mpsc::UnboundedSender<Incoming>>>,
    counters: Counters,
    bindings: Mutex<BTreeMap<String, LabBinding>>,
    nonces: Mutex<Vec<String>>,
    registration: tokio::sync::Mutex<RegistrationState>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Agent {
    /// Binds and begins to serve.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: AgentConfig) -> LabResult<Arc<Self>> {
        let what = format!("binding SIP on {}", config.listen);
        let (endpoint, mut requests) = Endpoint::bind(config.listen).await.map_err(LabError::io(what))?;
        let agent = Arc::new(Self {
            endpoint,
            config,
            calls: Mutex::default(),
            call_count: watch::Sender::new(0),
            routes: Mutex::default(),
            counters: Counters::default(),
            bindings: Mutex::default(),
            nonces: Mutex::default(),
            registration: tokio::sync::Mutex::default(),
            task: Mutex::default(),
        });
        let weak = Arc::downgrade(&agent);
        let task = tokio::spawn(async move {
            while let Some(incoming) = requests.recv().await {
                let Some(agent) = weak.upgrade() else { return };
                agent.serve(incoming).await;
            }
        });
        *lock(&agent.task) = Some(task);
        Ok(agent)
    }

    /// The bound address.
    pub fn local(&self) -> SocketAddr {
        self.endpoint.local()
    }

    /// A Contact value for `user`.
    pub fn contact(&self, user: &str) -> String {
        format!("<sip:{user}@{}>", self.endpoint.local())
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        lock(&self.calls).clone()
    }

    /// Requests received so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            invites: read(&self.counters.invites),
            challenged: read(&self.counters.challenged),
            cancels: read(&self.counters.cancels),
            byes: read(&self.counters.byes),
            registers: read(&self.counters.registers),
        }
    }

    /// Bindings at this agent as a registrar, by user.
    pub fn bindings(&self) -> BTreeMap<String, LabBinding> {
        lock(&self.bindings).clone()
    }

    /// Waits until `wanted` is true for some call and returns it.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_call(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&Call) -> bool + Send,
    ) -> LabResult<Arc<Call>> {
        let mut count = self.call_count.subscribe();
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            count.mark_unchanged();
            if let Some(call) = self.calls().into_iter().find(|call| wanted(call)) {
                return Ok(call);
            }
            if tokio::time::timeout_at(deadline, count.changed()).await.is_err() {
                return Err(LabError::Timeout(format!("a call: {what}")));
            }
        }
    }

    /// Places a call; it is in [`CallState::Calling`](super::call::CallState::Calling) when this returns.
    ///
    /// # Errors
    /// When no RTP port can be bound or the URI is none.
    pub async fn call(self: &Arc<Self>, outgoing: Outgoing) -> LabResult<Arc<Call>> {
        let call = outgoing::start(self, outgoing).await?;
        self.remember(&call);
        Ok(call)
    }

    fn remember(&self, call: &Arc<Call>) {
        let mut calls = lock(&self.calls);
        calls.push(Arc::clone(call));
        self.call_count.send_replace(calls.len());
    }

    /// Opens the inbox of a call.
    pub(super) fn route(&self, call: &Call) -> mpsc::UnboundedReceiver<Incoming> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut routes = lock(&self.routes);
        routes.retain(|_, route| !route.is_closed());
        routes.insert(call.facts.call_id.clone(), sender);
        receiver
    }

    /// Its cable is pulled: from now on it answers nothing and sends no sound.
    pub fn die(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        self.calls().iter().for_each(|call| call.leg.disconnect());
    }

    async fn serve(self: &Arc<Self>, incoming: Incoming) {
        let method = incoming.request.method;
        let call_id = message::value(&incoming.request.headers, "Call-ID").unwrap_or_default();
        let counter = match method {
            Method::Cancel => Some(&self.counters.cancels),
            Method::Bye => Some(&self.counters.byes),
            _ => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let route = lock(&self.routes).get(&call_id).cloned();
        let unrouted = match route {
            Some(route) => match route.send(incoming) {
                Ok(()) => return,
                Err(returned) => returned.0,
            },
            None => incoming,
        };
        let to = message::value(&unrouted.request.headers, "To").unwrap_or_default();
        match method {
            Method::Ack => {}
            _ if NameAddr::parse(&to).tag.is_some() || method == Method::Cancel => {
                self.reply(&unrouted, 481, &[]).await
            }
            Method::Invite => self.invited(unrouted).await,
            Method::Register => self.registered(&unrouted).await,
            Method::Options => self.reply(&unrouted, 200, &[]).await,
            _ => self.reply(&unrouted, 405, &[]).await,
        }
    }

    async fn reply(&self, incoming: &Incoming, status: u16, extra: &[(&str, String)]) {
        let response = message::response(&incoming.request, incoming.source, status, &token(), extra, None);
        self.endpoint.respond(incoming, &response).await;
    }

    async fn invited(self: &Arc<Self>, incoming: Incoming) {
        if let Some(credentials) = &self.config.challenge
            && !self.authorized(&incoming, "Proxy-Authorization", std::slice::from_ref(credentials))
        {
            self.counters.challenged.fetch_add(1, Ordering::Relaxed);
            return self.challenge(&incoming, 407, "Proxy-Authenticate").await;
        }
        self.counters.invites.fetch_add(1, Ordering::Relaxed);
        let facts = CallFacts::read(&incoming.request, true, incoming.source, incoming.at);
        let script = (self.config.behaviour)(&facts);
        let Ok(leg) = RtpLeg::bind(self.endpoint.local().ip(), script.voice.clone()).await else {
            return self.reply(&incoming, 500, &[]).await;
        };
        let (call, commands) = Call::new(facts, leg);
        let call = Arc::new(call);
        let inbox = self.route(&call);
        self.remember(&call);
        let task = Task { agent: Arc::clone(self), call, inbox, commands, script, tag: token() };
        tokio::spawn(incoming::run(task, incoming));
    }

    async fn challenge(&self, incoming: &Incoming, status: u16, header: &str) {
        let challenge = Challenge::fresh(&self.config.realm);
        lock(&self.nonces).push(challenge.nonce.clone());
        self.reply(incoming, status, &[(header, challenge.header())]).await;
    }

    /// A digest over one of our own nonces, by somebody in `accounts`.
    fn authorized(&self, incoming: &Incoming, header: &str, accounts: &[Credentials]) -> bool {
        let Some(text) = message::value(&incoming.request.headers, header) else { return false };
        let method = incoming.request.method.to_string();
        let known = lock(&self.nonces).iter().any(|nonce| text.contains(&format!("nonce=\"{nonce}\"")));
        known && accounts.iter().any(|account| digest::verify(&text, account, &method))
    }

    async fn registered(&self, incoming: &Incoming) {
        if !self.authorized(incoming, "Authorization", &self.config.accounts) {
            return self.challenge(incoming, 401, "WWW-Authenticate").await;
        }
        self.counters.registers.fetch_add(1, Ordering::Relaxed);
        let header = |name: &str| message::value(&incoming.request.headers, name);
        let user = NameAddr::parse(&header("To").unwrap_or_default()).user().to_owned();
        let contact = header("Contact").unwrap_or_default();
        let asked = message::parameter(&contact, "expires").or_else(|| header("Expires"));
        let expires = asked.and_then(|asked| asked.parse().ok()).unwrap_or(3600);
        let binding = LabBinding {
            contact: NameAddr::parse(&contact).uri,
            source: incoming.source,
            expires,
            at: Instant::now(),
        };
        let answer = format!("<{}>;expires={expires}", binding.contact);
        match expires {
            0 => {
                lock(&self.bindings).remove(&user);
            }
            _ => {
                lock(&self.bindings).insert(user, binding);
            }
        }
        self.reply(incoming, 200, &[("Contact", answer)]).await;
    }

    /// Registers once (or removes the binding with `expires` 0) and returns the seconds granted.
    ///
    /// # Errors
    /// When the registrar refuses or does not answer.
    pub async fn register(&self, registration: &Registration) -> LabResult<u32> {
        let mut state = self.registration.lock().await;
        for _ in 0..3 {
            let request = self.register_request(registration, &mut state)?;
            let mut answers = self.endpoint.send_request(request, registration.registrar);
            let answer = loop {
                match answers.recv().await {
                    Some(answer) if answer.status_code.code() >= 200 => break answer,
                    Some(_) => {}
                    None => return Err(LabError::Timeout("an answer to REGISTER".to_owned())),
                }
            };
            let status = answer.status_code.code();
            let challenge =
                message::value(&answer.headers, "WWW-Authenticate").and_then(|text| Challenge::parse(&text));
            match (status, challenge) {
                (200, _) => return Ok(granted(&answer, registration)),
                // A second challenge is only answered when the nonce was stale or new.
                (401, Some(challenge)) if state.challenge.is_none() || challenge.stale => {
                    state.challenge = Some((challenge, 0));
                }
                _ => {
                    state.challenge = None;
                    let what = format!("REGISTER of {}", registration.credentials.user);
                    return Err(LabError::Refused { what, status, detail: answer.status_code.to_string() });
                }
            }
        }
        Err(LabError::Other("REGISTER was challenged again and again".to_owned()))
    }

    fn register_request(
        &self,
        registration: &Registration,
        state: &mut RegistrationState,
    ) -> LabResult<rsip::Request> {
        let user = &registration.credentials.user;
        let uri = format!("sip:{}", registration.domain);
        let aor = format!("<sip:{user}@{}>", registration.domain);
        state.cseq += 1;
        let mut headers = vec![
            ("Contact".to_owned(), self.contact(user)),
            ("Expires".to_owned(), registration.expires.to_string()),
        ];
        if let Some((challenge, used)) = &mut state.challenge {
            *used += 1;
            let answer = challenge.answer(&registration.credentials, "REGISTER", &uri, *used);
            headers.push(("Authorization".to_owned(), answer));
        }
        let parts = RequestParts {
            method: Method::Register,
            uri,
            from: format!("{aor};tag={}", token()),
            to: aor,
            call_id: state.call_id.get_or_insert_with(token).clone(),
            cseq: state.cseq,
            headers,
            body: None,
        };
        message::request(self.endpoint.local(), &parts).map_err(LabError::other("building REGISTER"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

fn granted(answer: &rsip::Response, registration: &Registration) -> u32 {
    let contacts = message::values(&answer.headers, "Contact");
    let from_contact = contacts.iter().find_map(|contact| message::parameter(contact, "expires"));
    let text = from_contact.or_else(|| message::value(&answer.headers, "Expires"));
    text.and_then(|text| text.parse().ok()).unwrap_or(registration.expires)
}
