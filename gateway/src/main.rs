//! `partyline`: reads its arguments and configuration, starts the gateway, ends it on SIGTERM or SIGINT.

use clap::{Parser, Subcommand};
use gateway::commands;
use gateway::config::Config;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Telephones as full members of a video meeting.
#[derive(Debug, Parser)]
#[command(
    name = "partyline",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    /// What to do instead of serving.
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file; configs/demo.toml shows every key.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Folder of the database; made if missing.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
enum Command {
    /// Reads a configuration file and explains every mistake in one line; 0 if there is none.
    CheckConfig {
        /// The configuration file.
        file: PathBuf,
    },
    /// Makes a new key for the secrets in the database, and seals all of them with it. A running gateway takes it up by
    /// itself; the keys before stay in the file.
    RotateKey {
        /// Where the database is.
        #[command(flatten)]
        place: commands::Place,
        /// Makes no new key: goes on with what an interrupted call has left.
        #[arg(long)]
        resume: bool,
    },
    /// Tenants: organisations with users, numbers and a domain of their own.
    #[command(subcommand)]
    Tenant(commands::TenantCommand),
    /// Users who can log in, such as the first administrator.
    #[command(subcommand)]
    User(commands::UserCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::CheckConfig { file }) => check_config(&file),
        Some(Command::RotateKey { place, resume }) => commands::rotate_key(&place, resume),
        Some(Command::Tenant(command)) => commands::tenant(command),
        Some(Command::User(command)) => commands::user(command),
        None => serve(&arguments.config.unwrap_or_default(), &arguments.data),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command")]
fn check_config(file: &Path) -> ExitCode {
    match Config::load(file) {
        Ok(_) => {
            println!("{}: no mistakes", file.display());
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            ExitCode::from(2)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where a start that failed tells the person at the terminal"
)]
fn serve(file: &Path, data: &Path) -> ExitCode {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("partyline: {mistake}"));
            return ExitCode::from(2);
        }
    };
    match run(config, file, data) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("partyline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config, file: &Path, data: &Path) -> Result<(), gateway::StartError> {
    gateway::logging::start(&config.log, file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(gateway::run(config, data))
}
