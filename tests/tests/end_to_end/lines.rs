//! Every line of D36 and F9 that a carrier can draw: the same scripts are played by the lab's carrier and by SIPp, all at once, with
//! a second carrier beside it that is busy for everybody. (491 against our own re-INVITE, which is a session timer's, takes 45 s: it is
//! tested on the virtual clock, in `sip-core/tests/it/sessions.rs`.)

use std::net::SocketAddr;
use std::time::Duration;

use partyline_tests::api::{CallTarget, CallTicket};
use partyline_tests::carrier::{Carrier, CarrierConfig};
use partyline_tests::error::LabResult;
use partyline_tests::script::{self, CalleeScript};
use partyline_tests::shared::token;
use partyline_tests::sip::call::{EndedBy, Script};
use partyline_tests::sipp::Sipp;
use partyline_tests::sipp_script;
use partyline_tests::stage::{Room, Stage, StageConfig};
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, call_one, on_stage_with};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It fails for this reason; nobody else is asked.
    Fails(&'static str),
    /// The second trunk is asked, once, with the same caller ID, and its answer counts.
    Elsewhere,
    /// It is answered, and hung up by the Host.
    Answered,
    /// The Host cancels it while it rings.
    Cancelled,
}
use Fate::{Answered, Cancelled, Elsewhere, Fails};

/// What a callee does, what becomes of the call, and how its leg ends at the carrier.
const LINES: &[(&str, Fate, EndedBy)] = &[
    // D36: each answer has its words, and none of these is retried elsewhere.
    ("ring; wait 100ms; refuse 486", Fails("busy"), EndedBy::Refused(486)),
    ("ring; refuse 600", Fails("busy"), EndedBy::Refused(600)),
    ("ring; refuse 603", Fails("declined"), EndedBy::Refused(603)),
    ("ring; refuse 607", Fails("declined"), EndedBy::Refused(607)),
    ("ring; refuse 480", Fails("no_answer"), EndedBy::Refused(480)),
    ("ring; refuse 408", Fails("no_answer"), EndedBy::Refused(408)),
    ("refuse 404", Fails("not_working_number"), EndedBy::Refused(404)),
    ("refuse 484", Fails("not_working_number"), EndedBy::Refused(484)),
    ("refuse 604", Fails("not_working_number"), EndedBy::Refused(604)),
    ("refuse 403", Fails("destination_denied"), EndedBy::Refused(403)),
    ("refuse 401", Fails("destination_denied"), EndedBy::Refused(401)),
    ("ring; refuse 487", Fails("cancelled"), EndedBy::Refused(487)),
    // F9: trouble before any 18x goes to the next trunk, after it never.
    ("refuse 503", Elsewhere, EndedBy::Refused(503)),
    ("refuse 500", Elsewhere, EndedBy::Refused(500)),
    ("refuse 408", Elsewhere, EndedBy::Refused(408)),
    ("ring; refuse 503", Fails("trunk_down"), EndedBy::Refused(503)),
    ("progress; wait 100ms; refuse 503", Fails("trunk_down"), EndedBy::Refused(503)),
    // F9: silence goes to the next trunk; what is said too late is dealt with.
    ("silence; wait 5s; refuse 486", Elsewhere, EndedBy::Refused(486)),
    ("silence; wait 5s; ring", Elsewhere, EndedBy::Cancelled),
    ("silence; wait 5s; answer", Elsewhere, EndedBy::RemoteBye),
    // F9: 407 is answered once, and once more if the nonce was stale.
    ("challenge; refuse 486", Fails("busy"), EndedBy::Refused(486)),
    ("challenge; challenge stale; refuse 486", Fails("busy"), EndedBy::Refused(486)),
    ("challenge; challenge", Fails("destination_denied"), EndedBy::Refused(407)),
    // F9: 302 only to where the rules allow.
    ("redirect +12025550199", Fails("busy"), EndedBy::Refused(302)),
    ("redirect +19005550199", Fails("destination_denied"), EndedBy::Refused(302)),
    // F9 and D38: cancelled in time, and too late.
    ("ring", Cancelled, EndedBy::Cancelled),
    ("ring; ignore cancel", Cancelled, EndedBy::RemoteBye),
    // F9: answers of every kind.
    ("ring; wait 100ms; answer twice", Answered, EndedBy::RemoteBye),
    ("answer bare", Fails("media_failed"), EndedBy::RemoteBye),
    ("progress; wait 100ms; answer as pcma", Answered, EndedBy::RemoteBye),
    ("ring; answer sendonly", Answered, EndedBy::RemoteBye),
    ("ring; answer inactive", Answered, EndedBy::RemoteBye),
    ("ring; answer at 192.168.77.77", Answered, EndedBy::RemoteBye),
];

/// Where the allowed 302 leads.
const MOVED_TO: &str = "+12025550199";

fn number(line: usize) -> String {
    format!("+120255501{:02}", line + 45)
}

fn callees() -> Vec<CalleeScript> {
    let callee = |(at, (steps, ..)): (usize, &(&str, Fate, EndedBy))| {
        format!("callee {}\n{}\n", number(at), steps.replace(';', "\n"))
    };
    let text: String = LINES.iter().enumerate().map(callee).collect();
    script::parse(&format!("{text}callee {MOVED_TO}\nrefuse 486\n")).unwrap_or_else(|error| panic!("{error}"))
}

/// The trunk has a password, is not asked by OPTIONS (SIPp knows no such thing), and belongs to somebody else.
fn foreign(config: StageConfig) -> LabResult<StageConfig> {
    let peer = format!("peer = \"127.0.0.1:{}\"", config.ports.carrier);
    let more = "user = \"acme-trunk\"\npassword = \"trunk-secret\"\nsettings.probe = false";
    let configuration = config.configuration.replace(&peer, &format!("{peer}\n{more}"));
    assert_ne!(configuration, config.configuration);
    Ok(StageConfig { foreign_trunk: true, configuration, ..config })
}

/// Dials every line, and checks what the Host sees and whom the second trunk was asked for.
async fn play(stage: &Stage) -> LabResult<Room> {
    let (admin, _) = stage.login("tia").await?;
    let body = json!({ "name": "second", "peer": stage.carrier.local().to_string(), "priority": 20 });
    admin.send("POST", "/v1/trunks", &[], Some(body)).await?.read::<Value>("/v1/trunks")?;
    admin.set_dial_policy(json!({ "follow_redirects": true })).await?;
    for at in 0..LINES.len() {
        stage.carrier.set_callee(&number(at), |_| Script::refuse(486, false));
    }
    let room = stage.room("hana", "conference", Voice::silent()).await?;
    let targets: Vec<CallTarget> =
        (0..LINES.len()).map(|at| CallTarget::number(&number(at), "attendee")).collect();
    let tickets = room.api.call(&room.meeting.id, &targets, &token()).await?;
    for ((steps, fate, _), ticket) in LINES.iter().zip(&tickets) {
        meet(&room, steps, *fate, ticket).await?;
    }
    for (at, (steps, fate, _)) in LINES.iter().enumerate() {
        let calls = stage.carrier.calls_to(&number(at));
        assert_eq!(calls.len(), usize::from(*fate == Elsewhere), "{steps}: asked elsewhere");
        assert!(calls.iter().all(|call| call.facts.from.user() == "+12025550100"), "{steps}");
    }
    Ok(room)
}

async fn meet(room: &Room, steps: &str, fate: Fate, ticket: &CallTicket) -> LabResult<()> {
    let long = Duration::from_secs(30);
    let over = ["failed", "ended", "refused", "cancelled"];
    let reached = match fate {
        Answered => Some("confirming"),
        Cancelled => Some("ringing"),
        Fails(_) | Elsewhere => None,
    };
    if let Some(state) = reached {
        let wanted = [&[state][..], &over].concat();
        let event = room.host.events.wait_call(&ticket.id, &wanted, long).await?;
        assert_eq!(event.text("state"), state, "{steps}: {}", event.data);
        room.api.end_call(&ticket.id).await?;
    }
    let event = room.host.events.wait_call(&ticket.id, &over, long).await?;
    match fate {
        Fails(cause) => assert_eq!(event.text("cause"), cause, "{steps}: {}", event.data),
        Elsewhere => assert_eq!(event.text("cause"), "busy", "{steps}: {}", event.data),
        Cancelled => assert_eq!(event.text("state"), "cancelled", "{steps}: {}", event.data),
        Answered => {}
    }
    let states = room.host.events.call_states(&ticket.id);
    assert!(!states.contains(&"joined".to_owned()), "{steps}: nobody pressed 1: {states:?}");
    Ok(())
}

fn trunk(stage: &Stage) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], stage.ports.carrier))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_d38_f9_every_line_against_the_labs_carrier() {
    on_stage_with(foreign, async |stage| {
        let first = Carrier::start(CarrierConfig::new(trunk(stage))).await?;
        first.set_script(callees());
        let room = play(stage).await?;
        for (at, (steps, fate, ended)) in LINES.iter().enumerate() {
            let calls = first.calls_to(&number(at));
            assert_eq!(calls.len(), 1, "{steps}: rung once");
            let by = calls[0].wait_ended(Duration::from_secs(20)).await?;
            assert_eq!(by, *ended, "{steps}");
            let acknowledged = calls[0].times().confirmed.is_some();
            assert_eq!(acknowledged, *ended == EndedBy::RemoteBye, "{steps}: each 200 gets its ACK");
            let forked = steps.contains("twice");
            assert_eq!(calls[0].fork_ended(), forked, "{steps}: the second answer is hung up ({fate:?})");
        }
        // Retry-After: the trunk is left alone, and the next call does not even ask it.
        let (peace, next) = ("+12025550127", "+12025550120");
        stage.carrier.set_callee(peace, |_| Script::refuse(486, false));
        for number in [peace, next] {
            let ticket = call_one(&room, CallTarget::number(number, "attendee")).await?;
            let over = room.host.events.wait_call(&ticket.id, &["failed"], LONG).await?;
            assert_eq!(over.text("cause"), "busy", "{number}: {}", over.data);
            assert_eq!(stage.carrier.calls_to(number).len(), 1, "{number} goes to the second trunk");
        }
        assert_eq!((first.calls_to(peace).len(), first.calls_to(next).len()), (1, 0));
        let waited = stage.carrier.calls_to(peace)[0].facts.at - first.calls_to(peace)[0].facts.at;
        // 200 ms is the goal on a machine of its own.
        assert!(waited < Duration::from_secs(1), "after {waited:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_d38_f9_every_line_against_sipp() {
    on_stage_with(foreign, async |stage| {
        let callees = callees();
        let scenario = sipp_script::scenario(&callees)?;
        let sipp = Sipp::play(&scenario, trunk(stage), "12025550100", callees.len()).await?;
        play(stage).await?;
        // SIPp itself checks From and P-Asserted-Identity, each ACK, BYE and CANCEL.
        sipp.finished(Duration::from_secs(20)).await
    })
    .await;
}
