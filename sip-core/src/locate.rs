//! Finding the servers of a domain, RFC 3263: which transports, in which order which addresses.
//!
//! A [`Locator`] asks no name server. [`Locator::locate`] walks through what is known, puts a [`Question`] out for each
//! record that is missing, and is asked again once [`Locator::handle_answer`] has brought the answer. What is known stays
//! in use beyond its time to live until something newer is known: a name server that is slow or gone stops no call.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::flow::Transport;
use crate::message::Host;
use crate::random::Random;

/// An answer without records is believed for so long.
const NOTHING_LASTS: Duration = Duration::from_secs(30);
/// After a failure the next question waits for so long.
const FAILURE_LASTS: Duration = Duration::from_secs(5);
/// A question nobody has answered for so long is asked again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bounds on how long an answer is fresh, whatever it says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);
/// For so long after its time to live an answer may be used, if there is nothing newer.
const STALE_LASTS: Duration = Duration::from_secs(86_400);
/// Bounds on what an answer may make us hold and do.
const MOST_RECORDS: usize = 32;
const MOST_QUESTIONS: usize = 4_096;
const MOST_TARGETS: usize = 32;

/// The kinds of records that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Which services a domain has (RFC 3403).
    Naptr,
    /// Which hosts a service has (RFC 2782).
    Srv,
    /// IPv4 addresses of a host.
    A,
    /// IPv6 addresses of a host.
    Aaaa,
}

/// A question to the name servers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name, in lower case, without a dot at its end.
    pub name: String,
    /// What is wanted of it.
    pub kind: RecordKind,
}

/// A record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// RFC 3403 section 4.
    Naptr {
        /// Lower ones first; never mixed.
        order: u16,
        /// Lower ones first.
        preference: u16,
        /// `s` for all that matters to SIP.
        flags: String,
        /// E.g. `SIP+D2U`.
        services: String,
        /// The name to ask for SRV records.
        replacement: String,
    },
    /// RFC 2782.
    Srv {
        /// Lower ones first.
        priority: u16,
        /// Among equals, the share of the calls.
        weight: u16,
        /// The port.
        port: u16,
        /// The host; `.` or nothing if the service is not offered.
        target: String,
    },
    /// An address of a host.
    Address(IpAddr),
}

/// What the name servers said. No records mean that there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The records.
    pub records: Vec<Record>,
    /// How long they may be used.
    pub ttl: Duration,
}

/// No name server has answered, or none with sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no name server answers")]
pub struct LookupFailed;

/// Whose servers are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Name or address.
    pub host: Host,
    /// The port, if one is named.
    pub port: Option<u16>,
    /// The transport, if one is named.
    pub transport: Option<Transport>,
    /// Whether only TLS will do (`sips:`).
    pub secure: bool,
}

/// One server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// How it is spoken to.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

/// What is known of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// To be tried in this order.
    Targets(Vec<Target>),
    /// An answer is missing; ask again when it has come.
    Waiting,
    /// There is no such server, or no name server answers.
    Nothing,
}

#[derive(Debug)]
struct Entry {
    records: Vec<Record>,
    fresh_until: Instant,
    /// When the question was put that waits for its answer.
    asked: Option<Instant>,
    /// After a failure: when it may be put again.
    not_before: Option<Instant>,
    /// Whether there was an answer, be it a failure.
    known: bool,
}

/// Knows the servers of domains.
#[derive(Debug)]
pub struct Locator {
    /// What we speak, the best liked first.
    transports: Vec<Transport>,
    ipv4: bool,
    ipv6: bool,
    random: Random,
    entries: BTreeMap<Question, Entry>,
    out: VecDeque<Question>,
}

/// One walk through the records.
#[derive(Debug, Default)]
struct Walk {
    targets: Vec<Target>,
    /// A record that decides about transport or order is missing.
    waits: bool,
    /// An address is missing.
    incomplete: bool,
}

impl Locator {
    /// Nothing is known yet. `transports` are those we speak, the best liked first; the flags say which kinds of addresses
    /// we can reach.
    pub fn new(transports: Vec<Transport>, ipv4: bool, ipv6: bool, seed: [u8; 32]) -> Self {
        let random = Random::new(seed);
        Self { transports, ipv4, ipv6, random, entries: BTreeMap::new(), out: VecDeque::new() }
    }

    /// The next question for the name servers.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.out.pop_front()
    }

    /// An answer has come, or will not come.
    pub fn handle_answer(&mut self, now: Instant, question: &Question, answer: Result<Answer, LookupFailed>) {
        let Some(entry) = self.entries.get_mut(question) else { return };
        entry.asked = None;
        match answer {
            Ok(Answer { mut records, ttl }) => {
                records.truncate(MOST_RECORDS);
                let ttl = if records.is_empty() { NOTHING_LASTS } else { ttl.clamp(SHORTEST, LONGEST) };
                *entry =
                    Entry { records, fresh_until: now + ttl, asked: None, not_before: None, known: true };
            }
            Err(LookupFailed) => {
                // What was known stays in use, and the question is put again in a while.
                let stale = entry.known && now.saturating_duration_since(entry.fresh_until) <= STALE_LASTS;
                if !stale {
                    entry.records.clear();
                    entry.fresh_until = now;
                }
                entry.known = true;
                entry.not_before = Some(now + FAILURE_LASTS);
            }
        }
    }

    /// The servers of a destination, in the order in which they are to be tried: by NAPTR, SRV and address records as RFC
    /// 3263 section 4 has it; among SRV records of one priority by chance, as their weights say, anew each time.
    pub fn locate(&mut self, now: Instant, destination: &Destination) -> Located {
        let default = if destination.secure { Transport::Tls } else { Transport::Udp };
        let transport = destination.transport.unwrap_or(default);
        let mut walk = Walk::default();
        match (&destination.host, destination.port) {
            (Host::Address(address), port) => {
                let port = port.unwrap_or_else(|| transport.default_port());
                walk.targets.push(Target { transport, address: SocketAddr::new(*address, port) });
            }
            (Host::Name(name), Some(port)) => self.hosts(now, name, transport, port, &mut walk),
            (Host::Name(name), None) => {
                self.services(now, name, destination, &mut walk);
                if walk.targets.is_empty() && !walk.waits && !walk.incomplete {
                    self.hosts(now, name, transport, transport.default_port(), &mut walk);
                }
            }
        }
        walk.targets.truncate(MOST_TARGETS);
        match walk {
            Walk { waits: true, .. } => Located::Waiting,
            Walk { targets, incomplete, .. } if targets.is_empty() => {
                if incomplete {
                    Located::Waiting
                } else {
                    Located::Nothing
                }
            }
            Walk { targets, .. } => Located::Targets(targets),
        }
    }

    /// The SRV names of a domain and what they lead to (RFC 3263 sections 4.1 and 4.2).
    fn services(&mut self, now: Instant, name: &str, destination: &Destination, walk: &mut Walk) {
        let names: Vec<(Transport, String)> = match destination.transport {
            Some(transport) => vec![(transport, srv_name(transport, destination.secure, name))],
            None => {
                let Some(records) = self.records(now, name, RecordKind::Naptr) else {
                    walk.waits = true;
                    return;
                };
                let found = self.named_services(records, destination.secure);
                if found.is_empty() { self.guesses(name, destination.secure) } else { found }
            }
        };
        for (transport, service) in names {
            let Some(records) = self.records(now, &service, RecordKind::Srv) else {
                walk.waits = true;
                continue;
            };
            for (host, port) in self.by_weight(&records) {
                self.hosts(now, &host, transport, port, walk);
            }
        }
    }

    fn named_services(&self, records: Vec<Record>, secure: bool) -> Vec<(Transport, String)> {
        let mut found: Vec<(u16, u16, Transport, String)> = Vec::new();
        for record in records {
            let Record::Naptr { order, preference, flags, services, replacement } = record else { continue };
            let Some(transport) = transport_of_service(&services) else { continue };
            let usable = self.transports.contains(&transport) && (!secure || transport.is_secure());
            if flags.eq_ignore_ascii_case("s") && usable {
                found.push((order, preference, transport, folded(&replacement)));
            }
        }
        found.sort_by_key(|(order, preference, ..)| (*order, *preference));
        found.into_iter().map(|(_, _, transport, name)| (transport, name)).collect()
    }

    /// Without NAPTR records: each transport we speak (RFC 3263 section 4.1).
    fn guesses(&self, name: &str, secure: bool) -> Vec<(Transport, String)> {
        let usable = self.transports.iter().filter(|transport| !secure || transport.is_secure());
        usable.map(|transport| (*transport, srv_name(*transport, secure, name))).collect()
    }

    /// RFC 2782: by priority, and among equals by chance in proportion to their weights.
    fn by_weight(&mut self, records: &[Record]) -> Vec<(String, u16)> {
        let mut groups: BTreeMap<u16, Vec<(u16, String, u16)>> = BTreeMap::new();
        for record in records {
            if let Record::Srv { priority, weight, port, target } = record {
                let target = folded(target);
                // A target of "." says that there is no such service.
                if !target.is_empty() {
                    groups.entry(*priority).or_default().push((*weight, target, *port));
                }
            }
        }
        let mut ordered = Vec::new();
        for mut group in groups.into_values() {
            // Those without weight stand first, so that they have a small chance, too.
            group.sort_by_key(|(weight, ..)| *weight);
            while !group.is_empty() {
                let total: u64 = group.iter().map(|(weight, ..)| u64::from(*weight)).sum();
                let chosen = self.random.up_to(total);
                let mut sum = 0;
                let at = group.iter().position(|(weight, ..)| {
                    sum += u64::from(*weight);
                    sum >= chosen
                });
                let (_, target, port) = group.remove(at.unwrap_or(0));
                ordered.push((target, port));
            }
        }
        ordered
    }

    /// The addresses of a host, those of the kind we reach.
    fn hosts(&mut self, now: Instant, name: &str, transport: Transport, port: u16, walk: &mut Walk) {
        if let Ok(address) = name.parse::<IpAddr>() {
            walk.targets.push(Target { transport, address: SocketAddr::new(address, port) });
            return;
        }
        let kinds = [(self.ipv4, RecordKind::A), (self.ipv6, RecordKind::Aaaa)];
        for (_, kind) in kinds.into_iter().filter(|(wanted, _)| *wanted) {
            let Some(records) = self.records(now, name, kind) else {
                walk.incomplete = true;
                continue;
            };
            for record in records {
                if let Record::Address(address) = record {
                    walk.targets.push(Target { transport, address: SocketAddr::new(address, port) });
                }
            }
        }
    }

    /// What is known; `None` if nothing is, yet. Puts the question if the answer is missing or old.
    fn records(&mut self, now: Instant, name: &str, kind: RecordKind) -> Option<Vec<Record>> {
        let question = Question { name: folded(name), kind };
        if !self.entries.contains_key(&question) {
            self.make_room();
            let (asked, not_before) = (None, None);
            let entry = Entry { records: Vec::new(), fresh_until: now, asked, not_before, known: false };
            self.entries.insert(question.clone(), entry);
        }
        let entry = self.entries.get_mut(&question)?;
        let old = !entry.known || entry.fresh_until <= now;
        let waiting = entry.asked.is_some_and(|asked| now.saturating_duration_since(asked) < PATIENCE);
        if old && !waiting && entry.not_before.is_none_or(|at| at <= now) {
            entry.asked = Some(now);
            self.out.push_back(question);
        }
        let usable = entry.known && now.saturating_duration_since(entry.fresh_until) <= STALE_LASTS;
        usable.then(|| entry.records.clone())
    }

    fn make_room(&mut self) {
        if self.entries.len() < MOST_QUESTIONS {
            return;
        }
        let oldest =
            self.entries.iter().min_by_key(|(_, entry)| entry.fresh_until).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.entries.remove(&oldest);
        }
    }
}

fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn srv_name(transport: Transport, secure: bool, name: &str) -> String {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp if secure => "_sips._tcp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    format!("{service}.{name}")
}

/// RFC 3263 section 4.1, RFC 7118 section 8.2.
fn transport_of_service(services: &str) -> Option<Transport> {
    match services.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Some(Transport::Udp),
        "SIP+D2T" => Some(Transport::Tcp),
        "SIPS+D2T" => Some(Transport::Tls),
        _ => None,
    }
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
