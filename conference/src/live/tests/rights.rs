use super::*;

const KINDS: [MeetingKind; 2] = [MeetingKind::Conference, MeetingKind::Presentation];
const ROLES: [Role; 3] = [Role::Host, Role::Presenter, Role::Attendee];
const SENDERS: [Senders; 3] = [Senders::Everyone, Senders::Presenters, Senders::Host];

fn rank(role: Role) -> Rank {
    Rank { role, ..Rank::default() }
}

/// Each of the six settings against each role in each type of meeting.
#[test]
fn i02_i03_who_may_send_audio_and_video() {
    for kind in KINDS {
        for senders in SENDERS {
            let audio = Rules { send_audio: senders, ..Rules::of(kind) };
            let video = Rules { send_video: senders, ..Rules::of(kind) };
            for role in ROLES {
                let expected = match (role, senders, kind) {
                    (Role::Host, _, _) => true,
                    (Role::Presenter, senders, _) => senders != Senders::Host,
                    (Role::Attendee, Senders::Everyone, kind) => kind == MeetingKind::Conference,
                    (Role::Attendee, _, _) => false,
                };
                let place = format!("{role:?} {senders:?} {kind:?}");
                assert_eq!(may(Action::Speak, &audio, &rank(role)), expected, "audio {place}");
                assert_eq!(may(Action::Camera, &video, &rank(role)), expected, "video {place}");
                let usual = role != Role::Attendee || kind == MeetingKind::Conference;
                assert_eq!(
                    may(Action::Camera, &audio, &rank(role)),
                    usual,
                    "the other is not touched: {place}"
                );
                assert_eq!(
                    may(Action::Speak, &video, &rank(role)),
                    usual,
                    "the other is not touched: {place}"
                );
            }
        }
    }
}

#[test]
fn i70_an_attendee_of_a_presentation_may_be_let_speak_but_not_a_view_only_one() {
    let rules = Rules::of(MeetingKind::Presentation);
    let mut ari = Rank { may_speak: true, ..rank(Role::Attendee) };
    assert!(may(Action::Speak, &rules, &ari) && !may(Action::Camera, &rules, &ari));
    ari.access = Access::ViewOnly;
    assert!(!may(Action::Speak, &rules, &ari));
}

#[test]
fn i06_a_hidden_list_is_seen_by_hosts_and_presenters_alone() {
    let rules = Rules { hide_attendee_list: true, ..Rules::default() };
    assert!(may(Action::SeePeople, &rules, &rank(Role::Host)));
    assert!(may(Action::SeePeople, &rules, &rank(Role::Presenter)));
    assert!(!may(Action::SeePeople, &rules, &rank(Role::Attendee)));
    let viewer = Rank { access: Access::ViewOnly, ..rank(Role::Presenter) };
    assert!(!may(Action::SeePeople, &rules, &viewer));
    assert!(may(Action::SeePeople, &Rules::default(), &viewer));
}

#[test]
fn i73_outsiders_become_host_only_as_the_setting_allows() {
    assert!(check_outside_host(HostRule::Allow, false).is_ok());
    assert!(check_outside_host(HostRule::Ask, true).is_ok());
    let asked = check_outside_host(HostRule::Ask, false).unwrap_err();
    assert_eq!((asked.kind, asked.field), (RefusalKind::Conflict, Some("confirm")));
    assert_eq!(check_outside_host(HostRule::Deny, true).unwrap_err().kind, RefusalKind::Forbidden);
}
