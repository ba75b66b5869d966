//! Calling out: limits, confirmation, calling again, extensions, lost phones, being called.

use std::time::{Duration, Instant};

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::participant::Participant;
use partyline_tests::sip::call::{EndedBy, Script};
use partyline_tests::stage::{Room, Stage};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage};

async fn set_policy(stage: &Stage, policy: Value) -> LabResult<()> {
    let (tia, _) = stage.login("tia").await?;
    tia.set_dial_policy(policy).await
}

async fn call_with(room: &Room, target: Value) -> LabResult<Value> {
    let path = format!("/v1/meetings/{}/calls", room.meeting.id);
    let answer = room.api.send("POST", &path, &[], Some(json!({ "targets": [target] }))).await?;
    assert_eq!(answer.status, 202, "{}", answer.body);
    Ok(answer.body["calls"][0].clone())
}

async fn get(api: &Api, path: &str) -> LabResult<Value> {
    Ok(api.send("GET", path, &[], None).await?.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i34_the_carrier_hears_the_extension_after_the_answer() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let number = format!("{},123#", carrier::ANSWERS);
        let answer = call_with(&room, json!({ "number": number, "role": "attendee" })).await?;
        assert_eq!(answer["state"], "queued", "{answer}");
        let call = stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        eventually("the keys", LONG, async || call.leg.keys_heard() == "123#").await;
        assert!(call.times().answered.is_some());
        let refused = call_with(&room, json!({ "number": "+12025550111,,9,911" })).await?;
        assert_eq!(refused["reason"], "emergency", "{refused}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i44_quiet_hours_ask_before_anybody_is_woken() {
    on_stage(async |stage| {
        // Two minutes around the clock are not quiet: the test does not run at 00:00 or 23:59 in Washington twice.
        set_policy(stage, json!({ "quiet_hours": { "from": "00:01", "until": "00:00" } })).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let target = json!({ "number": carrier::ANSWERS });
        let asked = call_with(&room, target).await?;
        if asked["state"] == "queued" {
            return Ok(());
        }
        assert_eq!(
            (&asked["verdict"], &asked["reason"]),
            (&json!("confirm"), &json!("quiet_hours")),
            "{asked}"
        );
        assert!(asked["local_time"].is_string(), "{asked}");
        assert_eq!(stage.carrier.counts().invites, 0);
        let confirmed = json!({ "number": carrier::ANSWERS, "confirm": ["quiet_hours"] });
        assert_eq!(call_with(&room, confirmed).await?["state"], "queued");
        stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i43_a_spent_budget_ends_the_call_before_it_costs_more() {
    on_stage(async |stage| {
        // A thousandth a millisecond: eight seconds.
        let policy =
            json!({ "budgets": { "host": { "money_milli": 8_000 } }, "other_per_minute_milli": 60_000 });
        set_policy(stage, policy).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let call = call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        let over = room.host.events.wait_call(&call, &["ended"], LONG).await?;
        assert_eq!(over.text("cause"), "budget_spent", "{}", over.data);
        let carrier = stage.carrier.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
        assert_eq!(carrier.wait_ended(LONG).await?, EndedBy::RemoteBye);
        let times = carrier.times();
        let lasted = times.ended.unwrap() - times.answered.unwrap();
        assert!(lasted <= Duration::from_secs(8), "{lasted:?}");
        let left = get(&room.api, "/v1/me/dial-out").await?;
        assert!(left["money_left_milli"].as_u64().unwrap() < 4_000, "{left}");
        set_policy(
            stage,
            json!({ "budgets": { "host": { "money_milli": 1 } }, "other_per_minute_milli": 60_000 }),
        )
        .await?;
        let refused = call_with(&room, json!({ "number": carrier::ANSWERS })).await?;
        assert_eq!((&refused["reason"], &refused["rule"]), (&json!("budget_spent"), &json!("host_budget")));
        Ok(())
    })
    .await;
}

/// The row of a call in this state. An event is told at once; the row follows it, since no call waits for the database.
async fn recorded(room: &Room, call: &str, state: &str) -> LabResult<Value> {
    room.host.events.wait_call(call, &[state], LONG).await?;
    let path = format!("/v1/calls/{call}");
    eventually(
        "the record",
        LONG,
        async || matches!(get(&room.api, &path).await, Ok(row) if row["state"] == state),
    )
    .await;
    get(&room.api, &path).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i55_d35_a_busy_line_is_tried_again_where_asked_and_the_row_tells_its_story() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let again = json!({ "after_seconds": 30, "times": 1 });
        let asked = json!({ "number": carrier::BUSY, "role": "presenter", "again": again });
        let first = call_with(&room, asked).await?;
        let declined = call_with(&room, json!({ "number": carrier::DECLINED, "again": again })).await?;
        let alone = call_one(&room, CallTarget::number(carrier::NOT_FOUND, "attendee")).await?;
        let id = first["id"].as_str().unwrap();
        let row = recorded(&room, id, "failed").await?;
        assert_eq!((&row["words"], &row["sip_code"]), (&json!("Busy"), &json!(486)), "{row}");
        assert_eq!(row["next"]["label"], "Try again in 2 min");
        assert_eq!(row["again"]["state"], "waiting");
        assert!(row["carrier_words"].is_string() && row["ring_seconds"].is_u64(), "{row}");
        let wrong = recorded(&room, &alone.id, "failed").await?;
        assert_eq!(wrong["next"]["action"], "edit", "{wrong}");
        let calls_to_busy = async || stage.carrier.calls_to(carrier::BUSY).len() == 2;
        eventually("the second try", Duration::from_secs(50), calls_to_busy).await;
        assert_eq!(stage.carrier.calls_to(carrier::DECLINED).len(), 1, "never after a no");
        assert_eq!(stage.carrier.calls_to(carrier::NOT_FOUND).len(), 1, "never by itself");
        let rows = get(&room.api, &format!("/v1/meetings/{}/calls", room.meeting.id)).await?;
        let second = rows["calls"].as_array().unwrap().iter().find(|row| row["purpose"] == "again").unwrap();
        assert_eq!((&second["retry_of"], &second["role"]), (&first["id"], &json!("presenter")));
        let no = get(&room.api, &format!("/v1/calls/{}", declined["id"].as_str().unwrap())).await?;
        assert_eq!(no["again"]["state"], "cancelled", "{no}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i56_a_phone_that_was_cut_off_is_called_once_more_and_keeps_its_seat() {
    on_stage(async |stage| {
        set_policy(stage, json!({ "redial_lost_devices": true })).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        let old = stage.registered_phone("103a", tone::UMA).await?;
        let call = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        old.agent.die();
        let new = stage.registered_phone("103a", tone::UMA).await?;
        let over = room.host.events.wait_call(&call, &["ended"], Duration::from_secs(45)).await?;
        assert_eq!((over.text("cause"), over.text("words")), ("lost", "The connection was lost"));
        let second = new.wait_incoming(0, LONG).await?;
        second.wait_confirmed(LONG).await?;
        let in_again = async || {
            let Ok(meeting) = get(&room.api, &format!("/v1/meetings/{}", room.meeting.id)).await else {
                return false;
            };
            let people = meeting["people"].as_array().unwrap().clone();
            let umas: Vec<_> = people.iter().filter(|row| row["user"] == json!(user.id)).collect();
            umas.len() == 1 && umas[0]["present"] == true && umas[0]["role"] == "presenter"
        };
        eventually("Uma in her seat", LONG, in_again).await;
        let lost = room
            .host
            .events
            .all()
            .into_iter()
            .any(|event| event.kind == "person.left" && event.data["person"]["lost"] == true);
        assert!(lost, "the person was shown as lost");
        assert_eq!(new.counts().invites, 1, "once");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i61_call_me_takes_the_sound_to_the_phone_and_stays_one_person() {
    on_stage(async |stage| {
        let phone = stage.registered_phone("101a", tone::PIA).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let pia = room.api.user("pia").await?;
        let path = format!("/v1/meetings/{}/people", room.meeting.id);
        let body = json!({ "people": [{ "user": pia.id, "role": "presenter" }] });
        room.api.send("POST", &path, &[], Some(body)).await?;
        let (api, _) = stage.login("pia").await?;
        let web = Participant::join(&api, &room.meeting.id, Voice::silent()).await?;
        let answer =
            api.send("POST", &format!("{path}/me/call-me"), &[], Some(json!({ "device": "101a" }))).await?;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("queued")), "{}", answer.body);
        let call = phone.wait_incoming(0, LONG).await?;
        call.wait_confirmed(LONG).await?;
        let start = Instant::now();
        assert!(call.ear().wait_for(tone::HANA, start, LONG).await.is_some(), "the phone hears Hana");
        assert!(room.host.ear().wait_for(tone::PIA, start, LONG).await.is_some(), "Hana hears the phone");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let later = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let echo = web.ear().heard_since(later);
        assert!(echo.is_empty(), "the browser is silent: {echo:?}");
        let meeting = get(&room.api, &format!("/v1/meetings/{}", room.meeting.id)).await?;
        let rows =
            meeting["people"].as_array().unwrap().iter().filter(|row| row["user"] == json!(pia.id)).count();
        assert_eq!(rows, 1, "one row");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i45_a_redirection_to_a_premium_number_is_refused() {
    on_stage(async |stage| {
        set_policy(stage, json!({ "follow_redirects": true })).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        stage.carrier.set_callee("+12025550140", |_| Script::redirect("+19005550199"));
        stage.carrier.set_callee("+12025550141", |_| Script::redirect(carrier::ANSWERS));
        let dear = call_one(&room, CallTarget::number("+12025550140", "attendee")).await?;
        let over = room.host.events.wait_call(&dear.id, &["failed"], LONG).await?;
        assert_eq!(over.text("cause"), "destination_denied", "{}", over.data);
        assert_eq!(stage.carrier.calls().len(), 1, "nothing else was dialled");
        let fair = call_one(&room, CallTarget::number("+12025550141", "attendee")).await?;
        stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        room.host.events.wait_call(&fair.id, &["confirming"], LONG).await?;
        Ok(())
    })
    .await;
}
