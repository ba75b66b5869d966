//! What is never dialled.

use std::time::Duration;

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::shared::token;
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::json;

use crate::support::{call_and_join, call_one, on_stage};

/// Emergency numbers as people and machines write them.
const EMERGENCY: [&str; 36] = [
    "911",
    "9-1-1",
    "9.1.1",
    "(911)",
    " 911 ",
    "9 911",
    "9-911",
    "9911",
    "0911",
    "1911",
    "+1911",
    "+1 911",
    "011911",
    "112",
    "+112",
    "9112",
    "1-1-2",
    "933",
    "9933",
    "999",
    "000",
    "110",
    "119",
    "tel:911",
    "tel:+1911",
    "sip:911@acme.test",
    "sip:911@carrier.test",
    "sips:112@acme.test",
    "urn:service:sos",
    "urn:service:sos.fire",
    "911,,1",
    "911;phone-context=+1",
    "９１１",
    "001911",
    "0011911",
    "00112",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i40_emergency_numbers_are_refused_and_the_trunk_stays_silent() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let mut misjudged = Vec::new();
        for number in EMERGENCY {
            let path = format!("/v1/meetings/{}/calls", room.meeting.id);
            let body = json!({ "targets": [CallTarget::number(number, "attendee")] });
            let key = token();
            let answer = room.api.send("POST", &path, &[("Idempotency-Key", &key)], Some(body)).await?;
            let words = answer.body.to_string();
            if !words.contains("\"refused\"") || !words.contains("\"emergency\"") {
                misjudged.push(format!("{number:?}: {} {words}", answer.status));
            }
        }
        assert!(misjudged.is_empty(), "not refused as emergency numbers:\n{}", misjudged.join("\n"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.carrier.counts().invites, 0, "the trunk saw a call");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i46_without_a_host_in_the_meeting_nothing_is_dialled() {
    on_stage(async |stage| {
        let (api, _) = stage.login("hana").await?;
        let meeting = api.create_meeting("Empty", "conference", &[]).await?;
        let path = format!("/v1/meetings/{}/calls", meeting.id);
        let body = json!({ "targets": [CallTarget::number(carrier::ANSWERS, "attendee")] });
        let answer = api.send("POST", &path, &[("Idempotency-Key", "k")], Some(body)).await?;
        let words = answer.body.to_string();
        assert!(answer.status == 409 || words.contains("no_host"), "{} {words}", answer.status);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(stage.carrier.counts().invites, 0);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a50_i32_a_national_and_a_local_number_are_the_same() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        for typed in ["(202) 555-0110", "5550110", "+1 202-555-0110", "1 202 555 0110"] {
            let path = format!("/v1/meetings/{}/calls/check", room.meeting.id);
            let body = json!({ "targets": [CallTarget::number(typed, "attendee")] });
            let answer = room.api.send("POST", &path, &[], Some(body)).await?;
            assert!(answer.status < 300, "{typed}: {} {}", answer.status, answer.body);
            assert!(answer.body.to_string().contains(carrier::ANSWERS), "{typed}: {}", answer.body);
        }
        assert_eq!(stage.carrier.counts().invites, 0, "a check dials nothing");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_nobody_sees_the_other_tenant() {
    on_stage(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let meeting = hana.create_meeting("Private", "conference", &[]).await?;
        let users = hana.users("").await?;
        assert!(users.iter().all(|user| !user.display_name.contains("Zed")), "{users:?}");
        let (zed, _) = stage.login("zed").await?;
        let answer = zed.send("GET", &format!("/v1/meetings/{}", meeting.id), &[], None).await?;
        assert!([403, 404].contains(&answer.status), "{} {}", answer.status, answer.body);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i36_somebody_who_is_in_is_not_rung_again() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let again = call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        assert_eq!(
            (again.state.as_str(), again.reason.as_deref()),
            ("refused", Some("already_in")),
            "{again:?}"
        );
        let twice =
            [CallTarget::number(carrier::BUSY, "attendee"), CallTarget::number(carrier::BUSY, "attendee")];
        room.api.call(&room.meeting.id, &twice, &token()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.carrier.calls_to(carrier::BUSY).len(), 1, "the same number twice in one CALL");
        assert_eq!(uma.counts().invites, 1);
        Ok(())
    })
    .await;
}
