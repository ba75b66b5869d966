//! Browsers: WebRTC peers behind one small trait, the shared port's demultiplexer and video forwarding.
//!
//! [`accept_offer`] answers a browser's one offer and makes a [`WebrtcPeer`]. [`demux`] finds the peer of each
//! datagram on the shared port, and [`forwarder`] decides which camera goes into whose video slot.

mod accept;
mod answer;
pub mod demux;
mod feedback;
pub mod forwarder;
#[cfg(test)]
mod loopback_tests;
mod offer;
pub mod peer;
mod repair;
mod rtc_peer;
mod sequence;
mod stun;
mod video_slot;
mod vp8;

pub use accept::accept_offer;
pub use peer::{
    AcceptedPeer, IncomingRtp, MediaKind, OutgoingRtp, PeerConfig, PeerError, PeerEvent, PeerTransmit, Slot,
    WebrtcPeer,
};
