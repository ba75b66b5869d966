//! One video slot of one receiver: a single continuous RTP stream, whoever is shown in it.

use std::time::Instant;

use super::peer::IncomingRtp;
use super::sequence::{is_after, ticks};

/// RTP clock of every video codec (RFC 7741 section 4.1).
const CLOCK_RATE: u32 = 90_000;
/// Packets after a start during which older ones, from before it, may still arrive.
const REORDERING: u16 = 1024;

/// The place of a packet in the slot's own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub sequence_number: u16,
    pub timestamp: u32,
}

/// What was sent last, to continue from.
#[derive(Debug, Clone, Copy)]
struct Last {
    placed: Placed,
    at: Instant,
}

/// How the source's numbers become the slot's, from the key frame the slot began with.
#[derive(Debug, Clone, Copy)]
struct Rewrite {
    /// First sequence number of the source that was forwarded; `None` once nothing older can arrive.
    first: Option<u16>,
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// A slot: whom it shows, and the stream it continues.
#[derive(Debug)]
pub(super) struct VideoSlot<K> {
    source: Option<K>,
    rewrite: Option<Rewrite>,
    last: Option<Last>,
}

impl<K> Default for VideoSlot<K> {
    fn default() -> Self {
        Self { source: None, rewrite: None, last: None }
    }
}

impl<K: Copy + Eq> VideoSlot<K> {
    /// Whom the slot shows or waits to show.
    pub(super) const fn source(&self) -> Option<K> {
        self.source
    }

    /// Stops what the slot shows; it shows `source` from that publisher's next key frame on.
    pub(super) fn assign(&mut self, source: Option<K>) {
        self.source = source;
        self.rewrite = None;
    }

    /// Where `packet` of the slot's source goes in the slot's stream; `None` when it must not be forwarded:
    /// before the first key frame, or left over from before it.
    pub(super) fn place(
        &mut self,
        now: Instant,
        packet: &IncomingRtp,
        starts_key_frame: bool,
    ) -> Option<Placed> {
        let rewrite = match self.rewrite {
            Some(rewrite) => rewrite,
            None if starts_key_frame => self.begin(now, packet),
            None => return None,
        };
        if rewrite.first.is_some_and(|first| is_after(first, packet.sequence_number)) {
            return None;
        }
        let placed = Placed {
            sequence_number: packet.sequence_number.wrapping_add(rewrite.sequence_offset),
            timestamp: packet.timestamp.wrapping_add(rewrite.timestamp_offset),
        };
        let newest =
            self.last.is_none_or(|last| is_after(placed.sequence_number, last.placed.sequence_number));
        if newest {
            self.last = Some(Last { placed, at: now });
        }
        let settled = |first: u16| newest && packet.sequence_number.wrapping_sub(first) > REORDERING;
        let first = rewrite.first.filter(|first| !settled(*first));
        self.rewrite = Some(Rewrite { first, ..rewrite });
        Some(placed)
    }

    /// Continues the slot's stream with `packet`: the next sequence number, and the time that has passed.
    fn begin(&self, now: Instant, packet: &IncomingRtp) -> Rewrite {
        let next = self.last.map_or(Placed { sequence_number: 1, timestamp: 0 }, |last| {
            let elapsed = ticks(now.saturating_duration_since(last.at), CLOCK_RATE);
            Placed {
                sequence_number: last.placed.sequence_number.wrapping_add(1),
                timestamp: last.placed.timestamp.wrapping_add(elapsed.max(1)),
            }
        });
        Rewrite {
            first: Some(packet.sequence_number),
            sequence_offset: next.sequence_number.wrapping_sub(packet.sequence_number),
            timestamp_offset: next.timestamp.wrapping_sub(packet.timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn packet(sequence_number: u16, timestamp: u32) -> IncomingRtp {
        IncomingRtp { sequence_number, timestamp, marker: false, payload: vec![0].into(), audio_level: None }
    }

    #[test]
    fn nothing_is_shown_before_a_key_frame() {
        let (mut slot, t) = (VideoSlot::default(), Instant::now());
        slot.assign(Some('a'));
        assert_eq!(slot.place(t, &packet(500, 7), false), None);
        let placed = slot.place(t, &packet(501, 9), true).unwrap();
        assert_eq!(placed, Placed { sequence_number: 1, timestamp: 0 });
        assert_eq!(slot.place(t, &packet(500, 7), false), None, "left over from before the key frame");
        assert_eq!(slot.place(t, &packet(502, 12), false).unwrap().timestamp, 3);
    }

    #[test]
    fn a_switch_continues_sequence_and_time() {
        let (mut slot, t) = (VideoSlot::default(), Instant::now());
        slot.assign(Some('a'));
        slot.place(t, &packet(65_535, 4_000_000_000), true);
        let last = slot.place(t, &packet(0, 4_000_000_000), false).unwrap();
        slot.assign(Some('b'));
        assert_eq!(slot.place(t, &packet(9_000, 5), false), None);
        let next = slot.place(t + Duration::from_millis(100), &packet(9_001, 5), true).unwrap();
        assert_eq!(next.sequence_number, last.sequence_number + 1);
        assert_eq!(next.timestamp, last.timestamp + 9_000);
    }

    #[test]
    fn gaps_and_order_of_the_source_are_kept() {
        let (mut slot, t) = (VideoSlot::default(), Instant::now());
        slot.assign(Some('a'));
        slot.place(t, &packet(10, 0), true);
        assert_eq!(slot.place(t, &packet(14, 0), false).unwrap().sequence_number, 5);
        assert_eq!(slot.place(t, &packet(12, 0), false).unwrap().sequence_number, 3);
        slot.assign(Some('b'));
        assert_eq!(slot.place(t, &packet(100, 0), true).unwrap().sequence_number, 6);
    }

    #[test]
    fn a_long_stream_outlives_the_wrap() {
        let (mut slot, t) = (VideoSlot::default(), Instant::now());
        slot.assign(Some('a'));
        for index in 0..200_000u32 {
            let sequence_number = u16::try_from(index % 65_536).unwrap();
            let expected = u16::try_from((index + 1) % 65_536).unwrap();
            let placed = slot.place(t, &packet(sequence_number, index), index == 0).unwrap();
            assert_eq!(placed.sequence_number, expected);
        }
    }
}
