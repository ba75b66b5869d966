//! Floods and avalanches over UDP: a hostile mix from addresses of its own, honest clients beside it, and many phones that
//! register at once. On one machine the addresses are those of 127.0.0.0/8: each counts as another host.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::error::{LabError, LabResult};
use crate::shared::{percentile, token};
use crate::sip::digest::{Challenge, Credentials};

/// What a flood is.
#[derive(Debug, Clone)]
pub struct FloodConfig {
    /// Whom it is for.
    pub target: SocketAddr,
    /// Where it comes from.
    pub from: IpAddr,
    /// Messages a second that it tries to send.
    pub per_second: u32,
    /// How long.
    pub duration: Duration,
}

/// Sends the flood; how many messages left this machine.
///
/// # Errors
/// When its address cannot be bound.
pub fn flood(config: &FloodConfig) -> LabResult<u64> {
    let socket = UdpSocket::bind((config.from, 0)).map_err(LabError::io("binding the flood's address"))?;
    let local = socket.local_addr().map_err(LabError::io("asking for the own address"))?;
    // Answers are not read: nobody who floods does.
    let (begun, mut sent, mut tried) = (Instant::now(), 0_u64, 0_u64);
    while begun.elapsed() < config.duration {
        let due = (begun.elapsed().as_secs_f64() * f64::from(config.per_second)) as u64;
        if tried >= due {
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        while tried < due {
            let message = hostile(tried, local);
            sent += u64::from(socket.send_to(&message, config.target).is_ok());
            tried += 1;
        }
    }
    Ok(sent)
}

/// One message of the mix: calls to anywhere, guessed passwords, scans, strays, nonsense.
pub fn hostile(number: u64, local: SocketAddr) -> Vec<u8> {
    let text = |method: &str, uri: &str, more: &str| {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKf{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{number}@acme.test>;tag=f{number}\r\nTo: <sip:{number}@acme.test>\r\nCall-ID: f{number}@flood\r\n\
             CSeq: 1 {method}\r\nContact: <sip:x@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let guess = format!(
        "Authorization: Digest username=\"100a\", realm=\"acme.test\", nonce=\"{number:032x}\", uri=\"sip:acme.test\", \
         response=\"{number:032x}\", qop=auth, nc=00000001, cnonce=\"x\"\r\n"
    );
    let text = match number % 8 {
        0 | 1 => text("INVITE", &format!("sip:+1900555{:04}@acme.test", number % 10_000), ""),
        2 => text("REGISTER", "sip:acme.test", ""),
        3 => text("REGISTER", "sip:acme.test", &guess),
        4 => text("OPTIONS", "sip:acme.test", ""),
        5 => text("BYE", "sip:900000001@acme.test", ""),
        6 => text("INVITE", "sip:900000001@acme.test", "Via: ;;;\r\n"),
        _ => return (0..200_u64).map(|at| (number.wrapping_mul(at + 7) >> 3) as u8).collect(),
    };
    text.into_bytes()
}

/// What honest clients have met.
#[derive(Debug, Clone, Default)]
pub struct Honest {
    /// OPTIONS asked.
    pub asked: usize,
    /// How long their answers took, sorted; those that never came are missing.
    pub answers: Vec<Duration>,
    /// Registrations tried.
    pub registrations: usize,
    /// Those that were accepted.
    pub registered: usize,
}

impl Honest {
    /// The time that so many percent of the answers stayed below.
    pub fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.answers, percent).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Honest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OPTIONS {} of {} answered, p50 {:.1} ms, p99 {:.1} ms; registrations {} of {}",
            self.answers.len(),
            self.asked,
            self.percentile(50).as_secs_f64() * 1e3,
            self.percentile(99).as_secs_f64() * 1e3,
            self.registered,
            self.registrations
        )
    }
}

/// Asks by OPTIONS fifty times a second and registers with digest five times a second, for so long.
///
/// # Errors
/// When its address cannot be bound.
pub fn honest(
    target: SocketAddr,
    from: IpAddr,
    (credentials, domain): (&Credentials, &str),
    duration: Duration,
) -> LabResult<Honest> {
    let socket = UdpSocket::bind((from, 0)).map_err(LabError::io("binding an honest client"))?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).map_err(LabError::io("setting a time-out"))?;
    let local = socket.local_addr().map_err(LabError::io("asking for the own address"))?;
    let (begun, mut seen) = (Instant::now(), Honest::default());
    let mut round = 0_u32;
    while begun.elapsed() < duration {
        let id = token();
        let ask = request("OPTIONS", &format!("sip:{domain}"), local, (&id, 1, "honest", domain), "");
        seen.asked += 1;
        let asked = Instant::now();
        if exchange(&socket, target, &ask, &id, 1).is_some() {
            seen.answers.push(asked.elapsed());
        }
        if round.is_multiple_of(10) {
            seen.registrations += 1;
            seen.registered += usize::from(register(&socket, target, local, (credentials, domain)));
        }
        round += 1;
        std::thread::sleep(Duration::from_millis(20).saturating_sub(asked.elapsed()));
    }
    seen.answers.sort_unstable();
    Ok(seen)
}

fn request(
    method: &str,
    uri: &str,
    local: SocketAddr,
    (id, cseq, user, domain): (&str, u32, &str, &str),
    more: &str,
) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}x{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{domain}>;tag={id}\r\nTo: <sip:{user}@{domain}>\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:{user}@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Sends, and repeats as RFC 3261 says, until the final answer to that Call-ID and CSeq has come, or after four tries.
fn exchange(socket: &UdpSocket, target: SocketAddr, text: &str, id: &str, cseq: u32) -> Option<String> {
    let mut buffer = [0; 8_192];
    for _ in 0..4 {
        socket.send_to(text.as_bytes(), target).ok()?;
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            let Ok(length) = socket.recv(&mut buffer) else { break };
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if answer.contains(&format!("Call-ID: {id}\r\n")) && answer.contains(&format!("CSeq: {cseq} ")) {
                return Some(answer);
            }
        }
    }
    None
}

fn register(socket: &UdpSocket, target: SocketAddr, local: SocketAddr, who: (&Credentials, &str)) -> bool {
    let (credentials, domain) = who;
    let (id, uri) = (token(), format!("sip:{domain}"));
    let user = credentials.user.as_str();
    let first = request("REGISTER", &uri, local, (&id, 1, user, domain), "Expires: 600\r\n");
    let Some(challenge) = exchange(socket, target, &first, &id, 1) else { return false };
    let Some(proof) = proof(&challenge, credentials, &uri) else { return false };
    let second =
        request("REGISTER", &uri, local, (&id, 2, user, domain), &format!("{proof}Expires: 600\r\n"));
    exchange(socket, target, &second, &id, 2).is_some_and(|answer| answer.starts_with("SIP/2.0 200 "))
}

/// The Authorization line that answers a 401.
fn proof(answer: &str, credentials: &Credentials, uri: &str) -> Option<String> {
    let challenge = answer.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: "))?;
    let answer = Challenge::parse(challenge)?.answer(credentials, "REGISTER", uri, 1);
    Some(format!("Authorization: {answer}\r\n"))
}

/// Phones that register all at once.
#[derive(Debug, Clone)]
pub struct AvalancheConfig {
    /// Their registrar.
    pub target: SocketAddr,
    /// Their accounts.
    pub phones: Vec<Credentials>,
    /// Their domain.
    pub domain: String,
    /// How many addresses (127.0.2.1 and on) they share.
    pub addresses: u8,
    /// All of them begin within this time.
    pub within: Duration,
    /// When it is given up.
    pub patience: Duration,
}

/// What became of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Avalanche {
    /// Phones that are in.
    pub registered: usize,
    /// Requests sent, repetitions included.
    pub requests: usize,
    /// When the last one was in.
    pub took: Duration,
}

struct PhoneState {
    id: String,
    cseq: u32,
    text: String,
    repeat_at: Instant,
    interval: Duration,
    socket: usize,
    in_at: Option<Instant>,
}

/// Registers them all, each with RFC 3261's repetitions.
///
/// # Errors
/// When an address cannot be bound.
pub fn avalanche(config: &AvalancheConfig) -> LabResult<Avalanche> {
    let bind = |number: u8| -> LabResult<(UdpSocket, SocketAddr)> {
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 2, number + 1));
        let socket = UdpSocket::bind((address, 0)).map_err(LabError::io("binding a phone's address"))?;
        socket.set_nonblocking(true).map_err(LabError::io("preparing a socket"))?;
        let local = socket.local_addr().map_err(LabError::io("asking for the own address"))?;
        Ok((socket, local))
    };
    let sockets = (0..config.addresses.max(1)).map(bind).collect::<LabResult<Vec<_>>>()?;
    let begun = Instant::now();
    let uri = format!("sip:{}", config.domain);
    let (mut states, mut by_id) = (Vec::new(), BTreeMap::new());
    for (number, phone) in config.phones.iter().enumerate() {
        let (id, socket) = (token(), number % sockets.len());
        let text = request(
            "REGISTER",
            &uri,
            sockets[socket].1,
            (&id, 1, &phone.user, &config.domain),
            "Expires: 600\r\n",
        );
        let share = number as f64 / config.phones.len() as f64;
        by_id.insert(id.clone(), number);
        let (repeat_at, interval) = (begun + config.within.mul_f64(share), Duration::from_millis(500));
        states.push(PhoneState { id, cseq: 1, text, repeat_at, interval, socket, in_at: None });
    }
    let (mut report, mut buffer) = (Avalanche::default(), [0; 8_192]);
    while report.registered < states.len() && begun.elapsed() < config.patience {
        let now = Instant::now();
        for state in states.iter_mut().filter(|state| state.in_at.is_none() && state.repeat_at <= now) {
            // A full buffer is a lost datagram.
            let _ = sockets[state.socket].0.send_to(state.text.as_bytes(), config.target);
            report.requests += 1;
            state.repeat_at = now + state.interval;
            state.interval = (state.interval * 2).min(Duration::from_secs(4));
        }
        let mut quiet = true;
        for (socket, local) in &sockets {
            while let Ok(length) = socket.recv(&mut buffer) {
                quiet = false;
                let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let id = answer.lines().find_map(|line| line.strip_prefix("Call-ID: "));
                let Some(state) = id
                    .and_then(|id| by_id.get(id))
                    .map(|number| (&mut states[*number], &config.phones[*number]))
                else {
                    continue;
                };
                let (state, phone) = state;
                if state.in_at.is_some() || !answer.contains(&format!("CSeq: {} ", state.cseq)) {
                    continue;
                }
                if answer.starts_with("SIP/2.0 200 ") {
                    state.in_at = Some(Instant::now());
                    report.registered += 1;
                    report.took = begun.elapsed();
                } else if let Some(proof) = proof(&answer, phone, &uri) {
                    state.cseq += 1;
                    let who = (state.id.as_str(), state.cseq, phone.user.as_str(), config.domain.as_str());
                    state.text = request("REGISTER", &uri, *local, who, &format!("{proof}Expires: 600\r\n"));
                    (state.repeat_at, state.interval) = (Instant::now(), Duration::from_millis(500));
                }
            }
        }
        if quiet {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(report)
}

/// A configuration with so many phones more (p0, p1 and so on) in its first tenant.
pub fn with_crowd(configuration: &str, phones: usize, password: &str) -> String {
    const TENANT: &str = "\n[[seed.tenant]]\n";
    let user = "[[seed.tenant.user]]\nlogin = \"crowd\"\npassword = \"crowd-demo\"\nfirst = \"Crowd\"\n\
                last = \"Crowd\"\nextension = \"899\"\nmail = \"crowd@acme.test\"\nrole = \"user\"\n";
    let device = |number: usize| {
        format!(
            "[[seed.tenant.user.device]]\nname = \"p{number}\"\nkind = \"desk phone\"\npassword = \"{password}\"\n"
        )
    };
    let crowd: String = std::iter::once(user.to_owned()).chain((0..phones).map(device)).collect();
    let first = configuration.find(TENANT).map_or(0, |at| at + TENANT.len());
    let second = configuration[first..].find(TENANT).map_or(configuration.len(), |at| first + at + 1);
    format!("{}\n{crowd}\n{}", &configuration[..second], &configuration[second..])
}

/// INVITEs that nobody ever acknowledges or cancels, over UDP and, with `tcp`, over one connection; how many left.
///
/// # Errors
/// When the address cannot be bound, or the connection is not taken.
pub fn abandon(config: &FloodConfig, tcp: bool) -> LabResult<u64> {
    let datagrams = UdpSocket::bind((config.from, 0)).map_err(LabError::io("binding the flood's address"))?;
    let mut stream = match tcp {
        true => Some(TcpStream::connect(config.target).map_err(LabError::io("connecting the flood"))?),
        false => None,
    };
    let local = datagrams.local_addr().map_err(LabError::io("asking for the own address"))?;
    let gap = Duration::from_secs(1) / config.per_second.max(1);
    let (begun, mut sent) = (Instant::now(), 0);
    while begun.elapsed() < config.duration {
        let id = token();
        let message = request("INVITE", "sip:900000001@acme.test", local, (&id, 1, "100a", "acme.test"), "");
        let taken = match &mut stream {
            // A connection that is closed on whoever abuses it is an answer, too.
            Some(stream) => stream.write_all(message.replace("/UDP", "/TCP").as_bytes()).is_ok(),
            None => datagrams.send_to(message.as_bytes(), config.target).is_ok(),
        };
        sent += u64::from(taken);
        std::thread::sleep((gap * (sent as u32 + 1)).saturating_sub(begun.elapsed()).min(gap));
    }
    Ok(sent)
}

/// What a process holds in memory, in bytes, as the system counts it.
pub fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<usize>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

/// The CPU time that a process has taken, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before may contain spaces; utime and stime are the 14th and 15th fields, in hundredths of a second.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_belongs_to_the_first_tenant() {
        let one = "[sip]\n\n[[seed.tenant]]\nname = 1\n";
        let crowded = with_crowd(&format!("{one}\n[[seed.tenant]]\nname = 2\n"), 2, "x");
        let second = crowded.find("name = 2").unwrap();
        assert!(crowded.find("name = \"p1\"").unwrap() < second, "{crowded}");
        assert!(with_crowd(one, 1, "x").ends_with("password = \"x\"\n\n"));
    }
}
