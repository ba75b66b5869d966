//! A real baresip as Uma's desk phone.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, eventually, on_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a58_d68_baresip_is_called_heard_and_hears() {
    on_stage(async |stage| {
        let mut baresip = Baresip::start(&BaresipConfig::new("103a", stage.sip()?, tone::UMA)).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        eventually("baresip to register", LONG, async || {
            let user = room.api.user("uma").await;
            user.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
        })
        .await;
        let user = room.api.user("uma").await?;
        let call = call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let joined = Instant::now();
        assert!(
            room.host.ear().wait_for(tone::UMA, joined, LONG).await.is_some(),
            "baresip's tone in the meeting"
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        room.api.end_call(&call).await?;
        room.host.events.wait_call(&call, &["ended"], LONG).await?;
        let words = baresip.words().join("\n");
        assert!(words.contains("12025550100"), "baresip shows the caller ID:\n{words}");
        baresip.quit().await?;
        let heard =
            baresip.recording()?.tones_since(joined - Duration::from_secs(60), Duration::from_millis(500));
        assert_eq!(heard, [tone::HANA], "what baresip recorded");
        Ok(())
    })
    .await;
}
