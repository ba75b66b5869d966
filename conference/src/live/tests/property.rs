//! Random orders of events: nothing is ever left behind, and nobody is ever heard who has not been let in.

use super::harness::*;
use crate::live::focus::{Command, MutedBy, PersonSpec, PersonView};
use crate::live::settings::{MeetingSettings, Senders};
use crate::vocabulary::{Access, CallState, MeetingKind, Role};
use media::worker::{Event as MediaEvent, LegId, LegPlan};
use proptest::prelude::*;
use sip_core::ua::{EndCause, Event as SipEvent, Origin, SessionId};
use std::collections::BTreeSet;
use std::time::Duration;

const NAMES: [&str; 4] = ["pia", "ari", "uma", "tom"];

/// One thing that may happen. The numbers pick who or what among those there are.
#[derive(Clone, Debug)]
enum Step {
    Join(usize, u8),
    Leave(usize),
    Remove(usize),
    Role(usize, u8),
    Access(usize, bool),
    Mute(usize, bool, bool),
    DialDevice(usize),
    DialNumber(usize),
    EndCall(usize),
    CallIn,
    Provisional(usize),
    Answer(usize, bool),
    Over(usize, u8),
    ReInvite(usize, bool),
    Digit(usize, bool),
    PlayingDone(usize),
    Closed(usize),
    Invite(usize, u8, bool),
    LetIn(usize),
    LetAllIn,
    SendAway(usize),
    MuteAll(bool),
    LetSpeak(usize, bool),
    Settings(u16),
    Established(usize),
    Ports(bool, bool),
    AnswerPort,
    Pass(u16),
    EndMeeting,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    let nth = 0..8_usize;
    prop_oneof![
        (who.clone(), any::<u8>()).prop_map(|(who, role)| Step::Join(who, role)),
        who.clone().prop_map(Step::Leave),
        who.clone().prop_map(Step::Remove),
        (who.clone(), any::<u8>()).prop_map(|(who, role)| Step::Role(who, role)),
        (who.clone(), any::<bool>()).prop_map(|(who, only)| Step::Access(who, only)),
        (who.clone(), any::<bool>(), any::<bool>()).prop_map(|(who, host, on)| Step::Mute(who, host, on)),
        who.clone().prop_map(Step::DialDevice),
        who.prop_map(Step::DialNumber),
        nth.clone().prop_map(Step::EndCall),
        Just(Step::CallIn),
        nth.clone().prop_map(Step::Provisional),
        (nth.clone(), any::<bool>()).prop_map(|(which, good)| Step::Answer(which, good)),
        (nth.clone(), any::<u8>()).prop_map(|(which, cause)| Step::Over(which, cause)),
        (nth.clone(), any::<bool>()).prop_map(|(which, hold)| Step::ReInvite(which, hold)),
        (nth.clone(), any::<bool>()).prop_map(|(which, one)| Step::Digit(which, one)),
        nth.clone().prop_map(Step::PlayingDone),
        nth.clone().prop_map(Step::Closed),
        nth.prop_map(Step::Established),
        moderation(),
        moderation(),
        (any::<bool>(), any::<bool>()).prop_map(|(hold, none)| Step::Ports(hold, none)),
        Just(Step::AnswerPort),
        (0..40_000_u16).prop_map(Step::Pass),
        Just(Step::EndMeeting),
    ]
}

/// What Hosts do to others.
fn moderation() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    prop_oneof![
        (who.clone(), any::<u8>(), any::<bool>()).prop_map(|(who, role, only)| Step::Invite(who, role, only)),
        who.clone().prop_map(Step::LetIn),
        Just(Step::LetAllIn),
        who.clone().prop_map(Step::SendAway),
        any::<bool>().prop_map(Step::MuteAll),
        (who, any::<bool>()).prop_map(|(who, may)| Step::LetSpeak(who, may)),
        any::<u16>().prop_map(Step::Settings),
    ]
}

fn senders(pick: u16) -> Senders {
    [Senders::Everyone, Senders::Presenters, Senders::Host][usize::from(pick % 3)]
}

/// Any settings at all, one bit or two for each.
fn any_settings(bits: u16) -> MeetingSettings {
    let bit = |at: u16| bits >> at & 1 == 1;
    MeetingSettings {
        locked: bit(0),
        lobby: bit(1),
        host_required: bit(2),
        join_needs_invitation: bit(3),
        mute_on_entry: bit(4),
        max_participants: bit(5).then_some(3),
        max_call_minutes: bit(6).then_some(1),
        no_host_grace_seconds: bit(7).then_some(5),
        send_audio: senders(bits >> 8 & 3),
        send_video: senders(bits >> 10 & 3),
        ..MeetingSettings::default()
    }
}

fn role(pick: u8) -> Role {
    [Role::Host, Role::Presenter, Role::Attendee][usize::from(pick % 3)]
}

fn cause(pick: u8) -> EndCause {
    match pick % 7 {
        0 => EndCause::Refused { status: 486, reason: "Busy".into() },
        1 => EndCause::Refused { status: 503, reason: String::new() },
        2 => EndCause::NoResponse,
        3 => EndCause::NotRegistered,
        4 => EndCause::RemoteCancel,
        5 => EndCause::LocalHangUp,
        _ => EndCause::RemoteBye,
    }
}

/// Any session ever used, dead ones included: late events must do no harm.
fn session(stage: &Stage, pick: usize) -> Option<SessionId> {
    let mut all: Vec<_> = stage.invites.iter().map(|invite| invite.session).collect();
    all.extend(stage.sessions.iter());
    all.get(pick % all.len().max(1)).copied()
}

fn leg(pick: usize) -> LegId {
    LegId(pick as u64 + 1)
}

fn do_step(stage: &mut Stage, number: usize, step: &Step) {
    let meeting = meeting_id();
    let person_id = |who: usize| format!("p-{}", NAMES[who]).as_str().into();
    let call = format!("c{number}");
    match *step {
        Step::Join(who, pick) => {
            let person = person(NAMES[who], role(pick));
            let _ = stage.command(Command::JoinWebrtc { meeting, person });
        }
        Step::Leave(who) => drop(stage.command(Command::Leave { meeting, person: person_id(who) })),
        Step::Remove(who) => drop(stage.command(Command::Remove { meeting, person: person_id(who) })),
        Step::Role(who, pick) => {
            drop(stage.command(Command::SetRole { meeting, person: person_id(who), role: role(pick) }));
        }
        Step::Access(who, only) => {
            let access = if only { Access::ViewOnly } else { Access::Collaborate };
            drop(stage.command(Command::SetAccess { meeting, person: person_id(who), access }));
        }
        Step::Mute(who, host, muted) => {
            let by = if host { MutedBy::Host } else { MutedBy::Oneself };
            drop(stage.command(Command::SetMuted { meeting, person: person_id(who), by, muted }));
        }
        Step::DialDevice(who) => drop(stage.dial(to_device(&call, NAMES[who], &format!("{who}a")))),
        Step::DialNumber(who) => drop(stage.dial(to_number(&call, NAMES[who], &format!("+1202555017{who}")))),
        Step::EndCall(back) => drop(stage.end_call(&format!("c{}", number.saturating_sub(back)))),
        Step::CallIn => drop(stage.call_in(number as u64, Origin::TrustedPeer, "room1", "sipp")),
        Step::Provisional(pick) => {
            if let Some(session) = session(stage, pick) {
                stage.ring(session);
            }
        }
        Step::Answer(pick, good) => answer(stage, pick, good),
        Step::Over(pick, pick_cause) => {
            if let Some(session) = session(stage, pick) {
                stage.over(session, cause(pick_cause));
            }
        }
        Step::ReInvite(pick, hold) => {
            if let Some(session) = session(stage, pick) {
                let body = if hold { g729() } else { media::sdp::offer(&far_end()).into() };
                stage.sip(SipEvent::Offer { session, body });
            }
        }
        Step::Digit(pick, one) => stage.press(leg(pick), if one { '1' } else { '7' }),
        Step::PlayingDone(pick) => stage.spoken(leg(pick)),
        Step::Closed(pick) => stage.media(MediaEvent::WebrtcClosed { leg: leg(pick) }),
        Step::Invite(who, pick, only) => {
            let access = if only { Access::ViewOnly } else { Access::Collaborate };
            let role = role(pick);
            let person = PersonSpec { access, invited_as: Some(role), ..person(NAMES[who], role) };
            drop(stage.command(Command::PutPerson { meeting, person }));
        }
        Step::LetIn(who) => drop(stage.command(Command::LetIn { meeting, person: Some(person_id(who)) })),
        Step::LetAllIn => drop(stage.command(Command::LetIn { meeting, person: None })),
        Step::SendAway(who) => drop(stage.command(Command::SendAway { meeting, person: person_id(who) })),
        Step::MuteAll(muted) => drop(stage.command(Command::MuteAll { meeting, muted })),
        Step::LetSpeak(who, may_speak) => {
            drop(stage.command(Command::SetSpeaking { meeting, person: person_id(who), may_speak }));
        }
        Step::Settings(bits) => stage.set(|settings| *settings = any_settings(bits)),
        Step::Established(pick) => {
            if let Some(session) = session(stage, pick) {
                stage.sip(SipEvent::Established { session });
            }
        }
        Step::Ports(hold, none) => (stage.hold_ports, stage.no_ports) = (hold, none),
        Step::AnswerPort => {
            let waiting = stage.waiting_ports.first().copied();
            if let Some(leg) = waiting {
                stage.waiting_ports.remove(0);
                stage.port(leg, Ok(far_end().address));
            }
        }
        Step::Pass(ms) => stage.pass(Duration::from_millis(u64::from(ms))),
        Step::EndMeeting => drop(stage.command(Command::EndMeeting { meeting })),
    }
}

fn answer(stage: &mut Stage, pick: usize, good: bool) {
    let count = stage.invites.len();
    let Some(session) = stage.invites.get(pick % count.max(1)).map(|invite| invite.session) else { return };
    if good { stage.pick_up(session) } else { stage.answered_with(session, g729()) }
}

/// A leg whose call has not joined has no plan but silence.
fn assert_nobody_unadmitted(stage: &Stage) -> Result<(), TestCaseError> {
    let snapshot = stage.focus.snapshot(&meeting_id()).unwrap();
    let present: BTreeSet<_> =
        snapshot.people.iter().filter(|person| person.present).map(|person| person.id.clone()).collect();
    for (leg, plan) in &stage.plans {
        let (_, owner) = stage.focus.leg_person(*leg).expect("a plan for a leg that is gone");
        prop_assert!(*plan == LegPlan::default() || present.contains(owner), "{leg:?} of {owner} is let in");
    }
    for call in snapshot.calls.iter().filter(|call| call.state != CallState::Joined) {
        let by_phone = snapshot.people.iter().any(|person| {
            person.id == call.person
                && person.present
                && person.leg_kind == Some(crate::vocabulary::LegKind::Sip)
        });
        let another_call = snapshot
            .calls
            .iter()
            .any(|other| other.person == call.person && other.state == CallState::Joined);
        prop_assert!(!by_phone || another_call, "{} is in by phone in state {:?}", call.person, call.state);
    }
    Ok(())
}

/// The table once more, written down from the mission and not from the code: may this person send sound, and pictures?
fn table(kind: MeetingKind, settings: &MeetingSettings, person: &PersonView) -> (bool, bool) {
    let stage_only = kind == MeetingKind::Presentation;
    let among = |senders| match person.role {
        Role::Host => true,
        Role::Presenter => senders != Senders::Host,
        Role::Attendee => senders == Senders::Everyone && !stage_only,
    };
    let collaborates = person.access == Access::Collaborate;
    let muted = person.muted_by_host || person.muted_by_self;
    let sound = collaborates && !muted && (among(settings.send_audio) || person.may_speak);
    (sound, collaborates && among(settings.send_video))
}

/// No leg has a right that its person has not at this very moment, and none has any that is not in the meeting.
fn assert_rights(stage: &Stage, removed: &BTreeSet<usize>) -> Result<(), TestCaseError> {
    let snapshot = stage.focus.snapshot(&meeting_id()).unwrap();
    for (leg, plan) in &stage.plans {
        let (_, owner) = stage.focus.leg_person(*leg).expect("a plan for a leg that is gone");
        let person = snapshot.people.iter().find(|person| person.id == *owner);
        let Some(person) = person else {
            prop_assert_eq!(*plan, LegPlan::default(), "{:?} is nobody's", leg);
            continue;
        };
        let (sound, picture) = table(stage.spec.kind, &stage.spec.settings, person);
        prop_assert!(sound || !plan.send_audio, "{leg:?} of {person:?} is heard");
        prop_assert!(picture || !plan.send_video, "{leg:?} of {person:?} is seen");
        let expelled = removed.iter().any(|who| owner.as_str() == format!("p-{}", NAMES[*who]));
        let may_take_part = person.present && !person.waiting && !expelled;
        prop_assert!(may_take_part || *plan == LegPlan::default(), "{leg:?} of {person:?} takes part");
    }
    // The reverse: who is in, alone on one device and not on hold, has all that is theirs.
    for person in snapshot.people.iter().filter(|person| person.present) {
        let mut legs = stage
            .plans
            .iter()
            .filter(|(leg, _)| stage.focus.leg_person(**leg).is_some_and(|(_, owner)| *owner == person.id));
        let (Some((_, plan)), None) = (legs.next(), legs.next()) else { continue };
        if plan.receive_video {
            let rights = table(stage.spec.kind, &stage.spec.settings, person);
            prop_assert_eq!(
                (plan.send_audio, plan.send_video, plan.receive_audio),
                (rights.0, rights.1, true)
            );
        }
    }
    Ok(())
}

/// Which of the names are on the list. Removed people are not.
fn listed(stage: &Stage) -> BTreeSet<usize> {
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    let is_listed = |who: &usize| people.iter().any(|row| row.id.as_str() == format!("p-{}", NAMES[*who]));
    (0..NAMES.len()).filter(is_listed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No sample right for an unadmitted, VIEW ONLY, muted or removed leg, ever; and the reverse (asks 4, item 10).
    #[test]
    fn i70_i71_i74_i75_i78_no_order_of_events_gives_a_right_to_whom_it_does_not_belong(
        steps in prop::collection::vec(step(), 1..80),
        presentation in any::<bool>(),
        bits in any::<u16>(),
    ) {
        let kind = if presentation { MeetingKind::Presentation } else { MeetingKind::Conference };
        let mut stage = Stage::hosted(kind);
        stage.set(|settings| *settings = any_settings(bits));
        let mut removed = BTreeSet::new();
        for (number, step) in steps.iter().enumerate() {
            let before = listed(&stage);
            do_step(&mut stage, number, step);
            let after = listed(&stage);
            match step {
                Step::Remove(_) => removed.extend(before.difference(&after)),
                Step::Invite(who, ..) if after.contains(who) => drop(removed.remove(who)),
                _ => {}
            }
            assert_nobody_unadmitted(&stage)?;
            assert_rights(&stage, &removed)?;
        }
        stage.ok(Command::EndMeeting { meeting: meeting_id() });
        prop_assert_eq!(stage.focus.counts(), crate::live::focus::Counts::default());
        prop_assert!(stage.worker_legs.is_empty() && stage.open_ports.is_empty() && stage.sessions.is_empty());
    }

    #[test]
    fn any_order_of_events_leaves_nothing_behind(steps in prop::collection::vec(step(), 1..80)) {
        let mut stage = Stage::hosted(MeetingKind::Conference);
        for (number, step) in steps.iter().enumerate() {
            do_step(&mut stage, number, step);
            assert_nobody_unadmitted(&stage)?;
        }
        stage.ok(Command::EndMeeting { meeting: meeting_id() });
        prop_assert_eq!(stage.focus.counts(), crate::live::focus::Counts::default());
        prop_assert!(stage.worker_legs.is_empty(), "legs left: {:?}", stage.worker_legs);
        prop_assert!(stage.open_ports.is_empty(), "ports left: {:?}", stage.open_ports);
        prop_assert!(stage.sessions.is_empty(), "sessions left: {:?}", stage.sessions);
        let snapshot = stage.focus.snapshot(&meeting_id()).unwrap();
        prop_assert!(snapshot.people.iter().all(|person| !person.present));
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_log(steps in prop::collection::vec(step(), 1..40)) {
        let run = || {
            let mut stage = Stage::hosted(MeetingKind::Presentation);
            for (number, step) in steps.iter().enumerate() {
                do_step(&mut stage, number, step);
            }
            stage.log
        };
        prop_assert_eq!(run(), run());
    }
}
