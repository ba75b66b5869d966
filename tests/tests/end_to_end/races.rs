//! Answers that cross each other, and answers that come twice.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::sip::call::{CallState, EndedBy, Script};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, eventually, on_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d38_an_answer_that_crosses_the_cancel_is_hung_up() {
    on_stage(async |stage| {
        let number = "+12025550181";
        stage.carrier.set_callee(number, |_| Script { crosses_cancel: true, ..Script::ring() });
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(number, "presenter")).await?;
        room.host.events.wait_call(&ticket.id, &["ringing"], LONG).await?;
        room.api.end_call(&ticket.id).await?;
        let over = room.host.events.wait_call(&ticket.id, &["cancelled", "ended", "failed"], LONG).await?;
        assert_eq!(over.text("state"), "cancelled", "{}", over.data);
        let call = stage.carrier.wait_call_to(number, LONG).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::RemoteBye, "ACK, then BYE");
        assert!(call.times().confirmed.is_some(), "the 200 was acknowledged");
        assert!(!room.host.events.call_states(&ticket.id).contains(&"joined".to_owned()), "no ghost");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d37_of_two_answers_one_is_kept_and_one_is_hung_up() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        uma.set_script(Script {
            forks: true,
            ..Script::answer(Duration::from_millis(300), uma.voice.clone())
        });
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let user = room.api.user("uma").await?;
        call_and_join(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
        let call = uma.wait_incoming(0, LONG).await?;
        eventually("the second answer to be hung up", LONG, async || call.fork_ended()).await;
        assert_eq!(call.state(), CallState::Confirmed, "the first answer stays");
        assert!(room.host.ear().wait_for(tone::UMA, Instant::now(), LONG).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d38_the_meeting_ends_while_somebody_answers() {
    on_stage(async |stage| {
        let number = "+12025550182";
        stage.carrier.set_callee(number, |_| Script::answer(Duration::from_millis(400), Voice::silent()));
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        call_one(&room, CallTarget::number(number, "presenter")).await?;
        let call = stage.carrier.wait_call_to(number, LONG).await?;
        tokio::time::sleep(Duration::from_millis(380)).await;
        room.api.end_meeting(&room.meeting.id).await?;
        let by = call.wait_ended(LONG).await?;
        assert!(matches!(by, EndedBy::RemoteBye | EndedBy::Cancelled), "{by:?}");
        Ok(())
    })
    .await;
}
