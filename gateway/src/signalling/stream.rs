//! SIP by a stream of bytes, TCP or TLS (RFC 3261 section 18.3), with the keep-alives of RFC 5626 section 3.5.1.

use super::{Arrival, Shared};
use bytes::Bytes;
use sip_core::flow::FlowId;
use sip_core::framing::{Frame, Framer};
use sip_core::ua::FlowOpened;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// What is read at once; what a length promises is never reserved.
const READ: usize = 2_048;
/// How long a peer may take to read one message.
const WRITE: Duration = Duration::from_secs(30);
/// How long an answer to what cannot be understood may take before the connection is closed.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How often a connection of ours is kept open through a NAT.
const PING: Duration = Duration::from_secs(25);
/// How long the answer to that may take, if there ever was one: not every server knows it.
const PONG: Duration = Duration::from_secs(10);

/// What is read of a connection goes on.
enum Next {
    Read(usize),
    Write(Bytes),
    Ping,
    Close,
}

/// The keep-alive of a connection of ours.
struct KeepAlive {
    next: Instant,
    /// A pong is due then.
    due: Option<Instant>,
    /// There was one before.
    known: bool,
}

/// Serves a connection until either side has enough of it.
pub(super) async fn run<S>(
    stream: S,
    opened: FlowOpened,
    mut outgoing: mpsc::Receiver<Bytes>,
    shared: &Shared,
) where
    S: AsyncRead + AsyncWrite,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut framer = Framer::new(&shared.limits);
    let mut buffer = [0; READ];
    let mut keep_alive = KeepAlive { next: Instant::now() + PING, due: None, known: false };
    let ours = matches!(opened.flow, FlowId::Outgoing(_));
    loop {
        let deadline = [framer.deadline(), keep_alive.due].into_iter().flatten().min();
        let next = tokio::select! {
            read = reader.read(&mut buffer) => read.map_or(Next::Close, Next::Read),
            message = outgoing.recv() => message.map_or(Next::Close, Next::Write),
            () = until(deadline) => Next::Close,
            () = until(Some(keep_alive.next)), if ours => Next::Ping,
        };
        let alive = match next {
            Next::Read(0) | Next::Close => false,
            Next::Read(length) => {
                keep_alive.next = Instant::now() + PING;
                framer.push(Instant::now(), buffer.get(..length).unwrap_or_default());
                take_frames(&mut framer, &mut keep_alive, &opened, shared, &mut writer, &mut outgoing).await
            }
            Next::Write(message) => write(&mut writer, &message).await,
            Next::Ping => {
                keep_alive.next = Instant::now() + PING;
                keep_alive.due = keep_alive.known.then(|| Instant::now() + PONG);
                write(&mut writer, b"\r\n\r\n").await
            }
        };
        if !alive {
            break;
        }
    }
    // The peer may be gone already.
    let _ = tokio::time::timeout(LAST_WORD, writer.shutdown()).await;
}

/// Hands on what is complete; `false` if the stream cannot be followed any more.
async fn take_frames(
    framer: &mut Framer,
    keep_alive: &mut KeepAlive,
    opened: &FlowOpened,
    shared: &Shared,
    writer: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut mpsc::Receiver<Bytes>,
) -> bool {
    loop {
        match framer.next(Instant::now()) {
            Ok(Some(Frame::Message(message))) => {
                if shared.arrivals.send(Arrival::Message(*opened, message)).await.is_err() {
                    return false;
                }
            }
            Ok(Some(Frame::Ping)) => {
                if !write(writer, b"\r\n").await {
                    return false;
                }
            }
            Ok(Some(Frame::Pong)) => {
                keep_alive.known = true;
                keep_alive.due = None;
            }
            Ok(None) => return true,
            Err(error) => {
                // The reader makes an answer of it, if there is one to make.
                let told = shared.arrivals.send(Arrival::Message(*opened, error.message)).await;
                if told.is_ok()
                    && let Ok(Some(answer)) = tokio::time::timeout(LAST_WORD, outgoing.recv()).await
                {
                    write(writer, &answer).await;
                }
                return false;
            }
        }
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    let written = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    matches!(tokio::time::timeout(WRITE, written).await, Ok(Ok(())))
}

/// Sleeps until the deadline, for ever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
