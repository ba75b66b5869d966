//! Trunks changed while calls run: limits, failover, probing.

use std::net::SocketAddr;
use std::time::Duration;

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::carrier::{self, Carrier, CarrierConfig};
use partyline_tests::error::LabResult;
use partyline_tests::stage::Stage;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_one, eventually, on_stage};

async fn ask(api: &Api, method: &str, path: &str, body: Option<Value>) -> LabResult<Value> {
    api.send(method, path, &[], body).await?.read(path)
}

/// The Tenant Admin of the demonstration, and the trunk that is there from the start.
async fn admin(stage: &Stage) -> LabResult<(Api, u64)> {
    let (api, _) = stage.login("tia").await?;
    let trunks = ask(&api, "GET", "/v1/trunks", None).await?;
    let id = trunks["trunks"][0]["id"].as_u64().unwrap();
    Ok((api, id))
}

/// A second carrier, tried after the first.
async fn second(api: &Api) -> LabResult<Carrier> {
    let carrier = Carrier::start(CarrierConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)))).await?;
    let body = json!({ "name": "second", "peer": carrier.local().to_string(), "priority": 20 });
    ask(api, "POST", "/v1/trunks", Some(body)).await?;
    Ok(carrier)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d18_the_third_call_on_a_trunk_of_two_is_refused_without_an_invite() {
    on_stage(async |stage| {
        let (api, trunk) = admin(stage).await?;
        let path = format!("/v1/trunks/{trunk}");
        let changed = ask(&api, "PATCH", &path, Some(json!({ "max_out": 2 }))).await?;
        assert_eq!(changed["max_out"], 2);
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        for number in [carrier::NO_ANSWER, carrier::ANSWERS] {
            let ticket = call_one(&room, CallTarget::number(number, "attendee")).await?;
            room.host.events.wait_call(&ticket.id, &["ringing", "confirming"], LONG).await?;
        }
        let third = call_one(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        let over = room.host.events.wait_call(&third.id, &["failed"], LONG).await?;
        assert_eq!(over.text("cause"), "trunk_busy", "{}", over.data);
        assert_eq!(stage.carrier.counts().invites, 2, "no INVITE");
        let status = ask(&api, "GET", &format!("{path}/status"), None).await?;
        assert_eq!(status["calls_out"], 2, "{status}");
        // The limit goes while the calls run; they go on, and the third one is made.
        ask(&api, "PATCH", &path, Some(json!({ "max_out": 0 }))).await?;
        let again = call_one(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        room.host.events.wait_call(&again.id, &["joined"], LONG).await?;
        assert_eq!(stage.carrier.open_calls(), 3);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d17_f9_a_refusing_or_silent_trunk_is_left_for_the_second_and_a_busy_person_is_not() {
    on_stage(async |stage| {
        let (api, trunk) = admin(stage).await?;
        let second = second(&api).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        // 503: the second trunk, once, with the same caller ID.
        let ticket = call_one(&room, CallTarget::number(carrier::TROUBLE, "attendee")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
        assert_eq!((over.text("cause"), over.data["sip_code"].as_u64()), ("trunk_down", Some(503)));
        assert_eq!((stage.carrier.counts().invites, second.counts().invites), (1, 1));
        let seen = second.wait_call_to(carrier::TROUBLE, LONG).await?;
        assert!(format!("{:?}", seen.facts.from).contains("+12025550100"), "{:?}", seen.facts.from);
        // 486: nobody else is asked.
        let ticket = call_one(&room, CallTarget::number(carrier::BUSY, "attendee")).await?;
        room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
        assert_eq!((stage.carrier.counts().invites, second.counts().invites), (2, 1));
        // Nobody there: the second trunk within four seconds.
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = nobody.local_addr().unwrap().to_string();
        ask(&api, "PATCH", &format!("/v1/trunks/{trunk}"), Some(json!({ "peer": peer, "probe": false })))
            .await?;
        let began = tokio::time::Instant::now();
        call_one(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        second.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
        let waited = began.elapsed();
        assert!(waited < Duration::from_millis(4_300), "{waited:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_trunk_that_misses_three_probes_is_out_and_comes_back_after_two_answers() {
    on_stage(async |stage| {
        let (api, trunk) = admin(stage).await?;
        let path = format!("/v1/trunks/{trunk}");
        let probed = ask(&api, "POST", &format!("{path}/probe"), None).await?;
        assert_eq!(
            (&probed["state"], &probed["last_answer"]["status"]),
            (&json!("up"), &json!(200)),
            "{probed}"
        );
        // The trunk moves to where nobody answers, without a word to us.
        let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let dead = nobody.local_addr().unwrap();
        ask(&api, "PATCH", &path, Some(json!({ "peer": dead.to_string() }))).await?;
        let state =
            async || ask(&api, "GET", &format!("{path}/status"), None).await.unwrap()["state"].clone();
        let began = tokio::time::Instant::now();
        eventually("the trunk to be down", Duration::from_secs(30), async || state().await == "down").await;
        assert!(began.elapsed() > Duration::from_secs(16), "three probes, not one");
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::BUSY, "attendee")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed"], Duration::from_secs(2)).await?;
        assert_eq!(over.text("cause"), "trunk_down");
        // Somebody answers there.
        drop(nobody);
        let _carrier = Carrier::start(CarrierConfig::new(dead)).await?;
        eventually("the trunk to be up", Duration::from_secs(30), async || state().await == "up").await;
        Ok(())
    })
    .await;
}
