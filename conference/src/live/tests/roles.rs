//! Roles, access and muting, as the mixer gets to see them.

use super::harness::*;
use crate::live::focus::{Command, MutedBy, RefusalKind};
use crate::live::policy::{Action, may};
use crate::vocabulary::{Access, MeetingKind, Role};
use media::worker::Event as MediaEvent;

#[test]
fn i70_the_role_table() {
    use Action::{
        Camera, ChatToAll, ChatToHosts, HearAndSee, Invite, Moderate, SeePeople, ShareScreen, Speak,
    };
    let all = [HearAndSee, Speak, Camera, ShareScreen, ChatToAll, ChatToHosts, SeePeople, Invite, Moderate];
    let allowed = |kind, role, access| -> Vec<_> {
        all.into_iter().filter(|action| may(*action, kind, role, access)).collect()
    };
    let talk = [HearAndSee, Speak, Camera, ShareScreen, ChatToAll, ChatToHosts, SeePeople];
    for kind in [MeetingKind::Conference, MeetingKind::Presentation] {
        assert_eq!(allowed(kind, Role::Host, Access::Collaborate), all);
        assert_eq!(allowed(kind, Role::Presenter, Access::Collaborate), talk);
        for role in [Role::Presenter, Role::Attendee] {
            assert_eq!(allowed(kind, role, Access::ViewOnly), [HearAndSee, SeePeople]);
        }
    }
    assert_eq!(allowed(MeetingKind::Conference, Role::Attendee, Access::Collaborate), talk);
    let quiet = [HearAndSee, ChatToHosts, SeePeople];
    assert_eq!(allowed(MeetingKind::Presentation, Role::Attendee, Access::Collaborate), quiet);
}

#[test]
fn i71_a_role_change_reaches_the_mixer_at_once() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    let leg = stage.join("ari", Role::Attendee);
    assert!(!stage.plan(leg).send_audio && stage.plan(leg).receive_audio);
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-ari".into(), role: Role::Presenter });
    assert!(stage.plan(leg).send_audio && stage.plan(leg).send_video);
    assert_eq!(stage.last_event("person.role_changed")["person"]["role"], "presenter");
}

#[test]
fn b47_b48_view_only_is_silent_until_reversed() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let mut ari = person("ari", Role::Presenter);
    ari.access = Access::ViewOnly;
    let command = Command::JoinWebrtc { meeting: meeting_id(), person: ari };
    let crate::live::focus::Reply::Leg(leg) = stage.ok(command) else { panic!("no leg") };
    assert!(!stage.plan(leg).send_audio && !stage.plan(leg).send_video && stage.plan(leg).receive_video);
    let access = |access| Command::SetAccess { meeting: meeting_id(), person: "p-ari".into(), access };
    stage.ok(access(Access::Collaborate));
    assert!(stage.plan(leg).send_audio);
    stage.ok(access(Access::ViewOnly));
    assert!(!stage.plan(leg).send_audio);
    assert_eq!(stage.count_events("person.access_changed"), 2);
}

#[test]
fn b45_access_is_collaborate_unless_said() {
    assert_eq!(Access::default(), Access::Collaborate);
}

#[test]
fn i78_a_host_cannot_become_view_only_nor_a_view_only_person_host() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let access =
        Command::SetAccess { meeting: meeting_id(), person: "p-hana".into(), access: Access::ViewOnly };
    assert_eq!(stage.command(access).unwrap_err().kind, RefusalKind::Invalid);
    let mut ari = person("ari", Role::Attendee);
    ari.access = Access::ViewOnly;
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: ari });
    let role = Command::SetRole { meeting: meeting_id(), person: "p-ari".into(), role: Role::Host };
    assert_eq!(stage.command(role).unwrap_err().field, Some("role"));
}

#[test]
fn i72_the_last_host_is_not_lost_by_change_or_removal() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.join("pia", Role::Presenter);
    let demote = || Command::SetRole { meeting: meeting_id(), person: "p-hana".into(), role: Role::Attendee };
    assert!(stage.command(demote()).unwrap_err().mend.contains("Host first"));
    let remove = Command::Remove { meeting: meeting_id(), person: "p-hana".into() };
    assert_eq!(stage.command(remove).unwrap_err().kind, RefusalKind::Conflict);
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-pia".into(), role: Role::Host });
    stage.ok(demote());
}

#[test]
fn i75_muted_by_host_and_by_oneself_are_two_flags() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let leg = stage.join("ari", Role::Attendee);
    let mute = |by, muted| Command::SetMuted { meeting: meeting_id(), person: "p-ari".into(), by, muted };
    stage.ok(mute(MutedBy::Oneself, true));
    stage.ok(mute(MutedBy::Host, true));
    assert!(!stage.plan(leg).send_audio);
    stage.ok(mute(MutedBy::Host, false));
    assert!(!stage.plan(leg).send_audio, "a Host's unmuting does not open a microphone its owner closed");
    stage.ok(mute(MutedBy::Oneself, false));
    assert!(stage.plan(leg).send_audio);
    assert_eq!(stage.count_events("person.muted"), 4);
    stage.ok(mute(MutedBy::Oneself, false));
    assert_eq!(stage.count_events("person.muted"), 4, "no news, no event");
}

#[test]
fn d49_the_active_speaker_is_told_by_person() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let leg = stage.join("ari", Role::Attendee);
    let room = media::worker::RoomId(1);
    stage.media(MediaEvent::Levels { leg, dbov: 30 });
    stage.media(MediaEvent::ActiveSpeaker { room, leg: Some(leg) });
    assert_eq!(stage.last_event("person.speaking")["person"], "p-ari");
    assert_eq!(stage.last_event("person.speaking")["level"], 30);
    stage.media(MediaEvent::Levels { leg, dbov: 20 });
    assert_eq!(stage.last_event("person.speaking")["level"], 20);
    stage.media(MediaEvent::Levels { leg, dbov: 21 });
    assert_eq!(stage.count_events("person.speaking"), 2, "small changes are no news");
    assert_eq!(stage.focus.snapshot(&meeting_id()).unwrap().active_speaker, Some("p-ari".into()));
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-ari".into() });
    assert!(stage.last_event("person.speaking")["person"].is_null());
}

#[test]
fn d62_video_slots_are_told_by_person_and_kept_for_late_joiners() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let ari = stage.join("ari", Role::Attendee);
    let hana = media::worker::LegId(1);
    stage.media(MediaEvent::VideoSlots { leg: ari, slots: vec![Some(hana), None] });
    let event = stage.last_event("media.slots");
    assert_eq!((&event["person"], &event["slots"][0]), (&"p-ari".into(), &"p-hana".into()));
    assert!(event["slots"][1].is_null());
    let snapshot = stage.focus.snapshot(&meeting_id()).unwrap();
    assert_eq!(snapshot.slots[&"p-ari".into()], [Some("p-hana".into()), None]);
}
