//! Dial-outs from CALL to the end, with a scripted far end.

use super::harness::*;
use crate::live::call::{DialTarget, GATE, PROMPT_PAUSE};
use crate::live::event::Record;
use crate::live::focus::{Command, FocusConfig, FocusLimits, RefusalKind, Reply};
use crate::vocabulary::{Access, CallState, Cause, MeetingKind, Role};
use bytes::Bytes;
use media::prompt::PromptId;
use media::worker::LegPlan;
use sip_core::ua::{CallerIdentity, EndCause, Event as SipEvent, Target, TrunkId};
use std::time::Duration;

const NUMBER: &str = "+12025550177";

fn hosted() -> Stage {
    Stage::hosted(MeetingKind::Conference)
}

/// A number that has been dialled and has picked up: at the gate.
fn at_gate() -> Stage {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    stage.pick_up(session);
    stage
}

#[test]
fn a58_d35_a_registered_device_answers_and_is_in_the_meeting() {
    let mut stage = hosted();
    assert_eq!(stage.dial(to_device("c1", "uma", "103a")), Ok(Reply::Done));
    let session = stage.last_session();
    stage.ring(session);
    assert_eq!(stage.state("c1").0, CallState::Ringing);
    let leg = stage.leg_of_call("c1");
    assert_eq!(stage.plan(leg), LegPlan::default());
    stage.pick_up(session);
    assert_eq!(stage.states("c1"), ["queued", "dialling", "ringing", "answered", "joined"]);
    let plan = stage.plan(leg);
    assert!(plan.send_audio && plan.receive_audio && !plan.send_video);
    stage.over(session, EndCause::RemoteBye);
    assert_eq!(stage.state("c1"), (CallState::Ended, Some(Cause::HungUp)));
    assert_eq!(stage.last_event("person.left")["person"]["display_name"], "uma");
}

#[test]
fn a47_d31_one_invite_to_the_device_chosen() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103b")).unwrap();
    assert_eq!(stage.invites.len(), 1);
    assert_eq!(stage.invites[0].target, Target::Device(aor("103b")));
}

#[test]
fn d32_a_number_goes_to_its_trunk_in_e164() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    assert_eq!(stage.invites[0].target, Target::Trunk { trunk: TrunkId(1), number: NUMBER.into() });
    assert_eq!(stage.invites[0].call_id, "c1@acme.test");
}

#[test]
fn a49_a_device_that_is_not_registered_says_so() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103b")).unwrap();
    stage.over(stage.last_session(), EndCause::NotRegistered);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::NotRegistered)));
    assert_eq!(stage.last_event("call.failed")["words"], "The device is not registered");
    assert!(stage.open_ports.is_empty());
}

#[test]
fn a55_a57_d33_caller_id_is_the_acting_hosts_to_numbers_and_devices() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    stage.dial(to_device("c2", "uma", "103a")).unwrap();
    for invite in &stage.invites {
        assert_eq!(invite.caller, hanas_caller_id());
    }
}

#[test]
fn a56_a_second_host_calls_with_their_own_number() {
    let mut stage = hosted();
    stage.join("pia", Role::Host);
    let caller = CallerIdentity { number: "+12025550101".into(), display_name: "Pia".into(), hidden: false };
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.acting_host = "u-pia".into();
    spec.caller = caller.clone();
    stage.dial(spec).unwrap();
    assert_eq!(stage.invites[0].caller, caller);
}

#[test]
fn a60_no_caller_id_no_call() {
    let mut stage = hosted();
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.caller.number.clear();
    let refusal = stage.dial(spec).unwrap_err();
    assert_eq!((refusal.cause, refusal.field), (Some(Cause::NoCallerId), Some("caller_id")));
    assert!(refusal.mend.contains("Profile Settings"));
    assert!(stage.invites.is_empty());
    assert_eq!(stage.last_event("call.refused")["cause"], "no_caller_id");
}

#[test]
fn i40_an_emergency_number_never_leaves_even_if_the_services_let_it_through() {
    let mut stage = hosted();
    for number in ["911", "+1911", "+112", "9911", "112"] {
        let refusal = stage.dial(to_number("c1", "tom", number)).unwrap_err();
        assert_eq!(refusal.cause, Some(Cause::Emergency), "{number}");
        assert!(refusal.mend.contains("phone"));
    }
    assert!(stage.invites.is_empty());
    assert!(stage.dial(to_number("c1", "tom", "5550177")).is_err(), "only E.164 leaves");
}

#[test]
fn i46_nobody_dials_before_a_host_is_in() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.join("pia", Role::Presenter);
    let refusal = stage.dial(to_number("c1", "tom", NUMBER)).unwrap_err();
    assert_eq!((refusal.kind, refusal.cause), (RefusalKind::Conflict, Some(Cause::NoHost)));
    assert!(stage.invites.is_empty());
}

#[test]
fn i70_an_attendee_in_the_meeting_may_not_call_even_beside_a_host() {
    let mut stage = hosted();
    stage.join("ari", Role::Attendee);
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.acting_host = "u-ari".into();
    assert_eq!(stage.dial(spec).unwrap_err().kind, RefusalKind::Forbidden);
}

#[test]
fn i36_whoever_is_in_or_being_called_is_not_rung_twice() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let again = stage.dial(to_device("c2", "uma", "103b")).unwrap_err();
    assert_eq!(again.cause, Some(Cause::AlreadyIn));
    assert!(again.detail.contains("being called"));
    stage.pick_up(stage.last_session());
    let again = stage.dial(to_device("c3", "uma", "103b")).unwrap_err();
    assert!(again.detail.contains("already in"));
    stage.dial(to_number("c4", "tom", NUMBER)).unwrap();
    let again = stage.dial(to_number("c5", "other", NUMBER)).unwrap_err();
    assert_eq!(again.cause, Some(Cause::AlreadyIn));
    assert_eq!(stage.invites.len(), 2);
}

#[test]
fn d39_the_same_call_twice_is_one_invite() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    assert_eq!(stage.dial(to_number("c1", "tom", NUMBER)), Ok(Reply::Done));
    stage.refuse(stage.last_session(), 486);
    assert_eq!(stage.dial(to_number("c1", "tom", NUMBER)), Ok(Reply::Done));
    assert_eq!(stage.invites.len(), 1);
}

#[test]
fn d21_i50_a_one_told_by_info_lets_a_number_in() {
    let mut stage = at_gate();
    let session = stage.last_session();
    stage.sip(SipEvent::Dtmf { session, digit: '1', duration: None });
    assert_eq!(stage.state("c1").0, CallState::Joined);
}

#[test]
fn i50_pressing_one_lets_a_number_in() {
    let mut stage = at_gate();
    assert_eq!(stage.states("c1"), ["queued", "dialling", "ringing", "answered", "confirming"]);
    let leg = stage.leg_of_call("c1");
    let greeting = "\"Hana invites you to Budget.\" press_one_to_join press_nine_no_calls";
    assert_eq!(stage.heard(leg), greeting);
    stage.press(leg, '5');
    stage.press(leg, '#');
    assert_eq!(stage.state("c1").0, CallState::Confirming, "wrong keys are ignored");
    stage.press(leg, '1');
    assert_eq!(stage.state("c1").0, CallState::Joined);
    assert!(stage.media.iter().any(|line| line.contains("StopPlaying")));
    assert!(stage.plan(leg).send_audio);
    stage.pass(GATE * 2);
    assert_eq!(stage.state("c1").0, CallState::Joined, "the gate's time is forgotten");
    stage.press(leg, '1');
    assert_eq!(stage.count_events("call.joined"), 1);
}

#[test]
fn i13_whoever_is_dialled_out_to_is_never_asked_for_meeting_id_or_pin() {
    let mut stage = super::dial_in::with_pins(FocusConfig { last_words: false, ..FocusConfig::default() });
    stage.set(|settings| settings.join_needs_passcode = true);
    stage.join("hana", Role::Host);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    assert_eq!(stage.state("c1").0, CallState::Joined, "a device is in by picking up");
    stage.dial(to_number("c2", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    stage.press(stage.leg_of_call("c2"), '1');
    assert_eq!(stage.state("c2").0, CallState::Joined, "a number by one key");
    let asked: Vec<_> = stage.said.iter().flat_map(|(_, words)| words.split(' ')).collect();
    for prompt in [PromptId::EnterMeeting, PromptId::EnterPin, PromptId::NoSuchMeeting, PromptId::WrongPin] {
        assert!(!asked.contains(&prompt.name()), "{} was said: {asked:?}", prompt.name());
    }
}

#[test]
fn i50_voicemail_never_presses_and_is_not_confirmed() {
    let mut stage = at_gate();
    let session = stage.last_session();
    stage.pass(GATE - at_ms(1));
    assert_eq!(stage.state("c1").0, CallState::Confirming);
    stage.pass(at_ms(1));
    let leg = stage.leg_of_call("c1");
    assert_eq!(stage.heard(leg), "heard_nothing goodbye");
    assert!(stage.hung_up.is_empty(), "not in the middle of a word");
    stage.spoken(leg);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::NotConfirmed)));
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.last_event("call.failed")["words"], "Did not press 1");
    assert_eq!(stage.count_events("person.joined"), 1, "only Hana was ever in");
    assert!(stage.open_ports.is_empty());
}

#[test]
fn i50_hanging_up_at_the_gate_is_not_confirmed_either() {
    let mut stage = at_gate();
    stage.over(stage.last_session(), EndCause::RemoteBye);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::NotConfirmed)));
}

#[test]
fn i50_the_prompt_is_spoken_again_after_a_pause() {
    let mut stage = at_gate();
    let leg = stage.leg_of_call("c1");
    let prompts =
        |stage: &Stage| stage.said.iter().filter(|(_, words)| words.contains("press_one_to_join")).count();
    assert_eq!(prompts(&stage), 1);
    stage.spoken(leg);
    assert_eq!(prompts(&stage), 1);
    stage.pass(PROMPT_PAUSE);
    assert_eq!(prompts(&stage), 2);
    stage.press(leg, '1');
    stage.spoken(leg);
    stage.pass(PROMPT_PAUSE * 2);
    assert_eq!(prompts(&stage), 2, "nobody is prompted inside the meeting");
}

#[test]
fn i51_at_the_gate_nothing_goes_either_way() {
    let mut stage = at_gate();
    let leg = stage.leg_of_call("c1");
    assert_eq!(stage.plan(leg), LegPlan::default());
    // Not even a change of role opens the gate.
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-tom".into(), role: Role::Presenter });
    stage.ok(Command::PutMeeting(spec(MeetingKind::Presentation)));
    assert_eq!(stage.plan(leg), LegPlan::default());
    assert!(!stage.media.iter().any(|line| line.contains("SetPlan") && line.contains(&format!("{leg:?}"))));
}

#[test]
fn a59_the_role_is_in_force_before_the_first_packet() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    stage.dial(to_number("c1", "ari", NUMBER)).unwrap();
    stage.pick_up(stage.last_session());
    let leg = stage.leg_of_call("c1");
    stage.press(leg, '1');
    let plan = stage.plan(leg);
    assert!(plan.receive_audio && !plan.send_audio);
    let planned = stage.media.iter().position(|line| line.contains("SetPlan") && line.contains("LegId(2)"));
    assert!(planned.is_some());
    assert!(!stage.media.iter().any(|line| line.contains("LegId(2)") && line.contains("send_audio: true")));
}

#[test]
fn a59_a_role_changed_while_ringing_counts() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.ring(stage.last_session());
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-uma".into(), role: Role::Attendee });
    stage.pick_up(stage.last_session());
    assert!(!stage.plan(stage.leg_of_call("c1")).send_audio);
}

#[test]
fn i78_host_and_view_only_is_refused() {
    let mut stage = hosted();
    let mut spec = to_device("c1", "uma", "103a");
    spec.person.role = Role::Host;
    spec.person.access = Access::ViewOnly;
    let refusal = stage.dial(spec).unwrap_err();
    assert_eq!((refusal.kind, refusal.field), (RefusalKind::Invalid, Some("access")));
}

#[test]
fn d36_final_answers_become_causes() {
    let table = [
        (486, Cause::Busy),
        (600, Cause::Busy),
        (603, Cause::Declined),
        (607, Cause::Declined),
        (480, Cause::NoAnswer),
        (404, Cause::NotWorkingNumber),
        (484, Cause::NotWorkingNumber),
        (604, Cause::NotWorkingNumber),
        (403, Cause::DestinationDenied),
        (503, Cause::TrunkDown),
        (500, Cause::TrunkDown),
        (302, Cause::DestinationDenied),
    ];
    for (status, cause) in table {
        let mut stage = hosted();
        stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
        stage.refuse(stage.last_session(), status);
        assert_eq!(stage.state("c1"), (CallState::Failed, Some(cause)), "{status}");
        assert_eq!(stage.last_event("call.failed")["sip_code"], status);
        assert!(stage.open_ports.is_empty() && stage.worker_legs.len() == 1);
    }
}

#[test]
fn d36_no_reply_at_all_is_carrier_trouble() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    stage.over(stage.last_session(), EndCause::NoResponse);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::TrunkDown)));
}

#[test]
fn i53_cancel_while_ringing() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    stage.end_call("c1").unwrap();
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.state("c1"), (CallState::Cancelled, Some(Cause::Cancelled)));
    stage.over(session, EndCause::LocalHangUp);
    assert_eq!(stage.states("c1"), ["queued", "dialling", "ringing", "cancelled"]);
    assert_eq!(stage.end_call("c1").unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn i53_hang_up_after_joining() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    stage.end_call("c1").unwrap();
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.state("c1"), (CallState::Ended, Some(Cause::HungUp)));
}

#[test]
fn i54_it_rings_for_45_seconds_and_no_longer() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.pass(at_ms(500));
    stage.ring(session);
    stage.pass(Duration::from_secs(45) - at_ms(501));
    assert_eq!(stage.state("c1").0, CallState::Ringing);
    stage.pass(at_ms(1));
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::NoAnswer)));
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.last_event("call.failed")["words"], "No answer");
    assert!(stage.last_event("call.failed")["sip_code"].is_null(), "no SIP answer led to it");
}

#[test]
fn i55_call_again_keeps_the_role_and_nothing_happens_by_itself() {
    let mut stage = hosted();
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.person.role = Role::Presenter;
    stage.dial(spec.clone()).unwrap();
    stage.refuse(stage.last_session(), 486);
    stage.pass(Duration::from_secs(600));
    assert_eq!(stage.invites.len(), 1);
    spec.call = "c2".into();
    stage.dial(spec).unwrap();
    assert_eq!(stage.invites.len(), 2);
    assert_eq!(stage.last_event("call.dialling")["role"], "presenter");
}

#[test]
fn d17_the_next_trunk_on_trouble_and_never_after_an_answer() {
    let two = |call: &str| {
        let mut spec = to_number(call, "tom", NUMBER);
        spec.target = DialTarget::Number { e164: NUMBER.into(), trunks: vec![TrunkId(1), TrunkId(2)] };
        spec
    };
    let mut stage = hosted();
    stage.dial(two("c1")).unwrap();
    stage.refuse(stage.last_session(), 503);
    assert_eq!(stage.invites.len(), 2);
    assert_eq!(stage.invites[1].target, Target::Trunk { trunk: TrunkId(2), number: NUMBER.into() });
    assert_eq!(stage.invites[1].call_id, "c1.1@acme.test");
    assert_eq!(stage.state("c1").0, CallState::Dialling);
    stage.refuse(stage.last_session(), 503);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::TrunkDown)));
    assert_eq!(stage.invites.len(), 2);

    stage.dial(two("c2")).unwrap();
    stage.refuse(stage.last_session(), 486);
    stage.dial(two("c3")).unwrap();
    stage.ring(stage.last_session());
    stage.refuse(stage.last_session(), 503);
    assert_eq!(stage.invites.len(), 4, "no second INVITE after an answer or after ringing");
}

#[test]
fn d20_an_answer_without_a_common_codec_fails_the_call() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.answered_with(session, g729());
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::MediaFailed)));
    assert_eq!(stage.hung_up, [session]);
}

#[test]
fn d35_a_description_in_183_serves_for_an_empty_200() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    let (_, early) = media::sdp::answer(&far_end(), &stage.invites[0].offer).unwrap();
    stage.sip(SipEvent::Provisional { session, status: 183, body: Some(early.into()) });
    assert_eq!(stage.state("c1").0, CallState::Ringing);
    stage.answered_with(session, Bytes::new());
    assert_eq!(stage.state("c1").0, CallState::Joined);
}

#[test]
fn no_port_fails_the_call_and_leaves_nothing() {
    let mut stage = hosted();
    stage.no_ports = true;
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::Internal)));
    assert!(stage.invites.is_empty() && stage.open_ports.is_empty());
}

#[test]
fn d30_d37_fifty_targets_at_once_each_with_its_own_result() {
    let config = FocusConfig {
        limits: FocusLimits { dialling_per_meeting: 8, ..FocusLimits::default() },
        ..FocusConfig::default()
    };
    let mut stage = Stage::with_config(MeetingKind::Conference, config);
    stage.join("hana", Role::Host);
    for index in 0..50 {
        let mut spec =
            to_number(&format!("c{index}"), &format!("n{index}"), &format!("+120255501{index:02}"));
        spec.press_one = false;
        stage.dial(spec).unwrap();
    }
    assert_eq!(stage.invites.len(), 8, "the pace is kept");
    let mut answered = 0;
    while answered < stage.invites.len() {
        let session = stage.invites[answered].session;
        stage.pick_up(session);
        answered += 1;
    }
    assert_eq!(answered, 50);
    for index in 0..50 {
        assert_eq!(stage.state(&format!("c{index}")).0, CallState::Joined);
    }
}

#[test]
fn d37_a_waiting_call_is_not_started_by_the_end_of_the_meeting() {
    let config = FocusConfig {
        limits: FocusLimits { dialling_per_meeting: 1, ..FocusLimits::default() },
        ..FocusConfig::default()
    };
    let mut stage = Stage::with_config(MeetingKind::Conference, config);
    stage.join("hana", Role::Host);
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    stage.dial(to_device("c2", "uma", "103a")).unwrap();
    assert_eq!((stage.state("c1").0, stage.state("c2").0), (CallState::Dialling, CallState::Queued));
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    assert_eq!(stage.states("c2"), ["queued", "cancelled"]);
    assert_eq!(stage.log.iter().filter(|line| line.contains("OpenPort")).count(), 1);
    stage.assert_nothing_left();
}

#[test]
fn d38_an_answer_that_crosses_the_cancel_leaves_no_ghost() {
    let mut stage = hosted();
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    stage.end_call("c1").unwrap();
    stage.pick_up(session);
    assert_eq!(stage.hung_up, [session, session], "the late answer is hung up again");
    assert_eq!(stage.count_events("person.joined"), 1);
    assert_eq!(stage.state("c1").0, CallState::Cancelled);
    assert_eq!(stage.worker_legs.len(), 1);
}

#[test]
fn d38_cancel_before_the_port_is_there() {
    let mut stage = hosted();
    stage.hold_ports = true;
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    assert_eq!(stage.state("c1").0, CallState::Queued);
    let leg = stage.waiting_ports[0];
    stage.end_call("c1").unwrap();
    stage.port(leg, Ok(far_end().address));
    assert!(stage.invites.is_empty() && stage.worker_legs.len() == 1 && stage.open_ports.is_empty());
}

#[test]
fn records_tell_the_story_of_a_call_in_order() {
    let mut stage = at_gate();
    let leg = stage.leg_of_call("c1");
    stage.press(leg, '1');
    stage.over(stage.last_session(), EndCause::RemoteBye);
    let states: Vec<_> = stage
        .records
        .iter()
        .filter_map(|record| match record {
            Record::CallState { state, sip_call_id, .. } => Some((state.as_str(), sip_call_id.as_str())),
            _ => None,
        })
        .collect();
    let names: Vec<_> = states.iter().map(|(state, _)| *state).collect();
    assert_eq!(names, ["queued", "dialling", "ringing", "answered", "confirming", "joined", "ended"]);
    assert!(states.iter().all(|(_, id)| *id == "c1@acme.test"));
}

#[test]
fn same_seed_same_log() {
    let run = || {
        let mut stage = at_gate();
        let leg = stage.leg_of_call("c1");
        stage.press(leg, '1');
        stage.dial(to_device("c2", "uma", "103a")).unwrap();
        stage.refuse(stage.last_session(), 486);
        stage.call_in(1, sip_core::ua::Origin::TrustedPeer, "900000001", "sipp");
        stage.pass(Duration::from_secs(60));
        stage.ok(Command::EndMeeting { meeting: meeting_id() });
        stage.log.join("\n")
    };
    assert_eq!(run(), run());
}

#[test]
fn nothing_crosses_from_one_tenant_to_another() {
    let mut stage = hosted();
    stage.ok(Command::PutDevice {
        aor: aor("200a"),
        user: "u-zed".into(),
        tenant: "zeta".into(),
        display_name: "Zed".into(),
        role_hint: None,
    });
    stage.ok(Command::PutTrunk { trunk: TrunkId(1), tenant: "zeta".into() });
    assert_eq!(stage.dial(to_device("c1", "zed", "200a")).unwrap_err().cause, Some(Cause::NoDevice));
    assert_eq!(stage.dial(to_number("c2", "tom", NUMBER)).unwrap_err().cause, Some(Cause::TrunkDown));
    let mut foreign = to_device("c3", "uma", "103a");
    foreign.tenant = "zeta".into();
    assert_eq!(stage.dial(foreign).unwrap_err().kind, RefusalKind::NotFound);
    assert!(stage.invites.is_empty());
    let session = stage.call_in(1, sip_core::ua::Origin::Trunk(TrunkId(1)), "900000001", "+12025550177");
    assert_eq!(stage.rejected, [(session, 404)]);
}
