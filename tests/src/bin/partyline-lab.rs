//! The lab as a program: the guided demonstration, and its carrier and phone alone.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use partyline_tests::bench::setups::{self, SetupsConfig};
use partyline_tests::carrier::{self, Carrier, CarrierConfig};
use partyline_tests::demo::{self, DemoConfig};
use partyline_tests::error::{LabError, LabResult};
use partyline_tests::flood::{self, AvalancheConfig, FloodConfig};
use partyline_tests::phone::{Phone, PhoneConfig};
use partyline_tests::script::{self, CalleeScript};
use partyline_tests::sip::call::{Call, Script};
use partyline_tests::sip::digest::Credentials;
use partyline_tests::stage::StageConfig;
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
    #[command(after_help = callees(&[]))]
    Carrier(CarrierArgs),
    /// Floods a server with a hostile mix from one address, asks and registers honestly from another, and reports.
    Flood(FloodArgs),
    /// Registers many phones at once and reports how long it took.
    Avalanche(AvalancheArgs),
    /// Calls meetings of a gateway with configs/bench.toml, so many times a second, with sound, and reports what held.
    Setups(SetupsArgs),
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
    /// A script with further callees, or other ones at the usual numbers.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Lists who can be called, and ends: shows whether a script can be read.
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct FloodArgs {
    /// The server's SIP port (UDP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    target: SocketAddr,
    /// Where the flood comes from.
    #[arg(long, default_value = "127.0.0.2")]
    from: std::net::IpAddr,
    /// Where the honest clients are.
    #[arg(long, default_value = "127.0.0.3")]
    honest: std::net::IpAddr,
    /// Messages a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The account of the honest client.
    #[arg(long, default_value = "103b")]
    user: String,
    /// Its password.
    #[arg(long, default_value = "103b-secret-demo")]
    password: String,
    /// Its domain.
    #[arg(long, default_value = "acme.test")]
    domain: String,
    /// The server's process, to watch its memory.
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Args)]
struct AvalancheArgs {
    /// The registrar's SIP port (UDP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    target: SocketAddr,
    /// How many phones: p0, p1 and so on.
    #[arg(long, default_value_t = 10_000)]
    phones: usize,
    /// The password of all of them.
    #[arg(long, default_value = "avalanche-secret-demo")]
    password: String,
    /// Their domain.
    #[arg(long, default_value = "acme.test")]
    domain: String,
    /// How many addresses (127.0.2.1 and on) they share.
    #[arg(long, default_value_t = 50)]
    addresses: u8,
    /// The registrar's process, to watch its memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Prints a configuration (the demonstration's, with these phones) instead.
    #[arg(long)]
    configuration: bool,
}

#[derive(Args)]
struct SetupsArgs {
    /// The gateway's SIP port (UDP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    target: SocketAddr,
    /// Calls a second, one run for each of these numbers; it ends when one does not hold.
    #[arg(long, value_delimiter = ',', default_value = "100,200,400,600,800,1000,1200")]
    rates: Vec<u32>,
    /// How long calls begin in each run, in seconds.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How long each call lasts, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    hold: u64,
    /// The gateway's process, to read its CPU time.
    #[arg(long)]
    pid: Option<u32>,
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

/// Everybody who can be called at the carrier, for `--help` and when it starts.
fn callees(of_script: &[CalleeScript]) -> String {
    let (own, usual) = (script::list(of_script), script::list(&script::usual()));
    format!("Callees:\n{own}{usual}  any other      404\n\nThe script format is described in docs/LAB.md.")
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::stderr).init();
    let mut out = std::io::stdout();
    let result = match Cli::parse().command {
        Command::Demo(arguments) => run_demo(arguments, &mut out).await,
        Command::Carrier(arguments) => run_carrier(arguments, &mut out).await.map(|()| true),
        Command::Flood(arguments) => run_flood(arguments, &mut out),
        Command::Avalanche(arguments) => run_avalanche(&arguments, &mut out),
        Command::Setups(arguments) => run_setups(&arguments, &mut out),
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
    let stage = StageConfig::demo(gateway, config.as_deref())?;
    demo::run(&DemoConfig { stage, exit, url_only: url }, out).await
}

async fn run_carrier(arguments: CarrierArgs, out: &mut std::io::Stdout) -> LabResult<()> {
    let scripted = arguments.script.as_deref().map_or_else(|| Ok(Vec::new()), read_script)?;
    let known = callees(&scripted);
    if arguments.check {
        return say(out, &known);
    }
    let carrier = Carrier::start(CarrierConfig::new(arguments.listen)).await?;
    carrier.set_script(scripted);
    say(out, &format!("carrier on {}\n{known}", carrier.local()))?;
    if let (Some(gateway), Some(user)) = (arguments.gateway, arguments.call) {
        carrier.call_in(gateway, &user, carrier::PRESSES_ONE, tone::OUTSIDE).await?;
    }
    watch(|| carrier.calls(), out).await
}

fn read_script(path: &Path) -> LabResult<Vec<CalleeScript>> {
    let text = std::fs::read_to_string(path).map_err(LabError::io(format!("reading {}", path.display())))?;
    script::parse(&text).map_err(LabError::other(path.display()))
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

fn run_flood(arguments: FloodArgs, out: &mut std::io::Stdout) -> LabResult<bool> {
    let FloodArgs { target, from, honest, rate, seconds, user, password, domain, pid } = arguments;
    let duration = Duration::from_secs(seconds);
    let credentials = Credentials::new(user, password);
    let calm = flood::honest(target, honest, (&credentials, &domain), Duration::from_secs(3))?;
    let memory = || pid.map_or(0, flood::resident) / 1_048_576;
    let before = memory();
    let config = FloodConfig { target, from, per_second: rate, duration };
    let hostile = std::thread::spawn(move || flood::flood(&config));
    let seen = flood::honest(target, honest, (&credentials, &domain), duration)?;
    let sent = hostile.join().map_err(|_| LabError::Other("the flood broke off".to_owned()))??;
    say(out, &format!("calm:  {calm}"))?;
    say(out, &format!("flood: {seen}"))?;
    say(
        out,
        &format!(
            "{sent} hostile messages, {} a second; memory {before} -> {} MB",
            sent / seconds.max(1),
            memory()
        ),
    )?;
    Ok(seen.answers.len() * 100 >= seen.asked * 99 && seen.registered * 100 >= seen.registrations * 99)
}

fn run_avalanche(arguments: &AvalancheArgs, out: &mut std::io::Stdout) -> LabResult<bool> {
    let names = (0..arguments.phones).map(|number| format!("p{number}"));
    if arguments.configuration {
        let demo = partyline_tests::gateway::demo_configuration()?;
        let phones = flood::with_crowd(&demo, arguments.phones, &arguments.password);
        return say(out, &phones).map(|()| true);
    }
    let config = AvalancheConfig {
        target: arguments.target,
        phones: names.map(|name| Credentials::new(name, &*arguments.password)).collect(),
        domain: arguments.domain.clone(),
        addresses: arguments.addresses,
        within: Duration::from_secs(1),
        patience: Duration::from_secs(60),
    };
    let memory = || arguments.pid.map_or(0, flood::resident) / 1_048_576;
    let before = memory();
    let report = flood::avalanche(&config)?;
    let each = report.requests as f64 / arguments.phones.max(1) as f64;
    say(
        out,
        &format!(
            "{} of {} phones in after {:.1} s, {each:.2} requests each; memory {before} -> {} MB",
            report.registered,
            arguments.phones,
            report.took.as_secs_f64(),
            memory()
        ),
    )?;
    Ok(report.registered == arguments.phones)
}

fn run_setups(arguments: &SetupsArgs, out: &mut std::io::Stdout) -> LabResult<bool> {
    let mut held = None;
    for rate in &arguments.rates {
        let config = SetupsConfig {
            target: arguments.target,
            per_second: *rate,
            duration: Duration::from_secs(arguments.seconds),
            hold: Duration::from_millis(arguments.hold),
            meetings: (900_000_001, 500),
        };
        let cpu = || arguments.pid.map_or(0.0, flood::cpu_seconds);
        let (before, begun) = (cpu(), std::time::Instant::now());
        let report = setups::run(&config)?;
        let busy = 100.0 * (cpu() - before) / begun.elapsed().as_secs_f64();
        say(out, &format!("{rate} a second: {report}; gateway {busy:.0} % of a core"))?;
        if !report.holds() {
            break;
        }
        held = Some(*rate);
        // Ports rest for five seconds before they are used again.
        std::thread::sleep(Duration::from_secs(6));
    }
    say(out, &format!("highest rate with fewer than 0.1 % failures: {held:?}"))?;
    Ok(held.is_some())
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
