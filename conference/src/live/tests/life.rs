//! The life of a meeting.

use super::harness::*;
use crate::live::focus::{Command, FocusConfig, RefusalKind};
use crate::vocabulary::{CallState, Cause, MeetingKind, MeetingState, Role};
use sip_core::ua::Origin;
use std::time::Duration;

fn state(stage: &Stage) -> MeetingState {
    stage.focus.snapshot(&meeting_id()).unwrap().meeting.state
}

#[test]
fn i01_scheduled_started_active_ended() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    assert_eq!(state(&stage), MeetingState::Scheduled);
    stage.join("ari", Role::Attendee);
    assert_eq!(state(&stage), MeetingState::Started);
    stage.join("hana", Role::Host);
    assert_eq!(state(&stage), MeetingState::Active);
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    assert_eq!(state(&stage), MeetingState::Ended);
    stage.assert_nothing_left();
    stage.join("ari", Role::Attendee);
    assert_eq!(state(&stage), MeetingState::Started, "a room is used again");
    let kinds: Vec<_> =
        stage.events.iter().map(|event| event.kind).filter(|kind| kind.starts_with("meeting.")).collect();
    assert_eq!(kinds, ["meeting.started", "meeting.active", "meeting.ended", "meeting.started"]);
}

#[test]
fn i09_the_end_hangs_up_on_everybody_and_cancels_what_rings() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let joined = stage.last_session();
    stage.pick_up(joined);
    stage.dial(to_number("c2", "tom", "+12025550177")).unwrap();
    let ringing = stage.last_session();
    stage.ring(ringing);
    let walk_in = stage.call_in(1, Origin::TrustedPeer, "900000001", "sipp");
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    for session in [joined, ringing, walk_in] {
        assert!(stage.hung_up.contains(&session), "{session:?}");
    }
    assert_eq!(stage.last_event("call.ended")["cause"], "meeting_ended");
    assert_eq!(stage.last_event("call.cancelled")["cause"], "meeting_ended");
    assert_eq!(stage.count_events("person.left"), 3);
    assert_eq!(stage.count_events("meeting.ended"), 1);
    assert_eq!(stage.count_events("meeting.started"), 1, "leaving does not start it again");
    stage.assert_nothing_left();
}

#[test]
fn i09_an_empty_meeting_ends_and_nothing_rings_on() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    stage.ring(stage.last_session());
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    let grace = FocusConfig::default().empty_grace;
    stage.pass(grace - at_ms(1));
    assert_eq!(stage.state("c1").0, CallState::Ringing);
    stage.pass(at_ms(1));
    assert_eq!(stage.last_event("call.cancelled")["cause"], "meeting_ended");
    assert_eq!(state(&stage), MeetingState::Ended);
    stage.assert_nothing_left();
}

#[test]
fn an_empty_meeting_goes_on_if_somebody_comes_back_in_time() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(Duration::from_secs(5));
    stage.join("hana", Role::Host);
    stage.pass(Duration::from_secs(3600));
    assert_eq!(state(&stage), MeetingState::Active);
}

#[test]
fn i72_without_a_host_the_meeting_goes_on_for_a_grace_time() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.join("ari", Role::Attendee);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    let grace = FocusConfig::default().no_host_grace;
    stage.pass(grace - at_ms(1));
    assert_eq!(state(&stage), MeetingState::Active);
    stage.pass(at_ms(1));
    assert_eq!(state(&stage), MeetingState::Ended);
    stage.assert_nothing_left();
}

#[test]
fn a_meeting_that_never_had_a_host_goes_on() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.call_in(1, Origin::TrustedPeer, "room1", "sipp");
    stage.pass(Duration::from_secs(7200));
    assert_eq!(state(&stage), MeetingState::Started);
}

#[test]
fn removing_somebody_stops_the_ringing() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-tom".into() });
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.state("c1"), (CallState::Cancelled, Some(Cause::Cancelled)));
}

#[test]
fn a_browser_that_never_connects_is_dropped() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.ok(Command::JoinWebrtc { meeting: meeting_id(), person: person("hana", Role::Host) });
    stage.pass(FocusConfig::default().connect_timeout);
    assert_eq!(stage.count_events("person.left"), 1);
    assert!(stage.worker_legs.is_empty());
}

#[test]
fn a_reloaded_page_takes_the_place_of_the_old_one() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let old = stage.join("hana", Role::Host);
    let new = stage.join("hana", Role::Host);
    assert_eq!(stage.worker_legs.iter().copied().collect::<Vec<_>>(), [new]);
    assert_ne!(old, new);
    assert_eq!((stage.count_events("person.joined"), stage.count_events("person.left")), (1, 0));
    stage.media(media::worker::Event::WebrtcClosed { leg: old });
    assert_eq!(stage.count_events("person.left"), 0);
    stage.media(media::worker::Event::WebrtcClosed { leg: new });
    assert_eq!(stage.count_events("person.left"), 1);
}

#[test]
fn d01_shutdown_hangs_up_everywhere_and_takes_nothing_new() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    stage.ok(Command::Shutdown);
    stage.assert_nothing_left();
    let refusal =
        stage.command(Command::JoinWebrtc { meeting: meeting_id(), person: person("ari", Role::Attendee) });
    assert_eq!(refusal.unwrap_err().kind, RefusalKind::Overload);
    let session = stage.call_in(1, Origin::TrustedPeer, "room1", "sipp");
    assert_eq!(stage.rejected, [(session, 503)]);
}

#[test]
fn addresses_of_two_meetings_cannot_collide() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let mut other = spec(MeetingKind::Conference);
    other.meeting = "m2".into();
    let refusal = stage.command(Command::PutMeeting(other.clone())).unwrap_err();
    assert_eq!(refusal.field, Some("number"));
    other.number = "900000002".into();
    assert_eq!(stage.command(Command::PutMeeting(other.clone())).unwrap_err().field, Some("alias"));
    other.alias = None;
    stage.ok(Command::PutMeeting(other));
    stage.ok(Command::DropMeeting { meeting: meeting_id() });
    assert!(stage.focus.snapshot(&meeting_id()).is_none());
    let gone = stage.call_in(1, Origin::TrustedPeer, "room1", "sipp");
    assert_eq!(stage.rejected, [(gone, 404)]);
}

#[test]
fn unknown_things_are_named() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let nowhere = Command::EndMeeting { meeting: "nowhere".into() };
    assert_eq!(stage.command(nowhere).unwrap_err().field, Some("meeting"));
    let nobody = Command::Leave { meeting: meeting_id(), person: "nobody".into() };
    assert_eq!(stage.command(nobody).unwrap_err().field, Some("person"));
}

#[test]
fn i95_whoever_watches_hears_of_people_added_by_invitation_and_by_call() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("ari", Role::Presenter) });
    assert_eq!(stage.last_event("person.added")["person"]["id"], "p-ari");
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("ari", Role::Attendee) });
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    assert_eq!(stage.last_event("person.added")["person"]["id"], "p-uma");
    let added = stage.count_events("person.added");
    stage.dial(to_number("c2", "uma", "+12025550177")).unwrap_err();
    assert_eq!(stage.count_events("person.added"), added, "known people are not added again");
}

#[test]
fn a02_people_invited_before_and_called_during_the_meeting_are_one_list() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("pia", Role::Presenter) });
    stage.join("hana", Role::Host);
    stage.dial(to_number("c1", "ari", "+12025550199")).unwrap();
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    let names: Vec<_> = people.iter().map(|person| (person.display_name.as_str(), person.present)).collect();
    assert_eq!(names, [("ari", false), ("hana", true), ("pia", false)]);
}

#[test]
fn reloading_the_page_does_not_lose_the_last_host() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.join("ari", Role::Attendee);
    stage.join("hana", Role::Attendee);
    assert_eq!(state(&stage), MeetingState::Active);
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    assert!(people.iter().any(|person| person.id.as_str() == "p-hana" && person.role == Role::Host));
}

#[test]
fn f3_while_draining_running_meetings_go_on_and_no_other_begins() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.ok(Command::Drain);
    stage.join("ari", Role::Attendee);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    stage.assert_nothing_left();
    let join = Command::JoinWebrtc { meeting: meeting_id(), person: person("ari", Role::Attendee) };
    let refused = stage.command(join).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Overload);
}
