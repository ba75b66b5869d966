//! Connections: accepting them, and making our own.

use super::seats::Seat;
use super::{Arrival, CONNECT, HANDSHAKE, QUEUE, Shared, StreamListener, stream, tls, ws};
use bytes::Bytes;
use sip_core::flow::Transport;
use sip_core::ua::{Connect, FlowOpened};
use socket2::{SockRef, TcpKeepalive};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How long a pause follows when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// After so much silence the system asks whether the peer's machine is there.
const SILENCE: Duration = Duration::from_secs(60);

/// Accepts connections for as long as the process runs.
pub(super) fn listen(listener: StreamListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let StreamListener { transport, local, socket, server } = listener;
    let socket = TcpListener::from_std(socket)?;
    tokio::spawn(async move {
        loop {
            let (stream, remote) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, %local, "a SIP connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
            let Some(seat) = shared.seats.take(remote.ip()) else {
                tracing::debug!(%remote, "too many SIP connections");
                continue;
            };
            tune(&stream);
            let opened = FlowOpened { flow: shared.next_flow(), transport, local, remote };
            tokio::spawn(serve(stream, opened, seat, server.clone(), shared.clone()));
        }
    });
    Ok(())
}

/// Messages leave at once, and a machine that is gone is noticed.
fn tune(stream: &TcpStream) {
    let keep_alive = TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE / 4);
    if let Err(error) =
        stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keep_alive))
    {
        tracing::debug!(%error, "a SIP connection cannot be tuned");
    }
}

/// One connection that has come in, to its end.
async fn serve(
    stream: TcpStream,
    opened: FlowOpened,
    _seat: Seat,
    server: Option<tls::Server>,
    shared: Arc<Shared>,
) {
    let secured = match server {
        Some(server) => match tokio::time::timeout(HANDSHAKE, server.accept(stream)).await {
            Ok(Ok(stream)) => Secured::Tls(Box::new(stream)),
            Ok(Err(error)) => return tracing::debug!(%error, remote = %opened.remote, "TLS was not agreed"),
            Err(_) => return,
        },
        None => Secured::Plain(stream),
    };
    let web = matches!(opened.transport, Transport::Ws | Transport::Wss);
    match (secured, web) {
        (Secured::Plain(stream), false) => {
            enter(opened, &shared, |queue| stream::run(stream, opened, queue, &shared)).await
        }
        (Secured::Tls(stream), false) => {
            enter(opened, &shared, |queue| stream::run(stream, opened, queue, &shared)).await
        }
        (Secured::Plain(stream), true) => upgrade(stream, opened, &shared).await,
        (Secured::Tls(stream), true) => upgrade(stream, opened, &shared).await,
    }
}

enum Secured {
    Plain(TcpStream),
    Tls(Box<tls::ServerStream>),
}

async fn upgrade<S>(stream: S, opened: FlowOpened, shared: &Shared)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match tokio::time::timeout(HANDSHAKE, ws::accept(stream, &shared.limits)).await {
        Ok(Ok(socket)) => enter(opened, shared, |queue| ws::run(socket, opened, queue, shared)).await,
        Ok(Err(error)) => tracing::debug!(%error, remote = %opened.remote, "no WebSocket was agreed"),
        Err(_) => {}
    }
}

/// Makes a connection known, serves it, and makes its end known.
async fn enter<F>(opened: FlowOpened, shared: &Shared, serve: impl FnOnce(mpsc::Receiver<Bytes>) -> F)
where
    F: Future<Output = ()>,
{
    let (queue, outgoing) = mpsc::channel(QUEUE);
    if shared.arrivals.send(Arrival::Opened(opened, Some(queue))).await.is_err() {
        return;
    }
    serve(outgoing).await;
    // The receiver is gone only when the gateway stops.
    let _ = shared.arrivals.send(Arrival::Closed(opened.flow)).await;
}

/// A connection of ours, to its end.
pub(super) async fn connect(connect: Connect, outgoing: mpsc::Receiver<Bytes>, shared: Arc<Shared>) {
    let Connect { flow, transport, local, remote, identity } = connect;
    let opened = FlowOpened { flow, transport, local, remote };
    match tokio::time::timeout(CONNECT, open(transport, remote, identity.as_deref(), &shared)).await {
        Ok(Ok(secured)) => {
            // The queue is the one that was made when the connection was asked for.
            if shared.arrivals.send(Arrival::Opened(opened, None)).await.is_ok() {
                match secured {
                    OurStream::Plain(stream) => stream::run(stream, opened, outgoing, &shared).await,
                    OurStream::Tls(stream) => stream::run(stream, opened, outgoing, &shared).await,
                }
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, %remote, %transport, "no SIP connection could be made"),
        Err(_) => tracing::warn!(%remote, %transport, "a SIP connection was not made in time"),
    }
    let _ = shared.arrivals.send(Arrival::Closed(flow)).await;
}

enum OurStream {
    Plain(TcpStream),
    Tls(Box<tls::ClientStream>),
}

async fn open(
    transport: Transport,
    remote: SocketAddr,
    identity: Option<&str>,
    shared: &Shared,
) -> std::io::Result<OurStream> {
    let stream = TcpStream::connect(remote).await?;
    tune(&stream);
    match transport {
        Transport::Tls => {
            let identity = identity.map_or_else(|| remote.ip().to_string(), str::to_owned);
            Ok(OurStream::Tls(Box::new(shared.client.connect(&identity, stream).await?)))
        }
        Transport::Udp | Transport::Tcp => Ok(OurStream::Plain(stream)),
        Transport::Ws | Transport::Wss => Err(std::io::Error::other("WebSocket connections are not made")),
    }
}
