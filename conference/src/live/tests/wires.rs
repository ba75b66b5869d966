//! Codecs and encryption of devices and trunks.

use super::harness::*;
use crate::live::focus::{Command, DialTarget, FocusConfig, Wire, WirePeer};
use crate::vocabulary::{MeetingKind, Role};
use media::sdp::{self, Codec, KeySeed, LocalDescription, SrtpPolicy};
use media::worker::VoiceTreatment;
use sip_core::ua::{Origin, TrunkId};

const AS_IT_IS: VoiceTreatment = VoiceTreatment { even_loudness: None, suppress_noise: false };

fn offered(stage: &Stage) -> String {
    let invite = stage.invites.last().unwrap();
    String::from_utf8(invite.offer.to_vec()).unwrap()
}

#[test]
fn d20_d22_a_device_is_offered_what_its_settings_say_and_others_are_not() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let wire = Wire { codecs: vec![Codec::Opus, Codec::Pcmu], srtp: SrtpPolicy::Require, voice: AS_IT_IS };
    stage.ok(Command::PutWire { peer: WirePeer::Device(aor("103a")), wire: Some(wire) });
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let offer = offered(&stage);
    assert!(offer.contains("RTP/SAVP 96 0 "), "{offer}");
    assert_eq!(offer.matches("a=crypto:").count(), 4, "{offer}");
    stage.dial(to_number("c2", "tom", "+12025550177")).unwrap();
    let other = offered(&stage);
    assert!(other.contains("RTP/AVP 0 8 101") && !other.contains("a=crypto"), "{other}");
}

#[test]
fn d22_a_device_that_must_be_encrypted_gets_488_without_and_joins_with() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.ok(Command::PutDevice {
        aor: aor("103a"),
        user: "u-uma".into(),
        tenant: "acme".into(),
        display_name: "uma".into(),
        role_hint: None,
    });
    let wire = Wire { codecs: Vec::new(), srtp: SrtpPolicy::Require, voice: AS_IT_IS };
    stage.ok(Command::PutWire { peer: WirePeer::Device(aor("103a")), wire: Some(wire) });
    let plain = stage.call_in(1, Origin::Device(aor("103a")), "900000001", "103a");
    assert_eq!(stage.rejected, [(plain, 488)]);
    let theirs = LocalDescription { srtp: SrtpPolicy::Prefer, key_seed: KeySeed([4; 32]), ..far_end() };
    let secured = stage.invite_offering(
        2,
        Origin::Device(aor("103a")),
        "900000001",
        "103a",
        sdp::offer(&theirs).into(),
    );
    assert_eq!(stage.accepted.last(), Some(&secured));
}

#[test]
fn d22_where_it_can_does_not_weaken_a_house_in_which_all_is_encrypted() {
    let wire = |srtp| Some(Wire { codecs: Vec::new(), srtp, voice: AS_IT_IS });
    for (house, own, offered_as, keys) in [
        (SrtpPolicy::Require, SrtpPolicy::Prefer, "RTP/SAVP", 4),
        (SrtpPolicy::Off, SrtpPolicy::Prefer, "RTP/AVP", 4),
        (SrtpPolicy::Require, SrtpPolicy::Off, "RTP/AVP", 0),
    ] {
        let config = FocusConfig { srtp: house, last_words: false, ..FocusConfig::default() };
        let mut stage = Stage::with_config(MeetingKind::Conference, config);
        stage.join("hana", Role::Host);
        stage.ok(Command::PutWire { peer: WirePeer::Device(aor("103a")), wire: wire(own) });
        stage.dial(to_device("c1", "uma", "103a")).unwrap();
        let offer = offered(&stage);
        assert!(offer.contains(offered_as), "{house:?} {own:?}: {offer}");
        assert_eq!(offer.matches("a=crypto:").count(), keys, "{house:?} {own:?}: {offer}");
    }
}

#[test]
fn d20_each_trunk_that_is_tried_is_offered_what_its_own_settings_say() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    for (trunk, codecs, srtp) in
        [(1, vec![Codec::Pcma], SrtpPolicy::Off), (2, vec![Codec::G722, Codec::Pcmu], SrtpPolicy::Require)]
    {
        let wire = Some(Wire { codecs, srtp, voice: AS_IT_IS });
        stage.ok(Command::PutWire { peer: WirePeer::Trunk(TrunkId(trunk)), wire });
    }
    let mut spec = to_number("c1", "tom", "+12025550177");
    if let DialTarget::Number { trunks, .. } = &mut spec.target {
        *trunks = vec![TrunkId(1), TrunkId(2)];
    }
    stage.dial(spec).unwrap();
    assert!(offered(&stage).contains("RTP/AVP 8 101"), "{}", offered(&stage));
    stage.refuse(stage.last_session(), 503);
    assert_eq!(stage.invites.len(), 2, "the next trunk");
    assert!(offered(&stage).contains("RTP/SAVP 9 0 101"), "{}", offered(&stage));
}

#[test]
fn d45_the_voice_of_a_device_or_trunk_is_treated_as_its_settings_say() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let clean = VoiceTreatment { even_loudness: Some(true), suppress_noise: true };
    let wire = Wire { codecs: Vec::new(), srtp: SrtpPolicy::Off, voice: clean };
    stage.ok(Command::PutWire { peer: WirePeer::Device(aor("103a")), wire: Some(wire.clone()) });
    stage.ok(Command::PutWire { peer: WirePeer::Trunk(TrunkId(1)), wire: Some(wire) });
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.dial(to_device("c2", "vic", "102a")).unwrap();
    stage.dial(to_number("c3", "tom", "+12025550177")).unwrap();
    let told: Vec<&String> = stage.media.iter().filter(|told| told.starts_with("TreatVoice")).collect();
    // Leg 1 is the Host's browser; 3 is the device that nothing was set for.
    let expected = [2, 4].map(|leg| format!("TreatVoice {{ leg: LegId({leg}), treatment: {clean:?} }}"));
    assert!(told.iter().copied().eq(&expected), "{told:?}");
}
