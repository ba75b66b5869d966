//! A slow way to PostgreSQL: every statement that is to be executed arrives late, everything else at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::error::{LabError, LabResult};
use crate::gateway::TempFolder;

/// A running link from a socket of its own to that of a server; gone when dropped.
#[derive(Debug)]
pub struct SlowLink {
    folder: TempFolder,
    delay: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl SlowLink {
    /// Links a socket of the same name, in a folder of its own, to `server`. It is not slow yet.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn to(server: &Path) -> LabResult<Self> {
        let folder = TempFolder::new()?;
        let name = server.file_name().ok_or_else(|| LabError::Other("a socket without name".to_owned()))?;
        let listener =
            UnixListener::bind(folder.path().join(name)).map_err(LabError::io("binding a link"))?;
        let delay = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(accept(listener, server.to_owned(), Arc::clone(&delay)));
        Ok(Self { folder, delay, task })
    }

    /// The folder its socket is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lets every statement from now on arrive so much later.
    pub fn set_delay(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, server: PathBuf, delay: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, delay) = (server.clone(), Arc::clone(&delay));
        tokio::spawn(async move {
            let Ok(server) = UnixStream::connect(server).await else { return };
            let (mut said, mut heard) = client.into_split();
            let (mut answers, mut to_server) = server.into_split();
            let late = async move {
                let mut words = vec![0; 65_536];
                let mut messages = Messages::default();
                while let Ok(count @ 1..) = said.read(&mut words).await {
                    if messages.execute(&words[..count]) {
                        tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
                    }
                    if to_server.write_all(&words[..count]).await.is_err() {
                        break;
                    }
                }
                // The server sees that its client has gone.
                drop(to_server);
            };
            tokio::join!(late, tokio::io::copy(&mut answers, &mut heard)).1.ok();
        });
    }
}

/// Where one message of a client ends and the next one begins (PostgreSQL, "Message Formats"): after the first, which is
/// without a type, a type of one byte and a length of four, which counts itself.
#[derive(Debug, Default)]
struct Messages {
    /// The first one has begun.
    greeted: bool,
    /// The type and length of the message that is beginning, as far as they have come.
    head: Vec<u8>,
    /// How much of the current message is still to come.
    left: usize,
}

impl Messages {
    /// Whether among these bytes a message begins that has a statement executed: Query or Execute.
    fn execute(&mut self, mut bytes: &[u8]) -> bool {
        let mut executed = false;
        while !bytes.is_empty() {
            let passed = self.left.min(bytes.len());
            self.left -= passed;
            bytes = &bytes[passed..];
            let Some((first, rest)) = bytes.split_first() else { break };
            if self.head.is_empty() && !self.greeted {
                self.head.push(0);
                self.greeted = true;
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let [kind, a, b, c, d] = self.head[..] {
                executed |= matches!(kind, b'Q' | b'E');
                self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(0).saturating_sub(4);
                self.head.clear();
            }
        }
        executed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn statements_are_told_from_the_rest_however_the_bytes_come() {
        let startup = [0, 0, 0, 8, 0, 3, 0, 0];
        let parse = [b'P', 0, 0, 0, 8, b'E', b'Q', 0, 0];
        let execute = [b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0];
        let query = [b'Q', 0, 0, 0, 6, b';', 0];
        let mut messages = Messages::default();
        assert!(!messages.execute(&startup));
        assert!(!messages.execute(&parse));
        assert!(messages.execute(&execute));
        assert!(messages.execute(&[&parse[..], &execute].concat()));
        assert!(!messages.execute(&query[..4]));
        assert!(messages.execute(&query[4..]));
        assert!(!messages.execute(&parse));
    }

    #[tokio::test]
    async fn statements_arrive_late_and_answers_at_once() {
        let folder = TempFolder::new().unwrap();
        let socket = folder.path().join("server");
        let server = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = server.accept().await.unwrap();
            let mut statement = [0; 6];
            peer.read_exact(&mut [0; 8]).await.unwrap();
            while peer.read_exact(&mut statement).await.is_ok() {
                peer.write_all(b"x").await.unwrap();
            }
        });
        let link = SlowLink::to(&socket).unwrap();
        let mut client = UnixStream::connect(link.folder().join("server")).await.unwrap();
        client.write_all(&[0, 0, 0, 8, 0, 3, 0, 0]).await.unwrap();
        let mut round_trip = async || {
            let from = Instant::now();
            client.write_all(&[b'Q', 0, 0, 0, 5, 0]).await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
            from.elapsed()
        };
        round_trip().await;
        link.set_delay(Duration::from_millis(200));
        let took = round_trip().await;
        assert!(took >= Duration::from_millis(200), "{took:?}");
    }
}
