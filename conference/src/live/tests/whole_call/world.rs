//! The virtual clock, the network with its losses, and everybody on it.

use super::far::{FarEnd, Manner};
use super::gateway::{Gateway, Packet, SIP};
use crate::live::focus::{Command, DialSpec};
use crate::live::tests::harness::{meeting_id, person, spec};
use crate::vocabulary::{MeetingKind, Role};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sip_core::auth::{DigestAlgorithm, ha1};
use sip_core::ua::{AddressOfRecord, Command as SipCommand, DeviceAccount, Trunk, TrunkId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const LATENCY: Duration = Duration::from_millis(5);
const TICK: Duration = Duration::from_millis(20);
pub(super) const PHONE: &str = "198.51.100.3:5060";
pub(super) const CARRIER: &str = "198.51.100.5:5060";

pub(super) struct World {
    pub(super) now: Instant,
    base: Instant,
    pub(super) gateway: Gateway,
    pub(super) far: BTreeMap<SocketAddr, FarEnd>,
    network: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    next_tick: Instant,
    random: ChaCha8Rng,
    /// One SIP datagram in so many is lost; 0 loses none.
    one_in: u64,
    pub(super) log: Vec<String>,
}

/// One beginning of time for all runs, so that times in two logs can be compared.
fn base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    *BASE.get_or_init(Instant::now)
}

impl World {
    /// A meeting with Hana in it by browser, a registered phone 103a of Uma's that says 440 Hz, and a carrier whose
    /// callee behaves in this manner and says 620 Hz.
    pub(super) fn new(kind: MeetingKind, callee: Manner, seed: u8, one_in: u64) -> Self {
        let base = base();
        let mut world = Self {
            now: base,
            base,
            gateway: Gateway::new(base),
            far: BTreeMap::new(),
            network: BTreeMap::new(),
            sent: 0,
            next_tick: base + TICK,
            random: ChaCha8Rng::from_seed([seed; 32]),
            one_in,
            log: Vec::new(),
        };
        world.far.insert(PHONE.parse().unwrap(), FarEnd::new(PHONE, Manner::Answers, 440, 3));
        world.far.insert(CARRIER.parse().unwrap(), FarEnd::new(CARRIER, callee, 620, 5));
        world.provision(kind);
        world
    }

    fn provision(&mut self, kind: MeetingKind) {
        let hash = ha1(DigestAlgorithm::Md5, "103a", "acme.test", "secret");
        let mut ha1_md5 = [0; 16];
        for (byte, pair) in ha1_md5.iter_mut().zip(hash.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        let aor = AddressOfRecord { user: "103a".into(), domain: "acme.test".into() };
        let realm = "acme.test".to_owned();
        self.ok(Command::PutDevice {
            aor: aor.clone(),
            user: "u-uma".into(),
            tenant: "acme".into(),
            display_name: "Uma".into(),
            role_hint: None,
        });
        let (ha1_md5_full, ha1_sha256_full) = (None, None);
        let account = DeviceAccount {
            aor,
            realm,
            ha1_md5,
            ha1_sha256: None,
            ha1_md5_full,
            ha1_sha256_full,
            agent_filter: None,
        };
        let carrier: SocketAddr = CARRIER.parse().unwrap();
        let trunk = Trunk::new(TrunkId(1), carrier, "carrier.test");
        self.gateway.provision(self.now, SipCommand::PutDevice(account));
        self.gateway.provision(self.now, SipCommand::PutTrunk(Box::new(trunk)));
        self.ok(Command::PutMeeting(spec(kind)));
        self.ok(Command::JoinWebrtc { meeting: meeting_id(), person: person("hana", Role::Host) });
        let now = self.now;
        self.phone().register(now, "103a", "secret");
        self.collect();
        self.run_until("device.registered", Duration::from_secs(40));
    }

    pub(super) fn phone(&mut self) -> &mut FarEnd {
        self.far.get_mut(&PHONE.parse().unwrap()).unwrap()
    }

    pub(super) fn callee(&mut self) -> &mut FarEnd {
        self.far.get_mut(&CARRIER.parse().unwrap()).unwrap()
    }

    pub(super) fn ok(&mut self, command: Command) {
        if let Err(refusal) = self.gateway.command(self.now, command) {
            panic!("refused: {refusal}");
        }
        self.collect();
    }

    pub(super) fn dial(&mut self, spec: DialSpec) {
        self.ok(Command::Dial(Box::new(spec)));
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// Runs from event to event for this long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.network.first_key_value().map(|((at, _), _)| *at);
            // Nobody listens to ticks without legs.
            if self.gateway.worker.load().legs == 0 {
                self.next_tick = self.next_tick.max(end + TICK);
            }
            let wakes = self.far.values().map(|far| far.wake).chain([
                self.gateway.wake,
                arrival,
                Some(self.next_tick),
            ]);
            let next = wakes.flatten().min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.step(arrival);
            self.collect();
        }
    }

    /// Runs until this has been published.
    pub(super) fn run_until(&mut self, kind: &str, limit: Duration) {
        let end = self.now + limit;
        while !self.gateway.events.iter().any(|event| event.kind == kind) {
            assert!(self.now < end, "{kind} did not come:\n{}", self.log.join("\n"));
            self.run_ms(5);
        }
    }

    fn step(&mut self, arrival: Option<Instant>) {
        let now = self.now;
        if arrival.is_some_and(|at| at <= now) {
            if let Some((_, packet)) = self.network.pop_first() {
                self.deliver(&packet);
            }
        } else if self.next_tick <= now {
            self.next_tick += TICK;
            self.far.values_mut().for_each(|far| far.tick(now));
            self.gateway.tick(now);
        } else if self.gateway.wake.is_some_and(|at| at <= now) {
            self.gateway.timeout(now);
        } else {
            self.far
                .values_mut()
                .filter(|far| far.wake.is_some_and(|at| at <= now))
                .for_each(|far| far.timeout(now));
        }
    }

    fn deliver(&mut self, packet: &Packet) {
        let gateway: SocketAddr = SIP.parse().unwrap();
        if packet.1.ip() == gateway.ip() {
            self.gateway.datagram(self.now, packet);
        } else if let Some(far) = self.far.values_mut().find(|far| far.address.ip() == packet.1.ip()) {
            far.datagram(self.now, packet);
        }
    }

    /// Puts what everybody sends on the wire.
    fn collect(&mut self) {
        let mut packets: Vec<Packet> = self.gateway.outbox.drain(..).collect();
        for far in self.far.values_mut() {
            packets.extend(far.outbox.drain(..));
        }
        for packet in packets {
            self.sent += 1;
            let is_sip = packet.0.port() == 5060;
            let lost = is_sip && self.one_in > 0 && self.random.next_u64().is_multiple_of(self.one_in);
            let past = self.now.duration_since(self.base).as_millis();
            let (from, to, bytes) = &packet;
            self.log.push(format!("{past} {from} > {to} lost={lost} {}", bytes.escape_ascii()));
            if !lost {
                self.network.insert((self.now + LATENCY, self.sent), packet);
            }
        }
    }

    /// Everything said and sent, in order.
    pub(super) fn whole_log(&self) -> String {
        format!("{}\n{}", self.gateway.log.join("\n"), self.log.join("\n"))
    }

    pub(super) fn states(&self, call: &str) -> Vec<&str> {
        let of_call = |event: &&crate::live::event::PublicEvent| {
            event.data["call"] == call && event.kind != "call.evidence"
        };
        self.gateway.events.iter().filter(of_call).map(|event| &event.kind["call.".len()..]).collect()
    }

    pub(super) fn cause(&self, call: &str) -> String {
        let mut events = self.gateway.events.iter().rev();
        let last = events.find(|event| event.data["call"] == call).unwrap();
        last.data["cause"].as_str().unwrap_or_default().to_owned()
    }
}
