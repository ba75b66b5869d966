//! Via, RFC 3261 section 20.42, with `rport` of RFC 3581.

use std::fmt;
use std::net::SocketAddr;

use super::{HeaderError, TypedHeader};
use crate::message::text::is_token;
use crate::message::uri::parse_host_port;
use crate::message::{HeaderName, Host, Params};

/// One Via value: a hop that the request passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The transport as received, e.g. `UDP`.
    pub transport: String,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// Parameters, `branch` among them.
    pub params: Params,
}

impl Via {
    /// The branch parameter; empty if there is none.
    pub fn branch(&self) -> String {
        self.params.get("branch").unwrap_or_default()
    }

    /// `host` or `host:port`, as it takes part in transaction matching.
    pub fn sent_by(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Notes where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4).
    pub fn stamp(&mut self, source: SocketAddr) {
        let address = source.ip();
        let asked = self.params.contains("rport");
        if asked {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        if asked || self.host != Host::Address(address) {
            self.params.set("received", Some(&address.to_string()));
        }
    }
}

impl TypedHeader for Via {
    const NAME: HeaderName = HeaderName::Via;

    fn parse(text: &str) -> Result<Self, HeaderError> {
        let error = |problem: &str| HeaderError::new(&Self::NAME, problem);
        let (head, params) = text.split_once(';').unwrap_or((text, ""));
        let mut protocol = head.splitn(3, '/').map(str::trim);
        let (Some(name), Some("2.0"), Some(rest)) = (protocol.next(), protocol.next(), protocol.next())
        else {
            return Err(error("protocol is not SIP/2.0"));
        };
        if !name.eq_ignore_ascii_case("SIP") {
            return Err(error("protocol is not SIP/2.0"));
        }
        let (transport, sent_by) = rest.split_once([' ', '\t']).ok_or_else(|| error("sent-by is missing"))?;
        if !is_token(transport) {
            return Err(error("transport is no token"));
        }
        let (host, port) =
            parse_host_port(sent_by.trim()).map_err(|cause| HeaderError::new(&Self::NAME, cause))?;
        let params = Params::parse(params).ok_or_else(|| error("parameters are malformed"))?;
        Ok(Self { transport: transport.to_owned(), host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}{}", self.transport, self.sent_by(), self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_white_space_reads() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8");
        assert_eq!(Via::parse("SIP/2.0/UDP [::1] : 5062;branch=a").unwrap().port, Some(5062));
    }

    #[test]
    fn d12_the_source_is_noted_when_asked_or_when_it_differs() {
        let source = "192.0.2.9:40000".parse().unwrap();
        for (before, after) in [
            (
                "SIP/2.0/UDP 10.0.0.1;branch=a;rport",
                "SIP/2.0/UDP 10.0.0.1;branch=a;rport=40000;received=192.0.2.9",
            ),
            ("SIP/2.0/UDP 192.0.2.9:5060;branch=a", "SIP/2.0/UDP 192.0.2.9:5060;branch=a"),
            ("SIP/2.0/UDP host;branch=a", "SIP/2.0/UDP host;branch=a;received=192.0.2.9"),
        ] {
            let mut via = Via::parse(before).unwrap();
            via.stamp(source);
            assert_eq!(via.to_string(), after);
        }
        let mut via = Via::parse("SIP/2.0/UDP a;rport").unwrap();
        via.stamp("[2001:db8::1]:5060".parse().unwrap());
        assert_eq!(via.to_string(), "SIP/2.0/UDP a;rport=5060;received=2001:db8::1");
    }

    #[test]
    fn malformed_vias_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/U P a",
            "SIP/2.0/UDP a;;b",
            "SIP/2.0/UDP a:x",
        ] {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }
}
