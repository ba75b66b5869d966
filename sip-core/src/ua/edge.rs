//! Proxies in front of phones ([`super::UserAgentConfig::edges`]). They are not trusted with anything but an address: who
//! calls must show a digest as from everywhere, and what one phone does is not counted against all behind the same proxy.

use std::net::{IpAddr, SocketAddr};

use super::UserAgent;
use crate::flow::Hop;
use crate::message::header::Via;
use crate::message::{Host, Received, Request};

impl UserAgent {
    pub(super) fn is_edge(&self, source: &Hop) -> bool {
        self.config.edges.iter().any(|range| range.contains(source.remote.ip()))
    }

    /// Where the phone behind an edge is, as the edge has noted it in the second Via (RFC 3261 section 18.2.1).
    pub(super) fn behind_edge(&self, request: &Received<Request>, source: &Hop) -> Option<SocketAddr> {
        if !self.is_edge(source) {
            return None;
        }
        let via = request.message.headers.typed_list::<Via>().ok()?.into_iter().nth(1)?;
        let received = via.params.get("received");
        let noted = received.and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let address = noted.or(match via.host {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        })?;
        let port = via.params.get("rport").and_then(|port| port.parse().ok()).or(via.port);
        Some(SocketAddr::new(address, port.unwrap_or_default()))
    }
}
