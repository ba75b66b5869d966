//! The trait that hides the WebRTC implementation from the rest of the crate.
//!
//! A [`WebrtcPeer`] is one browser's ICE-lite agent, DTLS endpoint, SRTP context and RTP sessions. It is driven
//! like every other core here: `handle_*` in, then drain `poll_transmit`, `poll_event` and `poll_timeout`.
//! After any `handle_*`, `write_rtp` or `request_key_frame` the caller drains all three.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

/// One browser's end of the shared port: everything between its encrypted datagrams and plain RTP.
pub trait WebrtcPeer: Send {
    /// Takes one datagram (STUN, DTLS, SRTP or SRTCP, RFC 7983) that arrived on the shared port from `source`.
    ///
    /// Whether `source` may speak for this peer is decided before, by [`super::demux`].
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, payload: &[u8]);

    /// Lets everything that is due at `now` happen (ICE consent, DTLS retransmission, RTCP reports, NACK).
    fn handle_timeout(&mut self, now: Instant);

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next; `None` when nothing is pending.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// The next datagram to send from the shared port.
    fn poll_transmit(&mut self) -> Option<PeerTransmit>;

    /// The next thing that happened.
    fn poll_event(&mut self) -> Option<PeerEvent>;

    /// Sends one RTP packet to the browser in `slot`.
    ///
    /// Packets written before [`PeerEvent::Connected`], or into a slot that was not negotiated, are dropped.
    fn write_rtp(&mut self, now: Instant, slot: Slot, packet: OutgoingRtp<'_>);

    /// Asks this browser's camera for a key frame (PLI, RFC 4585 section 6.3.1), at most once per 300 ms.
    fn request_key_frame(&mut self, now: Instant);
}

/// What a peer reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// ICE and DTLS are up: media may flow. Reported once.
    Connected,
    /// The browser is gone (ICE consent lost or DTLS closed). Reported once, nothing follows it.
    Closed,
    /// The browser sent one RTP packet; duplicates are already removed.
    Rtp {
        /// Which of the browser's two publishing m-lines it came on.
        kind: MediaKind,
        /// The packet.
        packet: IncomingRtp,
    },
    /// The browser asks for a key frame in one of its video slots (PLI or FIR).
    KeyFrameRequested {
        /// Index of the video slot, from 0.
        slot: u8,
    },
}

/// Which kind of media a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// The microphone: Opus (RFC 7587), 48 kHz RTP clock.
    Audio,
    /// The camera: VP8 (RFC 7741), 90 kHz RTP clock.
    Video,
}

/// A stream from us to one browser, fixed when the answer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The one audio stream: the N-1 mix, Opus.
    Audio,
    /// Video slot by index, from 0: VP8.
    Video(u8),
}

/// One RTP packet from a browser, decrypted and without its header extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRtp {
    /// RTP sequence number (RFC 3550 section 5.1).
    pub sequence_number: u16,
    /// RTP timestamp in units of the codec's clock.
    pub timestamp: u32,
    /// Marker bit: start of a talk spurt (Opus), last packet of a frame (VP8).
    pub marker: bool,
    /// Payload without padding.
    pub payload: Bytes,
    /// Level from RFC 6464 in -dBov: 0 is the loudest, 127 is silence. `None` when not negotiated or absent.
    pub audio_level: Option<u8>,
}

/// One RTP packet to a browser. The slot decides its SSRC and payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingRtp<'a> {
    /// Marker bit.
    pub marker: bool,
    /// RTP sequence number in the slot's own stream: continuous for its receiver.
    pub sequence_number: u16,
    /// RTP timestamp in the slot's own stream.
    pub timestamp: u32,
    /// Payload.
    pub payload: &'a [u8],
}

/// One datagram to send from the shared port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTransmit {
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub payload: Bytes,
}

/// What a peer must know before it can answer an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerConfig {
    /// Address of the shared port as browsers reach it: the only candidate of the answer.
    pub local: SocketAddr,
    /// How many video slots a browser gets at most; an offer with more is refused.
    pub video_slots: u8,
}

/// An answered offer.
pub struct AcceptedPeer {
    /// The peer, ready to be moved to its media thread.
    pub peer: Box<dyn WebrtcPeer>,
    /// Our ICE user fragment: the key under which the first STUN check finds this peer.
    pub ufrag: String,
    /// The answer for the browser.
    pub answer_sdp: String,
    /// How many video slots the answer carries.
    pub video_slots: u8,
}

impl fmt::Debug for AcceptedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedPeer")
            .field("ufrag", &self.ufrag)
            .field("video_slots", &self.video_slots)
            .finish_non_exhaustive()
    }
}

/// Why an offer could not be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The text is not an offer that can be read; the message names the line or field.
    #[error("the WebRTC offer cannot be read: {0}")]
    MalformedOffer(String),
    /// The offer is readable but not of the form browsers must send; the message names what to change.
    #[error("the WebRTC offer cannot be accepted: {0}")]
    Unacceptable(String),
    /// The WebRTC implementation refused; not the browser's fault as far as is known.
    #[error("no WebRTC answer could be made: {0}")]
    Internal(String),
}
