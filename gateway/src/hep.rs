//! Copies of SIP messages for a capture server such as Homer: HEP version 3 over UDP, never waiting. Secrets are taken out
//! before anything leaves, as in the ladders.

use crate::wire_log::Passing;
use conference::live::ladder::{call_id, redacted};
use conference::vocabulary::UnixMillis;
use sip_core::ua::Transport;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Sends copies.
pub(crate) struct Hep {
    socket: UdpSocket,
    capture: u32,
}

impl Hep {
    /// Copies go to this address. Nothing is asked of it: a server that is not there costs nothing but the datagrams.
    pub(crate) fn new(server: SocketAddr, capture: u32) -> std::io::Result<Self> {
        let any: SocketAddr =
            if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        Ok(Self { socket, capture })
    }

    /// Sends a copy. What does not fit into the socket's buffer is lost: calls come first.
    pub(crate) fn copy(&self, at: UnixMillis, passing: &Passing<'_>) {
        let _ = self.socket.send(&packet(self.capture, at, passing));
    }
}

/// One packet: `HEP3`, its length, and chunks of vendor 0, each with type and length.
pub(crate) fn packet(capture: u32, at: UnixMillis, passing: &Passing<'_>) -> Vec<u8> {
    let (from, to) = match passing.sent {
        true => (passing.local, passing.remote),
        false => (passing.remote, passing.local),
    };
    let mut chunks = Vec::with_capacity(256 + passing.payload.len());
    let family: u8 = if from.is_ipv4() { 2 } else { 10 };
    let protocol: u8 = if passing.transport == Transport::Udp { 17 } else { 6 };
    chunk(&mut chunks, 1, &[family]);
    chunk(&mut chunks, 2, &[protocol]);
    address(&mut chunks, (3, 5), from.ip());
    address(&mut chunks, (4, 6), to.ip());
    chunk(&mut chunks, 7, &from.port().to_be_bytes());
    chunk(&mut chunks, 8, &to.port().to_be_bytes());
    chunk(&mut chunks, 9, &u32::try_from(at.0 / 1_000).unwrap_or(u32::MAX).to_be_bytes());
    chunk(&mut chunks, 10, &u32::try_from(at.0 % 1_000 * 1_000).unwrap_or(0).to_be_bytes());
    // What is carried: SIP.
    chunk(&mut chunks, 11, &[1]);
    chunk(&mut chunks, 12, &capture.to_be_bytes());
    chunk(&mut chunks, 15, redacted(passing.payload).as_bytes());
    if let Some(call_id) = call_id(passing.payload) {
        chunk(&mut chunks, 17, call_id.as_bytes());
    }
    let mut packet = b"HEP3".to_vec();
    packet.extend(u16::try_from(chunks.len() + 6).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(chunks);
    packet
}

fn address(chunks: &mut Vec<u8>, (v4, v6): (u16, u16), address: IpAddr) {
    match address {
        IpAddr::V4(address) => chunk(chunks, v4, &address.octets()),
        IpAddr::V6(address) => chunk(chunks, v6, &address.octets()),
    }
}

fn chunk(chunks: &mut Vec<u8>, kind: u16, data: &[u8]) {
    // Redacted messages are at most a few kilobytes.
    let length = u16::try_from(data.len() + 6).unwrap_or(u16::MAX);
    chunks.extend([0, 0]);
    chunks.extend(kind.to_be_bytes());
    chunks.extend(length.to_be_bytes());
    chunks.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(packet: &[u8]) -> Vec<(u16, Vec<u8>)> {
        assert_eq!(&packet[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
        let (mut rest, mut found) = (&packet[6..], Vec::new());
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
            found.push((u16::from_be_bytes([rest[2], rest[3]]), rest[6..length].to_vec()));
            rest = &rest[length..];
        }
        found
    }

    #[test]
    fn a_copy_names_both_sides_and_the_call_and_no_secret() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let hep = Hep::new(server.local_addr().unwrap(), 2001).unwrap();
        let payload = b"BYE sip:x SIP/2.0\r\nCall-ID: c9\r\nAuthorization: Digest response=\"feed\"\r\n\r\n";
        let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5070".parse().unwrap());
        let passing = Passing { sent: true, transport: Transport::Udp, local, remote, payload };
        hep.copy(UnixMillis(1_700_000_000_123), &passing);
        let mut buffer = [0; 2_000];
        let length = server.recv(&mut buffer).unwrap();
        let chunks = chunks(&buffer[..length]);
        let of = |kind: u16| chunks.iter().find(|(it, _)| *it == kind).map(|(_, data)| data.clone()).unwrap();
        assert_eq!((of(1), of(2), of(11)), (vec![2], vec![17], vec![1]));
        assert_eq!((of(3), of(4)), (vec![192, 0, 2, 1], vec![192, 0, 2, 2]));
        assert_eq!((of(7), of(8)), (5060_u16.to_be_bytes().to_vec(), 5070_u16.to_be_bytes().to_vec()));
        assert_eq!(of(9), 1_700_000_000_u32.to_be_bytes());
        assert_eq!(of(10), 123_000_u32.to_be_bytes());
        assert_eq!((of(12), of(17)), (2001_u32.to_be_bytes().to_vec(), b"c9".to_vec()));
        let text = String::from_utf8(of(15)).unwrap();
        assert!(text.starts_with("BYE sip:x SIP/2.0") && !text.contains("feed"));
        let passing = Passing {
            sent: false,
            local: "[::1]:5060".parse().unwrap(),
            remote: "[2001:db8::1]:5060".parse().unwrap(),
            ..passing
        };
        let packet = packet(1, UnixMillis(0), &passing);
        assert_eq!(packet[6..13], [0, 0, 0, 1, 0, 7, 10]);
    }
}
