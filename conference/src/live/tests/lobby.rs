//! The door and the lobby: waiting, being let in, locks, bounds.

use super::harness::*;
use crate::live::focus::{Command, FocusConfig, PersonSpec, RefusalKind};
use crate::vocabulary::{Cause, MeetingKind, MeetingState, Role};
use media::worker::{LegId, LegPlan};
use sip_core::ua::{EndCause, Origin, TrunkId};
use std::time::Duration;

const TRUNK: Origin = Origin::Trunk(TrunkId(1));

fn is_silent(stage: &Stage, leg: LegId) -> bool {
    stage.plan(leg) == LegPlan::default()
}

fn hears_music(stage: &Stage, leg: LegId) -> bool {
    // First a word, then the music.
    ["wait_for_host", "wait_in_lobby", "hold_music"].contains(&stage.heard(leg))
}

fn let_in(person: &str) -> Command {
    Command::LetIn { meeting: meeting_id(), person: Some(person.into()) }
}

#[test]
fn i07_before_a_host_comes_browser_and_phone_wait_with_music_and_hear_nobody() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.set(|settings| settings.host_required = true);
    let browser = stage.join("ari", Role::Attendee);
    stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let phone = stage.last_leg();
    for leg in [browser, phone] {
        assert!(is_silent(&stage, leg) && hears_music(&stage, leg), "{leg:?}");
    }
    assert!(stage.row("p-ari").waiting && !stage.row("p-ari").present);
    assert_eq!(stage.count_events("person.waiting"), 2);
    assert_eq!((stage.count_events("person.joined"), stage.count_events("meeting.started")), (0, 0));
    stage.join("hana", Role::Host);
    for leg in [browser, phone] {
        assert!(stage.plan(leg).send_audio && stage.plan(leg).receive_audio, "{leg:?}");
        assert!(!hears_music(&stage, leg), "the music ends: {leg:?}");
    }
    assert!(!stage.row("p-ari").waiting && stage.row("p-ari").present);
    assert_eq!((stage.count_events("person.joined"), stage.count_events("meeting.active")), (3, 1));
}

#[test]
fn i06_host_required_lets_people_go_on_when_the_host_has_left_and_stops_new_ones() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.host_required = true);
    let ari = stage.join("ari", Role::Attendee);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    assert!(stage.plan(ari).send_audio);
    let pia = stage.join("pia", Role::Presenter);
    assert!(is_silent(&stage, pia));
    stage.set(|settings| settings.host_required = false);
    assert!(stage.plan(pia).send_audio, "the setting opens the door at once");
}

#[test]
fn i06_the_lobby_holds_everybody_but_hosts_until_they_are_let_in_or_sent_away() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.lobby = true);
    let ari = stage.join("ari", Role::Attendee);
    let pia = stage.join("pia", Role::Presenter);
    let session = stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let phone = stage.last_leg();
    assert!([ari, pia, phone].into_iter().all(|leg| is_silent(&stage, leg)));
    let uma = stage.join("uma", Role::Host);
    assert!(stage.plan(uma).send_audio, "a Host need not wait");
    stage.ok(let_in("p-ari"));
    assert!(stage.plan(ari).send_audio && is_silent(&stage, pia));
    let waiting = stage.last_event("person.waiting")["person"]["id"].as_str().unwrap().to_owned();
    stage.ok(Command::SendAway { meeting: meeting_id(), person: waiting.as_str().into() });
    assert_eq!(stage.hung_up, [session]);
    stage.ok(Command::LetIn { meeting: meeting_id(), person: None });
    assert!(stage.plan(pia).send_audio);
    assert_eq!(stage.command(let_in("p-pia")).unwrap_err().kind, RefusalKind::Conflict);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-ari".into() });
    let again = stage.join("ari", Role::Attendee);
    assert!(stage.plan(again).send_audio, "once let in is enough for this run");
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    stage.join("hana", Role::Host);
    let next_week = stage.join("ari", Role::Attendee);
    assert!(is_silent(&stage, next_week), "the next run begins anew");
}

#[test]
fn i08_a_lock_stops_phone_and_browser_but_not_who_is_in_nor_a_hosts_own_call() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let ari = stage.join("ari", Role::Attendee);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let ringing = stage.last_session();
    stage.ring(ringing);
    stage.set(|settings| settings.locked = true);
    assert_eq!(stage.count_events("meeting.locked"), 1);
    assert!(stage.plan(ari).send_audio);
    let refusal =
        stage.command(Command::JoinWebrtc { meeting: meeting_id(), person: person("pia", Role::Presenter) });
    assert_eq!(refusal.unwrap_err().cause, Some(Cause::MeetingLocked));
    let stranger = stage.call_in(1, TRUNK, "900000001", "+12025550199");
    assert_eq!(stage.rejected, [(stranger, 480)]);
    stage.pick_up(ringing);
    let leg = stage.leg_of_call("c1");
    stage.press(leg, '1');
    assert!(stage.plan(leg).send_audio, "the call was the Host's own");
    stage.dial(to_device("c2", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    assert!(stage.row("p-uma").present);
    let host = stage.join("pia", Role::Host);
    assert!(stage.plan(host).send_audio, "Hosts come in");
    stage.set(|settings| settings.locked = false);
    assert_eq!(stage.count_events("meeting.unlocked"), 1);
    stage.join("zoe", Role::Attendee);
}

#[test]
fn i08_a_caller_answered_before_the_lock_and_proved_after_it_stays_out() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let session = stage.invite_in(1, TRUNK, "900000001", "+12025550177");
    let leg = stage.last_leg();
    stage.set(|settings| settings.locked = true);
    stage.sip(sip_core::ua::Event::Established { session });
    assert!(stage.hung_up.contains(&session));
    assert!(is_silent(&stage, leg));
    stage.over(session, EndCause::LocalHangUp);
    assert_eq!(stage.worker_legs.len(), 1);
}

#[test]
fn i08_the_lock_ends_with_the_meeting() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.locked = true);
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    stage.join("ari", Role::Attendee);
    assert_eq!(stage.focus.snapshot(&meeting_id()).unwrap().meeting.state, MeetingState::Started);
}

#[test]
fn i06_max_participants_counts_everybody_who_is_in_and_everybody_being_called() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.max_participants = Some(2));
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let refusal = stage.dial(to_number("c2", "kim", "+12025550178")).unwrap_err();
    assert!(refusal.detail.contains("full"), "{refusal}");
    stage.end_call("c1").unwrap();
    let ari = stage.join("ari", Role::Attendee);
    let full = Command::JoinWebrtc { meeting: meeting_id(), person: person("pia", Role::Presenter) };
    assert!(stage.command(full.clone()).unwrap_err().mend.contains("max_participants"));
    let session = stage.call_in(1, TRUNK, "900000001", "+12025550199");
    assert_eq!(stage.rejected, [(session, 480)]);
    stage.media(media::worker::Event::WebrtcClosed { leg: ari });
    stage.ok(full);
}

#[test]
fn i06_join_needs_invitation_keeps_guests_and_callers_out() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.join_needs_invitation = true);
    let join = |person| Command::JoinWebrtc { meeting: meeting_id(), person };
    let guest = outsider("gus", Role::Attendee);
    assert_eq!(stage.command(join(guest.clone())).unwrap_err().kind, RefusalKind::Forbidden);
    let session = stage.call_in(1, TRUNK, "900000001", "+12025550199");
    assert_eq!(stage.rejected, [(session, 403)]);
    stage.ok(join(PersonSpec { invited_as: Some(Role::Attendee), ..guest }));
}

#[test]
fn a_closed_meeting_takes_nobody_and_calls_nobody() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let mut closed = stage.spec.clone();
    closed.closed = true;
    stage.ok(Command::PutMeeting(closed));
    stage.assert_nothing_left();
    let refusal =
        stage.command(Command::JoinWebrtc { meeting: meeting_id(), person: person("hana", Role::Host) });
    assert_eq!(refusal.unwrap_err().cause, Some(Cause::MeetingEnded));
    let session = stage.call_in(1, TRUNK, "900000001", "+12025550199");
    assert_eq!(stage.rejected, [(session, 480)]);
}

#[test]
fn i09_nobody_waits_in_the_lobby_for_ever_nor_beyond_the_end() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.set(|settings| settings.host_required = true);
    let session = stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let most = FocusConfig::default().lobby_timeout;
    stage.pass(most - at_ms(1));
    assert!(stage.hung_up.is_empty());
    stage.pass(at_ms(1));
    assert_eq!(stage.hung_up, [session]);
    stage.over(session, EndCause::LocalHangUp);
    assert!(stage.focus.snapshot(&meeting_id()).unwrap().people.is_empty(), "a walk-in leaves no row");
    stage.call_in(2, TRUNK, "900000001", "+12025550177");
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    stage.assert_nothing_left();
}

#[test]
fn i09_the_meetings_own_grace_times_count() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| {
        settings.empty_grace_seconds = Some(3);
        settings.no_host_grace_seconds = Some(7);
    });
    let state = |stage: &Stage| stage.focus.snapshot(&meeting_id()).unwrap().meeting.state;
    stage.join("ari", Role::Attendee);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(Duration::from_millis(6_999));
    assert_eq!(state(&stage), MeetingState::Active);
    stage.pass(at_ms(1));
    assert_eq!(state(&stage), MeetingState::Ended);
    stage.join("hana", Role::Host);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(Duration::from_millis(2_999));
    assert_eq!(state(&stage), MeetingState::Active);
    stage.pass(at_ms(1));
    assert_eq!(state(&stage), MeetingState::Ended);
}

#[test]
fn i59_i06_a_phone_is_hung_up_after_the_longest_call_time_and_a_browser_is_not() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.max_call_minutes = Some(2));
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    let incoming = stage.call_in(1, TRUNK, "900000001", "+12025550199");
    stage.pass(Duration::from_millis(119_999));
    assert!(stage.hung_up.is_empty());
    stage.pass(at_ms(1));
    assert_eq!(stage.hung_up.len(), 2);
    assert!(stage.hung_up.contains(&incoming));
    assert!(stage.row("p-hana").present);
}

#[test]
fn i74_a_removed_caller_is_refused_by_number_in_the_next_run_too() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let id = stage.last_event("person.joined")["person"]["id"].as_str().unwrap().to_owned();
    stage.ok(Command::Remove { meeting: meeting_id(), person: id.as_str().into() });
    let again = stage.call_in(2, TRUNK, "900000001", "+12025550177");
    assert_eq!(stage.rejected, [(again, 403)]);
    stage.call_in(3, TRUNK, "900000001", "+12025550178");
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    let later = stage.call_in(4, TRUNK, "900000001", "+12025550177");
    assert_eq!(stage.rejected.last(), Some(&(later, 403)));
}

#[test]
fn i74_a_removed_person_is_not_called_until_invited_again_and_stays_out_over_a_restart() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let uma = || person("uma", Role::Presenter);
    stage.join("uma", Role::Presenter);
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-uma".into() });
    assert_eq!(stage.dial(to_device("c1", "uma", "103a")).unwrap_err().kind, RefusalKind::Forbidden);
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: uma() });
    stage.dial(to_device("c2", "uma", "103a")).unwrap();
    // After a restart the store tells who was removed.
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let removed = PersonSpec { removed: true, ..uma() };
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: removed });
    assert_eq!(stage.focus.snapshot(&meeting_id()).unwrap().people.len(), 1);
    let join = Command::JoinWebrtc { meeting: meeting_id(), person: uma() };
    assert!(stage.command(join).unwrap_err().mend.contains("invite you again"));
    assert_eq!(stage.count_events("person.added"), 0);
}

#[test]
fn i77_a36_whoever_comes_without_an_invitation_has_the_default_role_and_waits_like_others() {
    let mut stage = Stage::empty(MeetingKind::Presentation);
    stage.set(|settings| settings.host_required = true);
    stage.call_in(1, TRUNK, "900000001", "+12025550177");
    let waiting = stage.last_event("person.waiting");
    assert_eq!(
        (&waiting["person"]["role"], &waiting["person"]["leg_kind"]),
        (&"attendee".into(), &"sip".into())
    );
    stage.join("hana", Role::Host);
    let phone = *stage
        .plans
        .keys()
        .find(|leg| stage.plan(**leg).receive_audio && !stage.plan(**leg).send_audio)
        .unwrap();
    assert!(!stage.plan(phone).send_audio, "an Attendee of a presentation only listens");
}
