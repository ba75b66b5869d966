//! The gateway without its sockets: carries out effects the way the process does.

use crate::live::focus::{Command, Effect, Focus, FocusConfig, Output, Refusal, Reply};
use crate::live::tests::harness::{SEED, WALL};
use crate::vocabulary::UnixMillis;
use media::prompt::PromptSet;
use media::webrtc::{OutgoingRtp, PeerEvent, PeerTransmit, Slot, WebrtcPeer};
use media::worker::{Command as MediaCommand, LegId, Port, Worker, WorkerConfig};
use sip_core::ua::{
    Command as SipCommand, Datagram, Listener, Output as SipOutput, TimerValues, Transport, UserAgent,
    UserAgentConfig,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// A datagram on its way: from, to, bytes.
pub(super) type Packet = (SocketAddr, SocketAddr, Vec<u8>);

pub(super) const SIP: &str = "192.0.2.1:5060";
const WEBRTC: &str = "192.0.2.1:8443";

pub(super) struct Gateway {
    pub(super) focus: Focus,
    pub(super) ua: UserAgent,
    pub(super) worker: Worker,
    base: Instant,
    ports: BTreeMap<LegId, SocketAddr>,
    pub(super) outbox: VecDeque<Packet>,
    pub(super) events: Vec<crate::live::event::PublicEvent>,
    pub(super) log: Vec<String>,
    pub(super) wake: Option<Instant>,
}

pub(super) fn ua_config(local: &str, trusted: &[&str]) -> UserAgentConfig {
    UserAgentConfig {
        listeners: vec![Listener {
            transport: Transport::Udp,
            local: local.parse().unwrap(),
            advertised: local.to_owned(),
            public: false,
        }],
        domains: vec!["acme.test".into()],
        product: "Partyline".into(),
        timers: TimerValues::default(),
        limits: sip_core::message::Limits::default(),
        registrar: sip_core::ua::RegistrarConfig::default(),
        edges: Vec::new(),
        trusted_peers: trusted.iter().map(|network| network.parse().unwrap()).collect(),
    }
}

impl Gateway {
    pub(super) fn new(base: Instant) -> Self {
        Self {
            focus: Focus::new(FocusConfig::default(), SEED),
            ua: UserAgent::new(ua_config(SIP, &["198.51.100.99/32"]), SEED),
            worker: Worker::new(WorkerConfig::default(), SEED),
            base,
            ports: BTreeMap::new(),
            outbox: VecDeque::new(),
            events: Vec::new(),
            log: Vec::new(),
            wake: None,
        }
    }

    fn wall(&self, now: Instant) -> UnixMillis {
        UnixMillis(WALL + u64::try_from(now.duration_since(self.base).as_millis()).unwrap())
    }

    pub(super) fn command(&mut self, now: Instant, command: Command) -> Result<Reply, Refusal> {
        let reply = self.focus.handle_command(now, self.wall(now), command);
        self.drain(now);
        reply
    }

    pub(super) fn provision(&mut self, now: Instant, command: SipCommand) {
        self.ua.handle_command(now, command);
        self.drain(now);
    }

    pub(super) fn datagram(&mut self, now: Instant, (from, to, payload): &Packet) {
        if *to == SIP.parse::<SocketAddr>().unwrap() {
            self.ua.handle_datagram(now, Datagram { source: *from, payload });
        } else if let Some((leg, _)) = self.ports.iter().find(|(_, port)| **port == *to) {
            self.worker.handle_sip_datagram(now, *leg, *from, payload);
        }
        self.drain(now);
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        self.focus.handle_timeout(now, self.wall(now));
        self.ua.handle_timeout(now);
        self.worker.handle_timeout(now);
        self.drain(now);
    }

    pub(super) fn tick(&mut self, now: Instant) {
        self.worker.handle_tick(now);
        self.drain(now);
    }

    /// Carries everything from one part to the next until all are quiet.
    fn drain(&mut self, now: Instant) {
        loop {
            let focus = self.drain_focus(now);
            let agent = self.drain_agent(now);
            let busy = self.drain_worker(now);
            if !busy && !agent.1 && !focus.1 {
                self.wake = [focus.0, agent.0, self.worker.poll_timeout()].into_iter().flatten().min();
                return;
            }
        }
    }

    fn drain_focus(&mut self, now: Instant) -> (Option<Instant>, bool) {
        let mut busy = false;
        loop {
            match self.focus.poll_output() {
                Output::Timeout(at) => return (at, busy),
                Output::Effect(effect) => {
                    busy = true;
                    let past = now.duration_since(self.base).as_millis();
                    self.log.push(format!("{past} {effect:?}"));
                    self.carry_out(now, effect);
                }
            }
        }
    }

    fn drain_agent(&mut self, now: Instant) -> (Option<Instant>, bool) {
        let mut busy = false;
        loop {
            match self.ua.poll_output() {
                SipOutput::Timeout(at) => return (at, busy),
                SipOutput::Transmit(transmit) => {
                    self.outbox.push_back((
                        SIP.parse().unwrap(),
                        transmit.destination.remote,
                        transmit.payload.to_vec(),
                    ));
                }
                SipOutput::Connect(_) | SipOutput::Resolve(_) => {}
                SipOutput::Event(event) => {
                    busy = true;
                    let past = now.duration_since(self.base).as_millis();
                    self.log.push(format!("{past} event {event:?}"));
                    self.focus.handle_sip(now, self.wall(now), event);
                }
            }
        }
    }

    fn drain_worker(&mut self, now: Instant) -> bool {
        while let Some(transmit) = self.worker.poll_transmit() {
            let from = match transmit.from {
                Port::Sip(leg) => self.ports.get(&leg).copied(),
                Port::SipRtcp(leg) => {
                    self.ports.get(&leg).map(|port| SocketAddr::new(port.ip(), port.port() + 1))
                }
                Port::Webrtc => Some(WEBRTC.parse().unwrap()),
            };
            if let Some(from) = from {
                self.outbox.push_back((from, transmit.destination, transmit.payload.to_vec()));
            }
        }
        let mut busy = false;
        while let Some(event) = self.worker.poll_event() {
            busy = true;
            self.focus.handle_media(now, self.wall(now), event);
        }
        busy
    }

    fn carry_out(&mut self, now: Instant, effect: Effect) {
        match effect {
            Effect::Sip(command) => self.ua.handle_command(now, command),
            Effect::Media { command, .. } => self.worker.handle_command(now, command),
            Effect::OpenPort { leg, .. } => {
                let port = SocketAddr::from(([192, 0, 2, 1], 20_000 + u16::try_from(leg.0).unwrap() * 2));
                self.ports.insert(leg, port);
                self.focus.handle_port(now, self.wall(now), leg, Ok(port));
            }
            Effect::ClosePort { leg } => drop(self.ports.remove(&leg)),
            Effect::Speak { leg, utterance, playing, .. } => {
                let source = utterance.source(&PromptSet::default(), |_| None);
                let repeat = utterance.repeat;
                self.worker.handle_command(now, MediaCommand::Play { leg, source, repeat, playing });
            }
            Effect::MoveLeg { leg, to, .. } => {
                self.worker.handle_command(now, MediaCommand::MoveLeg { leg, room: to });
            }
            Effect::AttachPeer { leg, room } => {
                let peer = Box::new(SilentBrowser { connected: false });
                self.worker.handle_command(
                    now,
                    MediaCommand::AddWebrtcLeg { leg, room, peer, ufrag: leg.0.to_string(), video_slots: 8 },
                );
            }
            Effect::Transfer(_) => {}
            Effect::Publish(event) => self.events.push(event),
            Effect::Record(_) => {}
        }
    }

    /// Whether nothing is held any more, bindings of phones apart.
    pub(super) fn is_idle(&self) -> bool {
        let agent = self.ua.counts();
        self.focus.counts() == crate::live::focus::Counts::default()
            && (agent.sessions, agent.dialogs, agent.transactions) == (0, 0, 0)
            && self.worker.load().legs == 0
            && self.ports.is_empty()
    }
}

/// A browser that is connected and says nothing.
struct SilentBrowser {
    connected: bool,
}

impl WebrtcPeer for SilentBrowser {
    fn handle_datagram(&mut self, _: Instant, _: SocketAddr, _: &[u8]) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
    fn poll_transmit(&mut self) -> Option<PeerTransmit> {
        None
    }
    fn poll_event(&mut self) -> Option<PeerEvent> {
        (!std::mem::replace(&mut self.connected, true)).then_some(PeerEvent::Connected)
    }
    fn write_rtp(&mut self, _: Instant, _: Slot, _: OutgoingRtp<'_>) {}
    fn request_key_frame(&mut self, _: Instant) {}
}
