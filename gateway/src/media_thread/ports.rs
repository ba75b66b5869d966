//! The ports of phones.
//!
//! Those for RTCP alone are few, and a report comes once in five seconds: they are polled, unlike those for sound.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use media::worker::LegId;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// Ports by leg. Legs are numbered one after the other, so almost every port is found in the one place its leg's number
/// points to; only legs whose numbers lie a multiple of [`Self::NEAR`] apart have to be looked for.
pub(super) struct PhonePorts {
    near: Box<[Option<(LegId, UdpSocket)>]>,
    far: BTreeMap<LegId, UdpSocket>,
}

impl Default for PhonePorts {
    fn default() -> Self {
        Self { near: (0..Self::NEAR).map(|_| None).collect(), far: BTreeMap::new() }
    }
}

impl PhonePorts {
    /// More than one thread's phones.
    const NEAR: u64 = 8_192;

    fn index(leg: LegId) -> usize {
        usize::try_from(leg.0 % Self::NEAR).unwrap_or(0)
    }

    /// Adds a port; the one the leg had before is closed.
    pub(super) fn insert(&mut self, leg: LegId, socket: UdpSocket) {
        self.remove(leg);
        match self.near.get_mut(Self::index(leg)) {
            Some(place) if place.is_none() => *place = Some((leg, socket)),
            _ => drop(self.far.insert(leg, socket)),
        }
    }

    pub(super) fn remove(&mut self, leg: LegId) -> Option<UdpSocket> {
        let place = self.near.get_mut(Self::index(leg))?;
        match place.take_if(|(owner, _)| *owner == leg) {
            Some((_, socket)) => Some(socket),
            None => self.far.remove(&leg),
        }
    }

    pub(super) fn get(&self, leg: LegId) -> Option<&UdpSocket> {
        match self.near.get(Self::index(leg)) {
            Some(Some((owner, socket))) if *owner == leg => Some(socket),
            _ => self.far.get(&leg),
        }
    }
}

/// The RTCP ports of those phones that do not send it with the sound.
#[derive(Default)]
pub(super) struct RtcpPorts {
    sockets: BTreeMap<LegId, UdpSocket>,
}

impl RtcpPorts {
    /// The mark under which a leg's port is polled; legs whose numbers do not fit have no reports.
    pub(super) fn token(leg: LegId) -> Option<Token> {
        usize::try_from(leg.0).ok().map(Token)
    }

    /// Adds a port and has it polled.
    pub(super) fn insert(&mut self, leg: LegId, socket: UdpSocket, registry: &Registry) -> io::Result<()> {
        let token = Self::token(leg).ok_or_else(|| io::Error::other("no mark for this leg"))?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        self.sockets.insert(leg, socket);
        Ok(())
    }

    /// Takes a port out; it is not polled any more.
    pub(super) fn remove(&mut self, leg: LegId, registry: &Registry) -> Option<UdpSocket> {
        let socket = self.sockets.remove(&leg)?;
        // It was added by the same call, and its end would take it out anyway.
        let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
        Some(socket)
    }

    pub(super) fn get(&self, leg: LegId) -> Option<&UdpSocket> {
        self.sockets.get(&leg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leg_finds_its_own_port_and_no_other() {
        let mut ports = PhonePorts::default();
        let legs = [1, 2, 1 + PhonePorts::NEAR, 1 + 2 * PhonePorts::NEAR].map(LegId);
        let numbers = legs.map(|leg| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
            let number = socket.local_addr().expect("bound").port();
            ports.insert(leg, socket);
            number
        });
        let port =
            |ports: &PhonePorts, leg| ports.get(leg).map(|port| port.local_addr().expect("bound").port());
        assert_eq!(legs.map(|leg| port(&ports, leg)), numbers.map(Some));
        assert!(ports.remove(legs[0]).is_some() && ports.remove(legs[0]).is_none());
        assert_eq!(port(&ports, legs[0]), None);
        assert_eq!(port(&ports, legs[2]), Some(numbers[2]), "the others stay");
        ports.insert(legs[0], UdpSocket::bind("127.0.0.1:0").expect("a free port"));
        assert!(port(&ports, legs[0]).is_some() && port(&ports, legs[3]) == Some(numbers[3]));
        assert_eq!(port(&ports, LegId(7)), None);
    }
}
