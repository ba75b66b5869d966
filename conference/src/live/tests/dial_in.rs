//! Callers who dial a number and key in id and PIN.

use super::harness::*;
use crate::live::focus::{Command, FocusConfig, Language};
use crate::live::ivr::{BEFORE_KEYS, BETWEEN_KEYS};
use crate::live::pin::Pin;
use crate::vocabulary::{MeetingKind, Role};
use media::worker::{LegId, LegPlan};
use sip_core::ua::{EndCause, Origin, SessionId, TrunkId};

const TRUNK: Origin = Origin::Trunk(TrunkId(1));
const DIAL_IN: &str = "+12025550000";
const GUEST: &str = "482915";
const HOST: &str = "739164";
const ARI: &str = "60417392";

/// A meeting with PINs, a dial-in number of its tenant, and Ari on the list with a PIN of his own.
pub(super) fn with_pins(config: FocusConfig) -> Stage {
    let mut stage = Stage::with_config(MeetingKind::Conference, config);
    stage.ok(Command::PutTrunk { trunk: TrunkId(1), tenant: "acme".into() });
    stage.ok(Command::PutTrunk { trunk: TrunkId(2), tenant: "zeta".into() });
    stage.ok(Command::PutDialIn { number: DIAL_IN.into(), tenant: "acme".into(), language: None });
    stage.spec.guest_pin = Some(Pin::parse(GUEST).unwrap());
    stage.spec.host_pin = Some(Pin::parse(HOST).unwrap());
    stage.ok(Command::PutMeeting(stage.spec.clone()));
    let mut ari = person("ari", Role::Presenter);
    ari.pin = Some(Pin::parse(ARI).unwrap());
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: ari });
    stage
}

fn quiet() -> Stage {
    with_pins(FocusConfig { last_words: false, ..FocusConfig::default() })
}

fn dial(stage: &mut Stage, number: u64, from: &str) -> (SessionId, LegId) {
    let session = stage.call_in(number, TRUNK, DIAL_IN, from);
    (session, stage.last_leg())
}

#[test]
fn i12_id_and_pin_lead_a_caller_in() {
    let mut stage = quiet();
    stage.join("hana", Role::Host);
    let (_, leg) = dial(&mut stage, 1, "+12025550177");
    assert_eq!(stage.heard(leg), "enter_meeting for_this_language");
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.keys(leg, "900000001#");
    assert_eq!(stage.heard(leg), "enter_pin");
    assert_eq!(stage.count_events("person.joined"), 1, "only Hana");
    stage.keys(leg, GUEST);
    assert_eq!(stage.plan(leg), LegPlan::default(), "not before the #");
    stage.keys(leg, "#");
    assert_eq!(stage.moved, [leg], "into the meeting's room");
    assert!(stage.plan(leg).send_audio && stage.plan(leg).receive_audio);
    assert_eq!(stage.heard(leg), "joining");
    let joined = stage.last_event("person.joined").clone();
    assert_eq!(joined["person"]["role"], "attendee");
    assert_eq!(joined["person"]["number"], "+12025550177");
}

#[test]
fn i12_d19_wrong_pin_thrice_and_goodbye_with_a_bye() {
    let mut stage = quiet();
    let (session, leg) = dial(&mut stage, 1, "+12025550177");
    stage.keys(leg, "900000001#");
    for _ in 0..2 {
        stage.keys(leg, "000000#");
        assert_eq!(stage.heard(leg), "wrong_pin enter_pin");
    }
    stage.keys(leg, "000000#");
    assert_eq!(stage.heard(leg), "wrong_pin goodbye");
    assert!(stage.hung_up.is_empty());
    stage.spoken(leg);
    assert_eq!(stage.hung_up, [session]);
    stage.assert_nothing_left();
}

#[test]
fn i12_slow_keys_and_a_prompt_that_never_ends_do_no_harm() {
    let mut stage = quiet();
    let (session, leg) = dial(&mut stage, 1, "+12025550177");
    for key in "900000001".chars() {
        stage.pass(BETWEEN_KEYS - at_ms(500));
        stage.press(leg, key);
    }
    stage.pass(BETWEEN_KEYS);
    assert_eq!(stage.heard(leg), "enter_pin", "a long pause is a #");
    stage.spoken(leg);
    stage.pass(BEFORE_KEYS * 4);
    assert_eq!(stage.heard(leg), "enter_pin", "asked again, and the caller hears it still");
    stage.pass(at_ms(300_000));
    assert_eq!(stage.hung_up, [session], "no call lasts for ever");
    stage.assert_nothing_left();
}

#[test]
fn i14_the_host_pin_makes_a_host_and_a_persons_own_pin_gives_their_seat() {
    let mut stage = quiet();
    let (_, leg) = dial(&mut stage, 1, "+12025550177");
    stage.keys(leg, &format!("900000001#{HOST}#"));
    assert_eq!(stage.last_event("person.joined")["person"]["role"], "host");
    let (_, leg) = dial(&mut stage, 2, "+12025550178");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    let joined = stage.last_event("person.joined");
    assert_eq!((&joined["person"]["id"], &joined["person"]["role"]), (&"p-ari".into(), &"presenter".into()));
    assert!(stage.plan(leg).send_audio);
}

#[test]
fn d19_a_number_and_a_pin_in_the_address_lead_in_at_once() {
    let mut stage = quiet();
    let session = stage.call_in(1, TRUNK, &format!("900000001.{ARI}"), "+12025550177");
    assert_eq!(stage.accepted, [session]);
    assert_eq!(stage.last_event("person.joined")["person"]["id"], "p-ari");
    let wrong = stage.call_in(2, TRUNK, "900000001.123987", "+12025550177");
    let foreign = stage.call_in(3, Origin::Trunk(TrunkId(2)), &format!("900000001.{ARI}"), "+12025550177");
    assert_eq!(stage.rejected, [(wrong, 403), (foreign, 404)]);
}

#[test]
fn d19_a_trunk_that_calls_the_meetings_number_is_asked_for_the_pin_alone() {
    let mut stage = quiet();
    stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let leg = stage.last_leg();
    assert_eq!(stage.heard(leg), "enter_pin");
    stage.keys(leg, &format!("{GUEST}#"));
    assert!(stage.plan(leg).receive_audio);
    let peer = stage.call_in(2, Origin::TrustedPeer, "900000001", "sipp");
    assert!(stage.accepted.contains(&peer));
    assert!(stage.plan(stage.last_leg()).receive_audio, "a trusted peer needs no PIN");
}

#[test]
fn d19_a_desk_phone_keys_in_the_meeting_and_no_pin() {
    let mut stage = quiet();
    stage.ok(Command::PutDevice {
        aor: aor("102a"),
        user: "u-ari".into(),
        tenant: "acme".into(),
        display_name: "ari".into(),
        role_hint: None,
    });
    stage.call_in(1, Origin::Device(aor("102a")), "12025550000", "102a");
    let leg = stage.last_leg();
    stage.keys(leg, "900000001#");
    assert_eq!(stage.last_event("person.joined")["person"]["id"], "p-ari");
    assert!(stage.plan(leg).send_audio);
}

#[test]
fn i15_a_hundred_wrong_ids_from_one_number_and_it_is_not_listened_to() {
    let mut stage = quiet();
    for call in 0..34 {
        let (_, leg) = dial(&mut stage, call, "+12025550199");
        for id in 0..3 {
            stage.keys(leg, &format!("{}#", 800_000_000 + call * 3 + id));
        }
        stage.spoken(leg);
    }
    let rejected = stage.invite_in(900, TRUNK, DIAL_IN, "+12025550199");
    assert_eq!(stage.rejected, [(rejected, 603)]);
    let (other, leg) = dial(&mut stage, 901, "+12025550177");
    assert_eq!(stage.heard(leg), "enter_meeting for_this_language", "nobody else is kept out");
    stage.over(other, EndCause::RemoteBye);
    stage.assert_nothing_left();
}

#[test]
fn w3_i15_a_meeting_that_is_guessed_at_answers_slowly_even_to_who_is_right() {
    let mut stage = quiet();
    for call in 0..7 {
        let (_, leg) = dial(&mut stage, call, &format!("+1202555010{call}"));
        stage.keys(leg, "900000001#000000#000000#000000#");
        stage.spoken(leg);
    }
    let (_, leg) = dial(&mut stage, 20, "+12025550177");
    stage.keys(leg, &format!("900000001#{GUEST}#"));
    assert!(!stage.plan(leg).receive_audio);
    stage.pass(at_ms(4_900));
    assert!(!stage.plan(leg).receive_audio);
    stage.pass(at_ms(200));
    assert!(stage.plan(leg).receive_audio);
}

#[test]
fn i74_somebody_removed_is_refused_with_words_by_pin_and_by_number() {
    let mut stage = quiet();
    stage.join("hana", Role::Host);
    let (_, leg) = dial(&mut stage, 1, "+12025550178");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-ari".into() });
    let (session, leg) = dial(&mut stage, 2, "+12025550188");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    assert_eq!(stage.heard(leg), "removed goodbye");
    stage.spoken(leg);
    assert!(stage.hung_up.contains(&session));
    let mut ari = person("ari", Role::Attendee);
    ari.pin = Some(Pin::parse(ARI).unwrap());
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: ari });
    let (_, leg) = dial(&mut stage, 3, "+12025550188");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    assert!(stage.plan(leg).receive_audio, "invited again");
}

#[test]
fn i82_the_pin_of_a_disabled_user_is_refused_by_phone_until_they_are_enabled_again() {
    let mut stage = quiet();
    stage.join("hana", Role::Host);
    let account = |enabled| Command::PutUser { user: "u-ari".into(), enabled };
    stage.ok(account(false));
    let (session, leg) = dial(&mut stage, 1, "+12025550188");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    assert_eq!(stage.heard(leg), "not_invited goodbye");
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.spoken(leg);
    assert!(stage.hung_up.contains(&session));
    let direct = stage.call_in(2, TRUNK, &format!("900000001.{ARI}"), "+12025550188");
    assert_eq!(stage.rejected, [(direct, 403)], "nor without a conversation");
    let browser = Command::JoinWebrtc { meeting: meeting_id(), person: person("ari", Role::Presenter) };
    assert!(stage.command(browser).is_err());
    assert_eq!(stage.count_events("person.joined"), 1, "only Hana");
    stage.ok(account(true));
    let (_, leg) = dial(&mut stage, 3, "+12025550188");
    stage.keys(leg, &format!("900000001#{ARI}#"));
    assert!(stage.plan(leg).receive_audio);
}

#[test]
fn i08_lock_and_lobby_bind_callers() {
    let mut stage = quiet();
    stage.join("hana", Role::Host);
    stage.set(|settings| settings.locked = true);
    let (_, leg) = dial(&mut stage, 1, "+12025550178");
    stage.keys(leg, &format!("900000001#{GUEST}#"));
    assert_eq!(stage.heard(leg), "meeting_is_locked goodbye");
    stage.spoken(leg);
    stage.set(|settings| (settings.locked, settings.lobby) = (false, true));
    let (_, leg) = dial(&mut stage, 2, "+12025550179");
    stage.keys(leg, &format!("900000001#{GUEST}#"));
    assert_eq!(stage.heard(leg), "wait_in_lobby");
    stage.spoken(leg);
    assert_eq!(stage.heard(leg), "hold_music");
    assert!(stage.utterances[&leg].repeat);
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.keys(leg, "*6*0");
    assert_eq!(stage.heard(leg), "hold_music", "keys mean nothing in the lobby");
    stage.ok(Command::LetIn { meeting: meeting_id(), person: None });
    assert!(stage.plan(leg).receive_audio);
    assert_eq!(stage.heard(leg), "joining");
}

#[test]
fn i22_i60_a_guests_name_is_the_number_and_the_language_is_what_was_chosen() {
    let mut stage = quiet();
    let (_, leg) = dial(&mut stage, 1, "+12025550177");
    stage.keys(leg, "*");
    assert_eq!(stage.utterances[&leg].language, Language::French);
    stage.keys(leg, &format!("900000001#{GUEST}#"));
    assert_eq!(stage.utterances[&leg].language, Language::French, "in the meeting too");
    let person = &stage.last_event("person.joined")["person"];
    assert_eq!(person["display_name"], "+1 202 555 0177");
    assert!(person["user"].is_null(), "a guest, whatever the number");
}

#[test]
fn another_tenants_trunk_and_another_tenants_meeting_do_not_exist() {
    let mut stage = quiet();
    let foreign = stage.call_in(1, Origin::Trunk(TrunkId(2)), DIAL_IN, "+12025550177");
    assert_eq!(stage.rejected, [(foreign, 404)]);
    stage.ok(Command::PutDialIn { number: "+13035550000".into(), tenant: "zeta".into(), language: None });
    stage.call_in(2, Origin::Trunk(TrunkId(2)), "+13035550000", "+12025550177");
    let leg = stage.last_leg();
    stage.keys(leg, "900000001#");
    assert!(stage.heard(leg).starts_with("no_such_meeting"));
}

#[test]
fn a_caller_who_gives_up_leaves_nothing() {
    let mut stage = quiet();
    let (session, leg) = dial(&mut stage, 1, "+12025550177");
    stage.keys(leg, "9000");
    stage.over(session, EndCause::RemoteBye);
    stage.assert_nothing_left();
    stage.no_ports = true;
    let session = stage.invite_in(2, TRUNK, DIAL_IN, "+12025550177");
    assert_eq!(stage.rejected, [(session, 503)]);
    stage.assert_nothing_left();
}

#[test]
fn i40_a_desk_phone_that_dials_for_help_is_told_and_gets_403() {
    let mut stage = quiet();
    stage.ok(Command::PutDevice {
        aor: aor("103a"),
        user: "u-uma".into(),
        tenant: "acme".into(),
        display_name: "uma".into(),
        role_hint: None,
    });
    let forms = ["911", "9911", "112", "+911", "999", "9-1-1", "urn:service:sos", "URN:service:SOS.police"];
    for (number, dialled) in forms.iter().enumerate() {
        let session = stage.invite_in(number as u64, Origin::Device(aor("103a")), dialled, "103a");
        let leg = stage.last_leg();
        assert!(stage.accepted.is_empty(), "an emergency call is never answered");
        assert!(stage.remotes.contains(&leg), "early media");
        assert_eq!(stage.heard(leg), "no_emergency_calls no_emergency_calls");
        assert_eq!(stage.plan(leg), LegPlan::default());
        stage.spoken(leg);
        assert_eq!(stage.rejected.last(), Some(&(session, 403)), "{dialled}");
        let event = stage.last_event("policy.blocked");
        assert_eq!((&event["reason"], &event["device"]), (&"emergency".into(), &"103a".into()));
        assert_eq!(event["dialled"], *dialled);
    }
    let session = stage.invite_in(50, Origin::Device(aor("103a")), "911", "103a");
    stage.pass(at_ms(20_000));
    assert_eq!(stage.rejected.last(), Some(&(session, 403)), "even if nothing could be played");
    stage.assert_nothing_left();
}
