//! The carrier in a box by its script: who presses a key in every way, one-way sound, holding, sudden death.

use std::time::Instant;

use partyline_tests::api::CallTarget;
use partyline_tests::script;
use partyline_tests::shared::token;
use partyline_tests::sip::call::{CallState, EndedBy};
use partyline_tests::tone;
use partyline_tests::voice::Voice;

use crate::support::{LONG, on_stage};

/// The usual callees who press 1, and how each of their legs ends when the Host hangs up.
const WHO_PRESS: [(&str, &str, EndedBy); 4] = [
    ("+12025550131", "after an announcement", EndedBy::RemoteBye),
    ("+12025550136", "without a marker", EndedBy::RemoteBye),
    ("+12025550137", "by INFO", EndedBy::RemoteBye),
    ("+12025550138", "as tones", EndedBy::RemoteBye),
];

/// Somebody of a script of one's own, and two who never press.
const SCRIPT: &str = "callee +12025550150 speaks, holds, comes back and hangs up
  ring
  say guest
  answer
  wait 1s
  press 1
  wait 2s
  hold
  wait 500ms
  resume
  wait 2s
  hang up

callee +12025550151 dies before it is let in
  ring
  answer
  wait 500ms
  die
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i50_d20_d21_callees_of_a_script_press_hold_hang_up_and_die() {
    on_stage(async |stage| {
        stage.carrier.set_script(script::parse(SCRIPT).unwrap());
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let numbers = WHO_PRESS.map(|(number, ..)| number);
        let numbers = [&numbers[..], &["+12025550150", "+12025550151"]].concat();
        let targets: Vec<CallTarget> =
            numbers.iter().map(|number| CallTarget::number(number, "presenter")).collect();
        let began = Instant::now();
        let tickets = room.api.call(&room.meeting.id, &targets, &token()).await?;
        for ((number, how, _), ticket) in WHO_PRESS.iter().zip(&tickets) {
            let event = room.host.events.wait_call(&ticket.id, &["joined", "failed", "ended"], LONG).await?;
            assert_eq!(event.text("state"), "joined", "{number} presses {how}: {}", event.data);
            let call = stage.carrier.wait_call_to(number, LONG).await?;
            assert!(call.ear().wait_for(tone::HANA, began, LONG).await.is_some(), "{number} hears Hana");
        }
        assert!(room.host.ear().wait_for(tone::GUEST, began, LONG).await.is_some(), "the script's own tone");
        let scripted = &tickets[WHO_PRESS.len()];
        let over = room.host.events.wait_call(&scripted.id, &["ended", "failed"], LONG * 2).await?;
        assert_eq!(over.text("cause"), "hung_up", "{}", over.data);
        let dead = stage.carrier.wait_call_to("+12025550151", LONG).await?;
        assert_eq!(dead.wait_ended(LONG).await?, EndedBy::Died);
        room.api.end_meeting(&room.meeting.id).await?;
        for (number, how, ended) in WHO_PRESS {
            let call = stage.carrier.wait_call_to(number, LONG).await?;
            assert_eq!(call.wait_ended(LONG).await?, ended, "{number} presses {how}");
        }
        assert_ne!(dead.state(), CallState::Confirmed);
        stage.wait_quiet(LONG).await
    })
    .await;
}
