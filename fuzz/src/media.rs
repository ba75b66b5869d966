//! Readers of session descriptions, and whatever comes to a media port.

use media::sdp::{Codec, LocalDescription, accept_answer, answer, offer};
use media::{rtcp, rtp};
use std::net::SocketAddr;

fn local() -> LocalDescription {
    let address: SocketAddr = ([192, 0, 2, 1], 20_000).into();
    LocalDescription::new(address, 1, vec![Codec::Pcmu, Codec::Pcma, Codec::G722])
}

/// An offer and an answer of a phone: our own answer to an offer we took is one that we would take, too.
pub fn sdp(data: &[u8]) {
    let _ = accept_answer(&local(), data);
    let Ok((negotiated, written)) = answer(&local(), data) else { return };
    assert!(negotiated.remote.port() != 0 || !negotiated.direction.sends());
    assert!(written.starts_with(b"v=0\r\n"));
    let _ = offer(&local());
}

/// RTP and RTCP as they come to the port of a leg.
pub fn media_ports(data: &[u8]) {
    if rtcp::is_rtcp(data) {
        let _ = rtcp::read(data, |_| {});
    }
    let Ok(packet) = rtp::RtpPacket::parse(data) else { return };
    let mut written = [0; 2048];
    let _ = packet.write(&mut written);
}
