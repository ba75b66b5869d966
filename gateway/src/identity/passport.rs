//! PASSporT (RFC 8225) with the claims of SHAKEN (RFC 8588), signed by ES256 and carried in Identity (RFC 8224).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde::Deserialize;
use sip_core::ua::Attestation;

/// Longest Identity value that is looked at.
const LONGEST: usize = 4_096;

/// What is signed about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) attestation: Attestation,
    /// Digits alone.
    pub(crate) from: String,
    /// Digits alone.
    pub(crate) to: Vec<String>,
    /// When it was signed, in seconds of Unix time.
    pub(crate) signed_at: u64,
    /// Opaque, unique; a UUID.
    pub(crate) origin: String,
}

/// A number as it is signed (RFC 8224 section 8.3): its digits, without plus and separators. `None` if it is no number.
pub(crate) fn canonical(number: &str) -> Option<String> {
    let seen: String = number.chars().filter(|char| !"+-.() ".contains(*char)).collect();
    let digits = (3..=15).contains(&seen.len()) && seen.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(seen)
}

/// Signs.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    x5u: String,
    random: SystemRandom,
}

impl Signer {
    /// `pkcs8` is the private key in DER.
    pub(crate) fn new(pkcs8: &[u8], x5u: &str) -> Result<Self, String> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
            .map_err(|error| format!("is no P-256 key in PKCS #8 ({error})"))?;
        Ok(Self { key, x5u: x5u.to_owned(), random })
    }

    /// The value of the Identity header field.
    pub(crate) fn sign(&self, claims: &Claims) -> Option<String> {
        // RFC 8225 section 9: keys in lexicographic order, no white space. All that stands here is plain text without quotes.
        let header = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{}"}}"#, self.x5u);
        let to: Vec<String> = claims.to.iter().map(|number| format!("\"{number}\"")).collect();
        let payload = format!(
            r#"{{"attest":"{}","dest":{{"tn":[{}]}},"iat":{},"orig":{{"tn":"{}"}},"origid":"{}"}}"#,
            claims.attestation.as_str(),
            to.join(","),
            claims.signed_at,
            claims.from,
            claims.origin
        );
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.key.sign(&self.random, signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Some(format!("{signed}.{signature};info=<{}>;alg=ES256;ppt=\"shaken\"", self.x5u))
    }
}

/// A token taken apart, its signature not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) claims: Claims,
    /// Where the signer's certificate is.
    pub(crate) x5u: String,
    /// The bytes that are signed.
    pub(crate) signed: Vec<u8>,
    /// r and s, 32 bytes each.
    pub(crate) signature: [u8; 64],
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    ppt: Option<String>,
    typ: String,
    x5u: String,
}

#[derive(Deserialize)]
struct Payload {
    attest: String,
    dest: Dest,
    iat: u64,
    orig: Orig,
    origid: String,
}

#[derive(Deserialize)]
struct Dest {
    #[serde(default)]
    tn: Vec<String>,
}

#[derive(Deserialize)]
struct Orig {
    tn: String,
}

impl Token {
    /// Reads the value of an Identity header field. `Ok(None)`: a token of another kind (`div`, `rph`), which says nothing
    /// about the caller.
    ///
    /// # Errors
    /// In words, when it is none.
    pub(crate) fn read(value: &str) -> Result<Option<Self>, &'static str> {
        if value.len() > LONGEST {
            return Err("the token is too long");
        }
        let (token, params) = value.split_once(';').ok_or("info is missing")?;
        let mut parts = token.trim().split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token has not three parts");
        };
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part is no base64url");
        let read: Header =
            serde_json::from_slice(&decoded(header)?).map_err(|_| "the header cannot be read")?;
        if read.typ != "passport" || read.alg != "ES256" {
            return Err("typ or alg is another one");
        }
        if read.ppt.as_deref() != Some("shaken") {
            return Ok(None);
        }
        let info = params.split(';').find_map(|param| param.trim().strip_prefix("info="));
        let info = info.and_then(|info| info.trim().strip_prefix('<')?.strip_suffix('>'));
        if info != Some(read.x5u.as_str()) {
            return Err("info and x5u differ");
        }
        let claims: Payload =
            serde_json::from_slice(&decoded(payload)?).map_err(|_| "the claims cannot be read")?;
        let attestation = Attestation::parse(&claims.attest).ok_or("attest is none of A, B, C")?;
        let signature = decoded(signature)?.try_into().map_err(|_| "the signature has not 64 bytes")?;
        Ok(Some(Self {
            claims: Claims {
                attestation,
                from: canonical(&claims.orig.tn).ok_or("orig is no number")?,
                to: claims.dest.tn.iter().filter_map(|number| canonical(number)).collect(),
                signed_at: claims.iat,
                origin: claims.origid,
            },
            x5u: read.x5u,
            signed: format!("{header}.{payload}").into_bytes(),
            signature,
        }))
    }

    /// Whether this is about that call, at this time.
    pub(crate) fn fits(&self, from: &str, to: &str, now: u64, freshness: u64) -> Result<(), &'static str> {
        if now.abs_diff(self.claims.signed_at) > freshness {
            return Err("iat is too old or in the future");
        }
        if canonical(from).as_deref() != Some(self.claims.from.as_str()) {
            return Err("orig is another caller");
        }
        match canonical(to) {
            Some(to) if self.claims.to.contains(&to) => Ok(()),
            Some(_) | None => Err("dest is another number"),
        }
    }

    /// The signature as certificates' verifiers want it: a DER sequence of two integers.
    pub(crate) fn der_signature(&self) -> Vec<u8> {
        let (r, s) = self.signature.split_at(32);
        let body = [integer(r), integer(s)].concat();
        // At most 2 x 35 bytes: one byte holds the length.
        let mut der = vec![0x30, u8::try_from(body.len()).unwrap_or(0)];
        der.extend(body);
        der
    }
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or_else(|| bytes.len().saturating_sub(1));
    let digits = bytes.get(first..).unwrap_or_default();
    let mut content = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    let mut der = vec![0x02, u8::try_from(content.len()).unwrap_or(0)];
    der.extend(content);
    der
}
