//! The digest itself, RFC 7616 section 3.4.

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::message::Method;

/// A hash that a digest is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// For old phones; the default where no algorithm is named.
    Md5,
    /// RFC 8760.
    Sha256,
}

impl DigestAlgorithm {
    /// The algorithm of this name; `None` for those not supported (`-sess`, SHA-512-256).
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The hash of a text in hexadecimal.
    pub fn hex(self, text: &str) -> String {
        match self {
            Self::Md5 => to_hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => to_hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

/// H(user:realm:password) in hexadecimal: all that has to be stored of a password.
pub fn ha1(algorithm: DigestAlgorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.hex(&format!("{user}:{realm}:{password}"))
}

/// [`ha1`] with MD5 as bytes, as it is stored.
pub fn ha1_md5(user: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{user}:{realm}:{password}").as_bytes()).into()
}

/// [`ha1`] with SHA-256 as bytes, as it is stored.
pub fn ha1_sha256(user: &str, realm: &str, password: &str) -> [u8; 32] {
    Sha256::digest(format!("{user}:{realm}:{password}").as_bytes()).into()
}

/// Everything a digest response depends on beside HA1.
#[derive(Debug, Clone, Copy)]
pub struct DigestInput<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// The digest-uri.
    pub uri: &'a str,
    /// The server's nonce.
    pub nonce: &'a str,
    /// `nc` and `cnonce` of `qop=auth`; `None` for RFC 2069 peers.
    pub auth: Option<(&'a str, &'a str)>,
}

impl DigestInput<'_> {
    /// The response in hexadecimal.
    pub fn response(&self, algorithm: DigestAlgorithm, ha1: &str) -> String {
        let ha2 = algorithm.hex(&format!("{}:{}", self.method, self.uri));
        match self.auth {
            Some((nc, cnonce)) => algorithm.hex(&format!("{ha1}:{}:{nc}:{cnonce}:auth:{ha2}", self.nonce)),
            None => algorithm.hex(&format!("{ha1}:{}:{ha2}", self.nonce)),
        }
    }
}

/// Lower-case hexadecimal.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1; the method there is GET.
    #[test]
    fn agrees_with_the_examples_of_rfc_7616() {
        for (algorithm, expected) in [
            (DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (DigestAlgorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
            let input = DigestInput {
                method: &Method::Other("GET".into()),
                uri: "/dir/index.html",
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                auth: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
            };
            assert_eq!(input.response(algorithm, &ha1), expected);
        }
    }

    #[test]
    fn the_stored_hashes_are_those_of_the_digest() {
        assert_eq!(to_hex(&ha1_md5("u", "r", "p")), ha1(DigestAlgorithm::Md5, "u", "r", "p"));
        assert_eq!(to_hex(&ha1_sha256("u", "r", "p")), ha1(DigestAlgorithm::Sha256, "u", "r", "p"));
    }
}
