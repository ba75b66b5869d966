//! What every test needs: a stage of its own, not too many at once, and the gateway's words when something fails.

use std::time::Duration;

use partyline_tests::api::{CallTarget, CallTicket};
use partyline_tests::error::LabResult;
use partyline_tests::shared::token;
use partyline_tests::stage::{Room, Stage, StageConfig};
use tokio::sync::Semaphore;

/// Gateways at the same time: the delays are measured on machines with two cores.
const AT_ONCE: u32 = 2;
static STAGES: Semaphore = Semaphore::const_new(AT_ONCE as usize);

/// Long enough for anything that is not a time-out of its own.
pub(crate) const LONG: Duration = Duration::from_secs(10);

struct Watched(Stage);

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(&self.0);
        }
    }
}

fn show_logs(stage: &Stage) {
    let Ok(gateway) = stage.gateway() else { return };
    let logs = gateway.logs();
    eprintln!("the gateway's last words:");
    for line in &logs[logs.len().saturating_sub(80)..] {
        eprintln!("  {line}");
    }
}

/// Runs `test` on the demonstration's house.
pub(crate) async fn on_stage(test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>) {
    on_stage_with(Ok, test).await;
}

/// Runs `test` on the demonstration's house while no other test has one: for browsers, which take every core.
pub(crate) async fn on_stage_alone(test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>) {
    on_stage_alone_with(Ok, test).await;
}

/// The same on a house whose configuration went through `change`: also for what is measured.
pub(crate) async fn on_stage_alone_with(
    change: impl FnOnce(StageConfig) -> LabResult<StageConfig>,
    test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>,
) {
    let _permits = STAGES.acquire_many(AT_ONCE).await.unwrap();
    play(change, test).await;
}

/// Runs `test` on a house whose configuration went through `change`.
pub(crate) async fn on_stage_with(
    change: impl FnOnce(StageConfig) -> LabResult<StageConfig>,
    test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>,
) {
    let _permit = STAGES.acquire().await.unwrap();
    play(change, test).await;
}

async fn play(
    change: impl FnOnce(StageConfig) -> LabResult<StageConfig>,
    test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>,
) {
    let config = StageConfig::demo_on_free_ports().and_then(change).unwrap_or_else(|error| panic!("{error}"));
    let stage = Stage::start(config).await.unwrap_or_else(|error| panic!("{error}"));
    let mut watched = Watched(stage);
    if let Err(error) = test(&mut watched.0).await {
        panic!("{error}");
    }
}

/// Presses CALL for one target and returns its ticket.
pub(crate) async fn call_one(room: &Room, target: CallTarget) -> LabResult<CallTicket> {
    let mut tickets = room.api.call(&room.meeting.id, &[target], &token()).await?;
    assert_eq!(tickets.len(), 1, "one ticket for one target");
    Ok(tickets.remove(0))
}

/// Calls one target and waits until it joined; returns the call's id.
pub(crate) async fn call_and_join(room: &Room, target: CallTarget) -> LabResult<String> {
    let ticket = call_one(room, target).await?;
    assert_eq!(ticket.state, "queued", "{ticket:?}");
    let event =
        room.host.events.wait_call(&ticket.id, &["joined", "failed", "ended", "refused"], LONG).await?;
    assert_eq!(event.text("state"), "joined", "{}", event.data);
    Ok(ticket.id)
}

/// Waits until `wanted` holds.
pub(crate) async fn eventually(what: &str, timeout: Duration, mut wanted: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + timeout;
    while !wanted().await {
        assert!(tokio::time::Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The id of the person in the meeting whose name or number contains `text`.
pub(crate) async fn person_id(room: &Room, text: &str) -> LabResult<String> {
    let meeting = room.api.meeting(&room.meeting.id).await?;
    let found = meeting.people.iter().find(|person| {
        person.display_name.contains(text)
            || person.number.as_deref().is_some_and(|number| number.contains(text))
    });
    Ok(found.unwrap_or_else(|| panic!("no person {text} among {:?}", meeting.people)).id.clone())
}
