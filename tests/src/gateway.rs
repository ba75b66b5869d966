//! Starts and stops the program under test: free ports, a data folder of its own, the ready line, its logs.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::error::{LabError, LabResult};
use crate::shared::{lock, token};

/// A folder under the system's temporary one, removed when dropped.
#[derive(Debug)]
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// Creates it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> LabResult<Self> {
        let path = std::env::temp_dir().join(format!("partyline-lab-{}", token()));
        fs::create_dir_all(&path).map_err(LabError::io(format!("creating {}", path.display())))?;
        Ok(Self(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Left over at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The ports a gateway under test listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// SIP over UDP.
    pub sip: u16,
    /// REST, events and page.
    pub api: u16,
    /// WebRTC media.
    pub webrtc: u16,
    /// Where the trunk's peer, the lab's carrier, listens.
    pub carrier: u16,
    /// First of a thousand RTP ports.
    pub rtp: u16,
}

impl Ports {
    /// Ports that are free at this moment.
    ///
    /// # Errors
    /// When the system has none.
    pub fn free() -> LabResult<Self> {
        let udp = || UdpSocket::bind(("127.0.0.1", 0));
        let what = || LabError::io("looking for a free port");
        // All bound at once, so that they differ.
        let sockets = [udp().map_err(what())?, udp().map_err(what())?, udp().map_err(what())?];
        let api = TcpListener::bind(("127.0.0.1", 0)).map_err(what())?;
        let mut ports = [0u16; 3];
        for (port, socket) in ports.iter_mut().zip(&sockets) {
            *port = socket.local_addr().map_err(what())?.port();
        }
        let api = api.local_addr().map_err(what())?.port();
        Ok(Self { sip: ports[0], api, webrtc: ports[1], carrier: ports[2], rtp: next_rtp_block() })
    }

    /// The ports of the shipped demonstration configuration.
    pub const fn demo() -> Self {
        Self { sip: 5060, api: 8080, webrtc: 8443, carrier: 5070, rtp: 20_000 }
    }

    /// Writes these ports into a configuration made for [`Ports::demo`].
    pub fn apply(self, configuration: &str) -> String {
        let demo = Self::demo();
        let swaps = [
            (demo.sip.to_string(), self.sip.to_string()),
            (demo.api.to_string(), self.api.to_string()),
            (demo.webrtc.to_string(), self.webrtc.to_string()),
            (demo.carrier.to_string(), self.carrier.to_string()),
            ("20000".to_owned(), self.rtp.to_string()),
            ("20999".to_owned(), (self.rtp + 999).to_string()),
        ];
        replace_numbers(configuration, &swaps)
    }
}

/// An address of this machine where nobody listens by TCP at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_address() -> LabResult<SocketAddr> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map_err(LabError::io("looking for a free port"))
}

/// A block of a thousand ports below the ephemeral range, another one every time. A clash with another process is the
/// gateway's to survive.
fn next_rtp_block() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = u64::from(std::process::id()) * 5 + NEXT.fetch_add(1, Ordering::Relaxed);
    10_000 + (number % 20) as u16 * 1_000
}

/// Replaces whole numbers only: the 5060 of a longer number stays.
fn replace_numbers(text: &str, swaps: &[(String, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut number = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let swapped = swaps.iter().find(|(from, _)| *from == number).map(|(_, to)| to);
        result.push_str(swapped.unwrap_or(&number));
        number.clear();
        if letter != '\0' {
            result.push(letter);
        }
    }
    result
}

/// The demonstration configuration of the repository.
///
/// # Errors
/// When it cannot be read.
pub fn demo_configuration() -> LabResult<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/demo.toml");
    fs::read_to_string(&path).map_err(LabError::io(format!("reading {}", path.display())))
}

/// Finds the `partyline` binary: `PARTYLINE_BIN`, else beside the running test or tool in the target folder.
///
/// # Errors
/// In words that say how to build it.
pub fn find_binary() -> LabResult<PathBuf> {
    if let Some(path) = std::env::var_os("PARTYLINE_BIN") {
        return existing(PathBuf::from(path), "PARTYLINE_BIN names a file that does not exist");
    }
    let own = std::env::current_exe().map_err(LabError::io("asking for the own path"))?;
    let found =
        own.ancestors().skip(1).take(3).map(|folder| folder.join("partyline")).find(|path| path.is_file());
    found.ok_or_else(|| {
        LabError::Other(format!(
            "no partyline binary beside {}: build it with `cargo build -p gateway`, or name it in PARTYLINE_BIN",
            own.display()
        ))
    })
}

fn existing(path: PathBuf, otherwise: &str) -> LabResult<PathBuf> {
    match path.is_file() {
        true => Ok(path),
        false => Err(LabError::Other(format!("{otherwise}: {}", path.display()))),
    }
}

/// The line a gateway prints when it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its SIP address.
    pub sip: SocketAddr,
    /// Its base URL.
    pub api: String,
    /// Its process id.
    pub pid: u32,
}

impl Ready {
    /// Reads `partyline ready sip=HOST:PORT api=URL pid=PID`.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("partyline ready ")?;
        let field = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            sip: field("sip")?.parse().ok()?,
            api: field("api")?.to_owned(),
            pid: field("pid")?.parse().ok()?,
        })
    }
}

/// A running gateway; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    /// Its addresses.
    pub ready: Ready,
    child: Child,
    logs: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts `binary` with the configuration file and data folder given and waits until it serves.
    ///
    /// # Errors
    /// When it ends, or does not serve within a minute; its last words are in the message.
    pub async fn start(binary: &Path, configuration: &Path, data: &Path) -> LabResult<Self> {
        Self::start_in(binary, configuration, data, &[]).await
    }

    /// The same with environment variables.
    ///
    /// # Errors
    /// As for [`Gateway::start`].
    pub async fn start_in(
        binary: &Path,
        configuration: &Path,
        data: &Path,
        environment: &[(String, String)],
    ) -> LabResult<Self> {
        let mut command = Command::new(binary);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(configuration).arg("--data").arg(data);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(LabError::io(format!("starting {}", binary.display())))?;
        let logs = Arc::new(Mutex::new(Vec::new()));
        let (sender, mut ready) = watch::channel(None);
        if let Some(output) = child.stdout.take() {
            tokio::spawn(collect(output, Arc::clone(&logs), Some(sender)));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(collect(output, Arc::clone(&logs), None));
        }
        let waited = tokio::time::timeout(Duration::from_secs(60), ready.wait_for(Option::is_some)).await;
        let found = waited.ok().and_then(Result::ok).and_then(|ready| ready.clone());
        match found {
            Some(ready) => Ok(Self { ready, child, logs }),
            None => {
                // The process may still be writing its last words.
                tokio::time::sleep(Duration::from_millis(200)).await;
                let words = lock(&logs).join("\n");
                Err(LabError::Other(format!("the gateway did not start; it said:\n{words}")))
            }
        }
    }

    /// Everything it printed so far.
    pub fn logs(&self) -> Vec<String> {
        lock(&self.logs).clone()
    }

    /// SIGTERM, by its id; waits for a clean end and returns its exit code.
    ///
    /// # Errors
    /// When it is still there after ten seconds (it is killed then).
    pub async fn stop(self) -> LabResult<Option<i32>> {
        if let Some(pid) = self.child.id() {
            let asked = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await;
            asked.map_err(LabError::io("sending SIGTERM"))?;
        }
        self.wait(Duration::from_secs(10)).await
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Errors
    /// When it is still there when the time is up (it is killed then).
    pub async fn wait(mut self, timeout: Duration) -> LabResult<Option<i32>> {
        match tokio::time::timeout(timeout, self.child.wait()).await {
            Ok(status) => Ok(status.map_err(LabError::io("waiting for the gateway"))?.code()),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(LabError::Timeout("the gateway to end after SIGTERM".to_owned()))
            }
        }
    }

    /// kill -9, as a crash does it.
    ///
    /// # Errors
    /// When it is already gone.
    pub async fn crash(mut self) -> LabResult<()> {
        self.child.kill().await.map_err(LabError::io("killing the gateway"))
    }

    /// Its end, when it ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().and_then(|status| status.code())
    }
}

async fn collect(
    output: impl AsyncRead + Unpin + Send,
    logs: Arc<Mutex<Vec<String>>>,
    ready: Option<watch::Sender<Option<Ready>>>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let (Some(sender), Some(found)) = (&ready, Ready::parse(&line)) {
            sender.send_replace(Some(found));
        }
        lock(&logs).push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_read() {
        let ready =
            Ready::parse("partyline ready sip=127.0.0.1:5060 api=http://127.0.0.1:8080 pid=42\n").unwrap();
        assert_eq!(ready.sip, SocketAddr::from(([127, 0, 0, 1], 5060)));
        assert_eq!((ready.api.as_str(), ready.pid), ("http://127.0.0.1:8080", 42));
        assert_eq!(Ready::parse("partyline starting"), None);
    }

    #[test]
    fn ports_are_replaced_as_whole_numbers() {
        let ports = Ports { sip: 1, api: 2, webrtc: 3, carrier: 4, rtp: 30_000 };
        let text = "a = \"127.0.0.1:5060\"\nb = 8080\nc=\"127.0.0.1:8443\"\nd=15060\ne=[20000, 20999]\nf=\"127.0.0.1:5070\"";
        let wanted =
            "a = \"127.0.0.1:1\"\nb = 2\nc=\"127.0.0.1:3\"\nd=15060\ne=[30000, 30999]\nf=\"127.0.0.1:4\"";
        assert_eq!(ports.apply(text), wanted);
    }

    #[test]
    fn free_ports_differ() {
        let ports = Ports::free().unwrap();
        assert_ne!(ports.sip, ports.webrtc);
        assert_ne!(ports.webrtc, ports.carrier);
    }

    #[test]
    fn a_temporary_folder_goes_away() {
        let folder = TempFolder::new().unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_program_that_is_no_gateway_is_reported_with_its_words() {
        let folder = TempFolder::new().unwrap();
        let script = folder.path().join("fake");
        fs::write(&script, "#!/bin/sh\necho sorry, no configuration >&2\nexit 2\n").unwrap();
        let made = std::process::Command::new("chmod").arg("+x").arg(&script).status().unwrap();
        assert!(made.success());
        let error = Gateway::start(&script, Path::new("none"), folder.path()).await.unwrap_err();
        assert!(error.to_string().contains("sorry, no configuration"), "{error}");
    }
}
