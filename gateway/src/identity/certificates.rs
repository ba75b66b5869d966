//! Whose signatures are believed: authorities and certificates from a folder, and certificates fetched from where signers say,
//! in a cache that forgets.

use super::passport::Token;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Most certificates of strangers that are remembered, failures included.
const CACHED: usize = 1_000;
/// How long a fetched certificate is good for (RFC 8224 section 9 leaves it to us; SHAKEN's change within days).
const KEPT: u64 = 24 * 3_600;
/// How long a failed fetch is not tried again.
const FAILED: u64 = 60;
/// Certificates of one chain.
const CHAIN: usize = 8;

/// The signer's certificate and what lies between it and an authority.
pub(crate) type Chain = Vec<CertificateDer<'static>>;

/// All that is believed.
#[derive(Default)]
pub(crate) struct Certificates {
    anchors: Vec<TrustAnchor<'static>>,
    local: BTreeMap<String, Arc<Chain>>,
    fetched: BTreeMap<String, (u64, Option<Arc<Chain>>)>,
}

/// What is known of a certificate.
pub(crate) enum Found {
    Here(Arc<Chain>),
    /// It could not be had lately.
    Failed,
    Unknown,
}

/// Reads the certificates of a PEM text.
pub(crate) fn chain_of(pem: &[u8]) -> Option<Chain> {
    let chain: Result<Chain, _> = CertificateDer::pem_slice_iter(pem).take(CHAIN).collect();
    chain.ok().filter(|chain| !chain.is_empty())
}

impl Certificates {
    /// The files of the folder are the authorities, those of its folder `signers` the chains of signers.
    pub(crate) fn load(folder: &Path) -> Result<Self, String> {
        let mut all = Self::default();
        for (_, chain) in read_folder(folder)? {
            let anchors = chain.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok());
            all.anchors.extend(anchors.map(|anchor| anchor.to_owned()));
        }
        if all.anchors.is_empty() {
            return Err(format!("{}: holds no certificate of an authority in PEM", folder.display()));
        }
        let signers = folder.join("signers");
        if signers.is_dir() {
            all.local =
                read_folder(&signers)?.into_iter().map(|(name, chain)| (name, Arc::new(chain))).collect();
        }
        Ok(all)
    }

    /// The certificate that a token names.
    pub(crate) fn find(&self, x5u: &str, now: u64) -> Found {
        let name = x5u.rsplit('/').next().unwrap_or_default();
        if let Some(chain) = self.local.get(name) {
            return Found::Here(chain.clone());
        }
        match self.fetched.get(x5u) {
            Some((until, Some(chain))) if *until > now => Found::Here(chain.clone()),
            Some((until, None)) if *until > now => Found::Failed,
            Some(_) | None => Found::Unknown,
        }
    }

    /// What a fetch has brought. The table stays bounded: what would be forgotten first gives way.
    pub(crate) fn keep(&mut self, x5u: String, chain: Option<Chain>, now: u64) {
        self.fetched.retain(|_, (until, _)| *until > now);
        if self.fetched.len() >= CACHED {
            let first = self.fetched.iter().min_by_key(|(_, (until, _))| *until).map(|(url, _)| url.clone());
            first.and_then(|url| self.fetched.remove(&url));
        }
        let until = now + if chain.is_some() { KEPT } else { FAILED };
        self.fetched.insert(x5u, (until, chain.map(Arc::new)));
    }

    /// Whether the certificate leads to an authority now, and its key has made the signature.
    pub(crate) fn check(&self, token: &Token, chain: &Chain, now: u64) -> Result<(), &'static str> {
        let (leaf, between) = chain.split_first().ok_or("there is no certificate")?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| "the certificate cannot be read")?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        // Certificates of SHAKEN name no usage; one made for servers alone is none of them.
        leaf.verify_for_usage(
            &[webpki::ring::ECDSA_P256_SHA256, webpki::ring::ECDSA_P384_SHA384],
            &self.anchors,
            between,
            time,
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|_| "the certificate leads to no authority that is believed")?;
        leaf.verify_signature(webpki::ring::ECDSA_P256_SHA256, &token.signed, &token.der_signature())
            .map_err(|_| "the signature is wrong")
    }
}

fn read_folder(folder: &Path) -> Result<Vec<(String, Chain)>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        if path.is_file()
            && let Some(chain) = std::fs::read(&path).ok().and_then(|pem| chain_of(&pem))
        {
            found.push((name, chain));
        }
    }
    Ok(found)
}
