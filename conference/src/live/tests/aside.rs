//! Listening to what comes before the answer.

use super::harness::*;
use crate::live::focus::{Command, RefusalKind};
use crate::vocabulary::{MeetingKind, Role};
use media::sdp;
use sip_core::ua::Event as SipEvent;

fn listen(stage: &mut Stage, user: &str, on: bool) -> Result<(), RefusalKind> {
    let command = Command::ListenToCall { call: "c1".into(), user: user.into(), on };
    stage.command(command).map(drop).map_err(|refusal| refusal.kind)
}

fn early(stage: &mut Stage) {
    let session = stage.last_session();
    let (_, body) = sdp::answer(&far_end(), &stage.invites[0].offer).unwrap();
    stage.sip(SipEvent::Provisional { session, status: 183, body: Some(body.into()) });
}

/// What the mixer was told about hearing aside and about where the sound of phones comes from, in order.
fn told(stage: &Stage) -> Vec<&str> {
    let told = stage.media.iter().filter_map(|command| command.split(' ').next());
    told.filter(|word| ["Overhear", "SetSipRemote"].contains(word)).collect()
}

fn ringing() -> Stage {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    stage
}

#[test]
fn asks_21_a_host_hears_what_comes_before_the_answer_and_nothing_after_it() {
    for before in [true, false] {
        let mut stage = ringing();
        if before {
            listen(&mut stage, "u-hana", true).unwrap();
            assert_eq!(told(&stage), ["Overhear"], "nothing has come yet");
            early(&mut stage);
        } else {
            early(&mut stage);
            assert_eq!(told(&stage), Vec::<&str>::new(), "nobody listens");
            listen(&mut stage, "u-hana", true).unwrap();
        }
        assert_eq!(told(&stage), ["Overhear", "SetSipRemote"]);
        let session = stage.last_session();
        stage.pick_up(session);
        assert_eq!(told(&stage), ["Overhear", "SetSipRemote", "Overhear", "SetSipRemote"]);
        let last = stage.media.iter().rev().find(|command| command.starts_with("Overhear")).unwrap();
        assert!(last.contains("of: None"), "{last}");
        assert_eq!(listen(&mut stage, "u-hana", true), Err(RefusalKind::Conflict), "there is a person now");
    }
}

#[test]
fn asks_21_nobody_outside_the_meeting_listens_and_it_ends_with_the_call() {
    let mut stage = ringing();
    assert_eq!(listen(&mut stage, "u-pia", true), Err(RefusalKind::Conflict));
    listen(&mut stage, "u-hana", true).unwrap();
    early(&mut stage);
    listen(&mut stage, "u-hana", false).unwrap();
    assert_eq!(told(&stage), ["Overhear", "SetSipRemote", "Overhear"]);
    listen(&mut stage, "u-hana", true).unwrap();
    let session = stage.last_session();
    stage.refuse(session, 486);
    assert!(stage.state("c1").0.is_final());
    assert_eq!(told(&stage).last(), Some(&"Overhear"));
    assert_eq!(listen(&mut stage, "u-hana", true), Err(RefusalKind::NotFound));
}

#[test]
fn asks_21_the_ear_may_leave_while_it_rings() {
    let mut stage = ringing();
    stage.join("pia", Role::Host);
    listen(&mut stage, "u-pia", true).unwrap();
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-pia".into() });
    early(&mut stage);
    let session = stage.last_session();
    stage.pick_up(session);
    assert_eq!(told(&stage).iter().filter(|word| **word == "Overhear").count(), 1, "there is no ear to tell");
}

#[test]
fn asks_21_an_ear_that_turned_to_another_call_keeps_that_one_when_the_first_is_over() {
    let mut stage = ringing();
    listen(&mut stage, "u-hana", true).unwrap();
    let first = stage.last_session();
    stage.dial(to_number("c2", "ann", "+12025550178")).unwrap();
    stage.ok(Command::ListenToCall { call: "c2".into(), user: "u-hana".into(), on: true });
    assert_eq!(told(&stage), ["Overhear", "Overhear"]);
    stage.refuse(first, 486);
    assert_eq!(told(&stage), ["Overhear", "Overhear"], "she listens to the other one");
}
