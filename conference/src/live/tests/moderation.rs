//! Muting, letting speak, and who runs the meeting.

use super::harness::*;
use crate::live::event::Record;
use crate::live::focus::{Command, MutedBy, PersonSpec};
use crate::live::settings::Senders;
use crate::vocabulary::{Access, MeetingKind, MeetingState, Role, UnixMillis};
use sip_core::ua::{Origin, TrunkId};

fn mute(person: &str, by: MutedBy, muted: bool) -> Command {
    Command::SetMuted { meeting: meeting_id(), person: person.into(), by, muted }
}

#[test]
fn i75_a_hosts_unmuting_is_a_request_by_browser_and_direct_by_phone() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let browser = stage.join("ari", Role::Attendee);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    let phone = stage.last_leg();
    for person in ["p-ari", "p-uma"] {
        stage.ok(mute(person, MutedBy::Host, true));
        stage.ok(mute(person, MutedBy::Host, false));
    }
    assert!(stage.plan(phone).send_audio, "a phone is heard at once");
    assert!(!stage.plan(browser).send_audio, "a browser is asked");
    assert_eq!(stage.last_event("person.unmute_requested")["person"]["id"], "p-ari");
    assert_eq!(stage.count_events("person.unmute_requested"), 1);
    stage.ok(mute("p-ari", MutedBy::Oneself, false));
    assert!(stage.plan(browser).send_audio);
    stage.ok(mute("p-uma", MutedBy::Oneself, true));
    stage.ok(mute("p-uma", MutedBy::Host, true));
    stage.ok(mute("p-uma", MutedBy::Host, false));
    assert!(!stage.plan(phone).send_audio, "what its owner has muted, a Host does not open");
    assert_eq!(stage.last_event("person.unmute_requested")["person"]["id"], "p-uma");
}

#[test]
fn i75_mute_all_binds_phones_like_browsers_and_spares_hosts() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let host = stage.last_leg();
    let browser = stage.join("ari", Role::Presenter);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    let called = stage.last_leg();
    stage.call_in(1, Origin::Trunk(TrunkId(1)), "900000001", "+12025550177");
    let caller = stage.last_leg();
    stage.ok(Command::MuteAll { meeting: meeting_id(), muted: true });
    for leg in [browser, called, caller] {
        assert!(!stage.plan(leg).send_audio && stage.plan(leg).receive_audio, "{leg:?}");
    }
    assert!(stage.plan(host).send_audio);
    let events = stage.count_events("person.muted");
    stage.ok(Command::MuteAll { meeting: meeting_id(), muted: true });
    assert_eq!((events, stage.count_events("person.muted")), (3, 3), "no news, no event");
    stage.ok(Command::MuteAll { meeting: meeting_id(), muted: false });
    assert!(
        stage.plan(called).send_audio && stage.plan(caller).send_audio && !stage.plan(browser).send_audio
    );
}

#[test]
fn i06_mute_on_entry_mutes_everybody_but_hosts_until_they_unmute_themselves() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.set(|settings| settings.mute_on_entry = true);
    let host = stage.join("hana", Role::Host);
    let ari = stage.join("ari", Role::Attendee);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    stage.pick_up(stage.last_session());
    let phone = stage.last_leg();
    assert!(stage.plan(host).send_audio);
    assert!(!stage.plan(ari).send_audio && !stage.plan(phone).send_audio);
    assert!(stage.row("p-ari").muted_by_self && !stage.row("p-ari").muted_by_host);
    stage.ok(mute("p-ari", MutedBy::Oneself, false));
    assert!(stage.plan(ari).send_audio);
}

#[test]
fn i03_who_may_send_changes_live() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let pia = stage.join("pia", Role::Presenter);
    let ari = stage.join("ari", Role::Attendee);
    stage.set(|settings| settings.send_audio = Senders::Presenters);
    assert!(stage.plan(pia).send_audio && !stage.plan(ari).send_audio && stage.plan(ari).send_video);
    stage.set(|settings| {
        settings.send_audio = Senders::Host;
        settings.send_video = Senders::Host;
    });
    for leg in [pia, ari] {
        assert!(!stage.plan(leg).send_audio && !stage.plan(leg).send_video && stage.plan(leg).receive_video);
    }
    stage.set(|settings| (settings.send_audio, settings.send_video) = (Senders::Everyone, Senders::Everyone));
    assert!(stage.plan(ari).send_audio && stage.plan(ari).send_video);
}

#[test]
fn i70_an_attendee_of_a_presentation_speaks_while_a_host_lets_them() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    let ari = stage.join("ari", Role::Attendee);
    let speaking =
        |may_speak| Command::SetSpeaking { meeting: meeting_id(), person: "p-ari".into(), may_speak };
    stage.ok(speaking(true));
    assert!(stage.plan(ari).send_audio && !stage.plan(ari).send_video);
    assert!(stage.row("p-ari").may_speak);
    let access = |access| Command::SetAccess { meeting: meeting_id(), person: "p-ari".into(), access };
    stage.ok(access(Access::ViewOnly));
    assert!(!stage.plan(ari).send_audio, "VIEW ONLY wins");
    stage.ok(access(Access::Collaborate));
    stage.ok(speaking(false));
    assert!(!stage.plan(ari).send_audio);
}

fn invited(name: &str, role: Role, at: u64) -> PersonSpec {
    PersonSpec { invited_as: Some(Role::Host), invited_at: UnixMillis(at), ..person(name, role) }
}

#[test]
fn i72_the_oldest_invited_host_takes_over_by_leaving_by_change_and_by_removal() {
    let leave = Command::Leave { meeting: meeting_id(), person: "p-hana".into() };
    let demote = Command::SetRole { meeting: meeting_id(), person: "p-hana".into(), role: Role::Attendee };
    let remove = Command::Remove { meeting: meeting_id(), person: "p-hana".into() };
    for command in [leave, demote, remove] {
        let mut stage = Stage::hosted(MeetingKind::Conference);
        for person in [invited("pia", Role::Presenter, 20), invited("ari", Role::Attendee, 10)] {
            stage.join_as(person);
        }
        stage.ok(Command::PutPerson { meeting: meeting_id(), person: invited("uma", Role::Host, 1) });
        stage.ok(command.clone());
        assert_eq!(stage.row("p-ari").role, Role::Host, "{command:?}");
        assert_eq!(stage.row("p-pia").role, Role::Presenter);
        assert_eq!(stage.last_event("person.role_changed")["person"]["id"], "p-ari");
        let written = stage.records.iter().any(
            |record| matches!(record, Record::RoleChanged { person, role: Role::Host, .. } if person.as_str() == "p-ari"),
        );
        assert!(written, "the database learns of it");
        stage.pass(std::time::Duration::from_secs(3600));
        let meeting = stage.focus.snapshot(&meeting_id()).unwrap().meeting;
        assert_eq!(meeting.state, MeetingState::Active, "no grace time runs");
    }
}

#[test]
fn i72_nobody_takes_over_who_was_not_invited_as_host_or_is_view_only() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.join("ari", Role::Attendee);
    let watcher = PersonSpec { access: Access::ViewOnly, ..invited("pia", Role::Presenter, 1) };
    stage.join_as(watcher);
    let demote = Command::SetRole { meeting: meeting_id(), person: "p-hana".into(), role: Role::Attendee };
    assert!(stage.command(demote).unwrap_err().mend.contains("Host first"));
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    assert_eq!(stage.count_events("person.role_changed"), 0);
}

#[test]
fn i76_the_latest_invitation_counts_for_who_is_in() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    let ari = stage.join("ari", Role::Attendee);
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("ari", Role::Presenter) });
    assert!(stage.plan(ari).send_audio);
    let watching = PersonSpec { access: Access::ViewOnly, ..person("ari", Role::Presenter) };
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: watching });
    assert!(!stage.plan(ari).send_audio);
}

#[test]
fn i71_a_change_reaches_the_mixer_before_anything_else_happens() {
    let mut stage = Stage::hosted(MeetingKind::Presentation);
    let leg = stage.join("ari", Role::Attendee);
    let before = stage.log.len();
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-ari".into(), role: Role::Presenter });
    let first = &stage.log[before];
    assert!(first.contains("SetPlan") && first.contains(&format!("{leg:?}")), "{first}");
}
