//! Webhooks against the real program and receivers of every manner.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use partyline_tests::api::{Api, CallTarget};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::stage::StageConfig;
use partyline_tests::voice::Voice;
use partyline_tests::webhook_sink::{Manner, Received, WebhookSink};
use serde_json::{Value, json};

use crate::support::{LONG, call_and_join, on_stage, on_stage_with};

/// Longer than the first few waits between attempts.
const RETRIED: Duration = Duration::from_secs(60);

/// A configuration whose webhooks may reach loopback.
pub(crate) fn with_webhooks(mut config: StageConfig) -> LabResult<StageConfig> {
    config.configuration.push_str("\n[webhooks]\nallow = [\"127.0.0.0/8\"]\n");
    Ok(config)
}

pub(crate) async fn hook(admin: &Api, url: &str, events: &[&str]) -> LabResult<Value> {
    let body = json!({"url": url, "events": events});
    admin.send("POST", "/v1/webhooks", &[], Some(body)).await?.read("making a webhook")
}

fn kinds(received: &[Received]) -> Vec<&str> {
    received.iter().map(|one| one.field("partyline-event")).collect()
}

fn has(kind: &'static str) -> impl Fn(&[Received]) -> bool {
    move |received| kinds(received).contains(&kind)
}

/// What a receiver does with the signature.
fn is_signed(one: &Received, secret: &str) -> bool {
    let signature = one.field("partyline-signature");
    let part = |name: &str| signature.split(',').find_map(|part| part.strip_prefix(name)).unwrap_or_default();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{}.{}", part("t="), one.body).as_bytes());
    mac.verify_slice(&hex::decode(part("v1=")).unwrap_or_default()).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_events_come_signed_in_order_and_again_after_a_fault() {
    let mut sink = WebhookSink::start().await.unwrap();
    on_stage_with(with_webhooks, async |stage| {
        let (tia, _) = stage.login("tia").await?;
        let made = hook(&tia, &sink.url("/in"), &["meeting.*", "call.*", "person.*"]).await?;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let shown =
            tia.send("GET", &format!("/v1/webhooks/{}", made["id"].as_str().unwrap()), &[], None).await?;
        assert_eq!(shown.body["secret"], Value::Null, "shown once");
        // Two faults at the start of the meeting.
        sink.behave("/in", Manner::Status(500));
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        sink.wait("the first attempts", "/in", RETRIED, |received| received.len() >= 2).await?;
        sink.behave("/in", Manner::Status(204));
        call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        sink.down().await;
        room.api.end_meeting(&room.meeting.id).await?;
        sink.up().await?;
        let both = |received: &[Received]| has("meeting.ended")(received) && has("call.ended")(received);
        let received = sink.wait("both ends", "/in", RETRIED, both).await?;
        assert!(received.iter().all(|one| is_signed(one, &secret)), "{received:?}");
        assert!(!is_signed(&received[0], "another secret"));
        // Every event once, in the order of things, however often it was sent.
        let mut seen: Vec<String> = Vec::new();
        let mut order: Vec<&str> = Vec::new();
        for one in &received {
            let id = one.field("partyline-event-id").to_owned();
            assert_eq!(one.event["id"], id.as_str());
            if !seen.contains(&id) {
                seen.push(id);
                order.push(one.field("partyline-event"));
            }
        }
        let calls: Vec<&str> = order.iter().copied().filter(|kind| kind.starts_with("call.")).collect();
        assert_eq!(calls.first(), Some(&"call.queued"), "{order:?}");
        assert_eq!(calls.last(), Some(&"call.ended"), "{order:?}");
        assert_eq!(order.first(), Some(&"meeting.created"), "{order:?}");
        // What is recorded and what is asked for may cross by milliseconds; one call's events never do.
        let of_call = received.iter().filter(|one| one.event["data"]["call"].is_string());
        let times: Vec<u64> = of_call.map(|one| one.event["at"].as_u64().unwrap()).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "in order: {times:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_hostile_receivers_slow_nobody_down() {
    let sink = WebhookSink::start().await.unwrap();
    on_stage_with(with_webhooks, async |stage| {
        let (tia, _) = stage.login("tia").await?;
        for (path, manner) in [
            ("/silent", Manner::Silent),
            ("/trickle", Manner::Trickle),
            ("/endless", Manner::Endless),
            ("/head", Manner::EndlessHead),
            ("/hangup", Manner::HangUp),
            ("/error", Manner::Status(503)),
        ] {
            sink.behave(path, manner);
            hook(&tia, &sink.url(path), &[]).await?;
        }
        hook(&tia, &sink.url("/good"), &["meeting.created"]).await?;
        let (hana, _) = stage.login("hana").await?;
        let mut slowest = Duration::ZERO;
        for turn in 1..=20_usize {
            let asked = Instant::now();
            hana.create_meeting(&format!("M{turn}"), "conference", &[]).await?;
            let received =
                sink.wait("the good one's events", "/good", LONG, |received| received.len() >= turn).await?;
            slowest = slowest.max(received[turn - 1].at - asked);
        }
        assert!(slowest < Duration::from_secs(2), "the slowest good delivery took {slowest:?}");
        // What the hostile ones did is on record.
        let all = tia.send("GET", "/v1/outbox?state=queued", &[], None).await?;
        let failing: Vec<&Value> = all.body["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["error"].is_string())
            .collect();
        assert!(!failing.is_empty(), "{}", all.body);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_webhooks_reach_nothing_inside() {
    on_stage(async |stage| {
        let (tia, _) = stage.login("tia").await?;
        for url in [
            "http://127.0.0.1:8080/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
        ] {
            let answer = tia.send("POST", "/v1/webhooks", &[], Some(json!({"url": url}))).await?;
            assert_eq!(
                (answer.status, answer.body["field"].as_str()),
                (422, Some("url")),
                "{url}: {}",
                answer.body
            );
        }
        // A name that leads inside is taken, and refused when it is resolved.
        let made = hook(&tia, "https://localhost/", &[]).await?;
        let id = made["id"].as_str().unwrap();
        tia.send("POST", &format!("/v1/webhooks/{id}/test"), &[], None).await?;
        let refused = async || {
            let answer = tia.send("GET", &format!("/v1/webhooks/{id}/deliveries"), &[], None).await.unwrap();
            let row = &answer.body["deliveries"][0];
            row["state"] == "failed"
                && row["error"].as_str().is_some_and(|words| words.contains("public internet"))
        };
        crate::support::eventually("the refusal", LONG, refused).await;
        // Only admins may.
        let (hana, _) = stage.login("hana").await?;
        assert_eq!(hana.send("GET", "/v1/webhooks", &[], None).await?.status, 403);
        Ok(())
    })
    .await;
}
