//! What protects one phone's media once the keys are there.

use std::net::SocketAddr;

use crate::rtcp;
use crate::rtp::RtpPacket;
use crate::srtp::{Opener, Sealer, SrtpKeys};

use super::queue::TransmitRing;
use super::types::LegId;

/// Largest datagram taken.
pub(super) const MAX_DATAGRAM: usize = 2048;

/// Encryption of one phone's media.
pub(super) struct Srtp {
    pub(super) keys: SrtpKeys,
    pub(super) sealer: Sealer,
    opener: Opener,
}

impl Srtp {
    pub(super) fn new(keys: SrtpKeys) -> Self {
        let (sealer, opener) = (Sealer::new(keys.suite, &keys.local), Opener::new(keys.suite, &keys.remote));
        Self { keys, sealer, opener }
    }

    pub(super) fn open(&mut self, datagram: &mut [u8]) -> Option<usize> {
        if rtcp::is_rtcp(datagram) { self.opener.open_rtcp(datagram) } else { self.opener.open_rtp(datagram) }
    }
}

/// Queues a packet, sealed if the phone's media is encrypted.
pub(super) fn push(
    srtp: &mut Option<Box<Srtp>>,
    leg: LegId,
    destination: SocketAddr,
    packet: &RtpPacket<'_>,
    ring: &mut TransmitRing,
) {
    ring.push_with(leg, destination, |datagram| {
        let length = packet.write(datagram)?;
        match srtp {
            Some(srtp) => srtp.sealer.seal_rtp(datagram, length),
            None => Some(length),
        }
    });
}
