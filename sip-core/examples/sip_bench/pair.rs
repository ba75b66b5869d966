//! Calls and registrations between two user agents that hand each other their messages in memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::auth::{DigestAlgorithm, DigestInput, ha1, ha1_md5};
use sip_core::message::header::WwwAuthenticate;
use sip_core::message::{Limits, Method, TypedHeader as _};
use sip_core::ua::{
    AddressOfRecord, CallerIdentity, Command, Datagram, DeviceAccount, Event, GuardLimits, Listener,
    OutgoingInvite, Output, RegistrarConfig, SessionId, Target, TimerValues, Transport, Trunk, TrunkId,
    UserAgent, UserAgentConfig,
};

use crate::{Figure, memory};

pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

pub(crate) fn agent(local: SocketAddr, peer: SocketAddr, seed: u8) -> UserAgent {
    let listener =
        Listener { transport: Transport::Udp, local, advertised: local.to_string(), public: false };
    let mut agent = UserAgent::new(
        UserAgentConfig {
            listeners: vec![listener],
            domains: vec!["acme.test".into()],
            product: "Bench".into(),
            timers: TimerValues::default(),
            limits: Limits {
                guard: GuardLimits {
                    messages_per_second: 10_000_000,
                    burst: 10_000_000,
                    ..GuardLimits::default()
                },
                transactions: 1_000_000,
                sessions: 1_000_000,
                nonces: 1_000_000,
                ..Limits::default()
            },
            registrar: RegistrarConfig::default(),
            edges: Vec::new(),
            trusted_peers: vec![format!("{}/32", peer.ip()).parse().unwrap()],
        },
        [seed; 32],
    );
    agent.handle_command(
        Instant::now(),
        Command::PutTrunk(Box::new(Trunk::new(TrunkId(1), peer, "acme.test"))),
    );
    agent
}

pub(crate) fn invite(number: u64) -> Command {
    Command::Invite(Box::new(OutgoingInvite {
        session: SessionId::Outgoing(number),
        target: Target::Trunk { trunk: TrunkId(1), number: "+12025550177".into() },
        caller: CallerIdentity { number: "+12025550100".into(), display_name: "Hana".into(), hidden: false },
        call_id: format!("bench-{number}@acme.test"),
        offer: Bytes::from_static(SDP.as_bytes()),
        replaces: None,
        patience: None,
        attestation: None,
        diverted_by: None,
        identity: None,
    }))
}

/// Two user agents, a clock that jumps, and what each of them has cost.
struct Pair {
    agents: [UserAgent; 2],
    addresses: [SocketAddr; 2],
    now: Instant,
    cost: [Duration; 2],
    established: usize,
}

impl Pair {
    fn new() -> Self {
        let addresses: [SocketAddr; 2] =
            ["192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap()];
        Self {
            agents: [agent(addresses[0], addresses[1], 1), agent(addresses[1], addresses[0], 2)],
            addresses,
            now: Instant::now(),
            cost: [Duration::ZERO; 2],
            established: 0,
        }
    }

    fn clocked(&mut self, who: usize, act: impl FnOnce(&mut UserAgent, Instant)) {
        let begun = Instant::now();
        act(&mut self.agents[who], self.now);
        self.cost[who] += begun.elapsed();
    }

    /// Hands everything over until both are quiet; the called side answers at once.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for who in 0..2 {
                loop {
                    let begun = Instant::now();
                    let output = self.agents[who].poll_output();
                    self.cost[who] += begun.elapsed();
                    match output {
                        Output::Transmit(transmit) => {
                            quiet = false;
                            let source = self.addresses[who];
                            self.clocked(1 - who, |agent, now| {
                                agent.handle_datagram(now, Datagram { source, payload: &transmit.payload });
                            });
                        }
                        Output::Event(Event::Incoming(invite)) => {
                            let session = invite.session;
                            let body = Bytes::from_static(SDP.as_bytes());
                            self.clocked(who, |agent, now| {
                                agent.handle_command(now, Command::Accept { session, body });
                            });
                        }
                        Output::Event(Event::Established { .. }) => self.established += 1,
                        Output::Event(_) | Output::Connect(_) | Output::Resolve(_) => {}
                        Output::Timeout(_) => break,
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for who in 0..2 {
            self.clocked(who, UserAgent::handle_timeout);
        }
        self.settle();
    }
}

fn micros(cost: Duration, count: u64) -> f64 {
    cost.as_secs_f64() * 1e6 / count as f64
}

fn calls(rounds: u32) -> Vec<Figure> {
    let (mut pair, count) = (Pair::new(), 10_000 * u64::from(rounds));
    for number in 0..count {
        pair.clocked(0, |agent, now| agent.handle_command(now, invite(number)));
        pair.settle();
        pair.clocked(0, |agent, now| {
            agent.handle_command(now, Command::HangUp { session: SessionId::Outgoing(number) });
        });
        pair.settle();
        // What ended half a minute ago is forgotten, as in life: the timers are part of the cost.
        pair.pass(Duration::from_millis(5));
    }
    assert_eq!(pair.established as u64, count, "every call was a call");
    pair.pass(Duration::from_secs(64));
    pair.pass(Duration::from_secs(64));
    vec![
        Figure::at_most("call in memory, calling side", micros(pair.cost[0], count), "us CPU", 200.0),
        Figure::at_most("call in memory, called side", micros(pair.cost[1], count), "us CPU", 200.0),
    ]
}

/// What calls hold on both sides: while they last, and when they are over but not forgotten.
fn bytes_per_call() -> Vec<Figure> {
    const COUNT: u64 = 2_000;
    let mut pair = Pair::new();
    let before = memory::held();
    for number in 0..COUNT {
        pair.clocked(0, |agent, now| agent.handle_command(now, invite(number)));
        pair.settle();
    }
    let fresh = memory::held() - before;
    pair.pass(Duration::from_secs(40));
    pair.pass(Duration::from_secs(40));
    let lasting = memory::held() - before;
    for number in 0..COUNT {
        pair.clocked(0, |agent, now| {
            agent.handle_command(now, Command::HangUp { session: SessionId::Outgoing(number) });
        });
        pair.settle();
    }
    pair.pass(Duration::from_secs(40));
    pair.pass(Duration::from_secs(40));
    let after = memory::held().saturating_sub(before);
    let per = |bytes: usize| bytes as f64 / COUNT as f64 / 2.0;
    vec![
        Figure::new("call of which the answer is new, each side", per(fresh), "bytes"),
        Figure::new("call that lasts, each side", per(lasting), "bytes"),
        Figure::new("call that is over and forgotten, each side", per(after), "bytes"),
    ]
}

/// The requests of a phone that registers with digest; `challenge` is the answer to the first one.
pub(crate) fn register(user: &str, cseq: u32, source: SocketAddr, challenge: Option<&[u8]>) -> String {
    let uri = "sip:acme.test";
    let proof = challenge.map(|answer| {
        let text = String::from_utf8_lossy(answer).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: ")).unwrap().to_owned();
        let challenge = WwwAuthenticate::parse(&value).unwrap().0;
        let input = DigestInput {
            method: &Method::Register,
            uri,
            nonce: &challenge.nonce,
            auth: Some(("00000001", "cn")),
        };
        let response =
            input.response(DigestAlgorithm::Md5, &ha1(DigestAlgorithm::Md5, user, "acme.test", "secret"));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"acme.test\", nonce=\"{}\", uri=\"{uri}\", \
             response=\"{response}\", qop=auth, nc=00000001, cnonce=\"cn\"\r\n",
            challenge.nonce
        )
    });
    format!(
        "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{user}x{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@acme.test>;tag=t{cseq}\r\nTo: <sip:{user}@acme.test>\r\nCall-ID: {user}@bench\r\n\
         CSeq: {cseq} REGISTER\r\nContact: <sip:{user}@{source}>\r\nUser-Agent: Desk 1.0\r\n{}Expires: 3600\r\nContent-Length: 0\r\n\r\n",
        proof.unwrap_or_default()
    )
}

pub(crate) fn account(user: &str) -> DeviceAccount {
    DeviceAccount {
        aor: AddressOfRecord::new(user, "acme.test"),
        realm: "acme.test".into(),
        ha1_md5: ha1_md5(user, "acme.test", "secret"),
        ha1_sha256: None,
        ha1_md5_full: None,
        ha1_sha256_full: None,
        agent_filter: None,
    }
}

fn registrations(rounds: u32) -> Vec<Figure> {
    let (mut pair, count) = (Pair::new(), 10_000 * u64::from(rounds));
    for number in 0..count {
        pair.agents[1].handle_command(pair.now, Command::PutDevice(account(&format!("d{number}"))));
    }
    let before = memory::held();
    let source: SocketAddr = "198.51.100.7:5060".parse().unwrap();
    let (mut cost, mut registered) = (Duration::ZERO, 0);
    let now = pair.now;
    let mut ask = |agent: &mut UserAgent, text: &str| -> Option<Vec<u8>> {
        let begun = Instant::now();
        agent.handle_datagram(now, Datagram { source, payload: text.as_bytes() });
        let mut answer = None;
        loop {
            match agent.poll_output() {
                Output::Transmit(transmit) => answer = Some(transmit.payload.to_vec()),
                Output::Event(Event::Registered(_)) => registered += 1,
                Output::Event(_) | Output::Connect(_) | Output::Resolve(_) => {}
                Output::Timeout(_) => break,
            }
        }
        cost += begun.elapsed();
        answer
    };
    for number in 0..count {
        let user = format!("d{number}");
        let challenge = ask(&mut pair.agents[1], &register(&user, 1, source, None)).unwrap();
        let answer = ask(&mut pair.agents[1], &register(&user, 2, source, Some(&challenge))).unwrap();
        assert!(answer.starts_with(b"SIP/2.0 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(registered, count, "every phone registered");
    pair.pass(Duration::from_secs(40));
    let bytes = (memory::held() - before) as f64 / count as f64;
    vec![
        Figure::at_most(
            "registration in memory (REGISTER, 401, REGISTER, 200)",
            micros(cost, count),
            "us CPU",
            50.0,
        ),
        Figure::new("binding", bytes, "bytes"),
    ]
}

pub(crate) fn measure(rounds: u32) -> Vec<Figure> {
    let mut figures = calls(rounds);
    figures.extend(registrations(rounds));
    figures.extend(bytes_per_call());
    figures
}
