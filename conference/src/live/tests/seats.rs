//! Seats that are kept, silence, redirections, extensions, the story of a row, lengths and limits of calls.

use super::harness::*;
use crate::live::call::{DialExtra, DialSpec, Enough, GATE};
use crate::live::event::Record;
use crate::live::focus::{Command, TenantDialling};
use crate::live::policy::rules::{DialPolicy, PriceClass};
use crate::vocabulary::{CallPurpose, CallState, Cause, MeetingKind, Role};
use media::quality::{LegStats, Mos};
use media::worker::{Event as MediaEvent, LegId};
use sip_core::ua::{EndCause, Event as SipEvent, SessionId, Target};
use std::time::Duration;

const NUMBER: &str = "+12025550177";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn hosted() -> Stage {
    Stage::hosted(MeetingKind::Conference)
}

fn joined_device(stage: &mut Stage) -> (SessionId, LegId) {
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    (session, stage.leg_of_call("c1"))
}

fn heard(stage: &mut Stage, leg: LegId, received_packets: u64) {
    let stats = LegStats {
        received_packets,
        lost_packets: None,
        duplicate_packets: 0,
        late_packets: 0,
        jitter: Duration::ZERO,
        playout_delay: Duration::ZERO,
        played: Duration::ZERO,
        concealed: Duration::ZERO,
        concealed_seconds: 0,
        severely_concealed_seconds: 0,
        sent_packets: 0,
        remote: None,
        remote_metrics: None,
        round_trip: None,
        mos_in: Mos(440),
        mos_out: None,
    };
    stage.pass(SECOND * 5);
    stage.media(MediaEvent::Statistics { leg, stats, is_final: false });
}

fn person(stage: &Stage, name: &str) -> crate::live::focus::PersonView {
    let meeting = stage.focus.snapshot(&meeting_id()).unwrap();
    meeting.people.into_iter().find(|person| person.display_name == name).unwrap()
}

fn asked(stage: &Stage) -> usize {
    stage.log.iter().filter(|line| line.contains("Sip(Check")).count()
}

#[test]
fn i56_a_silent_phone_that_answers_stays_and_one_that_does_not_is_lost() {
    let mut stage = hosted();
    let (session, leg) = joined_device(&mut stage);
    heard(&mut stage, leg, 250);
    heard(&mut stage, leg, 250);
    assert_eq!(asked(&stage), 0, "five seconds of silence are nothing");
    heard(&mut stage, leg, 250);
    assert_eq!(asked(&stage), 1);
    stage.sip(SipEvent::Alive { session });
    stage.pass(MINUTE);
    assert_eq!(stage.state("c1").0, CallState::Joined, "muted at the phone, or saving packets");
    for _ in 0..3 {
        heard(&mut stage, leg, 250);
    }
    assert_eq!(asked(&stage), 2);
    stage.pass(SECOND * 7);
    assert_eq!(stage.state("c1"), (CallState::Ended, Some(Cause::Lost)));
    assert!(stage.hung_up.contains(&session), "in case it is there after all");
    let uma = person(&stage, "uma");
    assert!(uma.lost && !uma.present);
    assert_eq!(stage.last_event("person.left")["person"]["lost"], true);
    assert_eq!(stage.last_event("call.ended")["next"]["action"], "retry");
}

#[test]
fn i56_sound_in_time_takes_the_question_back() {
    let mut stage = hosted();
    let (_, leg) = joined_device(&mut stage);
    for received in [100, 100, 100] {
        heard(&mut stage, leg, received);
    }
    assert_eq!(asked(&stage), 1);
    heard(&mut stage, leg, 400);
    stage.pass(MINUTE);
    assert_eq!(stage.state("c1").0, CallState::Joined);
}

#[test]
fn i56_whoever_comes_back_has_role_and_place_and_one_row() {
    let mut stage = hosted();
    let (session, _) = joined_device(&mut stage);
    stage.ok(Command::SetRole { meeting: meeting_id(), person: "p-uma".into(), role: Role::Attendee });
    stage.over(session, EndCause::NoResponse);
    assert!(person(&stage, "uma").lost);
    let spec = to_device("c2", "uma", "103a");
    let extra = DialExtra { purpose: CallPurpose::Reconnect, ..DialExtra::default() };
    let again = DialSpec {
        person: crate::live::focus::PersonSpec { role: Role::Attendee, ..spec.person },
        extra,
        ..spec
    };
    stage.dial(again).unwrap();
    assert!(person(&stage, "uma").reconnecting, "the row says so while it rings");
    assert_eq!(stage.last_event("call.dialling")["purpose"], "reconnect");
    stage.pick_up(stage.last_session());
    let uma = person(&stage, "uma");
    assert!(uma.present && !uma.lost && !uma.reconnecting);
    assert_eq!(uma.role, Role::Attendee);
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    assert_eq!(people.iter().filter(|person| person.display_name == "uma").count(), 1);
}

#[test]
fn i56_a_reconnection_that_fails_leaves_the_person_lost() {
    let mut stage = hosted();
    let (session, _) = joined_device(&mut stage);
    stage.over(session, EndCause::NoResponse);
    let extra = DialExtra { purpose: CallPurpose::Reconnect, ..DialExtra::default() };
    stage.dial(DialSpec { extra, ..to_device("c2", "uma", "103a") }).unwrap();
    stage.refuse(stage.last_session(), 480);
    let uma = person(&stage, "uma");
    assert!(uma.lost && !uma.reconnecting);
}

fn rules(policy: DialPolicy) -> Command {
    let rules = TenantDialling { policy, home: "US".into(), blocked: ["+12025550166".to_owned()].into() };
    Command::PutDialling { tenant: "acme".into(), rules: Box::new(rules) }
}

fn redirected(policy: DialPolicy, contact: &str) -> Stage {
    redirected_with(policy, contact, &[])
}

/// The same; the do-not-call list has changed since.
fn redirected_with(policy: DialPolicy, contact: &str, changes: &[(&str, bool)]) -> Stage {
    let mut stage = hosted();
    stage.ok(rules(policy));
    for (e164, blocked) in changes {
        let (tenant, e164) = ("acme".into(), (*e164).to_owned());
        stage.ok(Command::SetBlocked { tenant, e164, blocked: *blocked });
    }
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.sip(SipEvent::Redirected { session, contacts: vec![contact.to_owned()] });
    stage.over(session, EndCause::Refused { status: 302, reason: "Moved Temporarily".into() });
    stage
}

#[test]
fn i45_s8_a_redirection_leads_nobody_around_the_policy() {
    let follow = DialPolicy { follow_redirects: true, ..DialPolicy::default() };
    for (contact, words) in [
        ("sip:+19005550199@carrier.test;user=phone", "premium-rate"),
        ("sip:+442079460958@carrier.test", "GB"),
        ("tel:+870773111632", "satellite"),
        ("sip:911@carrier.test", "emergency"),
        ("tel:+1911", "emergency"),
        ("urn:service:sos", "emergency"),
        ("sip:+12025550166@carrier.test", "asked not to be called"),
        ("sip:uma@elsewhere.test", "no number"),
    ] {
        let stage = redirected(follow.clone(), contact);
        assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::DestinationDenied)), "{contact}");
        assert_eq!(stage.invites.len(), 1, "{contact} was dialled");
        let told = stage.records.iter().any(|record| {
            matches!(record, Record::CallState { detail: Some(detail), .. } if detail.contains(words))
        });
        assert!(told, "{contact}: {:?}", stage.records.last());
    }
    let stage = redirected(follow.clone(), "sip:+12025550110@carrier.test");
    assert_eq!(stage.invites.last().unwrap().diverted_by.as_deref(), Some(NUMBER), "the trunk may be told");
    let stage = redirected(DialPolicy::default(), "sip:+12025550110@carrier.test");
    assert_eq!(stage.invites.len(), 1, "not followed unless the tenant says so");
    let dear = DialPolicy {
        prices: vec![PriceClass {
            prefix: "+12025550110".into(),
            class: "dear".into(),
            per_minute_milli: 900,
        }],
        ..follow
    };
    assert_eq!(redirected(dear, "sip:+12025550110@carrier.test").invites.len(), 1, "nor to what costs more");
}

#[test]
fn i45_i49_a_redirection_is_judged_by_the_do_not_call_list_of_the_moment() {
    let follow = DialPolicy { follow_redirects: true, ..DialPolicy::default() };
    let (listed, other) = ("sip:+12025550166@carrier.test", "sip:+12025550110@carrier.test");
    let taken_off = redirected_with(follow.clone(), listed, &[("+12025550166", false)]);
    assert_eq!(taken_off.invites.len(), 2, "taken off the list");
    let put_on = redirected_with(follow, other, &[("+12025550110", true)]);
    assert_eq!(put_on.invites.len(), 1, "put on the list");
}

#[test]
fn i45_an_allowed_redirection_is_followed_once() {
    let follow = DialPolicy { follow_redirects: true, ..DialPolicy::default() };
    let mut stage = redirected(follow, "sip:+12025550110@carrier.test");
    assert_eq!(stage.invites.len(), 2);
    assert!(matches!(&stage.invites[1].target, Target::Trunk { number, .. } if number == "+12025550110"));
    assert_ne!(stage.invites[0].call_id, stage.invites[1].call_id);
    let session = stage.last_session();
    stage.sip(SipEvent::Redirected { session, contacts: vec!["sip:+12025550111@carrier.test".into()] });
    stage.over(session, EndCause::Refused { status: 302, reason: String::new() });
    assert_eq!(stage.invites.len(), 2, "once");
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::DestinationDenied)));
}

#[test]
fn i34_keys_for_an_extension_are_sent_after_the_answer_and_the_gate_waits_for_them() {
    let mut stage = hosted();
    let extra = DialExtra { keys: Some(",,123#".into()), ..DialExtra::default() };
    stage.dial(DialSpec { extra, ..to_number("c1", "tom", NUMBER) }).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    assert!(!stage.media.iter().any(|line| line.contains("SendDigits")), "not before the answer");
    stage.pick_up(session);
    assert_eq!(stage.media.iter().filter(|line| line.contains("SendDigits")).count(), 1);
    assert!(!stage.log.iter().any(|line| line.contains("123#")), "keys may be a PIN: they are in no log");
    stage.pass(GATE + SECOND);
    assert_eq!(stage.state("c1").0, CallState::Confirming, "the person behind it has the whole time");
    stage.press(stage.leg_of_call("c1"), '1');
    assert_eq!(stage.state("c1").0, CallState::Joined);
}

#[test]
fn d35_the_row_tells_ringing_from_sound_before_the_answer_and_keeps_the_carriers_words() {
    let mut stage = hosted();
    stage.dial(to_number("c1", "tom", NUMBER)).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    assert_eq!(stage.last_event("call.ringing")["early_media"], false);
    assert_eq!(stage.last_event("call.ringing")["next"]["action"], "cancel");
    let body = Some(media::sdp::offer(&far_end()).into());
    stage.sip(SipEvent::Provisional { session, status: 183, body });
    let ringing = stage.last_event("call.ringing");
    assert_eq!((&ringing["early_media"], ringing["sip_code"].as_u64()), (&true.into(), Some(183)));
    assert_eq!(ringing["words"], "Ringing, with sound from the carrier");
    stage.pass(SECOND * 3);
    stage.over(session, EndCause::Refused { status: 486, reason: "Busy Here".into() });
    let over = stage.last_event("call.failed");
    assert_eq!((&over["words"], &over["carrier_words"]), (&"Busy".into(), &"Busy Here".into()));
    assert_eq!(
        (&over["next"]["action"], &over["next"]["after_seconds"]),
        (&"retry_later".into(), &120.into())
    );
    let mut trunks = stage.records.iter().filter_map(|record| match record {
        Record::CallState { story, .. } => Some(story.trunk),
        _ => None,
    });
    assert!(trunks.next_back().unwrap().is_some(), "which trunk it was");
}

#[test]
fn i59_a_call_lasts_no_longer_than_it_may() {
    let mut stage = hosted();
    let extra = DialExtra { max_length: Some(MINUTE), ..DialExtra::default() };
    stage.dial(DialSpec { extra, ..to_device("c1", "uma", "103a") }).unwrap();
    stage.pass(SECOND * 30);
    stage.pick_up(stage.last_session());
    stage.pass(SECOND * 59);
    assert_eq!(stage.state("c1").0, CallState::Joined, "from the answer on");
    stage.pass(SECOND * 2);
    assert_eq!(stage.state("c1"), (CallState::Ended, Some(Cause::HungUp)));
    assert_eq!(stage.hung_up.len(), 1);
}

#[test]
fn i59_somebody_alone_by_phone_is_hung_up_on() {
    let mut stage = hosted();
    stage.ok(rules(DialPolicy { alone_minutes: Some(5), ..DialPolicy::default() }));
    joined_device(&mut stage);
    stage.pass(MINUTE * 8);
    assert_eq!(stage.state("c1").0, CallState::Joined, "with somebody else");
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(MINUTE * 4);
    assert_eq!(stage.state("c1").0, CallState::Joined);
    stage.join("hana", Role::Host);
    stage.pass(MINUTE * 4);
    stage.ok(Command::Leave { meeting: meeting_id(), person: "p-hana".into() });
    stage.pass(MINUTE * 4);
    assert_eq!(stage.state("c1").0, CallState::Joined, "the time begins anew");
    stage.pass(MINUTE * 2);
    assert!(stage.states("c1").contains(&"ended".to_owned()));
}

#[test]
fn asks_6_when_enough_have_joined_the_others_are_not_called_any_further() {
    let mut stage = hosted();
    for (call, name, number) in
        [("c1", "tom", "+12025550171"), ("c2", "tim", "+12025550172"), ("c3", "tam", "+12025550173")]
    {
        let enough = Some(Enough { group: "g1".into(), joined: 2 });
        let extra = DialExtra { enough, ..DialExtra::default() };
        stage.dial(DialSpec { extra, press_one: false, ..to_number(call, name, number) }).unwrap();
    }
    stage.dial(to_number("c4", "other", "+12025550174")).unwrap();
    let sessions: Vec<_> = stage.invites.iter().map(|invite| invite.session).collect();
    stage.pick_up(sessions[0]);
    assert_eq!(stage.state("c3").0, CallState::Dialling);
    stage.pick_up(sessions[1]);
    assert_eq!(stage.state("c3"), (CallState::Cancelled, Some(Cause::Cancelled)));
    assert_eq!(stage.state("c4").0, CallState::Dialling, "not of that press");
}

#[test]
fn i61_call_me_gives_one_row_sound_by_phone_and_a_silent_browser() {
    let mut stage = hosted();
    let browser = stage.join("pia", Role::Presenter);
    assert!(stage.plan(browser).send_audio);
    let spec = to_device("c1", "pia", "101a");
    let extra = DialExtra { purpose: CallPurpose::CallMe, ..DialExtra::default() };
    let own = DialSpec { acting_host: "u-pia".into(), extra, ..spec };
    stage.dial(own.clone()).unwrap();
    stage.pick_up(stage.last_session());
    let plan = stage.plan(browser);
    assert!(!plan.send_audio && !plan.receive_audio && plan.send_video, "no echo");
    let people = stage.focus.snapshot(&meeting_id()).unwrap().people;
    assert_eq!(people.iter().filter(|person| person.display_name == "pia").count(), 1, "one row");
    let again = DialSpec { call: "c2".into(), sip_call_id: "c2@acme.test".into(), ..own };
    assert_eq!(stage.dial(again).unwrap_err().cause, Some(Cause::AlreadyIn), "one phone is enough");
    stage.over(stage.last_session(), EndCause::RemoteBye);
    assert!(stage.plan(browser).send_audio, "the browser has its sound back");
}

#[test]
fn asks_13_who_leaves_or_is_removed_is_not_rung_any_further() {
    for remove in [false, true] {
        let mut stage = hosted();
        stage.join("pia", Role::Presenter);
        let extra = DialExtra { purpose: CallPurpose::CallMe, ..DialExtra::default() };
        stage
            .dial(DialSpec { acting_host: "u-pia".into(), extra, ..to_device("c1", "pia", "101a") })
            .unwrap();
        stage.ring(stage.last_session());
        let (meeting, person) = (meeting_id(), "p-pia".into());
        let gone =
            if remove { Command::Remove { meeting, person } } else { Command::Leave { meeting, person } };
        stage.ok(gone);
        assert_eq!(stage.state("c1").0, CallState::Cancelled, "removed: {remove}");
        assert_eq!(stage.hung_up.len(), 1);
    }
}

#[test]
fn i43_a_call_whose_budget_is_spent_ends_with_that_cause() {
    let mut stage = hosted();
    let (session, _) = joined_device(&mut stage);
    stage.ok(Command::StopCall { call: "c1".into(), cause: Cause::BudgetSpent });
    assert_eq!(stage.state("c1"), (CallState::Ended, Some(Cause::BudgetSpent)));
    assert_eq!(stage.hung_up, [session]);
    assert_eq!(stage.last_event("call.ended")["next"]["action"], "ask_admin");
}
