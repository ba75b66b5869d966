//! The bench of the API: `./dev bench api`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use partyline_tests::bench::{self, BenchConfig};
use partyline_tests::error::{LabError, LabResult};

/// Measures the API of a running gateway with a large tenant on SQLite, while a meeting with phones goes on.
#[derive(Parser)]
#[command(name = "partyline-bench", version)]
struct Cli {
    /// The `partyline` binary; the one beside this program when missing.
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,
    /// Seconds of the open loops.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Users of the tenant and people of its meetings; a fifth as many are the meetings.
    #[arg(long, default_value_t = 50_000)]
    people: u32,
    /// Writes the figures there, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Which parts: writes, lists, multi, dial; all of them when none is named.
    parts: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::stderr).init();
    match measure(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "partyline-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(cli: Cli) -> LabResult<bool> {
    let config =
        BenchConfig { binary: cli.gateway, parts: cli.parts, seconds: cli.seconds, people: cli.people };
    let report = bench::run(&config, |report| {
        let _ = writeln!(std::io::stdout(), "{report}");
    })
    .await?;
    if let Some(file) = cli.json {
        std::fs::write(&file, report.json()).map_err(LabError::io(format!("writing {}", file.display())))?;
    }
    Ok(report.is_met())
}
