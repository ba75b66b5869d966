//! One call of the lab, incoming or outgoing: its facts, its state, its RTP leg, and the dialog behind it.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rsip::{Method, Request};
use tokio::sync::{mpsc, watch};

use super::message::{self, NameAddr, RequestParts};
use crate::ear::Ear;
use crate::error::{LabError, LabResult};
use crate::g711::Codec;
use crate::rtp_leg::{KeyPress, RtpLeg};
use crate::shared::lock;
use crate::sip::sdp::Direction;
use crate::sip::steps::Step;
use crate::voice::Voice;

/// How a callee behaves.
#[derive(Debug, Clone)]
pub struct Script {
    /// Provisional answer sent at once, 180 as a rule; `None` sends 100 only.
    pub provisional: Option<u16>,
    /// Sends 183 with its description instead, and speaks at once.
    pub early: bool,
    /// What happens then.
    pub outcome: Outcome,
    /// What it says once answered.
    pub voice: Voice,
    /// Keys it presses, each so long after the answer.
    pub keys: Vec<(Duration, KeyPress)>,
    /// Hangs up so long after the answer.
    pub hang_up_after: Option<Duration>,
    /// Codecs it speaks, in order of preference.
    pub codecs: Vec<Codec>,
    /// Answers with 200 although a CANCEL has just come: the two crossed on the wire.
    pub crosses_cancel: bool,
    /// Sends a second 200 with another To tag, as a forking proxy's second phone does.
    pub forks: bool,
    /// The user in Contact: with a 3xx, where it points to.
    pub contact: Option<String>,
    /// What it does step by step. When there are any, `provisional`, `outcome`, `keys`, `hang_up_after`,
    /// `crosses_cancel` and `forks` say nothing.
    pub steps: Vec<Step>,
}

/// How ringing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 200 after so long.
    Answer(Duration),
    /// A refusal after so long.
    Refuse(Duration, u16),
    /// Rings until cancelled, or answered by hand.
    Ring,
    /// Says nothing at all, not even 100.
    Dead,
}

impl Script {
    /// Rings, answers after `after`, says `voice`.
    pub fn answer(after: Duration, voice: Voice) -> Self {
        Self {
            provisional: Some(180),
            early: false,
            outcome: Outcome::Answer(after),
            voice,
            keys: Vec::new(),
            hang_up_after: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            crosses_cancel: false,
            forks: false,
            contact: None,
            steps: Vec::new(),
        }
    }

    /// Points to another number with 302.
    pub fn redirect(number: &str) -> Self {
        Self { contact: Some(number.to_owned()), ..Self::refuse(302, false) }
    }

    /// Refuses with `status` after 100 ms, having rung or not.
    pub fn refuse(status: u16, rings: bool) -> Self {
        let outcome = Outcome::Refuse(Duration::from_millis(100), status);
        Self { provisional: rings.then_some(180), outcome, ..Self::answer(Duration::ZERO, Voice::silent()) }
    }

    /// Rings for ever.
    pub fn ring() -> Self {
        Self { outcome: Outcome::Ring, ..Self::answer(Duration::ZERO, Voice::silent()) }
    }

    /// Never answers anything.
    pub fn dead() -> Self {
        Self { outcome: Outcome::Dead, ..Self::ring() }
    }

    /// Presses `key` so long after the answer.
    #[must_use]
    pub fn pressing(mut self, after: Duration, key: KeyPress) -> Self {
        self.keys.push((after, key));
        self
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// Before any sign of life.
    Calling,
    /// 18x sent or received.
    Ringing,
    /// 200 sent or received.
    Answered,
    /// ACK received or sent.
    Confirmed,
    /// Over.
    Ended(EndedBy),
}

/// Who or what ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The other side hung up.
    RemoteBye,
    /// The lab hung up.
    LocalBye,
    /// CANCEL, from whoever called.
    Cancelled,
    /// A final refusal.
    Refused(u16),
    /// No answer to the INVITE.
    NoResponse,
    /// Its cable was cut.
    Died,
}

/// What is known of a call from its INVITE.
#[derive(Debug, Clone)]
pub struct CallFacts {
    /// Whether the lab was called.
    pub incoming: bool,
    /// The Call-ID.
    pub call_id: String,
    /// The user part of the Request-URI.
    pub request_user: String,
    /// From.
    pub from: NameAddr,
    /// P-Asserted-Identity.
    pub asserted: Option<NameAddr>,
    /// Privacy.
    pub privacy: Option<String>,
    /// Who sent the INVITE, or where it went.
    pub peer: SocketAddr,
    /// When the INVITE arrived or left.
    pub at: Instant,
}

impl CallFacts {
    /// Reads the facts of an INVITE.
    pub(super) fn read(request: &Request, incoming: bool, peer: SocketAddr, at: Instant) -> Self {
        let text = |name: &str| message::value(&request.headers, name);
        Self {
            incoming,
            call_id: text("Call-ID").unwrap_or_default(),
            request_user: NameAddr::parse(&format!("<{}>", request.uri)).user().to_owned(),
            from: NameAddr::parse(&text("From").unwrap_or_default()),
            asserted: text("P-Asserted-Identity").map(|value| NameAddr::parse(&value)),
            privacy: text("Privacy"),
            peer,
            at,
        }
    }
}

/// When a call changed state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// First 18x.
    pub ringing: Option<Instant>,
    /// 200.
    pub answered: Option<Instant>,
    /// ACK.
    pub confirmed: Option<Instant>,
    /// The end.
    pub ended: Option<Instant>,
}

/// What a test may ask of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallCommand {
    HangUp,
    Answer,
    Direction(Direction),
}

/// A call; everything here may be used while it runs.
#[derive(Debug)]
pub struct Call {
    /// What its INVITE said.
    pub facts: CallFacts,
    /// Its sound.
    pub leg: RtpLeg,
    state: watch::Sender<CallState>,
    times: Mutex<Times>,
    fork_ended: AtomicBool,
    commands: mpsc::UnboundedSender<CallCommand>,
}

impl Call {
    pub(super) fn new(facts: CallFacts, leg: RtpLeg) -> (Self, mpsc::UnboundedReceiver<CallCommand>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let state = watch::Sender::new(CallState::Calling);
        let fork_ended = AtomicBool::new(false);
        (Self { facts, leg, state, times: Mutex::default(), fork_ended, commands }, receiver)
    }

    /// Where the call stands.
    pub fn state(&self) -> CallState {
        *self.state.borrow()
    }

    /// When it got there.
    pub fn times(&self) -> Times {
        *lock(&self.times)
    }

    /// What it hears.
    pub const fn ear(&self) -> &Ear {
        &self.leg.ear
    }

    /// What it says.
    pub const fn voice(&self) -> &Voice {
        &self.leg.voice
    }

    /// CANCEL, refusal or BYE, whichever fits.
    pub fn hang_up(&self) {
        let _ = self.commands.send(CallCommand::HangUp);
    }

    /// Answers a ringing call by hand.
    pub fn answer(&self) {
        let _ = self.commands.send(CallCommand::Answer);
    }

    /// Sends a re-INVITE with this direction (hold and back).
    pub fn set_direction(&self, direction: Direction) {
        let _ = self.commands.send(CallCommand::Direction(direction));
    }

    /// Whether the second answer of a forking callee was hung up.
    pub fn fork_ended(&self) -> bool {
        self.fork_ended.load(Ordering::Relaxed)
    }

    pub(super) fn end_fork(&self) {
        self.fork_ended.store(true, Ordering::Relaxed);
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.state(), CallState::Ended(_))
    }

    /// Waits until `wanted` holds for the state, or the call ends.
    ///
    /// # Errors
    /// When `timeout` passes first, or the call ended without `wanted`.
    pub async fn wait_until(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(CallState) -> bool + Send,
    ) -> LabResult<CallState> {
        let mut watcher = self.state.subscribe();
        let reached = watcher.wait_for(|state| wanted(*state) || matches!(state, CallState::Ended(_)));
        let state = match tokio::time::timeout(timeout, reached).await {
            Ok(Ok(state)) => *state,
            _ => return Err(LabError::Timeout(format!("{what}; the call is {:?}", self.state()))),
        };
        match wanted(state) {
            true => Ok(state),
            false => Err(LabError::Other(format!("{what}: the call ended first, {state:?}"))),
        }
    }

    /// Waits until sound flows.
    ///
    /// # Errors
    /// As [`wait_until`](Self::wait_until).
    pub async fn wait_confirmed(&self, timeout: Duration) -> LabResult<()> {
        self.wait_until("answer", timeout, |state| state == CallState::Confirmed).await.map(|_| ())
    }

    /// Waits until it is over and tells why.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_ended(&self, timeout: Duration) -> LabResult<EndedBy> {
        match self.wait_until("the end of the call", timeout, |_| false).await {
            Err(timed_out @ LabError::Timeout(_)) => Err(timed_out),
            _ => match self.state() {
                CallState::Ended(by) => Ok(by),
                other => Err(LabError::Other(format!("the call is {other:?}"))),
            },
        }
    }

    pub(super) fn enter(&self, state: CallState) {
        let now = Instant::now();
        {
            let mut times = lock(&self.times);
            match state {
                CallState::Calling => {}
                CallState::Ringing => times.ringing = times.ringing.or(Some(now)),
                CallState::Answered => times.answered = Some(now),
                CallState::Confirmed => times.confirmed = Some(now),
                CallState::Ended(_) => times.ended = Some(now),
            }
        }
        if matches!(state, CallState::Ended(_)) {
            self.leg.disconnect();
        }
        self.state.send_replace(state);
    }
}

/// The dialog of RFC 3261 section 12, without routes: loopback has no proxies.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    /// Our name-addr with our tag.
    pub(super) local: String,
    /// Theirs, with their tag.
    pub(super) remote: String,
    /// Request-URI of what we send.
    pub(super) target: String,
    pub(super) destination: SocketAddr,
    pub(super) cseq: u32,
}

impl Dialog {
    /// A request inside the dialog; `ACK` keeps the CSeq, others take the next.
    pub(super) fn request(
        &mut self,
        local: SocketAddr,
        method: Method,
        headers: Vec<(String, String)>,
        body: Option<String>,
    ) -> LabResult<Request> {
        if method != Method::Ack {
            self.cseq += 1;
        }
        let parts = RequestParts {
            method,
            uri: self.target.clone(),
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            headers,
            body,
        };
        message::request(local, &parts).map_err(LabError::other("building a request inside the dialog"))
    }
}
