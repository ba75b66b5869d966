//! The writer. Everything it emits, the reader reads.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::parse::MediaDescription;
use super::{Direction, Fingerprint, IceCredentials, LocalDescription, PTIME_MS};

/// The lines before the first `m=`. An answer has the time of its offer (RFC 3264 section 6).
pub(super) fn session(
    local: &LocalDescription,
    version: u64,
    time: Option<(&str, &str)>,
    ice: bool,
) -> String {
    let (start, stop) = time.unwrap_or(("0", "0"));
    let network = network(local.address);
    let id = local.session_id;
    let ice = if ice { "a=ice-lite\r\na=ice-options:ice2\r\n" } else { "" };
    format!("v=0\r\no=- {id} {version} {network}\r\ns=-\r\nc={network}\r\nt={start} {stop}\r\n{ice}")
}

fn network(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("IN IP4 {ip}"),
        IpAddr::V6(ip) => format!("IN IP6 {ip}"),
    }
}

/// One payload type: number, encoding name, clock, channels.
pub(super) type Mapped<'a> = (u8, &'a str, u32, u8);

/// The audio section with these payload types.
pub(super) fn audio(
    text: &mut String,
    protocol: &str,
    port: u16,
    formats: &[Mapped<'_>],
    direction: Direction,
) {
    let types =
        formats.iter().fold(String::new(), |list, (payload_type, ..)| format!("{list} {payload_type}"));
    let _ = write!(text, "m=audio {port} {protocol}{types}\r\n");
    for &(payload_type, name, clock_hz, channels) in formats {
        let _ = write!(text, "a=rtpmap:{payload_type} {name}/{clock_hz}");
        let _ = match channels {
            1 => write!(text, "\r\n"),
            _ => write!(text, "/{channels}\r\n"),
        };
        match name {
            // 0 to 15 are the keys 0 to 9, *, #, A to D (RFC 4733 section 3.2).
            "telephone-event" => drop(write!(text, "a=fmtp:{payload_type} 0-15\r\n")),
            // What we make of redundancy in what we get; our own stereo would be two times the same.
            // One earlier packet, of the Opus in the same list (RFC 2198 section 5).
            "red" => {
                if let Some((opus, ..)) = formats.iter().find(|(_, name, ..)| *name == "opus") {
                    let _ = write!(text, "a=fmtp:{payload_type} {opus}/{opus}\r\n");
                }
            }
            "opus" => drop(write!(text, "a=fmtp:{payload_type} useinbandfec=1;stereo=0;sprop-stereo=0\r\n")),
            _ => {}
        }
    }
    let _ = write!(text, "a=ptime:{PTIME_MS}\r\na={}\r\n", direction.attribute());
}

/// The certificate we show in the DTLS handshake, and who begins it (RFC 5763 section 5).
pub(super) fn dtls(text: &mut String, fingerprint: &Fingerprint, setup: &str) {
    let _ = write!(text, "a=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n");
}

/// Our credentials and our only candidate: where the description says anyway (RFC 8839 section 4).
pub(super) fn ice(text: &mut String, credentials: &IceCredentials, address: SocketAddr) {
    let (ufrag, password) = (credentials.ufrag(), credentials.password());
    let (ip, port) = (address.ip(), address.port());
    let _ = write!(text, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
    let _ = write!(text, "a=candidate:1 1 UDP {HOST_PRIORITY} {ip} {port} typ host\r\n");
}

/// Somebody on the way has written another address than the phone did: no ICE then (RFC 8839 section 4.2.5).
pub(super) fn ice_mismatch(text: &mut String) {
    text.push_str("a=ice-mismatch\r\n");
}

/// That of a host candidate of the first component, if there is only one (RFC 8445 section 5.1.2.1).
const HOST_PRIORITY: u32 = 2_130_706_431;

/// RTCP comes and goes on the RTP port.
pub(super) fn rtcp_mux(text: &mut String) {
    text.push_str("a=rtcp-mux\r\n");
}

/// RTCP comes to the port after RTP's, which needs no saying but may be said (RFC 3605).
pub(super) fn rtcp_port(text: &mut String, address: SocketAddr) {
    if let Some(port) = address.port().checked_add(1) {
        let _ = write!(text, "a=rtcp:{port}\r\n");
    }
}

/// We tell how we hear, and would like to be told (RFC 3611 section 5).
pub(super) fn rtcp_xr(text: &mut String) {
    text.push_str("a=rtcp-xr:voip-metrics\r\n");
}

/// A medium we do not take: the offer's line again with port 0 (RFC 3264 section 6).
pub(super) fn refused(text: &mut String, media: &MediaDescription<'_>) {
    let formats = media.formats.join(" ");
    let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.protocol);
}
