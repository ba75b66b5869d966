//! What can be set of a trunk beside its address and account.

use serde::{Deserialize, Serialize};

/// By which transport a trunk is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrunkTransport {
    /// Datagrams, whatever the size of a request.
    #[default]
    Udp,
    /// A connection.
    Tcp,
    /// A connection under TLS; the certificate must bear the name of the peer, or `host` where the peer is an address.
    Tls,
    /// What the name servers say of the peer (RFC 3263); large requests go by TCP.
    Auto,
}

/// How numbers are written towards a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrunkNumberFormat {
    /// `+12025550100`.
    #[default]
    E164,
    /// `12025550100`.
    E164WithoutPlus,
    /// As people dial in the tenant's country.
    National,
}

/// In which header field a trunk is told who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrunkPaiFormat {
    /// P-Asserted-Identity.
    #[default]
    Pai,
    /// Remote-Party-ID.
    Rpid,
    /// From alone.
    None,
}

/// In which header field a trunk is told which number has sent a call on to another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrunkDiversion {
    /// In none.
    #[default]
    None,
    /// Diversion (RFC 5806).
    Diversion,
    /// History-Info (RFC 7044).
    HistoryInfo,
}

/// What stands in the user part of From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrunkFromFormat {
    /// The caller's number.
    #[default]
    Number,
    /// The account the trunk knows us by.
    Account,
}

/// Whether the sound of a trunk's calls is encrypted (SDES-SRTP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrunkSrtp {
    /// Never.
    #[default]
    Off,
    /// If the trunk can.
    Optional,
    /// Always; a call without is refused.
    Required,
}

/// Everything else. Each field has a default, so that old rows read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrunkSettings {
    /// See [`TrunkTransport`].
    pub transport: TrunkTransport,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among trunks of one priority, the share of the calls.
    pub weight: u16,
    /// Calls from the trunk at once; 0 is no limit.
    pub max_in: u32,
    /// Calls to the trunk at once; 0 is no limit.
    pub max_out: u32,
    /// Calls in both directions at once; 0 is no limit.
    pub max_total: u32,
    /// Calls a second to the trunk; 0 is no limit.
    pub calls_per_second: u32,
    /// See [`TrunkNumberFormat`].
    pub number_format: TrunkNumberFormat,
    /// See [`TrunkPaiFormat`].
    pub pai_format: TrunkPaiFormat,
    /// See [`TrunkFromFormat`].
    pub from_format: TrunkFromFormat,
    /// See [`TrunkDiversion`].
    pub diversion: TrunkDiversion,
    /// See [`TrunkSrtp`].
    pub srtp: TrunkSrtp,
    /// Names of the codecs offered, the best liked first; empty is all there are.
    pub codecs: Vec<String>,
    /// Whether its callers are brought to one loudness; none: as the configuration says.
    pub even_loudness: Option<bool>,
    /// Whether noise is taken out of its callers' voices.
    pub suppress_noise: bool,
    /// Whether it is asked by OPTIONS, every eight seconds, if it is there.
    pub probe: bool,
    /// Whether calls go to it and come from it.
    pub enabled: bool,
}

impl Default for TrunkSettings {
    fn default() -> Self {
        Self {
            transport: TrunkTransport::default(),
            priority: 10,
            weight: 10,
            max_in: 0,
            max_out: 0,
            max_total: 0,
            calls_per_second: 0,
            number_format: TrunkNumberFormat::default(),
            pai_format: TrunkPaiFormat::default(),
            from_format: TrunkFromFormat::default(),
            diversion: TrunkDiversion::default(),
            srtp: TrunkSrtp::default(),
            codecs: Vec::new(),
            even_loudness: None,
            suppress_noise: false,
            probe: true,
            enabled: true,
        }
    }
}
