//! A carrier in a box: a trunk peer whose callees behave by number, and a registrar for trunks that register.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::LabResult;
use crate::rtp_leg::KeyPress;
use crate::shared::lock;
use crate::sip::agent::{Agent, AgentConfig, Counts, Outgoing};
use crate::sip::call::{Call, CallFacts, Script};
use crate::sip::digest::Credentials;
use crate::tone;
use crate::voice::{Segment, Voice};

/// Presses 1 two seconds after answering.
pub const PRESSES_ONE: &str = "+12025550177";
/// Answers and presses nothing.
pub const ANSWERS: &str = "+12025550110";
/// 486.
pub const BUSY: &str = "+12025550120";
/// 603.
pub const DECLINED: &str = "+12025550121";
/// Rings for ever.
pub const NO_ANSWER: &str = "+12025550122";
/// 404.
pub const NOT_FOUND: &str = "+12025550123";
/// 480.
pub const UNAVAILABLE: &str = "+12025550124";
/// 503.
pub const TROUBLE: &str = "+12025550125";
/// 484.
pub const INCOMPLETE: &str = "+12025550126";
/// Greeting, beep, and never a key.
pub const VOICEMAIL: &str = "+12025550130";

/// A callee: given afresh for every call.
pub type Callee = Arc<dyn Fn(&CallFacts) -> Script + Send + Sync>;

/// What a carrier is.
#[derive(Debug, Clone)]
pub struct CarrierConfig {
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// Asked of every caller (407) when set.
    pub challenge: Option<Credentials>,
    /// Trunks that may register.
    pub accounts: Vec<Credentials>,
}

impl CarrierConfig {
    /// A carrier on `listen` that trusts by address.
    pub const fn new(listen: SocketAddr) -> Self {
        Self { listen, challenge: None, accounts: Vec::new() }
    }
}

/// A running carrier.
pub struct Carrier {
    /// The user agent behind it.
    pub agent: Arc<Agent>,
    callees: Arc<Mutex<BTreeMap<String, Callee>>>,
}

impl Carrier {
    /// Starts a carrier with the usual callees; unknown numbers get 404.
    ///
    /// # Errors
    /// When its address cannot be bound.
    pub async fn start(config: CarrierConfig) -> LabResult<Self> {
        let callees = Arc::new(Mutex::new(usual_callees()));
        let shared = Arc::clone(&callees);
        let agent = Agent::start(AgentConfig {
            listen: config.listen,
            behaviour: Box::new(move |facts| {
                let callee = lock(&shared).get(&facts.request_user).cloned();
                callee.map_or_else(|| Script::refuse(404, false), |callee| callee(facts))
            }),
            challenge: config.challenge,
            accounts: config.accounts,
            realm: "carrier.test".to_owned(),
        })
        .await?;
        Ok(Self { agent, callees })
    }

    /// The bound address.
    pub fn local(&self) -> SocketAddr {
        self.agent.local()
    }

    /// Puts somebody at `number`.
    pub fn set_callee(&self, number: &str, callee: impl Fn(&CallFacts) -> Script + Send + Sync + 'static) {
        lock(&self.callees).insert(number.to_owned(), Arc::new(callee));
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.agent.calls()
    }

    /// The calls to `number`, oldest first.
    pub fn calls_to(&self, number: &str) -> Vec<Arc<Call>> {
        self.calls().into_iter().filter(|call| call.facts.request_user == number).collect()
    }

    /// The first call to `number`, once it exists.
    ///
    /// # Errors
    /// When it does not come within `timeout`.
    pub async fn wait_call_to(&self, number: &str, timeout: Duration) -> LabResult<Arc<Call>> {
        let what = format!("to {number} at the carrier");
        self.agent.wait_call(&what, timeout, |call| call.facts.request_user == number).await
    }

    /// Requests received so far.
    pub fn counts(&self) -> Counts {
        self.agent.counts()
    }

    /// Calls that are not over.
    pub fn open_calls(&self) -> usize {
        self.calls().iter().filter(|call| !call.is_over()).count()
    }

    /// Calls `user` at the gateway, as the outside number `from`.
    ///
    /// # Errors
    /// When no RTP port can be bound.
    pub async fn call_in(
        &self,
        gateway: SocketAddr,
        user: &str,
        from: &str,
        hz: u32,
    ) -> LabResult<Arc<Call>> {
        let identity = format!("<sip:{from}@{}>", self.local());
        let outgoing = Outgoing {
            uri: format!("sip:{user}@{gateway}"),
            destination: gateway,
            from: identity.clone(),
            asserted: Some(identity),
            credentials: None,
            script: Script::answer(Duration::ZERO, Voice::steady(hz)),
        };
        self.agent.call(outgoing).await
    }
}

/// Speaks with `hz` and presses `key` so long after the answer.
pub fn person_who_presses(key: KeyPress, after: Duration, hz: u32) -> Script {
    Script::answer(Duration::from_millis(500), Voice::steady(hz)).pressing(after, key)
}

/// Greets for three seconds, beeps for half a second, then records in silence and never presses a key.
pub fn voicemail() -> Script {
    let greeting = Segment { hz: Some(tone::GREETING), duration: Some(Duration::from_secs(3)) };
    let beep = Segment { hz: Some(tone::BEEP), duration: Some(Duration::from_millis(500)) };
    Script::answer(Duration::from_millis(500), Voice::sequence([greeting, beep]))
}

fn usual_callees() -> BTreeMap<String, Callee> {
    let refusals = [
        (BUSY, 486, true),
        (DECLINED, 603, true),
        (NOT_FOUND, 404, false),
        (UNAVAILABLE, 480, true),
        (TROUBLE, 503, false),
        (INCOMPLETE, 484, false),
    ];
    let mut callees: BTreeMap<String, Callee> = refusals
        .into_iter()
        .map(|(number, status, rings)| {
            let callee: Callee = Arc::new(move |_: &CallFacts| Script::refuse(status, rings));
            (number.to_owned(), callee)
        })
        .collect();
    let mut put = |number: &str, callee: Callee| callees.insert(number.to_owned(), callee);
    let two_seconds = Duration::from_secs(2);
    put(PRESSES_ONE, Arc::new(move |_| person_who_presses(KeyPress::new('1'), two_seconds, tone::OUTSIDE)));
    put(ANSWERS, Arc::new(|_| Script::answer(Duration::from_millis(500), Voice::steady(tone::BYSTANDER))));
    put(NO_ANSWER, Arc::new(|_| Script::ring()));
    put(VOICEMAIL, Arc::new(|_| voicemail()));
    callees
}
