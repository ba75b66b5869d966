//! How the sound of a phone or trunk travels and what is done to it: codecs, encryption, treatment, as data.

use media::sdp::{Codec, SrtpPolicy};
use media::worker::VoiceTreatment;
use sip_core::ua::{AddressOfRecord, TrunkId};

/// Whose sound it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WirePeer {
    /// A registered device.
    Device(AddressOfRecord),
    /// A trunk.
    Trunk(TrunkId),
}

/// What is offered to a peer and accepted from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Codecs, the preferred one first. None: those of everybody.
    pub codecs: Vec<Codec>,
    /// Whether media is encrypted.
    pub srtp: SrtpPolicy,
    /// What is done to the voice.
    pub voice: VoiceTreatment,
}

impl Wire {
    /// From names as SDP writes them, whatever their case; unknown ones are passed over.
    #[must_use]
    pub fn from_names<'a>(
        names: impl IntoIterator<Item = &'a str>,
        srtp: SrtpPolicy,
        voice: VoiceTreatment,
    ) -> Self {
        let named = |name: &str| Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
        Self { codecs: names.into_iter().filter_map(named).collect(), srtp, voice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_named_as_in_sdp() {
        let wire =
            Wire::from_names(["opus", "G722", "gsm", "pcma"], SrtpPolicy::Prefer, VoiceTreatment::default());
        assert_eq!(wire.codecs, [Codec::Opus, Codec::G722, Codec::Pcma]);
    }
}
