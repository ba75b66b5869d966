//! Browsers: WebRTC peers behind one small trait, the shared port's demultiplexer and video forwarding.

pub mod peer;

pub use peer::{
    AcceptedPeer, IncomingRtp, MediaKind, OutgoingRtp, PeerConfig, PeerError, PeerEvent, PeerTransmit, Slot,
    WebrtcPeer,
};
