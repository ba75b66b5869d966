//! Calls that are answered: sound both ways, several at once, states, keys, voicemail.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::carrier::{self, person_who_presses};
use partyline_tests::delay::mouth_to_ear;
use partyline_tests::rtp_leg::KeyPress;
use partyline_tests::shared::token;
use partyline_tests::sip::call::{EndedBy, Outcome, Script};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, on_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a58_d40_d41_d68_after_the_answer_both_sides_hear_each_other() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let call = uma.wait_incoming(0, LONG).await?;
        let joined = Instant::now();
        let second = Duration::from_secs(1);
        assert!(
            room.host.ear().wait_for(tone::UMA, joined, second).await.is_some(),
            "Hana does not hear Uma"
        );
        assert!(call.ear().wait_for(tone::HANA, joined, second).await.is_some(), "Uma does not hear Hana");
        tokio::time::sleep(second).await;
        assert_eq!(room.host.ear().tones_since(joined, Duration::from_millis(100)), [tone::UMA], "no echo");
        assert_eq!(call.ear().tones_since(joined, Duration::from_millis(100)), [tone::HANA], "no echo");
        let delay = mouth_to_ear(call.voice(), tone::UMA, room.host.ear(), 3).await?;
        assert!(delay < Duration::from_millis(300), "phone to browser takes {delay:?}");
        let delay = mouth_to_ear(room.host.voice(), tone::HANA, call.ear(), 3).await?;
        assert!(delay < Duration::from_millis(300), "browser to phone takes {delay:?}");
        Ok(())
    })
    .await;
}

/// 183 with sound: the Host is told that there is some and may listen, alone; neither side hears the other before the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_21_d35_sound_before_the_answer_is_told_to_the_host_and_stays_out_of_the_meeting() {
    on_stage(async |stage| {
        stage.carrier.set_callee(carrier::ANSWERS, |_| Script {
            early: true,
            outcome: Outcome::Ring,
            ..person_who_presses(KeyPress::new('1'), Duration::from_secs(1), tone::OUTSIDE)
        });
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let start = Instant::now();
        let ticket = call_one(&room, CallTarget::number(carrier::ANSWERS, "presenter")).await?;
        let rings = room.host.events.wait_call(&ticket.id, &["ringing"], LONG).await?;
        assert_eq!((&rings.data["early_media"], rings.data["sip_code"].as_u64()), (&true.into(), Some(183)));
        assert_eq!(rings.text("words"), "Ringing, with sound from the carrier");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let callee = stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        assert_eq!(callee.ear().peak_since(start), 0, "before the answer the callee hears nothing");
        let path = format!("/v1/calls/{}/listen", ticket.id);
        assert!(room.host.ear().tones_since(start, Duration::from_millis(100)).is_empty(), "not asked for");
        let listened = Instant::now();
        assert_eq!(room.api.send("PUT", &path, &[], None).await?.status, 204);
        assert!(room.host.ear().wait_for(tone::OUTSIDE, listened, LONG).await.is_some(), "what comes early");
        assert_eq!(room.api.send("DELETE", &path, &[], None).await?.status, 204);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let quiet = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(room.host.ear().tones_since(quiet, Duration::from_millis(100)).is_empty(), "listens no more");
        assert_eq!(callee.ear().peak_since(start), 0, "nor does the callee hear the Host who listens");
        let start = Instant::now();
        callee.answer();
        room.host.events.wait_call(&ticket.id, &["joined"], LONG).await?;
        let here = room.host.ear().wait_for(tone::OUTSIDE, start, LONG).await;
        let keyed = callee.times().confirmed.map(|at| at + Duration::from_secs(1));
        assert!(here > keyed, "heard at {here:?}, the key was pressed at {keyed:?}");
        assert!(callee.ear().wait_for(tone::HANA, Instant::now(), LONG).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a53_a54_d37_calls_begin_together_and_only_when_pressed() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((uma.counts().invites, stage.carrier.counts().invites), (0, 0), "nothing before CALL");
        let targets = [
            CallTarget::device(&user.id, "103a", "presenter"),
            CallTarget::number("(202) 555-0177", "attendee"),
            CallTarget::number("+1 202 555 0110", "attendee"),
        ];
        let pressed = Instant::now();
        let tickets = room.api.call(&room.meeting.id, &targets, &token()).await?;
        assert!(
            pressed.elapsed() < Duration::from_millis(500),
            "ids at once, not after {:?}",
            pressed.elapsed()
        );
        assert_eq!(tickets.len(), 3);
        assert_eq!(tickets[1].number.as_deref(), Some(carrier::PRESSES_ONE), "A50: shown in E.164");
        uma.wait_incoming(0, LONG).await?;
        for number in [carrier::PRESSES_ONE, carrier::ANSWERS] {
            let call = stage.carrier.wait_call_to(number, LONG).await?;
            assert!(call.facts.at - pressed < Duration::from_secs(2), "{number} rang late");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a58_d35_d69_an_outside_person_goes_through_the_states_in_order() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let id = call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        let states = room.host.events.call_states(&id);
        let states: Vec<&str> =
            states.iter().map(String::as_str).filter(|state| *state != "queued").collect();
        assert_eq!(states, ["dialling", "ringing", "answered", "confirming", "joined"]);
        let call = stage.carrier.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
        let joined = Instant::now();
        assert!(call.ear().wait_for(tone::HANA, joined, LONG).await.is_some(), "the handset hears Hana");
        assert!(room.host.ear().wait_for(tone::OUTSIDE, joined, LONG).await.is_some(), "and is heard");
        call.hang_up();
        let ended = room.host.events.wait_call(&id, &["ended"], LONG).await?;
        assert_eq!(ended.text("cause"), "hung_up");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i51_before_the_key_nothing_passes_either_way() {
    on_stage(async |stage| {
        let number = "+12025550178";
        let three = Duration::from_secs(3);
        stage
            .carrier
            .set_callee(number, move |_| person_who_presses(KeyPress::new('1'), three, tone::OUTSIDE));
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let start = Instant::now();
        let ticket = call_one(&room, CallTarget::number(number, "presenter")).await?;
        let confirming = room.host.events.wait_call(&ticket.id, &["confirming"], LONG).await?;
        let joined = room.host.events.wait_call(&ticket.id, &["joined"], LONG).await?;
        let waited = joined.seen - confirming.seen;
        assert!(waited > Duration::from_secs(2), "joined by a key, not by itself, after {waited:?}");
        let call = stage.carrier.wait_call_to(number, LONG).await?;
        let early = call.ear().heard_between(start, joined.seen - Duration::from_millis(100));
        // The prompt's voice passes over Hana's tone, but does not stay there.
        let second = Duration::from_secs(1);
        let hana = early.iter().find(|one| one.hz == tone::HANA && one.duration > second);
        assert!(hana.is_none(), "the called person heard the meeting: {early:?}");
        assert!(call.ear().peak_since(start) > 500, "a prompt was spoken");
        let leaked = room.host.ear().heard_between(start, joined.seen - Duration::from_millis(100));
        assert!(leaked.is_empty(), "the meeting heard {leaked:?}");
        assert!(room.host.ear().wait_for(tone::OUTSIDE, joined.seen, LONG).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i50_d21_keys_without_a_marker_and_other_keys() {
    on_stage(async |stage| {
        let number = "+12025550179";
        let key = |digit, marker| KeyPress { marker, ..KeyPress::new(digit) };
        stage.carrier.set_callee(number, move |_| {
            person_who_presses(key('5', true), Duration::from_secs(1), tone::OUTSIDE)
                .pressing(Duration::from_secs(3), key('1', false))
        });
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(number, "presenter")).await?;
        let answered = room.host.events.wait_call(&ticket.id, &["answered"], LONG).await?;
        let joined = room.host.events.wait_call(&ticket.id, &["joined", "ended"], LONG).await?;
        assert_eq!(joined.text("state"), "joined");
        assert!(joined.seen - answered.seen > Duration::from_secs(2), "the 5 let them in");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i50_a_voicemail_is_never_heard_and_ends_not_confirmed() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        uma.voice.set(None);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let start = Instant::now();
        let ticket = call_one(&room, CallTarget::number(carrier::VOICEMAIL, "presenter")).await?;
        // The gate waits 30 seconds for a key.
        let long = Duration::from_secs(45);
        let over = room.host.events.wait_call(&ticket.id, &["ended", "failed"], long).await?;
        assert_eq!(over.text("cause"), "not_confirmed", "{}", over.data);
        assert!(!room.host.events.call_states(&ticket.id).contains(&"joined".to_owned()));
        let voicemail = stage.carrier.wait_call_to(carrier::VOICEMAIL, LONG).await?;
        assert_eq!(voicemail.wait_ended(LONG).await?, EndedBy::RemoteBye);
        let phone = uma.wait_incoming(0, LONG).await?;
        for (who, ear) in [("Hana", room.host.ear()), ("Uma", phone.ear())] {
            for hz in [tone::GREETING, tone::BEEP] {
                let level = ear.faintest_trace(hz, start);
                assert!(level < tone::SILENT_DBFS, "{who} heard the {} at {level}", tone::owner(hz));
            }
        }
        assert!(
            phone.ear().peak_since(start) <= 8,
            "not one sample reaches the phone: {}",
            phone.ear().peak_since(start)
        );
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d39_the_same_key_never_rings_twice() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        let targets = [CallTarget::device(&user.id, "103a", "presenter")];
        let key = token();
        // A double click: both requests are on their way before either is answered.
        let (first, second) = tokio::join!(
            room.api.call(&room.meeting.id, &targets, &key),
            room.api.call(&room.meeting.id, &targets, &key)
        );
        let third = room.api.call(&room.meeting.id, &targets, &key).await?;
        // One of the two may be told to come back; whoever got a call got the same one.
        for tickets in [first, second].into_iter().flatten() {
            assert_eq!(tickets[0].id, third[0].id);
        }
        room.host.events.wait_call(&third[0].id, &["joined"], LONG).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(uma.counts().invites, 1, "one INVITE");
        Ok(())
    })
    .await;
}
