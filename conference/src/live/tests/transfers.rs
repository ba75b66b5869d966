//! Transfers by phones in a meeting.

use super::harness::*;
use crate::live::call::DialExtra;
use crate::live::focus::{Command, TransferRequest};
use crate::vocabulary::{CallState, Cause, MeetingKind, Role};
use sip_core::dialog::DialogId;
use sip_core::ua::{
    Command as SipCommand, Event as SipEvent, Origin, ReferRequest, Replaces, SessionId, SubscriptionId,
};

const REFER: SubscriptionId = SubscriptionId(5);

/// Hana by browser, and her desk phone that has dialled in.
fn stage() -> (Stage, SessionId) {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    for (device, user) in [("100a", "u-hana"), ("101a", "u-pia"), ("102a", "u-ari")] {
        stage.ok(Command::PutDevice {
            aor: aor(device),
            user: user.into(),
            tenant: "acme".into(),
            display_name: user.into(),
            role_hint: None,
        });
    }
    let session = stage.call_in(1, Origin::Device(aor("100a")), "900000001", "100a");
    (stage, session)
}

fn refer(stage: &mut Stage, session: SessionId, replaces: Option<Replaces>) {
    stage.sip(SipEvent::Refer(Box::new(ReferRequest {
        refer: REFER,
        session,
        device: aor("100a"),
        target: "102".into(),
        host: "acme.test".into(),
        replaces,
    })));
}

fn progress(stage: &mut Stage) -> Vec<(u16, String)> {
    let told = std::mem::take(&mut stage.orders).into_iter().filter_map(|order| match order {
        SipCommand::ReferProgress { refer: REFER, status, reason } => Some((status, reason)),
        SipCommand::AnswerRefer { refer: REFER, answer } => {
            Some(answer.err().unwrap_or((202, String::new())))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn i45_a_transfer_is_judged_by_the_services_and_told_to_its_end() {
    let (mut stage, session) = stage();
    refer(&mut stage, session, None);
    let expected = TransferRequest {
        refer: REFER,
        tenant: "acme".into(),
        meeting: meeting_id(),
        user: "u-hana".into(),
        target: "102".into(),
        replaces: None,
    };
    assert_eq!(std::mem::take(&mut stage.transfers), [expected]);
    // Refused: the phone hears why.
    let why = (403, "premium".to_owned());
    stage.ok(Command::TransferJudged { refer: REFER, result: Err(why.clone()) });
    assert_eq!(progress(&mut stage), [why]);
    // Allowed: the call is on its way by then.
    stage.dial(to_device("c1", "ari", "102a")).unwrap();
    stage.ok(Command::TransferJudged { refer: REFER, result: Ok("c1".into()) });
    assert_eq!(progress(&mut stage), [(202, String::new())]);
    let call = stage.last_session();
    stage.ring(call);
    assert_eq!(progress(&mut stage), [(180, String::new())]);
    stage.pick_up(call);
    assert_eq!(progress(&mut stage), [(183, String::new()), (200, String::new())]);
    assert_eq!(stage.row("p-ari").role, Role::Presenter);
    stage.end_call("c1").unwrap();
    assert_eq!(progress(&mut stage), [], "the transfer was over");
}

#[test]
fn i45_a_transfer_that_fails_says_how() {
    let (mut stage, session) = stage();
    for (call, status, told) in [("c1", 486, (486, Cause::Busy)), ("c2", 503, (503, Cause::NoAnswer))] {
        refer(&mut stage, session, None);
        stage.dial(to_device(call, "ari", "102a")).unwrap();
        stage.ok(Command::TransferJudged { refer: REFER, result: Ok(call.into()) });
        let session = stage.last_session();
        stage.refuse(session, status);
        assert_eq!(progress(&mut stage), [(202, String::new()), (told.0, told.1.words().to_owned())]);
    }
    // Over before it was judged.
    stage.ok(Command::TransferJudged { refer: REFER, result: Ok("c2".into()) });
    assert_eq!(progress(&mut stage).len(), 2);
    // The transferor hangs up at once: the call goes on.
    refer(&mut stage, session, None);
    stage.dial(to_device("c3", "ari", "102a")).unwrap();
    stage.ok(Command::TransferJudged { refer: REFER, result: Ok("c3".into()) });
    stage.over(session, sip_core::ua::EndCause::RemoteBye);
    let call = stage.last_session();
    stage.pick_up(call);
    assert_eq!(progress(&mut stage).last(), Some(&(200, String::new())));
    assert_eq!(stage.state("c3").0, CallState::Joined);
}

#[test]
fn i45_only_phones_in_a_meeting_transfer() {
    let (mut stage, session) = stage();
    refer(&mut stage, SessionId::Incoming(9), None);
    assert_eq!(progress(&mut stage)[0].0, 403);
    stage.set(|settings| settings.lobby = true);
    let waiting = stage.call_in(2, Origin::Device(aor("101a")), "900000001", "101a");
    refer(&mut stage, waiting, None);
    assert_eq!(progress(&mut stage)[0].0, 403, "whoever waits is not in");
    stage.ok(Command::Drain);
    refer(&mut stage, session, None);
    assert_eq!(progress(&mut stage)[0].0, 503);
    assert!(stage.transfers.is_empty());
}

#[test]
fn asks_22_an_attended_transfer_takes_the_place_of_the_consultation() {
    let (mut stage, session) = stage();
    let dialog = DialogId { call_id: "x".into(), local_tag: "a".into(), remote_tag: "b".into() };
    let replaces = Replaces { dialog, early_only: false };
    refer(&mut stage, session, Some(replaces.clone()));
    assert_eq!(stage.transfers[0].replaces.as_ref(), Some(&replaces));
    let extra = DialExtra { replaces: Some(replaces.clone()), ..DialExtra::default() };
    stage
        .dial(crate::live::call::DialSpec { extra: extra.clone(), ..to_device("c1", "ari", "102a") })
        .unwrap();
    assert_eq!(stage.invites.last().unwrap().replaces, Some(replaces));
    // A carrier knows nothing of that dialog.
    let spec = crate::live::call::DialSpec { extra, ..to_number("c2", "kim", "+12025550177") };
    stage.dial(spec).unwrap();
    assert_eq!(stage.invites.last().unwrap().replaces, None);
}

#[test]
fn rfc_3891_a_phone_takes_over_a_seat_at_the_door_like_everybody() {
    let (mut stage, session) = stage();
    // By another name than the meeting's: the seat says where it is.
    stage.replaces = Some(session);
    let taking = stage.call_in(2, Origin::Device(aor("101a")), "whatever", "101a");
    assert!(stage.accepted.contains(&taking));
    assert_eq!(stage.hung_up, [session], "the old phone hangs up once the new one is in");
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    let pia =
        people.iter().find(|row| row.user.as_ref().is_some_and(|user| user.as_str() == "u-pia")).unwrap();
    assert!(pia.present && pia.role == Role::Attendee, "with a role of their own");
    // A locked door stays shut, and the seat stays taken.
    stage.set(|settings| settings.locked = true);
    stage.replaces = Some(taking);
    let shut = stage.call_in(3, Origin::Device(aor("102a")), "900000001", "102a");
    assert!(stage.rejected.iter().any(|(session, _)| *session == shut));
    assert_eq!(stage.hung_up, [session]);
    // Nobody takes over what is not in, or takes over by a trunk.
    stage.set(|settings| settings.locked = false);
    stage.replaces = Some(SessionId::Incoming(77));
    let nothing = stage.call_in(4, Origin::Device(aor("102a")), "900000001", "102a");
    assert!(stage.rejected.contains(&(nothing, 481)));
    stage.replaces = Some(taking);
    let trunk = stage.call_in(5, Origin::TrustedPeer, "900000001", "x");
    assert!(stage.rejected.contains(&(trunk, 403)));
}

#[test]
fn rfc_3428_a_missed_call_leaves_a_text_on_the_phone() {
    let (mut stage, _) = stage();
    stage.dial(to_device("c1", "ari", "102a")).unwrap();
    let call = stage.last_session();
    stage.ring(call);
    stage.pass(at_ms(46_000));
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::NoAnswer)));
    let text = "Hana called you into Budget. To join, dial 900000001.".to_owned();
    assert_eq!(stage.orders, [SipCommand::Message { device: aor("102a"), text }]);
    stage.orders.clear();
    // Whoever declines has heard of it, and outside numbers get no texts.
    stage.dial(to_device("c2", "ari", "102a")).unwrap();
    let call = stage.last_session();
    stage.refuse(call, 603);
    stage.dial(to_number("c3", "kim", "+12025550177")).unwrap();
    let call = stage.last_session();
    stage.refuse(call, 486);
    assert_eq!(stage.orders, []);
}
