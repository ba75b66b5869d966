//! Audio codecs: G.711, G.722 and Opus for phones, Opus for browsers.

pub mod g711;
pub mod g722;
pub mod opus;
pub(crate) mod thirds;

use crate::sample::Rate;

/// A codec of SIP legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 section 4.5.14).
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 section 4.5.2).
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The static payload type of RFC 3551 table 4; for Opus, which has none, the one we offer.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 96,
        }
    }

    /// Whether [`Self::payload_type`] means this codec without being said (RFC 3551).
    #[must_use]
    pub const fn is_static(self) -> bool {
        !matches!(self, Self::Opus)
    }

    /// The RTP clock in Hz. That of G.722 is 8 kHz by an old mistake that became the rule.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Channels in `a=rtpmap`. Opus always says two (RFC 7587 section 7).
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 1,
            Self::Opus => 2,
        }
    }

    /// The mix rate it is made from and decoded to.
    #[must_use]
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrow,
            Self::G722 | Self::Opus => Rate::Full,
        }
    }

    /// The encoding name in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The code word of digital silence in G.711; the others have none.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu | Self::G722 | Self::Opus => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    /// Encodes G.711 sample by sample, and nothing else; stops at the shorter of the two slices.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) {
        // A loop for each, so that the step is part of it and not a call.
        match self {
            Self::Pcmu => {
                payload.iter_mut().zip(samples).for_each(|(code, &sample)| *code = g711::encode_ulaw(sample));
            }
            Self::Pcma => {
                payload.iter_mut().zip(samples).for_each(|(code, &sample)| *code = g711::encode_alaw(sample));
            }
            Self::G722 | Self::Opus => {}
        }
    }

    /// Decodes G.711 sample by sample, and nothing else; stops at the shorter of the two slices.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        match self {
            Self::Pcmu => {
                samples.iter_mut().zip(payload).for_each(|(sample, &code)| *sample = g711::decode_ulaw(code));
            }
            Self::Pcma => {
                samples.iter_mut().zip(payload).for_each(|(sample, &code)| *sample = g711::decode_alaw(code));
            }
            Self::G722 | Self::Opus => {}
        }
    }
}
