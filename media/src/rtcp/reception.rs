//! What a receiver counts (RFC 3550 section 6.4.1 and appendices A.3 and A.8).

use std::time::{Duration, Instant};

use super::packet::ReportBlock;

/// The statistics of one incoming stream.
#[derive(Debug, Clone)]
pub struct Reception {
    clock_hz: u32,
    stream: Option<Counted>,
    /// Middle of the last sender report's NTP timestamp, and when it came.
    last_report: Option<(u32, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    ssrc: u32,
    first: u32,
    highest: u32,
    received: u32,
    began: Instant,
    last_transit: u32,
    /// In sixteenths of a unit.
    jitter: u32,
    expected_before: u32,
    received_before: u32,
}

impl Reception {
    /// Nothing received yet, on a clock of `clock_hz`.
    #[must_use]
    pub const fn new(clock_hz: u32) -> Self {
        Self { clock_hz, stream: None, last_report: None }
    }

    /// Counts a packet. Another SSRC, or `restarted`, begins a new stream.
    pub fn packet(&mut self, now: Instant, ssrc: u32, sequence_number: u16, timestamp: u32, restarted: bool) {
        let clock_hz = self.clock_hz;
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc && !restarted) else {
            let first = 0x1_0000 + u32::from(sequence_number);
            self.stream = Some(Counted {
                ssrc,
                first,
                highest: first,
                received: 1,
                began: now,
                last_transit: 0_u32.wrapping_sub(timestamp),
                jitter: 0,
                expected_before: 0,
                received_before: 0,
            });
            return;
        };
        stream.received = stream.received.wrapping_add(1);
        let ahead = sequence_number.wrapping_sub(low_half(stream.highest));
        if ahead < 0x8000 {
            stream.highest = stream.highest.wrapping_add(u32::from(ahead));
        } else {
            let number = stream.highest.wrapping_sub(u32::from(ahead.wrapping_neg()));
            stream.first = stream.first.min(number); // reordered at the very beginning
        }
        let arrival = units(now.saturating_duration_since(stream.began), clock_hz);
        let transit = arrival.wrapping_sub(timestamp);
        let difference = transit.wrapping_sub(stream.last_transit).cast_signed().unsigned_abs();
        stream.last_transit = transit;
        // Timestamps that begin anew say nothing about the network.
        if difference < clock_hz {
            stream.jitter += difference;
            stream.jitter -= (stream.jitter - difference + 8) >> 4;
        }
    }

    /// Notes a sender report of the stream.
    pub const fn sender_report(&mut self, now: Instant, ntp: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits are what is wanted")]
        let middle = (ntp >> 16) as u32;
        self.last_report = Some((middle, now));
    }

    /// Whether something was received.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        self.stream.is_some()
    }

    /// Jitter as RFC 3550 counts it.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        let units = self.stream.map_or(0, |stream| stream.jitter >> 4);
        Duration::from_micros(u64::from(units) * 1_000_000 / u64::from(self.clock_hz.max(1)))
    }

    /// Packets lost on the way so far; duplicates make it too small.
    #[must_use]
    pub fn lost(&self) -> i32 {
        self.stream.map_or(0, |stream| stream.lost())
    }

    /// Packets that came so far.
    #[must_use]
    pub fn received(&self) -> u32 {
        self.stream.map_or(0, |stream| stream.received)
    }

    /// The block of the next report; begins a new interval.
    pub fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let expected_now = expected.wrapping_sub(stream.expected_before);
        let received_now = stream.received.wrapping_sub(stream.received_before);
        stream.expected_before = expected;
        stream.received_before = stream.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = u64::from(lost_now) * 256 / u64::from(expected_now.max(1));
        let delay_since = |at: Instant| units(now.saturating_duration_since(at), 65_536);
        Some(ReportBlock {
            ssrc: stream.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: stream.lost(),
            highest_sequence_number: stream.highest.wrapping_sub(0x1_0000),
            jitter: stream.jitter >> 4,
            last_report: self.last_report.map_or(0, |(middle, _)| middle),
            delay_since: self.last_report.map_or(0, |(_, at)| delay_since(at)),
        })
    }
}

impl Counted {
    const fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.first).wrapping_add(1)
    }

    const fn lost(&self) -> i32 {
        self.expected().wrapping_sub(self.received).cast_signed()
    }
}

const fn low_half(number: u32) -> u16 {
    let [_, _, a, b] = number.to_be_bytes();
    u16::from_be_bytes([a, b])
}

/// A duration in units of a clock, wrapping as timestamps do.
pub(super) fn units(duration: Duration, hz: u32) -> u32 {
    let units = duration.as_micros() * u128::from(hz) / 1_000_000;
    u32::try_from(units & u128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as (milliseconds, sequence number); 20 ms each.
    fn received(packets: &[(u64, u16)]) -> (Reception, Instant) {
        let start = Instant::now();
        let mut reception = Reception::new(8_000);
        let first = packets[0].1;
        for &(ms, number) in packets {
            let timestamp = u32::from(number.wrapping_sub(first)) * 160;
            reception.packet(start + Duration::from_millis(ms), 9, number, timestamp, false);
        }
        (reception, start)
    }

    #[test]
    fn loss_is_counted_over_wraps_and_reordering() {
        let packets: Vec<(u64, u16)> = (0..100_u16)
            .filter(|n| n % 4 != 3)
            .map(|n| (u64::from(n) * 20, 65_500_u16.wrapping_add(n ^ 1)))
            .collect();
        let (mut reception, start) = received(&packets);
        let block = reception.block(start).unwrap();
        assert_eq!((block.cumulative_lost, block.fraction_lost), (25, 64));
        assert_eq!(block.highest_sequence_number, 0x1_0000 + 65_599 - 65_536);
        assert_eq!(reception.block(start).unwrap().fraction_lost, 0, "a new interval");
    }

    #[test]
    fn jitter_of_a_stream_that_comes_10_ms_early_and_late_in_turn() {
        let packets: Vec<(u64, u16)> =
            (0..500_u16).map(|n| (u64::from(n) * 20 + u64::from(n % 2) * 10, n)).collect();
        let jitter = received(&packets).0.jitter();
        assert!((9..=10).contains(&jitter.as_millis()), "{jitter:?}");
        let steady: Vec<(u64, u16)> = (0..500_u16).map(|n| (u64::from(n) * 20, n)).collect();
        assert_eq!(received(&steady).0.jitter(), Duration::ZERO);
    }

    #[test]
    fn the_time_since_the_last_sender_report_is_told() {
        let (mut reception, start) = received(&[(0, 1)]);
        assert_eq!(reception.block(start).unwrap().last_report, 0);
        reception.sender_report(start, 0x0102_0304_0506_0708);
        let block = reception.block(start + Duration::from_millis(1_500)).unwrap();
        assert_eq!((block.last_report, block.delay_since), (0x0304_0506, 98_304));
    }
}
