//! The messages of RFC 4475 and RFC 5118 against the running program, over UDP and TCP, each byte as it stands in the files.
//!
//! The files are not part of this repository. `PARTYLINE_TORTURE` names the folder that holds `rfc4475/` and `rfc5118/`;
//! without it `../shared` beside the repository is looked at. Where there is none, the test says so and does nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partyline_tests::stage::StageConfig;

use crate::support::on_stage_with;

/// What the RFC says of one message.
struct Row {
    file: &'static str,
    section: &'static str,
    /// The answers that are right; none is [`SILENCE`].
    right: &'static [u16],
    /// Answers the RFC leaves open or advises against, without harm.
    tolerable: &'static [u16],
}

const SILENCE: u16 = 0;
/// Refusals by a server that has read a valid request and does not want it: nobody there, nothing of ours, not known here.
const READ: &[u16] = &[200, 401, 403, 404, 405, 407, 415, 420, 481, 488, 501, 603];

const fn row(
    file: &'static str,
    section: &'static str,
    right: &'static [u16],
    tolerable: &'static [u16],
) -> Row {
    Row { file, section, right, tolerable }
}

const RFC_4475: [Row; 49] = [
    row("wsinv", "3.1.1.1", READ, &[]),
    row("intmeth", "3.1.1.2", &[405, 501], &[]),
    row("esc01", "3.1.1.3", READ, &[]),
    row("escnull", "3.1.1.4", READ, &[]),
    row("esc02", "3.1.1.5", &[405, 501], &[]),
    row("lwsdisp", "3.1.1.6", READ, &[]),
    row("longreq", "3.1.1.7", READ, &[]),
    row("dblreq", "3.1.1.8", READ, &[]),
    row("semiuri", "3.1.1.9", READ, &[]),
    row("transports", "3.1.1.10", READ, &[]),
    row("mpart01", "3.1.1.11", READ, &[]),
    row("unreason", "3.1.1.12", &[SILENCE], &[]),
    row("noreason", "3.1.1.13", &[SILENCE], &[]),
    row("badinv01", "3.1.2.1", &[400], &[]),
    row("clerr", "3.1.2.2", &[400], &[]),
    row("ncl", "3.1.2.3", &[400], &[]),
    row("scalar02", "3.1.2.4", &[400], &[]),
    row("scalarlg", "3.1.2.5", &[SILENCE], &[]),
    row("quotbal", "3.1.2.6", &[400], &[]),
    row("ltgtruri", "3.1.2.7", &[400], &[]),
    row("lwsruri", "3.1.2.8", &[400], &[]),
    row("lwsstart", "3.1.2.9", &[400], READ),
    row("trws", "3.1.2.10", READ, &[400]),
    row("escruri", "3.1.2.11", &[400, 200, 401, 404], &[]),
    row("baddate", "3.1.2.12", READ, &[400]),
    row("regbadct", "3.1.2.13", &[400, 401, 403], &[]),
    row("badaspec", "3.1.2.14", &[400, 200], &[]),
    row("baddn", "3.1.2.15", &[400], READ),
    row("badvers", "3.1.2.16", &[505], &[]),
    row("mismatch01", "3.1.2.17", &[400], &[]),
    row("mismatch02", "3.1.2.18", &[400, 501], &[]),
    row("bigcode", "3.1.2.19", &[SILENCE], &[]),
    row("badbranch", "3.2.1", READ, &[]),
    row("insuf", "3.3.1", &[400], &[]),
    row("unkscm", "3.3.2", &[416], &[]),
    row("novelsc", "3.3.3", &[416], &[]),
    row("unksm2", "3.3.4", &[400], &[401, 403, 404]),
    row("bext01", "3.3.5", &[420], &[]),
    row("invut", "3.3.6", &[415], &[401, 404]),
    row("regaut01", "3.3.7", &[401, 403], &[]),
    row("multi01", "3.3.8", &[400], &[]),
    row("mcl01", "3.3.9", &[400], &[]),
    row("bcast", "3.3.10", &[SILENCE], &[]),
    row("zeromf", "3.3.11", &[200, 483], &[]),
    row("cparam01", "3.3.12", READ, &[]),
    row("cparam02", "3.3.13", READ, &[]),
    row("regescrt", "3.3.14", READ, &[]),
    row("sdp01", "3.3.15", &[406], &[401, 404, 488]),
    row("inv2543", "3.4", READ, &[]),
];

const RFC_5118: [Row; 12] = [
    row("ipv6-good", "4.1", READ, &[]),
    row("ipv6-bad", "4.2", &[400], &[]),
    row("port-ambiguous", "4.3", READ, &[]),
    row("port-unambiguous", "4.4", READ, &[]),
    row("via-received-param-with-delim", "4.5", READ, &[]),
    row("via-received-param-no-delim", "4.5", READ, &[]),
    row("ipv6-in-sdp", "4.6", READ, &[]),
    row("mult-ip-in-header", "4.7", READ, &[]),
    row("mult-ip-in-sdp", "4.8", READ, &[]),
    row("ipv4-mapped-ipv6", "4.9", READ, &[]),
    row("ipv6-correct-abnf-2-colons", "4.10", READ, &[]),
    row("ipv6-bug-abnf-3-colons", "4.10", READ, &[400]),
];

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("PARTYLINE_TORTURE").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    named.or_else(|| beside.join("rfc4475").is_dir().then_some(beside))
}

/// Past the test harness, which keeps what a passing test prints to itself.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// The messages of RFC 5118 declare lengths that are wrong, as printed there; framing is not what they are about.
fn with_right_length(message: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(message).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    for line in &mut lines {
        if line.to_ascii_lowercase().starts_with("content-length") {
            *line = format!("Content-Length: {}", body.len());
        }
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

fn alive(number: usize) -> String {
    format!(
        "OPTIONS sip:x@acme.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKalive{number}\r\n\
         From: <sip:t@h>;tag=t\r\nTo: <sip:x@acme.test>\r\nCall-ID: alive{number}\r\nCSeq: 8 OPTIONS\r\n\
         Max-Forwards: 3\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The final statuses in what came, but for those of the question whether the server lives.
fn finals(text: &str) -> Vec<u16> {
    let messages = text.split("SIP/2.0 ").skip(1).filter(|message| !message.contains("Call-ID: alive"));
    messages.filter_map(|message| message.get(..3)?.parse().ok()).filter(|status| *status >= 200).collect()
}

/// Sends by UDP, waits for a final answer where one should come, and asks whether the server lives.
fn by_udp(server: SocketAddr, number: usize, message: &[u8], silent: bool) -> Vec<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send(message).unwrap();
    let mut answers = Vec::new();
    let mut buffer = [0; 65_535];
    while !silent && answers.is_empty() {
        let Ok(length) = socket.recv(&mut buffer) else { break };
        answers.extend(finals(&String::from_utf8_lossy(&buffer[..length])));
    }
    socket.send(alive(number).as_bytes()).unwrap();
    loop {
        let length =
            socket.recv(&mut buffer).unwrap_or_else(|error| panic!("message {number}: dead: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.contains(&format!("Call-ID: alive{number}\r\n")) {
            return answers;
        }
        answers.extend(finals(&text));
    }
}

/// The same by TCP. `unfinished`: the message promises more than there is; nothing comes of it before its time is up.
fn by_tcp(server: SocketAddr, number: usize, message: &[u8], unfinished: bool) -> Vec<u16> {
    let mut stream = TcpStream::connect(server).unwrap();
    let mut text = String::new();
    stream.write_all(message).unwrap();
    if !unfinished {
        stream.write_all(alive(number).as_bytes()).unwrap();
    }
    let end = Instant::now() + Duration::from_secs(if unfinished { 1 } else { 5 });
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut buffer = [0; 65_535];
    let mut answered = None;
    // An INVITE is answered by another task than OPTIONS: a little longer than until the sign of life.
    while Instant::now() < answered.unwrap_or(end).min(end) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if text.contains("Call-ID: alive") && answered.is_none() {
            answered = Some(Instant::now() + Duration::from_millis(200));
        }
    }
    drop(stream);
    let mut other = TcpStream::connect(server).unwrap();
    other.write_all(alive(number + 1_000).as_bytes()).unwrap();
    other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = other.read(&mut buffer).unwrap_or_else(|error| panic!("message {number}: dead: {error}"));
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 "), "message {number}: the server is not well");
    finals(&text)
}

/// Runs all of one transport; the table, and how many are wrong and only tolerable.
fn run(folder: &Path, server: SocketAddr, tcp: bool) -> (String, usize, usize) {
    let (mut table, mut failed, mut tolerated) = (String::new(), 0, 0);
    let rows = RFC_4475.iter().map(|row| ("rfc4475", row)).chain(RFC_5118.iter().map(|row| ("rfc5118", row)));
    for (number, (rfc, row)) in rows.enumerate() {
        let path = folder.join(rfc).join(format!("{}.dat", row.file));
        let message = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let message = if rfc == "rfc5118" { with_right_length(message) } else { message };
        let silent = row.right == [SILENCE];
        // Over TCP the missing bytes may still come. The stream of `dblreq` goes on with bytes that are no message: what
        // counts is the answer to its first request.
        let unfinished = tcp && row.file == "clerr";
        let mut answers = match tcp {
            true => by_tcp(server, number, &message, unfinished),
            false => by_udp(server, number, &message, silent),
        };
        if tcp && row.file == "dblreq" {
            answers.truncate(1);
        }
        // A refused INVITE is repeated until its ACK; it stays one answer.
        answers.dedup();
        let answer = match answers[..] {
            [] => SILENCE,
            [one] => one,
            _ => u16::MAX,
        };
        // A message without a length has no end in a stream (RFC 3261 section 18.3).
        let endless = tcp && row.file == "inv2543";
        let right =
            endless && answer == 400 || row.right.contains(&answer) || (unfinished && answer == SILENCE);
        let verdict = match right {
            true => "ok",
            false if row.tolerable.contains(&answer) => "SHOULD",
            false => "FAIL",
        };
        failed += usize::from(verdict == "FAIL");
        tolerated += usize::from(verdict == "SHOULD");
        let transport = if tcp { "tcp" } else { "udp" };
        table += &format!("{rfc} {:<9} {:<30} {transport} {answers:?} {verdict}\n", row.section, row.file);
    }
    (table, failed, tolerated)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d23_p1_the_messages_of_rfc_4475_and_5118_by_udp_and_tcp() {
    let Some(folder) = folder() else {
        say(
            "SKIPPED: no messages of RFC 4475 and 5118; name the folder that holds rfc4475/ and rfc5118/ in PARTYLINE_TORTURE",
        );
        return;
    };
    for tcp in [false, true] {
        // Trusted, so that an INVITE gets as far as it can. A new server each: the same bytes twice are a repetition.
        let change = |config: StageConfig| {
            let listen = format!("127.0.0.1:{}", config.ports.sip);
            let mut config = config.set("trusted_peers", "[\"127.0.0.1/32\"]")?;
            let listener = format!("[[sip.listener]]\ntransport = \"tcp\"\nlisten = \"{listen}\"\n\n[media]");
            config.configuration = config.configuration.replacen("[media]", &listener, 1);
            Ok(config)
        };
        let folder = folder.clone();
        on_stage_with(change, async |stage| {
            let server = stage.sip()?;
            let (table, failed, tolerated) =
                tokio::task::spawn_blocking(move || run(&folder, server, tcp)).await.expect("it runs");
            say(&format!("{table}{failed} FAIL, {tolerated} SHOULD"));
            assert_eq!(failed, 0, "{table}");
            assert!(tolerated <= 3, "{table}");
            assert!(!stage.gateway()?.logs().iter().any(|line| line.contains("panicked")));
            Ok(())
        })
        .await;
    }
}
