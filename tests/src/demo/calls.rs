//! The calls of the demonstration and what a Host sees of them.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Findings, say};
use crate::api::{CallTarget, Event};
use crate::carrier;
use crate::error::{LabError, LabResult};
use crate::phone::Phone;
use crate::report::Table;
use crate::shared::token;
use crate::sip::call::Call;
use crate::stage::{Room, Stage};

/// Who is called, and how it must end.
const CALLED: [(&str, &str, &[&str], Option<&str>); 4] = [
    ("Uma's desk phone 103a", "Presenter", &["dialling", "ringing", "answered", "joined"], None),
    ("+1 202 555 0177", "Attendee", &["dialling", "ringing", "answered", "confirming", "joined"], None),
    ("+1 202 555 0120 (busy)", "Attendee", &["dialling", "failed"], Some("busy")),
    (
        "+1 202 555 0130 (voicemail)",
        "Attendee",
        &["dialling", "ringing", "answered", "confirming"],
        Some("not_confirmed"),
    ),
];

/// The calls as placed.
pub(super) struct Placed {
    ids: Vec<String>,
    pressed: Instant,
}

/// Presses CALL for all four.
pub(super) async fn place(room: &Room) -> LabResult<Placed> {
    let uma = room.api.user("uma").await?;
    let targets = [
        CallTarget::device(&uma.id, "103a", "presenter"),
        CallTarget::number("(202) 555-0177", "attendee"),
        CallTarget::number(carrier::BUSY, "attendee"),
        CallTarget::number(carrier::VOICEMAIL, "attendee"),
    ];
    let pressed = Instant::now();
    let tickets = room.api.call(&room.meeting.id, &targets, &token()).await?;
    match tickets.iter().find(|ticket| ticket.state == "refused") {
        None => Ok(Placed { ids: tickets.into_iter().map(|ticket| ticket.id).collect(), pressed }),
        Some(refused) => Err(LabError::Other(format!("a call was refused: {refused:?}"))),
    }
}

/// Waits until Uma and the outside person are in; returns their sides of the calls.
pub(super) async fn wait_joined(
    room: &Room,
    placed: &Placed,
    stage: &Stage,
    uma: &Phone,
) -> LabResult<(Arc<Call>, Arc<Call>)> {
    let long = Duration::from_secs(15);
    for id in &placed.ids[..2] {
        let event = room.host.events.wait_call(id, &["joined", "failed", "ended"], long).await?;
        if event.text("state") != "joined" {
            return Err(LabError::Other(format!(
                "a call that had to join {}: {}",
                event.text("state"),
                event.data
            )));
        }
    }
    let uma = uma.wait_incoming(0, long).await?;
    let outside = stage.carrier.wait_call_to(carrier::PRESSES_ONE, long).await?;
    Ok((uma, outside))
}

/// Waits until the busy line and the voicemail are over (the voicemail after the time for pressing 1).
pub(super) async fn wait_over(room: &Room, placed: &Placed) -> LabResult<()> {
    for id in &placed.ids[2..] {
        room.host
            .events
            .wait_call(id, &["failed", "ended", "refused", "cancelled"], Duration::from_secs(60))
            .await?;
    }
    Ok(())
}

/// Prints every call with its states and times as the Host saw them.
pub(super) fn report(
    room: &Room,
    placed: &Placed,
    findings: &mut Findings,
    out: &mut impl Write,
) -> LabResult<()> {
    let mut table = Table::new(["called", "as", "states, with seconds since CALL", "words"]);
    for (id, (who, role, states, cause)) in placed.ids.iter().zip(CALLED) {
        let events = room.host.events.call_events(id);
        let shown: Vec<String> = events.iter().map(|event| shown(event, placed.pressed)).collect();
        let words = events.last().map_or("", |event| event.text("words")).to_owned();
        table.row([who.to_owned(), role.to_owned(), shown.join(" "), words]);
        let seen: Vec<&str> = events.iter().map(|event| event.text("state")).collect();
        findings.check(in_order(&seen, states), || {
            format!("{who}: states {seen:?}, expected {states:?} in this order")
        });
        let last = events.last().map_or("", |event| event.text("cause"));
        findings.check(last == cause.unwrap_or_default(), || {
            format!("{who}: cause {last:?}, expected {cause:?}")
        });
    }
    say(out, &format!("\nWhat Hana saw\n{table}"))
}

fn shown(event: &Event, pressed: Instant) -> String {
    let after = event.seen.saturating_duration_since(pressed).as_secs_f64();
    format!("{} {after:.2}", event.text("state"))
}

/// Whether `wanted` is a subsequence of `seen`.
fn in_order(seen: &[&str], wanted: &[&str]) -> bool {
    let mut seen = seen.iter();
    wanted.iter().all(|state| seen.any(|one| one == state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts() {
        assert!(in_order(&["queued", "dialling", "ringing", "joined"], &["dialling", "joined"]));
        assert!(!in_order(&["joined", "dialling"], &["dialling", "joined"]));
    }
}
