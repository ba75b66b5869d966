//! `partyline`: reads its arguments and configuration, starts the gateway, ends it on SIGTERM or SIGINT.

use clap::Parser;
use gateway::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// Telephones as full members of a video meeting.
#[derive(Debug, Parser)]
#[command(name = "partyline", version)]
struct Arguments {
    /// The configuration file; configs/demo.toml shows every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of the database; made if missing.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where a start that failed tells the person at the terminal"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("partyline: {error}");
            return ExitCode::from(2);
        }
    };
    match run(config, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("partyline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config, arguments: Arguments) -> Result<(), gateway::StartError> {
    gateway::logging::start(&config.log.filter)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(gateway::run(config, &arguments.data))
}
