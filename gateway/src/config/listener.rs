//! `[[sip.listener]]`: further places where SIP is spoken, by any transport.

use super::{Problem, is_sent_by};
use serde::Deserialize;
use sip_core::flow::Transport;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One `[[sip.listener]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub transport: Kind,
    /// Address and port.
    pub listen: SocketAddr,
    /// host:port seen in Via and Contact; the listening address if absent.
    pub advertised: Option<String>,
    /// TLS and WSS: PEM file of the certificate and its chain, relative to the configuration file.
    pub certificate: Option<PathBuf>,
    /// TLS and WSS: PEM file of its private key.
    pub key: Option<PathBuf>,
    /// Whether strangers reach it: then `sip.trusted_peers` do not count here.
    #[serde(default)]
    pub public: bool,
}

/// A transport as it is written in the configuration.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket under TLS.
    Wss,
}

impl Listener {
    /// The transport.
    pub fn transport(&self) -> Transport {
        match self.transport {
            Kind::Udp => Transport::Udp,
            Kind::Tcp => Transport::Tcp,
            Kind::Tls => Transport::Tls,
            Kind::Ws => Transport::Ws,
            Kind::Wss => Transport::Wss,
        }
    }

    /// What stands in Via and Contact.
    pub fn advertised(&self) -> String {
        self.advertised.clone().unwrap_or_else(|| self.listen.to_string())
    }

    /// Everything that parses but cannot work.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key, problem: String, mend| problems.push(Problem::new(key, problem, mend));
        if self.listen.port() == 0 {
            wrong("sip.listener.listen", format!("is {}", self.listen), "Give a port from 1 to 65535");
        }
        if self.advertised.is_none() && self.listen.ip().is_unspecified() {
            let problem = "is missing while the listener has no address of its own".to_owned();
            wrong("sip.listener.advertised", problem, "Give the address that phones reach this machine at");
        }
        if let Some(text) = self.advertised.as_ref().filter(|text| !is_sent_by(text)) {
            let mend = "Write host:port, for example \"sip.example.com:5061\"";
            wrong("sip.listener.advertised", format!("is {text:?}"), mend);
        }
        let files = self.certificate.is_some() && self.key.is_some();
        let none = self.certificate.is_none() && self.key.is_none();
        if self.transport().is_secure() && !files {
            let problem = format!("is missing, or its key, at {} {}", self.transport(), self.listen);
            wrong(
                "sip.listener.certificate",
                problem,
                "Give certificate = \"cert.pem\" and key = \"key.pem\"",
            );
        }
        if !self.transport().is_secure() && !none {
            let problem = format!("stands at {} {}, which shows none", self.transport(), self.listen);
            wrong(
                "sip.listener.certificate",
                problem,
                "Take certificate and key out, or write \"tls\" or \"wss\"",
            );
        }
        problems
    }
}
