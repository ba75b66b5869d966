//! Fingerprints of certificates (RFC 8122).

use std::fmt;

use ring::digest;

/// A hash that may stand in `a=fingerprint`. Older ones than these are too weak to be believed (RFC 8122 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// `sha-256`: what everybody knows.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// What a certificate hashes to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Fingerprint {
    hash: Hash,
    bytes: [u8; Self::MAX],
}

impl Fingerprint {
    /// Bytes of the longest.
    const MAX: usize = 64;

    /// That of a certificate in DER.
    #[must_use]
    pub fn of(hash: Hash, certificate: &[u8]) -> Self {
        let digest = digest::digest(hash.algorithm(), certificate);
        let mut bytes = [0; Self::MAX];
        bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self { hash, bytes }
    }

    /// Reads what stands behind `a=fingerprint:`; `None` for hashes we do not believe.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(' ')?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let mut bytes = [0; Self::MAX];
        let mut pairs = digits.trim().split(':');
        for to in bytes.get_mut(..hash.algorithm().output_len())? {
            let pair = pairs.next().filter(|pair| pair.len() == 2)?;
            *to = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self { hash, bytes })
    }

    /// Whether it is this certificate's.
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        *self == Self::of(self.hash, certificate)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        let length = self.hash.algorithm().output_len();
        for (index, byte) in self.bytes.iter().take(length).enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_and_weak_hashes_are_not() {
        for hash in Hash::ALL {
            let made = Fingerprint::of(hash, b"a certificate");
            assert_eq!(Fingerprint::parse(&made.to_string()), Some(made));
            assert_eq!(Fingerprint::parse(&made.to_string().to_lowercase()), Some(made));
            assert!(made.is_of(b"a certificate") && !made.is_of(b"another"));
            let text = made.to_string();
            assert_eq!(Fingerprint::parse(&text[..text.len() - 3]), None, "one byte short");
            assert_eq!(Fingerprint::parse(&format!("{text}:00")), None, "one too long");
        }
        assert_eq!(
            Fingerprint::parse("sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"),
            None
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,120}") {
            let _ = Fingerprint::parse(&text);
        }
    }
}
