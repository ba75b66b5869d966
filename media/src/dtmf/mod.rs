//! Keys: telephone events (RFC 4733) both ways, and tones in the audio where a phone knows no events.
//!
//! Receiving gives one digit per key press, whatever gets lost.

mod inband;
mod sender;

use std::time::{Duration, Instant};

use crate::rtp::RtpPacket;

pub use inband::InbandDetector;
pub use sender::{DigitSender, EventPacket};

/// The payload of a telephone-event packet (RFC 4733 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code; 0 to 15 are keys.
    pub event: u8,
    /// End bit.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// How long the event has lasted, in timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; `None` when it is shorter than four bytes. Further events in it are passed over.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&[event, flags, d0, d1], _) = payload.split_first_chunk::<4>()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }

    /// The key, if the event is one (RFC 4733 section 3.2).
    #[must_use]
    pub fn digit(&self) -> Option<char> {
        "0123456789*#ABCD".chars().nth(usize::from(self.event))
    }
}

/// Turns the packets of one stream into key presses. A press is reported with its first packet that arrives.
///
/// Packets of one event share its timestamp, so the marker bit, the end bit and every single packet may be lost.
/// Two kinds of senders deviate: an event longer than the duration field goes on as a new segment with a new
/// timestamp (RFC 4733 section 2.5.1.3), and some devices let the timestamp run with each packet. Both look
/// like one event whose duration keeps growing without an end, and are taken as that.
#[derive(Debug, Clone, Default)]
pub struct DigitReceiver {
    current: Option<Press>,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    ssrc: u32,
    event: u8,
    timestamp: u32,
    sequence_number: u16,
    duration: u16,
    ended: bool,
    seen: Instant,
}

impl DigitReceiver {
    /// Packets of one event come at most this far apart; a longer gap ends an event whose end was lost.
    const LONGEST_GAP: Duration = Duration::from_millis(300);

    /// Takes one telephone-event packet; returns the key when a new press begins with it.
    pub fn handle_packet(&mut self, now: Instant, packet: &RtpPacket<'_>) -> Option<char> {
        let event = TelephoneEvent::parse(packet.payload)?;
        let digit = event.digit()?;
        let previous = self.current.filter(|press| press.ssrc == packet.ssrc);
        if let Some(press) = previous {
            if is_older(packet.sequence_number, press.sequence_number) {
                return None;
            }
            if Self::continues(now, &press, packet, event) {
                self.current = Some(Press::new(now, packet, event, press.ended));
                return None;
            }
        }
        self.current = Some(Press::new(now, packet, event, false));
        Some(digit)
    }

    fn continues(now: Instant, press: &Press, packet: &RtpPacket<'_>, event: TelephoneEvent) -> bool {
        if event.event != press.event {
            return false;
        }
        if packet.timestamp == press.timestamp {
            return true;
        }
        let close = now.saturating_duration_since(press.seen) <= Self::LONGEST_GAP;
        let next_segment = press.duration == u16::MAX
            && packet.timestamp == press.timestamp.wrapping_add(u32::from(press.duration));
        close && !packet.marker && !press.ended && (next_segment || event.duration > press.duration)
    }
}

impl Press {
    const fn new(now: Instant, packet: &RtpPacket<'_>, event: TelephoneEvent, ended: bool) -> Self {
        Self {
            ssrc: packet.ssrc,
            event: event.event,
            timestamp: packet.timestamp,
            sequence_number: packet.sequence_number,
            duration: event.duration,
            ended: ended || event.end,
            seen: now,
        }
    }
}

/// Whether `number` comes before `reference` by no more than a reordering explains (RFC 3550 appendix A.1).
const fn is_older(number: u16, reference: u16) -> bool {
    let distance = reference.wrapping_sub(number);
    distance > 0 && distance <= 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One packet of a table: milliseconds, sequence number, timestamp, marker, event, end, duration.
    type Row = (u64, u16, u32, bool, u8, bool, u16);

    fn digits(rows: &[Row]) -> String {
        let start = Instant::now();
        let mut receiver = DigitReceiver::default();
        let mut heard = String::new();
        for &(ms, sequence_number, timestamp, marker, event, end, duration) in rows {
            let [d0, d1] = duration.to_be_bytes();
            let payload = [event, if end { 0x8A } else { 0x0A }, d0, d1];
            let packet = RtpPacket {
                marker,
                payload_type: 101,
                sequence_number,
                timestamp,
                ssrc: 9,
                payload: &payload,
            };
            heard.extend(receiver.handle_packet(start + Duration::from_millis(ms), &packet));
        }
        heard
    }

    /// A whole press as RFC 4733 wants it: marker first, three updates, the end three times.
    fn press(ms: u64, first: u16, timestamp: u32, event: u8) -> Vec<Row> {
        let row = |n: u16, end, units| {
            (ms + 20 * u64::from(n.min(4)), first.wrapping_add(n), timestamp, n == 0, event, end, units)
        };
        vec![
            row(0, false, 160),
            row(1, false, 320),
            row(2, false, 480),
            row(3, false, 640),
            row(4, true, 800),
            row(5, true, 800),
            row(6, true, 800),
        ]
    }

    fn without(mut rows: Vec<Row>, lost: &[usize]) -> Vec<Row> {
        let mut index = 0;
        rows.retain(|_| {
            index += 1;
            !lost.contains(&(index - 1))
        });
        rows
    }

    fn unmarked(mut rows: Vec<Row>) -> Vec<Row> {
        rows.iter_mut().for_each(|row| row.3 = false);
        rows
    }

    #[test]
    fn d21_each_key_press_is_one_digit() {
        let one = || press(0, 10, 1000, 1);
        let again = |at| press(at, 17, 1000 + (at as u32) * 8, 1);
        let table: Vec<(&str, Vec<Row>, &str)> = vec![
            ("whole press", one(), "1"),
            ("no marker", unmarked(one()), "1"),
            ("only the first packet", one()[..1].to_vec(), "1"),
            ("only one end", one()[4..5].to_vec(), "1"),
            ("first packets lost", without(one(), &[0, 1]), "1"),
            ("ends lost", without(one(), &[4, 5, 6]), "1"),
            ("every packet twice", one().into_iter().flat_map(|row| [row, row]).collect(), "1"),
            ("reordered", vec![one()[1], one()[0], one()[3], one()[2], one()[5], one()[4], one()[6]], "1"),
            ("pressed twice", [one(), again(250)].concat(), "11"),
            ("twice, ends lost", [without(one(), &[4, 5, 6]), again(250)].concat(), "11"),
            (
                "twice, ends and marker lost",
                [without(one(), &[4, 5, 6]), without(again(250), &[0])].concat(),
                "11",
            ),
            (
                "late end of the first after the second began",
                {
                    let mut rows = [one(), again(250)].concat();
                    rows.insert(8, (252, 16, 1000, false, 1, true, 800));
                    rows
                },
                "11",
            ),
            ("two different keys", [one(), press(200, 17, 2600, 11)].concat(), "1#"),
            (
                "timestamp runs with each packet",
                (0..6_u16)
                    .map(|n| {
                        (
                            20 * u64::from(n),
                            10 + n,
                            1000 + 160 * u32::from(n),
                            n == 0,
                            5,
                            false,
                            160 * (n + 1),
                        )
                    })
                    .collect(),
                "5",
            ),
            (
                "longer than the duration field",
                vec![
                    (0, 10, 1000, true, 2, false, 160),
                    (8170, 420, 1000, false, 2, false, u16::MAX - 160),
                    (8190, 421, 1000, false, 2, false, u16::MAX),
                    (8210, 422, 1000 + 65_535, false, 2, false, 160),
                    (8230, 423, 1000 + 65_535, false, 2, true, 320),
                ],
                "2",
            ),
            ("across the wraps", press(0, u16::MAX - 2, u32::MAX, 15), "D"),
            ("hook flash is no key", press(0, 10, 1000, 16), ""),
            (
                "all keys",
                (0..16_u16)
                    .flat_map(|key| press(u64::from(key) * 200, key * 7, u32::from(key) * 1600, key as u8))
                    .collect(),
                "0123456789*#ABCD",
            ),
        ];
        for (name, rows, expected) in table {
            assert_eq!(digits(&rows), expected, "{name}");
        }
    }

    #[test]
    fn a_restarted_stream_is_a_new_stream() {
        let start = Instant::now();
        let mut receiver = DigitReceiver::default();
        let packet = |ssrc, sequence_number, timestamp| RtpPacket {
            marker: true,
            payload_type: 101,
            sequence_number,
            timestamp,
            ssrc,
            payload: &[3, 0x8A, 0, 160],
        };
        assert_eq!(receiver.handle_packet(start, &packet(1, 50, 8_000)), Some('3'));
        assert_eq!(receiver.handle_packet(start, &packet(2, 49, 8_000)), Some('3'), "another SSRC");
        assert_eq!(receiver.handle_packet(start, &packet(2, 30_000, 90)), Some('3'), "numbers begin anew");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_not_but_never_panic(
            packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..8), any::<u16>(), any::<u32>()), 0..20),
        ) {
            let now = Instant::now();
            let mut receiver = DigitReceiver::default();
            for (payload, sequence_number, timestamp) in &packets {
                let packet = RtpPacket {
                    marker: false, payload_type: 101, sequence_number: *sequence_number,
                    timestamp: *timestamp, ssrc: 1, payload,
                };
                let _ = receiver.handle_packet(now, &packet);
            }
        }

        #[test]
        fn one_press_is_one_digit_with_any_single_packet_delivered(kept in prop::collection::vec(any::<bool>(), 7)) {
            let rows: Vec<Row> = press(0, 10, 1000, 7).into_iter().zip(&kept).filter(|(_, k)| **k).map(|(r, _)| r).collect();
            let expected = if rows.is_empty() { "" } else { "7" };
            prop_assert_eq!(digits(&rows), expected);
        }
    }
}
