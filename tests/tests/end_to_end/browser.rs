//! Real Chromium against the real page; the scripts are in `tests/browser`.

use std::time::{Duration, Instant};

use partyline_tests::baresip::{Baresip, BaresipConfig};
use partyline_tests::browser::Browser;
use partyline_tests::tone;

use crate::support::{LONG, eventually, on_stage_alone};

/// A browser on a busy machine takes its time.
const SLOW: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a57_a58_d41_chromium_calls_baresip_and_both_hear_each_other() {
    on_stage_alone(async |stage| {
        let mut baresip = Baresip::start(&BaresipConfig::new("103a", stage.sip()?, tone::UMA)).await?;
        let (api, _) = stage.login("hana").await?;
        eventually("baresip to register", LONG, async || {
            api.user("uma").await.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
        })
        .await;
        let start = Instant::now();
        let mut browser = Browser::run("calls.mjs", stage.api.base(), &[]).await?;
        let state = browser.wait("state", SLOW).await?;
        assert_eq!(state["state"], "joined");
        let heard = browser.wait("heard", SLOW).await?;
        assert!(heard["levels"]["UMA"].as_i64().unwrap() > -30, "{heard}");
        browser.wait("over", SLOW).await?;
        browser.wait("done", SLOW).await?;
        let words = baresip.words().join("\n");
        assert!(words.contains("12025550100"), "baresip shows the caller ID:\n{words}");
        baresip.quit().await?;
        let ear = baresip.recording()?;
        let heard = ear.tones_since(start - Duration::from_secs(60), Duration::from_secs(1));
        assert_eq!(heard, [tone::HANA], "what baresip recorded");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d48_two_browsers_see_each_other_and_nobody_who_comes_or_goes_disturbs_them() {
    on_stage_alone(async |stage| {
        let _uma = stage.registered_phone("103a", tone::UMA).await?;
        let mut browser = Browser::run("video.mjs", stage.api.base(), &[]).await?;
        let both = browser.wait("both", SLOW).await?;
        assert!(
            both["hana"]["frames"].as_i64().unwrap() > 0 && both["pia"]["frames"].as_i64().unwrap() > 0,
            "{both}"
        );
        browser.wait("sound", SLOW).await?;
        for what in ["phone-joined", "third-came-and-went", "after"] {
            let measured = browser.wait(what, SLOW).await?;
            assert!(measured["fps"].as_i64().unwrap() >= 10, "{measured}");
        }
        let (alone, phone) = (browser.wait("alone", SLOW).await?, browser.wait("phone-joined", SLOW).await?);
        let freezes = |measured: &serde_json::Value| measured["freezes"].as_i64().unwrap();
        // One is a hiccup of a busy machine.
        assert!(freezes(&phone) <= freezes(&alone) + 1, "before the phone {alone}, with it {phone}");
        browser.wait("done", SLOW).await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_the_page_are_taken() {
    on_stage_alone(async |stage| {
        let _uma = stage.registered_phone("103a", tone::UMA).await?;
        // By default beside the test binaries; look at them.
        let usual = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        let folder = std::env::var_os("PARTYLINE_SCREENSHOTS").map_or(usual, Into::into);
        let environment = [("PARTYLINE_SCREENSHOTS", folder.as_path())];
        let mut browser = Browser::run("screenshots.mjs", stage.api.base(), &environment).await?;
        browser.wait("done", SLOW).await?;
        for picture in ["02-start.png", "05-call-states.png", "06-meeting-with-phones.png"] {
            let size = std::fs::metadata(folder.join(picture)).unwrap().len();
            assert!(size > 10_000, "{picture} has {size} bytes");
        }
        Ok(())
    })
    .await;
}
