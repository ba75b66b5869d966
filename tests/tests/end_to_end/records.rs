//! What is written down, by a stranger's eyes: on SQLite, and with the same words on PostgreSQL.

use std::time::Duration;

use partyline_tests::api::{Api, CallTarget, PersonToInvite};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::participant::Participant;
use partyline_tests::postgres::Cluster;
use partyline_tests::sip::call::EndedBy;
use partyline_tests::stage::{Stage, StageConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage, on_stage_with};

/// Asks until a list has as many rows as it should.
pub(crate) async fn rows(api: &Api, path: &str, list: &str, wanted: usize) -> LabResult<Vec<Value>> {
    let mut found = Vec::new();
    eventually(&format!("{wanted} rows in {path}"), LONG, async || {
        let Ok(answer) = api.send("GET", path, &[], None).await else { return false };
        found = answer.body[list].as_array().cloned().unwrap_or_default();
        found.len() == wanted
    })
    .await;
    Ok(found)
}

/// Login, create, invite, CALL to a number and a device, records, a crash, and records again.
async fn the_main_flows(stage: &mut Stage) -> LabResult<()> {
    let uma = stage.registered_phone("103a", tone::UMA).await?;
    let (api, _) = stage.login("hana").await?;
    let kim = PersonToInvite {
        email: Some("kim@else.test".to_owned()),
        role: "attendee".to_owned(),
        access: "collaborate".to_owned(),
        ..PersonToInvite::default()
    };
    let meeting = api.create_meeting("Records", "conference", &[kim]).await?;
    api.start_meeting(&meeting.id).await?;
    let host = Participant::join(&api, &meeting.id, Voice::steady(tone::HANA)).await?;
    let room = partyline_tests::stage::Room { api, meeting, host };
    let user = room.api.user("uma").await?;
    call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
    let number = call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
    let busy = call_one(&room, CallTarget::number(carrier::BUSY, "attendee")).await?;
    room.host.events.wait_call(&busy.id, &["failed"], LONG).await?;
    every_leg_tells_how_it_sounds(&room.api, &room.meeting.id).await;
    uma.wait_incoming(0, LONG).await?.hang_up();
    room.api.end_call(&number).await?;
    let path = format!("/v1/cdrs?meeting={}", room.meeting.id);
    let cdrs = rows(&room.api, &path, "cdrs", 3).await?;
    let of = |call: &str| cdrs.iter().find(|cdr| cdr["call"] == call).unwrap_or_else(|| panic!("{cdrs:#?}"));
    let record = of(&number);
    for (field, value) in [
        ("from", json!("+12025550100")),
        ("to", json!(carrier::PRESSES_ONE)),
        ("trunk", json!("carrier")),
        ("acting_host_name", json!("Hana Horvat")),
        ("direction", json!("out")),
        ("leg_kind", json!("sip")),
        ("role", json!("attendee")),
        ("cause", json!("hung_up")),
        ("sip_code", json!(200)),
        ("codec", json!("pcmu")),
    ] {
        assert_eq!(record[field], value, "{field} of {record:#}");
    }
    let times = ["started_at", "ringing_at", "answered_at", "joined_at", "ended_at"]
        .map(|name| record[name].as_u64());
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{record:#}");
    assert!(record["quality"]["received_packets"].as_u64() > Some(20), "{record:#}");
    assert!(record["quality"]["mos_in"].as_u64() > Some(300) && record["instance"].is_string(), "{record:#}");
    assert!(record["quality"]["concealed_seconds"].as_u64().is_some(), "{record:#}");
    assert_eq!((&of(&busy.id)["cause"], &of(&busy.id)["sip_code"]), (&json!("busy"), &json!(486)));
    let path = format!("/v1/meetings/{}/attendance?instance=latest", room.meeting.id);
    let attendance = room.api.send("GET", &path, &[], None).await?.body;
    let people = attendance["people"].as_array().unwrap();
    let person =
        |name: &str| people.iter().find(|one| one["display_name"].to_string().contains(name)).unwrap();
    assert_eq!(attendance["instance"]["peak"], 3, "{attendance:#}");
    assert_eq!(person("Uma")["stays"].as_array().unwrap().len(), 1);
    assert_eq!(person("Uma")["attempts"][0]["state"], "ended");
    assert!(person("Hana")["last_left_at"].is_null(), "she is still in");
    let list =
        room.api.send("GET", &format!("/v1/meetings/{}/attendees.csv", room.meeting.id), &[], None).await?;
    let name = &list.headers["content-disposition"];
    assert!(
        name.starts_with("attachment; filename=\"Attendees list (")
            && list.body.to_string().contains("kim@else.test"),
        "{list:?}"
    );
    the_log_tells_the_story_of(stage, &room.api, &number)?;
    the_metrics_show_it(&room.api).await?;
    a_crash_closes_every_leg(stage, room, &uma).await
}

/// Live figures of both phones and the browser, told every five seconds.
async fn every_leg_tells_how_it_sounds(api: &Api, meeting: &str) {
    let path = format!("/v1/meetings/{meeting}/media");
    eventually("figures of three legs", LONG, async || {
        let Ok(answer) = api.send("GET", &path, &[], None).await else { return false };
        let legs = answer.body["legs"].as_array().cloned().unwrap_or_default();
        let tells = |leg: &&Value| leg["quality"]["mos_in"].as_u64() > Some(300);
        legs.len() == 3 && legs.iter().filter(tells).count() == 3
    })
    .await;
}

/// One id finds the request, the Call-ID, the states and the leg; and no line of the whole run holds a number, an address or
/// a secret.
fn the_log_tells_the_story_of(stage: &Stage, api: &Api, call: &str) -> LabResult<()> {
    let logs = stage.gateway()?.logs();
    let story: Vec<&String> = logs.iter().filter(|line| line.contains(call)).collect();
    for word in ["request.id=", "sip.call_id=", "state=\"ringing\"", "leg up", "leg over", "media.received="]
    {
        assert!(story.iter().any(|line| line.contains(word)), "{word} in {story:#?}");
    }
    let token = api.token().unwrap_or_default();
    for secret in ["2025550177", "2025550100", "kim@else.test", "hana-demo", "103a-secret-demo", token] {
        let shown: Vec<&String> = logs.iter().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{secret} in {shown:#?}");
    }
    Ok(())
}

async fn the_metrics_show_it(api: &Api) -> LabResult<()> {
    let text = api.send("GET", "/metrics", &[], None).await?.body.as_str().unwrap_or_default().to_owned();
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
        line.unwrap_or_else(|| panic!("{series} in {text}"))
    };
    assert!(value("partyline_call_states_total{state=\"joined\",cause=\"\"}") >= 2.0);
    assert!(value("partyline_call_states_total{state=\"failed\",cause=\"busy\"}") >= 1.0);
    assert!(value("partyline_registrations") >= 1.0 && value("partyline_legs") >= 1.0);
    assert!(value("partyline_rtp_packets_received_total") > 20.0);
    assert!(value("partyline_media_tick_seconds_count{thread=\"0\"}") > 50.0);
    assert!(value("partyline_database_statement_seconds_count") > 10.0);
    assert!(text.contains("route=\"/v1/meetings/{meeting}/calls\",status=\"2xx\""), "{text}");
    let proxied = api.send("GET", "/metrics", &[("x-forwarded-for", "192.0.2.1")], None).await?;
    assert_eq!(proxied.status, 404);
    Ok(())
}

/// kill -9 while a phone is in and another one rings: each leg has one record, ended within five seconds of the crash.
async fn a_crash_closes_every_leg(
    stage: &mut Stage,
    room: partyline_tests::stage::Room,
    uma: &partyline_tests::phone::Phone,
) -> LabResult<()> {
    let user = room.api.user("uma").await?;
    let joined = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
    let ringing = call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
    room.host.events.wait_call(&ringing.id, &["ringing"], LONG).await?;
    // Past the first heartbeat.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let id = room.meeting.id.clone();
    drop(room);
    let crashed = now_ms();
    stage.crash_and_restart().await?;
    let (tia, _) = stage.login("tia").await?;
    let cdrs = rows(&tia, &format!("/v1/cdrs?meeting={id}"), "cdrs", 6).await?;
    for call in [&joined, &ringing.id] {
        let of_call: Vec<&Value> = cdrs.iter().filter(|cdr| cdr["call"] == **call).collect();
        assert_eq!(of_call.len(), 1, "{cdrs:#?}");
        let ended = of_call[0]["ended_at"].as_u64().unwrap();
        assert!(ended.abs_diff(crashed) <= 5_000, "{} ms off", ended.abs_diff(crashed));
        assert_eq!(of_call[0]["cause"], "lost");
    }
    let browsers = cdrs.iter().filter(|cdr| cdr["leg_kind"] == "webrtc").count();
    assert_eq!(browsers, 1, "Hana's browser: {cdrs:#?}");
    let instances = tia.send("GET", &format!("/v1/meetings/{id}/instances"), &[], None).await?.body;
    let ended = instances["instances"][0]["ended_at"].as_u64().unwrap();
    assert!(ended.abs_diff(crashed) <= 5_000, "{instances:#}");
    uma.wait_incoming(1, LONG).await?.hang_up();
    assert_eq!(uma.wait_incoming(0, LONG).await?.wait_ended(LONG).await?, EndedBy::LocalBye);
    Ok(())
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d64_d66_d67_f1_w10_asks17_asks19_asks32_the_main_flows_and_their_records_on_sqlite() {
    on_stage(async |stage| the_main_flows(stage).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d63_d64_d66_d67_f1_w10_the_main_flows_and_their_records_on_postgresql() {
    let cluster = Cluster::start().await.unwrap_or_else(|error| panic!("{error}"));
    let url = cluster.database("partyline").await.unwrap_or_else(|error| panic!("{error}"));
    let on_it = |config: StageConfig| config.set("url", &format!("\"{url}\""));
    on_stage_with(on_it, async |stage| the_main_flows(stage).await).await;
}
