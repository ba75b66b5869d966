//! What phones say, and how a mark is found in what they hear.

use media::codec::{Codec, g722, opus};
use media::sample::NARROW_FRAME;
use media::sdp::OpusSettings;
use media::tone::Oscillator;

use crate::Outcome;
use crate::scenario::Kind;

/// Packets of one second, after which everything repeats.
pub(crate) const LOOP: usize = 50;

/// Louder than any sum of tones, softer than the mark.
const MARK: i16 = 20_000;

/// One second of packets: a steady tone whose first packet is the mark.
pub(crate) struct Voice {
    pub(crate) payload_type: u8,
    /// Units of the clock in one packet.
    pub(crate) units: u32,
    pub(crate) packets: Vec<Vec<u8>>,
}

/// How a kind of phone turns sound into packets and back.
pub(crate) struct Tongue {
    kind: Kind,
    encoders: (g722::Encoder, opus::Encoder),
    decoders: (g722::Decoder, opus::Decoder),
}

impl Tongue {
    pub(crate) fn new(kind: Kind) -> Outcome<Self> {
        let encoder = opus::Encoder::new(OpusSettings::default())?;
        let decoders = (g722::Decoder::default(), opus::Decoder::new()?);
        Ok(Self { kind, encoders: (g722::Encoder::default(), encoder), decoders })
    }

    const fn hz(&self) -> u32 {
        match self.kind {
            Kind::Bare | Kind::Pcmu => 8_000,
            Kind::G722 => 16_000,
            Kind::Opus | Kind::Voice => 48_000,
        }
    }

    fn encode(&mut self, samples: &[i16]) -> Outcome<Vec<u8>> {
        let mut payload = vec![0; NARROW_FRAME];
        match self.kind {
            Kind::Bare | Kind::Pcmu => Codec::Pcmu.encode(samples, &mut payload),
            Kind::G722 => self.encoders.0.encode(samples, &mut payload),
            Kind::Opus | Kind::Voice => {
                payload = vec![0; opus::MAX_PACKET];
                let length = self.encoders.1.encode(samples.try_into()?, &mut payload)?;
                payload.truncate(length);
            }
        }
        Ok(payload)
    }

    /// A talker's voice, or a listener's silence.
    pub(crate) fn voice(&mut self, index: usize, talks: bool) -> Outcome<Voice> {
        // Whole periods in 20 ms, so that the loop has no seam.
        let tone_hz = 300 + 50 * u32::try_from(index % 20)?;
        let mut tone = Oscillator::new(tone_hz, self.hz());
        let frame = usize::try_from(self.hz() / 50)?;
        let mut packets = Vec::new();
        // Twice, so that the encoder knows its past when the loop begins again.
        for at in (0..LOOP).chain(0..LOOP) {
            let samples: Vec<i16> = (0..frame)
                .map(|n| match (talks, at) {
                    (false, _) => 0,
                    // A square wave of 1 kHz.
                    (true, 0) if n * 1_000 * 2 / usize::try_from(self.hz()).unwrap_or(1) % 2 == 0 => 30_000,
                    (true, 0) => -30_000,
                    (true, _) => tone.next_sample() / 4,
                })
                .collect();
            packets.push(self.encode(&samples)?);
        }
        let (payload_type, units) = match self.kind {
            Kind::Bare | Kind::Pcmu => (0, 160),
            Kind::G722 => (9, 160),
            Kind::Opus | Kind::Voice => (111, 960),
        };
        Ok(Voice { payload_type, units, packets: packets.split_off(LOOP) })
    }

    /// Whether finding marks needs every packet.
    pub(crate) const fn remembers(&self) -> bool {
        !matches!(self.kind, Kind::Bare | Kind::Pcmu)
    }

    /// How far into a received payload, in seconds, a mark begins.
    pub(crate) fn find_mark(&mut self, payload: &[u8]) -> Option<f64> {
        let mut samples = vec![0; payload.len() * 2];
        match self.kind {
            Kind::Bare | Kind::Pcmu => {
                samples.truncate(payload.len());
                Codec::Pcmu.decode(payload, &mut samples);
            }
            Kind::G722 => self.decoders.0.decode(payload, &mut samples),
            Kind::Opus | Kind::Voice => samples = self.decoders.1.decode(payload).ok()?.to_vec(),
        }
        let at = samples.iter().position(|&sample| !(-MARK..=MARK).contains(&sample))?;
        Some(f64::from(u32::try_from(at).unwrap_or(0)) / f64::from(self.hz()))
    }
}
