//! Lobby, lock, mute-all and end bind a phone exactly like a browser; the states of a meeting; rooms and plans by API.

use std::time::Instant;

use partyline_tests::api::Api;
use partyline_tests::ear::Ear;
use partyline_tests::error::LabResult;
use partyline_tests::participant::Participant;
use partyline_tests::sip::call::EndedBy;
use partyline_tests::stage::Stage;
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, eventually, on_stage};

async fn ask(api: &Api, method: &str, path: &str, body: Value) -> LabResult<Value> {
    api.send(method, path, &[], Some(body)).await?.read(&format!("{method} {path}"))
}

async fn state(api: &Api, id: &str) -> String {
    api.meeting(id).await.map(|meeting| meeting.state).unwrap_or_default()
}

fn quiet(ear: &Ear, hz: u32, start: Instant, who: &str) {
    let level = ear.faintest_trace(hz, start);
    assert!(level < tone::SILENT_DBFS, "{who} heard {hz} Hz at {level} dB");
}

async fn waiting(api: &Api, id: &str, count: usize) {
    let path = format!("/v1/meetings/{id}/people");
    eventually("people in the lobby", LONG, async || {
        let people = ask(api, "GET", &path, Value::Null).await.unwrap_or_default();
        let rows = people["people"].as_array().cloned().unwrap_or_default();
        rows.iter().filter(|row| row["waiting"] == true).count() == count
    })
    .await;
}

/// A meeting of Hana's with Ari invited, with these settings; nobody is in.
async fn meeting(stage: &Stage, settings: Value) -> LabResult<(Api, Api, String, String)> {
    let (hana, _) = stage.login("hana").await?;
    let (ari, _) = stage.login("ari").await?;
    let user = hana.user("ari").await?.id;
    let body = json!({"title": "Lobby", "people": [{"user": user}], "settings": settings});
    let created = ask(&hana, "POST", "/v1/meetings", body).await?;
    let text = |name: &str| created[name].as_str().unwrap_or_default().to_owned();
    Ok((hana, ari, text("id"), text("number")))
}

/// Asks 4: whatever a Host does to a browser, the same happens to a phone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i07_i08_i09_i75_lobby_lock_mute_all_and_end_bind_a_phone_like_a_browser() {
    on_stage(async |stage| {
        let (hana, ari, id, number) = meeting(stage, json!({})).await?;
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let path = |rest: &str| format!("/v1/meetings/{id}{rest}");

        // Before the Host comes both wait, hear music, and neither hears the other.
        let start = Instant::now();
        let browser = Participant::join(&ari, &id, Voice::steady(tone::GUEST)).await?;
        let phone = uma.call(&number).await?;
        phone.wait_confirmed(LONG).await?;
        waiting(&hana, &id, 2).await;
        eventually("music in both ears", LONG, async || {
            phone.ear().peak_since(start) > 500 && browser.ear().peak_since(start) > 500
        })
        .await;
        quiet(phone.ear(), tone::GUEST, start, "the phone in the lobby");
        quiet(browser.ear(), tone::UMA, start, "the browser in the lobby");

        // The Host comes: both are in.
        let host = Participant::join(&hana, &id, Voice::steady(tone::HANA)).await?;
        let came = Instant::now();
        for (ear, hz) in [
            (phone.ear(), tone::HANA),
            (browser.ear(), tone::HANA),
            (host.ear(), tone::UMA),
            (host.ear(), tone::GUEST),
            (phone.ear(), tone::GUEST),
        ] {
            assert!(ear.wait_for(hz, came, LONG).await.is_some(), "{hz} Hz is heard once a Host is there");
        }

        // Mute all: neither is heard, both hear.
        ask(&hana, "POST", &path("/mute-all"), json!({})).await?;
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let muted = Instant::now();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        quiet(host.ear(), tone::UMA, muted, "the Host");
        quiet(host.ear(), tone::GUEST, muted, "the Host");
        assert!(phone.ear().wait_for(tone::HANA, muted, LONG).await.is_some());
        ask(&hana, "POST", &path("/unmute-all"), json!({})).await?;
        let unmuted = Instant::now();
        assert!(
            host.ear().wait_for(tone::UMA, unmuted, LONG).await.is_some(),
            "a phone is heard again at once"
        );
        let me = ari.meeting(&id).await?.person("Ari").map(|person| person.id.clone()).unwrap_or_default();
        ari.set_muted(&id, &me, false).await?;
        assert!(
            host.ear().wait_for(tone::GUEST, unmuted, LONG).await.is_some(),
            "a browser has answered the request"
        );

        // Lock: who is in stays, a second phone and a second browser stay out.
        ask(&hana, "POST", &path("/lock"), json!({})).await?;
        let pia = stage.registered_phone("101a", tone::PIA).await?;
        let late = pia.call(&number).await?;
        assert!(matches!(late.wait_ended(LONG).await?, EndedBy::Refused(_)), "the phone is turned away");
        let (tia, _) = stage.login("tia").await?;
        let refused =
            Participant::join(&tia, &id, Voice::silent()).await.err().map(|error| error.to_string());
        assert!(refused.is_some_and(|text| text.contains("locked")), "the browser is turned away");
        ask(&hana, "POST", &path("/unlock"), json!({})).await?;

        // End: the phone gets its BYE, the browser its leave.
        hana.end_meeting(&id).await?;
        assert_eq!(phone.wait_ended(LONG).await?, EndedBy::RemoteBye);
        eventually("everybody to be out", LONG, async || {
            let people = hana.meeting(&id).await.map(|meeting| meeting.people).unwrap_or_default();
            people.iter().all(|person| !person.present)
        })
        .await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_i07_whoever_waits_is_let_in_or_sent_away_one_by_one() {
    on_stage(async |stage| {
        let (hana, ari, id, number) = meeting(stage, json!({"lobby": true})).await?;
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let host = Participant::join(&hana, &id, Voice::steady(tone::HANA)).await?;
        let start = Instant::now();
        let browser = Participant::join(&ari, &id, Voice::steady(tone::GUEST)).await?;
        let phone = uma.call(&number).await?;
        phone.wait_confirmed(LONG).await?;
        waiting(&hana, &id, 2).await;
        let person = |name: &str| {
            let (hana, id, name) = (hana.clone(), id.clone(), name.to_owned());
            async move {
                let meeting = hana.meeting(&id).await?;
                LabResult::Ok(meeting.person(&name).map(|person| person.id.clone()).unwrap_or_default())
            }
        };
        let caller = person("Uma").await?;
        quiet(host.ear(), tone::UMA, start, "the Host");
        quiet(phone.ear(), tone::HANA, start, "the phone in the lobby");
        ask(&hana, "POST", &format!("/v1/meetings/{id}/people/{caller}/admit"), json!({})).await?;
        assert!(host.ear().wait_for(tone::UMA, start, LONG).await.is_some());
        assert!(phone.ear().wait_for(tone::HANA, start, LONG).await.is_some());
        quiet(host.ear(), tone::GUEST, start, "the Host");
        let ari_row = person("Ari").await?;
        ask(&hana, "POST", &format!("/v1/meetings/{id}/people/{ari_row}/deny"), json!({})).await?;
        waiting(&hana, &id, 0).await;
        quiet(browser.ear(), tone::HANA, start, "the browser sent away");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i01_every_state_is_walked_through_by_api() {
    on_stage(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (ari, _) = stage.login("ari").await?;
        let user = hana.user("ari").await?.id;
        let body = json!({"title": "States", "draft": true, "people": [{"user": user}],
            "settings": {"host_required": false, "empty_grace_seconds": 1}});
        let draft = ask(&hana, "POST", "/v1/meetings", body).await?;
        let id = draft["id"].as_str().unwrap_or_default().to_owned();
        assert_eq!(state(&hana, &id).await, "draft");
        ask(&hana, "POST", &format!("/v1/meetings/{id}/publish"), json!({})).await?;
        assert_eq!(state(&hana, &id).await, "scheduled");
        let guest = Participant::join(&ari, &id, Voice::silent()).await?;
        assert_eq!(state(&hana, &id).await, "started");
        let host = Participant::join(&hana, &id, Voice::silent()).await?;
        assert_eq!(state(&hana, &id).await, "active");
        guest.leave().await?;
        host.leave().await?;
        eventually("the empty meeting to end", LONG, async || state(&hana, &id).await == "ended").await;
        ask(&hana, "POST", &format!("/v1/meetings/{id}/end?complete=true"), json!({})).await?;
        assert_eq!(state(&hana, &id).await, "complete");
        assert!(Participant::join(&ari, &id, Voice::silent()).await.is_err());
        ask(&hana, "DELETE", &format!("/v1/meetings/{id}"), Value::Null).await?;
        assert_eq!(state(&hana, &id).await, "cancelled");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a31_i05_a_room_used_twice_and_a_weekly_meeting_across_the_change_of_clocks() {
    on_stage(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let room = ask(&hana, "POST", "/v1/meetings", json!({"title": "Room", "kind": "room"})).await?;
        let id = room["id"].as_str().unwrap_or_default().to_owned();
        let info = format!("/v1/meetings/{id}/join-info");
        let before = ask(&hana, "GET", &info, Value::Null).await?;
        for _ in 0..2 {
            let host = Participant::join(&hana, &id, Voice::silent()).await?;
            assert_eq!(state(&hana, &id).await, "active");
            hana.end_meeting(&id).await?;
            assert_eq!(ask(&hana, "GET", &info, Value::Null).await?, before, "identical after each use");
            drop(host);
        }
        stage.crash_and_restart().await?;
        let (hana, _) = stage.login("hana").await?;
        let after = ask(&hana, "GET", &info, Value::Null).await?;
        for part in ["meeting_number", "guest_pin", "host_pin", "personal_pin"] {
            assert_eq!(after[part], before[part], "{part} survives a crash");
        }
        let body = json!({
            "title": "Weekly", "kind": "recurring", "start": "2027-10-25T09:00:00", "duration_minutes": 60,
            "time_zone": "America/Chicago", "rrule": "FREQ=WEEKLY;COUNT=4",
        });
        let weekly = ask(&hana, "POST", "/v1/meetings", body).await?;
        let path = format!("/v1/meetings/{}/occurrences", weekly["id"].as_str().unwrap_or_default());
        let runs = ask(&hana, "GET", &path, Value::Null).await?;
        let runs: Vec<_> = runs["occurrences"].as_array().cloned().unwrap_or_default();
        assert_eq!(runs.len(), 4);
        assert!(
            runs.iter()
                .all(|run| run["start_local"].as_str().is_some_and(|text| text.ends_with("T09:00:00")))
        );
        // The clocks of Chicago go back on Sunday, 7 November 2027, between the second and the third.
        assert_eq!((&runs[1]["utc_offset"], &runs[2]["utc_offset"]), (&json!("-05:00"), &json!("-06:00")));
        Ok(())
    })
    .await;
}
