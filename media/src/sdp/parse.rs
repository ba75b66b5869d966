//! The reader: bounded, single pass, keeps only what negotiation needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Direction, Fingerprint, SdpError};

/// The letters a line may begin with. There will be no others (RFC 8866 section 5).
const TYPES: &[u8] = b"vosiuepcbtrzkam";

const MAX_BYTES: usize = 16_384;
const MAX_LINES: usize = 512;
const MAX_MEDIA: usize = 16;
const MAX_FORMATS: usize = 64;
const MAX_TOKEN: usize = 64;
const MAX_TIME: usize = 20;
const MAX_CRYPTO: usize = 16;
const MAX_CANDIDATES: usize = 64;

/// A description as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SessionDescription<'a> {
    pub(super) connection: Option<Connection<'a>>,
    /// Start and stop of the first `t=`.
    pub(super) time: Option<(&'a str, &'a str)>,
    pub(super) direction: Option<Direction>,
    pub(super) security: Security<'a>,
    /// `b=RS` and `b=RR` of media that have none of their own.
    pub(super) rtcp_bandwidth: [Option<u32>; 2],
    pub(super) ice_lite: bool,
    pub(super) voip_metrics: bool,
    pub(super) media: Vec<MediaDescription<'a>>,
}

/// What a session and each of its media may say of DTLS and ICE, unread.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Security<'a> {
    /// The first `a=fingerprint` with a hash we believe.
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) setup: Option<&'a str>,
    pub(super) ice_ufrag: Option<&'a str>,
    pub(super) ice_pwd: Option<&'a str>,
}

impl<'a> Security<'a> {
    /// Takes an attribute if it is one of these.
    fn take(&mut self, name: &str, argument: &'a str) {
        let argument = argument.trim();
        let is_ice = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        let credential = |shortest: usize| {
            let fits = (shortest..=256).contains(&argument.len()) && argument.bytes().all(is_ice);
            fits.then_some(argument)
        };
        match name {
            "fingerprint" => self.fingerprint = self.fingerprint.or_else(|| Fingerprint::parse(argument)),
            "setup" => self.setup = Some(argument),
            // Shorter ones are no credentials (RFC 8839 section 5.4).
            "ice-ufrag" => self.ice_ufrag = credential(4),
            "ice-pwd" => self.ice_pwd = credential(22),
            _ => {}
        }
    }

    /// What a medium says, else what its session says.
    pub(super) fn or(self, session: Self) -> Self {
        Self {
            fingerprint: self.fingerprint.or(session.fingerprint),
            setup: self.setup.or(session.setup),
            ice_ufrag: self.ice_ufrag.or(session.ice_ufrag),
            ice_pwd: self.ice_pwd.or(session.ice_pwd),
        }
    }
}

/// A `c=` address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection<'a> {
    Address(IpAddr),
    /// A host name, a multicast address or another network.
    Unsupported(&'a str),
}

/// One `m=` section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MediaDescription<'a> {
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) formats: Vec<&'a str>,
    pub(super) connection: Option<Connection<'a>>,
    pub(super) direction: Option<Direction>,
    pub(super) rtpmaps: Vec<RtpMap<'a>>,
    /// `a=fmtp`: payload type and parameters.
    pub(super) fmtps: Vec<(u8, &'a str)>,
    /// `a=crypto`, unread.
    pub(super) crypto: Vec<&'a str>,
    pub(super) security: Security<'a>,
    /// Where the candidates for RTP are, as far as that is an IP address.
    pub(super) candidates: Vec<SocketAddr>,
    pub(super) ptime_ms: Option<u16>,
    pub(super) maxptime_ms: Option<u16>,
    pub(super) rtcp_mux: bool,
    /// The port in `a=rtcp`; its address is passed over, RTCP only goes where RTP goes.
    pub(super) rtcp_port: Option<u16>,
    /// `a=rtcp-xr` lists voip-metrics.
    pub(super) voip_metrics: bool,
    /// `b=RS` and `b=RR` in bits a second (RFC 3556).
    pub(super) rtcp_bandwidth: [Option<u32>; 2],
}

/// `a=rtpmap:<payload type> <name>/<clock>[/<channels>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtpMap<'a> {
    pub(super) payload_type: u8,
    pub(super) name: &'a str,
    pub(super) clock_hz: u32,
    pub(super) channels: u8,
}

/// Reads a description.
pub(super) fn parse(bytes: &[u8]) -> Result<SessionDescription<'_>, SdpError> {
    if bytes.len() > MAX_BYTES {
        return Err(SdpError::TooLarge { what: "bytes", limit: MAX_BYTES });
    }
    let mut session = SessionDescription::default();
    let mut version_seen = false;
    for (index, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let number = index + 1;
        if number > MAX_LINES {
            return Err(SdpError::TooLarge { what: "lines", limit: MAX_LINES });
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let [kind, b'=', value @ ..] = line else {
            return Err(SdpError::Malformed { line: number, what: "not of the form x=value" });
        };
        if !version_seen && (*kind, value) != (b'v', b"0") {
            return Err(SdpError::Malformed { line: number, what: "the description must begin with v=0" });
        }
        version_seen = true;
        if !TYPES.contains(kind) {
            return Err(SdpError::Malformed { line: number, what: "no line begins with this letter" });
        }
        // Names and comments may be in any character set; the lines read here are ASCII.
        if let Ok(value) = std::str::from_utf8(value) {
            read_line(&mut session, number, *kind, value)?;
        }
    }
    if version_seen {
        Ok(session)
    } else {
        Err(SdpError::Malformed { line: 1, what: "the description is empty" })
    }
}

fn read_line<'a>(
    session: &mut SessionDescription<'a>,
    line: usize,
    kind: u8,
    value: &'a str,
) -> Result<(), SdpError> {
    match kind {
        b'm' if session.media.len() == MAX_MEDIA => {
            return Err(SdpError::TooLarge { what: "m= lines", limit: MAX_MEDIA });
        }
        b'm' => session.media.push(media(line, value)?),
        b'c' => {
            let connection = Some(connection(line, value)?);
            match session.media.last_mut() {
                Some(media) => media.connection = media.connection.or(connection),
                None => session.connection = session.connection.or(connection),
            }
        }
        b't' => session.time = session.time.or_else(|| time(value)),
        b'b' => bandwidth(session, value),
        b'a' => attribute(session, line, value)?,
        _ => {}
    }
    Ok(())
}

/// Start and stop in seconds since 1900, kept as they are written: an answer says them again.
fn time(value: &str) -> Option<(&str, &str)> {
    let is_time = |text: &&str| text.len() <= MAX_TIME && text.bytes().all(|b| b.is_ascii_digit());
    let mut fields = value.split_ascii_whitespace();
    fields.next().filter(is_time).zip(fields.next().filter(is_time))
}

fn media(line: usize, value: &str) -> Result<MediaDescription<'_>, SdpError> {
    let malformed = |what| SdpError::Malformed { line, what };
    let mut fields = value.split_ascii_whitespace();
    let mut token = |what| fields.next().filter(|t| t.len() <= MAX_TOKEN).ok_or_else(|| malformed(what));
    let kind = token("m= needs a media type")?;
    let port = token("m= needs a port")?;
    let protocol = token("m= needs a transport")?;
    let port = port
        .split('/')
        .next()
        .and_then(|p| p.parse().ok())
        .ok_or_else(|| malformed("port must be 0 to 65535"))?;
    let formats: Vec<&str> = fields.take(MAX_FORMATS + 1).collect();
    if formats.len() > MAX_FORMATS {
        return Err(SdpError::TooLarge { what: "formats", limit: MAX_FORMATS });
    }
    if formats.is_empty() || formats.iter().any(|f| f.len() > MAX_TOKEN) {
        return Err(malformed("m= needs formats"));
    }
    Ok(MediaDescription {
        kind,
        port,
        protocol,
        formats,
        connection: None,
        direction: None,
        rtpmaps: Vec::new(),
        fmtps: Vec::new(),
        crypto: Vec::new(),
        security: Security::default(),
        candidates: Vec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        rtcp_mux: false,
        rtcp_port: None,
        voip_metrics: false,
        rtcp_bandwidth: [None; 2],
    })
}

fn connection(line: usize, value: &str) -> Result<Connection<'_>, SdpError> {
    let mut fields = value.split_ascii_whitespace();
    let (Some(network), Some(family), Some(address)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(SdpError::Malformed { line, what: "c= must be `IN IP4 address` or `IN IP6 address`" });
    };
    let host = address.split('/').next().unwrap_or(address);
    let parsed = match (network, family) {
        ("IN", "IP4") => host.parse().map(|a: Ipv4Addr| IpAddr::V4(a)).ok(),
        ("IN", "IP6") => host.parse().map(|a: Ipv6Addr| IpAddr::V6(a)).ok(),
        _ => None,
    };
    let unicast = parsed.filter(|a| !a.is_multicast() && *a != IpAddr::V4(Ipv4Addr::BROADCAST));
    Ok(unicast.map_or(Connection::Unsupported(address), Connection::Address))
}

/// Of the bandwidths only those of RTCP are of interest.
fn bandwidth(session: &mut SessionDescription<'_>, value: &str) {
    let [senders, receivers] = match session.media.last_mut() {
        Some(media) => &mut media.rtcp_bandwidth,
        None => &mut session.rtcp_bandwidth,
    };
    match value.split_once(':') {
        Some(("RS", bits)) => *senders = bits.trim().parse().ok(),
        Some(("RR", bits)) => *receivers = bits.trim().parse().ok(),
        _ => {}
    }
}

/// Whether `a=rtcp-xr` lists it.
fn wants_metrics(name: &str, argument: &str) -> bool {
    name == "rtcp-xr" && argument.split_ascii_whitespace().any(|block| block == "voip-metrics")
}

fn attribute<'a>(session: &mut SessionDescription<'a>, line: usize, value: &'a str) -> Result<(), SdpError> {
    // Some senders leave a blank behind.
    let value = value.trim_end();
    let (name, argument) = value.split_once(':').unwrap_or((value, ""));
    let direction = match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    };
    let Some(media) = session.media.last_mut() else {
        session.direction = direction.or(session.direction);
        session.ice_lite |= name == "ice-lite";
        session.voip_metrics |= wants_metrics(name, argument);
        session.security.take(name, argument);
        return Ok(());
    };
    media.direction = direction.or(media.direction);
    media.security.take(name, argument);
    media.voip_metrics |= wants_metrics(name, argument);
    match name {
        "rtpmap" if media.rtpmaps.len() < MAX_FORMATS => {
            let map = rtpmap(argument)
                .ok_or(SdpError::Malformed { line, what: "a=rtpmap must be `type name/clock`" })?;
            media.rtpmaps.push(map);
        }
        "crypto" if media.crypto.len() < MAX_CRYPTO => media.crypto.push(argument),
        "candidate" if media.candidates.len() < MAX_CANDIDATES => {
            media.candidates.extend(candidate(argument))
        }
        "rtcp-mux" => media.rtcp_mux = true,
        "rtcp" => {
            let port = argument.split_ascii_whitespace().next().and_then(|port| port.parse().ok());
            media.rtcp_port = port.filter(|&port| port != 0).or(media.rtcp_port);
        }
        "fmtp" if media.fmtps.len() < MAX_FORMATS => {
            let (payload_type, parameters) = argument.trim().split_once(' ').unwrap_or((argument, ""));
            media.fmtps.extend(payload_type.parse().ok().map(|payload_type| (payload_type, parameters)));
        }
        "maxptime" => media.maxptime_ms = whole_ms(argument).or(media.maxptime_ms),
        "ptime" => media.ptime_ms = whole_ms(argument).or(media.ptime_ms),
        _ => {}
    }
    Ok(())
}

/// Where a candidate for RTP is: `foundation component transport priority address port typ ...` (RFC 8839 section 5.1).
fn candidate(argument: &str) -> Option<SocketAddr> {
    let mut fields = argument.split_ascii_whitespace().skip(1);
    fields.next().filter(|component| *component == "1")?;
    let mut fields = fields.skip(2);
    let (address, port) = fields.next().zip(fields.next())?;
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

/// Some senders write `20.0`.
fn whole_ms(argument: &str) -> Option<u16> {
    argument.trim().split('.').next()?.parse().ok()
}

fn rtpmap(argument: &str) -> Option<RtpMap<'_>> {
    let (payload_type, encoding) = argument.trim().split_once(' ')?;
    let payload_type = payload_type.parse().ok().filter(|&p: &u8| p < 128)?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next().filter(|n| !n.is_empty())?;
    let clock_hz = parts.next()?.parse().ok()?;
    let channels = match parts.next() {
        // Another parameter than a number of channels belongs to another format than ours.
        Some(channels) => channels.parse().unwrap_or(0),
        None => 1,
    };
    Some(RtpMap { payload_type, name, clock_hz, channels })
}
