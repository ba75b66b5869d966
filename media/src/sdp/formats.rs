//! What payload types mean, and what Opus parameters ask for.

use super::parse::{MediaDescription, RtpMap};
use super::{Codec, LocalDescription};

/// What arrives under a payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Sound.
    Audio(Codec),
    /// Keys (RFC 4733), whatever their clock.
    TelephoneEvent,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Opus with earlier packets (RFC 2198).
    Redundant,
}

/// The meaning of payload types in one direction of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadTypes {
    entries: [Option<(u8, Format)>; Self::MAX],
}

impl PayloadTypes {
    /// More than any description needs.
    const MAX: usize = 16;

    /// The codecs that have static numbers, and comfort noise under its own.
    #[must_use]
    pub fn static_numbers() -> Self {
        let mut types = Self::default();
        types.insert(COMFORT_NOISE, Format::ComfortNoise);
        types
    }

    /// Adds a number unless it means something already.
    pub fn insert(&mut self, payload_type: u8, format: Format) {
        if self.get(payload_type).is_none()
            && let Some(free) = self.entries.iter_mut().find(|entry| entry.is_none())
        {
            *free = Some((payload_type, format));
        }
    }

    /// These meanings, where `first` has no other.
    pub(super) fn after(&self, mut first: Self) -> Self {
        self.entries.iter().flatten().for_each(|&(payload_type, format)| first.insert(payload_type, format));
        first
    }

    /// What a number means.
    #[must_use]
    pub fn get(&self, payload_type: u8) -> Option<Format> {
        self.entries.iter().flatten().find(|(known, _)| *known == payload_type).map(|&(_, format)| format)
    }

    /// Whether this codec may arrive.
    #[must_use]
    pub fn has(&self, codec: Codec) -> bool {
        self.entries.iter().flatten().any(|&(_, format)| format == Format::Audio(codec))
    }
}

/// The static number of comfort noise.
const COMFORT_NOISE: u8 = 13;

/// The payload type under which redundant audio may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redundancy {
    /// Its number.
    pub payload_type: u8,
    /// The remote likes it better than Opus alone. Else it is sent while the remote reports loss.
    pub preferred: bool,
}

/// What a remote asks of our Opus encoder (RFC 7587 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpusSettings {
    /// Bits per second.
    pub bitrate: u32,
    /// The remote can use in-band forward error correction.
    pub fec: bool,
    /// Silence need not be sent.
    pub dtx: bool,
    /// Higher rates than this are lost on the remote, in Hz.
    pub max_playback_hz: u32,
    /// Use the voice modes of Opus: a little better for one voice at low rates and needed for error correction, at
    /// more than twice the cost. Not from SDP.
    pub voice: bool,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bitrate: Self::BITRATE, fec: false, dtx: false, max_playback_hz: 48_000, voice: false }
    }
}

impl OpusSettings {
    /// What one voice or a mix of them needs at full band.
    const BITRATE: u32 = 32_000;

    /// Reads the parameters of `a=fmtp`; unknown and unreadable ones are passed over.
    #[must_use]
    pub fn parse(parameters: &str) -> Self {
        let mut settings = Self::default();
        for parameter in parameters.split(';') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            match name.trim() {
                "maxaveragebitrate" => settings.bitrate = value.clamp(6_000, Self::BITRATE),
                "useinbandfec" => settings.fec = value == 1,
                "usedtx" => settings.dtx = value == 1,
                "maxplaybackrate" => settings.max_playback_hz = value.clamp(8_000, 48_000),
                _ => {}
            }
        }
        settings
    }
}

/// Whether a payload type is redundant Opus: `red` in its clock, of it alone (RFC 2198 section 5).
pub(super) fn is_redundant_opus(audio: &MediaDescription<'_>, payload_type: u8, opus: u8) -> bool {
    let is_red = audio.rtpmaps.iter().any(|map| {
        map.payload_type == payload_type && map.name.eq_ignore_ascii_case("red") && map.clock_hz == 48_000
    });
    let mut parameters = audio.fmtps.iter().filter(|(of, _)| *of == payload_type);
    let of_opus = |list: &str| list.trim().split('/').all(|number| number.trim().parse() == Ok(opus));
    is_red && parameters.all(|(_, list)| of_opus(list))
}

/// The codec behind a payload type: by `a=rtpmap`, else by the static numbers of RFC 3551.
pub(super) fn codec(audio: &MediaDescription<'_>, payload_type: u8) -> Option<Codec> {
    match audio.rtpmaps.iter().find(|map| map.payload_type == payload_type) {
        Some(map) => Codec::ALL.into_iter().find(|codec| {
            map.clock_hz == codec.clock_hz()
                && map.channels == codec.channels()
                && map.name.eq_ignore_ascii_case(codec.name())
        }),
        None => {
            Codec::ALL.into_iter().find(|codec| codec.is_static() && codec.payload_type() == payload_type)
        }
    }
}

/// The clock of a payload type, if it stands for telephone events.
pub(super) fn telephone_event_hz(audio: &MediaDescription<'_>, payload_type: u8) -> Option<u32> {
    let map = audio.rtpmaps.iter().find(|map| map.payload_type == payload_type)?;
    map.name.eq_ignore_ascii_case("telephone-event").then_some(map.clock_hz)
}

/// The numbers we offer: for each codec its own, redundancy for Opus, then telephone events in the clocks of the codecs.
pub(super) fn offered(local: &LocalDescription) -> Vec<(u8, &'static str, u32, u8)> {
    let codecs = local
        .codecs
        .iter()
        .map(|codec| (codec.payload_type(), codec.name(), codec.clock_hz(), codec.channels()));
    let has = |hz| local.codecs.iter().any(|codec| codec.clock_hz() == hz);
    let events = [(super::TELEPHONE_EVENT, 8_000), (super::TELEPHONE_EVENT_FULL, 48_000)];
    let events = events.into_iter().filter(|&(_, hz)| has(hz));
    let red = has(48_000).then_some((super::REDUNDANT, "red", 48_000, 2));
    codecs
        .chain(red)
        .chain(events.map(|(payload_type, hz)| (payload_type, "telephone-event", hz, 1)))
        .collect()
}

/// [`offered`] within a session, where the numbers of the description before keep their meanings. A format whose number
/// has got another meaning is left out.
pub(super) fn offered_again(
    local: &LocalDescription,
    before: &MediaDescription<'_>,
) -> Vec<(u8, &'static str, u32, u8)> {
    let mut formats = offered(local);
    formats.retain_mut(|(number, name, hz, channels)| {
        let is_it = |map: &&RtpMap<'_>| {
            map.name.eq_ignore_ascii_case(name) && (map.clock_hz, map.channels) == (*hz, *channels)
        };
        match before.rtpmaps.iter().find(is_it) {
            Some(map) => *number = map.payload_type,
            None => return before.rtpmaps.iter().all(|map| map.payload_type != *number),
        }
        true
    });
    if !formats.iter().any(|(_, name, ..)| *name == Codec::Opus.name()) {
        formats.retain(|(_, name, ..)| *name != "red");
    }
    formats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_parameters_are_honoured_within_bounds() {
        let parsed = OpusSettings::parse(
            "maxaveragebitrate=20000; useinbandfec=1;usedtx=1; stereo=0;x;maxplaybackrate=16000",
        );
        let expected =
            OpusSettings { bitrate: 20_000, fec: true, dtx: true, max_playback_hz: 16_000, voice: false };
        assert_eq!(parsed, expected);
        assert_eq!(OpusSettings::parse("maxaveragebitrate=1;maxplaybackrate=9999999").bitrate, 6_000);
        assert_eq!(OpusSettings::parse("maxaveragebitrate=510000"), OpusSettings::default());
        assert_eq!(OpusSettings::parse("useinbandfec=yes"), OpusSettings::default());
    }

    #[test]
    fn the_first_meaning_of_a_number_counts() {
        let mut types = PayloadTypes::static_numbers();
        types.insert(96, Format::Audio(Codec::Opus));
        types.insert(96, Format::TelephoneEvent);
        assert_eq!(types.get(96), Some(Format::Audio(Codec::Opus)));
        assert_eq!((types.get(13), types.get(0)), (Some(Format::ComfortNoise), None));
        (20..90).for_each(|number| types.insert(number, Format::TelephoneEvent));
        assert_eq!(types.get(89), None, "bounded");
        assert!(types.has(Codec::Opus) && !types.has(Codec::Pcmu));
    }
}
