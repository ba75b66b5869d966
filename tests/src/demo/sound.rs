//! Who hears whom, and how late.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{Findings, say};
use crate::delay::mouth_to_ear;
use crate::ear::Ear;
use crate::error::LabResult;
use crate::report::Table;
use crate::sip::call::Call;
use crate::stage::Room;
use crate::tone;

/// How long everybody speaks for the table.
const LISTENING: Duration = Duration::from_secs(2);
/// Above this something is wrong, even on a machine that builds at the same time (ITU-T G.114 wants 150 ms at most).
const LATE: Duration = Duration::from_millis(300);
const ONSETS: usize = 5;

/// Prints the table of tones and the delays.
pub(super) async fn report(
    room: &Room,
    uma: &Call,
    outside: &Call,
    findings: &mut Findings,
    out: &mut (impl Write + Send),
) -> LabResult<()> {
    // The last joined voice first passes every buffer.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let from = Instant::now();
    tokio::time::sleep(LISTENING).await;
    let listeners = [
        ("Hana (browser)", room.host.ear(), tone::HANA),
        ("Uma (desk phone)", uma.ear(), tone::UMA),
        ("outside person", outside.ear(), tone::OUTSIDE),
    ];
    let table = heard_table(&listeners, from, findings);
    say(out, &format!("Who heard whom (level of the tone in dB, - is silence)\n{table}"))?;
    delays(room, uma, outside, findings, out).await
}

fn heard_table(listeners: &[(&str, &Ear, u32)], from: Instant, findings: &mut Findings) -> Table {
    let speakers = [tone::HANA, tone::UMA, tone::OUTSIDE];
    let mut table = Table::new(["listener", "Hana", "Uma", "outside person", "anything else"]);
    for (name, ear, own) in listeners {
        let heard = ear.heard_since(from);
        let mut cells = vec![(*name).to_owned()];
        for speaker in speakers {
            let level = heard.iter().find(|one| one.hz == speaker).map(|one| one.level_dbfs);
            cells.push(level.map_or_else(|| "-".to_owned(), |level| format!("{level:.0}")));
            let expected = speaker != *own;
            findings.check(level.is_some() == expected, || {
                let did = if expected { "did not hear" } else { "heard the echo of" };
                format!("{name} {did} {}", tone::owner(speaker))
            });
        }
        let others: Vec<&str> =
            heard.iter().filter(|one| !speakers.contains(&one.hz)).map(|one| tone::owner(one.hz)).collect();
        findings.check(others.is_empty(), || format!("{name} also heard {}", others.join(", ")));
        cells.push(if others.is_empty() { "-".to_owned() } else { others.join(", ") });
        table.row(cells);
    }
    table
}

async fn delays(
    room: &Room,
    uma: &Call,
    outside: &Call,
    findings: &mut Findings,
    out: &mut (impl Write + Send),
) -> LabResult<()> {
    let routes = [
        ("phone to browser", uma.voice(), tone::UMA, room.host.ear()),
        ("browser to phone", room.host.voice(), tone::HANA, uma.ear()),
        ("phone to phone", uma.voice(), tone::UMA, outside.ear()),
    ];
    let mut table = Table::new(["mouth to ear", "median of 5"]);
    for (name, voice, hz, ear) in routes {
        let delay = mouth_to_ear(voice, hz, ear, ONSETS).await?;
        table.row([name.to_owned(), format!("{} ms", delay.as_millis())]);
        findings.check(delay <= LATE, || format!("{name} takes {} ms", delay.as_millis()));
    }
    say(out, &format!("Delay from the spoken sample to the ear\n{table}"))
}
