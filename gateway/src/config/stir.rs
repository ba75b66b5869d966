//! Section `[stir]`: signing the numbers of calls that go out, and checking those of calls that come in (STIR/SHAKEN).

use super::Problem;
use serde::Deserialize;
use sip_core::message::Host;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Section `[stir]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stir {
    /// Signs calls to all trunks that have nothing of their own.
    pub sign: Option<Signing>,
    /// Signs calls to the trunk with this host.
    pub trunk: BTreeMap<String, Signing>,
    /// Folder of PEM files: the authorities that are believed, and certificates of signers, looked for by the last part of
    /// their URL, which are then not fetched. Without it calls that come in are not checked.
    pub trust: Option<PathBuf>,
    /// Whether certificates that are not in the folder are fetched from where the signer says, by HTTPS and from the public
    /// internet only.
    pub fetch: bool,
    /// How old a signature may be, in seconds (RFC 8224 section 4.1 says 60).
    pub freshness_s: Option<u64>,
}

/// What signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// PEM file of the private key: P-256, PKCS #8.
    pub key: PathBuf,
    /// Where others fetch the certificate.
    pub x5u: String,
}

impl Stir {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let all = self.sign.iter().chain(self.trunk.values());
        for signing in all.filter(|signing| !is_reference(&signing.x5u)) {
            let problem = format!("is {:?}, which is no https URL", signing.x5u);
            problems.push(Problem::new(
                "stir.sign.x5u",
                problem,
                "Write https://HOST/PATH of the certificate",
            ));
        }
        for host in self.trunk.keys().filter(|host| Host::parse(host).is_err()) {
            let problem = format!("has {host:?}, which is no host");
            problems.push(Problem::new(
                "stir.trunk",
                problem,
                "Write the host of a trunk, as in its settings",
            ));
        }
        if self.fetch && self.trust.is_none() {
            let problem = "is on, but nobody is believed".to_owned();
            problems.push(Problem::new(
                "stir.fetch",
                problem,
                "Name the folder of authorities in stir.trust",
            ));
        }
        problems
    }
}

/// It stands in a header field between angle brackets.
fn is_reference(url: &str) -> bool {
    url.starts_with("https://")
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte))
}
