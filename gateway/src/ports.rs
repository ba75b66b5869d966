//! UDP ports of phone legs: bound before the offer is sent, in pairs of an even one for RTP and the next one for RTCP
//! (RFC 3550 section 11), in an order a stranger cannot guess.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// The two ports of one phone leg.
#[derive(Debug)]
pub struct PortPair {
    /// For sound, and for RTCP where both sides put it there.
    pub rtp: UdpSocket,
    /// For RTCP else. It is closed when it is not needed.
    pub rtcp: Option<UdpSocket>,
}

impl PortPair {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let rtp = UdpSocket::bind(address)?;
        rtp.set_nonblocking(true)?;
        let port = address.port().saturating_add(1);
        let rtcp = UdpSocket::bind(SocketAddr::new(address.ip(), port))?;
        rtcp.set_nonblocking(true)?;
        Ok(Self { rtp, rtcp: Some(rtcp) })
    }
}

/// The configured range.
#[derive(Debug)]
pub(crate) struct RtpPorts {
    address: IpAddr,
    advertised: IpAddr,
    first: u16,
    pairs: u16,
}

impl RtpPorts {
    /// Ports `first..=last` of `address`; `advertised` is what SDP says.
    pub(crate) fn new(address: IpAddr, advertised: IpAddr, [first, last]: [u16; 2]) -> Self {
        let first = first.next_multiple_of(2);
        Self { address, advertised, first, pairs: (last.saturating_sub(first).saturating_add(1) / 2).max(1) }
    }

    /// Binds a free pair; gives the sockets (non-blocking) and the address to advertise.
    ///
    /// # Errors
    /// When every port of the range is taken, or the system refuses sockets.
    pub(crate) fn bind(&self) -> io::Result<(PortPair, SocketAddr)> {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let start = u16::from_ne_bytes(random) % self.pairs;
        for offset in 0..self.pairs {
            // Both terms are below `pairs`, at most 32,768: the sum stays in range as u32.
            let pair = (u32::from(start) + u32::from(offset)) % u32::from(self.pairs);
            let port = self.first.saturating_add(u16::try_from(pair * 2).unwrap_or(0));
            match PortPair::bind(SocketAddr::new(self.address, port)) {
                Ok(pair) => return Ok((pair, SocketAddr::new(self.advertised, port))),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "every port of media.rtp_ports is in use: widen the range",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn ports_are_even_distinct_and_run_out_with_words() {
        let ports = RtpPorts::new(LOOPBACK, LOOPBACK, [47_101, 47_107]);
        let held: Vec<_> = (0..3).map(|_| ports.bind().expect("three pairs")).collect();
        for (pair, advertised) in &held {
            assert_eq!(advertised.port() % 2, 0);
            assert_eq!(pair.rtp.local_addr().expect("bound"), *advertised);
            let rtcp = pair.rtcp.as_ref().expect("a pair").local_addr().expect("bound");
            assert_eq!(rtcp.port(), advertised.port() + 1);
        }
        let error = ports.bind().expect_err("all taken");
        assert!(error.to_string().contains("media.rtp_ports"));
    }
}
