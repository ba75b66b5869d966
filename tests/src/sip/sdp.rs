//! The few SDP lines (RFC 8866) a phone of the phone network needs.

use std::net::{IpAddr, SocketAddr};

use crate::g711::Codec;
use crate::rtp_leg::Remote;

/// The payload type the lab offers for telephone-event.
pub const TELEPHONE_EVENT: u8 = 101;

/// Which way sound may flow, from the describer's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Hold as most phones do it.
    SendOnly,
    /// Listens only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The word for it.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// The audio of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Where packets go; port 0 refuses the stream.
    pub address: SocketAddr,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event/8000.
    pub telephone_event: Option<u8>,
    /// Which way.
    pub direction: Direction,
}

impl Description {
    /// A description of `address` with `codecs`, keys and both directions.
    pub fn new(address: SocketAddr, codecs: &[Codec]) -> Self {
        let direction = Direction::SendRecv;
        Self { address, codecs: codecs.to_vec(), telephone_event: Some(TELEPHONE_EVENT), direction }
    }

    /// The text of it.
    pub fn write(&self) -> String {
        let ip = self.address.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let mut types: Vec<String> =
            self.codecs.iter().map(|codec| codec.payload_type().to_string()).collect();
        types.extend(self.telephone_event.map(|event| event.to_string()));
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=lab 1 1 IN {family} {ip}"),
            "s=-".to_owned(),
            format!("c=IN {family} {ip}"),
            "t=0 0".to_owned(),
            format!("m=audio {} RTP/AVP {}", self.address.port(), types.join(" ")),
        ];
        for codec in &self.codecs {
            lines.push(format!("a=rtpmap:{} {}/8000", codec.payload_type(), codec.name()));
        }
        if let Some(event) = self.telephone_event {
            lines.push(format!("a=rtpmap:{event} telephone-event/8000"));
            lines.push(format!("a=fmtp:{event} 0-15"));
        }
        lines.push("a=ptime:20".to_owned());
        lines.push(format!("a={}", self.direction.attribute()));
        lines.join("\r\n") + "\r\n"
    }

    /// Reads the first audio stream; `None` when there is none to speak of.
    pub fn parse(text: &str) -> Option<Self> {
        let mut ip: Option<IpAddr> = None;
        let mut media: Option<(u16, Vec<u8>)> = None;
        let mut telephone_event = None;
        let mut direction = Direction::SendRecv;
        for line in text.lines().map(str::trim_end) {
            if let Some(rest) = line.strip_prefix("c=IN ") {
                ip = rest.split(' ').nth(1).and_then(|address| address.parse().ok()).or(ip);
            } else if let Some(rest) = line.strip_prefix("m=") {
                if media.is_some() || !rest.starts_with("audio ") {
                    break;
                }
                let mut words = rest.split(' ').skip(1);
                let port = words.next()?.parse().ok()?;
                media = Some((port, words.skip(1).filter_map(|word| word.parse().ok()).collect()));
            } else if let Some(rest) = line.strip_prefix("a=rtpmap:") {
                let (number, name) = rest.split_once(' ')?;
                if name.eq_ignore_ascii_case("telephone-event/8000") {
                    telephone_event = number.parse().ok();
                }
            } else {
                direction = match line {
                    "a=sendonly" => Direction::SendOnly,
                    "a=recvonly" => Direction::RecvOnly,
                    "a=inactive" => Direction::Inactive,
                    "a=sendrecv" => Direction::SendRecv,
                    _ => direction,
                };
            }
        }
        let (port, types) = media?;
        let codecs = types.into_iter().filter_map(Codec::from_payload_type).collect();
        Some(Self { address: SocketAddr::new(ip?, port), codecs, telephone_event, direction })
    }

    /// Where and how to send to the describer, with the first of `mine` that it has too.
    pub fn remote(&self, mine: &[Codec]) -> Option<Remote> {
        let codec = self.codecs.iter().copied().find(|codec| mine.contains(codec))?;
        Some(Remote { address: self.address, codec, telephone_event: self.telephone_event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut description =
            Description::new("127.0.0.1:20000".parse().unwrap(), &[Codec::Pcma, Codec::Pcmu]);
        assert_eq!(Description::parse(&description.write()).unwrap(), description);
        description.direction = Direction::SendOnly;
        description.telephone_event = None;
        assert_eq!(Description::parse(&description.write()).unwrap(), description);
        let remote = description.remote(&[Codec::Pcmu]).unwrap();
        assert_eq!(remote.codec, Codec::Pcmu);
    }

    #[test]
    fn a_foreign_offer_is_read() {
        let text = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
                    m=audio 4000 RTP/AVP 9 8 96\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:96 telephone-event/8000\r\na=inactive\r\n\
                    m=video 5000 RTP/AVP 97\r\na=sendrecv\r\n";
        let description = Description::parse(text).unwrap();
        assert_eq!(description.address, SocketAddr::from(([10, 0, 0, 2], 4000)));
        assert_eq!(description.codecs, [Codec::Pcma]);
        assert_eq!(description.telephone_event, Some(96));
        assert_eq!(description.direction, Direction::Inactive);
        assert_eq!(Description::parse("nonsense"), None);
    }
}
