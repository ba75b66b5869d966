//! A slow way to a server: whatever a client says arrives late, whatever the server says at once.

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

    /// Lets everything said from now on arrive so much later.
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
                while let Ok(count @ 1..) = said.read(&mut words).await {
                    tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn words_arrive_late_and_answers_at_once() {
        let folder = TempFolder::new().unwrap();
        let socket = folder.path().join("server");
        let server = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut peer, _) = server.accept().await.unwrap();
            let mut byte = [0];
            while peer.read_exact(&mut byte).await.is_ok() {
                peer.write_all(&byte).await.unwrap();
            }
        });
        let link = SlowLink::to(&socket).unwrap();
        let mut client = UnixStream::connect(link.folder().join("server")).await.unwrap();
        let mut round_trip = async || {
            let from = Instant::now();
            client.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
            from.elapsed()
        };
        round_trip().await;
        link.set_delay(Duration::from_millis(200));
        let took = round_trip().await;
        assert!(took >= Duration::from_millis(200), "{took:?}");
    }
}
