//! Codecs and encryption of devices and trunks.

use super::harness::*;
use crate::live::focus::{Command, Wire, WirePeer};
use crate::vocabulary::MeetingKind;
use media::sdp::{self, Codec, KeySeed, LocalDescription, SrtpPolicy};
use sip_core::ua::Origin;

fn offered(stage: &Stage) -> String {
    let invite = stage.invites.last().unwrap();
    String::from_utf8(invite.offer.to_vec()).unwrap()
}

#[test]
fn d20_d22_a_device_is_offered_what_its_settings_say_and_others_are_not() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let wire = Wire { codecs: vec![Codec::Opus, Codec::Pcmu], srtp: SrtpPolicy::Require };
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
    let wire = Wire { codecs: Vec::new(), srtp: SrtpPolicy::Require };
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
