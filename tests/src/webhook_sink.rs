//! A receiver of webhooks: keeps what it is sent, and misbehaves on demand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::error::{LabError, LabResult};
use crate::shared::lock;

/// The largest request taken.
const REQUEST_MAX: usize = 1 << 20;

/// How a path answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// With this status.
    Status(u16),
    /// Never.
    Silent,
    /// With a byte of the answer every second.
    Trickle,
    /// With an answer without end, as fast as it goes.
    Endless,
    /// With a head without end.
    EndlessHead,
    /// With a redirect to this URL.
    Redirect(String),
    /// By hanging up.
    HangUp,
}

/// A delivery that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its fields, names in small letters.
    pub fields: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// The same as JSON.
    pub event: Value,
    /// When it was complete.
    pub at: Instant,
}

impl Received {
    /// A field, empty if missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    manners: BTreeMap<String, Manner>,
}

/// The running receiver; it stops when dropped.
#[derive(Debug)]
pub struct WebhookSink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: Option<JoinHandle<()>>,
}

impl WebhookSink {
    /// Starts a receiver on a free port of loopback; every path answers 204.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> LabResult<Self> {
        let mut sink = Self { address: ([127, 0, 0, 1], 0).into(), state: Arc::default(), server: None };
        sink.up().await?;
        Ok(sink)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Nobody answers any more.
    pub async fn down(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    /// Answers (again), on the same port.
    ///
    /// # Errors
    /// When somebody else has taken it meanwhile.
    pub async fn up(&mut self) -> LabResult<()> {
        self.down().await;
        let what = || LabError::io("opening the webhook sink");
        let socket = TcpSocket::new_v4().map_err(what())?;
        socket.set_reuseaddr(true).map_err(what())?;
        socket.bind(self.address).map_err(what())?;
        let listener = socket.listen(256).map_err(what())?;
        self.address = listener.local_addr().map_err(what())?;
        let state = Arc::clone(&self.state);
        self.server = Some(tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sessions.spawn(serve(stream, Arc::clone(&state)));
                while sessions.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// How a path answers from now on.
    pub fn behave(&self, path: &str, manner: Manner) {
        lock(&self.state).manners.insert(path.to_owned(), manner);
    }

    /// Everything that came on `path` so far, in order.
    pub fn received(&self, path: &str) -> Vec<Received> {
        lock(&self.state).received.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// Waits until `wanted` holds of what came on `path`.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait(
        &self,
        what: &str,
        path: &str,
        timeout: Duration,
        wanted: impl Fn(&[Received]) -> bool,
    ) -> LabResult<Vec<Received>> {
        let deadline = Instant::now() + timeout;
        loop {
            let received = self.received(path);
            if wanted(&received) {
                return Ok(received);
            }
            if Instant::now() > deadline {
                let kinds: Vec<&str> = received.iter().map(|one| one.field("partyline-event")).collect();
                return Err(LabError::Timeout(format!("{what}; there are {kinds:?}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for WebhookSink {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(received) = read(&mut stream).await else { return };
    let manner = {
        let mut state = lock(&state);
        let manner = state.manners.get(&received.path).cloned().unwrap_or(Manner::Status(204));
        state.received.push(received);
        manner
    };
    // Whoever hangs up in the middle is right to do so.
    let _ = answer(&mut stream, manner).await;
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.split("\r\n");
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let field = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            let fields: BTreeMap<String, String> = lines.filter_map(field).collect();
            let length: usize = fields.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let event = serde_json::from_str(body).unwrap_or(Value::Null);
                return Some(Received { path, fields, body: body.to_owned(), event, at: Instant::now() });
            }
        }
        if bytes.len() > REQUEST_MAX {
            return None;
        }
    }
}

async fn answer(stream: &mut TcpStream, manner: Manner) -> std::io::Result<()> {
    match manner {
        Manner::Status(status) => {
            let text = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await
        }
        Manner::Redirect(to) => {
            let text = format!("HTTP/1.1 307 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).await
        }
        Manner::Silent => std::future::pending().await,
        Manner::Trickle => {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".iter().cycle() {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(())
        }
        Manner::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
        Manner::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream
                    .write_all(b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")
                    .await?;
            }
        }
        Manner::HangUp => Ok(()),
    }
}
