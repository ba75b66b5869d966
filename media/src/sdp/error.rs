//! What can be wrong with a description, and how SIP says it.

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// No codec in common: 488 with a Warning.
    #[error("no codec in common: m=audio must list one of ours, such as PCMU (0) or PCMA (8)")]
    NoCommonCodec,
    /// No audio stream at all, or all with port 0: 488 with a Warning.
    #[error("no audio stream: one m=audio line with a port other than 0 is needed")]
    NoAudio,
    /// The audio stream is neither RTP/AVP nor RTP/AVPF: 488 with a Warning.
    #[error("transport {0} is not supported: m=audio must say RTP/AVP")]
    UnsupportedTransport(String),
    /// Media must be encrypted and would not be: 488 with a Warning.
    #[error("media must be encrypted: m=audio must carry a=crypto with a suite we know")]
    SrtpRequired,
    /// The connection address is no unicast IP address: 488 with a Warning.
    #[error("connection address {0:?} is not supported: c= must carry a unicast IPv4 or IPv6 address")]
    UnsupportedAddress(String),
    /// Longer, or with more lines, media or formats than any description needs.
    #[error("description too large: at most {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// A line cannot be read.
    #[error("line {line}: {what}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is no connection address for the audio stream.
    #[error("no connection address: a c= line is needed")]
    NoConnection,
}

/// A Warning header's code and text (RFC 3261 section 20.43); the host is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaWarning {
    /// Warn code.
    pub code: u16,
    /// Warn text.
    pub text: &'static str,
}

impl SdpError {
    /// The status code that refuses an INVITE with this description.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoCommonCodec
            | Self::NoAudio
            | Self::UnsupportedTransport(_)
            | Self::SrtpRequired
            | Self::UnsupportedAddress(_) => 488,
            Self::TooLarge { .. } => 413,
            Self::Malformed { .. } | Self::NoConnection => 400,
        }
    }

    /// The Warning that goes with a 488; `None` with every other status.
    #[must_use]
    pub const fn warning(&self) -> Option<MediaWarning> {
        let (code, text) = match self {
            Self::NoCommonCodec => (305, "Incompatible media format: offer PCMU or PCMA"),
            Self::NoAudio => (304, "Media type not available: offer audio"),
            Self::UnsupportedTransport(_) => (302, "Incompatible transport protocol: offer RTP/AVP"),
            Self::SrtpRequired => (302, "Incompatible transport protocol: offer RTP/SAVP with a=crypto"),
            Self::UnsupportedAddress(_) => {
                (301, "Incompatible network address formats: offer unicast IP4 or IP6")
            }
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::NoConnection => return None,
        };
        Some(MediaWarning { code, text })
    }
}
