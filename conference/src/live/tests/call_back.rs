//! Calls of ours that are returned.

use super::dial_in::with_pins;
use super::harness::*;
use crate::live::call::GATE;
use crate::live::event::Record;
use crate::live::focus::{Command, FocusConfig};
use crate::vocabulary::{CallState, Role};
use media::worker::{LegId, LegPlan};
use sip_core::ua::{Origin, SessionId, TrunkId};

const TRUNK: Origin = Origin::Trunk(TrunkId(1));
const TOM: &str = "+12025550177";
/// Hana's number, which her calls show.
const SHOWN: &str = "+12025550100";

/// Tom was called as Presenter and did not answer.
fn missed() -> Stage {
    let mut stage = with_pins(FocusConfig { last_words: false, ..FocusConfig::default() });
    stage.ok(Command::PutDialIn { number: SHOWN.into(), tenant: "acme".into(), language: None });
    stage.join("hana", Role::Host);
    let mut call = to_number("c1", "tom", TOM);
    call.person.role = Role::Presenter;
    stage.dial(call).unwrap();
    stage.refuse(stage.last_session(), 480);
    assert_eq!(stage.state("c1").0, CallState::Failed);
    stage
}

fn ring_back(stage: &mut Stage, number: u64, from: &str) -> (SessionId, LegId) {
    let session = stage.call_in(number, TRUNK, SHOWN, from);
    (session, stage.last_leg())
}

#[test]
fn d50_a_missed_caller_who_rings_back_comes_to_the_same_meeting_and_name_as_attendee() {
    let mut stage = missed();
    stage.pass(at_ms(3_000_000));
    let (_, leg) = ring_back(&mut stage, 1, TOM);
    assert_eq!(stage.heard(leg), "\"Hana called you for Budget.\" press_one_to_join press_nine_no_calls");
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.keys(leg, "5");
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.keys(leg, "1");
    let joined = stage.last_event("person.joined");
    assert_eq!((&joined["person"]["id"], &joined["person"]["role"]), (&"p-tom".into(), &"attendee".into()));
    assert!(stage.plan(leg).receive_audio);
    assert_eq!(stage.moved, [leg]);
}

#[test]
fn a_call_back_from_another_number_or_after_an_hour_or_after_the_end_is_asked_for_the_meeting() {
    let mut stage = missed();
    let (_, leg) = ring_back(&mut stage, 1, "+12025550178");
    assert_eq!(stage.heard(leg), "enter_meeting for_this_language");
    stage.pass(at_ms(3_700_000));
    let (_, leg) = ring_back(&mut stage, 2, TOM);
    assert_eq!(stage.heard(leg), "enter_meeting for_this_language");
    let mut stage = missed();
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    let (_, leg) = ring_back(&mut stage, 1, TOM);
    assert_eq!(stage.heard(leg), "enter_meeting for_this_language");
}

#[test]
fn i08_i74_lock_lobby_and_removal_bind_who_calls_back() {
    let mut stage = missed();
    stage.set(|settings| settings.lobby = true);
    let (_, leg) = ring_back(&mut stage, 1, TOM);
    stage.keys(leg, "1");
    assert_eq!(stage.heard(leg), "wait_in_lobby");
    assert_eq!(stage.plan(leg), LegPlan::default());
    let mut stage = missed();
    stage.set(|settings| settings.locked = true);
    let (session, leg) = ring_back(&mut stage, 1, TOM);
    stage.keys(leg, "1");
    assert_eq!(stage.heard(leg), "meeting_is_locked goodbye");
    stage.spoken(leg);
    assert_eq!(stage.hung_up, [session]);
    let mut stage = missed();
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-tom".into() });
    let (_, leg) = ring_back(&mut stage, 1, TOM);
    stage.keys(leg, "1");
    assert_eq!(stage.heard(leg), "removed goodbye");
}

#[test]
fn i42_i50_silence_and_nine_end_a_call_back() {
    let mut stage = missed();
    let (session, leg) = ring_back(&mut stage, 1, TOM);
    stage.pass(GATE);
    assert_eq!(stage.heard(leg), "heard_nothing goodbye");
    stage.spoken(leg);
    assert_eq!(stage.hung_up, [session]);
    let (session, leg) = ring_back(&mut stage, 2, TOM);
    stage.keys(leg, "9");
    assert_eq!(stage.heard(leg), "will_not_be_called goodbye");
    stage.keys(leg, "1");
    stage.spoken(leg);
    assert!(stage.hung_up.contains(&session));
    let listed =
        |record: &Record| matches!(record, Record::DoNotCall { e164, call: None, .. } if e164 == TOM);
    assert_eq!(stage.records.iter().filter(|record| listed(record)).count(), 1);
}
