//! The configuration file: TOML, every key known, every error naming the key and the mend.

pub mod https;
pub mod listener;
mod mail;
mod oidc;
mod read;
pub mod stir;

pub use mail::{Mail, MailTls, Webhooks};
pub use oidc::Oidc;

use crate::speech::Speech;
use conference::store::seed::Seed;
use serde::Deserialize;
use sip_core::message::Uri;
use sip_core::ua::IpNetwork;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration. `configs/demo.toml` shows every key with its default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The SIP listener.
    pub sip: Sip,
    /// Media threads, RTP ports, the browsers' port.
    #[serde(default)]
    pub media: Media,
    /// HTTP for API and page.
    pub api: Api,
    /// The database.
    #[serde(default)]
    pub store: Store,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
    /// Times and destinations of dial-outs.
    #[serde(default)]
    pub dialling: Dialling,
    /// What callers hear.
    #[serde(default)]
    pub speech: Speech,
    /// The server that takes our mail.
    pub mail: Option<Mail>,
    /// Where webhooks may go.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// The identity provider users may log in at.
    pub oidc: Option<Oidc>,
    /// Signing and checking of callers' numbers.
    #[serde(default)]
    pub stir: stir::Stir,
    /// Where copies of SIP messages go.
    pub hep: Option<Hep>,
    /// How it stops.
    #[serde(default)]
    pub shutdown: Shutdown,
    /// What an empty database starts with.
    #[serde(default)]
    pub seed: Seed,
    /// The folder of the file, which relative paths in it start from.
    #[serde(skip)]
    folder: PathBuf,
}

/// Section `[sip]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// UDP address of the listener.
    pub listen: SocketAddr,
    /// host:port seen in Via and Contact; the listening address if absent.
    pub advertised: Option<String>,
    /// Whether devices are challenged with SHA-256 beside MD5 (RFC 8760). Off, because phones that know MD5 alone give
    /// up when they see a second challenge.
    #[serde(default)]
    pub digest_sha256: bool,
    /// Networks whose INVITEs need no digest, as `address/prefix`; not at listeners that are public.
    #[serde(default)]
    pub trusted_peers: Vec<String>,
    /// Networks of proxies in front of phones, as `address/prefix`: bans and budgets are for the phones behind them.
    #[serde(default)]
    pub edges: Vec<String>,
    /// Whether strangers reach `listen`.
    #[serde(default)]
    pub public: bool,
    /// Further listeners.
    #[serde(default, rename = "listener")]
    pub listeners: Vec<listener::Listener>,
    /// PEM file of the authorities whose certificates trunks may show; those of the system if absent.
    pub tls_roots: Option<PathBuf>,
    /// Name servers, as address:port; those of the system if empty.
    #[serde(default)]
    pub name_servers: Vec<SocketAddr>,
    /// Most connections (TCP, TLS, WebSocket) from one address.
    #[serde(default = "connections_per_address")]
    pub connections_per_address: usize,
    /// Most connections in all.
    #[serde(default = "connections")]
    pub connections: usize,
}

fn connections_per_address() -> usize {
    100
}

fn connections() -> usize {
    20_000
}

/// Section `[hep]`: copies of every SIP message, without secrets, for a capture server such as Homer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hep {
    /// Its UDP address.
    pub server: SocketAddr,
    /// How this gateway is named there.
    #[serde(default = "capture_id")]
    pub capture_id: u32,
}

fn capture_id() -> u32 {
    2001
}

/// Section `[media]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Number of media threads; one less than there are cores if absent.
    pub threads: Option<usize>,
    /// Core ids the media threads are pinned to, in order.
    pub cores: Vec<usize>,
    /// Address of the RTP sockets.
    pub rtp_address: Option<IpAddr>,
    /// Address written into SDP.
    pub rtp_advertised: Option<IpAddr>,
    /// First and last UDP port for phone legs.
    pub rtp_ports: [u16; 2],
    /// UDP address of all browsers on media thread 0; thread n takes the port plus n.
    pub webrtc_listen: Option<SocketAddr>,
    /// Address browsers are told to send to.
    pub webrtc_advertised: Option<IpAddr>,
    /// A media thread that is busy for more than this share of the time takes no new legs.
    pub busy_limit_percent: u8,
    /// Whether everybody's voice is brought to one loudness.
    pub even_loudness: bool,
    /// Codecs of phones and trunks that have no list of their own, the preferred first.
    pub codecs: Vec<CodecName>,
    /// Whether the sound of phones and trunks without a setting of their own is encrypted.
    pub srtp: Encryption,
}

/// A codec's name in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecName {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

/// Whether sound is encrypted (SDES-SRTP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Never; a phone that insists is refused.
    #[default]
    Off,
    /// Where the phone can.
    Prefer,
    /// Always; a phone that cannot is refused.
    Require,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            threads: None,
            cores: Vec::new(),
            rtp_address: None,
            rtp_advertised: None,
            rtp_ports: [20000, 29999],
            webrtc_listen: None,
            webrtc_advertised: None,
            busy_limit_percent: 75,
            even_loudness: false,
            codecs: vec![CodecName::Pcmu, CodecName::Pcma],
            srtp: Encryption::Off,
        }
    }
}

/// Section `[api]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// TCP address of the HTTP listener.
    pub listen: SocketAddr,
    /// How people reach the page; the scheme, and the listening address or the first ACME domain, if absent.
    pub base_url: Option<String>,
    /// A certificate from files.
    pub tls: Option<https::Tls>,
    /// A certificate by ACME.
    pub acme: Option<https::Acme>,
    /// Networks beside this machine from which `/metrics` may be read, as `address/prefix`.
    #[serde(default)]
    pub metrics_from: Vec<String>,
}

/// Section `[store]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:FILE`, relative to the data folder, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite:partyline.db".to_owned() }
    }
}

/// Section `[log]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A tracing filter; read again on SIGHUP.
    pub filter: String,
    /// Whether phone numbers and e-mail addresses are masked in every line.
    pub mask: bool,
}

impl Default for Log {
    fn default() -> Self {
        // The DTLS layer warns about every browser hello's extensions 43, 45 and 51.
        Self { filter: "info,rtc_dtls=error,rtc=error,rtc_ice=error".to_owned(), mask: true }
    }
}

/// Section `[dialling]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialling {
    /// Seconds until an unanswered call is cancelled.
    pub ring_timeout_s: u64,
}

impl Default for Dialling {
    fn default() -> Self {
        Self { ring_timeout_s: 45 }
    }
}

/// Section `[shutdown]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// Seconds that running meetings may go on after SIGTERM, while no other begins; a second signal ends them.
    pub drain_s: u64,
}

/// A key whose value parses but cannot work.
#[derive(Clone, Debug)]
struct Problem {
    key: &'static str,
    problem: String,
    mend: &'static str,
}

impl Problem {
    fn new(key: &'static str, problem: String, mend: &'static str) -> Self {
        Self { key, problem, mend }
    }

    fn at(self, path: &Path) -> ConfigError {
        ConfigError::Value { path: path.to_owned(), key: self.key, problem: self.problem, mend: self.mend }
    }
}

/// Why a configuration cannot be used; says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration file {path}: {source}. Name an existing, readable file with --config"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, a wrong type, a secret that is not where the file says.
    #[error("{path}:{line}: {key}{}{message}. {mend}", if key.is_empty() { "" } else { ": " })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, dotted; empty outside any.
        key: String,
        /// What is wrong.
        message: String,
        /// What to write instead.
        mend: &'static str,
    },
    /// A value that parses but cannot work.
    #[error("{path}: {key} {problem}. {mend}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        mend: &'static str,
    },
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// Every mistake found, at least one, each naming the file, the key and the mend.
    pub fn load(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| vec![ConfigError::Unreadable { path: path.to_owned(), source }])?;
        Self::parse(path, &text)
    }

    /// Reads a configuration from text; `path` is for messages, and for what is named relative to the file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<ConfigError>> {
        read::read(path, text)
    }

    /// Everything that parses but cannot work.
    fn problems(&self) -> Vec<Problem> {
        [
            self.addresses_without_port(),
            self.addresses_nobody_reaches(),
            self.wrong_media(),
            self.wrong_sip(),
            self.wrong_dialling(),
            self.wrong_https(),
            self.mail.as_ref().map(Mail::problems).unwrap_or_default(),
            self.webhooks.problems(),
            self.stir.problems(),
            self.oidc.as_ref().map(Oidc::problems).unwrap_or_default(),
        ]
        .concat()
    }

    fn addresses_without_port(&self) -> Vec<Problem> {
        let listeners = [
            ("sip.listen", self.sip.listen),
            ("api.listen", self.api.listen),
            ("media.webrtc_listen", self.webrtc_listen()),
        ];
        let without = listeners.into_iter().filter(|(_, address)| address.port() == 0);
        without
            .map(|(key, address)| Problem::new(key, format!("is {address}"), "Give a port from 1 to 65535"))
            .collect()
    }

    fn addresses_nobody_reaches(&self) -> Vec<Problem> {
        let mend = "Give the address that phones and browsers reach this machine at";
        let told = [
            ("sip.advertised", self.sip.advertised.is_none() && self.sip.listen.ip().is_unspecified()),
            ("media.rtp_advertised", self.rtp_advertised().is_unspecified()),
            ("media.webrtc_advertised", self.webrtc_advertised().is_unspecified()),
        ];
        let missing = told.into_iter().filter(|(_, missing)| *missing);
        let problem = "is missing while the listener has no address of its own";
        missing.map(|(key, _)| Problem::new(key, problem.to_owned(), mend)).collect()
    }

    fn wrong_media(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let [first, last] = self.media.rtp_ports;
        if first >= last || first < 1024 {
            let mend =
                "Give the first and the last port, 1024 or higher, the first one lower: [20000, 29999]";
            problems.push(Problem::new("media.rtp_ports", format!("is [{first}, {last}]"), mend));
        }
        if self.media.threads.is_some_and(|threads| !(1..=256).contains(&threads)) {
            let mend = "Leave it out for one less than the cores";
            problems.push(Problem::new("media.threads", "must be 1 to 256".to_owned(), mend));
        }
        if self.media.codecs.is_empty() {
            let mend = "Leave it out for [\"pcmu\", \"pcma\"]";
            problems.push(Problem::new("media.codecs", "is empty".to_owned(), mend));
        }
        let limit = self.media.busy_limit_percent;
        if !(1..=95).contains(&limit) {
            let problem = format!("is {limit}, not 1 to 95");
            problems.push(Problem::new("media.busy_limit_percent", problem, "Leave it out for 75"));
        }
        problems
    }

    fn wrong_sip(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(advertised) = self.sip.advertised.as_ref().filter(|text| !is_sent_by(text)) {
            let mend = "Write host:port, for example \"sip.example.com:5060\"";
            problems.push(Problem::new("sip.advertised", format!("is {advertised:?}"), mend));
        }
        let networks = [
            ("sip.trusted_peers", &self.sip.trusted_peers),
            ("sip.edges", &self.sip.edges),
            ("api.metrics_from", &self.api.metrics_from),
        ];
        for (key, list) in networks {
            for network in list.iter().filter(|network| network.parse::<IpNetwork>().is_err()) {
                let mend = "Write address/prefix, for example \"192.0.2.0/24\"";
                problems.push(Problem::new(key, format!("has {network:?}, which is not a network"), mend));
            }
        }
        problems.extend(self.sip.listeners.iter().flat_map(listener::Listener::problems));
        if self.sip.connections_per_address == 0 || self.sip.connections == 0 {
            let problem = "is 0: nobody could connect".to_owned();
            problems.push(Problem::new(
                "sip.connections",
                problem,
                "Leave it out for 20000, 100 of one address",
            ));
        }
        problems
    }

    fn wrong_https(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.api.tls.is_some() && self.api.acme.is_some() {
            let problem = "stands beside [api.tls]".to_owned();
            problems.push(Problem::new("api.acme", problem, "Keep one of the two"));
        }
        if self.api.acme.as_ref().is_some_and(|acme| acme.domains.is_empty()) {
            let mend = "Name this server, for example [\"meet.example.com\"]";
            problems.push(Problem::new("api.acme.domains", "is empty".to_owned(), mend));
        }
        problems
    }

    fn wrong_dialling(&self) -> Vec<Problem> {
        let ring = self.dialling.ring_timeout_s;
        if (5..=300).contains(&ring) {
            return Vec::new();
        }
        let problem = format!("is {ring}, not 5 to 300");
        vec![Problem::new("dialling.ring_timeout_s", problem, "Leave it out for 45 seconds")]
    }

    /// The start of every link, without a slash at its end.
    pub fn base_url(&self) -> String {
        if let Some(url) = &self.api.base_url {
            return url.trim_end_matches('/').to_owned();
        }
        if let Some(domain) = self.api.acme.as_ref().and_then(|acme| acme.domains.first()) {
            return format!("https://{domain}");
        }
        let scheme = if self.api.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.api.listen)
    }

    /// A path of the file: relative ones start at its folder.
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Number of media threads: what the file says, else one less than there are cores.
    pub fn media_threads(&self) -> usize {
        self.media.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
        })
    }

    /// Address of the browsers' port on media thread 0.
    pub fn webrtc_listen(&self) -> SocketAddr {
        self.media.webrtc_listen.unwrap_or_else(|| SocketAddr::new(self.sip.listen.ip(), 8443))
    }

    /// Address browsers are told to send to.
    pub fn webrtc_advertised(&self) -> IpAddr {
        self.media.webrtc_advertised.unwrap_or_else(|| self.webrtc_listen().ip())
    }

    /// Address the RTP sockets are bound to.
    pub fn rtp_address(&self) -> IpAddr {
        self.media.rtp_address.unwrap_or_else(|| self.sip.listen.ip())
    }

    /// Address phones are told to send RTP to.
    pub fn rtp_advertised(&self) -> IpAddr {
        self.media.rtp_advertised.unwrap_or_else(|| self.rtp_address())
    }

    /// Time until an unanswered call is cancelled.
    pub fn ring_timeout(&self) -> Duration {
        Duration::from_secs(self.dialling.ring_timeout_s)
    }
}

/// Whether a text can stand in Via and Contact: a host, and a port if need be (RFC 3261 section 25.1, `sent-by`).
fn is_sent_by(text: &str) -> bool {
    let uri = Uri::parse(&format!("sip:{text}"));
    matches!(uri, Ok(Uri::Sip(uri)) if uri.user.is_none() && text.chars().all(|c| !";?/".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[sip]\nlisten = \"127.0.0.1:5060\"\n[api]\nlisten = \"127.0.0.1:8080\"\n";

    fn refusal(text: &str) -> String {
        let mistakes = Config::parse(Path::new("x.toml"), text).expect_err("must be refused");
        mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
    }

    #[test]
    fn two_addresses_are_a_configuration() {
        let config = Config::parse(Path::new("x.toml"), SMALLEST).expect("loads");
        assert_eq!(config.base_url(), "http://127.0.0.1:8080");
        assert!(config.media_threads() >= 1);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let message = refusal(&format!("{SMALLEST}[media]\nthread = 1\n"));
        assert!(message.contains("thread") && message.contains("threads"), "{message}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let message = refusal(&SMALLEST.replace("\"127.0.0.1:8080\"", "8080"));
        assert!(message.contains("x.toml:4") && message.contains("listen"), "{message}");
    }

    #[test]
    fn a_wrong_value_names_the_key_and_the_mend() {
        let message = refusal(&format!("{SMALLEST}[media]\nrtp_ports = [9, 8]\n"));
        assert!(message.contains("media.rtp_ports") && message.contains("[20000, 29999]"), "{message}");
        let message = refusal(&SMALLEST.replace("[api]", "trusted_peers = [\"anyone\"]\n[api]"));
        assert!(message.contains("sip.trusted_peers") && message.contains("192.0.2.0/24"), "{message}");
    }

    #[test]
    fn a_listener_on_every_address_needs_an_advertised_one() {
        let message = refusal(&SMALLEST.replace("127.0.0.1:5060", "0.0.0.0:5060"));
        assert!(message.contains("sip.advertised"), "{message}");
        let message = refusal(&SMALLEST.replace("127.0.0.1:5060", "127.0.0.1:0"));
        assert!(message.contains("sip.listen"), "{message}");
        let told =
            SMALLEST.replace("127.0.0.1:5060\"", "0.0.0.0:5060\"\nadvertised = \"sip.example.com:5060\"");
        let message = refusal(&told);
        assert!(message.contains("media.rtp_advertised"), "{message}");
        let media = "[media]\nrtp_advertised = \"192.0.2.1\"\nwebrtc_advertised = \"192.0.2.1\"\n";
        Config::parse(Path::new("x.toml"), &format!("{told}{media}")).expect("complete");
        let message = refusal(&told.replace("sip.example.com:5060", "sip.example.com/x"));
        assert!(message.contains("sip.advertised") || message.contains("media"), "{message}");
    }

    #[test]
    fn an_advertised_address_is_a_host_and_a_port() {
        for good in ["sip.example.com", "sip.example.com:5060", "192.0.2.1:5061", "[2001:db8::1]:5060"] {
            assert!(is_sent_by(good), "{good}");
        }
        for bad in
            ["", "a b", "sip.example.com/x", "user@example.com", "example.com;lr", "example.com:x", "::1"]
        {
            assert!(!is_sent_by(bad), "{bad}");
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let message = Config::load(Path::new("/nonexistent/x.toml")).expect_err("refused")[0].to_string();
        assert!(message.contains("/nonexistent/x.toml") && message.contains("--config"), "{message}");
    }

    #[test]
    fn every_file_in_configs_loads() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
        let mut loaded = 0;
        for entry in std::fs::read_dir(folder).expect("configs") {
            let path = entry.expect("entry").path();
            Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
            loaded += 1;
        }
        assert!(loaded >= 2);
    }
}
