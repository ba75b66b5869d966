//! SDP (RFC 8866) for SIP legs: offer and answer (RFC 3264) of one audio stream with telephone events.
//!
//! [`offer`] and [`accept_answer`] are for calls we make, [`answer`] for calls we get. Descriptions are read with
//! limits; unknown attributes are ignored; further media are refused by port 0. Which clause of which RFC is held to by
//! which test is written in `docs/SDP.md`.

#[cfg(test)]
mod clauses;
mod crypto;
mod error;
mod formats;
mod negotiate;
mod parse;
mod write;

#[cfg(test)]
mod security_tests;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::dtls::{DtlsParameters, Fingerprint};
use crate::ice::IceCredentials;
use crate::srtp::SrtpKeys;

pub use crate::codec::Codec;
pub use crypto::{KeySeed, SrtpPolicy};
pub use error::{MediaWarning, SdpError};
pub use formats::{Format, OpusSettings, PayloadTypes, Redundancy};
pub use negotiate::{accept_answer, answer, answer_with_version, offer, offer_again, offer_with_version};

/// The payload type we offer for telephone events (RFC 4733).
pub const TELEPHONE_EVENT: u8 = 101;

/// The payload type we offer for telephone events in the clock of Opus (RFC 7587 section 4.1).
pub const TELEPHONE_EVENT_FULL: u8 = 102;

/// The payload type we offer for redundant Opus (RFC 2198).
pub const REDUNDANT: u8 = 103;

/// Our packet time in milliseconds: one mix tick.
pub const PTIME_MS: u16 = 20;

/// What we say about ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDescription {
    /// Where we receive RTP, and RTCP on the same or the next port.
    pub address: SocketAddr,
    /// The number in `o=` that stays the same for the whole session.
    pub session_id: u64,
    /// Codecs we take, the preferred first.
    pub codecs: Vec<Codec>,
    /// Whether our order of codecs also rules answers; else that of the offer does.
    pub ranked: bool,
    /// Whether media is encrypted.
    pub srtp: SrtpPolicy,
    /// What our keys and ICE credentials are drawn from; must be random.
    pub key_seed: KeySeed,
    /// The fingerprint of our certificate, if keys may also be agreed on by DTLS (RFC 5763).
    pub dtls: Option<Fingerprint>,
}

impl LocalDescription {
    /// A description without encryption.
    #[must_use]
    pub const fn new(address: SocketAddr, session_id: u64, codecs: Vec<Codec>) -> Self {
        Self {
            address,
            session_id,
            codecs,
            ranked: false,
            srtp: SrtpPolicy::Off,
            key_seed: KeySeed([0; 32]),
            dtls: None,
        }
    }
}

/// What an offer and its answer agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// Where the remote wants our RTP.
    pub remote: SocketAddr,
    /// The codec of both directions.
    pub codec: Codec,
    /// The codec's payload type.
    pub payload_type: u8,
    /// The payload type of telephone events towards the remote, if it takes part in them.
    pub telephone_event: Option<u8>,
    /// The clock of these telephone events.
    pub telephone_event_hz: u32,
    /// What arrives under which payload type.
    pub received: PayloadTypes,
    /// What the remote asks of our Opus encoder.
    pub opus: OpusSettings,
    /// How redundant Opus may be sent, if the remote takes it (RFC 2198).
    pub redundancy: Option<Redundancy>,
    /// The packet time the remote asked for, in milliseconds.
    pub ptime_ms: u16,
    /// Our direction: [`Direction::RecvOnly`] means the remote holds us.
    pub direction: Direction,
    /// Where our RTCP goes.
    pub rtcp: RtcpPort,
    /// Whether the remote wants to know how it is heard (RFC 3611 section 5).
    pub voip_metrics: bool,
    /// The keys, if media is encrypted and they came by signalling.
    pub srtp: Option<SrtpKeys>,
    /// How the keys are agreed on, if media is encrypted and they come by DTLS.
    pub dtls: Option<DtlsParameters>,
    /// What the phone's connectivity checks must show, if it sends them (RFC 8445): its media path is where they
    /// come from.
    pub ice: Option<IceCredentials>,
}

impl Negotiated {
    /// A plain session both ways: one codec under its own number, no telephone events, no RTCP, packets of 20 ms.
    #[must_use]
    pub fn new(remote: SocketAddr, codec: Codec) -> Self {
        let mut received = PayloadTypes::static_numbers();
        received.insert(codec.payload_type(), Format::Audio(codec));
        for codec in [Codec::Pcmu, Codec::Pcma] {
            received.insert(codec.payload_type(), Format::Audio(codec));
        }
        received.insert(TELEPHONE_EVENT, Format::TelephoneEvent);
        Self {
            remote,
            codec,
            payload_type: codec.payload_type(),
            telephone_event: None,
            telephone_event_hz: 8_000,
            received,
            opus: OpusSettings::default(),
            redundancy: None,
            ptime_ms: PTIME_MS,
            direction: Direction::SendRecv,
            rtcp: RtcpPort::None,
            voip_metrics: false,
            srtp: None,
            dtls: None,
            ice: None,
        }
    }
}

/// Where a remote wants RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum RtcpPort {
    /// Nowhere: it says so (`b=RS:0` and `b=RR:0`, RFC 3556), or checks and handshakes cover the RTP port alone.
    #[default]
    None,
    /// With RTP (`a=rtcp-mux`, RFC 5761).
    Muxed,
    /// To this port of the RTP address: the one after RTP's (RFC 3550 section 11), unless it names another (`a=rtcp`,
    /// RFC 3605). Ours is the one after our RTP port.
    Apart(u16),
}

/// Who may send, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// We only.
    SendOnly,
    /// The remote only.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// From sides' rights.
    #[must_use]
    pub const fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether we send.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the remote sends.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same agreement seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The attribute's name (RFC 8866 section 6.7).
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}
