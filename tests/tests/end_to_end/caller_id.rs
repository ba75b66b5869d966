//! Whose number the called people see.

use std::time::Duration;

use partyline_tests::api::{CallTarget, PersonToInvite};
use partyline_tests::carrier;
use partyline_tests::participant::Participant;
use partyline_tests::shared::token;
use partyline_tests::stage::HANA_NUMBER;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_one, on_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a55_d33_caller_id_is_the_acting_hosts() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        call_one(&room, CallTarget::number(carrier::ANSWERS, "attendee")).await?;
        let call = stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        assert_eq!(call.facts.from.user(), HANA_NUMBER);
        assert_eq!(call.facts.asserted.as_ref().map(|asserted| asserted.user()), Some(HANA_NUMBER));
        assert!(call.facts.from.display.contains("Hana"), "{:?}", call.facts.from);
        assert_eq!(call.facts.privacy, None);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a56_a_second_host_calls_with_her_own_number() {
    on_stage(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let pia = hana.user("pia").await?;
        let meeting =
            hana.create_meeting("Two hosts", "conference", &[PersonToInvite::user(&pia.id, "host")]).await?;
        hana.start_meeting(&meeting.id).await?;
        let _first = Participant::join(&hana, &meeting.id, Voice::silent()).await?;
        let (pia, _) = stage.login("pia").await?;
        let _second = Participant::join(&pia, &meeting.id, Voice::silent()).await?;
        pia.call(&meeting.id, &[CallTarget::number(carrier::ANSWERS, "attendee")], &token()).await?;
        let call = stage.carrier.wait_call_to(carrier::ANSWERS, LONG).await?;
        assert_eq!(call.facts.from.user(), "+12025550101");
        assert_eq!(call.facts.asserted.as_ref().map(|asserted| asserted.user()), Some("+12025550101"));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a57_a_desk_phone_sees_the_hosts_number_and_name() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let call = uma.wait_incoming(0, LONG).await?;
        assert_eq!(call.facts.from.user(), HANA_NUMBER);
        assert!(call.facts.from.display.contains("Hana"), "{:?}", call.facts.from);
        assert_eq!(call.facts.asserted.as_ref().map(|asserted| asserted.user()), Some(HANA_NUMBER));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a60_without_a_caller_id_nothing_is_dialled() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("sam", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        let targets = [
            CallTarget::number(carrier::ANSWERS, "attendee"),
            CallTarget::device(&user.id, "103a", "presenter"),
        ];
        let path = format!("/v1/meetings/{}/calls", room.meeting.id);
        let key = token();
        let body = serde_json::json!({ "targets": targets });
        let answer = room.api.send("POST", &path, &[("Idempotency-Key", &key)], Some(body)).await?;
        let words = answer.body.to_string();
        assert!(words.contains("no_caller_id"), "{} {words}", answer.status);
        assert!(words.to_lowercase().contains("caller id"), "the setting is named: {words}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((stage.carrier.counts().invites, uma.counts().invites), (0, 0));
        Ok(())
    })
    .await;
}
