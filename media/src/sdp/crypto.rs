//! Keys for SRTP in SDP (RFC 4568), offered beside plain RTP where that is allowed (RFC 8643).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::srtp::{MasterKey, Suite};

/// Whether a leg's media is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SrtpPolicy {
    /// Never: encrypted media is refused.
    #[default]
    Off,
    /// Where the other side can.
    Prefer,
    /// Always: a side that cannot is refused with 488.
    Require,
}

/// What our keys of one session are drawn from: 256 bits of true randomness. Never shown.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct KeySeed(pub [u8; 32]);

impl fmt::Debug for KeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySeed(..)")
    }
}

impl KeySeed {
    /// Our key for a suite; the same each time, so that an offer made again changes no keys.
    pub(super) fn key(&self, suite: Suite) -> Option<MasterKey> {
        let mut random = ChaCha20Rng::from_seed(self.0);
        let (key, salt) = suite.lengths();
        Suite::ALL.into_iter().find_map(|known| {
            let mut bytes = [0; MasterKey::MAX];
            random.fill_bytes(&mut bytes);
            (known == suite).then(|| MasterKey::new(suite, bytes.get(..key + salt)?)).flatten()
        })
    }
}

/// One usable `a=crypto` line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) suite: Suite,
    pub(super) key: MasterKey,
}

impl Crypto {
    /// Reads what stands behind `a=crypto:`. `None` for what we cannot do: unknown suites, several keys, master key
    /// identifiers, session parameters that change the protection.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let is_tag = |tag: &&str| tag.len() <= 9 && tag.bytes().all(|b| b.is_ascii_digit());
        let tag = fields.next().filter(is_tag)?.parse().ok()?;
        let name = fields.next()?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name() == name)?;
        let parameters = fields.next()?.strip_prefix("inline:")?;
        // A parameter with `-` before it need not be understood (RFC 4568 section 6.3.7).
        let is_harmless = |parameter: &str| parameter.starts_with("WSH=") || parameter.starts_with('-');
        if parameters.contains(';') || !fields.all(is_harmless) {
            return None;
        }
        let mut parts = parameters.split('|');
        let bytes = STANDARD.decode(parts.next()?).ok()?;
        if !parts.next().is_none_or(is_lifetime) || parts.next().is_some() {
            return None; // a master key identifier, or nothing known
        }
        Some(Self { tag, suite, key: MasterKey::new(suite, &bytes)? })
    }

    /// The whole line.
    pub(super) fn line(&self) -> String {
        let (tag, name) = (self.tag, self.suite.name());
        format!("a=crypto:{tag} {name} inline:{}\r\n", STANDARD.encode(self.key.bytes()))
    }

    /// What we offer.
    pub(super) fn offered(seed: &KeySeed) -> impl Iterator<Item = Self> {
        (1..).zip(Suite::ALL).filter_map(|(tag, suite)| Some(Self { tag, suite, key: seed.key(suite)? }))
    }
}

/// Whether these are packets a key may be used for: a number or a power of two, at most 2^48 (RFC 4568 section 6.1).
/// Nobody talks that long.
fn is_lifetime(text: &str) -> bool {
    let number =
        |digits: &str, most: u64| digits.parse().is_ok_and(|number: u64| (1..=most).contains(&number));
    match text.strip_prefix("2^") {
        Some(power) => number(power, 48),
        None => number(text, 1 << 48),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn d22_lines_that_can_be_used_and_lines_that_cannot() {
        for (line, usable) in [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), true),
            (format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20 WSH=64"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"), false),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), false),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned(), false),
            (format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (String::new(), false),
        ] {
            assert_eq!(Crypto::parse(&line).is_some(), usable, "{line}");
        }
    }

    #[test]
    fn d22_what_is_offered_is_read_back_and_each_suite_has_its_own_key() {
        let seed = KeySeed([7; 32]);
        let offered: Vec<Crypto> = Crypto::offered(&seed).collect();
        assert_eq!(offered.len(), 4);
        for crypto in &offered {
            let line = crypto.line();
            let read = Crypto::parse(line.trim_end().strip_prefix("a=crypto:").unwrap()).unwrap();
            assert_eq!((read.tag, read.suite, read.key), (crypto.tag, crypto.suite, crypto.key));
        }
        assert_ne!(offered[2].key.bytes(), offered[3].key.bytes());
        assert!(!format!("{seed:?}{offered:?}").contains('7'), "keys are not shown");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,100}") {
            let _ = Crypto::parse(&text);
        }
    }
}
