//! Random orders of events: nothing is ever left behind, and nobody is ever heard who has not been let in.

use super::harness::*;
use crate::live::focus::{Command, MutedBy};
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
        nth.prop_map(Step::Closed),
        (any::<bool>(), any::<bool>()).prop_map(|(hold, none)| Step::Ports(hold, none)),
        Just(Step::AnswerPort),
        (0..40_000_u16).prop_map(Step::Pass),
        Just(Step::EndMeeting),
    ]
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
        Step::PlayingDone(pick) => stage.media(MediaEvent::PlayingDone { leg: leg(pick) }),
        Step::Closed(pick) => stage.media(MediaEvent::WebrtcClosed { leg: leg(pick) }),
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

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
