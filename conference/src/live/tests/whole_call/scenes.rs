//! The scenes: each plays a whole call.

use super::far::Manner;
use super::world::World;
use crate::live::focus::Command;
use crate::live::tests::harness::{meeting_id, to_device, to_number};
use crate::vocabulary::{MeetingKind, Role};
use std::time::Duration;

const NUMBER: &str = "+12025550177";
/// A tone that is there, and one that is not, in dB of full scale.
const HEARD: f64 = -30.0;
const SILENT: f64 = -55.0;
const PRESSES: Manner = Manner::Presses(Duration::from_secs(1));

fn quiet_network(kind: MeetingKind, callee: Manner) -> World {
    World::new(kind, callee, 1, 0)
}

fn phone_is_in(world: &mut World) {
    world.dial(to_device("c1", "uma", "103a"));
    world.run_until("call.joined", Duration::from_secs(5));
}

fn end_and_check_nothing_is_left(world: &mut World) {
    world.ok(Command::EndMeeting { meeting: meeting_id() });
    world.run(Duration::from_secs(60));
    assert!(world.gateway.is_idle(), "{:?} {:?}", world.gateway.focus.counts(), world.gateway.ua.counts());
    assert!(world.far.values().all(super::far::FarEnd::is_idle));
}

#[test]
fn a58_i50_a_desk_phone_and_a_number_hear_each_other_and_not_themselves() {
    let mut world = quiet_network(MeetingKind::Conference, PRESSES);
    phone_is_in(&mut world);
    world.dial(to_number("c2", "tom", NUMBER));
    world.run(Duration::from_secs(6));
    assert_eq!(world.states("c2"), ["queued", "dialling", "ringing", "answered", "confirming", "joined"]);
    let (phone, callee) = (world.phone(), 400);
    assert!(phone.level(620, callee) > HEARD, "the phone hears the number: {}", phone.level(620, callee));
    assert!(phone.level(440, 400) < SILENT, "and not itself: {}", phone.level(440, 400));
    let callee = world.callee();
    assert!(callee.level(440, 400) > HEARD, "the number hears the phone: {}", callee.level(440, 400));
    assert!(callee.level(620, 400) < SILENT, "and not itself: {}", callee.level(620, 400));
    end_and_check_nothing_is_left(&mut world);
}

#[test]
fn a55_a57_phone_and_carrier_show_the_acting_hosts_number() {
    let mut world = quiet_network(MeetingKind::Conference, PRESSES);
    phone_is_in(&mut world);
    world.dial(to_number("c2", "tom", NUMBER));
    world.run(Duration::from_secs(2));
    let hana = ("+12025550100".to_owned(), "Hana".to_owned());
    assert_eq!(world.phone().shown, std::slice::from_ref(&hana));
    assert_eq!(world.callee().shown, [hana]);
    let invites =
        world.log.iter().filter(|line| line.contains("INVITE sip:") && line.contains("192.0.2.1:5060 >"));
    for invite in invites {
        assert!(invite.contains("P-Asserted-Identity: \\\"Hana\\\" <sip:+12025550100@"), "{invite}");
    }
}

#[test]
fn i50_i51_voicemail_is_never_heard_and_not_confirmed() {
    let mut world = quiet_network(MeetingKind::Conference, Manner::Answers);
    phone_is_in(&mut world);
    world.dial(to_number("c2", "tom", NUMBER));
    world.run(Duration::from_secs(40));
    assert_eq!(world.states("c2"), ["queued", "dialling", "ringing", "answered", "confirming", "failed"]);
    assert_eq!(world.cause("c2"), "not_confirmed");
    let heard = world.phone().heard.clone();
    for window in heard.chunks(8 * 400) {
        assert!(media::tone::level_at(window, 620, 8000) < SILENT, "the voicemail was heard in the meeting");
    }
    assert_eq!(world.callee().ended, ["RemoteBye"]);
    // Over the whole time, so that the prompt's own voice does not count.
    let level = world.callee().level(440, 28_000);
    assert!(level < SILENT, "the voicemail heard the meeting: {level}");
    end_and_check_nothing_is_left(&mut world);
}

#[test]
fn a59_i71_not_one_sample_of_an_attendee_until_made_presenter() {
    let mut world = quiet_network(MeetingKind::Presentation, PRESSES);
    phone_is_in(&mut world);
    world.dial(to_number("c2", "ari", NUMBER));
    world.run(Duration::from_secs(6));
    let heard = world.phone().heard.clone();
    for window in heard.chunks(8 * 400) {
        assert!(media::tone::level_at(window, 620, 8000) < SILENT, "an attendee was heard");
    }
    assert!(world.callee().level(440, 400) > HEARD, "the attendee hears the presenter");
    world.ok(Command::SetRole { meeting: meeting_id(), person: "p-ari".into(), role: Role::Presenter });
    world.run_ms(100);
    let level = world.phone().level(620, 40);
    assert!(level > HEARD, "heard within 100 ms of the change: {level}");
}

#[test]
fn d36_refusals_and_no_answer_leave_nothing_behind() {
    for (status, cause) in [
        (486, "busy"),
        (603, "declined"),
        (404, "not_working_number"),
        (480, "no_answer"),
        (503, "trunk_down"),
    ] {
        let mut world = quiet_network(MeetingKind::Conference, Manner::Refuses(status));
        world.dial(to_number("c1", "tom", NUMBER));
        world.run_until("call.failed", Duration::from_secs(5));
        assert_eq!(world.cause("c1"), cause, "{status}");
        end_and_check_nothing_is_left(&mut world);
    }
}

#[test]
fn i54_no_answer_for_45_seconds_is_cancelled() {
    let mut world = quiet_network(MeetingKind::Conference, Manner::Rings);
    world.dial(to_number("c1", "tom", NUMBER));
    world.run(Duration::from_secs(46));
    assert_eq!((world.states("c1").pop(), world.cause("c1").as_str()), (Some("failed"), "no_answer"));
    assert_eq!(world.callee().ended, ["RemoteCancel"]);
    end_and_check_nothing_is_left(&mut world);
}

#[test]
fn i53_d38_cancel_at_any_moment_leaves_no_ghost() {
    // From before the INVITE arrives until well after the answer, in steps that straddle every crossing.
    for moment in (0..420).step_by(6) {
        let mut world = quiet_network(MeetingKind::Conference, Manner::Answers);
        world.dial(to_device("c1", "uma", "103a"));
        world.run_ms(moment);
        world.ok(Command::EndCall { call: "c1".into() });
        end_and_check_nothing_is_left(&mut world);
        let last = world.states("c1").pop().unwrap_or_default().to_owned();
        assert!(last == "cancelled" || last == "ended", "{moment} ms: {last}");
    }
}

#[test]
fn i09_the_end_of_the_meeting_cancels_what_rings() {
    let mut world = quiet_network(MeetingKind::Conference, Manner::Rings);
    phone_is_in(&mut world);
    world.dial(to_number("c2", "tom", NUMBER));
    world.run_ms(500);
    end_and_check_nothing_is_left(&mut world);
    assert_eq!(world.phone().ended, ["RemoteBye"]);
    assert_eq!(world.callee().ended, ["RemoteCancel"]);
}

#[test]
fn a_far_end_that_hangs_up_has_left() {
    let mut world = quiet_network(MeetingKind::Conference, PRESSES);
    phone_is_in(&mut world);
    let now = world.now;
    world.phone().hang_up(now);
    world.run_ms(100);
    assert_eq!((world.states("c1").pop(), world.cause("c1").as_str()), (Some("ended"), "hung_up"));
}

/// One in three datagrams is lost, both ways.
fn lossy_run(seed: u8) -> World {
    let mut world = World::new(MeetingKind::Conference, PRESSES, seed, 3);
    world.dial(to_device("c1", "uma", "103a"));
    world.dial(to_number("c2", "tom", NUMBER));
    world.run(Duration::from_secs(25));
    world
}

#[test]
fn whole_call_sets_up_with_one_in_three_datagrams_lost() {
    for seed in 0..8 {
        let mut world = lossy_run(seed);
        assert_eq!(world.states("c1").pop(), Some("joined"), "seed {seed}: {}", world.cause("c1"));
        assert_eq!(world.states("c2").pop(), Some("joined"), "seed {seed}: {}", world.cause("c2"));
        assert!(world.phone().level(620, 400) > HEARD);
        end_and_check_nothing_is_left(&mut world);
    }
}

#[test]
fn whole_call_same_seed_same_log() {
    let (one, other) = (lossy_run(9).whole_log(), lossy_run(9).whole_log());
    assert!(one.len() > 10_000);
    assert!(one == other, "the logs differ");
    assert!(one != lossy_run(10).whole_log(), "another seed loses other datagrams");
}
