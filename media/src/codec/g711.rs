//! ITU-T G.711 by table: mu-law has 14 significant bits and A-law 12, so the encoder tables need no more entries.

const ULAW_BITS: u32 = 14;
const ALAW_BITS: u32 = 12;

static ULAW_ENCODE: [u8; 1 << ULAW_BITS] = ulaw_encode_table();
static ALAW_ENCODE: [u8; 1 << ALAW_BITS] = alaw_encode_table();
static ULAW_DECODE: [i16; 256] = ulaw_decode_table();
static ALAW_DECODE: [i16; 256] = alaw_decode_table();

/// Encodes one 16-bit linear sample as mu-law.
#[inline]
#[must_use]
pub fn encode_ulaw(sample: i16) -> u8 {
    let index = usize::from(sample.cast_unsigned() >> (16 - ULAW_BITS));
    ULAW_ENCODE.get(index).copied().unwrap_or(0xFF)
}

/// Encodes one 16-bit linear sample as A-law.
#[inline]
#[must_use]
pub fn encode_alaw(sample: i16) -> u8 {
    let index = usize::from(sample.cast_unsigned() >> (16 - ALAW_BITS));
    ALAW_ENCODE.get(index).copied().unwrap_or(0xD5)
}

/// Decodes one mu-law code word to 16-bit linear.
#[inline]
#[must_use]
pub fn decode_ulaw(code: u8) -> i16 {
    ULAW_DECODE.get(usize::from(code)).copied().unwrap_or(0)
}

/// Decodes one A-law code word to 16-bit linear.
#[inline]
#[must_use]
pub fn decode_alaw(code: u8) -> i16 {
    ALAW_DECODE.get(usize::from(code)).copied().unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "constant evaluation, within bounds"
)]
const fn ulaw_encode_table() -> [u8; 1 << ULAW_BITS] {
    let mut table = [0; 1 << ULAW_BITS];
    let mut index = 0_u16;
    while (index as usize) < table.len() {
        // Sign-extend the 14-bit index; negative values are folded by one's complement (G.191).
        let linear = (index << (16 - ULAW_BITS)).cast_signed() >> (16 - ULAW_BITS);
        let negative = linear < 0;
        let magnitude = (if negative { !linear } else { linear }).cast_unsigned() + 33;
        let magnitude = if magnitude > 0x1FFF { 0x1FFF } else { magnitude };
        let segment = 15 - magnitude.leading_zeros() - 5;
        let mantissa = (magnitude >> (segment + 1)) & 0x0F;
        let code = !(((segment as u16) << 4) | mantissa) & 0x7F;
        table[index as usize] = (if negative { code } else { code | 0x80 }) as u8;
        index += 1;
    }
    table
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "constant evaluation, within bounds"
)]
const fn alaw_encode_table() -> [u8; 1 << ALAW_BITS] {
    let mut table = [0; 1 << ALAW_BITS];
    let mut index = 0_u16;
    while (index as usize) < table.len() {
        let linear = (index << (16 - ALAW_BITS)).cast_signed() >> (16 - ALAW_BITS);
        let negative = linear < 0;
        let mut code = (if negative { !linear } else { linear }).cast_unsigned();
        if code > 15 {
            let exponent = 16 - code.leading_zeros() - 4;
            let mantissa = (code >> (exponent - 1)) & 0x0F;
            code = ((exponent as u16) << 4) | mantissa;
        }
        let code = if negative { code } else { code | 0x80 };
        table[index as usize] = (code ^ 0x55) as u8;
        index += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "constant evaluation, within bounds")]
const fn ulaw_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0_u16;
    while code < 256 {
        let bits = !code & 0xFF;
        let magnitude = (((bits & 0x0F) << 3) + 0x84) << ((bits >> 4) & 0x07);
        let linear = (magnitude - 0x84).cast_signed();
        table[code as usize] = if bits & 0x80 == 0 { linear } else { -linear };
        code += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "constant evaluation, within bounds")]
const fn alaw_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0_u16;
    while code < 256 {
        let bits = code ^ 0x55;
        let segment = (bits >> 4) & 0x07;
        let mantissa = (bits & 0x0F) << 4;
        let magnitude = if segment == 0 { mantissa + 8 } else { (mantissa + 0x108) << (segment - 1) };
        let linear = magnitude.cast_signed();
        table[code as usize] = if bits & 0x80 == 0 { -linear } else { linear };
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_code_words() {
        for (sample, ulaw, alaw) in [
            (0_i16, 0xFF_u8, 0xD5_u8),
            (-1, 0x7F, 0x55),
            (i16::MAX, 0x80, 0xAA),
            (i16::MIN, 0x00, 0x2A),
            (1000, 0xCE, 0xFA),
            (-1000, 0x4E, 0x7A),
        ] {
            assert_eq!(encode_ulaw(sample), ulaw, "mu-law of {sample}");
            assert_eq!(encode_alaw(sample), alaw, "A-law of {sample}");
        }
        assert_eq!((decode_ulaw(0x00), decode_ulaw(0x80)), (-32_124, 32_124));
        assert_eq!((decode_alaw(0x2A), decode_alaw(0xAA)), (-32_256, 32_256));
    }

    #[test]
    fn decoded_code_words_encode_to_themselves() {
        for code in 0..=255_u8 {
            let expected = if code == 0x7F { 0xFF } else { code }; // mu-law has two zeros
            assert_eq!(encode_ulaw(decode_ulaw(code)), expected);
            assert_eq!(encode_alaw(decode_alaw(code)), code);
        }
    }

    #[test]
    fn the_error_stays_within_half_a_step_of_the_segment() {
        for sample in i16::MIN..=i16::MAX {
            let magnitude = i32::from(sample).abs();
            let step = (magnitude / 16).max(16);
            for decoded in [decode_ulaw(encode_ulaw(sample)), decode_alaw(encode_alaw(sample))] {
                let error = (i32::from(decoded) - i32::from(sample)).abs();
                assert!(error <= step.max(magnitude - 32_000), "{sample} came back as {decoded}");
            }
        }
    }
}
