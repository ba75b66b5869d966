//! SIP by datagrams.

use super::Arrival;
use sip_core::flow::Hop;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// One UDP listener.
pub(crate) struct UdpListener {
    pub(crate) socket: UdpSocket,
    /// The address it was told to listen at: its name towards the user agent.
    pub(crate) local: SocketAddr,
}

/// Reads from whichever socket has something, each in its turn.
pub(super) fn poll(
    listeners: &[UdpListener],
    next: &mut usize,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<Arrival> {
    for _ in 0..listeners.len() {
        let index = *next;
        *next = index.saturating_add(1).checked_rem(listeners.len()).unwrap_or(0);
        let Some(listener) = listeners.get(index) else { continue };
        loop {
            let mut space = ReadBuf::new(buffer);
            match listener.socket.poll_recv_from(context, &mut space) {
                Poll::Ready(Ok(source)) => {
                    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
                    let (local, length) = (listener.local, space.filled().len());
                    return Poll::Ready(Arrival::Datagram { local, source, length });
                }
                // An ICMP refusal of an earlier datagram; the transaction's timers deal with it.
                Poll::Ready(Err(_)) => {}
                Poll::Pending => break,
            }
        }
    }
    Poll::Pending
}

/// What has come meanwhile, without waiting.
pub(super) fn another(listeners: &[UdpListener], buffer: &mut [u8]) -> Option<Arrival> {
    listeners.iter().find_map(|listener| {
        let (length, source) = listener.socket.try_recv_from(buffer).ok()?;
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        Some(Arrival::Datagram { local: listener.local, source, length })
    })
}

/// Sends from the listener the way names, else from one of its kind of address.
pub(super) fn send(listeners: &[UdpListener], hop: &Hop, payload: &[u8]) {
    let named = listeners.iter().find(|listener| listener.local == hop.local);
    let similar = || listeners.iter().find(|listener| listener.local.is_ipv4() == hop.remote.is_ipv4());
    let Some(listener) = named.or_else(similar) else { return };
    if let Err(error) = listener.socket.try_send_to(payload, as_seen_by(listener, hop.remote)) {
        tracing::debug!(%error, "a SIP datagram was not sent; its transaction repeats it");
    }
}

/// A socket for IPv6 reaches IPv4 under mapped addresses.
fn as_seen_by(listener: &UdpListener, remote: SocketAddr) -> SocketAddr {
    match remote.ip() {
        IpAddr::V4(address) if listener.local.is_ipv6() => {
            SocketAddr::new(address.to_ipv6_mapped().into(), remote.port())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => remote,
    }
}
