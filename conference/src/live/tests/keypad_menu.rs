//! Keys in the meeting.

use super::harness::*;
use crate::live::event::Record;
use crate::live::focus::{Command, MutedBy};
use crate::vocabulary::{CallState, Cause, MeetingKind, Role};
use media::worker::LegId;
use sip_core::ua::{Event as SipEvent, Origin, SessionId};

fn caller(stage: &mut Stage, number: u64, from: &str) -> LegId {
    stage.call_in(number, Origin::TrustedPeer, "900000001", from);
    stage.last_leg()
}

fn muted(stage: &Stage) -> (bool, bool) {
    let person = &stage.last_event("person.muted")["person"];
    (person["muted_by_self"].as_bool().unwrap(), person["muted_by_host"].as_bool().unwrap())
}

#[test]
fn i58_star_six_mutes_and_unmutes_and_says_so_to_nobody_else() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let leg = caller(&mut stage, 1, "+12025550177");
    let other = caller(&mut stage, 2, "+12025550178");
    let before = stage.said.len();
    stage.keys(leg, "*6");
    assert!(!stage.plan(leg).send_audio && stage.plan(leg).receive_audio);
    assert_eq!((stage.heard(leg), muted(&stage)), ("muted", (true, false)));
    stage.keys(leg, "*6");
    assert!(stage.plan(leg).send_audio);
    assert_eq!((stage.heard(leg), muted(&stage)), ("unmuted", (false, false)));
    assert!(stage.said[before..].iter().all(|(to, _)| *to == leg), "nobody else hears it");
    assert_ne!(other, leg);
}

#[test]
fn i58_i75_a_hosts_muting_is_told_and_cannot_be_undone_by_key() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let leg = caller(&mut stage, 1, "+12025550177");
    let person = stage.focus.leg_person(leg).unwrap().1.clone();
    let set =
        |muted| Command::SetMuted { meeting: meeting_id(), person: person.clone(), by: MutedBy::Host, muted };
    stage.ok(set(true));
    assert_eq!(stage.heard(leg), "muted_by_host");
    stage.keys(leg, "*6");
    assert_eq!(stage.heard(leg), "muted");
    stage.keys(leg, "*6");
    assert_eq!(stage.heard(leg), "only_host_unmutes");
    assert!(!stage.plan(leg).send_audio);
    stage.keys(leg, "*6");
    stage.ok(set(false));
    assert_eq!(stage.heard(leg), "asked_to_unmute");
    assert!(!stage.plan(leg).send_audio, "a Host opens nobody's microphone");
    stage.keys(leg, "*6");
    assert_eq!(stage.heard(leg), "unmuted");
    assert!(stage.plan(leg).send_audio);
}

#[test]
fn i58_star_five_raises_the_hand_and_tells_the_place() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let (one, two) = (caller(&mut stage, 1, "+12025550177"), caller(&mut stage, 2, "+12025550178"));
    stage.keys(one, "*5");
    assert_eq!(stage.heard(one), "hand_raised");
    stage.keys(two, "*5");
    assert_eq!(stage.heard(two), "hand_raised you_are_number n2");
    assert_eq!(stage.last_event("person.hand")["person"]["hand_raised"], true);
    stage.keys(one, "*5");
    assert_eq!(stage.heard(one), "hand_lowered");
    stage.keys(two, "*5*5");
    assert_eq!(stage.heard(two), "hand_raised", "the first now");
    assert_eq!(stage.count_events("person.hand"), 5);
}

#[test]
fn i58_i60_star_zero_tells_who_is_here_without_anybodys_number() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let alone = caller(&mut stage, 1, "+12025550177");
    stage.keys(alone, "*0");
    assert_eq!(stage.heard(alone), "only_you");
    stage.join("hana", Role::Host);
    stage.keys(alone, "*0");
    let names = stage.heard(alone);
    assert!(names.starts_with("n2 people_in_meeting") && names.contains("\"hana\""), "{names}");
    assert!(names.contains("a_caller") && !names.contains("0177"), "{names}");
    let spoken_without_voice = &stage.utterances[&alone].otherwise;
    assert_eq!(spoken_without_voice.len(), 2, "the count alone");
    stage.set(|settings| settings.hide_attendee_list = true);
    stage.keys(alone, "*0");
    assert_eq!(stage.heard(alone), "n2 people_in_meeting");
}

#[test]
fn i58_hosts_keys_are_for_hosts() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let leg = caller(&mut stage, 1, "+12025550177");
    for keys in ["*2", "*3", "*4", "*9"] {
        stage.keys(leg, keys);
        assert_eq!(stage.heard(leg), "hosts_only", "{keys}");
    }
    stage.keys(leg, "*9");
    assert_eq!(stage.count_events("meeting.ended"), 0);
    stage.keys(leg, "*1");
    assert_eq!(stage.heard(leg), "help");
    let person = stage.focus.leg_person(leg).unwrap().1.clone();
    stage.ok(Command::SetRole { meeting: meeting_id(), person, role: Role::Host });
    let guest = caller(&mut stage, 2, "+12025550178");
    stage.keys(leg, "*1");
    assert_eq!(stage.heard(leg), "help host_help");
    stage.keys(leg, "*2");
    assert_eq!((stage.heard(leg), stage.heard(guest)), ("everybody_muted", "muted_by_host"));
    assert!(!stage.plan(guest).send_audio && stage.plan(leg).send_audio);
    stage.keys(leg, "*3");
    assert_eq!(stage.heard(leg), "meeting_is_locked");
    assert_eq!(stage.count_events("meeting.locked"), 1);
    stage.keys(leg, "*3");
    assert_eq!(stage.heard(leg), "meeting_is_open");
    stage.keys(leg, "*4");
    assert_eq!(stage.heard(leg), "nobody_waits");
    stage.set(|settings| settings.lobby = true);
    let waiting = caller(&mut stage, 3, "+12025550179");
    assert!(!stage.plan(waiting).receive_audio);
    stage.keys(leg, "*4");
    assert_eq!(stage.heard(leg), "everybody_in");
    assert!(stage.plan(waiting).receive_audio);
    stage.keys(leg, "*9");
    assert_eq!(stage.heard(leg), "press_again_to_end");
    stage.keys(leg, "*9");
    assert_eq!(stage.count_events("meeting.ended"), 1);
}

#[test]
fn d21_i58_keys_by_info_count_and_a_key_by_both_ways_counts_once() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let session = stage.call_in(1, Origin::TrustedPeer, "900000001", "+12025550177");
    let leg = stage.last_leg();
    let info = |stage: &mut Stage, session: SessionId, digit| {
        stage.sip(SipEvent::Dtmf { session, digit, duration: None });
    };
    info(&mut stage, session, '*');
    info(&mut stage, session, '6');
    assert_eq!(stage.heard(leg), "muted");
    for key in ['*', '6'] {
        stage.pass(at_ms(1_000));
        stage.press(leg, key);
        info(&mut stage, session, key);
    }
    assert_eq!(stage.heard(leg), "unmuted");
    assert_eq!(stage.count_events("person.muted"), 2);
}

#[test]
fn i57_chimes_for_the_others_up_to_a_number_of_people() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.set(|settings| settings.chimes_up_to = 3);
    let chimes = |stage: &Stage, name: &str| {
        // In whatever order: people who dial in have chance ids.
        let said = stage.said.iter().filter(|(_, words)| words == name);
        let mut legs: Vec<LegId> = said.map(|(leg, _)| *leg).collect();
        legs.sort_unstable();
        legs
    };
    let one = caller(&mut stage, 1, "+12025550171");
    assert!(chimes(&stage, "join_chime").is_empty(), "nobody else is there");
    let two = caller(&mut stage, 2, "+12025550172");
    assert_eq!(chimes(&stage, "join_chime"), [one]);
    let session = stage.call_in(3, Origin::TrustedPeer, "900000001", "+12025550173");
    assert_eq!(chimes(&stage, "join_chime"), [one, one, two]);
    let four = caller(&mut stage, 4, "+12025550174");
    assert_eq!(chimes(&stage, "join_chime").len(), 3, "crowded");
    stage.over(session, sip_core::ua::EndCause::RemoteBye);
    assert_eq!(chimes(&stage, "leave_chime"), [one, two, four]);
    stage.set(|settings| settings.chimes = false);
    caller(&mut stage, 5, "+12025550175");
    assert_eq!(chimes(&stage, "join_chime").len(), 3);
}

#[test]
fn i57_a_chime_interrupts_nobody_and_is_not_heard_outside() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.set(|settings| settings.lobby = true);
    let waiting = caller(&mut stage, 1, "+12025550171");
    stage.set(|settings| settings.lobby = false);
    stage.spoken(waiting);
    stage.dial(to_number("c1", "tom", "+12025550179")).unwrap();
    stage.pick_up(stage.last_session());
    let gate = stage.last_leg();
    let asks = caller(&mut stage, 2, "+12025550172");
    stage.keys(asks, "*1");
    let from = stage.said.len();
    caller(&mut stage, 3, "+12025550173");
    let chimed: Vec<LegId> = stage.said[from..].iter().map(|(leg, _)| *leg).collect();
    assert!(!chimed.contains(&gate) && !chimed.contains(&asks), "{chimed:?}");
    assert!(chimed.contains(&waiting), "let in when the lobby went");
}

#[test]
fn i42_i50_nine_at_the_gate_is_written_down_and_ends_the_call() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    let session = stage.last_session();
    stage.ring(session);
    stage.pass(at_ms(4_000));
    stage.pick_up(session);
    let leg = stage.last_leg();
    stage.pass(at_ms(2_500));
    stage.press(leg, '9');
    assert_eq!(stage.heard(leg), "will_not_be_called goodbye");
    stage.press(leg, '1');
    stage.spoken(leg);
    assert_eq!(stage.state("c1"), (CallState::Failed, Some(Cause::DoNotCall)));
    assert_eq!(stage.hung_up, [session]);
    let listed = stage.records.iter().any(|record| match record {
        Record::DoNotCall { tenant, e164, call, .. } => {
            (tenant.as_str(), e164.as_str(), call.as_ref().map(|c| c.as_str()))
                == ("acme", "+12025550177", Some("c1"))
        }
        _ => false,
    });
    assert!(listed);
    let evidence = &stage.last_event("call.failed")["evidence"];
    assert_eq!((&evidence["key"], &evidence["answered_after_ms"]), (&"9".into(), &4_000.into()));
    assert_eq!(evidence["key_after_ms"], 2_500);
}

#[test]
fn i50_evidence_of_a_voicemail_is_shown_and_written_down() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_number("c1", "tom", "+12025550177")).unwrap();
    stage.pick_up(stage.last_session());
    let leg = stage.last_leg();
    let summary =
        media::answer::AnswerSummary { quiet_ms: 200, greeting_ms: 5_200, speech_ms: 5_000, beep: true };
    stage.media(media::worker::Event::AnswerHeard { leg, summary });
    assert_eq!(stage.last_event("call.evidence")["evidence"]["beep"], true);
    assert_eq!(stage.last_event("call.evidence")["state"], "confirming");
    stage.pass(at_ms(40_000));
    let written = stage.records.iter().find_map(|record| match record {
        Record::CallEvidence { evidence, .. } => Some(*evidence),
        _ => None,
    });
    assert_eq!(written.unwrap().greeting_ms, Some(5_200));
    let detail = stage.records.iter().rev().find_map(|record| match record {
        Record::CallState { detail, .. } => detail.clone(),
        _ => None,
    });
    assert!(detail.unwrap().contains("beep heard, no key"));
}
