//! A carrier in a box: a trunk peer whose callees behave by number, and a registrar for trunks that register.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::LabResult;
use crate::rtp_leg::KeyPress;
use crate::script::{self, CalleeScript};
use crate::shared::lock;
use crate::sip::agent::{Agent, AgentConfig, Counts, Outgoing};
use crate::sip::call::{Call, CallFacts, Script};
use crate::sip::digest::Credentials;
use crate::voice::Voice;

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

    /// Puts everybody of a script at their numbers.
    pub fn set_script(&self, callees: Vec<CalleeScript>) {
        lock(&self.callees).extend(callees.into_iter().map(played));
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
        self.call_in_with(gateway, user, from, hz, None).await
    }

    /// The same, with an Identity header field (RFC 8224) of this value.
    ///
    /// # Errors
    /// When no RTP port can be bound.
    pub async fn call_in_with(
        &self,
        gateway: SocketAddr,
        user: &str,
        from: &str,
        hz: u32,
        identity: Option<String>,
    ) -> LabResult<Arc<Call>> {
        let caller = format!("<sip:{from}@{}>", self.local());
        let outgoing = Outgoing {
            uri: format!("sip:{user}@{gateway}"),
            destination: gateway,
            from: caller.clone(),
            asserted: Some(caller),
            identity,
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

/// A callee of a script.
fn played(callee: CalleeScript) -> (String, Callee) {
    let steps = callee.steps;
    (callee.number, Arc::new(move |_: &CallFacts| Script::of_steps(steps.clone())))
}

fn usual_callees() -> BTreeMap<String, Callee> {
    script::usual().into_iter().map(played).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::phone::{Phone, PhoneConfig};
    use crate::sip::call::{CallState, EndedBy};
    use crate::tone;

    const LONG: Duration = Duration::from_secs(5);

    async fn carrier() -> Carrier {
        Carrier::start(CarrierConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)))).await.unwrap()
    }

    async fn phone(carrier: &Carrier) -> Phone {
        let config = PhoneConfig::new("103a", "secret", "carrier.test", carrier.local(), tone::UMA);
        Phone::start(config).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_phone_and_a_callee_hear_each_other() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        let start = Instant::now();
        let call = phone.call(ANSWERS).await.unwrap();
        call.wait_confirmed(LONG).await.unwrap();
        assert!(call.ear().wait_for(tone::BYSTANDER, start, LONG).await.is_some());
        let callee = carrier.wait_call_to(ANSWERS, LONG).await.unwrap();
        assert!(callee.ear().wait_for(tone::UMA, start, LONG).await.is_some());
        assert_eq!(callee.facts.from.user(), "103a");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let heard: Vec<u32> = call.ear().heard_since(start).iter().map(|one| one.hz).collect();
        assert_eq!(heard, [tone::BYSTANDER]);
        call.hang_up();
        assert_eq!(callee.wait_ended(LONG).await.unwrap(), EndedBy::RemoteBye);
        assert_eq!(call.wait_ended(LONG).await.unwrap(), EndedBy::LocalBye);
        assert_eq!((carrier.counts().invites, carrier.counts().byes), (1, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_refusal_arrives_as_its_status() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        let refusals = [
            (BUSY, 486),
            (DECLINED, 603),
            (NOT_FOUND, 404),
            (UNAVAILABLE, 480),
            (TROUBLE, 503),
            (INCOMPLETE, 484),
            ("+12025550199", 404),
        ];
        for (number, status) in refusals {
            let call = phone.call(number).await.unwrap();
            assert_eq!(call.wait_ended(LONG).await.unwrap(), EndedBy::Refused(status), "{number}");
        }
        // The carrier's side of the last one is over when its ACK has come, a moment after the phone's.
        let all_over = async {
            while carrier.open_calls() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, all_over).await.expect("no call stays open");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_ringing_call_is_cancelled() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        let call = phone.call(NO_ANSWER).await.unwrap();
        call.wait_until("ringing", LONG, |state| state == CallState::Ringing).await.unwrap();
        call.hang_up();
        assert_eq!(call.wait_ended(LONG).await.unwrap(), EndedBy::Cancelled);
        let callee = carrier.wait_call_to(NO_ANSWER, LONG).await.unwrap();
        assert_eq!(callee.wait_ended(LONG).await.unwrap(), EndedBy::Cancelled);
        assert_eq!(carrier.counts().cancels, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn voicemail_greets_beeps_and_falls_silent() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        let start = Instant::now();
        let call = phone.call(VOICEMAIL).await.unwrap();
        call.wait_confirmed(LONG).await.unwrap();
        assert!(call.ear().wait_for(tone::BEEP, start, Duration::from_secs(8)).await.is_some());
        let heard = call.ear().heard_since(start);
        let greeting = heard.iter().find(|one| one.hz == tone::GREETING).unwrap();
        assert!((2_800..3_200).contains(&greeting.duration.as_millis()), "{greeting:?}");
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(call.ear().peak_since(Instant::now() - Duration::from_millis(100)), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_challenging_carrier_lets_in_who_knows_the_password() {
        let secret = Credentials::new("103a", "secret");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = CarrierConfig { challenge: Some(secret.clone()), accounts: vec![secret], listen };
        let carrier = Carrier::start(config).await.unwrap();
        let good = phone(&carrier).await;
        let call = good.call(ANSWERS).await.unwrap();
        call.wait_confirmed(LONG).await.unwrap();
        assert_eq!((carrier.counts().challenged, carrier.counts().invites), (1, 1));
        let config = PhoneConfig::new("103a", "wrong", "carrier.test", carrier.local(), tone::PIA);
        let bad = Phone::start(config).await.unwrap();
        let call = bad.call(ANSWERS).await.unwrap();
        assert_eq!(call.wait_ended(LONG).await.unwrap(), EndedBy::Refused(407));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_phone_registers_and_unregisters_with_digest() {
        let secret = Credentials::new("103a", "secret");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let carrier =
            Carrier::start(CarrierConfig { challenge: None, accounts: vec![secret], listen }).await.unwrap();
        let good = phone(&carrier).await;
        assert_eq!(good.register(120).await.unwrap(), 120);
        assert!(carrier.agent.bindings().contains_key("103a"));
        good.unregister().await.unwrap();
        assert!(carrier.agent.bindings().is_empty());
        let config = PhoneConfig::new("103a", "wrong", "carrier.test", carrier.local(), tone::PIA);
        let bad = Phone::start(config).await.unwrap();
        assert!(bad.register(120).await.unwrap_err().to_string().contains("401"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_phone_holds_and_comes_back() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        let call = phone.call(ANSWERS).await.unwrap();
        call.wait_confirmed(LONG).await.unwrap();
        let callee = carrier.wait_call_to(ANSWERS, LONG).await.unwrap();
        call.set_direction(crate::sip::sdp::Direction::SendOnly);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(call.state(), CallState::Confirmed);
        callee.hang_up();
        assert_eq!(call.wait_ended(LONG).await.unwrap(), EndedBy::RemoteBye);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn delay_on_loopback_is_one_packet() {
        let carrier = carrier().await;
        let phone = phone(&carrier).await;
        phone.voice.set(None);
        let call = phone.call(ANSWERS).await.unwrap();
        call.wait_confirmed(LONG).await.unwrap();
        let callee = carrier.wait_call_to(ANSWERS, LONG).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = Instant::now();
        call.voice().set(Some(tone::UMA));
        let heard = callee.ear().wait_for(tone::UMA, before, LONG).await.unwrap();
        let delay = heard.saturating_duration_since(call.voice().spoken_at().unwrap());
        // Twenty milliseconds of packet, the meter's step, and a busy machine.
        assert!((15..150).contains(&delay.as_millis()), "{delay:?}");
    }
}
