//! Who may be heard.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::delay::mouth_to_ear;
use partyline_tests::ear::Ear;
use partyline_tests::error::LabResult;
use partyline_tests::participant::Participant;
use partyline_tests::stage::{Room, Stage};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_and_join, on_stage, person_id};

/// From the request for the change until the first sample is heard, besides the way every sample takes.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Calls Uma's desk phone; returns what the phone hears of a meeting that hears nothing of it.
async fn unheard(
    stage: &Stage,
    kind: &str,
    target: impl Fn(CallTarget) -> CallTarget,
    change: Value,
) -> LabResult<()> {
    let uma = stage.registered_phone("103a", tone::UMA).await?;
    let room = stage.room("hana", kind, Voice::silent()).await?;
    let listener = call_listener(stage, &room).await?;
    // The listener's own prompt ends, and so does his voice.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    let user = room.api.user("uma").await?;
    call_and_join(&room, target(CallTarget::device(&user.id, "103a", "attendee"))).await?;
    let call = uma.wait_incoming(0, LONG).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let loudest = listener.peak_since(start);
    assert!(loudest <= QUIET, "not one sample may reach the person on the trunk; the loudest is {loudest}");
    room.host.voice().set(Some(tone::HANA));
    assert!(call.ear().wait_for(tone::HANA, start, LONG).await.is_some(), "a listener hears the meeting");
    assert!(call.leg.counters.sent.load(std::sync::atomic::Ordering::Relaxed) > 50, "the phone does send");
    silent(room.host.ear(), start, "Hana");
    silent(&listener, start, "the person on the trunk");
    let person = person_id(&room, "Uma").await?;
    let pressed = Instant::now();
    room.api.change_person(&room.meeting.id, &person, change).await?;
    let heard = room.host.ear().wait_for(tone::UMA, pressed, LONG).await;
    let took = heard.expect("Uma is heard after the change") - pressed;
    assert!(listener.wait_for(tone::UMA, pressed, LONG).await.is_some());
    let path = mouth_to_ear(call.voice(), tone::UMA, room.host.ear(), 3).await?;
    assert!(took <= AT_ONCE + path, "heard after {took:?}, of which {path:?} is the way");
    Ok(())
}

/// A-law and mu-law silence.
const QUIET: u16 = 8;

fn silent(ear: &Ear, start: Instant, who: &str) {
    let level = ear.faintest_trace(tone::UMA, start);
    assert!(level < tone::SILENT_DBFS, "{who} heard Uma at {level} dB");
}

async fn call_listener(stage: &Stage, room: &Room) -> LabResult<Ear> {
    call_and_join(room, CallTarget::number(carrier::PRESSES_ONE, "presenter")).await?;
    let call = stage.carrier.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
    call.voice().set(None);
    Ok(call.ear().clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a59_d47_an_attendee_of_a_presentation_is_not_heard_until_presenter() {
    on_stage(async |stage| {
        unheard(stage, "presentation", |target| target, json!({ "role": "presenter" })).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b47_d47_a_view_only_phone_is_not_heard_until_collaborate() {
    on_stage(async |stage| {
        unheard(stage, "conference", CallTarget::view_only, json!({ "access": "collaborate" })).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b47_view_only_silences_at_once_whoever_spoke() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        assert!(room.host.ear().wait_for(tone::UMA, Instant::now(), LONG).await.is_some());
        let person = person_id(&room, "Uma").await?;
        room.api.change_person(&room.meeting.id, &person, json!({ "access": "view_only" })).await?;
        // What was on its way may still arrive.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let silent_from = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        silent(room.host.ear(), silent_from, "Hana");
        assert_eq!(uma.counts().byes, 0, "the phone stays in");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b47_a_view_only_browser_is_not_heard() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let pia = room.api.user("pia").await?;
        let path = format!("/v1/meetings/{}/people", room.meeting.id);
        let person = json!({ "user": pia.id, "role": "presenter", "access": "view_only" });
        let body = json!({ "people": [person] });
        let added = room.api.send("POST", &path, &[], Some(body)).await?;
        assert!(added.status < 300, "{} {}", added.status, added.body);
        let (pia, _) = stage.login("pia").await?;
        let start = Instant::now();
        let guest = Participant::join(&pia, &room.meeting.id, Voice::steady(tone::GUEST)).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let level = room.host.ear().faintest_trace(tone::GUEST, start);
        assert!(level < tone::SILENT_DBFS, "a VIEW ONLY browser was heard at {level} dB");
        drop(guest);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a32_only_a_host_may_call() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let (api, joined) = stage.api.join(&room.meeting.link, Some("Guest")).await?;
        assert_eq!(joined.meeting.id, room.meeting.id);
        let _guest = Participant::join(&api, &room.meeting.id, Voice::silent()).await?;
        let path = format!("/v1/meetings/{}/calls", room.meeting.id);
        let body = json!({ "targets": [{ "number": carrier::ANSWERS, "role": "attendee" }] });
        let answer = api.send("POST", &path, &[("Idempotency-Key", "guest")], Some(body)).await?;
        assert_eq!(answer.status, 403, "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(stage.carrier.counts().invites, 0);
        Ok(())
    })
    .await;
}
