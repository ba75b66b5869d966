//! A desk phone: registers with digest, answers, declines or never answers, shows who calls, places calls.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::error::LabResult;
use crate::g711::Codec;
use crate::shared::lock;
use crate::sip::agent::{Agent, AgentConfig, Counts, Outgoing, Registration};
use crate::sip::call::{Call, Script};
use crate::sip::digest::Credentials;
use crate::voice::Voice;

/// What a phone is.
#[derive(Debug, Clone)]
pub struct PhoneConfig {
    /// Device name, user part of its address and digest user.
    pub user: String,
    /// Digest password.
    pub password: String,
    /// Domain of its address of record.
    pub domain: String,
    /// Where it registers and sends its calls.
    pub registrar: SocketAddr,
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// Display name of its own calls.
    pub display_name: String,
    /// The tone it speaks with.
    pub tone: u32,
}

impl PhoneConfig {
    /// A phone on a free loopback port.
    pub fn new(user: &str, password: &str, domain: &str, registrar: SocketAddr, tone: u32) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            domain: domain.to_owned(),
            registrar,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            display_name: user.to_owned(),
            tone,
        }
    }
}

/// A running phone.
pub struct Phone {
    /// The user agent behind it.
    pub agent: Arc<Agent>,
    /// What it says in every call.
    pub voice: Voice,
    config: PhoneConfig,
    script: Arc<Mutex<Script>>,
    refresh: Mutex<Option<JoinHandle<()>>>,
}

impl Phone {
    /// Starts a phone that answers after 300 ms; it is not registered yet.
    ///
    /// # Errors
    /// When its address cannot be bound.
    pub async fn start(config: PhoneConfig) -> LabResult<Self> {
        let voice = Voice::steady(config.tone);
        let script = Arc::new(Mutex::new(Script::answer(Duration::from_millis(300), voice.clone())));
        let shared = Arc::clone(&script);
        let agent = Agent::start(AgentConfig {
            listen: config.listen,
            behaviour: Box::new(move |_| lock(&shared).clone()),
            challenge: None,
            accounts: Vec::new(),
            realm: config.domain.clone(),
        })
        .await?;
        Ok(Self { agent, voice, config, script, refresh: Mutex::default() })
    }

    /// How it meets the next call.
    pub fn set_script(&self, script: Script) {
        *lock(&self.script) = script;
    }

    /// Answers with its own tone after `after`.
    pub fn answer_after(&self, after: Duration) {
        self.set_script(Script::answer(after, self.voice.clone()));
    }

    /// Registers for `expires` seconds and keeps refreshing at half time; returns the seconds granted.
    ///
    /// # Errors
    /// When the registrar refuses or does not answer.
    pub async fn register(&self, expires: u32) -> LabResult<u32> {
        self.stop_refreshing();
        let registration = self.registration(expires);
        let granted = self.agent.register(&registration).await?;
        let weak = Arc::downgrade(&self.agent);
        let pause = Duration::from_secs(u64::from((granted / 2).max(1)));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(agent) = weak.upgrade() else { return };
                // A registrar that is away now may be back at the next refresh.
                let _ = agent.register(&registration).await;
            }
        });
        *lock(&self.refresh) = Some(task);
        Ok(granted)
    }

    /// Removes its binding.
    ///
    /// # Errors
    /// When the registrar refuses or does not answer.
    pub async fn unregister(&self) -> LabResult<()> {
        self.stop_refreshing();
        self.agent.register(&self.registration(0)).await.map(|_| ())
    }

    fn stop_refreshing(&self) {
        if let Some(task) = lock(&self.refresh).take() {
            task.abort();
        }
    }

    fn registration(&self, expires: u32) -> Registration {
        Registration {
            registrar: self.config.registrar,
            domain: self.config.domain.clone(),
            credentials: self.credentials(),
            expires,
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(&self.config.user, &self.config.password)
    }

    /// Calls `user` at the phone's domain (a meeting number, an alias).
    ///
    /// # Errors
    /// When no RTP port can be bound.
    pub async fn call(&self, user: &str) -> LabResult<Arc<Call>> {
        self.call_with(user, &[Codec::Pcmu, Codec::Pcma]).await
    }

    /// Calls `user` and offers these codecs only.
    ///
    /// # Errors
    /// When no RTP port can be bound.
    pub async fn call_with(&self, user: &str, codecs: &[Codec]) -> LabResult<Arc<Call>> {
        let PhoneConfig { user: own, domain, display_name, registrar, .. } = &self.config;
        let outgoing = Outgoing {
            uri: format!("sip:{user}@{domain}"),
            destination: *registrar,
            from: format!("\"{display_name}\" <sip:{own}@{domain}>"),
            asserted: None,
            identity: None,
            credentials: Some(self.credentials()),
            script: Script { codecs: codecs.to_vec(), ..Script::answer(Duration::ZERO, self.voice.clone()) },
        };
        self.agent.call(outgoing).await
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.agent.calls()
    }

    /// Requests received so far.
    pub fn counts(&self) -> Counts {
        self.agent.counts()
    }

    /// The `number`-th incoming call (0 is the first), once it exists.
    ///
    /// # Errors
    /// When it does not come within `timeout`.
    pub async fn wait_incoming(&self, number: usize, timeout: Duration) -> LabResult<Arc<Call>> {
        let what = format!("call {} to phone {}", number + 1, self.config.user);
        self.agent.wait_call(&what, timeout, |_| self.incoming().len() > number).await?;
        Ok(Arc::clone(&self.incoming()[number]))
    }

    fn incoming(&self) -> Vec<Arc<Call>> {
        self.calls().into_iter().filter(|call| call.facts.incoming).collect()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.stop_refreshing();
    }
}
