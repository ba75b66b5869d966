//! Call set-ups into meetings with sound: calls from a trusted peer, each with its own RTP both ways for a while, then BYE. One thread
//! and two sockets play all callers, so that the generator's core holds out longer than the gateway's.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::error::{LabError, LabResult};
use crate::shared::percentile;

/// What is tried.
#[derive(Debug, Clone)]
pub struct SetupsConfig {
    /// The gateway's SIP address; it trusts 127.0.0.0/8.
    pub target: SocketAddr,
    /// Calls that begin in a second.
    pub per_second: u32,
    /// For how long calls begin.
    pub duration: Duration,
    /// How long each lasts once it is answered.
    pub hold: Duration,
    /// The number of the first meeting, and how many there are.
    pub meetings: (u32, u32),
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Setups {
    /// Calls begun.
    pub begun: usize,
    /// From INVITE to 200, sorted; one for each call that was answered, heard sound, and was hung up in order.
    pub whole: Vec<Duration>,
    /// What went wrong with the others, and how often.
    pub failures: BTreeMap<String, usize>,
    /// RTP packets sent and received.
    pub packets: (u64, u64),
    /// The longest that the generator itself was late to begin a call.
    pub late: Duration,
}

impl Setups {
    /// Calls that failed.
    pub fn failed(&self) -> usize {
        self.failures.values().sum()
    }

    /// Fewer than one in a thousand failed.
    pub fn holds(&self) -> bool {
        self.failed() * 1_000 < self.begun
    }

    fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.whole, percent).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Setups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls, {} failed {:?}; INVITE to 200 p50 {:.1} ms, p99 {:.1} ms; RTP {} out, {} in; generator late {:.1} ms",
            self.begun,
            self.failed(),
            self.failures,
            self.percentile(50),
            self.percentile(99),
            self.packets.0,
            self.packets.1,
            self.late.as_secs_f64() * 1e3
        )
    }
}

const PTIME: Duration = Duration::from_millis(20);
/// A call that is not answered, or hung up, by then has failed.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Inviting,
    Talking,
    HangingUp,
    Over,
}

struct Caller {
    phase: Phase,
    meeting: u32,
    begun: Instant,
    answered: Duration,
    /// When the last request is sent again, or the next packet is due.
    next: Instant,
    interval: Duration,
    ends: Instant,
    to: String,
    remote: Option<SocketAddr>,
    heard: u32,
    sequence: u16,
}

struct Generator<'a> {
    config: &'a SetupsConfig,
    sip: UdpSocket,
    rtp: UdpSocket,
    local: SocketAddr,
    media: SocketAddr,
    callers: Vec<Caller>,
    /// The first caller that is not over.
    first: usize,
    by_port: BTreeMap<u16, usize>,
    report: Setups,
}

/// Plays the calls.
///
/// # Errors
/// When the sockets cannot be had.
pub fn run(config: &SetupsConfig) -> LabResult<Setups> {
    let bind = || -> LabResult<(UdpSocket, SocketAddr)> {
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(LabError::io("binding the callers"))?;
        socket.set_nonblocking(true).map_err(LabError::io("preparing a socket"))?;
        let local = socket.local_addr().map_err(LabError::io("asking for the own address"))?;
        Ok((socket, local))
    };
    let ((sip, local), (rtp, media)) = (bind()?, bind()?);
    let (callers, by_port, report) = Default::default();
    let mut generator = Generator { config, sip, rtp, local, media, callers, first: 0, by_port, report };
    generator.play();
    let mut report = generator.report;
    report.whole.sort_unstable();
    Ok(report)
}

impl Generator<'_> {
    fn play(&mut self) {
        let begun = Instant::now();
        let gap = Duration::from_secs(1) / self.config.per_second.max(1);
        let total = (self.config.duration.as_secs_f64() * f64::from(self.config.per_second)) as usize;
        while self.report.begun < total || self.first < self.callers.len() {
            let now = Instant::now();
            while self.report.begun < total {
                let due = begun + gap * self.report.begun as u32;
                if due > now {
                    break;
                }
                self.report.late = self.report.late.max(now - due);
                self.begin(now);
            }
            let quiet = !self.read_sip() & !self.read_rtp();
            self.drive(now);
            if quiet {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        let number = self.report.begun;
        let (first, count) = self.config.meetings;
        self.report.begun += 1;
        self.callers.push(Caller {
            phase: Phase::Inviting,
            meeting: first + number as u32 % count.max(1),
            begun: now,
            answered: Duration::ZERO,
            next: now + Duration::from_millis(500),
            interval: Duration::from_millis(500),
            ends: now + PATIENCE,
            to: String::new(),
            remote: None,
            heard: 0,
            sequence: 0,
        });
        self.send(number, "INVITE");
    }

    fn send(&self, number: usize, method: &str) {
        let (caller, local) = (&self.callers[number], self.local);
        let uri = format!("sip:{}@127.0.0.1", caller.meeting);
        let (cseq, tag) = match method {
            "INVITE" => (1, String::new()),
            "ACK" => (1, caller.to.clone()),
            _ => (2, caller.to.clone()),
        };
        let to = if tag.is_empty() { format!("<{uri}>") } else { tag };
        let body = match method {
            "INVITE" => format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
                self.media.port()
            ),
            _ => String::new(),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{number}{method};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:+12025550110@127.0.0.1>;tag=c{number}\r\nTo: {to}\r\nCall-ID: {number}@{local}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:c@{local}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // What does not fit is lost, and repeated.
        let _ = self.sip.send_to(text.as_bytes(), self.config.target);
    }

    fn read_sip(&mut self) -> bool {
        let (mut buffer, mut any) = ([0; 4_096], false);
        loop {
            match self.sip.recv(&mut buffer) {
                Ok(length) => {
                    any = true;
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    self.answered(&text);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return any,
                Err(_) => {}
            }
        }
    }

    fn answered(&mut self, text: &str) {
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let number = header("Call-ID: ").and_then(|id| id.split_once('@')?.0.parse::<usize>().ok());
        let Some(number) = number.filter(|number| *number < self.callers.len()) else { return };
        let (status, cseq) = (text.get(8..11).unwrap_or_default(), header("CSeq: ").unwrap_or_default());
        if text.starts_with("BYE ") {
            return self.fail(number, "hung up by the gateway");
        }
        let now = Instant::now();
        match (self.callers[number].phase, status) {
            (Phase::Inviting, "200") => {
                let port = text
                    .lines()
                    .find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
                let caller = &mut self.callers[number];
                caller.to = header("To: ").unwrap_or_default().to_owned();
                caller.remote = port.map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
                (caller.phase, caller.answered) = (Phase::Talking, now - caller.begun);
                (caller.next, caller.ends) = (now, now + self.config.hold);
                self.by_port.extend(port.map(|port| (port, number)));
                self.send(number, "ACK");
            }
            // The ACK was lost.
            (Phase::Talking, "200") if cseq.starts_with('1') => self.send(number, "ACK"),
            (Phase::HangingUp, "200") if cseq.starts_with('2') => self.over(number),
            (Phase::Inviting, status) if status >= "300" => {
                self.callers[number].to = header("To: ").unwrap_or_default().to_owned();
                let words = text.lines().next().unwrap_or_default().to_owned();
                self.fail(number, &words);
            }
            _ => {}
        }
    }

    fn over(&mut self, number: usize) {
        let caller = &mut self.callers[number];
        if caller.heard == 0 {
            return self.fail(number, "heard nothing");
        }
        caller.phase = Phase::Over;
        self.report.whole.push(caller.answered);
        self.forget(number);
    }

    fn fail(&mut self, number: usize, why: &str) {
        if self.callers[number].phase != Phase::Over {
            self.callers[number].phase = Phase::Over;
            *self.report.failures.entry(why.to_owned()).or_default() += 1;
            self.forget(number);
        }
    }

    fn forget(&mut self, number: usize) {
        if let Some(remote) = self.callers[number].remote
            && self.by_port.get(&remote.port()) == Some(&number)
        {
            self.by_port.remove(&remote.port());
        }
        while self.callers.get(self.first).is_some_and(|caller| caller.phase == Phase::Over) {
            self.first += 1;
        }
    }

    fn read_rtp(&mut self) -> bool {
        let (mut buffer, mut any) = ([0; 2_048], false);
        loop {
            match self.rtp.recv_from(&mut buffer) {
                Ok((_, source)) => {
                    any = true;
                    if let Some(number) = self.by_port.get(&source.port()) {
                        self.callers[*number].heard += 1;
                        self.report.packets.1 += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return any,
                Err(_) => {}
            }
        }
    }

    /// Packets, repetitions and ends that are due.
    fn drive(&mut self, now: Instant) {
        for number in self.first..self.callers.len() {
            let caller = &mut self.callers[number];
            if caller.next > now || caller.phase == Phase::Over {
                continue;
            }
            match caller.phase {
                Phase::Talking if caller.ends <= now => {
                    (caller.phase, caller.ends) = (Phase::HangingUp, now + PATIENCE);
                    (caller.next, caller.interval) =
                        (now + Duration::from_millis(500), Duration::from_millis(500));
                    self.send(number, "BYE");
                }
                Phase::Talking => self.speak(number),
                Phase::Inviting | Phase::HangingUp if caller.ends <= now => {
                    let inviting = caller.phase == Phase::Inviting;
                    self.fail(number, if inviting { "no answer to INVITE" } else { "no answer to BYE" });
                }
                Phase::Inviting | Phase::HangingUp => {
                    caller.interval *= 2;
                    caller.next = now + caller.interval;
                    let method = if caller.phase == Phase::Inviting { "INVITE" } else { "BYE" };
                    self.send(number, method);
                }
                Phase::Over => {}
            }
        }
    }

    fn speak(&mut self, number: usize) {
        let caller = &mut self.callers[number];
        caller.next += PTIME;
        let Some(remote) = caller.remote else { return };
        let mut packet = [0x55_u8; 172];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&caller.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(caller.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&(number as u32 + 1).to_be_bytes());
        caller.sequence += 1;
        let _ = self.rtp.send_to(&packet, remote);
        self.report.packets.0 += 1;
    }
}
