//! ITU-T G.722 at 64 kbit/s: two ADPCM bands behind a quadrature mirror filter, 16 kHz, one byte for two samples.
//!
//! Written after the Recommendation; the names of its blocks are in the comments.

/// Limits to 16 bits, as nearly every sum of the Recommendation is.
const fn saturate(value: i32) -> i32 {
    if value > 32_767 {
        32_767
    } else if value < -32_768 {
        -32_768
    } else {
        value
    }
}

const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Inverse quantizers of 6, 4 and 2 bits.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];

/// Decision levels of the low band's quantizer, and its code words for negative and positive differences.
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
    1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
const NEGATIVE_LOW: [u8; 31] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8,
    7, 6, 5, 4,
];
const POSITIVE_LOW: [u8; 31] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37,
    36, 35, 34, 33, 32,
];

/// Logarithmic scale factors: the multipliers of both bands and the table of antilogarithms.
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [usize; 4] = [2, 1, 2, 1];
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

fn look<T: Copy + Default>(table: &[T], at: usize) -> T {
    table.get(at).copied().unwrap_or_default()
}

/// The adaptive predictor of one band and its scale factor.
#[derive(Debug, Clone)]
struct Band {
    /// Predicted signal, and its part from the zeros.
    predicted: i32,
    zeros: i32,
    /// Reconstructed signal, partly reconstructed signal and quantized differences, the newest first.
    r: [i32; 3],
    p: [i32; 3],
    d: [i32; 7],
    /// Pole and zero coefficients.
    a: [i32; 2],
    b: [i32; 6],
    /// Logarithm of the scale factor, and the scale factor.
    log: i32,
    scale: i32,
}

impl Band {
    const fn new(scale: i32) -> Self {
        Self { predicted: 0, zeros: 0, r: [0; 3], p: [0; 3], d: [0; 7], a: [0; 2], b: [0; 6], log: 0, scale }
    }

    /// LOGSCL and SCALEL, LOGSCH and SCALEH.
    fn rescale(&mut self, step: i32, limit: i32, shift: i32) {
        self.log = (((self.log * 127) >> 7) + step).clamp(0, limit);
        let base = look(&ILB, usize::try_from((self.log >> 6) & 31).unwrap_or(0));
        let right = shift - (self.log >> 11);
        self.scale = if right < 0 { base << -right } else { base >> right } << 2;
    }

    /// Block 4: takes a quantized difference and predicts the next sample.
    fn adapt(&mut self, difference: i32) {
        let [_, r1, r2] = &mut self.r;
        (*r2, *r1) = (*r1, saturate(self.predicted + difference)); // RECONS, DELAYA
        let r = [*r1, *r2];
        self.p = {
            let [p0, p1, _] = self.p;
            [saturate(self.zeros + difference), p0, p1]
        }; // PARREC, DELAYA
        let [s0, s1, s2] = self.p.map(|p| p < 0);
        let [a1, a2] = self.a;
        // UPPOL2
        let wide = saturate(a1 << 2);
        let turned = if s0 == s1 { -wide } else { wide }.min(32_767);
        let towards = (turned >> 7) + if s0 == s2 { 128 } else { -128 };
        let second = (towards + ((a2 * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let first = saturate(if s0 == s1 { 192 } else { -192 } + ((a1 * 32_640) >> 15));
        let bound = saturate(15_360 - second);
        let first = first.clamp(-bound, bound);
        self.a = [first, second];
        // UPZERO
        let step = if difference == 0 { 0 } else { 128 };
        let sign = difference < 0;
        self.d = {
            let [d0, d1, d2, d3, d4, d5, _] = self.d;
            [difference, d0, d1, d2, d3, d4, d5]
        };
        let [_, old @ ..] = &self.d;
        for (b, &d) in self.b.iter_mut().zip(old) {
            let towards = if (d < 0) == sign { step } else { -step };
            *b = saturate(towards + ((*b * 32_640) >> 15));
        }
        // FILTEZ with the differences as they stand for the next sample, FILTEP, PREDIC
        let zeros = self.b.iter().zip(&self.d).fold(0, |sum, (b, d)| sum + ((b * saturate(d + d)) >> 15));
        self.zeros = saturate(zeros);
        let [r1, r2] = r;
        let poles = saturate(((first * saturate(r1 + r1)) >> 15) + ((second * saturate(r2 + r2)) >> 15));
        self.predicted = saturate(poles + self.zeros);
    }
}

/// Both bands, the same in encoder and decoder.
#[derive(Debug, Clone)]
struct Bands {
    low: Band,
    high: Band,
}

impl Bands {
    const fn new() -> Self {
        Self { low: Band::new(32), high: Band::new(8) }
    }

    fn adapt_low(&mut self, code: usize) {
        let code = code >> 2;
        let difference = (self.low.scale * look(&QM4, code)) >> 15;
        self.low.rescale(look(&WL, look(&RL42, code)), 18_432, 8);
        self.low.adapt(difference);
    }

    /// Returns the quantized difference.
    fn adapt_high(&mut self, code: usize) -> i32 {
        let difference = (self.high.scale * look(&QM2, code)) >> 15;
        self.high.rescale(look(&WH, look(&RH2, code)), 22_528, 10);
        self.high.adapt(difference);
        difference
    }
}

/// The encoder of one stream.
#[derive(Debug, Clone)]
pub struct Encoder {
    bands: Bands,
    history: [i32; 24],
}

impl Default for Encoder {
    fn default() -> Self {
        Self { bands: Bands::new(), history: [0; 24] }
    }
}

impl Encoder {
    /// Encodes pairs of samples of 16 kHz; stops at the shorter of the two slices.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) {
        for (code, pair) in payload.iter_mut().zip(samples.chunks_exact(2)) {
            if let &[first, second] = pair {
                *code = self.encode_pair(first, second);
            }
        }
    }

    fn encode_pair(&mut self, first: i16, second: i16) -> u8 {
        self.history.copy_within(2.., 0);
        let [.., older, newest] = &mut self.history;
        (*older, *newest) = (i32::from(first), i32::from(second));
        let (mut odd, mut even) = (0, 0);
        for (pair, (near, far)) in self.history.chunks_exact(2).zip(QMF.iter().zip(QMF.iter().rev())) {
            if let &[one, other] = pair {
                odd += one * near;
                even += other * far;
            }
        }
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);
        let low = self.quantize_low(saturate(low - self.bands.low.predicted));
        let high = self.quantize_high(saturate(high - self.bands.high.predicted));
        self.bands.adapt_low(usize::from(low));
        self.bands.adapt_high(usize::from(high));
        (high << 6) | low
    }

    /// QUANTL
    fn quantize_low(&self, difference: i32) -> u8 {
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let levels = Q6.iter().skip(1);
        let passed = levels.take_while(|&&level| magnitude >= (level * self.bands.low.scale) >> 12).count();
        look(if difference < 0 { &NEGATIVE_LOW } else { &POSITIVE_LOW }, passed + 1)
    }

    /// QUANTH
    const fn quantize_high(&self, difference: i32) -> u8 {
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let is_large = magnitude >= (564 * self.bands.high.scale) >> 12;
        match (difference < 0, is_large) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        }
    }
}

/// The decoder of one stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    bands: Bands,
    history: [i32; 24],
}

impl Default for Decoder {
    fn default() -> Self {
        Self { bands: Bands::new(), history: [0; 24] }
    }
}

impl Decoder {
    /// Decodes to twice as many samples of 16 kHz; stops at the shorter of the two slices.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) {
        for (pair, &code) in samples.chunks_exact_mut(2).zip(payload) {
            let decoded = self.decode_code(code);
            pair.copy_from_slice(&decoded);
        }
    }

    fn decode_code(&mut self, code: u8) -> [i16; 2] {
        let (low, high) = (usize::from(code & 0x3F), usize::from(code >> 6));
        let band = &self.bands.low;
        let heard_low = (band.predicted + ((band.scale * look(&QM6, low)) >> 15)).clamp(-16_384, 16_383);
        self.bands.adapt_low(low);
        let predicted = self.bands.high.predicted;
        let heard_high = (predicted + self.bands.adapt_high(high)).clamp(-16_384, 16_383);
        self.history.copy_within(2.., 0);
        let [.., older, newest] = &mut self.history;
        (*older, *newest) = (heard_low + heard_high, heard_low - heard_high);
        let (mut first, mut second) = (0, 0);
        for (pair, (near, far)) in self.history.chunks_exact(2).zip(QMF.iter().zip(QMF.iter().rev())) {
            if let &[one, other] = pair {
                first += other * far;
                second += one * near;
            }
        }
        [first >> 11, second >> 11].map(crate::sample::limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Oscillator, level_at};

    fn tone(hz: u32) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hz, 16_000);
        (0..16_000).map(|_| oscillator.next_sample()).collect()
    }

    fn through(samples: &[i16]) -> Vec<i16> {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let (mut payload, mut heard) = (vec![0; samples.len() / 2], vec![0; samples.len()]);
        encoder.encode(samples, &mut payload);
        decoder.decode(&payload, &mut heard);
        heard
    }

    #[test]
    fn d46_tones_of_both_bands_keep_their_level_and_nothing_else_appears() {
        for hz in [100, 300, 1_000, 2_500, 3_500, 4_500, 5_500, 6_800] {
            let spoken = tone(hz);
            let heard = through(&spoken);
            let (before, after) =
                (level_at(&spoken[4_000..], hz, 16_000), level_at(&heard[4_000..], hz, 16_000));
            assert!((after - before).abs() < 0.6, "{hz} Hz: {after} instead of {before} dB");
            for other in [200, 700, 1_500, 3_000, 5_000, 6_000, 7_500] {
                if u32::abs_diff(hz, other) > 200 {
                    let level = level_at(&heard[4_000..], other, 16_000);
                    assert!(level < before - 35.0, "{hz} Hz makes {level} dB at {other} Hz");
                }
            }
        }
    }

    /// The hash FNV-1a of 64 bits.
    fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
    }

    /// Half a second of a rough sweep; the sums were made with an independent implementation of the Recommendation.
    #[test]
    fn d46_bits_and_samples_are_those_of_another_implementation() {
        let spoken: Vec<i16> = (0..8_000_i64).map(|n| (((n * n * 37) % 4_001 - 2_000) * 5) as i16).collect();
        let (mut payload, mut heard) = (vec![0; 4_000], vec![0; 8_000]);
        Encoder::default().encode(&spoken, &mut payload);
        assert_eq!(hash(payload.iter().copied()), 0x4FE2_2A80_08B1_CB6B);
        Decoder::default().decode(&payload, &mut heard);
        assert_eq!(hash(heard.iter().flat_map(|sample| sample.to_le_bytes())), 0xDF75_1543_A19F_5A01);
    }

    #[test]
    fn silence_stays_silent_and_loud_noise_does_no_harm() {
        assert!(through(&[0; 3_200]).iter().all(|sample| sample.abs() <= 8));
        let mut state = 1_u32;
        let noise: Vec<i16> = (0..16_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 31 == 0 { i16::MAX } else { i16::MIN }
            })
            .collect();
        through(&noise);
        let mut decoder = Decoder::default();
        let bytes: Vec<u8> =
            noise.iter().enumerate().map(|(n, &s)| (n as u8).wrapping_mul(s as u8)).collect();
        decoder.decode(&bytes, &mut vec![0; 32_000]);
    }
}
