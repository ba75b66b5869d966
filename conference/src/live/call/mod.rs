//! One dial-out: a state machine without clock, sockets or knowledge of the meeting.
//!
//! ```text
//! queued -> dialling -> ringing -> answered -> joined -> ended
//!               |          |          |  \-> confirming -> joined
//!               v          v          v          v
//!           failed, or cancelled by a Host, from any state before joined
//! ```
//! [`Call::handle`] takes what happened and says what to do; the focus does it. Deadlines are asked for as
//! durations and come back as [`Input::Timer`].

pub mod cause;
pub mod evidence;
pub mod story;

pub use cause::FarEnd;
pub use evidence::Evidence;

use crate::ids::{CallId, MeetingId, TenantId, UserId};
use crate::live::event::CallStory;
use crate::live::number;
use crate::live::participant::PersonSpec;
use crate::live::snapshot::CallView;
use crate::live::speech::{Language, PromptId};
use crate::vocabulary::{CallPurpose, CallState, Cause, UnixMillis};
use media::answer::AnswerSummary;
use media::worker::LegId;
use sip_core::ua::{AddressOfRecord, Attestation, CallerIdentity, EndCause, Replaces, TrunkId};
use std::time::Duration;

/// How long a person at the gate may take to press 1.
pub const GATE: Duration = Duration::from_secs(30);
/// The pause before the gate's prompt is spoken again.
pub const PROMPT_PAUSE: Duration = Duration::from_secs(3);
/// How long it may ring unless the tenant says otherwise.
pub const RING_TIMEOUT: Duration = Duration::from_secs(45);
/// A trunk that says nothing at all for so long is left for the next one: within 4 seconds that one is asked.
pub const TRUNK_PATIENCE: Duration = Duration::from_millis(3_800);
/// The plain sentence while a carrier plays something before anybody picks up.
pub const EARLY_MEDIA_WORDS: &str = "Ringing, with sound from the carrier";
/// The key that lets a person in.
pub const CONFIRM_KEY: char = '1';
/// The key that asks not to be called again (I42).
pub const NO_CALLS_KEY: char = '9';
/// How long the words before a BYE may take.
pub const LAST_WORDS: Duration = Duration::from_secs(6);

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialTarget {
    /// One registered device.
    Device {
        /// Its address of record.
        aor: AddressOfRecord,
        /// How a host reads it ("Desk phone 103a").
        label: String,
    },
    /// A phone number.
    Number {
        /// In E.164 with `+`.
        e164: String,
        /// The trunks that may carry it, in the order in which they are tried.
        trunks: Vec<TrunkId>,
    },
}

/// Everything about a call that is settled before it is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialSpec {
    /// The call. The same id twice is one call.
    pub call: CallId,
    /// The meeting it leads into.
    pub meeting: MeetingId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who is called, with the role and access to come in with.
    pub person: PersonSpec,
    /// The Host who pressed CALL.
    pub acting_host: UserId,
    /// Where it goes.
    pub target: DialTarget,
    /// The acting Host's caller ID.
    pub caller: CallerIdentity,
    /// Whether the person must press 1: yes for outside numbers, no for registered devices.
    pub press_one: bool,
    /// How long the gate lasts, and in which language it speaks.
    pub gate: Gate,
    /// How long it may ring, from the first INVITE on; [`RING_TIMEOUT`] unless the tenant says otherwise.
    pub ring_timeout: Duration,
    /// The Call-ID of the first INVITE. It is stored before the call is handed over.
    pub sip_call_id: String,
    /// What only some calls have.
    pub extra: DialExtra,
}

/// What only some calls have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialExtra {
    /// Why it is made.
    pub purpose: CallPurpose,
    /// Keys pressed after the answer, for an extension; `,` waits two seconds, `w` half a second.
    pub keys: Option<String>,
    /// When it is hung up, from the answer on.
    pub max_length: Option<Duration>,
    /// The call of a registered device that it takes the place of (RFC 3891).
    pub replaces: Option<Replaces>,
    /// How far we stand for the caller ID towards the telephone network.
    pub attestation: Option<Attestation>,
    /// The calls it was placed with end when enough of them have joined.
    pub enough: Option<Enough>,
}

/// "Stop the rest when so many have joined."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Names the press of CALL they share.
    pub group: String,
    /// How many are enough.
    pub joined: usize,
}

/// The gate at which a person must press 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// How long the person may take; [`GATE`] unless the tenant says otherwise.
    pub time: Duration,
    /// The language it speaks.
    pub language: Language,
}

impl Default for Gate {
    fn default() -> Self {
        Self { time: GATE, language: Language::default() }
    }
}

/// The deadlines of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallTimer {
    /// It has rung long enough.
    Ring,
    /// The time to press 1 is over.
    Gate,
    /// The prompt is due again.
    Prompt,
    /// The last words must be over.
    LastWords,
    /// It has lasted as long as it may.
    Length,
}

impl CallTimer {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ring, Self::Gate, Self::Prompt, Self::LastWords, Self::Length];
}

/// What may happen to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Its media port is bound.
    PortOpened,
    /// No media port could be had; the words say why.
    PortFailed(String),
    /// A provisional answer came.
    Provisional(u16),
    /// A provisional answer came with a session description: sound before the answer.
    EarlyMedia(u16),
    /// The carrier points elsewhere: to a number that may be called, or to one that may not, with the words why.
    Redirected(Result<String, String>),
    /// The far end picked up, with a session description we can use.
    Answered,
    /// The far end picked up, but no media can flow; the words say why.
    AnsweredUnusable(String),
    /// The person pressed [`CONFIRM_KEY`].
    Confirmed,
    /// The person pressed [`NO_CALLS_KEY`].
    NoCalls,
    /// The prompt has been spoken to its end.
    PromptEnded,
    /// The SIP session is over.
    Over(EndCause),
    /// Someone or something in the meeting calls it off.
    Cancel(Cause),
    /// A deadline has come.
    Timer(CallTimer),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an INVITE; the number counts the attempts from 0 and picks the trunk.
    Invite(usize),
    /// Make this state known, as entered now.
    Announce(CallState),
    /// Write down something that does not change the state.
    Note(String),
    /// Start a deadline from now.
    Arm(CallTimer, Duration),
    /// Forget a deadline.
    Disarm(CallTimer),
    /// Begin or end listening to how it was answered.
    Observe(bool),
    /// Write down what is known of who picked up.
    Evidence,
    /// Write down that this number must not be called again.
    NoCalls,
    /// Speak the prompt to this leg alone.
    Prompt,
    /// Say this and goodbye to this leg alone; [`Input::PromptEnded`] follows.
    LastWords(PromptId),
    /// Stop speaking.
    StopPrompt,
    /// Press these keys towards the far end.
    SendKeys(String),
    /// Let the leg into the meeting.
    Admit,
    /// CANCEL or BYE.
    HangUp,
    /// Give back the leg, its port and all deadlines.
    Release,
}

/// One call on its way.
#[derive(Clone, Debug)]
pub struct Call {
    spec: DialSpec,
    leg: LegId,
    state: CallState,
    cause: Option<Cause>,
    sip_code: Option<u16>,
    detail: Option<String>,
    attempt: usize,
    rang: bool,
    /// The number dialled first, if the carrier has pointed elsewhere; it may do so once.
    diverted_by: Option<String>,
    story: CallStory,
    entered_at: UnixMillis,
    evidence: Evidence,
    /// Last words are being said; why it ends then.
    ending: Option<(Cause, String)>,
    rang_at: Option<UnixMillis>,
}

impl Call {
    /// A call that waits for its turn.
    pub fn new(spec: DialSpec, leg: LegId, at: UnixMillis) -> Self {
        Self {
            spec,
            leg,
            state: CallState::Queued,
            cause: None,
            sip_code: None,
            detail: None,
            attempt: 0,
            rang: false,
            diverted_by: None,
            story: CallStory::default(),
            entered_at: at,
            evidence: Evidence::default(),
            ending: None,
            rang_at: None,
        }
    }

    /// What was settled before.
    pub fn spec(&self) -> &DialSpec {
        &self.spec
    }

    /// Its leg.
    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// Where it stands.
    pub fn state(&self) -> CallState {
        self.state
    }

    /// Why it is over.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The SIP status that led to the present state, if one did.
    pub fn sip_code(&self) -> Option<u16> {
        self.sip_code
    }

    /// More words for the record.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The number dialled.
    pub fn number(&self) -> Option<&str> {
        match &self.spec.target {
            DialTarget::Number { e164, .. } => Some(e164),
            DialTarget::Device { .. } => None,
        }
    }

    /// The trunk of the attempt in hand.
    pub fn trunk(&self) -> Option<TrunkId> {
        match &self.spec.target {
            DialTarget::Number { trunks, .. } => trunks.get(self.attempt).cloned(),
            DialTarget::Device { .. } => None,
        }
    }

    /// How long the trunk of the attempt in hand may say nothing at all: not long if there is another one.
    pub fn patience(&self) -> Option<Duration> {
        self.has_next_trunk().then_some(TRUNK_PATIENCE)
    }

    /// The number that was dialled first and has sent the call on.
    pub fn diverted_by(&self) -> Option<&str> {
        self.diverted_by.as_deref()
    }

    /// The Call-ID of the attempt in hand: each INVITE to another trunk is a call of its own (RFC 3261 section
    /// 8.1.1.4), and its Call-ID can be worked out from the stored one.
    pub fn sip_call_id(&self) -> String {
        let mark = match (self.attempt, self.diverted_by.is_some()) {
            (0, false) => return self.spec.sip_call_id.clone(),
            (attempt, false) => format!(".{attempt}"),
            (attempt, true) => format!(".{attempt}r"),
        };
        match self.spec.sip_call_id.split_once('@') {
            Some((word, host)) => format!("{word}{mark}@{host}"),
            None => format!("{}{mark}", self.spec.sip_call_id),
        }
    }

    /// Notes when the present state was entered.
    pub fn entered(&mut self, state: CallState, at: UnixMillis) {
        self.entered_at = at;
        self.evidence.entered(state, at);
        if self.state == CallState::Ringing {
            self.rang_at.get_or_insert(at);
        }
    }

    /// What is to be written down beside the present state.
    pub fn story(&self) -> CallStory {
        CallStory { trunk: self.trunk(), ..self.story.clone() }
    }

    /// What is known of who picked up.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// This was heard of the callee so far.
    pub fn heard(&mut self, summary: AnswerSummary) {
        self.evidence.heard(summary);
    }

    /// The callee pressed a key; one that counts at the gate is evidence.
    pub fn pressed(&mut self, key: char, at: UnixMillis) {
        let counts = matches!(key, CONFIRM_KEY | NO_CALLS_KEY) && !self.asked_for_no_calls();
        if self.state == CallState::Confirming && counts {
            self.evidence.pressed(key, at);
        }
    }

    /// The call as hosts see it.
    pub fn view(&self) -> CallView {
        self.view_in(self.state)
    }

    /// The call as hosts see it in a state it passes through: "answered" is announced and left at once.
    pub fn view_in(&self, state: CallState) -> CallView {
        let target = match &self.spec.target {
            DialTarget::Device { label, .. } => label.clone(),
            DialTarget::Number { e164, .. } => number::display_of(e164),
        };
        CallView {
            call: self.spec.call.clone(),
            id: self.spec.call.clone(),
            person: self.spec.person.person.clone(),
            state,
            cause: self.cause,
            sip_code: self.sip_code,
            words: self.words(state).to_owned(),
            next: story::next_step(state, self.cause, self.number().is_some()),
            early_media: self.story.early_media && state == CallState::Ringing,
            purpose: self.spec.extra.purpose,
            rang_at: self.rang_at,
            carrier_words: self.story.carrier_words.clone(),
            target,
            display_name: self.spec.person.display_name.clone(),
            role: self.spec.person.role,
            number: self.number().map(str::to_owned),
            evidence: (self.evidence != Evidence::default()).then_some(self.evidence),
            at: self.entered_at,
        }
    }

    fn words(&self, state: CallState) -> &'static str {
        match self.cause {
            Some(cause) => cause.words(),
            None if state == CallState::Ringing && self.story.early_media => EARLY_MEDIA_WORDS,
            None => state.words(),
        }
    }

    /// Takes what happened and says what to do. Anything that cannot matter in the present state is ignored.
    pub fn handle(&mut self, input: Input) -> Vec<Action> {
        if self.state.is_final() {
            return Vec::new();
        }
        match input {
            Input::PortOpened => self.port_opened(),
            Input::PortFailed(why) => self.fail(Cause::Internal, Some(why)),
            Input::Provisional(status) => self.provisional(status, false),
            Input::EarlyMedia(status) => self.provisional(status, true),
            Input::Redirected(judged) => self.redirected(judged),
            Input::Answered => self.answered(),
            Input::AnsweredUnusable(why) => self.hang_up(CallState::Failed, Cause::MediaFailed, Some(why)),
            Input::Confirmed => self.confirmed(),
            Input::NoCalls => self.no_calls(),
            Input::PromptEnded if self.ending.is_some() => self.end(),
            Input::PromptEnded if self.state == CallState::Confirming => {
                vec![Action::Arm(CallTimer::Prompt, PROMPT_PAUSE)]
            }
            Input::PromptEnded => Vec::new(),
            Input::Over(end) => self.over(&end),
            Input::Cancel(cause) => self.cancel(cause),
            Input::Timer(timer) => self.timer(timer),
        }
    }

    fn port_opened(&mut self) -> Vec<Action> {
        if self.state != CallState::Queued {
            return Vec::new();
        }
        self.state = CallState::Dialling;
        let ring = Action::Arm(CallTimer::Ring, self.spec.ring_timeout);
        vec![Action::Announce(self.state), ring, Action::Invite(0)]
    }

    /// 100 says only that the next hop lives; any other provisional answer is ringing or early media.
    fn provisional(&mut self, status: u16, early: bool) -> Vec<Action> {
        let news = self.state == CallState::Dialling
            || (self.state == CallState::Ringing && early && !self.story.early_media);
        if !news || status <= 100 {
            return Vec::new();
        }
        self.rang = true;
        self.story.early_media |= early;
        self.sip_code = Some(status);
        self.state = CallState::Ringing;
        vec![Action::Announce(self.state)]
    }

    fn answered(&mut self) -> Vec<Action> {
        if !matches!(self.state, CallState::Dialling | CallState::Ringing) {
            return Vec::new();
        }
        self.sip_code = Some(200);
        let mut actions = vec![Action::Disarm(CallTimer::Ring), Action::Announce(CallState::Answered)];
        if let Some(length) = self.spec.extra.max_length {
            actions.push(Action::Arm(CallTimer::Length, length));
        }
        let keys = self.spec.extra.keys.clone();
        // Whoever is behind the extension can press 1 only once the keys have been sent.
        let gate = self.spec.gate.time + keys.as_deref().map_or(Duration::ZERO, time_of);
        actions.extend(keys.map(Action::SendKeys));
        if self.spec.press_one {
            self.state = CallState::Confirming;
            actions.push(Action::Announce(self.state));
            actions.push(Action::Arm(CallTimer::Gate, gate));
            actions.push(Action::Observe(true));
            actions.push(Action::Prompt);
        } else {
            self.state = CallState::Joined;
            actions.push(Action::Admit);
            actions.push(Action::Announce(self.state));
        }
        actions
    }

    fn confirmed(&mut self) -> Vec<Action> {
        if self.state != CallState::Confirming || self.asked_for_no_calls() {
            return Vec::new();
        }
        self.state = CallState::Joined;
        self.detail = Some(self.evidence.words());
        self.ending = None;
        vec![
            Action::Disarm(CallTimer::Gate),
            Action::Disarm(CallTimer::Prompt),
            Action::Disarm(CallTimer::LastWords),
            Action::StopPrompt,
            Action::Observe(false),
            Action::Evidence,
            Action::Admit,
            Action::Announce(self.state),
        ]
    }

    fn asked_for_no_calls(&self) -> bool {
        self.ending.as_ref().is_some_and(|(cause, _)| *cause == Cause::DoNotCall)
    }

    /// Only numbers can be kept from being called; a registered device is the user's own.
    fn no_calls(&mut self) -> Vec<Action> {
        if self.state != CallState::Confirming || self.number().is_none() || self.asked_for_no_calls() {
            return Vec::new();
        }
        let mut actions = vec![Action::NoCalls];
        actions.extend(self.say_goodbye(PromptId::WillNotBeCalled, Cause::DoNotCall, "pressed 9".to_owned()));
        actions
    }

    /// Says a word before the BYE.
    fn say_goodbye(&mut self, words: PromptId, cause: Cause, detail: String) -> Vec<Action> {
        self.ending = Some((cause, detail));
        vec![
            Action::Disarm(CallTimer::Gate),
            Action::Disarm(CallTimer::Prompt),
            Action::LastWords(words),
            Action::Arm(CallTimer::LastWords, LAST_WORDS),
        ]
    }

    /// The last words are over.
    fn end(&mut self) -> Vec<Action> {
        match self.ending.take() {
            Some((cause, detail)) => self.hang_up(CallState::Failed, cause, Some(detail)),
            None => Vec::new(),
        }
    }

    fn over(&mut self, end: &EndCause) -> Vec<Action> {
        match self.state {
            CallState::Queued | CallState::Dialling | CallState::Ringing => self.over_unanswered(end),
            // Whoever hangs up at the gate, a machine at the end of its greeting included, did not press 1.
            CallState::Answered | CallState::Confirming if self.ending.is_some() => {
                let (cause, detail) = self.ending.take().unwrap_or((Cause::NotConfirmed, String::new()));
                self.fail(cause, Some(detail))
            }
            CallState::Answered | CallState::Confirming if *end == EndCause::RemoteBye => {
                self.fail(Cause::NotConfirmed, Some("hung up without pressing 1".into()))
            }
            CallState::Answered | CallState::Confirming => self.fail(Cause::Lost, Some(reason_of(end))),
            CallState::Joined => {
                let hung_up = matches!(end, EndCause::RemoteBye | EndCause::LocalHangUp);
                let cause = if hung_up { Cause::HungUp } else { Cause::Lost };
                self.finish(CallState::Ended, cause, Some(reason_of(end)))
            }
            CallState::Ended | CallState::Failed | CallState::Refused | CallState::Cancelled => Vec::new(),
        }
    }

    /// A redirection is followed once, to a number that the policy allows; the trunk stays the same.
    fn redirected(&mut self, judged: Result<String, String>) -> Vec<Action> {
        if !matches!(self.state, CallState::Dialling | CallState::Ringing) {
            return Vec::new();
        }
        match (judged, &mut self.spec.target) {
            (Ok(number), DialTarget::Number { e164, .. }) if self.diverted_by.is_none() => {
                let note = format!("the carrier pointed to {}", number::display_of(&number));
                self.diverted_by = Some(std::mem::replace(e164, number));
                vec![Action::Note(note), Action::Invite(self.attempt)]
            }
            (Ok(_), _) => self.fail(Cause::DestinationDenied, Some("redirected more than once".to_owned())),
            (Err(why), _) => self.fail(Cause::DestinationDenied, Some(why)),
        }
    }

    fn over_unanswered(&mut self, end: &EndCause) -> Vec<Action> {
        let reason = reason_of(end);
        if let EndCause::Refused { reason, .. } = end {
            self.story.carrier_words = Some(reason.clone()).filter(|words| !words.is_empty());
        }
        if cause::may_try_next_trunk(end, self.rang) && self.has_next_trunk() {
            self.attempt += 1;
            let note = format!("attempt {} came to nothing ({reason}), trying the next trunk", self.attempt);
            return vec![Action::Note(note), Action::Invite(self.attempt)];
        }
        let far_end = match self.spec.target {
            DialTarget::Device { .. } => FarEnd::Device,
            DialTarget::Number { .. } => FarEnd::Trunk,
        };
        let (cause, status) = cause::cause_of_end(far_end, end, self.rang);
        let state = if cause == Cause::Cancelled { CallState::Cancelled } else { CallState::Failed };
        let actions = self.finish(state, cause, Some(reason));
        self.sip_code = status;
        actions
    }

    fn has_next_trunk(&self) -> bool {
        match &self.spec.target {
            DialTarget::Number { trunks, .. } => self.attempt.saturating_add(1) < trunks.len(),
            DialTarget::Device { .. } => false,
        }
    }

    fn cancel(&mut self, cause: Cause) -> Vec<Action> {
        if self.state == CallState::Joined {
            let cause = if cause == Cause::Cancelled { Cause::HungUp } else { cause };
            return self.hang_up(CallState::Ended, cause, None);
        }
        self.hang_up(CallState::Cancelled, cause, None)
    }

    fn timer(&mut self, timer: CallTimer) -> Vec<Action> {
        match (timer, self.state) {
            (CallTimer::Ring, CallState::Dialling | CallState::Ringing) => {
                let words = format!("rang for {} s", self.spec.ring_timeout.as_secs());
                self.hang_up(CallState::Failed, Cause::NoAnswer, Some(words))
            }
            (CallTimer::Gate, CallState::Confirming) => {
                let words = format!("no key within {} s", self.spec.gate.time.as_secs());
                self.say_goodbye(PromptId::HeardNothing, Cause::NotConfirmed, words)
            }
            (CallTimer::LastWords, CallState::Confirming) => self.end(),
            (CallTimer::Prompt, CallState::Confirming) if self.ending.is_none() => vec![Action::Prompt],
            (CallTimer::Length, CallState::Joined) => {
                let length = self.spec.extra.max_length.unwrap_or_default();
                let words =
                    format!("the longest a call may last, {} min, was over", length.as_secs().div_ceil(60));
                self.hang_up(CallState::Ended, Cause::HungUp, Some(words))
            }
            _ => Vec::new(),
        }
    }

    fn fail(&mut self, cause: Cause, detail: Option<String>) -> Vec<Action> {
        self.finish(CallState::Failed, cause, detail)
    }

    fn with_evidence(&self, detail: Option<String>) -> String {
        let evidence = self.evidence.words();
        match detail {
            Some(detail) => format!("{detail}; {evidence}"),
            None => evidence,
        }
    }

    fn hang_up(&mut self, state: CallState, cause: Cause, detail: Option<String>) -> Vec<Action> {
        let mut actions = vec![Action::HangUp];
        actions.extend(self.finish(state, cause, detail));
        actions
    }

    fn finish(&mut self, state: CallState, cause: Cause, detail: Option<String>) -> Vec<Action> {
        let at_the_gate = self.state == CallState::Confirming;
        let detail = if at_the_gate { Some(self.with_evidence(detail)) } else { detail };
        self.state = state;
        self.cause = Some(cause);
        self.sip_code = None;
        self.detail = detail;
        let evidence = at_the_gate.then_some(Action::Evidence);
        evidence.into_iter().chain([Action::Announce(state), Action::Release]).collect()
    }
}

/// How long it takes to press these keys.
fn time_of(keys: &str) -> Duration {
    let each = |key| match key {
        ',' => Duration::from_secs(2),
        'w' => Duration::from_millis(500),
        _ => Duration::from_millis(200),
    };
    keys.chars().map(each).sum()
}

fn reason_of(end: &EndCause) -> String {
    match end {
        EndCause::Refused { status, reason } => format!("{status} {reason}").trim_end().to_owned(),
        EndCause::NoResponse => "no reply".to_owned(),
        EndCause::NotRegistered => "not registered".to_owned(),
        EndCause::TrunkUnknown => "the trunk is not set up".to_owned(),
        EndCause::TrunkBusy => "the trunk carries as many calls as it may".to_owned(),
        EndCause::TrunkDown => "the trunk does not answer".to_owned(),
        EndCause::RemoteBye => "the far end hung up".to_owned(),
        EndCause::RemoteCancel => "the far end cancelled".to_owned(),
        EndCause::LocalHangUp => "hung up here".to_owned(),
        EndCause::NoAck => "the answer was never acknowledged".to_owned(),
        EndCause::ProtocolError => "the far end broke the protocol".to_owned(),
    }
}

#[cfg(test)]
#[path = "../tests/call.rs"]
mod tests;
