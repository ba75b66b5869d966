//! The guided demonstration: Hana opens a meeting in the browser's place and presses CALL for a desk phone, an outside
//! person, a busy line and a voicemail; then the report says who heard whom, and whether all was as it must be.

mod calls;
mod sound;

use std::io::Write;
use std::time::Duration;

use crate::carrier;
use crate::error::{LabError, LabResult};
use crate::phone::Phone;
use crate::report::Table;
use crate::sip::call::Call;
use crate::stage::{DOMAIN, HANA_NUMBER, Room, Stage, StageConfig};
use crate::tone;
use crate::voice::Voice;

/// What to demonstrate.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// The gateway, its configuration and ports.
    pub stage: StageConfig,
    /// Ends after the report.
    pub exit: bool,
    /// Only starts everything and shows the address, without the scripted part.
    pub url_only: bool,
}

/// Everything that runs.
struct House {
    stage: Stage,
    uma: Phone,
    pia: Phone,
}

/// Findings so far; none means OK.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.0.push(otherwise());
        }
    }
}

/// Runs the demonstration; true when everything was as it must be.
///
/// # Errors
/// When the demonstration could not be carried out at all.
pub async fn run(config: &DemoConfig, out: &mut (impl Write + Send)) -> LabResult<bool> {
    say(out, "Partyline demonstration")?;
    let mut house = build(config).await?;
    let sip = house.stage.sip()?;
    say(out, &format!("  gateway    SIP {sip}, web {}", house.stage.api.base()))?;
    say(out, &format!("  carrier    {}, reached through the trunk", house.stage.carrier.local()))?;
    say(out, "  phones     103a (Uma) and 101a (Pia), registered")?;
    let mut good = true;
    if !config.url_only {
        good = scripted(&house, out).await?;
    }
    if !config.exit {
        by_hand(&house, out)?;
        tokio::signal::ctrl_c().await.map_err(LabError::io("waiting for Ctrl-C"))?;
        say(out, "Stopping.")?;
    }
    let code = house.stage.stop().await?;
    if code != Some(0) {
        say(out, &format!("The gateway ended with {code:?} instead of 0."))?;
        good = false;
    }
    Ok(good)
}

async fn build(config: &DemoConfig) -> LabResult<House> {
    let stage = Stage::start(config.stage.clone()).await?;
    let uma = stage.registered_phone("103a", tone::UMA).await?;
    let pia = stage.registered_phone("101a", tone::PIA).await?;
    Ok(House { stage, uma, pia })
}

async fn scripted(house: &House, out: &mut (impl Write + Send)) -> LabResult<bool> {
    let mut findings = Findings::default();
    let stage = &house.stage;
    let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
    say(
        out,
        &format!("\nHana created \"{}\" (number {}) and joined.", room.meeting.title, room.meeting.number),
    )?;
    say(out, "She presses CALL for Uma's desk phone, an outside number, a busy line and a voicemail.\n")?;
    let placed = calls::place(&room).await?;
    let (uma, outside) = calls::wait_joined(&room, &placed, stage, &house.uma).await?;
    sound::report(&room, &uma, &outside, &mut findings, out).await?;
    calls::wait_over(&room, &placed).await?;
    calls::report(&room, &placed, &mut findings, out)?;
    caller_ids(&uma, &outside, &mut findings, out)?;
    voicemail(&room, &uma, &outside, stage, &mut findings, out)?;
    let rung = house.pia.counts().invites;
    findings.check(rung == 0, || format!("Pia's phone rang {rung} times, nobody called her"));
    finish(room, house, &uma, &mut findings).await?;
    verdict(&findings, out)
}

fn caller_ids(uma: &Call, outside: &Call, findings: &mut Findings, out: &mut impl Write) -> LabResult<()> {
    let mut table = Table::new(["seen by", "From", "display name", "P-Asserted-Identity"]);
    for (name, call) in [("Uma's desk phone", uma), ("carrier", outside)] {
        let from = call.facts.from.user();
        let asserted = call.facts.asserted.as_ref().map_or("", |asserted| asserted.user());
        table.row([name, from, call.facts.from.display.as_str(), asserted]);
        findings.check(from == HANA_NUMBER, || format!("{name} saw {from} in From instead of {HANA_NUMBER}"));
        findings.check(asserted == HANA_NUMBER, || format!("{name} saw {asserted:?} as asserted identity"));
        let display = &call.facts.from.display;
        findings.check(display.contains("Hana"), || format!("{name} saw the display name {display:?}"));
    }
    say(out, &format!("\nCaller ID\n{table}"))
}

fn voicemail(
    room: &Room,
    uma: &Call,
    outside: &Call,
    stage: &Stage,
    findings: &mut Findings,
    out: &mut impl Write,
) -> LabResult<()> {
    let called = stage.carrier.calls_to(carrier::VOICEMAIL);
    let Some(start) = called.first().and_then(|call| call.times().confirmed) else {
        findings.check(false, || "the voicemail was never reached".to_owned());
        return Ok(());
    };
    let ears = [("Hana", room.host.ear()), ("Uma", uma.ear()), ("the outside person", outside.ear())];
    let mut loudest = -120.0f64;
    for (name, ear) in ears {
        for hz in [tone::GREETING, tone::BEEP] {
            let level = ear.faintest_trace(hz, start);
            loudest = loudest.max(level);
            findings.check(level < tone::SILENT_DBFS, || {
                format!("{name} heard the {} at {level:.0} dB", tone::owner(hz))
            });
        }
    }
    say(
        out,
        &format!(
            "\nVoicemail: its greeting and beep never reached the meeting (loudest trace {loudest:.0} dB)."
        ),
    )
}

async fn finish(room: Room, house: &House, uma: &Call, findings: &mut Findings) -> LabResult<()> {
    room.api.end_meeting(&room.meeting.id).await?;
    let ended = uma.wait_ended(Duration::from_secs(5)).await;
    findings.check(ended.is_ok(), || "Uma's phone was not hung up when the meeting ended".to_owned());
    let quiet = house.stage.wait_quiet(Duration::from_secs(5)).await;
    findings.check(quiet.is_ok(), || "calls were left behind at the carrier".to_owned());
    room.host.leave().await
}

fn verdict(findings: &Findings, out: &mut impl Write) -> LabResult<bool> {
    if findings.0.is_empty() {
        say(out, "\nOK: everything was as it must be.")?;
        return Ok(true);
    }
    say(out, &format!("\nNOT OK: {} findings", findings.0.len()))?;
    for finding in &findings.0 {
        say(out, &format!("  - {finding}"))?;
    }
    Ok(false)
}

fn by_hand(house: &House, out: &mut impl Write) -> LabResult<()> {
    let base = house.stage.api.base();
    let lines = [
        String::new(),
        "Now by hand:".to_owned(),
        format!("  open       {base}"),
        "  log in     hana / hana-demo (also pia, ari, uma: password is the login with -demo)".to_owned(),
        "  create a meeting, join, press Invite, choose the tab CALL, and call".to_owned(),
        "             Uma's desk phone 103a or Pia's 101a (both answer by themselves)".to_owned(),
        format!(
            "             {} presses 1, {} is busy, {} declines,",
            carrier::PRESSES_ONE,
            carrier::BUSY,
            carrier::DECLINED
        ),
        format!("             {} never answers, {} is a voicemail", carrier::NO_ANSWER, carrier::VOICEMAIL),
        format!("  a phone of yours may register to {} at domain {DOMAIN}", house.stage.sip()?),
        "  end with Ctrl-C".to_owned(),
    ];
    lines.iter().try_for_each(|line| say(out, line))
}

fn say(out: &mut impl Write, line: &str) -> LabResult<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(LabError::io("printing"))
}
