//! The life of the process and of meetings: crash, end, leaving.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::participant::Participant;
use partyline_tests::sip::call::EndedBy;
use partyline_tests::stage::StageConfig;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, on_stage, on_stage_with, person_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_again_on_the_same_data_after_kill_9() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        stage.carrier.wait_call_to(carrier::NO_ANSWER, LONG).await?;
        let meeting = room.meeting.clone();
        drop(room);
        stage.crash_and_restart().await?;
        let complaints: Vec<String> = stage
            .gateway()?
            .logs()
            .into_iter()
            .filter(|line| line.contains("ERROR") || line.contains("panick"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        // A token is a row, not memory.
        let (api, _) = stage.login("hana").await?;
        let again = api.meeting(&meeting.id).await?;
        assert_eq!((again.title, again.number), (meeting.title, meeting.number));
        let ghosts: Vec<String> =
            again.people.iter().filter(|one| one.present).map(|one| one.display_name.clone()).collect();
        assert!(ghosts.is_empty(), "nobody is in after a crash: {ghosts:?}");
        // The binding survived: Uma need not register again to be called.
        let host = Participant::join(&api, &meeting.id, Voice::silent()).await?;
        let before = uma.counts().invites;
        let targets = [CallTarget::device(&user.id, "103a", "presenter")];
        let tickets = api.call(&meeting.id, &targets, "after-the-crash").await?;
        assert_eq!(tickets[0].state, "queued", "{tickets:?}");
        host.events.wait_call(&tickets[0].id, &["joined"], LONG).await?;
        assert_eq!(uma.counts().invites, before + 1, "called once, not dialled twice");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_hangs_up_every_leg_and_ends_with_0() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        let ringing = stage.carrier.wait_call_to(carrier::NO_ANSWER, LONG).await?;
        let asked = Instant::now();
        assert_eq!(stage.stop().await?, Some(0));
        assert!(asked.elapsed() < Duration::from_secs(6), "it took {:?}", asked.elapsed());
        assert_eq!(uma.wait_incoming(0, LONG).await?.wait_ended(LONG).await?, EndedBy::RemoteBye);
        assert_eq!(ringing.wait_ended(LONG).await?, EndedBy::Cancelled);
        Ok(())
    })
    .await;
}

/// A carrier that says nothing at all, not even to a CANCEL, must not keep the process up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_sigterm_ends_it_although_the_carrier_is_dead() {
    let dead = |mut config: StageConfig| {
        config.foreign_trunk = true;
        Ok(config)
    };
    on_stage_with(dead, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let call = call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        room.host.events.wait_call(&call.id, &["dialling"], LONG).await?;
        assert_eq!(stage.stop().await?, Some(0));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_the_meeting_ends_every_call_also_a_ringing_one() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        stage.carrier.wait_call_to(carrier::NO_ANSWER, LONG).await?;
        room.api.end_meeting(&room.meeting.id).await?;
        stage.wait_quiet(LONG).await?;
        for (number, by) in
            [(carrier::PRESSES_ONE, EndedBy::RemoteBye), (carrier::NO_ANSWER, EndedBy::Cancelled)]
        {
            let call = stage.carrier.wait_call_to(number, LONG).await?;
            assert_eq!(call.wait_ended(LONG).await?, by, "{number}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_tab_leaves_after_five_seconds() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let (api, _) = stage.api.join(&room.meeting.link, Some("Guest")).await?;
        let guest = Participant::join(&api, &room.meeting.id, Voice::steady(tone::GUEST)).await?;
        assert!(room.host.ear().wait_for(tone::GUEST, Instant::now(), LONG).await.is_some());
        let closed = Instant::now();
        guest.events.close();
        let left = room.host.events.wait("the guest's leaving", LONG, |event| {
            event.kind == "person.left" && event.data.to_string().contains("Guest")
        });
        let after = left.await?.seen - closed;
        assert!((4_000..8_000).contains(&after.as_millis()), "left after {after:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d49_the_speaker_on_a_phone_is_named_and_a_removed_phone_hung_up() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let person = person_id(&room, "Uma").await?;
        let speaking = room.host.events.wait("the speaker to be named", LONG, |event| {
            event.kind == "person.speaking" && event.text("person") == person
        });
        speaking.await?;
        let path = format!("/v1/meetings/{}/people/{person}", room.meeting.id);
        let removed = room.api.send("DELETE", &path, &[], None).await?;
        assert!(removed.status < 300, "{} {}", removed.status, removed.body);
        let call = uma.wait_incoming(0, LONG).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::RemoteBye);
        Ok(())
    })
    .await;
}
