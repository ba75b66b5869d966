//! The writer. Everything it emits, the reader reads.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::parse::MediaDescription;
use super::{Codec, Direction, LocalDescription, PTIME_MS};

/// The lines before the first `m=`.
pub(super) fn session(local: &LocalDescription, version: u64) -> String {
    let network = network(local.address);
    let id = local.session_id;
    format!("v=0\r\no=- {id} {version} {network}\r\ns=-\r\nc={network}\r\nt=0 0\r\n")
}

fn network(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("IN IP4 {ip}"),
        IpAddr::V6(ip) => format!("IN IP6 {ip}"),
    }
}

/// The audio section with these payload types.
pub(super) fn audio(
    text: &mut String,
    protocol: &str,
    port: u16,
    codecs: &[(u8, Codec)],
    telephone_event: Option<u8>,
    direction: Direction,
) {
    let types = codecs.iter().map(|&(payload_type, _)| payload_type).chain(telephone_event);
    let types = types.fold(String::new(), |list, payload_type| format!("{list} {payload_type}"));
    let _ = write!(text, "m=audio {port} {protocol}{types}\r\n");
    for (payload_type, codec) in codecs {
        let _ = write!(text, "a=rtpmap:{payload_type} {}/8000\r\n", codec.name());
    }
    if let Some(payload_type) = telephone_event {
        // 0 to 15 are the keys 0 to 9, *, #, A to D (RFC 4733 section 3.2).
        let _ =
            write!(text, "a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n");
    }
    let _ = write!(text, "a=ptime:{PTIME_MS}\r\na={}\r\n", direction.attribute());
}

/// RTCP comes and goes on the RTP port.
pub(super) fn rtcp_mux(text: &mut String) {
    text.push_str("a=rtcp-mux\r\n");
}

/// A medium we do not take: the offer's line again with port 0 (RFC 3264 section 6).
pub(super) fn refused(text: &mut String, media: &MediaDescription<'_>) {
    let formats = media.formats.join(" ");
    let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.protocol);
}
