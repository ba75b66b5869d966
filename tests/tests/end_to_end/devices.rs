//! Registered devices: which are offered, which rings.

use std::time::Duration;

use partyline_tests::api::CallTarget;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, on_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a46_a48_only_registered_devices_are_offered() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let (api, _) = stage.login("hana").await?;
        let user = api.user("uma").await?;
        let registered: Vec<&str> = user
            .devices
            .iter()
            .filter(|device| device.registered)
            .map(|device| device.name.as_str())
            .collect();
        assert_eq!(registered, ["103a"]);
        let label =
            user.devices.iter().find(|device| device.name == "103a").map(|device| device.label.as_str());
        assert_eq!(label, Some("Desk phone 103a"), "A48: kind and label");
        uma.unregister().await?;
        let user = api.user("uma").await?;
        assert!(user.devices.iter().all(|device| !device.registered), "{:?}", user.devices);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_a_wrong_password_registers_nothing() {
    on_stage(async |stage| {
        let sip = stage.sip()?;
        let config = partyline_tests::phone::PhoneConfig::new("103a", "wrong", "acme.test", sip, tone::UMA);
        let intruder = partyline_tests::phone::Phone::start(config).await?;
        let refused = intruder.register(300).await;
        assert!(refused.is_err(), "a wrong password registered");
        let (api, _) = stage.login("hana").await?;
        let user = api.user("uma").await?;
        assert!(user.devices.iter().all(|device| !device.registered));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a47_only_the_chosen_device_rings() {
    on_stage(async |stage| {
        let desk = stage.registered_phone("103a", tone::UMA).await?;
        let soft = stage.registered_phone("103b", tone::PIA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103b", "presenter")).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((desk.counts().invites, soft.counts().invites), (0, 1));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a49_a_device_unregistered_before_call_is_refused() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        uma.unregister().await?;
        let ticket = call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let reason = match ticket.state.as_str() {
            "refused" => ticket.reason.unwrap_or_default(),
            _ => {
                let states = ["failed", "refused"];
                room.host.events.wait_call(&ticket.id, &states, LONG).await?.text("cause").to_owned()
            }
        };
        assert!(["not_registered", "no_device"].contains(&reason.as_str()), "{reason}");
        assert_eq!(uma.counts().invites, 0, "no INVITE");
        Ok(())
    })
    .await;
}
