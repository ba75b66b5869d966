//! One record per leg, one per time a meeting is held.

use super::harness::*;
use crate::live::event::Record;
use crate::live::focus::{Command, Focus};
use crate::live::leg_record::{CallDirection, InstanceRecord, LegRecord};
use crate::vocabulary::{Cause, LegKind, MeetingKind, Role, UnixMillis};
use media::quality::{LegStats, Mos};
use media::worker::{Event as MediaEvent, LegId};
use sip_core::ua::{EndCause, Origin, TrunkId};
use std::time::Duration;

fn over(stage: &Stage) -> Vec<&LegRecord> {
    let legs = stage.records.iter().filter_map(|record| match record {
        Record::LegOver(leg) => Some(&**leg),
        _ => None,
    });
    legs.collect()
}

fn instances(stage: &Stage) -> Vec<&InstanceRecord> {
    let instances = stage.records.iter().filter_map(|record| match record {
        Record::Instance(instance) => Some(&**instance),
        _ => None,
    });
    instances.collect()
}

fn statistics(leg: LegId, is_final: bool) -> MediaEvent {
    let stats = LegStats {
        received_packets: 500,
        lost_packets: Some(5),
        duplicate_packets: 0,
        late_packets: 0,
        jitter: Duration::from_millis(7),
        playout_delay: Duration::from_millis(40),
        played: Duration::from_millis(9_900),
        concealed: Duration::from_millis(100),
        concealed_seconds: 4,
        severely_concealed_seconds: 1,
        sent_packets: 510,
        remote: None,
        remote_metrics: None,
        round_trip: Some(Duration::from_millis(30)),
        mos_in: Mos(431),
        mos_out: None,
    };
    MediaEvent::Statistics { leg, stats, is_final }
}

#[test]
fn d64_the_record_of_a_dial_out_holds_its_whole_story() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let instance = instances(&stage)[0].id.clone();
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let (leg, session) = (stage.leg_of_call("c1"), stage.last_session());
    stage.pass(Duration::from_secs(1));
    stage.ring(session);
    stage.pass(Duration::from_secs(2));
    stage.pick_up(session);
    stage.pass(Duration::from_secs(3));
    stage.press(leg, '1');
    stage.pass(Duration::from_secs(10));
    stage.media(statistics(leg, false));
    let live = stage.focus.figures(&meeting_id()).unwrap();
    let toms = live.iter().find(|leg| leg.person.as_str() == "p-tom").unwrap();
    assert_eq!((toms.leg_kind, toms.quality.unwrap().mos_in), (LegKind::Sip, 431), "live");
    assert!(live.iter().any(|leg| leg.leg_kind == LegKind::Webrtc && leg.quality.is_none()), "{live:?}");
    stage.over(session, EndCause::RemoteBye);
    assert!(stage.focus.figures(&meeting_id()).unwrap().iter().all(|leg| leg.person.as_str() != "p-tom"));
    assert!(over(&stage).is_empty(), "the mixer has not had its say");
    stage.media(statistics(leg, true));
    let at = |seconds: u64| Some(UnixMillis(WALL + seconds * 1000));
    let record = over(&stage)[0];
    assert_eq!(record.instance.as_deref(), Some(instance.as_str()));
    assert_eq!((record.call.as_ref().unwrap().as_str(), record.person.as_str()), ("c1", "p-tom"));
    assert_eq!(record.acting_host.as_ref().unwrap().as_str(), "u-hana");
    assert_eq!((record.from.as_deref(), record.to.as_deref()), (Some("+12025550100"), Some("+12025550177")));
    assert_eq!((record.trunk, record.sip_call_id.as_deref()), (Some(1), Some("c1@acme.test")));
    assert_eq!(
        (record.kind, record.direction, record.role),
        (LegKind::Sip, CallDirection::Out, Role::Attendee)
    );
    assert_eq!((Some(record.started_at), record.ringing_at, record.answered_at), (at(0), at(1), at(3)));
    assert_eq!((record.joined_at, record.ended_at), (at(6), at(16)));
    assert_eq!(
        (record.cause, record.sip_code, record.codec.as_deref()),
        (Some(Cause::HungUp), Some(200), Some("pcmu"))
    );
    let quality = record.quality.unwrap();
    assert_eq!(
        (quality.lost_packets, quality.loss_ppm, quality.jitter_us, quality.mos_in),
        (Some(5), 10_000, 7_000, 431)
    );
    assert_eq!(
        (quality.concealed_ms, quality.concealed_seconds, quality.severely_concealed_seconds),
        (Some(100), Some(4), Some(1))
    );
    stage.pass(Duration::from_secs(5));
    assert_eq!(over(&stage).len(), 1, "written once");
}

#[test]
fn d64_a_refused_call_and_one_without_sound_have_their_records_too() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550120")).unwrap();
    stage.refuse(stage.last_session(), 486);
    stage.pass(Duration::from_secs(2));
    let record = over(&stage)[0];
    assert_eq!((record.cause, record.sip_code, record.answered_at), (Some(Cause::Busy), Some(486), None));
    assert_eq!(record.quality, None);
}

#[test]
fn d64_browsers_and_callers_have_records() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let session = stage.call_in(1, Origin::Trunk(TrunkId(1)), "900000001", "+12025550177");
    stage.over(session, EndCause::RemoteBye);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(Duration::from_secs(2));
    let records = over(&stage);
    assert_eq!(records.len(), 2);
    let of = |kind| *records.iter().find(|record| record.kind == kind).unwrap();
    let (caller, browser) = (of(LegKind::Sip), of(LegKind::Webrtc));
    assert_eq!((caller.from.as_deref(), caller.to.as_deref()), (Some("+12025550177"), Some("900000001")));
    assert_eq!((caller.direction, caller.trunk, caller.kind), (CallDirection::In, Some(1), LegKind::Sip));
    assert!(caller.sip_call_id.is_some() && caller.joined_at.is_some());
    assert_eq!(
        (browser.kind, browser.person.as_str(), browser.codec.as_deref()),
        (LegKind::Webrtc, "p-hana", Some("opus"))
    );
    assert_eq!(browser.cause, Some(Cause::HungUp));
}

#[test]
fn each_time_a_meeting_is_held_is_counted_with_its_most_people() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.join("ari", Role::Attendee);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-ari".into() });
    stage.join("ari", Role::Attendee);
    stage.pass(Duration::from_secs(60));
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    let first = (*instances(&stage).last().unwrap()).clone();
    assert_eq!((first.peak, first.started_at), (2, UnixMillis(WALL)));
    assert_eq!((first.active_at, first.ended_at), (Some(UnixMillis(WALL)), Some(UnixMillis(WALL + 60_000))));
    stage.join("hana", Role::Host);
    let second = (*instances(&stage).last().unwrap()).clone();
    assert_ne!(second.id, first.id);
    assert_eq!((second.peak, second.ended_at), (1, None));
    let joins: Vec<_> = stage
        .records
        .iter()
        .filter_map(|record| match record {
            Record::PersonJoined { instance, .. } => instance.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(joins, [&first.id, &first.id, &first.id, &second.id].map(Clone::clone));
}

#[test]
fn a_stop_hands_over_what_is_still_held() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.ok(Command::Shutdown);
    let held = |focus: &mut Focus| {
        focus.close_records();
        stage_effects(focus)
    };
    assert_eq!(held(&mut stage.focus), 1);
    assert_eq!(held(&mut stage.focus), 0);
}

/// How many records of legs come out.
fn stage_effects(focus: &mut Focus) -> usize {
    use crate::live::focus::{Effect, Output};
    let mut legs = 0;
    while let Output::Effect(effect) = focus.poll_output() {
        legs += usize::from(matches!(effect, Effect::Record(Record::LegOver(_))));
    }
    legs
}
