//! Handshakes between two of us, with strangers in between.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::srtp::SrtpKeys;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// A phone that begins the handshake with us.
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(crate) handshake: Handshake,
    pub(crate) keys: Option<SrtpKeys>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, identity: &Identity, remote: Fingerprint) -> Self {
        let parameters = DtlsParameters { role: SetupRole::Active, remote };
        let handshake = Handshake::new(identity, parameters).unwrap();
        Self { address, handshake, keys: None }
    }

    pub(crate) fn take(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.keys = self.handshake.handle(now, from, datagram).or(self.keys);
    }

    pub(crate) fn sends(&mut self, now: Instant, to: SocketAddr) -> Vec<Vec<u8>> {
        self.handshake.tick(now, Some(to));
        std::iter::from_fn(|| self.handshake.poll_transmit()).map(|(_, datagram)| datagram.to_vec()).collect()
    }
}

/// Lets `callers` and us speak until `until`; every `lost`-th datagram does not arrive. Gives our keys.
fn speak(us: &mut Handshake, callers: &mut [Caller], start: Instant, lost: usize) -> Option<SrtpKeys> {
    let mut keys = None;
    let mut sent = 0;
    for ms in (0..8_000).step_by(20) {
        let now = start + Duration::from_millis(ms);
        for caller in &mut *callers {
            for datagram in caller.sends(now, address(1)) {
                sent += 1;
                if sent % lost != 0 {
                    keys = us.handle(now, caller.address, &datagram).or(keys);
                }
            }
        }
        us.tick(now, None);
        while let Some((to, datagram)) = us.poll_transmit() {
            sent += 1;
            if let Some(caller) = callers.iter_mut().find(|caller| caller.address == to)
                && sent % lost != 0
            {
                caller.take(now, address(1), &datagram);
            }
        }
    }
    keys
}

#[test]
fn d22_both_sides_get_the_same_keys_also_when_datagrams_are_lost() {
    for lost in [usize::MAX, 3, 5, 7] {
        let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let parameters = DtlsParameters { role: SetupRole::Passive, remote: theirs.fingerprint() };
        let mut us = Handshake::new(&ours, parameters).unwrap();
        let mut callers = [Caller::new(address(2), &theirs, ours.fingerprint())];
        let keys = speak(&mut us, &mut callers, Instant::now(), lost).unwrap();
        let other = callers[0].keys.unwrap();
        assert_eq!((keys.suite, keys.local, keys.remote), (other.suite, other.remote, other.local));
        assert!(keys.local != keys.remote && us.is_done());
    }
}

#[test]
fn m3_a_strangers_hello_neither_ends_nor_wins_a_handshake() {
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let parameters = DtlsParameters { role: SetupRole::Passive, remote: theirs.fingerprint() };
    let mut us = Handshake::new(&ours, parameters).unwrap();
    let stranger = Identity::generate().unwrap();
    // The stranger is faster, twice, and his certificate is not the one that was signalled.
    let mut callers = [
        Caller::new(address(3), &stranger, ours.fingerprint()),
        Caller::new(address(4), &stranger, ours.fingerprint()),
        Caller::new(address(2), &theirs, ours.fingerprint()),
    ];
    let keys = speak(&mut us, &mut callers, Instant::now(), usize::MAX).unwrap();
    assert_eq!(callers[2].keys.map(|keys| keys.local), Some(keys.remote));
    assert_eq!(us.done, Some(address(2)));
}

#[test]
fn m3_a_phone_does_not_believe_another_certificate_than_the_signalled_one() {
    let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let parameters = DtlsParameters { role: SetupRole::Passive, remote: theirs.fingerprint() };
    let mut us = Handshake::new(&ours, parameters).unwrap();
    let wrong = theirs.fingerprint();
    let mut callers = [Caller::new(address(2), &theirs, wrong)];
    assert_eq!(speak(&mut us, &mut callers, Instant::now(), usize::MAX), None);
    assert!(callers[0].keys.is_none());
}

#[test]
fn m3_m5_what_is_no_hello_makes_no_state_and_gets_no_answer() {
    let ours = Identity::generate().unwrap();
    let parameters = DtlsParameters { role: SetupRole::Passive, remote: ours.fingerprint() };
    let mut us = Handshake::new(&ours, parameters).unwrap();
    let now = Instant::now();
    for first in 20..64 {
        let mut datagram = vec![first, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40];
        datagram.extend([first; 40]);
        us.handle(now, address(u16::from(first)), &datagram);
    }
    assert!(us.tried.is_empty() && us.poll_transmit().is_none());
    // Hellos from everywhere: only a few are listened to at a time.
    for port in 100..200 {
        let mut datagram = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1];
        datagram.extend([0; 39]);
        us.handle(now, address(port), &datagram);
    }
    assert!(us.tried.len() <= Handshake::TRIED);
}
