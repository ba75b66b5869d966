//! A seeded network of user agents and scripted peers. It jumps from event to event; nothing ever waits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::auth::{DigestAlgorithm, DigestInput, ha1, ha1_md5};
use sip_core::message::header::{Challenge, WwwAuthenticate};
use sip_core::message::{Limits, Method, TypedHeader, read};
use sip_core::ua::{
    AddressOfRecord, CallerIdentity, Command, Datagram, DeviceAccount, Event, Listener, OutgoingInvite,
    Output, RegistrarConfig, SessionId, Target, TimerValues, Transport, Trunk, TrunkId, UserAgent,
    UserAgentConfig,
};

pub(crate) const GATEWAY: &str = "192.0.2.1:5060";
pub(crate) const CARRIER: &str = "192.0.2.2:5060";
pub(crate) const PHONE: &str = "198.51.100.7:40000";
pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
pub(crate) const ANSWER: &str = "v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\n";
const DELAY: Duration = Duration::from_millis(20);

/// Which datagrams the network loses.
pub(crate) enum Loss {
    Nothing,
    /// Every third one, counted from this.
    EveryThird(u64),
    /// One in three, by chance.
    OneInThree,
}

/// What an agent does by itself when it is called.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    Nothing,
    RingThenAnswer(Duration),
    Reject(u16),
}

pub(crate) struct Node {
    pub ua: UserAgent,
    pub events: Vec<(Duration, Event)>,
    behaviour: Behaviour,
}

enum Item {
    Datagram { from: SocketAddr, to: SocketAddr, payload: Bytes },
    Command(SocketAddr, Box<Command>),
}

pub(crate) struct Network {
    base: Instant,
    now: Instant,
    random: u64,
    loss: Loss,
    sent: u64,
    sequence: u64,
    queue: BTreeMap<(Instant, u64), Item>,
    pub nodes: BTreeMap<SocketAddr, Node>,
    /// What reached addresses without a user agent.
    inbox: BTreeMap<SocketAddr, Vec<String>>,
    /// Everything that was sent and said, with its time.
    pub log: String,
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn config(local: &str) -> UserAgentConfig {
    UserAgentConfig {
        listeners: vec![Listener {
            transport: Transport::Udp,
            local: addr(local),
            advertised: local.to_owned(),
            public: false,
        }],
        domains: vec!["acme.test".into(), "zeta.test".into()],
        product: "Partyline".into(),
        timers: TimerValues::default(),
        limits: Limits::default(),
        registrar: RegistrarConfig::default(),
        trusted_peers: Vec::new(),
        edges: Vec::new(),
    }
}

pub(crate) fn carrier_trunk() -> Trunk {
    Trunk::new(TrunkId(1), addr(CARRIER), "carrier.test")
}

pub(crate) fn device(user: &str, domain: &str) -> AddressOfRecord {
    AddressOfRecord { user: user.into(), domain: domain.into() }
}

pub(crate) fn account(user: &str, domain: &str, password: &str) -> DeviceAccount {
    let ha1_md5 = ha1_md5(user, domain, password);
    let full = sip_core::auth::ha1_md5(&format!("{user}@{domain}"), domain, password);
    DeviceAccount {
        aor: device(user, domain),
        realm: domain.into(),
        ha1_md5,
        ha1_sha256: None,
        ha1_md5_full: Some(full),
        ha1_sha256_full: None,
        agent_filter: None,
    }
}

pub(crate) fn hana() -> CallerIdentity {
    CallerIdentity { number: "+12025550100".into(), display_name: "Hana Host".into(), hidden: false }
}

pub(crate) const CALL: SessionId = SessionId::Outgoing(7);

pub(crate) fn call(target: Target) -> Command {
    Command::Invite(Box::new(OutgoingInvite {
        session: CALL,
        target,
        caller: hana(),
        call_id: "call-7@acme.test".into(),
        offer: Bytes::from_static(OFFER.as_bytes()),
        replaces: None,
        patience: None,
        attestation: None,
        diverted_by: None,
        identity: None,
    }))
}

pub(crate) fn to_number() -> Target {
    Target::Trunk { trunk: TrunkId(1), number: "+12025550177".into() }
}

impl Network {
    pub(crate) fn new(seed: u64, loss: Loss) -> Self {
        let base = Instant::now();
        Self {
            base,
            now: base,
            random: seed,
            loss,
            sent: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            nodes: BTreeMap::new(),
            inbox: BTreeMap::new(),
            log: String::new(),
        }
    }

    /// A gateway with a trunk to the carrier, and a carrier that trusts it.
    pub(crate) fn pair(seed: u64, loss: Loss, behaviour: Behaviour) -> Self {
        let mut network = Self::new(seed, loss);
        network.add(GATEWAY, config(GATEWAY), Behaviour::Nothing);
        let mut carrier = config(CARRIER);
        carrier.domains = vec!["carrier.test".into()];
        carrier.trusted_peers = vec!["192.0.2.1/32".parse().unwrap()];
        network.add(CARRIER, carrier, behaviour);
        network.command(GATEWAY, Command::PutTrunk(Box::new(carrier_trunk())));
        network
    }

    /// A gateway alone; the tests play its peers.
    pub(crate) fn gateway() -> Self {
        let mut network = Self::new(1, Loss::Nothing);
        network.add(GATEWAY, config(GATEWAY), Behaviour::Nothing);
        network
    }

    pub(crate) fn add(&mut self, address: &str, config: UserAgentConfig, behaviour: Behaviour) {
        let seed = [self.nodes.len() as u8 + 1; 32];
        let node = Node { ua: UserAgent::new(config, seed), events: Vec::new(), behaviour };
        self.nodes.insert(addr(address), node);
    }

    /// From now on this one answers by itself.
    pub(crate) fn behave(&mut self, node: &str, behaviour: Behaviour) {
        self.nodes.get_mut(&addr(node)).unwrap().behaviour = behaviour;
    }

    pub(crate) fn command(&mut self, node: &str, command: Command) {
        let node = addr(node);
        self.nodes.get_mut(&node).unwrap().ua.handle_command(self.now, command);
        self.drain(node);
    }

    pub(crate) fn command_at(&mut self, after: Duration, node: &str, command: Command) {
        self.push(self.base + after, Item::Command(addr(node), Box::new(command)));
    }

    /// A scripted peer sends something; it arrives without loss.
    pub(crate) fn send(&mut self, from: &str, text: &str) {
        let payload = Bytes::from(text.to_owned());
        let item = Item::Datagram { from: addr(from), to: addr(GATEWAY), payload };
        self.push(self.now + DELAY, item);
        self.run_for(DELAY * 3);
    }

    /// What reached a scripted peer since it was last asked.
    pub(crate) fn take(&mut self, peer: &str) -> Vec<String> {
        self.inbox.remove(&addr(peer)).unwrap_or_default()
    }

    pub(crate) fn take_one(&mut self, peer: &str) -> String {
        let mut texts = self.take(peer);
        assert_eq!(texts.len(), 1, "{texts:#?}");
        texts.remove(0)
    }

    pub(crate) fn events(&self, node: &str) -> Vec<Event> {
        self.nodes[&addr(node)].events.iter().map(|(_, event)| event.clone()).collect()
    }

    pub(crate) fn take_events(&mut self, node: &str) -> Vec<Event> {
        let events = std::mem::take(&mut self.nodes.get_mut(&addr(node)).unwrap().events);
        events.into_iter().map(|(_, event)| event).collect()
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until nothing is pending anywhere, and checks that nobody remembers anything.
    pub(crate) fn run_until_idle(&mut self) {
        let end = self.now + Duration::from_secs(3_600);
        while self.step(end) {}
        for node in self.nodes.values() {
            assert_eq!(node.ua.counts(), Default::default());
        }
    }

    /// The same with registrations left over: they run out within the hour.
    pub(crate) fn run_until_registration_ends(&mut self) {
        self.run_for(Duration::from_secs(3_600));
        self.run_until_idle();
    }

    /// Does the next thing not later than `end`; `false` if there is none.
    fn step(&mut self, end: Instant) -> bool {
        let nodes: Vec<SocketAddr> = self.nodes.keys().copied().collect();
        let mut next = self.queue.first_key_value().map(|((at, _), _)| *at);
        for node in &nodes {
            let timeout = self.drain(*node);
            next = next.into_iter().chain(timeout).min();
        }
        // Draining may have sent something that arrives before any timer.
        let first = self.queue.first_key_value().map(|((at, _), _)| *at);
        let Some(at) = next.into_iter().chain(first).min().filter(|at| *at <= end) else { return false };
        self.now = at.max(self.now);
        match self.queue.first_key_value().map(|((at, _), _)| *at) {
            Some(due) if due <= self.now => {
                let (_, item) = self.queue.pop_first().unwrap();
                self.deliver(item);
            }
            _ => {
                for node in nodes {
                    self.nodes.get_mut(&node).unwrap().ua.handle_timeout(self.now);
                    self.drain(node);
                }
            }
        }
        true
    }

    fn deliver(&mut self, item: Item) {
        match item {
            Item::Datagram { from, to, payload } => match self.nodes.get_mut(&to) {
                Some(node) => {
                    node.ua.handle_datagram(self.now, Datagram { source: from, payload: &payload });
                    self.drain(to);
                }
                None => {
                    let text = String::from_utf8_lossy(&payload).into_owned();
                    self.inbox.entry(to).or_default().push(text);
                }
            },
            Item::Command(node, command) => {
                self.nodes.get_mut(&node).unwrap().ua.handle_command(self.now, *command);
                self.drain(node);
            }
        }
    }

    fn drain(&mut self, address: SocketAddr) -> Option<Instant> {
        loop {
            match self.nodes.get_mut(&address).unwrap().ua.poll_output() {
                Output::Transmit(transmit) => {
                    self.transmit(address, transmit.destination.remote, transmit.payload);
                }
                Output::Resolve(_) | Output::Connect(_) => {}
                Output::Event(event) => self.react(address, event),
                Output::Timeout(timeout) => return timeout,
            }
        }
    }

    fn transmit(&mut self, from: SocketAddr, to: SocketAddr, payload: Bytes) {
        // The one exception: the answer to a malformed request echoes its fields as RFC 3261 asks.
        let echo = payload.starts_with(b"SIP/2.0 400 Bad Request: ") || payload.starts_with(b"SIP/2.0 505 ");
        assert!(echo || read(&payload, &Limits::default()).is_ok(), "we read what we write: {payload:?}");
        let text = String::from_utf8_lossy(&payload).into_owned();
        let lost = self.loses();
        let at = self.now - self.base;
        let fate = if lost { " LOST" } else { "" };
        writeln!(self.log, "{at:?} {from} -> {to}{fate}\n{text}").unwrap();
        if !lost {
            self.push(self.now + DELAY, Item::Datagram { from, to, payload });
        }
    }

    fn loses(&mut self) -> bool {
        self.sent += 1;
        // SplitMix64: small, seeded, and good enough to lose datagrams by.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut chance = self.random;
        chance = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chance = (chance ^ (chance >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        match &mut self.loss {
            Loss::Nothing => false,
            Loss::EveryThird(offset) => (self.sent + *offset).is_multiple_of(3),
            Loss::OneInThree => (chance >> 33).is_multiple_of(3),
        }
    }

    fn react(&mut self, address: SocketAddr, event: Event) {
        let at = self.now - self.base;
        writeln!(self.log, "{at:?} {address} {event:?}").unwrap();
        let node = self.nodes.get_mut(&address).unwrap();
        node.events.push((at, event.clone()));
        if let (Event::Offer { session, .. }, Behaviour::RingThenAnswer(_)) = (&event, node.behaviour) {
            let body = Ok(Bytes::from_static(ANSWER.as_bytes()));
            self.push(
                self.now,
                Item::Command(address, Box::new(Command::AnswerOffer { session: *session, body })),
            );
            return;
        }
        let Event::Incoming(invite) = event else { return };
        let session = invite.session;
        match node.behaviour {
            Behaviour::Nothing => {}
            Behaviour::Reject(status) => {
                self.push(self.now, Item::Command(address, Box::new(Command::Reject { session, status })));
            }
            Behaviour::RingThenAnswer(after) => {
                let ring = Command::Provisional { session, status: 180, body: None };
                self.push(self.now, Item::Command(address, Box::new(ring)));
                let body = Bytes::from_static(ANSWER.as_bytes());
                self.push(
                    self.now + after,
                    Item::Command(address, Box::new(Command::Accept { session, body })),
                );
            }
        }
    }

    fn push(&mut self, at: Instant, item: Item) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), item);
    }
}

/// The value of a header field in a message text.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    header_if_any(text, name).unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub(crate) fn header_if_any<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A scripted answer to a request: the status line, more header fields, a body.
pub(crate) fn answer_to(request: &str, status: &str, tag: &str, more: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        if ["Via: ", "From: ", "Call-ID: ", "CSeq: "].iter().any(|name| line.starts_with(name)) {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To: ") {
            let tag =
                if line.contains(";tag=") || tag.is_empty() { String::new() } else { format!(";tag={tag}") };
            text += &format!("{line}{tag}\r\n");
        }
    }
    text + more + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A request of a scripted phone; `more` are further header fields, each with its CRLF.
pub(crate) fn request(method: &str, uri: &str, from: &str, to: &str, cseq: u32, more: &str) -> String {
    request_with(method, uri, from, to, cseq, more, "", "c1@phone", &format!("{method}{cseq}"))
}

#[expect(clippy::too_many_arguments, reason = "a request has that many parts")]
pub(crate) fn request_with(
    method: &str,
    uri: &str,
    from: &str,
    to: &str,
    cseq: u32,
    more: &str,
    body: &str,
    call_id: &str,
    branch: &str,
) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <{from}>;tag=phone\r\nTo: <{to}>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The Authorization header field line answering a 401.
pub(crate) fn authorize(
    response: &str,
    method: &str,
    uri: &str,
    user: &str,
    password: &str,
    nc: u32,
) -> String {
    let challenge: Challenge = WwwAuthenticate::parse(header(response, "WWW-Authenticate")).unwrap().0;
    let method = Method::parse(method).unwrap();
    let nc = format!("{nc:08x}");
    let input = DigestInput { method: &method, uri, nonce: &challenge.nonce, auth: Some((&nc, "cn")) };
    let ha1 = ha1(DigestAlgorithm::Md5, user, &challenge.realm, password);
    let digest = input.response(DigestAlgorithm::Md5, &ha1);
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", \
         response=\"{digest}\", qop=auth, nc={nc}, cnonce=\"cn\"\r\n",
        challenge.realm, challenge.nonce
    )
}

/// A phone that registers and proves who it is; returns the last response.
pub(crate) fn register(network: &mut Network, phone: &str, user: &str, cseq: u32, more: &str) -> String {
    let aor = format!("sip:{user}@acme.test");
    let first = request("REGISTER", "sip:acme.test", &aor, &aor, cseq, more);
    network.send(phone, &first);
    let challenge = network.take_one(phone);
    assert!(challenge.starts_with("SIP/2.0 401 "), "{challenge}");
    let proof = authorize(&challenge, "REGISTER", "sip:acme.test", user, &format!("{user}-secret"), 1);
    network
        .send(phone, &request("REGISTER", "sip:acme.test", &aor, &aor, cseq + 1, &format!("{proof}{more}")));
    network.take_one(phone)
}

/// A gateway with one device, registered from [`PHONE`].
pub(crate) fn with_phone() -> Network {
    let mut network = Network::gateway();
    network.command(GATEWAY, Command::PutDevice(account("103a", "acme.test", "103a-secret")));
    let response = register(&mut network, PHONE, "103a", 1, "Contact: <sip:103a@10.0.0.9:5060;ob>\r\n");
    assert!(response.starts_with("SIP/2.0 200 "), "{response}");
    network
}

pub(crate) fn to_phone() -> Target {
    Target::Device(device("103a", "acme.test"))
}
