//! What SIP costs: `./dev bench sip`, or `cargo run --release -p sip-core --example sip_bench`.
//!
//! Reading is measured side by side with `rsip` and `rsipstack`. Calls and registrations are measured twice: between two user
//! agents that hand each other their messages in memory, each clocked alone; and over UDP sockets on loopback, by the CPU time
//! of the thread in question. Bytes are what an allocator that counts says is held.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement reads the clock, opens sockets and stops at the first surprise"
)]

mod memory;
mod pair;
mod parse;
mod sockets;

use std::fmt::Write as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// One measured figure.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// What it should be at least (`true`) or at most.
    goal: Option<(bool, f64)>,
}

impl Figure {
    const fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, goal: None }
    }

    const fn at_least(name: &'static str, value: f64, unit: &'static str, goal: f64) -> Self {
        Self { name, value, unit, goal: Some((true, goal)) }
    }

    const fn at_most(name: &'static str, value: f64, unit: &'static str, goal: f64) -> Self {
        Self { name, value, unit, goal: Some((false, goal)) }
    }

    fn row(&self) -> String {
        let goal = match self.goal {
            Some((true, goal)) => {
                format!("at least {goal:.0}{}", if self.value >= goal { "" } else { "  MISSED" })
            }
            Some((false, goal)) => {
                format!("at most {goal:.0}{}", if self.value <= goal { "" } else { "  MISSED" })
            }
            None => String::new(),
        };
        format!("{:46} {:>12.1} {:14} {goal}", self.name, self.value, self.unit)
    }
}

fn json(figures: &[Figure]) -> String {
    let mut text = "{\n".to_owned();
    for (at, figure) in figures.iter().enumerate() {
        let comma = if at + 1 == figures.len() { "" } else { "," };
        let _ = writeln!(text, "  \"{}, {}\": {:.2}{comma}", figure.name, figure.unit, figure.value);
    }
    text + "}\n"
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut file, mut rounds) = (None, 1_u32);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => file = arguments.next(),
            "--rounds" => rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1),
            other => {
                eprintln!("sip_bench: {other} is unknown; there are --json FILE and --rounds N");
                return ExitCode::FAILURE;
            }
        }
    }
    let mut figures = parse::measure(rounds);
    figures.extend(pair::measure(rounds));
    figures.extend(sockets::measure(rounds));
    for figure in &figures {
        println!("{}", figure.row());
    }
    if let Some(file) = file
        && let Err(error) = std::fs::write(&file, json(&figures))
    {
        eprintln!("sip_bench: {file}: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
