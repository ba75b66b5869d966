//! Challenging phones and checking their answers.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use super::digest::{DigestAlgorithm, DigestInput, to_hex};
use super::nonce::{NonceState, Nonces};
use crate::message::header::{Challenge, DigestCredentials};
use crate::message::{Method, Uri};
use crate::random::Random;

/// What is stored of an account: its realm and the hashes of its password.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The realm the hashes were made with.
    pub realm: &'a str,
    /// The user name the hashes were made with.
    pub user: &'a str,
    /// H(user:realm:password) with MD5.
    pub ha1_md5: &'a [u8; 16],
    /// The same with SHA-256, if known.
    pub ha1_sha256: Option<&'a [u8; 32]>,
}

/// What became of an answer to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password was right and the nonce count new.
    Accepted {
        /// How long the client took to answer the challenge, if this is the first use of its nonce: the way there and
        /// back and the reckoning of a digest, to a millisecond.
        answered_in: Option<Duration>,
    },
    /// Ask (again).
    Challenge {
        /// The nonce was none of ours, too old or used up: the client is to try again without asking its user.
        stale: bool,
    },
    /// A wrong password, or an unknown user: both look the same (403).
    Forbidden,
    /// A digest for another request, or parameters that make no sense (400).
    Malformed,
}

/// Issues challenges and checks answers.
#[derive(Debug)]
pub struct DigestServer {
    nonces: Nonces,
    random: Random,
}

impl DigestServer {
    /// `nonces` bounds how many nonce counts are remembered.
    pub fn new(seed: [u8; 32], nonces: usize) -> Self {
        let mut random = Random::new(seed);
        Self { nonces: Nonces::new(random.seed(), nonces), random }
    }

    /// A fresh challenge for a client at this address.
    pub fn challenge(&mut self, now: Instant, address: IpAddr, realm: &str, stale: bool) -> Challenge {
        Challenge {
            realm: realm.to_owned(),
            nonce: self.nonces.issue(now, address, &mut self.random),
            opaque: None,
            stale,
            algorithm: Some(DigestAlgorithm::Md5.name().to_owned()),
            qop: vec!["auth".to_owned()],
        }
    }

    /// Checks an answer. For an unknown user give `None`: it takes the same steps and time.
    pub fn check(
        &mut self,
        now: Instant,
        address: IpAddr,
        (method, uri): (&Method, &Uri),
        credentials: &DigestCredentials,
        account: Option<Account<'_>>,
    ) -> Verdict {
        let nonce = self.nonces.check(now, address, &credentials.nonce);
        let qop = credentials.qop.as_deref().is_some_and(|qop| qop.eq_ignore_ascii_case("auth"));
        let count = credentials
            .nc
            .as_deref()
            .filter(|nc| nc.len() == 8)
            .and_then(|nc| u32::from_str_radix(nc, 16).ok());
        let algorithm = DigestAlgorithm::named(credentials.algorithm.as_deref());
        let (Some(algorithm), true, Some(count), Some(cnonce)) = (algorithm, qop, count, &credentials.cnonce)
        else {
            return Verdict::Challenge { stale: false };
        };
        if !same_target(&credentials.uri, uri) {
            return Verdict::Malformed;
        }
        // RFC 7616 section 3.3: stale says that the nonce is not good, and no more. Nothing is looked up, so that
        // nobody learns about a password by it, and nobody can guess in the name of another's address.
        let NonceState::Fresh(id) = nonce else { return Verdict::Challenge { stale: true } };
        let nc = credentials.nc.as_deref().unwrap_or_default();
        let input = DigestInput {
            method,
            uri: &credentials.uri,
            nonce: &credentials.nonce,
            auth: Some((nc, cnonce)),
        };
        if !password_right(algorithm, &input, credentials, account) {
            return Verdict::Forbidden;
        }
        if self.nonces.take_count(now, id, count) {
            Verdict::Accepted { answered_in: (count == 1).then(|| self.nonces.age(now, id)) }
        } else {
            Verdict::Challenge { stale: true }
        }
    }
}

fn password_right(
    algorithm: DigestAlgorithm,
    input: &DigestInput<'_>,
    credentials: &DigestCredentials,
    account: Option<Account<'_>>,
) -> bool {
    let stored = account.and_then(|account| match algorithm {
        DigestAlgorithm::Md5 => Some(to_hex(account.ha1_md5)),
        DigestAlgorithm::Sha256 => account.ha1_sha256.map(|hash| to_hex(hash)),
    });
    let named = account
        .is_some_and(|account| credentials.realm == account.realm && credentials.username == account.user);
    let known = stored.is_some() && named;
    let ha1 = stored.unwrap_or_else(|| "0".repeat(32));
    let expected = input.response(algorithm, &ha1);
    let equal: bool = expected.as_bytes().ct_eq(credentials.response.to_ascii_lowercase().as_bytes()).into();
    equal && known
}

/// Whether the digest-uri names the Request-URI. Clients differ in the parameters they repeat, so those are
/// left out of the comparison; scheme, user, host and port are not.
fn same_target(digest_uri: &str, uri: &Uri) -> bool {
    if digest_uri == uri.to_string() {
        return true;
    }
    let (Ok(Uri::Sip(theirs)), Uri::Sip(ours)) = (Uri::parse(digest_uri), uri) else { return false };
    theirs.secure == ours.secure
        && theirs.user_text() == ours.user_text()
        && theirs.host == ours.host
        && theirs.port == ours.port
}
