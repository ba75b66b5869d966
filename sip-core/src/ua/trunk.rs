//! What the user agent is told about a trunk.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::api::TrunkId;
use crate::IpNetwork;
use crate::auth::Credentials;
use crate::flow::Transport;
use crate::message::Host;
use crate::message::parse_host_port;
use crate::registration::TrunkRegistration;

/// Where a trunk is: an address, or a name to be looked up (RFC 3263).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name or address.
    pub host: Host,
    /// With a port a name is looked up as a host, without as a domain with its services (RFC 3263 section 4.2).
    pub port: Option<u16>,
}

/// A text that is no `host`, `host:port` or `[address]:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host and port; write e.g. sip.example.com, 192.0.2.1:5060 or [2001:db8::1]:5060")]
pub struct PeerError(String);

impl Peer {
    /// The address, if no name has to be looked up and the port is known.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.host {
            Host::Address(address) => Some(SocketAddr::new(*address, self.port?)),
            Host::Name(_) => None,
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Address(address.ip()), port: Some(address.port()) }
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = parse_host_port(text).map_err(|_| PeerError(text.to_owned()))?;
        if port == Some(0) {
            return Err(PeerError(text.to_owned()));
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

/// How many calls a trunk carries; `None` is as many as there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrunkLimits {
    /// Calls from the trunk at once; one more gets 503.
    pub incoming: Option<u32>,
    /// Calls to the trunk at once; one more ends with [`super::EndCause::TrunkBusy`].
    pub outgoing: Option<u32>,
    /// Calls in both directions at once.
    pub total: Option<u32>,
    /// INVITEs a second to the trunk. A burst of as many is let through at once, what is beyond it waits its turn, and
    /// what would wait for more than five seconds ends with [`super::EndCause::TrunkBusy`].
    pub calls_per_second: Option<u32>,
}

/// How numbers are written towards a trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+12025550100`.
    #[default]
    E164,
    /// `12025550100`.
    E164WithoutPlus,
    /// As people dial in the trunk's country.
    National {
        /// The country's code, e.g. `1`.
        country_code: String,
        /// What stands before numbers of the country, e.g. `0`; often nothing.
        national_prefix: String,
        /// What stands before the country code of other countries, e.g. `00` or `011`.
        international_prefix: String,
    },
}

impl NumberFormat {
    /// Writes a number given in E.164 with its plus. What is no such number stays as it is.
    pub fn write(&self, e164: &str) -> String {
        let Some(digits) = e164.strip_prefix('+') else { return e164.to_owned() };
        match self {
            Self::E164 => e164.to_owned(),
            Self::E164WithoutPlus => digits.to_owned(),
            Self::National { country_code, national_prefix, international_prefix } => {
                match digits.strip_prefix(country_code.as_str()) {
                    Some(rest) => format!("{national_prefix}{rest}"),
                    None => format!("{international_prefix}{digits}"),
                }
            }
        }
    }
}

/// How a trunk is told who calls, beside From.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdentityFormat {
    /// P-Asserted-Identity (RFC 3325).
    #[default]
    Asserted,
    /// Remote-Party-ID, which never became an RFC but is all that some carriers read.
    RemoteParty,
    /// From alone.
    None,
}

/// How a trunk is told which number has sent a call on to another one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiversionFormat {
    /// Not at all.
    #[default]
    None,
    /// Diversion (RFC 5806).
    Diversion,
    /// History-Info (RFC 7044).
    HistoryInfo,
}

/// What stands in the user part of From towards a trunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FromFormat {
    /// The caller's number.
    #[default]
    Number,
    /// The account the trunk knows us by; the number stands in the identity header field alone.
    Account,
}

/// A way to the telephone network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name here.
    pub id: TrunkId,
    /// Where requests to it are sent.
    pub peer: Peer,
    /// By which transport. `None` is what RFC 3263 finds; then a request too large for a datagram goes by TCP (RFC 3261
    /// section 18.1.1).
    pub transport: Option<Transport>,
    /// The host part of URIs towards it.
    pub host: String,
    /// Addresses its requests may come from, whatever the port, beside exactly [`Trunk::peer`].
    pub sources: Vec<IpNetwork>,
    /// For its challenges.
    pub credentials: Option<Credentials>,
    /// If it wants us to register.
    pub registration: Option<TrunkRegistration>,
    /// How many calls it carries.
    pub limits: TrunkLimits,
    /// How it wants numbers.
    pub numbers: NumberFormat,
    /// How it is told who calls.
    pub identity: IdentityFormat,
    /// What stands in From.
    pub from: FromFormat,
    /// How it is told who has sent a call on.
    pub diversion: DiversionFormat,
}

impl Trunk {
    /// A trunk by UDP with nothing special about it.
    pub fn new(id: TrunkId, peer: impl Into<Peer>, host: impl Into<String>) -> Self {
        Self {
            id,
            peer: peer.into(),
            transport: Some(Transport::Udp),
            host: host.into(),
            sources: Vec::new(),
            credentials: None,
            registration: None,
            limits: TrunkLimits::default(),
            numbers: NumberFormat::default(),
            identity: IdentityFormat::default(),
            from: FromFormat::default(),
            diversion: DiversionFormat::default(),
        }
    }

    /// Whether another description leads to the same account at the same place, so that a registration can stay.
    pub(super) fn same_account(&self, other: &Self) -> bool {
        self.peer == other.peer
            && self.transport == other.transport
            && self.host == other.host
            && self.credentials == other.credentials
            && self.registration == other.registration
    }

    /// The name that TLS certificates of this trunk must bear (RFC 5922 section 7.1).
    pub(super) fn identity_name(&self) -> String {
        match &self.peer.host {
            Host::Name(name) => name.clone(),
            Host::Address(_) => Host::from_config(&self.host).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_read_and_write() {
        for text in ["192.0.2.1:5060", "carrier.test", "carrier.test:5070", "[2001:db8::1]:5060"] {
            assert_eq!(text.parse::<Peer>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "carrier.test:0", "carrier.test:x", "2001:db8::1", "a@b"] {
            assert!(text.parse::<Peer>().is_err(), "{text}");
        }
    }

    #[test]
    fn d33_numbers_are_written_as_the_trunk_wants_them() {
        let national = |code: &str, national: &str, international: &str| NumberFormat::National {
            country_code: code.into(),
            national_prefix: national.into(),
            international_prefix: international.into(),
        };
        for (format, number, written) in [
            (NumberFormat::E164, "+12025550100", "+12025550100"),
            (NumberFormat::E164WithoutPlus, "+12025550100", "12025550100"),
            (national("1", "", "011"), "+12025550100", "2025550100"),
            (national("1", "", "011"), "+49301234567", "01149301234567"),
            (national("49", "0", "00"), "+49301234567", "0301234567"),
            (NumberFormat::E164WithoutPlus, "anonymous", "anonymous"),
        ] {
            assert_eq!(format.write(number), written);
        }
    }
}
