//! Last words before a BYE.

use super::harness::*;
use crate::live::focus::{Command, FocusConfig};
use crate::vocabulary::{CallState, Cause, MeetingKind, Role};
use media::worker::{Event, LegPlan};
use sip_core::ua::{EndCause, Origin};

fn stage() -> Stage {
    let mut stage = Stage::with_config(MeetingKind::Conference, FocusConfig::default());
    stage.join("hana", Role::Host);
    stage
}

#[test]
fn i57_the_end_is_announced_to_phones_that_are_out_already() {
    let mut stage = stage();
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let called = stage.last_session();
    stage.pick_up(called);
    let uma = stage.last_leg();
    let calling = stage.call_in(1, Origin::TrustedPeer, "900000001", "+12025550177");
    let caller = stage.last_leg();
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    assert_eq!(stage.count_events("meeting.ended"), 1);
    assert_eq!(stage.count_events("person.left"), 3);
    assert_eq!(stage.state_of("c1"), Some((CallState::Ended, Some(Cause::MeetingEnded))));
    assert!(stage.hung_up.is_empty());
    for leg in [uma, caller] {
        assert_eq!(stage.heard(leg), "meeting_ended goodbye");
        assert_eq!(stage.plan(leg), LegPlan::default());
        stage.keys(leg, "*9*9");
    }
    stage.spoken(uma);
    assert_eq!(stage.hung_up, [called]);
    stage.pass(at_ms(9_000));
    assert_eq!(stage.hung_up, [called, calling], "whatever became of the words");
    stage.assert_nothing_left();
}

#[test]
fn i74_somebody_removed_is_told_and_may_hang_up_first() {
    let mut stage = stage();
    let session = stage.call_in(1, Origin::TrustedPeer, "900000001", "+12025550177");
    let leg = stage.last_leg();
    let person = stage.focus.leg_person(leg).unwrap().1.clone();
    stage.ok(Command::Remove { meeting: meeting_id(), person });
    assert_eq!(stage.heard(leg), "removed goodbye");
    assert_eq!(stage.count_events("person.removed"), 1);
    stage.over(session, EndCause::RemoteBye);
    assert!(stage.hung_up.is_empty());
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    stage.assert_nothing_left();
}

#[test]
fn a_stop_of_the_service_waits_for_no_words() {
    let mut stage = stage();
    let session = stage.call_in(1, Origin::TrustedPeer, "900000001", "+12025550177");
    stage.ok(Command::Shutdown);
    assert_eq!(stage.hung_up, [session]);
    stage.assert_nothing_left();
}

#[test]
fn a_phone_that_rings_or_stands_at_the_gate_is_not_talked_to_at_the_end() {
    let mut stage = stage();
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let gate = stage.last_session();
    stage.pick_up(gate);
    stage.dial(to_device("c2", "uma", "103a")).unwrap();
    let ringing = stage.last_session();
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    assert_eq!(stage.hung_up, [gate, ringing]);
    stage.assert_nothing_left();
}

#[test]
fn the_end_of_earlier_words_told_late_does_not_cut_the_last_words_short() {
    let mut stage = stage();
    let session = stage.call_in(1, Origin::TrustedPeer, "900000001", "+12025550177");
    let leg = stage.last_leg();
    stage.keys(leg, "*6");
    assert_eq!(stage.heard(leg), "muted");
    let earlier = stage.playing[&leg];
    let person = stage.focus.leg_person(leg).unwrap().1.clone();
    stage.ok(Command::Remove { meeting: meeting_id(), person });
    assert_eq!(stage.heard(leg), "removed goodbye");
    // The worker had ended the word before the order for the next ones reached it.
    stage.media(Event::PlayingDone { leg, playing: earlier });
    assert!(stage.hung_up.is_empty(), "they are still being said");
    stage.spoken(leg);
    assert_eq!(stage.hung_up, [session]);
}
