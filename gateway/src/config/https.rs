//! Sections `[api.tls]` and `[api.acme]`: browsers give no microphone to a page that did not come by HTTPS.

use serde::Deserialize;
use std::path::PathBuf;

/// Section `[api.tls]`: a certificate from files, read again on SIGHUP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file of the certificate and its chain, relative to the configuration file.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
}

/// Section `[api.acme]`: a certificate fetched and renewed by ACME (RFC 8555) with the TLS-ALPN-01 challenge (RFC 8737)
/// on `api.listen`, which the world must reach at port 443.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// The names of this server.
    pub domains: Vec<String>,
    /// Mail address told to the authority.
    pub contact: Option<String>,
    /// The authority's directory.
    #[serde(default = "lets_encrypt")]
    pub directory: String,
    /// PEM file of the certificate that signed the directory's own one; the system's certificates if absent.
    pub directory_ca: Option<PathBuf>,
}

fn lets_encrypt() -> String {
    "https://acme-v02.api.letsencrypt.org/directory".to_owned()
}
