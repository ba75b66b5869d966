//! A lean HTTP/1.1 client for many requests at once: connections are kept, nothing is pooled by size.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{LabError, LabResult};
use crate::shared::lock;

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) kind: &'static str,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) token: String,
    /// The idempotency key.
    pub(super) key: Option<String>,
    pub(super) body: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// What became of one request of an open loop.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) kind: &'static str,
    /// From when it was due.
    pub(super) took: Duration,
    pub(super) status: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<(TcpStream, Instant)>>>,
}

impl Request {
    pub(super) fn get(kind: &'static str, path: impl Into<String>, token: &str) -> Self {
        Self { kind, method: "GET", path: path.into(), token: token.to_owned(), key: None, body: None }
    }

    pub(super) fn send(
        kind: &'static str,
        method: &'static str,
        path: impl Into<String>,
        token: &str,
        body: Value,
    ) -> Self {
        Self { kind, method, path: path.into(), token: token.to_owned(), key: None, body: Some(body) }
    }

    fn bytes(&self) -> Vec<u8> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let key = self.key.as_ref().map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        let kind = if self.body.is_some() { "Content-Type: application/json\r\n" } else { "" };
        let (method, path, token, length) = (self.method, &self.path, &self.token, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nHost: partyline\r\nAuthorization: Bearer {token}\r\n{key}{kind}\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

impl Client {
    pub(super) fn new(base: &str) -> LabResult<Self> {
        let address = base.trim_start_matches("http://").trim_end_matches('/');
        let address = address.parse().map_err(LabError::other(format!("reading the address {base}")))?;
        Ok(Self { address, idle: Arc::default() })
    }

    pub(super) async fn send(&self, request: &Request) -> LabResult<Reply> {
        let what = || LabError::io(format!("{} {}", request.method, request.path));
        let mut stream = self.kept();
        if stream.is_none() {
            let new = TcpStream::connect(self.address).await.map_err(what())?;
            new.set_nodelay(true).map_err(what())?;
            stream = Some(new);
        }
        let Some(mut stream) = stream else { return Err(LabError::Other("no connection".to_owned())) };
        stream.write_all(&request.bytes()).await.map_err(what())?;
        let reply = read(&mut stream).await?;
        lock(&self.idle).push((stream, Instant::now()));
        Ok(reply)
    }

    /// A connection used a moment ago: the gateway closes those that idle.
    fn kept(&self) -> Option<TcpStream> {
        let mut idle = lock(&self.idle);
        idle.retain(|(_, since)| since.elapsed() < Duration::from_secs(2));
        idle.pop().map(|(stream, _)| stream)
    }

    /// Sends `rate` requests a second, each at its time, and waits for all answers.
    pub(super) async fn open_loop(
        &self,
        rate: u32,
        duration: Duration,
        mut next: impl FnMut(u64) -> Request,
    ) -> LabResult<Vec<Sample>> {
        let gap = Duration::from_secs(1) / rate;
        let begin = Instant::now() + Duration::from_millis(50);
        let mut answers = Vec::new();
        let mut number = 0;
        let mut due = begin;
        while due < begin + duration {
            tokio::time::sleep_until(due.into()).await;
            let (client, request) = (self.clone(), next(number));
            answers.push(tokio::spawn(async move {
                let reply = client.send(&request).await?;
                if !reply.is_success() {
                    tracing::error!(
                        kind = request.kind,
                        status = reply.status,
                        body = %String::from_utf8_lossy(&reply.body),
                        "refused"
                    );
                }
                LabResult::Ok(Sample { kind: request.kind, took: due.elapsed(), status: reply.status })
            }));
            number += 1;
            due += gap;
        }
        let mut samples = Vec::with_capacity(answers.len());
        for answer in answers {
            samples.push(answer.await.map_err(LabError::other("a request"))??);
        }
        Ok(samples)
    }
}

async fn read(stream: &mut TcpStream) -> LabResult<Reply> {
    let cut = || LabError::Other("the gateway closed a connection".to_owned());
    let mut bytes = Vec::with_capacity(16_384);
    let head = loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.map_err(LabError::io("reading an answer"))? == 0 {
            return Err(cut());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(cut)?;
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let chunked = text.contains("transfer-encoding: chunked");
    loop {
        let done = match length {
            Some(length) => bytes.len() >= head + length,
            None => !chunked || bytes.ends_with(b"0\r\n\r\n"),
        };
        if done {
            return Ok(Reply { status, body: bytes.split_off(head) });
        }
        if stream.read_buf(&mut bytes).await.map_err(LabError::io("reading an answer"))? == 0 {
            return Err(cut());
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
