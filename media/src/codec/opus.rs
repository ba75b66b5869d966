//! Opus (RFC 6716) at 48 kHz mono, the only form of it on our WebRTC legs (RFC 7587).

use opusic_c::{Application, Bandwidth, Bitrate, Channels, InbandFec, SampleRate, Signal};

use crate::sample::FULL_FRAME;
use crate::sdp::OpusSettings;

/// The longest packet an Opus encoder can make for one frame, and so the longest one worth buffering.
pub const MAX_PACKET: usize = 1275;

/// The most samples one packet can hold: 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5760;

/// One 20 ms CELT frame of digital silence, full band, mono: sent instead of encoding silence.
pub const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

/// libopus refused; the text is libopus's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Opus: {0}")]
pub struct OpusError(&'static str);

impl From<opusic_c::ErrorCode> for OpusError {
    fn from(code: opusic_c::ErrorCode) -> Self {
        Self(code.message())
    }
}

/// An encoder for one stream. Allocates at construction only.
pub struct Encoder {
    inner: opusic_c::Encoder,
    input: Box<[u16; FULL_FRAME]>,
}

impl Encoder {
    const COMPLEXITY: u8 = 5;
    /// Loss for which error correction is made, in percent.
    const EXPECTED_LOSS: u8 = 10;

    /// A fresh encoder.
    ///
    /// # Errors
    /// When libopus cannot allocate or refuses a setting.
    pub fn new(settings: OpusSettings) -> Result<Self, OpusError> {
        let mut inner = opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)?;
        inner.set_bitrate(Bitrate::Value(settings.bitrate))?;
        inner.set_complexity(Self::COMPLEXITY)?;
        inner.set_max_bandwidth(bandwidth(settings.max_playback_hz))?;
        // A mix of voices is no single voice: the MDCT modes carry it at its true level and for half the time. They
        // know no error correction.
        inner.set_signal(if settings.voice { Signal::Voice } else { Signal::Music })?;
        if settings.voice && settings.fec {
            inner.set_inband_fec(InbandFec::Mode1)?;
            inner.set_packet_loss(Self::EXPECTED_LOSS)?;
        } else {
            inner.set_inband_fec(InbandFec::Off)?;
        }
        inner.set_dtx(false)?; // silence is not encoded at all
        Ok(Self { inner, input: Box::new([0; FULL_FRAME]) })
    }

    /// Encodes 20 ms into `packet` and returns the packet's length in bytes.
    ///
    /// # Errors
    /// When `packet` is too small; [`MAX_PACKET`] always suffices.
    pub fn encode(&mut self, frame: &[i16; FULL_FRAME], packet: &mut [u8]) -> Result<usize, OpusError> {
        for (to, from) in self.input.iter_mut().zip(frame) {
            *to = from.cast_unsigned();
        }
        Ok(self.inner.encode_to_slice(self.input.as_slice(), packet)?)
    }

    /// Forgets everything heard so far.
    pub fn reset(&mut self) {
        // Resetting cannot fail on a live encoder; if it did, the old state would only sound worse.
        let _ = self.inner.reset();
    }
}

/// What a receiver with this sample rate can hear (RFC 7587 section 6.1).
const fn bandwidth(max_playback_hz: u32) -> Bandwidth {
    match max_playback_hz {
        0..=8_000 => Bandwidth::Narrow,
        8_001..=12_000 => Bandwidth::Medium,
        12_001..=16_000 => Bandwidth::Wide,
        16_001..=24_000 => Bandwidth::Superwide,
        _ => Bandwidth::Full,
    }
}

/// A decoder for one stream. Allocates at construction only.
pub struct Decoder {
    inner: opusic_c::Decoder,
    output: Box<[u16; MAX_PACKET_SAMPLES]>,
    samples: Box<[i16; MAX_PACKET_SAMPLES]>,
}

impl Decoder {
    /// The smallest piece of a signal, in samples: 2.5 ms.
    const PIECE: usize = 120;

    /// A fresh decoder.
    ///
    /// # Errors
    /// When libopus cannot allocate.
    pub fn new() -> Result<Self, OpusError> {
        let inner = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000)?;
        Ok(Self {
            inner,
            output: Box::new([0; MAX_PACKET_SAMPLES]),
            samples: Box::new([0; MAX_PACKET_SAMPLES]),
        })
    }

    /// Decodes one packet.
    ///
    /// # Errors
    /// When the packet is not Opus (RFC 6716 section 3.4); the decoder stays usable.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[i16], OpusError> {
        if packet.is_empty() {
            return Err(OpusError("empty packet"));
        }
        let samples = self.inner.decode_to_slice(packet, self.output.as_mut_slice(), false)?;
        Ok(self.deliver(samples))
    }

    /// Makes up `count` lost samples, at most one tick: from the redundancy in the packet after the gap if it has
    /// any (in-band FEC, RFC 6716 section 2.1.7), else libopus continues the signal and fades it out.
    pub fn conceal(&mut self, count: usize, next: Option<&[u8]>) -> &[i16] {
        // libopus makes up whole pieces of 2.5 ms.
        let whole = count.next_multiple_of(Self::PIECE).clamp(Self::PIECE, FULL_FRAME);
        let Some(frame) = self.output.get_mut(..whole) else { return &[] };
        let packet = next.unwrap_or_default();
        let made = self.inner.decode_to_slice(packet, frame, !packet.is_empty());
        if made.is_err() {
            frame.fill(0);
        }
        self.deliver(count.min(whole))
    }

    /// Forgets everything heard so far: the next packet starts a new stream.
    pub fn reset(&mut self) {
        let _ = self.inner.reset();
    }

    /// libopus's interface counts samples as unsigned numbers.
    fn deliver(&mut self, count: usize) -> &[i16] {
        for (to, from) in self.samples.iter_mut().zip(self.output.iter()).take(count) {
            *to = from.cast_signed();
        }
        self.samples.get(..count).unwrap_or_default()
    }
}

/// Whether a packet holds nothing but silence: what encoders send instead of it, without a reason to decode.
#[must_use]
pub fn is_silence(packet: &[u8]) -> bool {
    match packet {
        // Frames of no bytes (RFC 6716 section 3.2.1): discontinuous transmission.
        [] | [_] => true,
        // One MDCT frame whose silence flag is set.
        [toc, rest @ ..] => toc & 0x83 == 0x80 && matches!(rest, [0xFF, 0xFE]),
    }
}

/// How many 48 kHz samples a packet holds, from its table-of-contents byte (RFC 6716 section 3.1).
///
/// `None` when the packet cannot be Opus: empty, or longer than 120 ms.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let (&toc, rest) = packet.split_first()?;
    let config = toc >> 3;
    let frame: u32 = match config {
        0..=11 => [480, 960, 1920, 2880].get(usize::from(config & 3)).copied()?,
        12..=15 => [480, 960].get(usize::from(config & 1)).copied()?,
        _ => [120, 240, 480, 960].get(usize::from(config & 3)).copied()?,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3F),
    };
    let samples = frame * frames;
    (samples > 0 && samples <= 5760).then_some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Oscillator;
    use proptest::prelude::*;

    fn frame_of(tone: &mut Oscillator) -> [i16; FULL_FRAME] {
        let mut frame = [0; FULL_FRAME];
        frame.iter_mut().for_each(|s| *s = tone.next_sample());
        frame
    }

    #[test]
    fn a_tone_survives_encoding_at_its_level() {
        let (mut encoder, mut decoder) =
            (Encoder::new(OpusSettings::default()).unwrap(), Decoder::new().unwrap());
        let mut tone = Oscillator::new(440, 48_000);
        let mut heard = Vec::new();
        let mut packet = [0; MAX_PACKET];
        for _ in 0..50 {
            let length = encoder.encode(&frame_of(&mut tone), &mut packet).unwrap();
            assert_eq!(packet_samples(&packet[..length]), Some(960));
            heard.extend_from_slice(decoder.decode(&packet[..length]).unwrap());
        }
        assert_eq!(heard.len(), 50 * FULL_FRAME);
        let spoken = crate::level::measure(&frame_of(&mut tone));
        assert!(crate::level::measure(&heard[9600..]).abs_diff(spoken) <= 1);
    }

    #[test]
    fn the_silence_packet_decodes_to_digital_silence() {
        let mut decoder = Decoder::new().unwrap();
        for _ in 0..3 {
            assert_eq!(decoder.decode(&SILENCE).unwrap(), [0; FULL_FRAME]);
        }
    }

    #[test]
    fn what_is_taken_for_silence_is_silence() {
        let mut encoder = Encoder::new(OpusSettings::default()).unwrap();
        let mut packet = [0; MAX_PACKET];
        let mut length = 0;
        for _ in 0..5 {
            length = encoder.encode(&[0; FULL_FRAME], &mut packet).unwrap();
        }
        assert!(is_silence(&packet[..length]), "{:x?}", &packet[..length]);
        assert!(is_silence(&SILENCE) && is_silence(&[0xF8]));
        let mut tone = Oscillator::new(440, 48_000);
        let length = encoder.encode(&frame_of(&mut tone), &mut packet).unwrap();
        assert!(!is_silence(&packet[..length]));
    }

    #[test]
    fn what_a_receiver_cannot_hear_is_not_sent() {
        let settings = OpusSettings { max_playback_hz: 16_000, bitrate: 16_000, ..OpusSettings::default() };
        let mut encoder = Encoder::new(settings).unwrap();
        let mut tone = Oscillator::new(440, 48_000);
        let mut packet = [0; MAX_PACKET];
        let mut total = 0;
        for _ in 0..50 {
            let length = encoder.encode(&frame_of(&mut tone), &mut packet).unwrap();
            total += length;
            assert!(packet[0] >> 3 < 24, "no more than wide band: configuration {}", packet[0] >> 3);
        }
        assert!(total < 2_400, "{total} bytes in a second at 16 kbit/s");
    }

    #[test]
    fn concealment_continues_and_then_fades() {
        let (mut encoder, mut decoder) =
            (Encoder::new(OpusSettings::default()).unwrap(), Decoder::new().unwrap());
        let mut tone = Oscillator::new(300, 48_000);
        let mut packet = [0; MAX_PACKET];
        for _ in 0..20 {
            let length = encoder.encode(&frame_of(&mut tone), &mut packet).unwrap();
            decoder.decode(&packet[..length]).unwrap();
        }
        let mut levels = Vec::new();
        for _ in 0..20 {
            let frame = decoder.conceal(FULL_FRAME, None);
            assert_eq!(frame.len(), FULL_FRAME);
            levels.push(crate::level::measure(frame));
        }
        assert!(levels[0] < 25, "the first lost frame is covered");
        assert!(levels[9] > levels[0] + 10, "a long gap becomes soft: {levels:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail_but_never_panic(packet in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new().unwrap();
            if let Ok(decoded) = decoder.decode(&packet) {
                prop_assert_eq!(packet_samples(&packet), u32::try_from(decoded.len()).ok());
            }
        }
    }
}
