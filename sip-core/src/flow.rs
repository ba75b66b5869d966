//! Ways to a peer: which transport, from which listener of ours, to which address, on which connection.
//!
//! The user agent knows no sockets. A [`Hop`] is all it says about where a message goes and all it is told about where
//! one came from. UDP needs no more than addresses; of the other transports each connection is a flow (RFC 5626) with a
//! name. Whoever opens it names it: the driver the ones that come in, the user agent the ones that go out.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::message::Host;
use crate::message::header::Via;

/// What carries SIP messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams, one message each (RFC 3261 section 18).
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS (RFC 3261 section 26.2).
    Tls,
    /// WebSocket, one message a frame (RFC 7118).
    Ws,
    /// WebSocket under TLS.
    Wss,
}

/// A text that names no transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no transport; write udp, tcp, tls, ws or wss")]
pub struct TransportError(String);

impl Transport {
    /// As it stands in Via.
    pub fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// As it stands in the `transport` parameter of a URI.
    pub fn param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether messages arrive, or their sender is told: then nothing is repeated (RFC 3261 section 17).
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Whether nobody on the way can read along.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The port if none is named (RFC 3261 section 19.1.2, RFC 7118 section 5.1).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.param())
    }
}

impl FromStr for Transport {
    type Err = TransportError;

    /// Reads the value of a `transport` parameter or of Via, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|transport| transport.param().eq_ignore_ascii_case(text))
            .ok_or_else(|| TransportError(text.to_owned()))
    }
}

/// Names a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowId {
    /// The peer has opened it; named by the driver.
    Incoming(u64),
    /// We have opened it; named by the user agent.
    Outgoing(u64),
}

/// A way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// What carries the message.
    pub transport: Transport,
    /// Our listener. Its advertised address stands in Via and Contact; of UDP its socket sends.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
    /// The connection, of all transports but UDP.
    pub flow: Option<FlowId>,
}

impl Hop {
    /// A way by datagrams.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote, flow: None }
    }

    /// Where the answers to a request go that came this way (RFC 3261 section 18.2.2, RFC 3581 section 4): back the same
    /// way. Only a peer that did not ask for `rport` and whose sent-by is its very address is answered at the port it
    /// names: there is no NAT in between.
    #[must_use]
    pub fn for_answer(self, via: &Via) -> Self {
        let direct = self.transport == Transport::Udp
            && !via.params.contains("rport")
            && matches!(&via.host, Host::Address(host) if host.to_canonical() == self.remote.ip().to_canonical());
        if !direct {
            return self;
        }
        let port = via.port.unwrap_or_else(|| Transport::Udp.default_port());
        Self { remote: SocketAddr::new(self.remote.ip(), port), ..self }
    }

    /// Whether both lead to the same host, whatever the port and the transport.
    pub fn same_host(&self, other: &Self) -> bool {
        self.remote.ip().to_canonical() == other.remote.ip().to_canonical()
    }
}

/// A listener of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub transport: Transport,
    /// The address the socket is bound to.
    pub local: SocketAddr,
    /// `host:port` as it stands in Via and Contact of what leaves by it.
    pub advertised: String,
    /// Whether strangers reach it: then nobody is trusted there for their address alone
    /// ([`crate::ua::UserAgentConfig::trusted_peers`] do not count).
    pub public: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::TypedHeader;

    #[test]
    fn transports_read_and_write() {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss] {
            assert_eq!(transport.param().parse(), Ok(transport));
            assert_eq!(transport.token().parse(), Ok(transport));
        }
        assert!("sctp".parse::<Transport>().is_err());
    }

    #[test]
    fn answers_go_to_the_named_port_only_without_a_nat_in_between() {
        let hop = Hop::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:40000".parse().unwrap());
        for (via, port) in [
            ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa", 5070),
            ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa", 5060),
            ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa;rport=40000", 40000),
            ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa", 40000),
            ("SIP/2.0/UDP phone.test:5070;branch=z9hG4bKa", 40000),
        ] {
            assert_eq!(hop.for_answer(&Via::parse(via).unwrap()).remote.port(), port, "{via}");
        }
        let tcp = Hop { transport: Transport::Tcp, flow: Some(FlowId::Incoming(1)), ..hop };
        let via = Via::parse("SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bKa").unwrap();
        assert_eq!(tcp.for_answer(&via), tcp);
    }
}
