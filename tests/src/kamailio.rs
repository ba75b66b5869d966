//! Kamailio (the Debian package) as the edge in front of the gateway, with the configuration we ship.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::process::{Child, Command};

use crate::baresip::collect;
use crate::error::{LabError, LabResult};
use crate::gateway::TempFolder;
use crate::shared::lock;

/// The addresses in the configuration we ship.
const EDGE: &str = "192.0.2.30:5060";
const GATEWAY: &str = "192.0.2.1:5060";
const GATEWAY_HOST: &str = "$si == \"192.0.2.1\" && $sp == 5060";
const PATIENCE: Duration = Duration::from_secs(15);

/// A running Kamailio; asked to end when dropped.
pub struct Kamailio {
    /// Where phones find it, by UDP and TCP.
    pub listen: SocketAddr,
    child: Child,
    words: Arc<Mutex<Vec<String>>>,
    _folder: TempFolder,
}

impl Kamailio {
    /// Starts it at `listen`, in front of the gateway at `behind`.
    ///
    /// # Errors
    /// When it is not installed, or does not listen in time; its words are in the message.
    pub async fn start(listen: SocketAddr, behind: SocketAddr) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let path = folder.path().join("kamailio.cfg");
        fs::write(&path, configuration(listen, behind)?).map_err(LabError::io("writing kamailio.cfg"))?;
        let mut command = Command::new("kamailio");
        // In the foreground, with its words on standard error and little memory.
        command.args(["-DD", "-E", "-e", "-m", "32", "-M", "8", "-n", "2", "-N", "2"]);
        command.arg("-f").arg(&path).arg("-Y").arg(folder.path()).arg("-w").arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(LabError::io("starting kamailio (Debian package kamailio)"))?;
        let words = Arc::new(Mutex::new(Vec::new()));
        if let Some(output) = child.stderr.take() {
            tokio::spawn(collect(output, Arc::clone(&words)));
        }
        let started = Self { listen, child, words, _folder: folder };
        started.wait_ready().await?;
        Ok(started)
    }

    /// Asks it by OPTIONS until it answers.
    async fn wait_ready(&self) -> LabResult<()> {
        let failed = || LabError::io("asking kamailio");
        let socket = UdpSocket::bind("127.0.0.1:0").await.map_err(failed())?;
        let (local, listen) = (socket.local_addr().map_err(failed())?, self.listen);
        let ask = format!(
            "OPTIONS sip:{listen} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKready\r\nFrom: <sip:a@lab>;tag=a\r\n\
             To: <sip:{listen}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\nContent-Length: 0\r\n\r\n"
        );
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = [0; 2_048];
        while Instant::now() < deadline {
            // Refused while nobody listens.
            let _ = socket.send_to(ask.as_bytes(), listen).await;
            let heard = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut buffer)).await;
            if matches!(heard, Ok(Ok(_))) {
                return Ok(());
            }
        }
        Err(LabError::Timeout(format!("kamailio to listen; it said:\n{}", self.words().join("\n"))))
    }

    /// Everything it said so far: a line for each request.
    pub fn words(&self) -> Vec<String> {
        lock(&self.words).clone()
    }
}

impl Drop for Kamailio {
    /// Asks it to end: it takes its own processes with it, which it could not if it were killed.
    fn drop(&mut self) {
        if let Some(pid) = self.child.id() {
            // Nothing more can be done about one that cannot be asked.
            let _ = std::process::Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status();
        }
    }
}

fn configuration(listen: SocketAddr, behind: SocketAddr) -> LabResult<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/kamailio-edge.cfg");
    let text = fs::read_to_string(&path).map_err(LabError::io(format!("reading {}", path.display())))?;
    let from = format!("$si == \"{}\" && $sp == {}", behind.ip(), behind.port());
    Ok(text
        .replace(GATEWAY_HOST, &from)
        .replace(EDGE, &listen.to_string())
        .replace(GATEWAY, &behind.to_string()))
}
