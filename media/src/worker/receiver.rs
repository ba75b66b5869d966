//! From packets to one frame per tick: jitter buffer, decoder, and the samples left over between them.

use std::time::Instant;

use crate::bursts::Bursts;
use crate::codec::Codec;
use crate::codec::g722;
use crate::codec::opus::{self, OpusError};
use crate::codec::thirds::Up;
use crate::conceal::{NarrowConcealer, WideConcealer};
use crate::jitter::{Arrival, JitterBuffer, JitterConfig, Playout, Pushed};
use crate::noise::ComfortNoise;
use crate::sample::{NARROW_FRAME, Rate};
use crate::shorten::shorten;

use super::samples::Samples;

/// A codec's receiving half. Output goes sample by sample into a queue that never grows beyond its capacity.
pub(super) trait Decode {
    /// Rate of the samples.
    const RATE: Rate;
    /// The RTP clock.
    const CLOCK_HZ: u32;
    /// Longest payload worth buffering, in bytes.
    const MAX_PAYLOAD: usize;
    /// Longest packet, in samples.
    const MAX_SAMPLES: usize;

    /// Whether a packet is silence and need not be decoded.
    fn is_silence(_payload: &[u8]) -> bool {
        false
    }
    /// Decodes one packet; `tag` is [`Arrival::tag`].
    fn decode(&mut self, tag: u8, payload: &[u8], samples: &mut Samples);
    /// Makes up this many samples, at most one tick; `next` is the packet after the gap, if it is there already.
    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Samples);
    /// A new stream begins.
    fn reset(&mut self);
}

/// One incoming audio stream.
#[derive(Debug)]
pub(super) struct Receiver<D> {
    jitter: JitterBuffer,
    decoder: D,
    samples: Samples,
    /// What silence sounds like.
    pub(super) noise: ComfortNoise,
    /// Samples that wait although they could have been played: to be left out where it is not heard.
    surplus: usize,
    /// Ticks since there is a surplus.
    surplus_ticks: u32,
    bursts: Bursts,
}

impl<D: Decode> Receiver<D> {
    /// Pulls per tick at most; a tick needs fewer even when every packet lasts 2.5 ms and many are missing.
    const MAX_PULLS: usize = 64;
    /// Ticks to wait for a good place to leave something out (2 s).
    const PATIENCE: u32 = 100;

    pub(super) fn new(decoder: D) -> Self {
        let config = JitterConfig { clock_hz: D::CLOCK_HZ, max_payload: D::MAX_PAYLOAD };
        let samples = Samples::new(D::MAX_SAMPLES + 2 * D::RATE.frame());
        Self {
            jitter: JitterBuffer::new(config),
            decoder,
            samples,
            noise: ComfortNoise::default(),
            surplus: 0,
            surplus_ticks: 0,
            bursts: Bursts::new(D::CLOCK_HZ),
        }
    }

    pub(super) fn push(&mut self, now: Instant, packet: &Arrival<'_>) -> Pushed {
        let pushed = self.jitter.push(now, packet);
        if pushed == Pushed::NewStream {
            self.decoder.reset();
        }
        pushed
    }

    /// Takes an earlier packet that a later one has brought along.
    pub(super) fn push_redundant(&mut self, now: Instant, packet: &Arrival<'_>) -> bool {
        self.jitter.push_redundant(now, packet)
    }

    /// Fills `frame` with this tick's samples. With `decode` false time passes but nothing is decoded.
    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) {
        if self.jitter.begin_tick(now) && self.surplus == 0 {
            self.surplus = frame.len();
            self.surplus_ticks = 0;
        }
        for _ in 0..Self::MAX_PULLS {
            if self.samples.len() >= frame.len() + self.surplus {
                break;
            }
            let next = self.jitter.pull(now);
            match &next {
                Playout::Packet { duration, .. } => self.bursts.heard(*duration),
                Playout::Lost { units, .. } => self.bursts.missing(*units),
                Playout::Silence(_) | Playout::Waiting => {}
            }
            match next {
                Playout::Packet { tag, payload, .. } if decode && !D::is_silence(payload) => {
                    self.noise.clear();
                    self.decoder.decode(tag, payload, &mut self.samples);
                }
                Playout::Lost { units, next } if decode => {
                    self.decoder.conceal(Self::to_samples(units), next, &mut self.samples);
                }
                Playout::Packet { duration: units, .. }
                | Playout::Silence(units)
                | Playout::Lost { units, .. } => {
                    self.noise.fill(self.samples.grow(Self::to_samples(units)));
                }
                Playout::Waiting => break,
            }
        }
        self.bursts.tick();
        self.leave_out(frame.len());
        let count = self.samples.take(frame);
        self.noise.fill(frame.get_mut(count..).unwrap_or_default());
    }

    /// Leaves out what of the surplus can go without being heard.
    fn leave_out(&mut self, frame: usize) {
        if self.surplus == 0 {
            return;
        }
        if self.samples.len() < frame + self.surplus {
            self.surplus = 0; // the stream ran dry: there is nothing to leave out any more
            return;
        }
        self.surplus_ticks += 1;
        let insist = self.surplus_ticks > Self::PATIENCE;
        let removed = shorten(self.samples.as_mut_slice(), self.surplus, D::RATE.hz(), insist);
        self.samples.truncate(self.samples.len() - removed);
        self.surplus -= removed;
    }

    /// How many milliseconds packets waited in the last half second beyond what their jitter asks for, and for how
    /// many ticks the stream has been played.
    pub(super) fn waiting(&self) -> Option<(i64, u32)> {
        self.jitter.waiting()
    }

    /// What became of the packets, and the delay they have.
    pub(super) fn playout(&self) -> super::stats::Playout {
        let (_, delay) = self.jitter.delays();
        super::stats::Playout {
            counts: self.jitter.counts(),
            clock_hz: D::CLOCK_HZ,
            delay,
            longest: JitterBuffer::LONGEST_DELAY,
            bursts: self.bursts.summary(),
        }
    }

    /// Samples in so many units of the clock.
    fn to_samples(units: u32) -> usize {
        usize::try_from(units * (D::RATE.hz() / D::CLOCK_HZ)).unwrap_or(0)
    }

    /// Drops everything that waits.
    pub(super) fn reset(&mut self) {
        self.jitter.reset();
        self.decoder.reset();
        self.samples.clear();
        self.noise.clear();
        self.surplus = 0;
    }
}

/// G.711; the tag is the codec's static payload type.
#[derive(Debug, Default)]
pub(super) struct G711Decoder {
    concealer: NarrowConcealer,
}

impl Decode for G711Decoder {
    const RATE: Rate = Rate::Narrow;
    const CLOCK_HZ: u32 = 8_000;
    const MAX_PAYLOAD: usize = 480;
    const MAX_SAMPLES: usize = 480;

    fn decode(&mut self, tag: u8, payload: &[u8], samples: &mut Samples) {
        let codec = if tag == Codec::Pcma.payload_type() { Codec::Pcma } else { Codec::Pcmu };
        for chunk in payload.chunks(NARROW_FRAME) {
            let decoded = samples.grow(chunk.len());
            codec.decode(chunk, decoded);
            self.concealer.heard(decoded);
        }
    }

    fn conceal(&mut self, count: usize, _next: Option<&[u8]>, samples: &mut Samples) {
        self.concealer.conceal(samples.grow(count));
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
    const CLOCK_HZ: u32 = 48_000;
    const MAX_PAYLOAD: usize = opus::MAX_PACKET;
    const MAX_SAMPLES: usize = opus::MAX_PACKET_SAMPLES;

    fn is_silence(payload: &[u8]) -> bool {
        opus::is_silence(payload)
    }

    fn decode(&mut self, _tag: u8, payload: &[u8], samples: &mut Samples) {
        match self.0.decode(payload) {
            Ok(decoded) => samples.extend(decoded),
            Err(_) => self.conceal(Self::RATE.frame(), None, samples),
        }
    }

    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Samples) {
        samples.extend(self.0.conceal(count, next));
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// G.722, converted to 48 kHz.
#[derive(Debug, Default)]
pub(super) struct G722Decoder {
    decoder: g722::Decoder,
    concealer: WideConcealer,
    up: Up,
}

impl G722Decoder {
    /// Samples of 16 kHz decoded in one go (10 ms).
    const PIECE: usize = 160;
}

impl Decode for G722Decoder {
    const RATE: Rate = Rate::Full;
    const CLOCK_HZ: u32 = 8_000;
    const MAX_PAYLOAD: usize = 480;
    const MAX_SAMPLES: usize = 480 * 6;

    fn decode(&mut self, _tag: u8, payload: &[u8], samples: &mut Samples) {
        for chunk in payload.chunks(Self::PIECE / 2) {
            let mut wide = [0; Self::PIECE];
            let Some(wide) = wide.get_mut(..chunk.len() * 2) else { return };
            self.decoder.decode(chunk, wide);
            self.concealer.heard(wide);
            self.up.convert(wide, samples.grow(wide.len() * 3));
        }
    }

    fn conceal(&mut self, count: usize, _next: Option<&[u8]>, samples: &mut Samples) {
        for full in samples.grow(count).chunks_mut(Self::PIECE * 3) {
            let mut wide = [0; Self::PIECE];
            let Some(wide) = wide.get_mut(..full.len() / 3) else { return };
            self.concealer.conceal(wide);
            self.up.convert(wide, full);
        }
    }

    fn reset(&mut self) {
        self.decoder = g722::Decoder::default();
        self.concealer.reset();
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
