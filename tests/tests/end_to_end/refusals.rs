//! Calls that are not answered: each has its cause, and leaves nothing behind.

use std::time::{Duration, Instant};

use partyline_tests::api::CallTarget;
use partyline_tests::carrier;
use partyline_tests::shared::token;
use partyline_tests::sip::call::{EndedBy, Script};
use partyline_tests::stage::StageConfig;
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, call_and_join, call_one, on_stage, on_stage_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_every_refusal_has_its_cause_and_leaves_no_leg() {
    on_stage(async |stage| {
        let expected = [
            (carrier::BUSY, "busy", 486),
            (carrier::DECLINED, "declined", 603),
            (carrier::NOT_FOUND, "not_working_number", 404),
            (carrier::INCOMPLETE, "not_working_number", 484),
            (carrier::UNAVAILABLE, "no_answer", 480),
            (carrier::TROUBLE, "trunk_down", 503),
        ];
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let targets: Vec<CallTarget> =
            expected.iter().map(|(number, _, _)| CallTarget::number(number, "attendee")).collect();
        let tickets = room.api.call(&room.meeting.id, &targets, &token()).await?;
        for (ticket, (number, cause, code)) in tickets.iter().zip(expected) {
            let over = room.host.events.wait_call(&ticket.id, &["failed", "ended", "refused"], LONG).await?;
            assert_eq!(over.text("state"), "failed", "{number}: {}", over.data);
            assert_eq!(over.text("cause"), cause, "{number}: {}", over.data);
            assert_eq!(over.data.get("sip_code").and_then(|value| value.as_u64()), Some(code), "{number}");
            assert!(!over.text("words").is_empty(), "{number} has no words");
            assert_eq!(stage.carrier.calls_to(number).len(), 1, "{number} is tried once");
        }
        stage.wait_quiet(LONG).await?;
        let meeting = room.api.meeting(&room.meeting.id).await?;
        let present: Vec<&str> =
            meeting.people.iter().filter(|one| one.present).map(|one| one.display_name.as_str()).collect();
        assert_eq!(present.len(), 1, "only Hana is in: {present:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_a_desk_phone_declines_or_is_busy() {
    on_stage(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let user = room.api.user("uma").await?;
        for (status, cause) in [(486, "busy"), (603, "declined"), (480, "no_answer")] {
            uma.set_script(Script::refuse(status, true));
            let ticket = call_one(&room, CallTarget::device(&user.id, "103a", "presenter")).await?;
            let over = room.host.events.wait_call(&ticket.id, &["failed", "ended"], LONG).await?;
            assert_eq!(over.text("cause"), cause, "{status}: {}", over.data);
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i53_cancel_while_ringing_and_hang_up_later() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        room.host.events.wait_call(&ticket.id, &["ringing"], LONG).await?;
        room.api.end_call(&ticket.id).await?;
        let over = room.host.events.wait_call(&ticket.id, &["cancelled", "failed", "ended"], LONG).await?;
        assert_eq!(over.text("state"), "cancelled", "{}", over.data);
        let ringing = stage.carrier.wait_call_to(carrier::NO_ANSWER, LONG).await?;
        assert_eq!(ringing.wait_ended(LONG).await?, EndedBy::Cancelled);
        let joined = call_and_join(&room, CallTarget::number(carrier::PRESSES_ONE, "attendee")).await?;
        room.api.end_call(&joined).await?;
        let over = room.host.events.wait_call(&joined, &["ended"], LONG).await?;
        assert_eq!(over.text("cause"), "hung_up", "{}", over.data);
        let call = stage.carrier.wait_call_to(carrier::PRESSES_ONE, LONG).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::RemoteBye);
        stage.wait_quiet(LONG).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i54_ringing_ends_after_the_time_out() {
    let quick = |config: StageConfig| config.set("ring_timeout_s", "5");
    on_stage_with(quick, async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let pressed = Instant::now();
        let ticket = call_one(&room, CallTarget::number(carrier::NO_ANSWER, "attendee")).await?;
        let over = room.host.events.wait_call(&ticket.id, &["failed", "ended"], LONG).await?;
        assert_eq!(over.text("cause"), "no_answer", "{}", over.data);
        let rang = over.seen - pressed;
        assert!((4_500..8_000).contains(&rang.as_millis()), "{rang:?}");
        let call = stage.carrier.wait_call_to(carrier::NO_ANSWER, LONG).await?;
        assert_eq!(call.wait_ended(LONG).await?, EndedBy::Cancelled);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i55_call_again_dials_once_more_with_the_same_role() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let ticket = call_one(&room, CallTarget::number(carrier::BUSY, "presenter")).await?;
        room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.carrier.calls_to(carrier::BUSY).len(), 1, "nobody is called again by itself");
        room.api.retry_call(&ticket.id).await?;
        let what = "the second attempt";
        stage
            .carrier
            .agent
            .wait_call(what, LONG, |_| stage.carrier.calls_to(carrier::BUSY).len() == 2)
            .await?;
        Ok(())
    })
    .await;
}
