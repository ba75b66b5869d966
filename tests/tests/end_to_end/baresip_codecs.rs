//! baresip with each codec and each encryption that both sides know.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage_with};

const PCMU: &str = "PCMU/8000/1";

/// Calls baresip into a meeting and checks that both hear each other.
async fn both_hear(srtp: &str, codec: &'static str, encryption: Option<&'static str>) {
    let change = |config: partyline_tests::stage::StageConfig| {
        let codecs = "[\"opus\", \"g722\", \"pcmu\", \"pcma\"]";
        config.set("codecs", codecs)?.set("srtp", &format!("\"{srtp}\""))
    };
    on_stage_with(change, async |stage| {
        let mut baresip = Baresip::start(&BaresipConfig {
            user: "103a".to_owned(),
            password: "103a-secret-demo".to_owned(),
            domain: "acme.test".to_owned(),
            registrar: stage.sip()?,
            tone: tone::UMA,
            codec,
            encryption,
        })
        .await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        eventually("baresip to register", LONG, async || {
            let user = room.api.user("uma").await;
            user.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
        })
        .await;
        let user = room.api.user("uma").await?;
        let call = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let joined = Instant::now();
        let heard = room.host.ear().wait_for(tone::UMA, joined, LONG).await;
        assert!(heard.is_some(), "baresip in the meeting; it said:\n{}", baresip.words().join("\n"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        room.api.end_call(&call).await?;
        room.host.events.wait_call(&call, &["ended"], LONG).await?;
        baresip.quit().await?;
        let heard =
            baresip.recording()?.tones_since(joined - Duration::from_secs(60), Duration::from_millis(500));
        assert_eq!(heard, [tone::HANA], "what baresip recorded");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_baresip_with_g722() {
    both_hear("off", "G722/16000/1", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_baresip_with_opus() {
    both_hear("off", "opus/48000/2", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_baresip_with_encryption_if_it_can() {
    both_hear("prefer", PCMU, Some("srtp")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_baresip_with_encryption_on_both_sides_always() {
    both_hear("require", "opus/48000/2", Some("srtp-mand")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_a_phone_that_cannot_encrypt_does_not_get_in_where_it_must() {
    let change = |config: partyline_tests::stage::StageConfig| config.set("srtp", "\"require\"");
    on_stage_with(change, async |stage| {
        let baresip = Baresip::start(&BaresipConfig {
            user: "103a".to_owned(),
            password: "103a-secret-demo".to_owned(),
            domain: "acme.test".to_owned(),
            registrar: stage.sip()?,
            tone: tone::UMA,
            codec: PCMU,
            encryption: None,
        })
        .await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        eventually("baresip to register", LONG, async || {
            let user = room.api.user("uma").await;
            user.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
        })
        .await;
        let user = room.api.user("uma").await?;
        let ticket = call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let event = room.host.events.wait_call(&ticket.id, &["joined", "failed", "ended"], LONG).await?;
        assert_ne!(event.text("state"), "joined", "{}", event.data);
        drop(baresip);
        Ok(())
    })
    .await;
}
