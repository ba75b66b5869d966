//! Drives a focus alone: scripted SIP and media events in, a model of the world that the effects build.

use crate::ids::{CallId, MeetingId, PersonId};
use crate::live::call::{DialExtra, DialSpec, DialTarget, Gate, RING_TIMEOUT};
use crate::live::event::{PublicEvent, Record};
use crate::live::focus::{
    Command, Effect, Focus, FocusConfig, MeetingSpec, Output, Part, PersonSpec, PersonView, Refusal, Reply,
    TransferRequest, Utterance,
};
use crate::live::settings::MeetingSettings;
use crate::vocabulary::{CallState, Cause, MeetingKind, Role, UnixMillis};
use bytes::Bytes;
use media::sdp::{self, Codec, LocalDescription};
use media::worker::{Command as MediaCommand, LegId, LegPlan, PlayingId};
use serde_json::Value;
use sip_core::ua::{
    AddressOfRecord, CallerIdentity, Command as SipCommand, Event as SipEvent, IncomingInvite, Origin,
    OutgoingInvite, SessionId, TrunkId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) const SEED: [u8; 32] = [7; 32];
pub(crate) const WALL: u64 = 1_800_000_000_000;

/// The focus, its clock, and what its effects have done to the world.
pub(crate) struct Stage {
    pub(crate) focus: Focus,
    /// The meeting as it was put last.
    pub(crate) spec: MeetingSpec,
    base: Instant,
    pub(crate) now: Instant,
    next_timeout: Option<Instant>,
    /// Ports are refused while this is set.
    pub(crate) no_ports: bool,
    /// What came of checking the number of the next calls that come.
    pub(crate) verstat: Option<sip_core::ua::Verstat>,
    /// Ports are answered only when the test says so.
    pub(crate) hold_ports: bool,
    pub(crate) waiting_ports: Vec<LegId>,
    pub(crate) open_ports: BTreeSet<LegId>,
    pub(crate) worker_legs: BTreeSet<LegId>,
    /// Legs whose packets have somewhere to go.
    pub(crate) remotes: BTreeSet<LegId>,
    pub(crate) plans: BTreeMap<LegId, LegPlan>,
    pub(crate) media: Vec<String>,
    pub(crate) invites: Vec<OutgoingInvite>,
    /// Sessions that the user agent would hold.
    pub(crate) sessions: BTreeSet<SessionId>,
    pub(crate) hung_up: Vec<SessionId>,
    pub(crate) rejected: Vec<(SessionId, u16)>,
    pub(crate) accepted: Vec<SessionId>,
    pub(crate) answers: Vec<(SessionId, Result<Bytes, u16>)>,
    pub(crate) events: Vec<PublicEvent>,
    /// The session whose seat the next caller takes over.
    pub(crate) replaces: Option<SessionId>,
    pub(crate) transfers: Vec<TransferRequest>,
    /// What the user agent was told about transfers, subscriptions and texts.
    pub(crate) orders: Vec<SipCommand>,
    /// What was said to which leg, as names of prompts and as texts in quotes.
    pub(crate) said: Vec<(LegId, String)>,
    pub(crate) utterances: BTreeMap<LegId, Utterance>,
    /// What was said to each leg last.
    pub(crate) playing: BTreeMap<LegId, PlayingId>,
    /// Legs that changed rooms.
    pub(crate) moved: Vec<LegId>,
    pub(crate) records: Vec<Record>,
    /// Every effect with its time: what must be the same for the same seed.
    pub(crate) log: Vec<String>,
}

pub(crate) fn at_ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn meeting_id() -> MeetingId {
    "m1".into()
}

pub(crate) fn spec(kind: MeetingKind) -> MeetingSpec {
    MeetingSpec {
        meeting: meeting_id(),
        tenant: "acme".into(),
        number: "900000001".into(),
        alias: Some("Room1".into()),
        title: "Budget".into(),
        kind,
        direct_join_role: Role::Attendee,
        owner: Some("u-hana".into()),
        ..MeetingSpec::default()
    }
}

pub(crate) fn person(name: &str, role: Role) -> PersonSpec {
    PersonSpec {
        person: PersonId::new(format!("p-{name}")),
        user: Some(format!("u-{name}").as_str().into()),
        display_name: name.to_owned(),
        role,
        ..PersonSpec::default()
    }
}

pub(crate) fn outsider(name: &str, role: Role) -> PersonSpec {
    PersonSpec { user: None, ..person(name, role) }
}

pub(crate) fn aor(device: &str) -> AddressOfRecord {
    AddressOfRecord { user: device.into(), domain: "acme.test".into() }
}

pub(crate) fn hanas_caller_id() -> CallerIdentity {
    CallerIdentity { number: "+12025550100".into(), display_name: "Hana".into(), hidden: false }
}

/// A call to an outside number who must press 1.
pub(crate) fn to_number(call: &str, name: &str, number: &str) -> DialSpec {
    DialSpec {
        call: call.into(),
        meeting: meeting_id(),
        tenant: "acme".into(),
        person: outsider(name, Role::Attendee),
        acting_host: "u-hana".into(),
        target: DialTarget::Number { e164: number.into(), trunks: vec![TrunkId(1)] },
        caller: hanas_caller_id(),
        press_one: true,
        gate: Gate::default(),
        ring_timeout: RING_TIMEOUT,
        sip_call_id: format!("{call}@acme.test"),
        extra: DialExtra::default(),
    }
}

/// A call to a registered device.
pub(crate) fn to_device(call: &str, name: &str, device: &str) -> DialSpec {
    DialSpec {
        person: person(name, Role::Presenter),
        target: DialTarget::Device { aor: aor(device), label: format!("Desk phone {device}") },
        press_one: false,
        ..to_number(call, name, "+12025550177")
    }
}

pub(crate) fn far_end() -> LocalDescription {
    LocalDescription::new(SocketAddr::from(([127, 0, 0, 1], 40_000)), 1, vec![Codec::Pcmu, Codec::Pcma])
}

/// A description that no call can use: G.729 alone.
pub(crate) fn g729() -> Bytes {
    Bytes::from_static(
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 18\r\n\
          a=rtpmap:18 G729/8000\r\n",
    )
}

/// An utterance as text: names of prompts, and texts in quotes.
pub(crate) fn words(utterance: &Utterance) -> String {
    let word = |part: &Part| match part {
        Part::Prompt(prompt) | Part::PromptIn(_, prompt) => prompt.name().to_owned(),
        Part::Text(text) => format!("{text:?}"),
        Part::Pause(_) => "-".to_owned(),
    };
    utterance.parts.iter().map(word).collect::<Vec<_>>().join(" ")
}

impl Stage {
    /// A meeting of this kind with nobody in it.
    pub(crate) fn empty(kind: MeetingKind) -> Self {
        Self::with_config(kind, FocusConfig { last_words: false, ..FocusConfig::default() })
    }

    pub(crate) fn with_config(kind: MeetingKind, config: FocusConfig) -> Self {
        let base = Instant::now();
        let mut stage = Self {
            focus: Focus::new(config, SEED),
            spec: spec(kind),
            base,
            now: base,
            next_timeout: None,
            no_ports: false,
            verstat: None,
            hold_ports: false,
            waiting_ports: Vec::new(),
            open_ports: BTreeSet::new(),
            worker_legs: BTreeSet::new(),
            remotes: BTreeSet::new(),
            plans: BTreeMap::new(),
            media: Vec::new(),
            invites: Vec::new(),
            sessions: BTreeSet::new(),
            hung_up: Vec::new(),
            rejected: Vec::new(),
            accepted: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            replaces: None,
            transfers: Vec::new(),
            orders: Vec::new(),
            said: Vec::new(),
            utterances: BTreeMap::new(),
            playing: BTreeMap::new(),
            moved: Vec::new(),
            records: Vec::new(),
            log: Vec::new(),
        };
        stage.ok(Command::PutMeeting(stage.spec.clone()));
        stage
    }

    /// Changes the meeting's settings.
    pub(crate) fn set(&mut self, change: impl FnOnce(&mut MeetingSettings)) {
        let mut spec = self.spec.clone();
        change(&mut spec.settings);
        self.spec = spec.clone();
        self.ok(Command::PutMeeting(spec));
    }

    /// The same with Hana in it, as Host, by browser.
    pub(crate) fn hosted(kind: MeetingKind) -> Self {
        let mut stage = Self::empty(kind);
        stage.join("hana", Role::Host);
        stage
    }

    pub(crate) fn wall(&self) -> UnixMillis {
        let past = self.now.duration_since(self.base).as_millis();
        UnixMillis(WALL + u64::try_from(past).unwrap())
    }

    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, Refusal> {
        let reply = self.focus.handle_command(self.now, self.wall(), command);
        self.drain();
        reply
    }

    pub(crate) fn ok(&mut self, command: Command) -> Reply {
        match self.command(command) {
            Ok(reply) => reply,
            Err(refusal) => panic!("refused: {refusal}"),
        }
    }

    pub(crate) fn join(&mut self, name: &str, role: Role) -> LegId {
        self.join_as(person(name, role))
    }

    pub(crate) fn join_as(&mut self, person: PersonSpec) -> LegId {
        let command = Command::JoinWebrtc { meeting: meeting_id(), person };
        let Reply::Leg(leg) = self.ok(command) else { panic!("no leg") };
        self.media(media::worker::Event::WebrtcConnected { leg });
        leg
    }

    pub(crate) fn dial(&mut self, spec: DialSpec) -> Result<Reply, Refusal> {
        self.command(Command::Dial(Box::new(spec)))
    }

    pub(crate) fn sip(&mut self, event: SipEvent) {
        if let SipEvent::Ended { session, .. } = &event {
            self.sessions.remove(session);
        }
        if let SipEvent::Incoming(invite) = &event {
            self.sessions.insert(invite.session);
        }
        self.focus.handle_sip(self.now, self.wall(), event);
        self.drain();
    }

    pub(crate) fn media(&mut self, event: media::worker::Event) {
        self.focus.handle_media(self.now, self.wall(), event);
        self.drain();
    }

    pub(crate) fn port(&mut self, leg: LegId, result: Result<SocketAddr, String>) {
        self.focus.handle_port(self.now, self.wall(), leg, result);
        self.drain();
    }

    pub(crate) fn ring(&mut self, session: SessionId) {
        self.sip(SipEvent::Provisional { session, status: 180, body: None });
    }

    /// The far end picks up with a usable answer.
    pub(crate) fn pick_up(&mut self, session: SessionId) {
        let offer = self.invites.iter().find(|invite| invite.session == session).unwrap().offer.clone();
        let (_, answer) = sdp::answer(&far_end(), &offer).unwrap();
        self.answered_with(session, answer.into());
    }

    /// The far end picks up with this session description.
    pub(crate) fn answered_with(&mut self, session: SessionId, body: Bytes) {
        let source = SocketAddr::from(([127, 0, 0, 1], 5070));
        self.sip(SipEvent::Answered { session, body, source });
    }

    pub(crate) fn over(&mut self, session: SessionId, cause: sip_core::ua::EndCause) {
        self.sip(SipEvent::Ended { session, cause });
    }

    pub(crate) fn refuse(&mut self, session: SessionId, status: u16) {
        self.over(session, sip_core::ua::EndCause::Refused { status, reason: "No".into() });
    }

    /// What was said to a leg last.
    pub(crate) fn heard(&self, leg: LegId) -> &str {
        self.said.iter().rev().find(|(to, _)| *to == leg).map_or("", |(_, words)| words)
    }

    /// What is being said to a leg comes to its end.
    pub(crate) fn spoken(&mut self, leg: LegId) {
        let playing = self.playing.get(&leg).copied().unwrap_or_default();
        self.media(media::worker::Event::PlayingDone { leg, playing });
    }

    /// Presses keys with a short pause between them.
    pub(crate) fn keys(&mut self, leg: LegId, keys: &str) {
        for key in keys.chars() {
            self.pass(at_ms(200));
            self.press(leg, key);
        }
    }

    pub(crate) fn press(&mut self, leg: LegId, digit: char) {
        self.media(media::worker::Event::Digit { leg, digit });
    }

    /// Somebody calls the meeting.
    pub(crate) fn invite_in(&mut self, number: u64, origin: Origin, to: &str, from: &str) -> SessionId {
        self.invite_offering(number, origin, to, from, sdp::offer(&far_end()).into())
    }

    /// Somebody calls the meeting with an offer of his own.
    pub(crate) fn invite_offering(
        &mut self,
        number: u64,
        origin: Origin,
        to: &str,
        from: &str,
        body: Bytes,
    ) -> SessionId {
        let session = SessionId::Incoming(number);
        let replaces = self.replaces.take();
        self.sip(SipEvent::Incoming(Box::new(IncomingInvite {
            session,
            origin,
            source: SocketAddr::from(([127, 0, 0, 1], 5070)),
            transport: sip_core::ua::Transport::Udp,
            request_user: to.into(),
            request_domain: "acme.test".into(),
            from_user: from.into(),
            from_display: String::new(),
            body,
            call_id: format!("in-{number}"),
            replaces,
            identity: Vec::new(),
            verstat: self.verstat,
        })));
        session
    }

    /// A call that comes, and whose ACK comes if we answered it.
    pub(crate) fn call_in(&mut self, number: u64, origin: Origin, to: &str, from: &str) -> SessionId {
        let session = self.invite_in(number, origin, to, from);
        if self.accepted.contains(&session) {
            self.sip(SipEvent::Established { session });
        }
        session
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next_timeout.filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.focus.handle_timeout(self.now, self.wall());
            self.drain();
        }
        self.now = end;
    }

    /// A person's row as the API would see it.
    pub(crate) fn row(&self, person: &str) -> PersonView {
        let people = self.focus.snapshot(&meeting_id()).unwrap().people;
        people.into_iter().find(|row| row.id.as_str() == person).unwrap()
    }

    /// The newest leg at the worker.
    pub(crate) fn last_leg(&self) -> LegId {
        *self.worker_legs.iter().next_back().unwrap()
    }

    pub(crate) fn last_session(&self) -> SessionId {
        self.invites.last().unwrap().session
    }

    pub(crate) fn leg_of_call(&self, call: &str) -> LegId {
        let meeting = self.focus.snapshot(&meeting_id()).unwrap();
        assert!(meeting.calls.iter().any(|view| view.call.as_str() == call));
        // Legs are handed out in order and ports name them; the last one asked for is the call's.
        *self.open_ports.iter().next_back().unwrap()
    }

    pub(crate) fn state(&self, call: &str) -> (CallState, Option<Cause>) {
        let meeting = self.focus.snapshot(&meeting_id()).unwrap();
        let view = meeting.calls.iter().find(|view| view.call.as_str() == call).unwrap();
        (view.state, view.cause)
    }

    /// The state and cause of a call as published last.
    pub(crate) fn state_of(&self, call: &str) -> Option<(CallState, Option<Cause>)> {
        self.records.iter().rev().find_map(|record| match record {
            Record::CallState { call: id, state, cause, .. } if id.as_str() == call => Some((*state, *cause)),
            _ => None,
        })
    }

    /// The states of a call as published, in order.
    pub(crate) fn states(&self, call: &str) -> Vec<String> {
        let of_call = |event: &&PublicEvent| {
            event.kind.starts_with("call.") && event.kind != "call.evidence" && event.data["call"] == call
        };
        self.events.iter().filter(of_call).map(|event| event.kind["call.".len()..].to_owned()).collect()
    }

    pub(crate) fn last_event(&self, kind: &str) -> &Value {
        &self.events.iter().rev().find(|event| event.kind == kind).unwrap().data
    }

    pub(crate) fn count_events(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.kind == kind).count()
    }

    pub(crate) fn plan(&self, leg: LegId) -> LegPlan {
        self.plans.get(&leg).copied().unwrap_or_default()
    }

    pub(crate) fn end_call(&mut self, call: &str) -> Result<Reply, Refusal> {
        self.command(Command::EndCall { call: CallId::new(call) })
    }

    /// Nothing is left anywhere: no leg, port, session, call or deadline.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.focus.counts(), crate::live::focus::Counts::default());
        assert!(self.worker_legs.is_empty(), "legs left at the worker: {:?}", self.worker_legs);
        assert!(self.open_ports.is_empty(), "ports left open: {:?}", self.open_ports);
        assert!(self.sessions.is_empty(), "sessions left: {:?}", self.sessions);
        assert!(self.plans.is_empty());
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.focus.poll_output() {
                Output::Timeout(next) => {
                    self.next_timeout = next;
                    if self.answer_a_port() {
                        continue;
                    }
                    return;
                }
                Output::Effect(effect) => {
                    let past = self.now.duration_since(self.base).as_millis();
                    self.log.push(format!("{past} {effect:?}"));
                    self.note(effect);
                }
            }
        }
    }

    /// The gateway's part: binds the port that was asked for.
    fn answer_a_port(&mut self) -> bool {
        if self.hold_ports || self.waiting_ports.is_empty() {
            return false;
        }
        let leg = self.waiting_ports.remove(0);
        let port = 20_000 + u16::try_from(leg.0).unwrap() * 2;
        let result = if self.no_ports {
            self.open_ports.remove(&leg);
            Err("all ports are in use".to_owned())
        } else {
            Ok(SocketAddr::from(([127, 0, 0, 1], port)))
        };
        self.focus.handle_port(self.now, self.wall(), leg, result);
        true
    }

    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Sip(command) => self.note_sip(command),
            Effect::OpenPort { leg, .. } => {
                assert!(self.open_ports.insert(leg), "{leg:?} has a port already");
                self.waiting_ports.push(leg);
            }
            Effect::ClosePort { leg } => {
                assert!(self.open_ports.remove(&leg), "{leg:?} has no port");
                self.waiting_ports.retain(|waiting| *waiting != leg);
            }
            Effect::Media { command, .. } => self.note_media(command),
            Effect::Speak { leg, utterance, playing, .. } => {
                assert!(self.worker_legs.contains(&leg), "words for {leg:?}, which the worker does not have");
                self.said.push((leg, words(&utterance)));
                self.utterances.insert(leg, utterance);
                self.playing.insert(leg, playing);
            }
            Effect::MoveLeg { leg, from, to } => {
                assert!(self.worker_legs.contains(&leg) && from != to);
                self.plans.remove(&leg);
                self.moved.push(leg);
            }
            Effect::AttachPeer { leg, .. } => assert!(self.worker_legs.insert(leg)),
            Effect::Transfer(request) => self.transfers.push(*request),
            Effect::Publish(event) => self.events.push(event),
            Effect::Record(record) => self.records.push(record),
        }
    }

    fn note_sip(&mut self, command: SipCommand) {
        match command {
            SipCommand::Invite(invite) => {
                assert!(self.sessions.insert(invite.session), "a session id was used twice");
                self.invites.push(*invite);
            }
            SipCommand::HangUp { session } => {
                self.sessions.remove(&session);
                self.hung_up.push(session);
            }
            SipCommand::Reject { session, status } => {
                self.sessions.remove(&session);
                self.rejected.push((session, status));
            }
            SipCommand::Accept { session, .. } => self.accepted.push(session),
            SipCommand::AnswerOffer { session, body } => self.answers.push((session, body)),
            SipCommand::AnswerRefer { .. }
            | SipCommand::ReferProgress { .. }
            | SipCommand::AnswerSubscribe { .. }
            | SipCommand::Notify { .. }
            | SipCommand::EndSubscription { .. }
            | SipCommand::Message { .. } => self.orders.push(command),
            _ => {}
        }
    }

    fn note_media(&mut self, command: MediaCommand) {
        self.media.push(format!("{command:?}"));
        match command {
            MediaCommand::AddSipLeg { leg, .. } => assert!(self.worker_legs.insert(leg)),
            MediaCommand::RemoveLeg { leg } => {
                assert!(self.worker_legs.remove(&leg), "{leg:?} was not at the worker");
                self.plans.remove(&leg);
            }
            MediaCommand::SetPlan { leg, plan } => {
                assert!(
                    self.worker_legs.contains(&leg),
                    "a plan for {leg:?}, which the worker does not have"
                );
                self.plans.insert(leg, plan);
            }
            MediaCommand::SetSipRemote { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::SendDigits { leg, .. }
            | MediaCommand::DetectTones { leg, .. }
            | MediaCommand::ObserveAnswer { leg, .. }
            | MediaCommand::TreatVoice { leg, .. }
            | MediaCommand::Overhear { leg, .. }
            | MediaCommand::StopPlaying { leg } => {
                assert!(
                    self.worker_legs.contains(&leg),
                    "an order for {leg:?}, which the worker does not have"
                );
                if matches!(command, MediaCommand::SetSipRemote { .. }) {
                    self.remotes.insert(leg);
                }
            }
            MediaCommand::MoveLeg { .. } | MediaCommand::ExpectLeg { .. } => panic!("the gateway moves legs"),
            MediaCommand::AddWebrtcLeg { .. } => panic!("the gateway adds browsers"),
        }
    }
}
