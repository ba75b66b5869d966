//! The parent: all the phones, in one thread on a core of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gateway::udp::{self, Batch, Clocks};
use media::rtp::RtpPacket;

use crate::Outcome;
use crate::engine::CORE;
use crate::report::{Report, quantile};
use crate::scenario::Scenario;
use crate::voice::{LOOP, Tongue, Voice};

/// Time for jitter buffers to settle before anything counts.
const WARM_UP: Duration = Duration::from_secs(6);
/// Phones that listen for marks where that means decoding everything.
const EARS: usize = 30;
const TICK: Duration = Duration::from_millis(20);

/// The engine's process.
struct Engine {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Engine {
    fn start(scenario: &Scenario) -> Outcome<(Self, Vec<u16>)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["engine", &scenario.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut engine = Self { child, input, output };
        let ports = engine.line()?;
        let ports = ports.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        Ok((engine, ports))
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// CPU time; how late ticks were in the last second: median and 99th percentile; ticks so far, and those more than
    /// 2 ms late.
    fn report(&mut self) -> Outcome<Told> {
        writeln!(self.input, "report")?;
        let line = self.line()?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let &[cpu, p50, p99, ticks, late_ticks] = numbers.as_slice() else {
            return Err("a short report".into());
        };
        let [p50, p99] = [p50, p99].map(Duration::from_micros);
        Ok(Told { cpu: Duration::from_nanos(cpu), p50, p99, ticks, late_ticks })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the engine says of itself.
struct Told {
    cpu: Duration,
    p50: Duration,
    p99: Duration,
    ticks: u64,
    late_ticks: u64,
}

struct Phone {
    socket: UdpSocket,
    engine: SocketAddr,
    room: usize,
    /// When in 20 ms it sends.
    offset: Duration,
    /// Where in the second its mark is; only talkers have one.
    mark: Option<usize>,
    sequence_number: u16,
    received: u64,
    /// The number of the mark heard last.
    heard: u64,
    /// To listen for marks with; where listening costs much only some do.
    ear: Option<Tongue>,
}

/// The mark of a room that was sent last.
#[derive(Clone, Copy)]
struct Mark {
    number: u64,
    from: usize,
    sent: Instant,
}

struct Load<'a> {
    scenario: &'a Scenario,
    phones: Vec<Phone>,
    talker: Vec<Voice>,
    silent: Voice,
    rooms: Vec<Option<Mark>>,
    marks: u64,
    /// Delays of the marks heard, and how many should have been.
    delays: Vec<Duration>,
    expected: u64,
    batch: Batch,
}

pub(crate) fn measure(scenario: &Scenario, time: Duration) -> Outcome<Report> {
    core_affinity::set_for_current(core_affinity::CoreId { id: CORE + 1 });
    let (mut engine, ports) = Engine::start(scenario)?;
    let mut load = Load::new(scenario, &ports)?;
    let numbers: Result<Vec<String>, _> =
        load.phones.iter().map(|phone| phone.socket.local_addr().map(|a| a.port().to_string())).collect();
    writeln!(engine.input, "{}", numbers?.join(" "))?;
    if engine.line()? != "ready" {
        return Err("the engine did not start".into());
    }
    load.phones.sort_by_key(|phone| phone.offset);
    let mut beginning = Instant::now();
    load.run(&mut beginning, WARM_UP)?;
    load.forget();
    let before = engine.report()?;
    let began = Instant::now();
    let (mut medians, mut tails) = (Vec::new(), Vec::new());
    while began.elapsed() < time {
        load.run(&mut beginning, Duration::from_secs(1))?;
        let told = engine.report()?;
        medians.push(told.p50);
        tails.push(told.p99);
    }
    let elapsed = began.elapsed();
    let after = engine.report()?;
    let cpu = after.cpu.saturating_sub(before.cpu);
    let late = [quantile(&mut medians, 500), quantile(&mut tails, 500), quantile(&mut tails, 1_000)];
    let ticks = after.ticks.saturating_sub(before.ticks).max(1) as f64;
    let late_share = after.late_ticks.saturating_sub(before.late_ticks) as f64 / ticks;
    Ok(Report { late, late_share, ..load.report(elapsed, cpu) })
}

impl<'a> Load<'a> {
    fn new(scenario: &'a Scenario, ports: &[u16]) -> Outcome<Self> {
        let mut state = 1_u64;
        let mut phones = Vec::new();
        let mut tongue = Tongue::new(scenario.kind)?;
        for (number, &port) in ports.iter().enumerate() {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            udp::stamp(&socket)?;
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = number % scenario.legs;
            let talks = index < scenario.talkers;
            phones.push(Phone {
                socket,
                engine: SocketAddr::from(([127, 0, 0, 1], port)),
                room: number / scenario.legs,
                offset: Duration::from_micros((state >> 33) % 20_000),
                mark: talks.then(|| index * LOOP / scenario.talkers.max(1)),
                sequence_number: 0,
                received: 0,
                heard: 0,
                ear: (!tongue.remembers() || number < EARS)
                    .then(|| Tongue::new(scenario.kind))
                    .transpose()?,
            });
        }
        Ok(Self {
            scenario,
            phones,
            talker: (0..scenario.talkers).map(|n| tongue.voice(n, true)).collect::<Result<_, _>>()?,
            silent: tongue.voice(0, false)?,
            rooms: vec![None; scenario.rooms],
            marks: 0,
            delays: Vec::new(),
            expected: 0,
            batch: Batch::new(),
        })
    }

    /// Lets the phones live; `beginning` is when the present 20 ms began.
    fn run(&mut self, beginning: &mut Instant, time: Duration) -> Outcome<()> {
        let end = *beginning + time;
        while *beginning < end {
            for at in 0..self.phones.len() {
                let Some(phone) = self.phones.get(at) else { continue };
                let due = *beginning + phone.offset;
                let left = due.saturating_duration_since(Instant::now());
                if left > Duration::from_micros(200) {
                    std::thread::sleep(left);
                } else {
                    while Instant::now() < due {
                        std::hint::spin_loop();
                    }
                }
                self.serve(at)?;
            }
            *beginning += TICK;
        }
        Ok(())
    }

    /// One phone's 20 ms: sends, and takes what has come.
    fn serve(&mut self, at: usize) -> Outcome<()> {
        let Some(phone) = self.phones.get_mut(at) else { return Ok(()) };
        let number = phone.sequence_number;
        phone.sequence_number = number.wrapping_add(1);
        let position = phone.mark.map(|mark| (usize::from(number) + LOOP - mark) % LOOP);
        let voice = match phone.mark {
            Some(mark) => self.talker.get(mark * self.scenario.talkers / LOOP).unwrap_or(&self.silent),
            None => &self.silent,
        };
        let payload = voice.packets.get(position.unwrap_or(1)).ok_or("no packet")?;
        let packet = RtpPacket {
            marker: number == 0,
            payload_type: voice.payload_type,
            sequence_number: number,
            timestamp: u32::from(number).wrapping_mul(voice.units),
            ssrc: u32::from(phone.engine.port()),
            payload,
        };
        let mut datagram = [0; 1500];
        let length = packet.write(&mut datagram).ok_or("too long")?;
        let sent = Instant::now();
        phone.socket.send_to(datagram.get(..length).unwrap_or_default(), phone.engine)?;
        if position == Some(0) {
            self.marks += 1;
            if let Some(mark) = self.rooms.get_mut(phone.room) {
                *mark = Some(Mark { number: self.marks, from: at, sent });
                let room = phone.room;
                let others = self.phones.iter().enumerate();
                let ears = others.filter(|(n, other)| *n != at && other.room == room && other.ear.is_some());
                self.expected += ears.count() as u64;
            }
        }
        self.listen(at)
    }

    fn listen(&mut self, at: usize) -> Outcome<()> {
        let Some(phone) = self.phones.get_mut(at) else { return Ok(()) };
        let Ok(count) = self.batch.receive(&phone.socket, &Clocks::read()) else { return Ok(()) };
        for (arrival, _, datagram) in self.batch.datagrams(count) {
            let Ok(packet) = RtpPacket::parse(datagram) else { continue };
            if packet.payload_type != self.silent.payload_type {
                continue; // a report
            }
            phone.received += 1;
            let Some(ear) = &mut phone.ear else { continue };
            // Whoever remembers has to hear everything.
            let found = if ear.remembers() { ear.find_mark(packet.payload) } else { None };
            let Some(mark) = self.rooms.get(phone.room).copied().flatten() else { continue };
            if mark.from == at || mark.number == phone.heard || arrival < mark.sent {
                continue;
            }
            let found = if ear.remembers() { found } else { ear.find_mark(packet.payload) };
            if let Some(within) = found {
                phone.heard = mark.number;
                let delay = arrival.saturating_duration_since(mark.sent);
                self.delays.push(TICK + delay + Duration::from_secs_f64(within));
            }
        }
        Ok(())
    }

    /// The warm-up does not count.
    fn forget(&mut self) {
        self.phones.iter_mut().for_each(|phone| phone.received = 0);
        self.delays.clear();
        self.expected = 0;
    }

    fn report(&mut self, elapsed: Duration, cpu: Duration) -> Report {
        let seconds = elapsed.as_secs_f64();
        let legs = self.phones.len() as f64;
        let received: u64 = self.phones.iter().map(|phone| phone.received).sum();
        Report {
            scenario: *self.scenario,
            cpu_ms: cpu.as_secs_f64() * 1e3 / seconds / legs,
            core: cpu.as_secs_f64() / seconds,
            loss: (1.0 - received as f64 / (seconds * 50.0 * legs)).max(0.0),
            late: [Duration::ZERO; 3],
            late_share: 0.0,
            marks: self.delays.len() as f64 / self.expected.max(1) as f64,
            ear: [quantile(&mut self.delays, 500), quantile(&mut self.delays, 990)],
        }
    }
}
