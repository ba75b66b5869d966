//! Finds the peer a datagram on the shared port belongs to.
//!
//! STUN requests carry the receiver's user fragment, so they name their peer themselves (RFC 8445 section 7.2.2).
//! Everything else (DTLS, SRTP, SRTCP) names nobody: it is taken only from an address that passed one of our
//! peers' connectivity checks, and goes to that peer. A check has passed when the peer answered it with a Binding
//! success response, because it does so only after verifying MESSAGE-INTEGRITY; [`Demux::observe_transmit`] looks
//! for these on their way out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::stun::StunMessage;

/// Addresses remembered per peer: interfaces and NAT mappings a browser tries, with room for moves.
/// The oldest is forgotten when another one passes a check.
const MAX_ADDRESSES_PER_PEER: usize = 16;

/// The tables of the shared port. `K` is the caller's name for a peer.
#[derive(Debug)]
pub struct Demux<K> {
    by_ufrag: BTreeMap<String, K>,
    by_address: BTreeMap<SocketAddr, K>,
    addresses: BTreeMap<K, VecDeque<SocketAddr>>,
}

impl<K> Default for Demux<K> {
    fn default() -> Self {
        Self { by_ufrag: BTreeMap::new(), by_address: BTreeMap::new(), addresses: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Demux<K> {
    /// Empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `peer` reachable by its local user fragment.
    pub fn insert(&mut self, ufrag: String, peer: K) {
        self.by_ufrag.insert(ufrag, peer);
        self.addresses.entry(peer).or_default();
    }

    /// Forgets `peer` with all its user fragments and addresses.
    pub fn remove(&mut self, peer: K) {
        self.by_ufrag.retain(|_, owner| *owner != peer);
        for address in self.addresses.remove(&peer).unwrap_or_default() {
            if self.by_address.get(&address) == Some(&peer) {
                self.by_address.remove(&address);
            }
        }
    }

    /// The peer `payload` from `source` is for, or `None` when it must be dropped.
    ///
    /// The user fragment wins over the address, so that a browser that comes back on the address of an earlier
    /// peer reaches the new one.
    #[must_use]
    pub fn route(&self, source: SocketAddr, payload: &[u8]) -> Option<K> {
        if let Some(message) = StunMessage::parse(payload)
            && message.is_binding_request()
        {
            return self.by_ufrag.get(message.receiver_ufrag()?).copied();
        }
        self.by_address.get(&source).copied()
    }

    /// Looks at a datagram `peer` sends; when it accepts a connectivity check, `destination` becomes its address.
    pub fn observe_transmit(&mut self, peer: K, destination: SocketAddr, payload: &[u8]) {
        let accepted = StunMessage::parse(payload).is_some_and(|message| message.is_binding_success());
        if !accepted || self.by_address.get(&destination) == Some(&peer) {
            return;
        }
        let Some(addresses) = self.addresses.get_mut(&peer) else {
            return;
        };
        addresses.push_back(destination);
        if addresses.len() > MAX_ADDRESSES_PER_PEER
            && let Some(oldest) = addresses.pop_front()
            && self.by_address.get(&oldest) == Some(&peer)
        {
            self.by_address.remove(&oldest);
        }
        self.by_address.insert(destination, peer);
    }

    /// How many peers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether no peer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stun::tests::stun;
    use super::*;
    use proptest::prelude::*;

    const REQUEST: u16 = 0x0001;
    const SUCCESS: u16 = 0x0101;
    const ERROR: u16 = 0x0111;
    const RTP: [u8; 12] = [0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn two_peers() -> Demux<u8> {
        let mut demux = Demux::new();
        demux.insert("one".into(), 1);
        demux.insert("two".into(), 2);
        demux
    }

    #[test]
    fn a_check_finds_its_peer_by_ufrag() {
        let demux = two_peers();
        assert_eq!(demux.route(address(1), &stun(REQUEST, Some("two:x"))), Some(2));
        assert_eq!(demux.route(address(1), &stun(REQUEST, Some("three:x"))), None);
        assert_eq!(demux.route(address(1), &stun(REQUEST, None)), None);
    }

    #[test]
    fn media_from_an_unchecked_address_is_dropped() {
        let mut demux = two_peers();
        assert_eq!(demux.route(address(1), &RTP), None);
        demux.observe_transmit(1, address(1), &stun(ERROR, None));
        demux.observe_transmit(1, address(1), &RTP);
        assert_eq!(demux.route(address(1), &RTP), None);
    }

    #[test]
    fn media_from_a_checked_address_reaches_its_peer() {
        let mut demux = two_peers();
        demux.observe_transmit(1, address(1), &stun(SUCCESS, None));
        demux.observe_transmit(2, address(2), &stun(SUCCESS, None));
        assert_eq!(demux.route(address(1), &RTP), Some(1));
        assert_eq!(demux.route(address(2), &RTP), Some(2));
    }

    #[test]
    fn a_new_peer_takes_over_the_address_of_an_old_one() {
        let mut demux = two_peers();
        demux.observe_transmit(1, address(1), &stun(SUCCESS, None));
        assert_eq!(demux.route(address(1), &stun(REQUEST, Some("two:x"))), Some(2));
        demux.observe_transmit(2, address(1), &stun(SUCCESS, None));
        assert_eq!(demux.route(address(1), &RTP), Some(2));
        demux.remove(1);
        assert_eq!(demux.route(address(1), &RTP), Some(2));
    }

    #[test]
    fn a_removed_peer_leaves_nothing() {
        let mut demux = two_peers();
        demux.observe_transmit(1, address(1), &stun(SUCCESS, None));
        demux.remove(1);
        assert_eq!(demux.route(address(1), &RTP), None);
        assert_eq!(demux.route(address(1), &stun(REQUEST, Some("one:x"))), None);
        demux.observe_transmit(1, address(1), &stun(SUCCESS, None));
        assert_eq!(demux.route(address(1), &RTP), None, "a late response revives nobody");
        demux.remove(2);
        assert!(demux.is_empty() && demux.by_address.is_empty() && demux.by_ufrag.is_empty());
    }

    #[test]
    fn addresses_per_peer_are_bounded() {
        let mut demux = two_peers();
        for port in 1..=1000 {
            demux.observe_transmit(1, address(port), &stun(SUCCESS, None));
        }
        assert_eq!(demux.by_address.len(), MAX_ADDRESSES_PER_PEER);
        assert_eq!(demux.route(address(1000), &RTP), Some(1));
        assert_eq!(demux.route(address(1), &RTP), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_lets_strangers_in(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let demux = two_peers();
            prop_assert_eq!(demux.route(address(9), &bytes), None);
        }
    }
}
