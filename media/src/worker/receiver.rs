//! From packets to one frame per tick: jitter buffer, decoder, and the samples left over between them.

use std::collections::VecDeque;
use std::time::Instant;

use crate::codec::Codec;
use crate::codec::opus::{self, OpusError};
use crate::conceal::Concealer;
use crate::jitter::{Arrival, JitterBuffer, JitterConfig, Playout, Pushed};
use crate::sample::{NARROW_FRAME, Rate};

/// A codec's receiving half. Output goes sample by sample into a queue that never grows beyond its capacity.
pub(super) trait Decode {
    /// Rate of the samples.
    const RATE: Rate;
    /// Longest payload worth buffering, in bytes.
    const MAX_PAYLOAD: usize;
    /// Longest packet, in samples.
    const MAX_SAMPLES: usize;

    /// Decodes one packet; `tag` is [`Arrival::tag`].
    fn decode(&mut self, tag: u8, payload: &[u8], samples: &mut VecDeque<i16>);
    /// Makes up one tick.
    fn conceal(&mut self, samples: &mut VecDeque<i16>);
    /// A new stream begins.
    fn reset(&mut self);
}

/// One incoming audio stream.
#[derive(Debug)]
pub(super) struct Receiver<D> {
    jitter: JitterBuffer,
    decoder: D,
    samples: VecDeque<i16>,
}

impl<D: Decode> Receiver<D> {
    /// Pulls per tick at most; a tick needs fewer even when every packet lasts 2.5 ms and many are missing.
    const MAX_PULLS: usize = 64;

    pub(super) fn new(decoder: D) -> Self {
        let config = JitterConfig { clock_hz: D::RATE.hz(), max_payload: D::MAX_PAYLOAD };
        let samples = VecDeque::with_capacity(D::MAX_SAMPLES + D::RATE.frame());
        Self { jitter: JitterBuffer::new(config), decoder, samples }
    }

    pub(super) fn push(&mut self, now: Instant, packet: &Arrival<'_>) {
        if self.jitter.push(now, packet) == Pushed::NewStream {
            self.decoder.reset();
        }
    }

    /// Fills `frame` with this tick's samples. With `decode` false time passes but nothing is decoded.
    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) {
        self.jitter.trim();
        for _ in 0..Self::MAX_PULLS {
            if self.samples.len() >= frame.len() {
                break;
            }
            match self.jitter.pull(now) {
                Playout::Packet { tag, payload, .. } if decode => {
                    self.decoder.decode(tag, payload, &mut self.samples);
                }
                Playout::Packet { duration, .. } => Self::silence(&mut self.samples, duration),
                Playout::Silence(units) => Self::silence(&mut self.samples, units),
                Playout::Lost if decode => self.decoder.conceal(&mut self.samples),
                Playout::Lost => Self::silence(&mut self.samples, u32::try_from(frame.len()).unwrap_or(0)),
                Playout::Waiting => break,
            }
        }
        let count = self.samples.len().min(frame.len());
        let played = self.samples.drain(..count).chain(std::iter::repeat(0));
        for (to, from) in frame.iter_mut().zip(played) {
            *to = from;
        }
    }

    /// Drops everything that waits.
    pub(super) fn reset(&mut self) {
        self.jitter.reset();
        self.decoder.reset();
        self.samples.clear();
    }

    fn silence(samples: &mut VecDeque<i16>, units: u32) {
        (0..units).for_each(|_| put(samples, 0));
    }
}

/// Appends a sample unless that would allocate.
fn put(samples: &mut VecDeque<i16>, sample: i16) {
    if samples.len() < samples.capacity() {
        samples.push_back(sample);
    }
}

/// G.711; the tag is the codec's static payload type.
#[derive(Debug)]
pub(super) struct G711Decoder {
    concealer: Concealer,
    last: [i16; NARROW_FRAME],
}

impl Default for G711Decoder {
    fn default() -> Self {
        Self { concealer: Concealer::default(), last: [0; NARROW_FRAME] }
    }
}

impl Decode for G711Decoder {
    const RATE: Rate = Rate::Narrow;
    const MAX_PAYLOAD: usize = 480;
    const MAX_SAMPLES: usize = 480;

    fn decode(&mut self, tag: u8, payload: &[u8], samples: &mut VecDeque<i16>) {
        let codec = if tag == Codec::Pcma.payload_type() { Codec::Pcma } else { Codec::Pcmu };
        for chunk in payload.chunks(NARROW_FRAME) {
            self.last.rotate_left(chunk.len());
            let tail = self.last.len() - chunk.len();
            let Some(newest) = self.last.get_mut(tail..) else { return };
            codec.decode(chunk, newest);
            newest.iter().for_each(|&sample| put(samples, sample));
        }
        self.concealer.heard(&self.last);
    }

    fn conceal(&mut self, samples: &mut VecDeque<i16>) {
        let mut frame = [0; NARROW_FRAME];
        self.concealer.conceal(&mut frame);
        frame.iter().for_each(|&sample| put(samples, sample));
    }

    fn reset(&mut self) {
        self.concealer.reset();
    }
}

/// Opus at 48 kHz mono.
pub(super) struct OpusDecoder(opus::Decoder);

impl OpusDecoder {
    pub(super) fn new() -> Result<Self, OpusError> {
        opus::Decoder::new().map(Self)
    }
}

impl Decode for OpusDecoder {
    const RATE: Rate = Rate::Full;
    const MAX_PAYLOAD: usize = opus::MAX_PACKET;
    const MAX_SAMPLES: usize = opus::MAX_PACKET_SAMPLES;

    fn decode(&mut self, _tag: u8, payload: &[u8], samples: &mut VecDeque<i16>) {
        if self.0.decode(payload, |sample| put(samples, sample)).is_err() {
            self.conceal(samples);
        }
    }

    fn conceal(&mut self, samples: &mut VecDeque<i16>) {
        self.0.conceal(|sample| put(samples, sample));
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn play(packets: &[(u16, u32, usize)], ticks: u32) -> Vec<Vec<i16>> {
        let start = Instant::now();
        let mut receiver = Receiver::new(G711Decoder::default());
        for &(sequence_number, timestamp, samples) in packets {
            let code = Codec::Pcma;
            let mut payload = [0; 480];
            code.encode(&[i16::try_from(sequence_number).unwrap() * 1024; 480], &mut payload);
            receiver.push(
                start,
                &Arrival {
                    ssrc: 1,
                    sequence_number,
                    timestamp,
                    tag: code.payload_type(),
                    duration: samples as u32,
                    payload: &payload[..samples],
                },
            );
        }
        let tick = |n| {
            let mut frame = vec![1; NARROW_FRAME];
            receiver.fill(start + Duration::from_millis(60) + crate::sample::TICK * n, true, &mut frame);
            frame
        };
        (0..ticks).map(tick).collect()
    }

    #[test]
    fn packets_of_any_length_become_frames_of_20_ms() {
        let frames = play(&[(1, 0, 480), (2, 480, 80), (3, 560, 80), (4, 640, 240), (5, 880, 80)], 7);
        let near = |sample: i16, wanted: i16| (sample - wanted * 1024).abs() <= 128;
        let edges: Vec<[i16; 2]> = frames.iter().map(|f| [f[0], f[NARROW_FRAME - 1]]).collect();
        for (edge, wanted) in edges.iter().zip([[1, 1], [1, 1], [1, 1], [2, 3], [4, 4], [4, 5]]) {
            assert!(near(edge[0], wanted[0]) && near(edge[1], wanted[1]), "{edges:?}");
        }
    }

    #[test]
    fn an_oversized_packet_is_not_taken() {
        let mut receiver = Receiver::new(G711Decoder::default());
        let packet =
            Arrival { ssrc: 1, sequence_number: 1, timestamp: 0, tag: 0, duration: 481, payload: &[0; 481] };
        receiver.push(Instant::now(), &packet);
        assert!(receiver.jitter.is_empty());
    }
}
