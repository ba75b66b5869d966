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
        let encode = match self {
            Self::Pcmu => g711::encode_ulaw,
            Self::Pcma => g711::encode_alaw,
        };
        for (code, &sample) in payload.iter_mut().zip(samples) {
            *code = encode(sample);
        }
    }

    /// Decodes sample by sample; stops at the shorter of the two slices.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) {
        let decode = match self {
            Self::Pcmu => g711::decode_ulaw,
            Self::Pcma => g711::decode_alaw,
        };
        for (sample, &code) in samples.iter_mut().zip(payload) {
            *sample = decode(code);
        }
    }
}
