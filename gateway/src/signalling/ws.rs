//! SIP by WebSocket (RFC 7118): the sub-protocol `sip`, one message a frame.

use super::{Arrival, Shared};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use sip_core::message::Limits;
use sip_core::ua::FlowOpened;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How often the peer is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// After so much silence it is not.
const SILENCE: Duration = Duration::from_secs(95);
/// How long a peer may take to read one message.
const WRITE: Duration = Duration::from_secs(30);
const PROTOCOL: &str = "sec-websocket-protocol";

/// Agrees on a WebSocket for SIP.
///
/// # Errors
/// When the peer speaks something else; it has been told.
pub(super) async fn accept<S>(stream: S, limits: &Limits) -> Result<WebSocketStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let longest = limits.message_bytes;
    let config = WebSocketConfig::default()
        .read_buffer_size(4_096)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    tokio_tungstenite::accept_hdr_async_with_config(stream, choose, Some(config)).await
}

#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if offered.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("sip")) {
        response.headers_mut().insert(PROTOCOL, HeaderValue::from_static("sip"));
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("Speak the WebSocket sub-protocol sip (RFC 7118)".to_owned()));
    *refusal.status_mut() = StatusCode::BAD_REQUEST;
    Err(refusal)
}

/// Serves a connection until either side has enough of it.
pub(super) async fn run<S>(
    mut socket: WebSocketStream<S>,
    opened: FlowOpened,
    mut outgoing: mpsc::Receiver<Bytes>,
    shared: &Shared,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = tokio::time::interval(PING);
    let mut heard = Instant::now();
    loop {
        let alive = tokio::select! {
            message = socket.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => take(Bytes::from(text), &mut socket, &opened, shared).await,
                    Some(Ok(Message::Binary(bytes))) => take(bytes, &mut socket, &opened, shared).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => true,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                }
            }
            message = outgoing.recv() => match message {
                Some(message) => write(&mut socket, message).await,
                None => false,
            },
            _ = ping.tick() => {
                heard.elapsed() < SILENCE && send(&mut socket, Message::Ping(Bytes::new())).await
            }
        };
        if !alive {
            break;
        }
    }
    // The peer may be gone already.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
}

/// One message a frame; two line ends are a keep-alive (RFC 7118 section 6 with RFC 5626 section 3.5.1).
async fn take<S>(
    payload: Bytes,
    socket: &mut WebSocketStream<S>,
    opened: &FlowOpened,
    shared: &Shared,
) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match payload.as_ref() {
        b"\r\n\r\n" => send(socket, Message::Text("\r\n".into())).await,
        b"\r\n" | b"" => true,
        _ => shared.arrivals.send(Arrival::Message(*opened, payload)).await.is_ok(),
    }
}

async fn write<S>(socket: &mut WebSocketStream<S>, message: Bytes) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let message = match String::from_utf8(message.to_vec()) {
        Ok(text) => Message::Text(text.into()),
        Err(_) => Message::Binary(message),
    };
    send(socket, message).await
}

async fn send<S>(socket: &mut WebSocketStream<S>, message: Message) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    matches!(tokio::time::timeout(WRITE, socket.send(message)).await, Ok(Ok(())))
}
