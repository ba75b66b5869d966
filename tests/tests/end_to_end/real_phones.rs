//! Real phones with each codec and each encryption that both sides know, in one meeting: every phone speaks with a tone of
//! its own and hears all others.

use std::time::{Duration, Instant};

use partyline_tests::api::{Api, CallTarget};
use partyline_tests::baresip::{Baresip, BaresipCodec, BaresipConfig};
use partyline_tests::error::LabResult;
use partyline_tests::linphone::{Linphone, LinphoneConfig};
use partyline_tests::sip::call::EndedBy;
use partyline_tests::stage::{Room, Stage};
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage_with};

/// How long every phone listens.
const LISTENS: Duration = Duration::from_secs(2);

/// Changes a device's settings as Tenant Admin.
pub(crate) async fn set_device(admin: &Api, device: &str, change: Value) -> LabResult<()> {
    let answer = admin.send("PATCH", &format!("/v1/devices/{device}"), &[], Some(change)).await?;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    Ok(())
}

async fn wait_registered(api: &Api, user: &str) {
    eventually("the phone to register", LONG, async || {
        let user = api.user(user).await;
        user.is_ok_and(|user| user.devices.iter().any(|device| device.registered))
    })
    .await;
}

async fn target(room: &Room, user: &str, device: &str) -> LabResult<CallTarget> {
    wait_registered(&room.api, user).await;
    Ok(CallTarget::device(&room.api.user(user).await?.id, device, "presenter"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_d22_d68_baresip_with_every_codec_and_encryption_in_one_meeting() {
    let change = |config: partyline_tests::stage::StageConfig| {
        config.set("codecs", "[\"pcmu\", \"pcma\", \"g722\", \"opus\"]")
    };
    on_stage_with(change, async |stage| {
        let (admin, _) = stage.login("tia").await?;
        let sip = stage.sip()?;
        let sam = admin.user("sam").await?.id;
        let new = json!({ "name": "104a", "codecs": ["opus"], "srtp": "required" });
        let made = admin.send("POST", &format!("/v1/users/{sam}/devices"), &[], Some(new)).await?;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let secret = made.body["secret"].as_str().unwrap_or_default().to_owned();
        set_device(&admin, "101a", json!({ "codecs": ["pcma", "pcmu"], "srtp": "off" })).await?;
        let mut phones = Vec::new();
        for (user, device, tone, codec, encryption) in [
            ("sam", "104a", tone::OUTSIDE, BaresipCodec::Opus, Some("srtp-mand")),
            ("pia", "101a", tone::PIA, BaresipCodec::Pcma, None),
            ("uma", "103a", tone::UMA, BaresipCodec::G722, Some("srtp")),
        ] {
            let mut config = BaresipConfig { codec, encryption, ..BaresipConfig::new(device, sip, tone) };
            if device == "104a" {
                config.password.clone_from(&secret);
            }
            phones.push((user, device, tone, Baresip::start(&config).await?));
        }
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let mut calls = Vec::new();
        for (user, device, ..) in &phones {
            calls.push(call_and_join(&room, target(&room, user, device).await?).await?);
        }
        // It takes offers of its own kind only when it agrees on keys by DTLS: it calls itself.
        let caller = BaresipConfig {
            encryption: Some("dtls_srtp"),
            ice: true,
            calls: Some(room.meeting.number.clone()),
            ..BaresipConfig::new("102a", sip, tone::BYSTANDER)
        };
        phones.push(("ari", "102a", tone::BYSTANDER, Baresip::start(&caller).await?));
        let joined = Instant::now();
        for (user, _, tone, baresip) in &phones {
            let heard = room.host.ear().wait_for(*tone, joined, LONG).await;
            assert!(heard.is_some(), "{user} in the meeting; baresip said:\n{}", baresip.words().join("\n"));
        }
        tokio::time::sleep(LISTENS).await;
        for call in &calls {
            room.api.end_call(call).await?;
            room.host.events.wait_call(call, &["ended"], LONG).await?;
        }
        let everybody = [tone::HANA, tone::UMA, tone::PIA, tone::OUTSIDE, tone::BYSTANDER];
        for (user, _, own, baresip) in &mut phones {
            baresip.quit().await?;
            let past = joined.checked_sub(Duration::from_secs(60)).unwrap_or(joined);
            let heard = baresip.recording()?.tones_since(past, Duration::from_millis(500));
            let others: Vec<u32> = everybody.into_iter().filter(|tone| tone != own).collect();
            assert_eq!(heard, others, "what {user} heard");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_a_device_set_to_required_refuses_plain_sound_both_ways() {
    on_stage_with(Ok, async |stage: &mut Stage| {
        let (admin, _) = stage.login("tia").await?;
        set_device(&admin, "103a", json!({ "srtp": "required" })).await?;
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        // The lab's phone answers every offer without keys.
        let ticket = call_one(&room, target(&room, "uma", "103a").await?).await?;
        let event = room.host.events.wait_call(&ticket.id, &["joined", "failed", "ended"], LONG).await?;
        assert_ne!(event.text("state"), "joined", "{}", event.data);
        let call = uma.call(&room.meeting.number).await?;
        let ended = call.wait_ended(LONG).await?;
        assert_eq!(ended, EndedBy::Refused(488), "an offer without keys");
        set_device(&admin, "103a", json!({ "srtp": "optional" })).await?;
        call_and_join(&room, target(&room, "uma", "103a").await?).await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_d22_d68_linphone_with_opus_and_both_ways_to_agree_on_keys() {
    let change = |config: partyline_tests::stage::StageConfig| config.set("codecs", "[\"opus\", \"pcmu\"]");
    on_stage_with(change, async |stage| {
        let (admin, _) = stage.login("tia").await?;
        let sip = stage.sip()?;
        for device in ["101a", "103a"] {
            set_device(&admin, device, json!({ "codecs": ["opus"], "srtp": "required" })).await?;
        }
        let mut called = Linphone::start(&LinphoneConfig::new("103a", sip, tone::UMA, "srtp")).await?;
        let mut caller = Linphone::start(&LinphoneConfig::new("101a", sip, tone::PIA, "dtls")).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let call = call_one(&room, target(&room, "uma", "103a").await?).await?;
        let event = room.host.events.wait_call(&call.id, &["joined", "failed", "ended"], LONG).await?;
        assert_eq!(event.text("state"), "joined", "{}\n{}", event.data, called.words().join("\n"));
        wait_registered(&room.api, "pia").await;
        caller.call(&room.meeting.number).await?;
        let start = Instant::now();
        for (tone, phone) in [(tone::UMA, &called), (tone::PIA, &caller)] {
            let heard = room.host.ear().wait_for(tone, start, LONG).await;
            assert!(
                heard.is_some(),
                "{tone} Hz in the meeting; linphone said:\n{}",
                phone.words().join("\n")
            );
        }
        tokio::time::sleep(LISTENS).await;
        let past = start.checked_sub(Duration::from_secs(60)).unwrap_or(start);
        let long = Duration::from_millis(500);
        assert_eq!(called.finish().await?.tones_since(past, long), [tone::HANA, tone::PIA]);
        assert_eq!(caller.finish().await?.tones_since(past, long), [tone::HANA, tone::UMA]);
        Ok(())
    })
    .await;
}
