//! Keys towards a leg: telephone events (RFC 4733), or the tones themselves where the other end takes no events.

use std::collections::VecDeque;

use crate::tone::Oscillator;

use super::inband::{COLUMNS, KEYS, ROWS};

/// Sends one key after the other, a packet each tick.
#[derive(Debug)]
pub struct DigitSender {
    waiting: VecDeque<Step>,
    current: Option<Current>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Event code of a key.
    Key(u8),
    /// Ticks in which nothing is pressed.
    Pause(u32),
}

#[derive(Debug)]
struct Current {
    step: Step,
    ticks: u32,
    /// Timestamp of the event: that of its beginning, in every packet.
    timestamp: u32,
    tones: (Oscillator, Oscillator),
}

/// What goes out in one tick instead of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// The event begins.
    pub marker: bool,
    /// When it began.
    pub timestamp: u32,
    /// The payload (RFC 4733 section 2.3).
    pub payload: [u8; 4],
    /// The key is still down in this tick: what is left are repetitions of the end.
    pub is_down: bool,
}

impl Default for DigitSender {
    fn default() -> Self {
        Self { waiting: VecDeque::with_capacity(Self::MAX_STEPS), current: None }
    }
}

impl DigitSender {
    /// Keys and pauses that may wait at most.
    pub const MAX_STEPS: usize = 64;
    /// How long a key is down (100 ms), and how often the end is sent (RFC 4733 section 2.5.1.4).
    const DOWN_TICKS: u32 = 5;
    const ENDS: u32 = 3;
    /// Audio between two keys (60 ms).
    const GAP_TICKS: u32 = 3;
    /// -10 dBm0.
    const VOLUME: u8 = 10;
    /// Appends keys: `0` to `9`, `*`, `#`, `A` to `D`; `w` waits half a second and `,` two seconds. Other
    /// characters, such as blanks and hyphens, are passed over, and so is what exceeds [`Self::MAX_STEPS`].
    pub fn send(&mut self, digits: &str) {
        for character in digits.chars() {
            let step = match character.to_ascii_uppercase() {
                'W' => Step::Pause(25),
                ',' => Step::Pause(100),
                key => match "0123456789*#ABCD".find(key).map(u8::try_from) {
                    Some(Ok(code)) => Step::Key(code),
                    _ => continue,
                },
            };
            if self.waiting.len() < Self::MAX_STEPS {
                self.waiting.push_back(step);
            }
        }
    }

    /// Begins a tick of a stream whose time is `timestamp`, `units` of its clock long: the packet to send instead of
    /// audio, if a key is down.
    pub fn tick(&mut self, timestamp: u32, units: u32) -> Option<EventPacket> {
        if self.current.is_none() {
            let step = self.waiting.pop_front()?;
            self.current = Some(Current { step, ticks: 0, timestamp, tones: tones(step) });
        }
        let current = self.current.as_mut()?;
        current.ticks += 1;
        let ticks = current.ticks;
        let (packet, length) = match current.step {
            Step::Pause(length) => (None, length),
            Step::Key(code) => {
                (current.packet(code, units), Self::DOWN_TICKS + Self::ENDS - 1 + Self::GAP_TICKS)
            }
        };
        if ticks >= length {
            self.current = None;
        }
        packet
    }

    /// The tone of the key that is down, for those who take no events. Call after [`Self::tick`].
    pub fn tone(&mut self, frame: &mut [i16]) {
        let Some(current) = &mut self.current else { return frame.fill(0) };
        for sample in frame {
            *sample = current.tones.0.next_sample() / 2 + current.tones.1.next_sample() / 2;
        }
    }
}

impl Current {
    fn packet(&self, code: u8, units: u32) -> Option<EventPacket> {
        let down = DigitSender::DOWN_TICKS;
        if self.ticks >= down + DigitSender::ENDS {
            return None;
        }
        let is_end = self.ticks >= down;
        let duration = self.ticks.min(down) * units;
        let [_, _, d0, d1] = duration.to_be_bytes();
        let flags = if is_end { 0x80 } else { 0 } | DigitSender::VOLUME;
        Some(EventPacket {
            marker: self.ticks == 1,
            timestamp: self.timestamp,
            payload: [code, flags, d0, d1],
            is_down: self.ticks <= down,
        })
    }
}

fn tones(step: Step) -> (Oscillator, Oscillator) {
    let key = match step {
        Step::Key(code) => "0123456789*#ABCD".chars().nth(usize::from(code)),
        Step::Pause(_) => None,
    };
    let at = key.and_then(|key| KEYS.iter().position(|&known| known == key)).unwrap_or(0);
    let hz = |table: &[u16; 4], at: usize| table.get(at).copied().map_or(0, u32::from);
    (Oscillator::new(hz(&ROWS, at / 4), 8_000), Oscillator::new(hz(&COLUMNS, at % 4), 8_000))
}

#[cfg(test)]
mod tests {
    use super::super::inband::InbandDetector;
    use super::*;
    use crate::dtmf::DigitReceiver;
    use crate::rtp::RtpPacket;
    use std::time::{Duration, Instant};

    #[test]
    fn i34_what_is_sent_is_what_a_receiver_hears() {
        let (mut sender, mut receiver) = (DigitSender::default(), DigitReceiver::default());
        sender.send("1 2-3w3#*aD,9");
        let start = Instant::now();
        let mut heard = String::new();
        let mut packets = 0;
        for n in 0..600_u32 {
            let Some(event) = sender.tick(n * 160, 160) else { continue };
            packets += 1;
            let packet = RtpPacket {
                marker: event.marker,
                payload_type: 101,
                sequence_number: n as u16,
                timestamp: event.timestamp,
                ssrc: 1,
                payload: &event.payload,
            };
            heard.extend(receiver.handle_packet(start + Duration::from_millis(20) * n, &packet));
        }
        assert_eq!(heard, "1233#*AD9");
        assert_eq!(packets, 9 * 7, "five while it is down, the end three times in all");
    }

    #[test]
    fn i34_one_press_packet_by_packet() {
        let mut sender = DigitSender::default();
        sender.send("5");
        let packets: Vec<EventPacket> = (0..20).filter_map(|n| sender.tick(1_000 + n * 160, 160)).collect();
        assert!(packets.iter().all(|packet| packet.timestamp == 1_000));
        let rows: Vec<(bool, bool, u16)> = packets
            .iter()
            .map(|p| (p.marker, p.payload[1] & 0x80 != 0, u16::from_be_bytes([p.payload[2], p.payload[3]])))
            .collect();
        let expected = [
            (true, false, 160),
            (false, false, 320),
            (false, false, 480),
            (false, false, 640),
            (false, true, 800),
            (false, true, 800),
            (false, true, 800),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn i34_the_tones_are_those_of_the_keys() {
        let (mut sender, mut detector) = (DigitSender::default(), InbandDetector::default());
        sender.send("147*2580369#ABCD");
        let mut heard = String::new();
        for n in 0..300_u32 {
            let mut frame = [0; 160];
            if sender.tick(n * 160, 160).is_some_and(|packet| packet.is_down) {
                sender.tone(&mut frame);
            }
            heard.extend(detector.hear(&frame));
        }
        assert_eq!(heard, "147*2580369#ABCD");
    }

    #[test]
    fn what_nobody_could_have_meant_is_bounded() {
        let mut sender = DigitSender::default();
        sender.send(&"1".repeat(10_000));
        assert_eq!(sender.waiting.len(), DigitSender::MAX_STEPS);
        sender.send("é漢\u{0}");
    }
}
