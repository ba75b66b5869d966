//! What trunks do to calls, and what is told of them.

use super::harness::{Stage, to_number};
use crate::live::call::{DialTarget, TRUNK_PATIENCE};
use crate::live::event::Record;
use crate::live::focus::Command;
use crate::vocabulary::{CallState, Cause, MeetingKind, UnixMillis};
use sip_core::ua::{EndCause, Event, TrunkId};
use std::time::Duration;

const NUMBER: &str = "+12025550177";

#[test]
fn d18_a_full_trunk_is_left_for_the_next_one_and_the_last_one_says_so() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.target = DialTarget::Number { e164: NUMBER.into(), trunks: vec![TrunkId(1), TrunkId(2)] };
    stage.dial(spec).unwrap();
    stage.over(stage.last_session(), EndCause::TrunkBusy);
    assert_eq!(stage.invites.len(), 2);
    stage.over(stage.last_session(), EndCause::TrunkBusy);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::TrunkBusy)));
    let call = stage.last_event("call.failed");
    assert_eq!(
        (call["cause"].as_str(), call["words"].as_str()),
        (Some("trunk_busy"), Some("All lines are in use"))
    );
}

#[test]
fn f9_only_a_call_with_another_trunk_to_try_is_impatient() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let mut spec = to_number("c1", "tom", NUMBER);
    spec.target = DialTarget::Number { e164: NUMBER.into(), trunks: vec![TrunkId(1), TrunkId(2)] };
    stage.dial(spec).unwrap();
    stage.over(stage.last_session(), EndCause::NoResponse);
    let patience: Vec<_> = stage.invites.iter().map(|invite| invite.patience).collect();
    assert_eq!(patience, [Some(TRUNK_PATIENCE), None]);
    assert!(TRUNK_PATIENCE < Duration::from_secs(4));
}

#[test]
fn f8_the_tenant_hears_of_its_trunks_and_nobody_of_unknown_ones() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.ok(Command::PutTrunk { trunk: TrunkId(1), tenant: "acme".into() });
    stage.sip(Event::TrunkDown { trunk: TrunkId(1), status: Some(503) });
    stage.sip(Event::TrunkUp { trunk: TrunkId(1) });
    stage.sip(Event::TrunkUp { trunk: TrunkId(9) });
    let told: Vec<_> = stage.events.iter().filter(|event| event.kind.starts_with("trunk.")).collect();
    let kinds: Vec<_> =
        told.iter().map(|event| (event.kind, event.tenant.as_str(), event.meeting.is_none())).collect();
    assert_eq!(kinds, [("trunk.down", "acme", true), ("trunk.up", "acme", true)]);
    assert_eq!((told[0].data["trunk"].as_u64(), told[0].data["sip_code"].as_u64()), (Some(1), Some(503)));
}

#[test]
fn s4_a_ban_is_written_down_with_its_end_on_the_wall_clock() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let (address, until) = ("192.0.2.66".parse().unwrap(), stage.now + Duration::from_secs(900));
    let end = UnixMillis(stage.wall().0 + 900_000);
    stage.sip(Event::Banned { address, until });
    let banned = stage.records.iter().any(
        |record| matches!(record, Record::Banned { address: found, until, .. } if *found == address && *until == end),
    );
    assert!(banned, "{:?}", stage.records);
}

/// The lines of F9 that end within one call: what a second trunk hears, and how the call stands.
#[test]
fn f9_every_answer_of_a_trunk_has_its_end_and_nobody_is_rung_twice() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let mut run = |call: &str, early: Option<u16>, end: EndCause| {
        let mut spec = to_number(call, call, &format!("+120255501{}", &call[1..]));
        let DialTarget::Number { trunks, .. } = &mut spec.target else { panic!("a number") };
        *trunks = vec![TrunkId(1), TrunkId(2)];
        let before = stage.invites.len();
        stage.dial(spec).unwrap();
        if let Some(status) = early {
            stage.sip(Event::Provisional { session: stage.last_session(), status, body: None });
        }
        stage.over(stage.last_session(), end);
        let asked = stage.invites.len() - before;
        if asked == 2 {
            stage.end_call(call).unwrap();
        }
        (asked, stage.state(call).1)
    };
    let refused = |status| EndCause::Refused { status, reason: String::new() };
    for (call, early, end, asked, cause) in [
        ("c10", None, refused(503), 2, Cause::Cancelled),
        ("c11", None, refused(408), 2, Cause::Cancelled),
        ("c12", None, EndCause::NoResponse, 2, Cause::Cancelled),
        ("c13", None, refused(500), 2, Cause::Cancelled),
        ("c14", Some(180), refused(408), 1, Cause::NoAnswer),
        ("c15", Some(183), refused(503), 1, Cause::TrunkDown),
        ("c16", None, refused(404), 1, Cause::NotWorkingNumber),
        ("c17", None, refused(484), 1, Cause::NotWorkingNumber),
        ("c18", None, refused(486), 1, Cause::Busy),
        ("c19", None, refused(600), 1, Cause::Busy),
        ("c20", None, refused(603), 1, Cause::Declined),
        ("c21", None, refused(407), 1, Cause::DestinationDenied),
        ("c22", None, refused(302), 1, Cause::DestinationDenied),
        ("c23", None, refused(488), 1, Cause::MediaFailed),
    ] {
        assert_eq!(run(call, early, end), (asked, Some(cause)), "{call}");
    }
    stage.ok(Command::EndMeeting { meeting: super::harness::meeting_id() });
    stage.assert_nothing_left();
}

#[test]
fn f9_answers_without_description_with_another_codec_or_sendonly() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    // No description at all: no sound could flow.
    stage.dial(to_number("c1", "one", NUMBER)).unwrap();
    stage.answered_with(stage.last_session(), bytes::Bytes::new());
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::MediaFailed)));
    assert_eq!(stage.hung_up.len(), 1);
    // The second of the codecs offered will do, and one that only sends is answered like a held phone.
    for (call, number, change) in [
        ("c2", "+12025550178", ("RTP/AVP 0", "RTP/AVP 8")),
        ("c3", "+12025550179", ("a=sendrecv", "a=sendonly")),
    ] {
        stage.dial(to_number(call, call, number)).unwrap();
        let offer = stage.invites.last().unwrap().offer.clone();
        let (_, answer) = media::sdp::answer(&super::harness::far_end(), &offer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let changed = answer.replace(change.0, change.1);
        assert_ne!(answer, changed, "{answer}");
        stage.answered_with(stage.last_session(), changed.into());
        assert_eq!(stage.state(call).0, CallState::Confirming, "{call}");
    }
}
