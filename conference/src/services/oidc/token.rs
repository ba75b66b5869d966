//! ID tokens: JSON Web Tokens (RFC 7519) signed by the identity provider (RFC 7515), checked as OpenID Connect Core 1.0
//! section 3.1.3.7 says.
//!
//! The signature is checked first, with a key of the provider's own set and an algorithm that fits that key. `none` and the
//! HMAC family are no algorithms here: the first proves nothing, the second would take a public key for a secret.

use crate::vocabulary::UnixMillis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// The longest token looked at.
const TOKEN_MAX: usize = 16 * 1024;
/// How far the provider's clock may be off, in seconds.
const LEEWAY_SECONDS: u64 = 60;
/// How old a token may be, in seconds: it is fetched the moment it is used.
const AGE_SECONDS: u64 = 600;

/// Why a token is not believed. For the log: the outside is told that the login failed, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or too long.
    #[error("not a signed token")]
    Malformed,
    /// An algorithm that is not taken, or not the key's.
    #[error("the algorithm is not one of those taken")]
    Algorithm,
    /// No key of the provider's set has this identifier.
    #[error("signed by a key that is not the provider's")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    Signature,
    /// Issued by somebody else.
    #[error("issued by somebody else")]
    Issuer,
    /// Meant for somebody else.
    #[error("meant for somebody else")]
    Audience,
    /// Not valid now.
    #[error("expired, not yet valid, or too old")]
    Time,
    /// The answer to another login.
    #[error("the answer to another login")]
    Nonce,
}

/// One key of the provider's set (RFC 7517).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

/// The provider's keys.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515 section 4.1.11); none is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// One or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What the provider says of whoever logged in.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    iat: u64,
    #[serde(default)]
    nbf: Option<u64>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<bool>,
}

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: UnixMillis,
}

/// Who logged in at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) subject: String,
    /// Only if the provider has verified it.
    pub(super) mail: Option<String>,
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

/// Checks an ID token.
pub(super) fn check(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Subject, TokenError> {
    if token.len() > TOKEN_MAX {
        return Err(TokenError::Malformed);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, mark] = parts[..] else { return Err(TokenError::Malformed) };
    let signed = token.get(..header.len() + 1 + claims.len()).ok_or(TokenError::Malformed)?;
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| TokenError::Malformed)?;
    if header.crit.is_some() {
        return Err(TokenError::Algorithm);
    }
    keys.verify(&header, signed.as_bytes(), &decoded(mark)?)?;
    let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| TokenError::Malformed)?;
    claims.check(expected)
}

impl Claims {
    fn check(self, expected: &Expected<'_>) -> Result<Subject, TokenError> {
        if self.iss != expected.issuer {
            return Err(TokenError::Issuer);
        }
        let alone = match &self.aud {
            Audience::One(client) => client == expected.client,
            Audience::Several(clients) => matches!(&clients[..], [client] if client == expected.client),
        };
        // Among several audiences the token is ours only if it was issued to us.
        let among = match &self.aud {
            Audience::Several(clients) => clients.iter().any(|client| client == expected.client),
            Audience::One(_) => false,
        };
        let ours = self.azp.as_deref().map_or(alone, |party| party == expected.client && (alone || among));
        if !ours {
            return Err(TokenError::Audience);
        }
        let now = expected.now.0 / 1000;
        let begun = self.nbf.unwrap_or(0).max(self.iat) <= now + LEEWAY_SECONDS;
        let running = self.exp.saturating_add(LEEWAY_SECONDS) > now;
        let fresh = self.iat.saturating_add(AGE_SECONDS) > now;
        if !(begun && running && fresh) {
            return Err(TokenError::Time);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(TokenError::Nonce);
        }
        if self.sub.is_empty() || self.sub.len() > 255 {
            return Err(TokenError::Malformed);
        }
        let mail = self.email.filter(|_| self.email_verified == Some(true)).map(|mail| mail.to_lowercase());
        Ok(Subject { subject: self.sub, mail })
    }
}

impl Keys {
    /// Checks the signature with the key that the header names, or with every key that fits if it names none.
    fn verify(&self, header: &Header, signed: &[u8], mark: &[u8]) -> Result<(), TokenError> {
        if algorithm(&header.alg).is_none() {
            return Err(TokenError::Algorithm);
        }
        let named = |key: &&Key| header.kid.is_none() || key.kid == header.kid;
        let candidates: Vec<&Key> = self.keys.iter().filter(named).collect();
        if candidates.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        let fits = |key: &&&Key| {
            key.usage.as_deref().is_none_or(|usage| usage == "sig")
                && key.alg.as_deref().is_none_or(|alg| alg == header.alg)
                && key.is_of(&header.alg)
        };
        let mut fitting = candidates.iter().filter(fits).peekable();
        if fitting.peek().is_none() {
            return Err(TokenError::Algorithm);
        }
        let good = |key: &&Key| key.verify(&header.alg, signed, mark).is_some();
        if fitting.any(good) { Ok(()) } else { Err(TokenError::Signature) }
    }

    /// Whether a key has this identifier, so that the set need not be fetched anew.
    pub(super) fn know(&self, token: &str) -> bool {
        let header = token.split('.').next().and_then(|part| decoded(part).ok());
        let header = header.and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
        header.is_none_or(|header| header.kid.is_none() || self.keys.iter().any(|key| key.kid == header.kid))
    }
}

/// The family and curve of an algorithm that is taken.
fn algorithm(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    match name {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => Some(("RSA", None)),
        "ES256" => Some(("EC", Some("P-256"))),
        "ES384" => Some(("EC", Some("P-384"))),
        "EdDSA" => Some(("OKP", Some("Ed25519"))),
        _ => None,
    }
}

impl Key {
    fn is_of(&self, name: &str) -> bool {
        algorithm(name).is_some_and(|(family, curve)| {
            self.kty == family && curve.is_none_or(|curve| self.crv.as_deref() == Some(curve))
        })
    }

    fn verify(&self, name: &str, signed: &[u8], mark: &[u8]) -> Option<()> {
        let part = |text: &Option<String>| decoded(text.as_deref()?).ok();
        let rsa: &signature::RsaParameters = match name {
            "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
            "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
            "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
            "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
            "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
            "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
            "EdDSA" => {
                let key = UnparsedPublicKey::new(&signature::ED25519, part(&self.x)?);
                return key.verify(signed, mark).ok();
            }
            "ES256" | "ES384" => {
                let curve: &signature::EcdsaVerificationAlgorithm = if name == "ES256" {
                    &signature::ECDSA_P256_SHA256_FIXED
                } else {
                    &signature::ECDSA_P384_SHA384_FIXED
                };
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [vec![4], part(&self.x)?, part(&self.y)?].concat();
                return UnparsedPublicKey::new(curve, point).verify(signed, mark).ok();
            }
            _ => return None,
        };
        RsaPublicKeyComponents { n: part(&self.n)?, e: part(&self.e)? }.verify(rsa, signed, mark).ok()
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
