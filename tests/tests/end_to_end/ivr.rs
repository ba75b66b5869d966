//! Callers who dial a number, key in meeting id and PIN, and use keys in the meeting: everything by handset, everything
//! over the wire.

use std::sync::Arc;
use std::time::{Duration, Instant};

use media::prompt::{Language, PromptId, PromptSet};
use media::sample::Rate;
use partyline_tests::api::{Api, CallTarget};
use partyline_tests::carrier;
use partyline_tests::ear::Ear;
use partyline_tests::error::LabResult;
use partyline_tests::rtp_leg::KeyPress;
use partyline_tests::sip::call::{Call, EndedBy, Script};
use partyline_tests::stage::{Room, Stage};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_one, eventually, on_stage, on_stage_with};

/// The demonstration's number for callers.
const DIAL_IN: &str = "+12025550000";
/// The voice of the room. Speech passes over every tone for a moment, and the music stays on those below 1 kHz, so that
/// whoever is told something hears the room only where this tone is steady.
const ROOM: u32 = tone::BYSTANDER;
/// Long enough for a prompt and for keys to be pressed.
const PATIENT: Duration = Duration::from_secs(30);

async fn join_info(api: &Api, meeting: &str) -> LabResult<Value> {
    Ok(api.send("GET", &format!("/v1/meetings/{meeting}/join-info"), &[], None).await?.body)
}

fn press(call: &Call, keys: &str) {
    keys.chars().for_each(|key| call.leg.press(KeyPress::new(key)));
}

/// Somebody outside dials in and keys in the meeting's id; the prompt is not waited for.
async fn dial_in(stage: &Stage, room: &Room, from: &str) -> LabResult<Arc<Call>> {
    let call = stage.carrier.call_in(stage.sip()?, DIAL_IN, from, tone::OUTSIDE).await?;
    call.wait_confirmed(LONG).await?;
    press(&call, &format!("{}#", room.meeting.number));
    Ok(call)
}

/// Whether the room's voice has reached this caller, however faint.
fn room_reached(call: &Call, since: Instant) -> bool {
    call.ear().faintest_trace(ROOM, since) >= tone::SILENT_DBFS
}

async fn joined(room: &Room, number: &str) -> LabResult<Value> {
    let event = room.host.events.wait("the caller's arrival", PATIENT, |event| {
        event.kind == "person.joined" && event.data["person"]["number"] == number
    });
    Ok(event.await?.data["person"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d69_i12_d19_a_caller_hears_prompts_keys_in_id_and_pin_and_is_in() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(ROOM)).await?;
        let info = join_info(&room.api, &room.meeting.id).await?;
        let start = Instant::now();
        let call = stage.carrier.call_in(stage.sip()?, DIAL_IN, carrier::PRESSES_ONE, tone::OUTSIDE).await?;
        call.wait_confirmed(LONG).await?;
        eventually("the prompt", LONG, async || call.ear().peak_since(start) > 2_000).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!room_reached(&call, start), "the caller hears the prompt and not the room");
        let keyed = Instant::now();
        press(&call, &format!("{}#", room.meeting.number));
        press(&call, &format!("{}#", info["guest_pin"].as_str().unwrap()));
        let person = joined(&room, carrier::PRESSES_ONE).await?;
        assert_eq!(person["role"], "attendee", "{person}");
        eventually("the caller to hear Hana", LONG, async || room_reached(&call, keyed)).await;
        assert!(
            room.host.ear().wait_for(tone::OUTSIDE, keyed, LONG).await.is_some(),
            "Hana hears the caller"
        );
        let heard = room.host.ear().first_heard(tone::OUTSIDE, start).unwrap();
        assert!(heard > keyed, "not before the PIN");

        // Keys in the meeting: the caller mutes and unmutes himself, and nobody hears the keys.
        press(&call, "*6");
        let muted = |wanted: bool| {
            room.host.events.wait("muting", LONG, move |event| {
                event.kind == "person.muted" && event.data["person"]["muted_by_self"] == wanted
            })
        };
        muted(true).await?;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let silent = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(room.host.ear().first_heard(tone::OUTSIDE, silent).is_none(), "muted");
        press(&call, "*6");
        muted(false).await?;
        let open = Instant::now();
        assert!(room.host.ear().wait_for(tone::OUTSIDE, open, LONG).await.is_some());
        press(&call, "*5");
        let hand = room.host.events.wait("the hand", LONG, |event| {
            event.kind == "person.hand" && event.data["person"]["hand_raised"] == true
        });
        hand.await?;

        // The end is announced before the BYE.
        let ended = Instant::now();
        room.api.end_meeting(&room.meeting.id).await?;
        assert_eq!(call.wait_ended(Duration::from_secs(15)).await?, EndedBy::RemoteBye);
        assert!(ended.elapsed() > Duration::from_secs(1), "words come before the BYE");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i12_wrong_pin_thrice_is_goodbye_and_bye() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(ROOM)).await?;
        let start = Instant::now();
        let call = dial_in(stage, &room, carrier::PRESSES_ONE).await?;
        press(&call, "000000#000000#000000#");
        assert_eq!(call.wait_ended(PATIENT).await?, EndedBy::RemoteBye);
        assert!(!room_reached(&call, start), "never in");
        assert!(room.host.ear().first_heard(tone::OUTSIDE, start).is_none());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i14_the_host_pin_makes_a_host_by_phone() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let info = join_info(&room.api, &room.meeting.id).await?;
        let call = dial_in(stage, &room, carrier::PRESSES_ONE).await?;
        press(&call, &format!("{}#", info["host_pin"].as_str().unwrap()));
        assert_eq!(joined(&room, carrier::PRESSES_ONE).await?["role"], "host");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i07_a_lobby_phone_hears_music_and_not_the_room_and_is_not_heard() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(ROOM)).await?;
        let path = format!("/v1/meetings/{}", room.meeting.id);
        let changed =
            room.api.send("PATCH", &path, &[], Some(json!({ "settings": { "lobby": true } }))).await?;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let info = join_info(&room.api, &room.meeting.id).await?;
        let start = Instant::now();
        let call = dial_in(stage, &room, carrier::PRESSES_ONE).await?;
        press(&call, &format!("{}#", info["guest_pin"].as_str().unwrap()));
        let waiting = room.host.events.wait("the lobby", PATIENT, |event| event.kind == "person.waiting");
        waiting.await?;
        // The words, then the music.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let music = Instant::now();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(call.ear().peak_since(music) > 500, "music");
        assert!(!room_reached(&call, start), "and not the room");
        assert!(room.host.ear().first_heard(tone::OUTSIDE, start).is_none(), "nor the other way round");
        let admitted = Instant::now();
        room.api.send("POST", &format!("{path}/admit-all"), &[], None).await?;
        eventually("the caller to hear Hana", LONG, async || room_reached(&call, admitted)).await;
        assert!(room.host.ear().wait_for(tone::OUTSIDE, admitted, LONG).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i40_a_desk_phone_that_dials_for_help_gets_403() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let call = uma.call("911").await?;
        assert_eq!(call.wait_ended(PATIENT).await?, EndedBy::Refused(403));
        assert!(stage.carrier.calls().is_empty(), "nothing goes to the carrier");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i42_i50_nine_at_the_gate_and_the_number_is_not_called_again() {
    on_stage(async |stage| {
        stage.carrier.set_callee("+12025550140", |_| {
            Script::answer(Duration::from_millis(300), Voice::silent())
                .pressing(Duration::from_secs(1), KeyPress::new('9'))
        });
        let room = stage.room("hana", "conference", Voice::steady(ROOM)).await?;
        let ticket = call_one(&room, CallTarget::number("+12025550140", "attendee")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed"], PATIENT).await?;
        assert_eq!(over.text("cause"), "do_not_call", "{}", over.data);
        assert_eq!(over.data["evidence"]["key"], "9", "{}", over.data);
        let path = format!("/v1/calls/{}", ticket.id);
        eventually("the evidence in the record", LONG, async || {
            let answer = room.api.send("GET", &path, &[], None).await;
            answer.is_ok_and(|answer| answer.body["evidence"]["key"] == "9")
        })
        .await;
        let again = call_one(&room, CallTarget::number("+12025550140", "attendee")).await?;
        assert_eq!((again.state.as_str(), again.reason.as_deref()), ("refused", Some("do_not_call")));
        Ok(())
    })
    .await;
}

/// The prompts are replaced by tones, so that ears can tell who hears them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d50_i51_prompts_from_a_folder_are_heard_by_whom_they_are_for_and_by_nobody_else() {
    let folder = std::env::temp_dir().join(format!("partyline-e2e-prompts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["invited", "press_one_to_join", "press_nine_no_calls"] {
        std::fs::write(folder.join(format!("{name}.wav")), wav(tone::GREETING)).unwrap();
    }
    let shown = format!("{:?}", folder.display().to_string());
    on_stage_with(
        |config| config.set("prompts", &shown)?.set("voice", "\"\""),
        async |stage| {
            let room = stage.room("hana", "conference", Voice::steady(ROOM)).await?;
            let start = Instant::now();
            call_one(&room, CallTarget::number(carrier::ANSWERS, "attendee")).await?;
            let callee = stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
            assert!(callee.ear().wait_for(tone::GREETING, start, LONG).await.is_some(), "the greeting");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(callee.ear().first_heard(ROOM, start).is_none(), "and not the meeting");
            for hz in [tone::GREETING, tone::BYSTANDER] {
                assert!(room.host.ear().first_heard(hz, start).is_none(), "the meeting hears nothing: {hz}");
            }
            Ok(())
        },
    )
    .await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A second of a tone at 8 kHz.
fn wav(hz: u32) -> Vec<u8> {
    let mut generator = tone::Generator::new(hz, tone::SPEAKING_DBFS);
    let samples: Vec<u8> = (0..8_000).flat_map(|_| generator.next_sample(8_000).to_le_bytes()).collect();
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    file.extend(16_000_u32.to_le_bytes());
    file.extend(samples);
    file
}

/// What stands for the room in these tests is a sound that no prompt holds for as long as a trace must last.
#[test]
fn d50_no_prompt_and_no_music_holds_the_tone_of_the_room() {
    for language in Language::ALL {
        for prompt in PromptId::ALL {
            let recording = PromptSet::default().get(language, prompt);
            let (ear, start) = (Ear::new(8_000), Instant::now());
            for (number, frame) in (0..).zip(recording.samples(Rate::Narrow).chunks(160)) {
                ear.hear(start + Duration::from_millis(20) * number, frame);
            }
            let trace = ear.faintest_trace(ROOM, start);
            assert!(trace < tone::SILENT_DBFS, "{language:?} {prompt:?}: {trace} dB");
        }
    }
}
