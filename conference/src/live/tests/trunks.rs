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
