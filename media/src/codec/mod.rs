//! Audio codecs: G.711 for phones, Opus for browsers.

pub mod g711;
pub mod opus;

/// A codec of SIP legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 mu-law (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 section 4.5.14).
    Pcma,
}

impl Codec {
    /// The static payload type of RFC 3551 table 4.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The encoding name in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The code word of digital silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }

    /// Encodes sample by sample; stops at the shorter of the two slices.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) {
        // A loop for each, so that the step is part of it and not a call.
        match self {
            Self::Pcmu => {
                payload.iter_mut().zip(samples).for_each(|(code, &sample)| *code = g711::encode_ulaw(sample));
            }
            Self::Pcma => {
                payload.iter_mut().zip(samples).for_each(|(code, &sample)| *code = g711::encode_alaw(sample));
            }
        }
    }

    /// Decodes sample by sample; stops at the shorter of the two slices.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        match self {
            Self::Pcmu => {
                samples.iter_mut().zip(payload).for_each(|(sample, &code)| *sample = g711::decode_ulaw(code));
            }
            Self::Pcma => {
                samples.iter_mut().zip(payload).for_each(|(sample, &code)| *sample = g711::decode_alaw(code));
            }
        }
    }
}
