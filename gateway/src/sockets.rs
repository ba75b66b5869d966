//! The listeners, bound before anything else starts, so that a taken port is a clear refusal and not half a start.

use crate::config::Config;
use crate::error::StartError;
use sip_core::flow::Transport;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Bytes of datagrams that wait in the kernel for one SIP socket; `net.core.rmem_max` may allow less.
const WAITING: usize = 4 * 1024 * 1024;

/// Every listener of the process.
pub(crate) struct Sockets {
    /// SIP over UDP, with the addresses of the configuration.
    pub(crate) udp: Vec<(UdpSocket, SocketAddr)>,
    /// SIP over connections: for each `[[sip.listener]]` that is not UDP, in order.
    pub(crate) streams: Vec<TcpListener>,
    /// HTTP.
    pub(crate) api: TcpListener,
    /// The browsers' port of each media thread.
    pub(crate) webrtc: Vec<UdpSocket>,
}

impl Sockets {
    /// Binds them all.
    ///
    /// # Errors
    /// [`StartError::Listen`] naming the key whose address cannot be used.
    pub(crate) fn bind(config: &Config) -> Result<Self, StartError> {
        let mut sip = vec![(signalling("sip.listen", config.sip.listen)?, config.sip.listen)];
        let mut streams = Vec::new();
        for listener in &config.sip.listeners {
            let (key, address) = ("sip.listener.listen", listener.listen);
            if listener.transport() == Transport::Udp {
                sip.push((signalling(key, address)?, address));
            } else {
                let bound = TcpListener::bind(address);
                let bound = bound.map_err(|source| StartError::Listen { key, address, source })?;
                bound.set_nonblocking(true)?;
                streams.push(bound);
            }
        }
        let refused = |source| StartError::Listen { key: "api.listen", address: config.api.listen, source };
        let api = TcpListener::bind(config.api.listen).map_err(refused)?;
        api.set_nonblocking(true)?;
        let mut webrtc = Vec::new();
        for thread in 0..config.media_threads() {
            let mut address = config.webrtc_listen();
            let offset = u16::try_from(thread).unwrap_or(u16::MAX);
            address.set_port(address.port().saturating_add(offset));
            webrtc.push(udp("media.webrtc_listen", address)?);
        }
        Ok(Self { udp: sip, streams, api, webrtc })
    }
}

/// A socket for SIP. What comes while the meetings are busy waits in the kernel, as much of it as the system allows: a flood
/// comes in bursts, and whoever is honest should not have to repeat.
fn signalling(key: &'static str, address: SocketAddr) -> Result<UdpSocket, StartError> {
    let socket = udp(key, address)?;
    if let Err(error) = socket2::SockRef::from(&socket).set_recv_buffer_size(WAITING) {
        tracing::debug!(%error, "the receive buffer of a SIP socket stays as it is");
    }
    Ok(socket)
}

fn udp(key: &'static str, address: SocketAddr) -> Result<UdpSocket, StartError> {
    let socket = UdpSocket::bind(address).map_err(|source| StartError::Listen { key, address, source })?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
