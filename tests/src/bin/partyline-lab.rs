//! The lab as a program: the guided demonstration, and its carrier and phone alone.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use partyline_tests::carrier::{self, Carrier, CarrierConfig};
use partyline_tests::demo::{self, DemoConfig};
use partyline_tests::error::{LabError, LabResult};
use partyline_tests::phone::{Phone, PhoneConfig};
use partyline_tests::sip::call::{Call, Script};
use partyline_tests::tone;

/// A carrier in a box, phones and a demonstration for Partyline.
#[derive(Parser)]
#[command(name = "partyline-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the gateway, a carrier and two phones, plays a meeting with four calls, and reports who heard whom.
    Demo(DemoArgs),
    /// Runs the carrier in a box alone: numbers that answer, refuse, never answer, take messages or press 1.
    #[command(after_help = CALLEES)]
    Carrier(CarrierArgs),
    /// Runs one phone alone: registers and answers by itself, speaking with a tone.
    Phone(PhoneArgs),
}

#[derive(Args)]
struct DemoArgs {
    /// The `partyline` binary to demonstrate.
    #[arg(long, value_name = "PATH")]
    gateway: PathBuf,
    /// Its configuration; ports as in configs/demo.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ends after the report; the exit code is 0 when everything was as it must be.
    #[arg(long)]
    exit: bool,
    /// Skips the scripted calls: starts everything, shows the address and the login, and waits for Ctrl-C.
    #[arg(long, conflicts_with = "exit")]
    url: bool,
}

#[derive(Args)]
struct CarrierArgs {
    /// Address of the carrier's SIP port (UDP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5070")]
    listen: SocketAddr,
    /// The gateway whose trunk this carrier is; needed for --call only, calls from anywhere are taken.
    #[arg(long, value_name = "HOST:PORT")]
    gateway: Option<SocketAddr>,
    /// Calls this meeting number or alias at the gateway once, as an outside person.
    #[arg(long, value_name = "USER", requires = "gateway")]
    call: Option<String>,
}

#[derive(Args)]
struct PhoneArgs {
    /// Device name and digest user, such as 103a.
    #[arg(long)]
    user: String,
    /// Digest password, such as 103a-secret-demo.
    #[arg(long)]
    password: String,
    /// Where to register (UDP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    registrar: SocketAddr,
    /// Domain of the address of record.
    #[arg(long, default_value = "acme.test")]
    domain: String,
    /// Address of the phone's SIP port; port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How it meets a call: answer, busy, decline, or ring for ever.
    #[arg(long, value_enum, default_value_t = Manner::Answer)]
    manner: Manner,
    /// Rings so many milliseconds before it answers.
    #[arg(long, value_name = "MS", default_value_t = 300)]
    after: u64,
    /// The tone it speaks with.
    #[arg(long, value_name = "HZ", default_value_t = tone::UMA)]
    tone: u32,
    /// Calls this meeting number or alias once registered.
    #[arg(long, value_name = "USER")]
    call: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Manner {
    Answer,
    Busy,
    Decline,
    Ring,
}

const CALLEES: &str = "Callees:
  +12025550177  answers and presses 1 after two seconds
  +12025550110  answers and presses nothing
  +12025550120  busy (486)
  +12025550121  declines (603)
  +12025550122  rings for ever
  +12025550123  404    +12025550124  480    +12025550125  503    +12025550126  484
  +12025550130  voicemail: greeting, beep, never a key
  any other     404";

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::stderr).init();
    let mut out = std::io::stdout();
    let result = match Cli::parse().command {
        Command::Demo(arguments) => run_demo(arguments, &mut out).await,
        Command::Carrier(arguments) => run_carrier(arguments, &mut out).await.map(|()| true),
        Command::Phone(arguments) => run_phone(arguments, &mut out).await.map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to do when even this cannot be printed.
            let _ = writeln!(std::io::stderr(), "partyline-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_demo(arguments: DemoArgs, out: &mut std::io::Stdout) -> LabResult<bool> {
    let DemoArgs { gateway, config, exit, url } = arguments;
    demo::run(&DemoConfig { gateway, configuration: config, exit, url_only: url }, out).await
}

async fn run_carrier(arguments: CarrierArgs, out: &mut std::io::Stdout) -> LabResult<()> {
    let carrier = Carrier::start(CarrierConfig::new(arguments.listen)).await?;
    say(out, &format!("carrier on {}\n{CALLEES}", carrier.local()))?;
    if let (Some(gateway), Some(user)) = (arguments.gateway, arguments.call) {
        carrier.call_in(gateway, &user, carrier::PRESSES_ONE, tone::OUTSIDE).await?;
    }
    watch(|| carrier.calls(), out).await
}

async fn run_phone(arguments: PhoneArgs, out: &mut std::io::Stdout) -> LabResult<()> {
    let PhoneArgs { user, password, registrar, domain, listen, manner, after, tone, call } = arguments;
    let config = PhoneConfig { listen, ..PhoneConfig::new(&user, &password, &domain, registrar, tone) };
    let phone = Phone::start(config).await?;
    match manner {
        Manner::Answer => phone.answer_after(Duration::from_millis(after)),
        Manner::Busy => phone.set_script(Script::refuse(486, false)),
        Manner::Decline => phone.set_script(Script::refuse(603, true)),
        Manner::Ring => phone.set_script(Script::ring()),
    }
    let granted = phone.register(300).await?;
    say(out, &format!("{user} is registered for {granted} s, speaks with {tone} Hz, Ctrl-C ends"))?;
    if let Some(call) = call {
        phone.call(&call).await?;
    }
    watch(|| phone.calls(), out).await?;
    phone.unregister().await
}

/// Prints every change of every call until Ctrl-C.
async fn watch(calls: impl Fn() -> Vec<std::sync::Arc<Call>>, out: &mut std::io::Stdout) -> LabResult<()> {
    let mut shown = Vec::new();
    loop {
        for (number, call) in calls().iter().enumerate() {
            let line = describe(call);
            match shown.get_mut(number) {
                Some(old) if *old == line => {}
                Some(old) => {
                    say(out, &line)?;
                    *old = line;
                }
                None => {
                    say(out, &line)?;
                    shown.push(line);
                }
            }
        }
        tokio::select! {
            ended = tokio::signal::ctrl_c() => return ended.map_err(LabError::io("waiting for Ctrl-C")),
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

fn describe(call: &Call) -> String {
    let facts = &call.facts;
    let asserted = facts.asserted.as_ref().map_or("-", |asserted| asserted.user());
    let heard = call.ear().heard_since(facts.at);
    let tones: Vec<&str> = heard.iter().map(|one| tone::owner(one.hz)).collect();
    format!(
        "{} {} from {} \"{}\" asserted {asserted}: {:?}{}",
        if facts.incoming { "called" } else { "calling" },
        facts.request_user,
        facts.from.user(),
        facts.from.display,
        call.state(),
        if tones.is_empty() { String::new() } else { format!(", hears {}", tones.join(", ")) }
    )
}

fn say(out: &mut impl Write, line: &str) -> LabResult<()> {
    writeln!(out, "{line}").map_err(LabError::io("printing"))
}
