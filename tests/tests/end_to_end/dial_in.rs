//! Phones and outside callers that call the meeting.

use std::time::Instant;

use partyline_tests::carrier;
use partyline_tests::g711::Codec;
use partyline_tests::rtp_leg::KeyPress;
use partyline_tests::sip::call::EndedBy;
use partyline_tests::stage::StageConfig;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, on_stage, on_stage_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d19_a_registered_phone_calls_the_meeting_number() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let start = Instant::now();
        let call = uma.call(&room.meeting.number).await?;
        call.wait_confirmed(LONG).await?;
        assert!(call.ear().wait_for(tone::HANA, start, LONG).await.is_some(), "Uma hears Hana");
        assert!(room.host.ear().wait_for(tone::UMA, start, LONG).await.is_some(), "Hana hears Uma");
        let joined = room.host.events.wait("Uma's arrival", LONG, |event| {
            event.kind == "person.joined" && event.data.to_string().contains("Uma")
        });
        joined.await?;
        call.hang_up();
        let left = room.host.events.wait("Uma's leaving", LONG, |event| {
            event.kind == "person.left" && event.data.to_string().contains("Uma")
        });
        left.await?;
        Ok(())
    })
    .await;
}

/// configs/bench.toml: any peer on loopback joins by number or by alias, as Presenter, and all are in one meeting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d07_d19_the_bench_meetings_take_trusted_peers_by_number_and_alias() {
    let bench = |mut config: StageConfig| {
        let text = include_str!("../../../configs/bench.toml").replace("[30000, 39999]", "[20000, 20999]");
        config.configuration = config.ports.apply(&text);
        Ok(config)
    };
    on_stage_with(bench, async |stage| {
        let start = Instant::now();
        let gateway = stage.sip()?;
        let one = stage.carrier.call_in(gateway, "room500", "sipp-1", tone::UMA).await?;
        let two = stage.carrier.call_in(gateway, "900000500", "sipp-2", tone::PIA).await?;
        one.wait_confirmed(LONG).await?;
        two.wait_confirmed(LONG).await?;
        assert!(one.ear().wait_for(tone::PIA, start, LONG).await.is_some(), "the first hears the second");
        assert!(two.ear().wait_for(tone::UMA, start, LONG).await.is_some(), "the second hears the first");
        let beyond = stage.carrier.call_in(gateway, "room501", "sipp-3", tone::PIA).await?;
        assert_eq!(beyond.wait_ended(LONG).await?, EndedBy::Refused(404));
        one.hang_up();
        two.hang_up();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d19_the_trunk_calls_the_meeting_number() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let info =
            room.api.send("GET", &format!("/v1/meetings/{}/join-info", room.meeting.id), &[], None).await?;
        let start = Instant::now();
        let call = stage
            .carrier
            .call_in(stage.sip()?, &room.meeting.number, carrier::PRESSES_ONE, tone::OUTSIDE)
            .await?;
        call.wait_confirmed(LONG).await?;
        // Whoever comes by a trunk needs the PIN, but no meeting id.
        for key in format!("{}#", info.body["guest_pin"].as_str().unwrap()).chars() {
            call.leg.press(KeyPress::new(key));
        }
        assert!(call.ear().wait_for(tone::HANA, start, LONG).await.is_some());
        assert!(room.host.ear().wait_for(tone::OUTSIDE, start, LONG).await.is_some());
        room.api.end_meeting(&room.meeting.id).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::RemoteBye);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d19_strangers_and_unknown_numbers_are_refused() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let call = uma.call("888888888").await?;
        let ended = call.wait_ended(LONG).await?;
        assert!(matches!(ended, EndedBy::Refused(404 | 484 | 480)), "{ended:?}");
        let config =
            partyline_tests::phone::PhoneConfig::new("103a", "wrong", "acme.test", stage.sip()?, tone::PIA);
        let stranger = partyline_tests::phone::Phone::start(config).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let call = stranger.call(&room.meeting.number).await?;
        let ended = call.wait_ended(LONG).await?;
        assert!(matches!(ended, EndedBy::Refused(401 | 403 | 407)), "{ended:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_no_codec_in_common_is_488_and_a_law_alone_will_do() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let call = uma.call_with(&room.meeting.number, &[]).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::Refused(488));
        let start = Instant::now();
        let call = uma.call_with(&room.meeting.number, &[Codec::Pcma]).await?;
        call.wait_confirmed(LONG).await?;
        assert!(call.ear().wait_for(tone::HANA, start, LONG).await.is_some());
        assert!(room.host.ear().wait_for(tone::UMA, start, LONG).await.is_some());
        Ok(())
    })
    .await;
}
