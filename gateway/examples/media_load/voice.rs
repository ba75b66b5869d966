//! What phones say, and how a mark is found in what they hear.

use media::codec::Codec;
use media::sample::NARROW_FRAME;
use media::tone::Oscillator;

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

impl Voice {
    /// A talker's voice, or a listener's silence.
    pub(crate) fn new(kind: Kind, index: usize, talks: bool) -> Self {
        match kind {
            Kind::Bare | Kind::Pcmu => Self::pcmu(index, talks),
        }
    }

    fn pcmu(index: usize, talks: bool) -> Self {
        // Whole periods in 20 ms, so that the loop has no seam.
        let hz = 300 + 50 * u32::try_from(index % 20).unwrap_or(0);
        let mut tone = Oscillator::new(hz, 8_000);
        let packet = |at: usize| {
            let samples: Vec<i16> = (0..NARROW_FRAME)
                .map(|n| match (talks, at) {
                    (false, _) => 0,
                    (true, 0) if n % 8 < 4 => 30_000,
                    (true, 0) => -30_000,
                    (true, _) => tone.next_sample() / 4,
                })
                .collect();
            let mut payload = vec![0; NARROW_FRAME];
            Codec::Pcmu.encode(&samples, &mut payload);
            payload
        };
        Self { payload_type: 0, units: 160, packets: (0..LOOP).map(packet).collect() }
    }
}

/// How far into a received payload, in seconds, a mark begins.
pub(crate) fn find_mark(payload: &[u8]) -> Option<f64> {
    let mut samples = [0; NARROW_FRAME];
    Codec::Pcmu.decode(payload, &mut samples);
    let at = samples.iter().position(|&sample| !(-MARK..=MARK).contains(&sample))?;
    Some(f64::from(u32::try_from(at).unwrap_or(0)) / 8_000.0)
}
