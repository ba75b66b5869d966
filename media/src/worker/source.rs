//! Whose packets a phone's RTP port takes.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::rtp::RtpPacket;

/// Holds the one address a leg's media may come from.
///
/// That is the signalled address. A symmetric leg (behind a NAT) may show another one, but only with its first
/// packets: [`Self::PROOF`] in order from one port of the host its signalling comes from, with nothing from the
/// signalled address, within [`Self::WINDOW`] after signalling. Then the lock closes, and a stranger can neither
/// be heard nor draw our packets to himself. A changed description or signalling host opens it again.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceLock {
    /// The host whose ports may be learned.
    symmetric_from: Option<IpAddr>,
    signalled: Option<SocketAddr>,
    opened: Option<Instant>,
    locked: Option<SocketAddr>,
    /// Only addresses that passed a connectivity check count.
    by_checks: bool,
    candidate: Option<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    sequence_number: u16,
    packets: u8,
    seen: Instant,
}

impl SourceLock {
    /// Packets in order that prove an address.
    const PROOF: u8 = 3;
    /// How long after signalling another address may be learned.
    const WINDOW: Duration = Duration::from_secs(5);

    /// The remote described itself; the same description from the same host again changes nothing.
    /// With `by_checks` its checks say where it is, and nothing else.
    pub(super) fn signal(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        symmetric_from: Option<IpAddr>,
        by_checks: bool,
    ) {
        let symmetric_from = symmetric_from.map(|host| host.to_canonical());
        let same_way = self.by_checks == by_checks;
        if self.signalled == Some(remote) && self.symmetric_from == symmetric_from && same_way {
            return;
        }
        if by_checks && same_way {
            // What the checks found counts on; they find what has changed (RFC 8445 section 9).
            self.signalled = Some(remote);
            return;
        }
        self.by_checks = by_checks;
        self.symmetric_from = symmetric_from;
        self.signalled = Some(remote);
        self.opened = Some(now);
        self.locked = None;
        self.candidate = None;
    }

    /// Where to send to.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.locked.or_else(|| self.signalled.filter(|_| !self.by_checks))
    }

    /// A check with the right credentials came from there. The first address that passes one counts, until the phone
    /// chooses.
    pub(super) fn checked(&mut self, source: SocketAddr, nominates: bool) {
        if self.by_checks && (nominates || self.locked.is_none()) {
            self.locked = Some(source);
        }
    }

    /// Whether the phone may be there: worth a handshake that will show it.
    pub(super) fn may_be(&self, source: SocketAddr) -> bool {
        match self.locked {
            Some(locked) => source == locked,
            None if self.by_checks => false,
            None => self.signalled == Some(source) || self.symmetric_from == Some(source.ip().to_canonical()),
        }
    }

    /// The phone has shown its certificate from there.
    pub(super) const fn proved(&mut self, source: SocketAddr) {
        self.locked = Some(source);
    }

    /// Whether `source` is who we send to: what it says may be taken, but nothing is learned from it.
    pub(super) fn knows(&self, source: SocketAddr) -> bool {
        self.destination() == Some(source)
    }

    /// Whether a packet may be taken.
    pub(super) fn admit(&mut self, now: Instant, source: SocketAddr, packet: &RtpPacket<'_>) -> bool {
        if let Some(locked) = self.locked {
            return source == locked;
        }
        if self.by_checks {
            return false;
        }
        if self.signalled == Some(source) {
            self.locked = Some(source);
            return true;
        }
        let open = self.opened.is_some_and(|at| now.saturating_duration_since(at) <= Self::WINDOW);
        let is_host = self.symmetric_from == Some(source.ip().to_canonical());
        if !is_host || !open {
            return false;
        }
        self.prove(now, source, packet)
    }

    fn prove(&mut self, now: Instant, source: SocketAddr, packet: &RtpPacket<'_>) -> bool {
        let packets = match self.candidate {
            Some(c) if c.follows(source, packet) => c.packets + 1,
            // Somebody else in between does not get in the way of the one who is first.
            Some(c) if c.source != source && c.packets > 1 && !c.is_stale(now) => return false,
            _ => 1,
        };
        let (ssrc, sequence_number) = (packet.ssrc, packet.sequence_number);
        self.candidate = Some(Candidate { source, ssrc, sequence_number, packets, seen: now });
        if packets < Self::PROOF {
            return false;
        }
        self.locked = Some(source);
        true
    }
}

impl Candidate {
    fn follows(&self, source: SocketAddr, packet: &RtpPacket<'_>) -> bool {
        let step = packet.sequence_number.wrapping_sub(self.sequence_number);
        self.source == source && self.ssrc == packet.ssrc && (1..=5).contains(&step)
    }

    /// A candidate that stopped sending makes room for another.
    fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) > Duration::from_millis(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: &str = "10.0.0.1:4000";
    const NAT: &str = "192.0.2.9:61000";
    /// Behind the same NAT.
    const NEIGHBOUR: &str = "192.0.2.9:61002";
    const STRANGER: &str = "203.0.113.66:9";

    /// Feeds (milliseconds, source, sequence number) and returns which were admitted.
    fn admitted(lock: &mut SourceLock, start: Instant, packets: &[(u64, &str, u16)]) -> Vec<bool> {
        let admit = |&(ms, source, sequence_number): &(u64, &str, u16)| {
            let packet = RtpPacket {
                marker: false,
                payload_type: 0,
                sequence_number,
                timestamp: 0,
                ssrc: 1,
                payload: &[],
            };
            lock.admit(start + Duration::from_millis(ms), source.parse().unwrap(), &packet)
        };
        packets.iter().map(admit).collect()
    }

    fn nat_host() -> Option<IpAddr> {
        Some(NAT.parse::<SocketAddr>().unwrap().ip())
    }

    fn signalled(symmetric: bool) -> (SourceLock, Instant) {
        let start = Instant::now();
        let mut lock = SourceLock::default();
        lock.signal(start, SIGNALLED.parse().unwrap(), nat_host().filter(|_| symmetric), false);
        (lock, start)
    }

    #[test]
    fn m1_a_stranger_who_is_faster_than_the_phone_learns_nothing_in() {
        let (mut lock, start) = signalled(true);
        let packets = [(0, STRANGER, 1), (1, STRANGER, 2), (2, STRANGER, 3), (3, STRANGER, 4)];
        assert_eq!(admitted(&mut lock, start, &packets), [false; 4]);
        assert_eq!(lock.destination(), Some(SIGNALLED.parse().unwrap()));
        let packets = [(4, NAT, 1), (5, STRANGER, 5), (6, NAT, 2), (7, NAT, 3), (8, STRANGER, 6)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, false, true, false]);
    }

    #[test]
    fn m1_mapped_addresses_are_the_same_host() {
        let (mut lock, start) = signalled(true);
        let mapped = "[::ffff:192.0.2.9]:61000";
        assert_eq!(
            admitted(&mut lock, start, &[(0, mapped, 1), (1, mapped, 2), (2, mapped, 3)]),
            [false, false, true]
        );
    }

    #[test]
    fn m1_a_phone_that_signals_from_a_new_host_is_learned_anew() {
        let (mut lock, start) = signalled(true);
        admitted(&mut lock, start, &[(0, NAT, 1), (20, NAT, 2), (40, NAT, 3)]);
        let moved: SocketAddr = STRANGER.parse().unwrap();
        lock.signal(start + Duration::from_secs(60), SIGNALLED.parse().unwrap(), Some(moved.ip()), false);
        let packets = [(60_000, STRANGER, 4), (60_020, STRANGER, 5), (60_040, STRANGER, 6), (60_060, NAT, 7)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, true, false]);
    }

    #[test]
    fn only_the_signalled_address_is_taken() {
        let (mut lock, start) = signalled(false);
        let packets =
            [(0, NAT, 1), (20, NAT, 2), (40, NAT, 3), (60, NAT, 4), (80, SIGNALLED, 9), (100, NAT, 5)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, false, false, true, false]);
    }

    #[test]
    fn a_symmetric_leg_learns_its_address_from_its_first_packets_only() {
        let (mut lock, start) = signalled(true);
        let packets = [(0, NAT, 1), (20, NAT, 2), (40, NAT, 3), (60, STRANGER, 4), (80, NAT, 5)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, true, false, true]);
        assert_eq!(lock.destination(), Some(NAT.parse().unwrap()));
        assert_eq!(admitted(&mut lock, start, &[(100, SIGNALLED, 7)]), [false], "locked is locked");
    }

    #[test]
    fn the_signalled_address_wins_at_once() {
        let (mut lock, start) = signalled(true);
        let packets = [(0, NEIGHBOUR, 1), (1, NEIGHBOUR, 2), (20, SIGNALLED, 1), (21, NEIGHBOUR, 3)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, true, false]);
    }

    #[test]
    fn another_port_in_between_proves_nothing() {
        let (mut lock, start) = signalled(true);
        let packets =
            [(0, NAT, 1), (1, NAT, 2), (2, NEIGHBOUR, 1), (3, NEIGHBOUR, 2), (4, NEIGHBOUR, 3), (20, NAT, 3)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, false, false, false, true]);
    }

    #[test]
    fn a_port_that_stops_half_way_keeps_nobody_out() {
        let (mut lock, start) = signalled(true);
        let packets = [(0, NEIGHBOUR, 1), (1, NEIGHBOUR, 2), (300, NAT, 3), (320, NAT, 4), (340, NAT, 5)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, false, false, true]);
    }

    #[test]
    fn after_the_window_nothing_is_learned() {
        let (mut lock, start) = signalled(true);
        let packets = [(5_100, NAT, 1), (5_120, NAT, 2), (5_140, NAT, 3), (5_160, NAT, 4)];
        assert_eq!(admitted(&mut lock, start, &packets), [false; 4]);
    }

    #[test]
    fn only_a_changed_description_opens_the_lock_again() {
        let (mut lock, start) = signalled(true);
        admitted(&mut lock, start, &[(0, NAT, 1), (20, NAT, 2), (40, NAT, 3)]);
        lock.signal(start + Duration::from_secs(60), SIGNALLED.parse().unwrap(), nat_host(), false);
        assert_eq!(lock.destination(), Some(NAT.parse().unwrap()));
        lock.signal(start + Duration::from_secs(60), "10.0.0.2:5000".parse().unwrap(), nat_host(), false);
        assert_eq!(lock.destination(), Some("10.0.0.2:5000".parse().unwrap()));
        let packets = [(60_000, NAT, 9), (60_020, NAT, 10), (60_040, NAT, 11)];
        assert_eq!(admitted(&mut lock, start, &packets), [false, false, true]);
    }

    #[test]
    fn nothing_is_taken_before_signalling() {
        let mut lock = SourceLock::default();
        assert_eq!(admitted(&mut lock, Instant::now(), &[(0, NAT, 1), (1, NAT, 2), (2, NAT, 3)]), [false; 3]);
    }
}
