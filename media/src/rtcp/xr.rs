//! The VoIP metrics block of extended reports (RFC 3611 section 4.7).

use super::packet::{Writer, word_at};

/// Type of the block.
pub(super) const BLOCK_TYPE: u8 = 7;
/// Words of the block behind its header.
pub(super) const BLOCK_WORDS: u16 = 8;
/// A value its writer does not know (RFC 3611 section 4.7.5).
const UNKNOWN: u8 = 127;

/// How a receiver hears one stream. All rates are parts of 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: u32,
    /// Lost on the way since the stream began.
    pub loss_rate: u8,
    /// Came too early or too late to be played.
    pub discard_rate: u8,
    /// How much is missing within bursts of loss.
    pub burst_density: u8,
    /// How much is missing between them.
    pub gap_density: u8,
    /// Mean length of a burst.
    pub burst_ms: u16,
    /// Mean length of what lies between.
    pub gap_ms: u16,
    /// Round trip as RTCP measured it; 0 if it is not known.
    pub round_trip_ms: u16,
    /// What the receiver's own side adds: its buffer, its packets.
    pub end_system_ms: u16,
    /// Packets heard in a row that end a burst.
    pub gmin: u8,
    /// Transmission rating of the E-model, 0 to 100; `None` if the writer does not know.
    pub r_factor: Option<u8>,
    /// Listening quality in tenths, 10 to 50.
    pub mos_lq: Option<u8>,
    /// Conversational quality in tenths: with the delay.
    pub mos_cq: Option<u8>,
    /// Delay of the jitter buffer now.
    pub buffer_ms: u16,
    /// Its highest so far, or its limit.
    pub buffer_max_ms: u16,
}

impl VoipMetrics {
    /// The writer's configuration: enhanced concealment and an adaptive buffer (RFC 3611 section 4.7.6).
    const CONFIGURATION: u8 = 0b1011_0000;

    /// What was not heard, lost or thrown away, in parts of 256.
    #[must_use]
    pub fn missing(&self) -> u16 {
        u16::from(self.loss_rate) + u16::from(self.discard_rate)
    }

    /// Writes the block with its header.
    pub(super) fn write(&self, out: &mut Writer<'_>) -> Option<()> {
        let [l0, l1] = BLOCK_WORDS.to_be_bytes();
        out.put(&[BLOCK_TYPE, 0, l0, l1])?;
        out.word(self.ssrc)?;
        out.put(&[self.loss_rate, self.discard_rate, self.burst_density, self.gap_density])?;
        out.half(self.burst_ms)?;
        out.half(self.gap_ms)?;
        out.half(self.round_trip_ms)?;
        out.half(self.end_system_ms)?;
        // Levels of speech and noise, and the echo return loss, are not measured.
        out.put(&[UNKNOWN, UNKNOWN, UNKNOWN, self.gmin])?;
        let known = |value: Option<u8>| value.unwrap_or(UNKNOWN);
        out.put(&[known(self.r_factor), UNKNOWN, known(self.mos_lq), known(self.mos_cq)])?;
        out.put(&[Self::CONFIGURATION, 0])?;
        out.half(self.buffer_ms)?;
        out.half(self.buffer_max_ms)?;
        out.half(self.buffer_max_ms)
    }

    /// Reads what follows the block's header.
    pub(super) fn read(body: &[u8]) -> Self {
        let word = |index: usize| word_at(body, index * 4);
        let halves = |index: usize| {
            let [a, b, c, d] = word(index).to_be_bytes();
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        };
        let [loss_rate, discard_rate, burst_density, gap_density] = word(1).to_be_bytes();
        let (burst_ms, gap_ms) = halves(2);
        let (round_trip_ms, end_system_ms) = halves(3);
        let [.., gmin] = word(4).to_be_bytes();
        let [r_factor, _, mos_lq, mos_cq] = word(5).to_be_bytes();
        let ((_, buffer_ms), (buffer_max_ms, _)) = (halves(6), halves(7));
        let within = |value: u8, range: std::ops::RangeInclusive<u8>| range.contains(&value).then_some(value);
        Self {
            ssrc: word(0),
            loss_rate,
            discard_rate,
            burst_density,
            gap_density,
            burst_ms,
            gap_ms,
            round_trip_ms,
            end_system_ms,
            gmin,
            r_factor: within(r_factor, 0..=100),
            mos_lq: within(mos_lq, 10..=50),
            mos_cq: within(mos_cq, 10..=50),
            buffer_ms,
            buffer_max_ms,
        }
    }
}
