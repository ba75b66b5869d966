//! The load bench of phones: `./dev bench media`, or `cargo run --release -p gateway --example media_load`.
//!
//! A child process runs one media thread, pinned to one core; this process is all the phones, on another core. Every
//! phone has a port of its own on both sides and sends a packet each 20 ms, at its own moment. Talkers put a loud
//! mark into their tone once a second, by which mouth-to-ear delay is measured: from the first sample at the
//! talker (20 ms before its packet leaves) to that sample's arrival at a listener, under the load of all others.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report for people")]

mod engine;
mod phones;
mod report;
mod scenario;
mod voice;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use report::Report;
use scenario::Scenario;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "engine" => engine::run(rest),
        _ => bench(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("media_load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `[--seconds N] [--json FILE] [--ramp SCENARIO] [SCENARIO ...]`; without scenarios all of them.
fn bench(arguments: &[String]) -> Outcome<()> {
    let (mut seconds, mut json, mut chosen, mut ramps) = (8, None, Vec::new(), Vec::<Scenario>::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().ok_or("--seconds needs a number")?.parse()?,
            "--json" => json = Some(arguments.next().ok_or("--json needs a file")?),
            "--ramp" => ramps.push(arguments.next().ok_or("--ramp needs a scenario to begin with")?.parse()?),
            name => chosen.push(name.parse::<Scenario>()?),
        }
    }
    if chosen.is_empty() && ramps.is_empty() {
        chosen = scenario::standard();
    }
    let mut reports: Vec<Report> = Vec::new();
    println!("{}", report::HEADINGS);
    for scenario in chosen {
        let report = phones::measure(&scenario, Duration::from_secs(seconds))?;
        println!("{}", report.row());
        reports.push(report);
    }
    for scenario in ramps {
        ramp(scenario, Duration::from_secs(seconds), &mut reports)?;
    }
    if let Some(file) = json {
        std::fs::write(file, report::json(&reports))?;
    }
    Ok(())
}

/// More and more rooms, a tenth at a time, until ticks are late or packets lost; then what admission would have let in.
fn ramp(mut scenario: Scenario, time: Duration, reports: &mut Vec<Report>) -> Outcome<()> {
    let mut held: Option<Report> = None;
    loop {
        let report = phones::measure(&scenario, time)?;
        println!("{}", report.row());
        if report.is_bad() {
            reports.push(report);
            break;
        }
        scenario.rooms += (scenario.rooms / 10).max(1);
        reports.extend(held.replace(report));
    }
    if let Some(held) = held {
        let legs = held.scenario.phones();
        let admitted = (legs as f64 * 0.75 / held.core.max(0.01)).floor();
        println!("held {legs} legs; busy_limit_percent = 75 admits {admitted}");
        reports.push(held);
    }
    Ok(())
}
