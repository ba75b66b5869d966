//! ITU-T G.711: PCMU (mu-law) and PCMA (A-law), straight from the segment formulas.

/// A codec of the phone network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// mu-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static payload type of RFC 3551.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The codec of a static payload type.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// Name in an `rtpmap` line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// One sample to one byte.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => encode_mu_law(sample),
            Self::Pcma => encode_a_law(sample),
        }
    }

    /// One byte to one sample.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Pcmu => decode_mu_law(byte),
            Self::Pcma => decode_a_law(byte),
        }
    }
}

/// Added before the segment search of mu-law, in 16-bit scale.
const MU_LAW_BIAS: i32 = 132;
const MU_LAW_CLIP: i32 = 32_635;

fn encode_mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80u8 } else { 0 };
    let magnitude = i32::from(sample).abs().min(MU_LAW_CLIP) + MU_LAW_BIAS;
    let segment = (31 - magnitude.leading_zeros() as i32 - 7).clamp(0, 7);
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | ((segment as u8) << 4) | mantissa as u8)
}

fn decode_mu_law(byte: u8) -> i16 {
    let code = !byte;
    let segment = i32::from((code >> 4) & 7);
    let magnitude = (((i32::from(code & 0x0f) << 3) + MU_LAW_BIAS) << segment) - MU_LAW_BIAS;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

fn encode_a_law(sample: i16) -> u8 {
    let positive = sample >= 0;
    let magnitude = (if positive { i32::from(sample) } else { -(i32::from(sample) + 1) }) >> 3;
    let segment = (32 - (magnitude as u32 >> 5).leading_zeros() as i32).clamp(0, 7);
    let mantissa = if segment < 2 { (magnitude >> 1) & 0x0f } else { (magnitude >> segment) & 0x0f };
    let code = ((segment as u8) << 4) | mantissa as u8 | if positive { 0x80 } else { 0 };
    code ^ 0x55
}

fn decode_a_law(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = i32::from((code >> 4) & 7);
    let mantissa = i32::from(code & 0x0f);
    let magnitude = match segment {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (segment - 1),
    };
    (if code & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_tables() {
        assert_eq!(Codec::Pcmu.encode(0), 0xff);
        assert_eq!(Codec::Pcmu.decode(0xff), 0);
        assert_eq!(Codec::Pcmu.decode(0x00), -32_124);
        assert_eq!(Codec::Pcmu.decode(0x80), 32_124);
        assert_eq!(Codec::Pcma.encode(0), 0xd5);
        assert_eq!(Codec::Pcma.decode(0xd5), 8);
        assert_eq!(Codec::Pcma.decode(0xaa), 32_256);
        assert_eq!(Codec::Pcma.decode(0x2a), -32_256);
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for byte in 0..=255u8 {
                let again = codec.encode(codec.decode(byte));
                // Mu-law has two zeros.
                assert!(again == byte || (byte == 0x7f && again == 0xff), "{codec:?} {byte:#x} {again:#x}");
            }
        }
    }

    #[test]
    fn the_error_stays_within_a_quantization_step() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for sample in (i32::from(i16::MIN)..=i32::from(i16::MAX)).step_by(7) {
                let back = i32::from(codec.decode(codec.encode(sample as i16)));
                let allowed = 16 + sample.abs() / 16;
                assert!((back - sample).abs() <= allowed.max(8), "{codec:?} {sample} {back}");
            }
        }
    }
}
