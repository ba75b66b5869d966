//! Whole user agents against sequences of datagrams, commands and time.

use bytes::Bytes;
use sip_core::message::Limits;
use sip_core::ua::{
    AddressOfRecord, CallerIdentity, Command, Datagram, DeviceAccount, Event, Listener, OutgoingInvite, Output,
    RegistrarConfig, SessionId, Target, TimerValues, Transport, Trunk, TrunkId, UserAgent, UserAgentConfig,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CARRIER: ([u8; 4], u16) = ([192, 0, 2, 2], 5060);
const STRANGER: ([u8; 4], u16) = ([203, 0, 113, 9], 5060);

struct Play {
    agent: UserAgent,
    now: Instant,
    sent: Vec<Bytes>,
    session: Option<SessionId>,
    calls: u64,
}

/// Each line is a step: a letter that says what, and bytes. What the agent sends can be answered by name, so that dialogs
/// come about: `$n` in a datagram stands for the header section of the n-th message it sent.
pub fn sip_dialog(data: &[u8]) {
    let mut play = Play { agent: agent(), now: Instant::now(), sent: Vec::new(), session: None, calls: 0 };
    play.drain();
    for step in data.split(|byte| *byte == 0xff).take(64) {
        let Some((what, rest)) = step.split_first() else { continue };
        play.step(*what, rest);
        play.drain();
    }
    // Whatever happened, time clears it away.
    play.agent.handle_command(play.now, Command::Shutdown);
    for _ in 0..4096 {
        let Some(next) = play.drain() else { break };
        play.now = play.now.max(next);
        play.agent.handle_timeout(play.now);
    }
    let counts = play.agent.counts();
    assert_eq!((counts.transactions, counts.dialogs, counts.sessions), (0, 0, 0), "{counts:?}");
}

impl Play {
    fn step(&mut self, what: u8, rest: &[u8]) {
        match what {
            b't' => {
                let by = rest.first().copied().unwrap_or(1);
                self.now += Duration::from_millis(u64::from(by) * 100);
                self.agent.handle_timeout(self.now);
            }
            b'i' => self.invite(),
            b'a' => self.with_session(|session| Command::Accept { session, body: Bytes::from_static(b"v=0\r\n") }),
            b'r' => {
                let status = 300 + u16::from(rest.first().copied().unwrap_or(186)) % 400;
                self.with_session(|session| Command::Reject { session, status });
            }
            b'p' => self.with_session(|session| Command::Provisional { session, status: 180, body: None }),
            b'h' => self.with_session(|session| Command::HangUp { session }),
            b'o' => self.with_session(|session| Command::Offer { session, body: Bytes::from_static(b"v=0\r\n") }),
            b'n' => self.with_session(|session| Command::AnswerOffer { session, body: Ok(Bytes::from_static(b"v=0\r\n")) }),
            b'c' => self.datagram(CARRIER.into(), rest),
            _ => self.datagram(STRANGER.into(), rest),
        }
    }

    fn with_session(&mut self, command: impl FnOnce(SessionId) -> Command) {
        if let Some(session) = self.session {
            self.agent.handle_command(self.now, command(session));
        }
    }

    fn invite(&mut self) {
        self.calls += 1;
        let session = SessionId::Outgoing(self.calls);
        self.session = Some(session);
        let caller = CallerIdentity { number: "+12025550100".into(), display_name: "Hana".into(), hidden: false };
        let invite = OutgoingInvite {
            session,
            target: Target::Trunk { trunk: TrunkId(1), number: "+12025550177".into() },
            caller,
            call_id: format!("call-{}@acme.test", self.calls),
            offer: Bytes::from_static(b"v=0\r\n"),
            replaces: None,
            patience: None,
            attestation: None,
            diverted_by: None,
            identity: None,
        };
        self.agent.handle_command(self.now, Command::Invite(Box::new(invite)));
    }

    /// Puts the identifying header fields of earlier messages in place of `$n`.
    fn datagram(&mut self, source: SocketAddr, rest: &[u8]) {
        let mut payload = Vec::with_capacity(rest.len());
        let mut bytes = rest.iter().copied();
        while let Some(byte) = bytes.next() {
            match (byte, self.sent.len()) {
                (b'$', sent) if sent > 0 => {
                    let index = usize::from(bytes.next().unwrap_or(0)) % sent;
                    payload.extend(self.sent.get(index).into_iter().flat_map(|message| identity(message)));
                }
                _ => payload.push(byte),
            }
        }
        self.agent.handle_datagram(self.now, Datagram { source, payload: &payload });
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.agent.poll_output() {
                Output::Transmit(transmit) if self.sent.len() < 256 => self.sent.push(transmit.payload.clone()),
                Output::Event(Event::Incoming(incoming)) => self.session = Some(incoming.session),
                Output::Timeout(next) => return next,
                Output::Transmit(_) | Output::Event(_) | Output::Resolve(_) | Output::Connect(_) => {}
            }
        }
    }
}

/// The lines of a message that make an answer, or another request of its dialog, belong to it.
fn identity(message: &[u8]) -> impl Iterator<Item = u8> {
    let text = String::from_utf8_lossy(message).into_owned();
    let wanted = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let lines: Vec<String> = text
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\r\n"))
        .collect();
    lines.concat().into_bytes().into_iter()
}

fn agent() -> UserAgent {
    let local: SocketAddr = ([192, 0, 2, 1], 5060).into();
    let config = UserAgentConfig {
        listeners: vec![Listener { transport: Transport::Udp, local, advertised: local.to_string(), public: false }],
        domains: vec!["acme.test".into()],
        product: "Partyline".into(),
        timers: TimerValues::default(),
        limits: Limits::default(),
        registrar: RegistrarConfig::default(),
        trusted_peers: Vec::new(),
        edges: Vec::new(),
    };
    let mut agent = UserAgent::new(config, [7; 32]);
    let now = Instant::now();
    let device = DeviceAccount {
        aor: AddressOfRecord { user: "103a".into(), domain: "acme.test".into() },
        realm: "acme.test".into(),
        ha1_md5: [1; 16],
        ha1_sha256: None,
        ha1_md5_full: None,
        ha1_sha256_full: None,
        agent_filter: None,
    };
    agent.handle_command(now, Command::PutDevice(device));
    agent.handle_command(now, Command::PutTrunk(Box::new(Trunk::new(TrunkId(1), SocketAddr::from(CARRIER), "carrier.test"))));
    agent
}
