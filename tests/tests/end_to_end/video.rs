//! Pictures between web participants.

use std::time::{Duration, Instant};

use partyline_tests::api::{CallTarget, PersonToInvite};
use partyline_tests::participant::Participant;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, eventually, on_stage};

fn frames(participant: &Participant) -> u64 {
    participant.video().values().map(|slot| slot.frames).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d48_two_participants_see_each_other_and_a_phone_changes_nothing() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let (hana, _) = stage.login("hana").await?;
        let pia = hana.user("pia").await?;
        let people = [PersonToInvite::user(&pia.id, "presenter")];
        let meeting = hana.create_meeting("Seen", "conference", &people).await?;
        hana.start_meeting(&meeting.id).await?;
        let host = Participant::join(&hana, &meeting.id, Voice::silent()).await?;
        let (pia, _) = stage.login("pia").await?;
        let other = Participant::join(&pia, &meeting.id, Voice::silent()).await?;
        host.set_camera(true);
        other.set_camera(true);
        eventually("pictures both ways", LONG, async || frames(&host) > 10 && frames(&other) > 10).await;
        let first = host.video();
        assert!(first.values().any(|slot| slot.key_frames > 0), "begins with a key frame: {first:?}");
        let room = partyline_tests::stage::Room { api: hana, meeting, host };
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let phone = uma.wait_incoming(0, LONG).await?;
        let (before_host, before_other) = (frames(&room.host), frames(&other));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (after_host, after_other) = (frames(&room.host) - before_host, frames(&other) - before_other);
        // Ten pictures a second.
        assert!(after_host >= 15 && after_other >= 15, "pictures in 2 s: {after_host}, {after_other}");
        assert!(room.host.ear().wait_for(tone::UMA, Instant::now(), LONG).await.is_some());
        drop(phone);
        Ok(())
    })
    .await;
}
