//! The dial-out machine alone: any order of inputs.

use super::*;
use crate::live::tests::harness::{to_device, to_number};
use proptest::prelude::*;

fn end_cause() -> impl Strategy<Value = EndCause> {
    prop_oneof![
        (300..700_u16).prop_map(|status| EndCause::Refused { status, reason: "x".into() }),
        Just(EndCause::NoResponse),
        Just(EndCause::NotRegistered),
        Just(EndCause::TrunkUnknown),
        Just(EndCause::RemoteBye),
        Just(EndCause::RemoteCancel),
        Just(EndCause::LocalHangUp),
        Just(EndCause::NoAck),
        Just(EndCause::ProtocolError),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let timer = prop_oneof![Just(CallTimer::Ring), Just(CallTimer::Gate), Just(CallTimer::Prompt)];
    prop_oneof![
        3 => Just(Input::PortOpened),
        1 => Just(Input::PortFailed("no port".into())),
        3 => (100..200_u16).prop_map(Input::Provisional),
        3 => Just(Input::Answered),
        1 => Just(Input::AnsweredUnusable("no codec".into())),
        3 => Just(Input::Confirmed),
        1 => Just(Input::PromptEnded),
        1 => end_cause().prop_map(Input::Over),
        1 => Just(Input::Cancel(Cause::Cancelled)),
        1 => timer.prop_map(Input::Timer),
    ]
}

/// How far a state is; a call only moves on.
fn rank(state: CallState) -> u8 {
    match state {
        CallState::Queued => 0,
        CallState::Dialling => 1,
        CallState::Ringing => 2,
        CallState::Answered => 3,
        CallState::Confirming => 4,
        CallState::Joined => 5,
        CallState::Ended | CallState::Failed | CallState::Refused | CallState::Cancelled => 6,
    }
}

fn count(actions: &[Action], wanted: &Action) -> usize {
    actions.iter().filter(|action| *action == wanted).count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d35_a_call_only_moves_on_and_releases_once(inputs in prop::collection::vec(input(), 1..40), gate: bool) {
        let spec = if gate { to_number("c1", "tom", "+12025550177") } else { to_device("c1", "uma", "103a") };
        let mut call = Call::new(spec, LegId(1), UnixMillis(0));
        let mut all = Vec::new();
        for input in inputs {
            let (before, was_final) = (rank(call.state()), call.state().is_final());
            let confirmed = input == Input::Confirmed;
            let actions = call.handle(input);
            prop_assert!(rank(call.state()) >= before);
            prop_assert!(!was_final || actions.is_empty(), "a finished call does nothing more");
            prop_assert_eq!(call.state().is_final(), call.cause().is_some());
            if gate && actions.contains(&Action::Admit) {
                prop_assert!(confirmed, "only the key opens the gate");
            }
            all.extend(actions);
        }
        prop_assert_eq!(count(&all, &Action::Release), usize::from(call.state().is_final()));
        prop_assert!(count(&all, &Action::Admit) <= 1);
        prop_assert!(all.iter().filter(|action| matches!(action, Action::Invite(_))).count() <= 1, "one trunk, one INVITE");
        let announced: Vec<_> = all
            .iter()
            .filter_map(|action| match action {
                Action::Announce(state) => Some(rank(*state)),
                _ => None,
            })
            .collect();
        prop_assert!(announced.windows(2).all(|pair| pair[0] < pair[1]), "each state is announced once: {:?}", announced);
    }
}

#[test]
fn words_for_every_state_and_cause() {
    let mut call = Call::new(to_number("c1", "tom", "+12025550177"), LegId(1), UnixMillis(0));
    assert_eq!(call.view().words, "Waiting to be called");
    assert_eq!(call.view().target, "+1 202 555 0177");
    call.handle(Input::PortOpened);
    call.handle(Input::Over(EndCause::Refused { status: 486, reason: "Busy Here".into() }));
    assert_eq!((call.view().words.as_str(), call.view().sip_code), ("Busy", Some(486)));
    assert_eq!(call.detail(), Some("486 Busy Here"));
}
