//! What a plan allows, and that nothing else happens.

use super::*;
use std::sync::Arc;

use crate::prompt::{Language, PromptId, PromptSet};

#[test]
fn b47_a_leg_without_a_plan_is_silent_and_deaf() {
    let mut bench = Bench::new();
    let member = bench.phone(1, Codec::Pcmu, 500, ALL);
    let browser = bench.browser(2, 900, ALL);
    let unadmitted = bench.phone(3, Codec::Pcmu, 1_300, NOTHING);
    let unadmitted_browser = bench.browser(4, 1_700, NOTHING);
    bench.settle(50);
    bench.run(50);
    for ear in [member, browser] {
        assert!(bench.hears(ear, 1_300) < -55.0 && bench.hears(ear, 1_700) < -55.0);
    }
    assert!(bench.hears_nothing(unadmitted) && bench.hears_nothing(unadmitted_browser));
    assert_eq!(bench.phones[&unadmitted].received.len(), 100, "but it is sent silence");
}

#[test]
fn a59_an_attendees_voice_reaches_nobody_from_the_first_packet_on() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let browser = bench.browser(2, 0, ALL);
    let attendee = bench.phone(3, Codec::Pcmu, 500, LISTEN);
    bench.run(100);
    assert!(bench.hears_nothing(ear) && bench.hears_nothing(browser), "not one sample");
    assert!(
        !bench.events.iter().any(|event| matches!(event, Event::ActiveSpeaker { .. } | Event::Levels { .. }))
    );
    assert_eq!(bench.count(&Event::MediaStarted { leg: attendee }), 1);
}

#[test]
fn b47_a_view_only_browser_that_publishes_anyway_is_not_heard() {
    let mut bench = Bench::new();
    let phone = bench.phone(1, Codec::Pcma, 0, ALL);
    let other = bench.browser(2, 0, ALL);
    let viewer = bench.browser(3, 700, LISTEN);
    bench.phone(4, Codec::Pcmu, 1_100, ALL);
    bench.settle(50);
    bench.run(50);
    for ear in [phone, other] {
        assert!(bench.hears(ear, 700) < -55.0);
        assert!(bench.hears(ear, 1_100) > -16.0);
    }
    assert!(bench.hears(viewer, 1_100) > -16.0, "he hears the others");
}

#[test]
fn a_muted_voice_changes_not_one_byte_of_what_others_get() {
    let run = |muted_hz: u32| {
        let mut bench = Bench::new();
        bench.phone(1, Codec::Pcmu, 0, ALL);
        bench.phone(2, Codec::Pcmu, 500, ALL);
        bench.phone(3, Codec::Pcmu, muted_hz, LISTEN);
        bench.run(60);
        bench.phones.values().map(|phone| phone.heard.clone()).collect::<Vec<_>>()
    };
    assert_eq!(run(1_300), run(0));
}

#[test]
fn d47_role_change_takes_effect_within_100_ms() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let speaker = bench.phone(2, Codec::Pcmu, 500, LISTEN);
    bench.settle(50);
    let mut change = |plan: LegPlan, audible: bool| {
        bench.plan(speaker, plan);
        bench.phones.get_mut(&ear).unwrap().heard.clear();
        let ticks = (1..=5).find(|_| {
            bench.phones.get_mut(&ear).unwrap().heard.clear();
            bench.tick();
            bench.hears_nothing(ear) != audible
        });
        assert_eq!(ticks, Some(1), "at the very next tick");
        bench.run(10);
    };
    change(ALL, true);
    change(LISTEN, false);
    change(ALL, true);
}

#[test]
fn d47_a_plan_waits_for_the_tick_and_the_last_one_counts() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let speaker = bench.phone(2, Codec::Pcmu, 500, LISTEN);
    bench.settle(20);
    bench.plan(speaker, ALL);
    bench.plan(speaker, NOTHING);
    bench.run(20);
    assert!(bench.hears_nothing(ear));
}

#[test]
fn i51_during_the_prompt_he_hears_the_prompt_only_and_the_meeting_hears_nothing() {
    let mut bench = Bench::new();
    let host = bench.phone(1, Codec::Pcmu, 500, ALL);
    let callee = bench.phone(2, Codec::Pcmu, 900, NOTHING);
    let prompt = PromptSet::default().get(Language::English, PromptId::Help);
    let source = Source::clip(Arc::clone(&prompt));
    bench.command(Command::Play { leg: callee, source, repeat: true, playing: PlayingId(1) });
    bench.run(100);
    assert!(bench.hears_nothing(host));
    assert!(bench.hears(callee, 500) < -50.0, "not the meeting");
    let spoken = crate::level::measure(&prompt.samples(crate::sample::Rate::Narrow)[..100 * NARROW_FRAME]);
    assert!(crate::level::measure(&bench.phones[&callee].heard).abs_diff(spoken) <= 1);
    bench.command(Command::StopPlaying { leg: callee });
    bench.plan(callee, ALL);
    bench.settle(20);
    bench.run(50);
    assert!(bench.hears(callee, 500) > -16.0 && bench.hears(host, 900) > -16.0);
    assert_eq!(bench.count(&Event::PlayingDone { leg: callee, playing: PlayingId(1) }), 0);
}

#[test]
fn d50_a_tone_lies_over_the_meeting_for_him_who_listens() {
    let mut bench = Bench::new();
    let listener = bench.phone(1, Codec::Pcmu, 0, LISTEN);
    let browser = bench.browser(2, 0, LISTEN);
    let other = bench.phone(3, Codec::Pcmu, 500, ALL);
    for leg in [listener, browser] {
        bench.command(Command::Play {
            leg,
            source: Source::Tone { hz: 1_000 },
            repeat: true,
            playing: PlayingId(1),
        });
    }
    bench.settle(30);
    bench.run(50);
    for leg in [listener, browser] {
        assert!(bench.hears(leg, 500) > -16.0 && bench.hears(leg, 1_000) > -10.0, "{leg:?}");
    }
    assert!(bench.hears(other, 1_000) < -60.0, "not by the others");
    bench.command(Command::Play {
        leg: listener,
        source: Source::Tone { hz: 1_000 },
        repeat: false,
        playing: PlayingId(1),
    });
    bench.run(30);
    assert_eq!(bench.count(&Event::PlayingDone { leg: listener, playing: PlayingId(1) }), 1);
}

#[test]
fn a_prompt_waits_until_there_is_somebody_to_hear_it() {
    let mut bench = Bench::new();
    let leg = LegId(9);
    bench.command(Command::AddSipLeg { leg, room: ROOM });
    bench.command(Command::Play {
        leg,
        source: Source::Tone { hz: 440 },
        repeat: false,
        playing: PlayingId(1),
    });
    bench.run(50);
    assert_eq!(bench.count(&Event::PlayingDone { leg, playing: PlayingId(1) }), 0);
    let negotiated = negotiated("192.0.2.9:4000".parse().unwrap(), Codec::Pcmu);
    bench.command(Command::SetSipRemote { leg, negotiated, symmetric_from: None });
    bench.run(20);
    assert_eq!(bench.count(&Event::PlayingDone { leg, playing: PlayingId(1) }), 1);
}

#[test]
fn a_leg_that_left_is_heard_no_more_and_commands_for_it_do_no_harm() {
    let mut bench = Bench::new();
    let ear = bench.phone(1, Codec::Pcmu, 0, ALL);
    let gone = bench.phone(2, Codec::Pcmu, 500, ALL);
    bench.settle(20);
    bench.command(Command::RemoveLeg { leg: gone });
    bench.settle(1);
    bench.plan(gone, ALL);
    bench.command(Command::StopPlaying { leg: gone });
    bench.run(20);
    assert!(bench.hears_nothing(ear));
    bench.command(Command::RemoveLeg { leg: ear });
    assert_eq!((bench.worker.load().rooms, bench.worker.load().legs), (0, 0));
}

#[test]
fn a59_a_voice_taken_away_has_no_level_from_that_tick_on() {
    for phase in 0..12 {
        let mut bench = Bench::new();
        let speaker = bench.phone(1, Codec::Pcmu, 500, ALL);
        bench.run(20 + phase);
        bench.plan(speaker, LISTEN);
        bench.events.clear();
        bench.run(20);
        let loud =
            bench.events.iter().filter(|event| matches!(event, Event::Levels { dbov, .. } if *dbov < 127));
        assert_eq!(loud.count(), 0, "taken away after {} ticks", 20 + phase);
    }
}
