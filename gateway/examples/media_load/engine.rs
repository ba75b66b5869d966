//! The child: one media thread and the ports of its phones.
//!
//! It speaks with its parent in lines: writes its ports, reads those of the phones, then answers each line `report`
//! with its CPU time in nanoseconds and the thread's load.

use std::io::{BufRead, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use gateway::media_thread::{self, Input, MediaThreadConfig};
use gateway::ports::PortPair;
use gateway::udp::{self, Batch, Clocks};
use media::sdp::{self, Codec, LocalDescription};
use media::worker::{Command, LegId, LegPlan, RoomId, WorkerConfig};
use tokio::sync::mpsc;

use crate::Outcome;
use crate::scenario::{Kind, Scenario};

/// The core the engine runs on; the phones have the next one.
pub(crate) const CORE: usize = 0;

pub(crate) fn run(arguments: &[String]) -> Outcome<()> {
    let scenario: Scenario = arguments.first().ok_or("no scenario")?.parse()?;
    let ports: Vec<UdpSocket> =
        (0..scenario.phones()).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let numbers: Result<Vec<String>, _> =
        ports.iter().map(|port| port.local_addr().map(|address| address.port().to_string())).collect();
    say(&numbers?.join(" "))?;
    let mut lines = std::io::stdin().lock().lines();
    let phones = lines.next().ok_or("no phones")??;
    let phones: Vec<u16> = phones.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    match scenario.kind {
        Kind::Bare => bare(ports, lines),
        Kind::Pcmu | Kind::Opus | Kind::Voice | Kind::G722 => engine(&scenario, ports, &phones, lines),
    }
}

fn engine(
    scenario: &Scenario,
    ports: Vec<UdpSocket>,
    phones: &[u16],
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> Outcome<()> {
    let (events, mut happened) = mpsc::channel(65_536);
    let (ended, _ending) = mpsc::unbounded_channel();
    let config = MediaThreadConfig {
        index: 0,
        webrtc: UdpSocket::bind("127.0.0.1:0")?,
        core: Some(CORE),
        identity: None,
        worker: WorkerConfig::default(),
        seed: [7; 32],
        metrics: std::sync::Arc::default(),
    };
    let (handle, _thread) = media_thread::start(config, events, ended)?;
    for (number, (port, &phone)) in ports.into_iter().zip(phones).enumerate() {
        let (leg, room) = (LegId(number as u64), RoomId((number / scenario.legs) as u64));
        let address = port.local_addr()?;
        let local = LocalDescription::new(address, 1, vec![Codec::Pcmu, Codec::G722, Codec::Opus]);
        let offer = offer(scenario.kind, SocketAddr::from(([127, 0, 0, 1], phone)));
        let (mut negotiated, _) = sdp::answer(&local, offer.as_bytes())?;
        negotiated.opus.voice = scenario.kind == Kind::Voice;
        let plan = LegPlan { send_audio: true, receive_audio: true, ..LegPlan::default() };
        handle.send(Input::Open(leg, PortPair { rtp: port, rtcp: None }))?;
        for command in [
            Command::AddSipLeg { leg, room },
            Command::SetSipRemote { leg, negotiated, symmetric_from: None },
            Command::SetPlan { leg, plan },
        ] {
            handle.send(Input::Command(command))?;
        }
        if number % 100 == 99 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    say("ready")?;
    std::thread::spawn(move || while happened.blocking_recv().is_some() {});
    for line in lines {
        if line?.as_str() == "report" {
            let load = handle.load();
            let (late, worst) = (load.late_p50.as_micros(), load.late_p99.as_micros());
            let (ticks, late_ticks) = (load.ticks, load.late_ticks);
            say(&format!("{} {late} {worst} {ticks} {late_ticks}", cpu_time()?.as_nanos()))?;
        }
    }
    handle.send(Input::Stop)?;
    Ok(())
}

fn offer(kind: Kind, phone: SocketAddr) -> String {
    let (ip, port) = (phone.ip(), phone.port());
    let codec = match kind {
        Kind::Bare | Kind::Pcmu => "0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000",
        Kind::G722 => "9 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000",
        Kind::Opus | Kind::Voice => {
            "111 101\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/48000"
        }
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codec}\r\n\
         a=rtcp-mux\r\n"
    )
}

/// Sends every packet back, with the same calls and the same rhythm as the media thread.
fn bare(ports: Vec<UdpSocket>, lines: impl Iterator<Item = std::io::Result<String>>) -> Outcome<()> {
    std::thread::spawn(move || {
        core_affinity::set_for_current(core_affinity::CoreId { id: CORE });
        let mut batch = Batch::new();
        for port in &ports {
            let _ = port.set_nonblocking(true).and_then(|()| udp::stamp(port));
            let _ = udp::send_whole(port);
        }
        let mut next = Instant::now();
        loop {
            for step in 0..20 {
                let clocks = Clocks::read();
                for port in ports.iter().skip(step).step_by(20) {
                    let Ok(count) = batch.receive(port, &clocks) else { continue };
                    for (_, source, payload) in batch.datagrams(count) {
                        let _ = port.send_to(payload, source);
                    }
                }
                next += Duration::from_millis(1);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }
    });
    say("ready")?;
    for line in lines {
        if line?.as_str() == "report" {
            say(&format!("{} 0 0 0 0", cpu_time()?.as_nanos()))?;
        }
    }
    Ok(())
}

fn say(line: &str) -> Outcome<()> {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// CPU time of this process so far, its share of the kernel's work included.
fn cpu_time() -> Outcome<Duration> {
    // Fields 14 and 15 of the line, counted in hundredths of a second, are too coarse; the scheduler's are exact.
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}
