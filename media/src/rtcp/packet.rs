//! RTCP packets (RFC 3550 section 6): a bounded reader that hands out what matters, and a writer of our reports.

use super::xr::{self, VoipMetrics};

/// One stream's reception as its receiver sees it (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The stream it is about.
    pub ssrc: u32,
    /// Lost since the last report, in parts of 256.
    pub fraction_lost: u8,
    /// Lost since the stream began; duplicates can make it negative.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the count of its wraps above.
    pub highest_sequence_number: u32,
    /// Jitter in units of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP timestamp; 0 if there was none.
    pub last_report: u32,
    /// Time since that report came, in units of 1/65536 s.
    pub delay_since: u32,
}

/// What a sender says about his stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP timestamp, seconds in the upper half.
    pub ntp: u64,
    /// The same moment on the stream's own clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// One piece of a compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpItem {
    /// From a sender report.
    Sender {
        /// Who says it.
        ssrc: u32,
        /// What.
        info: SenderInfo,
    },
    /// From a sender or receiver report.
    Block {
        /// Who says it.
        ssrc: u32,
        /// About which stream, and what.
        block: ReportBlock,
    },
    /// How the reporter hears a stream (RFC 3611).
    Metrics {
        /// Who says it.
        ssrc: u32,
        /// About which stream, and what.
        metrics: VoipMetrics,
    },
    /// A source is gone.
    Bye {
        /// Which.
        ssrc: u32,
    },
}

/// Why a datagram is not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// A packet's length does not fit the datagram, or its content does not fit its length.
    #[error("RTCP packet is cut short")]
    Truncated,
    /// Not version 2.
    #[error("RTCP version is not 2")]
    Version,
    /// A compound packet must begin with a sender or receiver report (RFC 3550 section 6.1).
    #[error("RTCP does not begin with a report")]
    NoReport,
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const EXTENDED_REPORT: u8 = 207;
/// SDES item type of the canonical name.
const CNAME: u8 = 1;

/// Reads a compound packet and hands its items to `sink`. Other packet types are passed over. Nothing is handed out
/// unless the lengths of all packets fit (RFC 3550 appendix A.2).
///
/// # Errors
/// When it is no valid compound packet.
pub fn read(datagram: &[u8], mut sink: impl FnMut(RtcpItem)) -> Result<(), RtcpError> {
    let mut rest = datagram;
    let mut is_first = true;
    while !rest.is_empty() {
        let (packet, after) = split(rest)?;
        if is_first && !matches!(packet.kind, SENDER_REPORT | RECEIVER_REPORT) {
            return Err(RtcpError::NoReport);
        }
        packet.check()?;
        is_first = false;
        rest = after;
    }
    if is_first {
        return Err(RtcpError::Truncated);
    }
    rest = datagram;
    while let Ok((packet, after)) = split(rest) {
        packet.hand_out(&mut sink);
        rest = after;
    }
    Ok(())
}

struct Packet<'a> {
    count: usize,
    kind: u8,
    body: &'a [u8],
}

fn split(bytes: &[u8]) -> Result<(Packet<'_>, &[u8]), RtcpError> {
    let (&[flags, kind, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
    if flags >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
    let (body, rest) = rest.split_at_checked(length).ok_or(RtcpError::Truncated)?;
    Ok((Packet { count: usize::from(flags & 0x1F), kind, body }, rest))
}

impl Packet<'_> {
    /// Words before the report blocks.
    const fn head(&self) -> usize {
        if self.kind == SENDER_REPORT { 24 } else { 4 }
    }

    fn check(&self) -> Result<(), RtcpError> {
        let needed = match self.kind {
            SENDER_REPORT | RECEIVER_REPORT => self.head() + self.count * 24,
            BYE => self.count * 4,
            EXTENDED_REPORT => 4,
            _ => 0,
        };
        if self.body.len() < needed { Err(RtcpError::Truncated) } else { Ok(()) }
    }

    fn word(&self, at: usize) -> u32 {
        word_at(self.body, at)
    }

    fn hand_out(&self, sink: &mut impl FnMut(RtcpItem)) {
        match self.kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                let ssrc = self.word(0);
                if self.kind == SENDER_REPORT {
                    let ntp = u64::from(self.word(4)) << 32 | u64::from(self.word(8));
                    let (packets, octets) = (self.word(16), self.word(20));
                    let info = SenderInfo { ntp, rtp_timestamp: self.word(12), packets, octets };
                    sink(RtcpItem::Sender { ssrc, info });
                }
                for n in 0..self.count {
                    sink(RtcpItem::Block { ssrc, block: self.block(self.head() + n * 24) });
                }
            }
            BYE => (0..self.count).for_each(|n| sink(RtcpItem::Bye { ssrc: self.word(n * 4) })),
            EXTENDED_REPORT => self.hand_out_blocks(sink),
            _ => {}
        }
    }

    /// The blocks of an extended report; those that are not known are passed over (RFC 3611 section 2).
    fn hand_out_blocks(&self, sink: &mut impl FnMut(RtcpItem)) {
        let mut rest = self.body.get(4..).unwrap_or_default();
        while let Some((&[kind, _, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let words = u16::from_be_bytes([l0, l1]);
            let Some((body, next)) = after.split_at_checked(usize::from(words) * 4) else { return };
            if (kind, words) == (xr::BLOCK_TYPE, xr::BLOCK_WORDS) {
                sink(RtcpItem::Metrics { ssrc: self.word(0), metrics: VoipMetrics::read(body) });
            }
            rest = next;
        }
    }

    fn block(&self, at: usize) -> ReportBlock {
        let [fraction_lost, c0, c1, c2] = self.word(at + 4).to_be_bytes();
        let sign = if c0 & 0x80 == 0 { 0 } else { 0xFF };
        ReportBlock {
            ssrc: self.word(at),
            fraction_lost,
            cumulative_lost: i32::from_be_bytes([sign, c0, c1, c2]),
            highest_sequence_number: self.word(at + 8),
            jitter: self.word(at + 12),
            last_report: self.word(at + 16),
            delay_since: self.word(at + 20),
        }
    }
}

/// The word at this byte; 0 beyond the end.
pub(super) fn word_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    word.map_or(0, |word| u32::from_be_bytes(*word))
}

/// What we report.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Our stream.
    pub ssrc: u32,
    /// Our canonical name (RFC 7022), at most 255 bytes.
    pub cname: &'a [u8],
    /// About our stream, if something was sent since the last report but one.
    pub sender: Option<SenderInfo>,
    /// About the stream we receive.
    pub block: Option<ReportBlock>,
    /// How it is heard, for those who want to know (RFC 3611).
    pub metrics: Option<VoipMetrics>,
    /// It is our last one.
    pub bye: bool,
}

impl Report<'_> {
    /// Writes a compound packet: a report, our name, metrics and, with the last one, a BYE. Returns how many bytes it takes;
    /// `None` when they do not fit.
    pub fn write(&self, datagram: &mut [u8]) -> Option<usize> {
        let mut out = Writer { datagram, at: 0 };
        let blocks = u8::from(self.block.is_some());
        let (kind, words) = if self.sender.is_some() { (SENDER_REPORT, 6) } else { (RECEIVER_REPORT, 1) };
        out.header(blocks, kind, words + u16::from(blocks) * 6)?;
        out.word(self.ssrc)?;
        if let Some(sender) = &self.sender {
            out.put(&sender.ntp.to_be_bytes())?;
            out.word(sender.rtp_timestamp)?;
            out.word(sender.packets)?;
            out.word(sender.octets)?;
        }
        if let Some(block) = &self.block {
            out.block(block)?;
        }
        self.write_name(&mut out)?;
        if let Some(metrics) = &self.metrics {
            out.header(0, EXTENDED_REPORT, 2 + xr::BLOCK_WORDS)?;
            out.word(self.ssrc)?;
            metrics.write(&mut out)?;
        }
        if self.bye {
            out.header(1, BYE, 1)?;
            out.word(self.ssrc)?;
        }
        Some(out.at)
    }

    /// The name ends with one to four zeros, so that the chunk fills whole words.
    fn write_name(&self, out: &mut Writer<'_>) -> Option<()> {
        let length = u8::try_from(self.cname.len()).ok()?;
        let padding = 4 - (2 + self.cname.len()) % 4;
        let words = 1 + (2 + self.cname.len() + padding) / 4;
        out.header(1, SOURCE_DESCRIPTION, u16::try_from(words).ok()?)?;
        out.word(self.ssrc)?;
        out.put(&[CNAME, length])?;
        out.put(self.cname)?;
        out.put([0; 4].get(..padding)?)
    }
}

pub(super) struct Writer<'a> {
    datagram: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.datagram.get_mut(self.at..self.at + bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    pub(super) fn word(&mut self, word: u32) -> Option<()> {
        self.put(&word.to_be_bytes())
    }

    pub(super) fn half(&mut self, half: u16) -> Option<()> {
        self.put(&half.to_be_bytes())
    }

    fn header(&mut self, count: u8, kind: u8, words: u16) -> Option<()> {
        let [l0, l1] = words.to_be_bytes();
        self.put(&[0x80 | count, kind, l0, l1])
    }

    fn block(&mut self, block: &ReportBlock) -> Option<()> {
        self.word(block.ssrc)?;
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF);
        let [_, c0, c1, c2] = lost.to_be_bytes();
        self.put(&[block.fraction_lost, c0, c1, c2])?;
        self.word(block.highest_sequence_number)?;
        self.word(block.jitter)?;
        self.word(block.last_report)?;
        self.word(block.delay_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INFO: SenderInfo =
        SenderInfo { ntp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 0xDEAD_BEEF,
        fraction_lost: 64,
        cumulative_lost: -2,
        highest_sequence_number: 0x0001_FFFF,
        jitter: 17,
        last_report: 0x0304_0506,
        delay_since: 65_536,
    };
    const METRICS: VoipMetrics = VoipMetrics {
        ssrc: 0xDEAD_BEEF,
        loss_rate: 12,
        discard_rate: 3,
        burst_density: 200,
        gap_density: 1,
        burst_ms: 260,
        gap_ms: 5_000,
        round_trip_ms: 300,
        end_system_ms: 61,
        gmin: 16,
        r_factor: Some(80),
        mos_lq: Some(41),
        mos_cq: None,
        buffer_ms: 40,
        buffer_max_ms: 500,
    };

    fn items(datagram: &[u8]) -> Result<Vec<RtcpItem>, RtcpError> {
        let mut items = Vec::new();
        read(datagram, |item| items.push(item)).map(|()| items)
    }

    #[test]
    fn what_is_written_is_read_back() {
        for cname in [&b"a"[..], b"ab", b"abc", b"0123456789abcdef"] {
            let metrics = Some(METRICS);
            let report =
                Report { ssrc: 7, cname, sender: Some(INFO), block: Some(BLOCK), metrics, bye: true };
            let mut datagram = [0xEE; 172];
            let length = report.write(&mut datagram).unwrap();
            assert_eq!(length % 4, 0);
            let expected = [
                RtcpItem::Sender { ssrc: 7, info: INFO },
                RtcpItem::Block { ssrc: 7, block: BLOCK },
                RtcpItem::Metrics { ssrc: 7, metrics: METRICS },
                RtcpItem::Bye { ssrc: 7 },
            ];
            assert_eq!(items(&datagram[..length]).unwrap(), expected);
            for cut in 0..length {
                assert!(
                    items(&datagram[..cut]).is_err() || [28 + 24, length - 8, length - 52].contains(&cut),
                    "cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn the_smallest_report_is_empty() {
        let report = Report { ssrc: 1, cname: b"n", sender: None, block: None, metrics: None, bye: false };
        let mut datagram = [0; 20];
        assert_eq!(report.write(&mut datagram), Some(20));
        assert_eq!(datagram, [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'n', 0]);
        assert_eq!(report.write(&mut [0; 19]), None);
        assert_eq!(items(&datagram), Ok(Vec::new()));
    }

    #[test]
    fn a_compound_packet_begins_with_a_report_and_is_whole() {
        assert_eq!(items(&[0x81, 203, 0, 1, 0, 0, 0, 1]), Err(RtcpError::NoReport));
        assert_eq!(items(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Truncated), "a block is missing");
        assert_eq!(items(&[0x40, 201, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Version));
        assert_eq!(items(&[]), Err(RtcpError::Truncated));
    }

    /// The block as RFC 3611 section 4.7 draws it.
    #[test]
    fn a_metrics_block_is_laid_out_as_drawn() {
        let mut datagram = [0; 80];
        let report =
            Report { ssrc: 1, cname: b"n", sender: None, block: None, metrics: Some(METRICS), bye: false };
        assert_eq!(report.write(&mut datagram), Some(20 + 44));
        let expected = [
            0x80,
            207,
            0,
            10,
            0,
            0,
            0,
            1, // header, who says it
            7,
            0,
            0,
            8,
            0xDE,
            0xAD,
            0xBE,
            0xEF, // block header, about whom
            12,
            3,
            200,
            1, // loss, discard, burst and gap density
            1,
            4,
            0x13,
            0x88, // 260 and 5000 ms
            1,
            44,
            0,
            61, // round trip, end system
            127,
            127,
            127,
            16, // levels, echo, Gmin
            80,
            127,
            41,
            127, // R, external R, MOS-LQ, MOS-CQ
            0b1011_0000,
            0,
            0,
            40, // configuration, nominal delay
            1,
            0xF4,
            1,
            0xF4, // maximum, absolute maximum
        ];
        assert_eq!(datagram[20..64], expected);
    }

    #[test]
    fn blocks_that_are_not_known_or_too_short_are_passed_over() {
        let mut datagram = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 207, 0, 5, 0, 0, 0, 1];
        datagram.extend([4, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]); // a receiver's reference time
        datagram.extend([7, 0, 0, 8]); // metrics whose words are missing
        assert_eq!(items(&datagram), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_but_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = items(&bytes);
            if let [flags, kind, ..] = bytes.as_mut_slice() {
                (*flags, *kind) = (0x80 | *flags & 0x1F, 200);
                let _ = items(&bytes);
                let mut extended = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
                bytes.truncate(bytes.len() / 4 * 4);
                let words = u8::try_from(bytes.len() / 4).unwrap();
                extended.extend([0x80, 207, 0, words]);
                extended.extend(bytes);
                prop_assert!(items(&extended).is_ok() || words == 0);
            }
        }
    }
}
