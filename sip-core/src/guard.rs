//! What an address may cost us: a budget of messages, and silence for whoever guesses passwords or scans.
//!
//! The budget is looked at before a message is read. All tables are bounded; where one is full, the entry that
//! would be forgotten first gives way.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::deadlines::Deadlines;

/// Bounds on what one address may do. Trusted peers and trunks are exempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardLimits {
    /// Messages a second from one address (of IPv6: from its first 64 bits) in the long run; more are dropped
    /// unread. Many phones may share one address.
    pub messages_per_second: u32,
    /// How many messages may come at once after a time of quiet.
    pub burst: u32,
    /// How many addresses are remembered for any one purpose.
    pub addresses: usize,
    /// So many wrong passwords within [`GuardLimits::window`] ban an address.
    pub wrong_digests: u32,
    /// How long a wrong password counts.
    pub window: Duration,
    /// How long a banned address gets no answer.
    pub ban: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            messages_per_second: 2_000,
            burst: 10_000,
            addresses: 20_000,
            wrong_digests: 10,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(15 * 60),
        }
    }
}

/// How long a phone that has proven itself is heard though others at its address are banned.
const PROOF: Duration = Duration::from_secs(3_600);

/// How the programs call themselves that look for open servers; in lower case.
const SCANNERS: [&str; 12] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipscan",
    "siparmyknife",
    "sipcli",
    "iwar",
    "vaxsipuseragent",
    "pplsip",
    "nmap",
];

/// Whether a User-Agent is that of a scanner.
pub fn is_scanner(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| name.contains(scanner))
}

/// The address that is counted: of IPv6 the network, since a host there has as many addresses as it wants.
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Keeps the budgets and the bans.
#[derive(Debug)]
pub struct Guard {
    limits: GuardLimits,
    /// When each address will have its whole budget back.
    budgets: Deadlines<IpAddr>,
    wrong: BTreeMap<IpAddr, u32>,
    /// When the wrong passwords of an address are forgotten.
    wrong_until: Deadlines<IpAddr>,
    bans: Deadlines<IpAddr>,
    proven: Deadlines<SocketAddr>,
}

impl Guard {
    /// Nobody is known yet.
    pub fn new(limits: GuardLimits) -> Self {
        Self {
            limits,
            budgets: Deadlines::new(),
            wrong: BTreeMap::new(),
            wrong_until: Deadlines::new(),
            bans: Deadlines::new(),
            proven: Deadlines::new(),
        }
    }

    /// Whether a message from this address is to be read.
    pub fn admit(&mut self, now: Instant, source: SocketAddr) -> bool {
        let address = counted(source.ip());
        if self.bans.get(&address).is_some_and(|until| until > now)
            && self.proven.get(&source).is_none_or(|until| until <= now)
        {
            return false;
        }
        let cost = Duration::from_secs(1) / self.limits.messages_per_second.max(1);
        let budget = cost.saturating_mul(self.limits.burst.max(1));
        let full_at = self.budgets.get(&address).unwrap_or(now).max(now) + cost;
        if full_at.saturating_duration_since(now) > budget {
            return false;
        }
        remember(&mut self.budgets, now, &address, full_at, self.limits.addresses);
        true
    }

    /// A wrong password came from here; the instant until which the address is banned, if this was one too many.
    pub fn wrong_digest(&mut self, now: Instant, source: SocketAddr) -> Option<(IpAddr, Instant)> {
        let address = counted(source.ip());
        self.proven.set(&source, None);
        while let Some(old) = self.wrong_until.take_due(now) {
            self.wrong.remove(&old);
        }
        if self.wrong_until.get(&address).is_none() {
            if self.wrong_until.len() >= self.limits.addresses.max(1)
                && let Some(first) = self.wrong_until.pop_first()
            {
                self.wrong.remove(&first);
            }
            self.wrong_until.set(&address, Some(now + self.limits.window));
        }
        let count = self.wrong.entry(address).or_default();
        *count += 1;
        if *count < self.limits.wrong_digests {
            return None;
        }
        self.wrong.remove(&address);
        self.wrong_until.set(&address, None);
        Some((address, self.ban(now, address, self.limits.ban)))
    }

    /// Gives an address no answer for so long; the instant at which that ends.
    pub fn ban(&mut self, now: Instant, address: IpAddr, duration: Duration) -> Instant {
        let until = now + duration;
        remember(&mut self.bans, now, &counted(address), until, self.limits.addresses);
        until
    }

    /// Lifts a ban.
    pub fn lift(&mut self, address: IpAddr) {
        self.bans.set(&counted(address), None);
    }

    /// A phone has proven itself from here: a ban of its address, which others behind the same NAT may have
    /// brought about, is not for it.
    pub fn proved(&mut self, now: Instant, source: SocketAddr) {
        remember(&mut self.proven, now, &source, now + PROOF, self.limits.addresses);
    }

    /// The addresses that are banned, and until when.
    pub fn bans(&self, now: Instant) -> Vec<(IpAddr, Instant)> {
        self.bans.iter().filter(|(until, _)| *until > now).map(|(until, address)| (*address, until)).collect()
    }
}

/// Notes a deadline in a table that never holds more than `limit`.
fn remember<K: Ord + Clone>(table: &mut Deadlines<K>, now: Instant, key: &K, until: Instant, limit: usize) {
    while table.take_due(now).is_some() {}
    if table.get(key).is_none() && table.len() >= limit.max(1) {
        table.pop_first();
    }
    table.set(key, Some(until));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn l4_an_address_that_floods_spends_its_own_budget_only() {
        let (now, mut guard) = (Instant::now(), Guard::new(GuardLimits::default()));
        let admitted = |guard: &mut Guard, now, count: u32, source: &str| {
            (0..count).filter(|_| guard.admit(now, at(source))).count()
        };
        assert_eq!(admitted(&mut guard, now, 20_000, "192.0.2.1:1"), 10_000);
        assert_eq!(admitted(&mut guard, now, 10, "192.0.2.2:1"), 10);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(&mut guard, later, 20_000, "192.0.2.1:2"), 2_000);
        let quiet = later + Duration::from_secs(5);
        assert_eq!(admitted(&mut guard, quiet, 20_000, "[::ffff:192.0.2.1]:3"), 10_000);
    }

    #[test]
    fn l4_memory_is_bounded_whatever_the_sources_are() {
        let limits = GuardLimits { addresses: 100, wrong_digests: 2, ..GuardLimits::default() };
        let (now, mut guard) = (Instant::now(), Guard::new(limits));
        for host in 0..10_000_u32 {
            let source = SocketAddr::new(IpAddr::from(host.to_be_bytes()), 5060);
            guard.admit(now, source);
            guard.proved(now, source);
            guard.wrong_digest(now, source);
            guard.ban(now, source.ip(), Duration::from_secs(1));
        }
        let sizes = [guard.budgets.len(), guard.wrong.len(), guard.wrong_until.len(), guard.bans.len()];
        assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
        assert!(guard.proven.len() <= 100);
    }

    #[test]
    fn s4_ten_wrong_passwords_in_a_minute_are_met_with_silence() {
        let (now, mut guard) = (Instant::now(), Guard::new(GuardLimits::default()));
        let (guesser, neighbour) = (at("[2001:db8::1]:5060"), at("[2001:db8::2]:5060"));
        guard.proved(now, neighbour);
        for second in 0..9 {
            assert_eq!(guard.wrong_digest(now + Duration::from_secs(second), guesser), None);
        }
        let slow = now + Duration::from_secs(61);
        assert_eq!(guard.wrong_digest(slow, guesser), None, "those of the minute before are forgotten");
        for _ in 0..8 {
            assert_eq!(guard.wrong_digest(slow, guesser), None);
        }
        let (address, until) = guard.wrong_digest(slow, guesser).unwrap();
        assert_eq!((address, until), ("2001:db8::".parse().unwrap(), slow + Duration::from_secs(900)));
        assert!(!guard.admit(slow, guesser) && guard.admit(slow, neighbour));
        assert_eq!(guard.bans(slow).len(), 1);
        assert!(guard.admit(until, guesser));
        guard.ban(until, guesser.ip(), Duration::from_secs(5));
        guard.lift(guesser.ip());
        assert!(guard.admit(until, guesser) && guard.bans(until).is_empty());
    }

    #[test]
    fn s11_scanners_are_known_by_name() {
        assert!(is_scanner("Friendly-Scanner") && is_scanner("sipcli/v1.8"));
        assert!(!is_scanner("Yealink SIP-T46S 66.85.0.5") && !is_scanner(""));
    }
}
