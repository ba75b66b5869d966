//! ICE for phones that offer it (RFC 8445, RFC 8839): we are the lite side, which only answers checks.
//!
//! A check counts when it carries our user fragment and was made with our password; nothing else is answered. Where a
//! good check comes from is where the phone's media path is, whatever its description says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit as _, Mac};
use ring::digest;
use sha1::Sha1;

/// Our half of the credentials, which the phone has from our answer. The password is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IceCredentials {
    ufrag: [u8; Self::UFRAG],
    password: [u8; Self::PASSWORD],
}

impl IceCredentials {
    /// Characters of the user fragment: at least four (RFC 8839 section 5.4).
    const UFRAG: usize = 8;
    /// Characters of the password: at least 22.
    const PASSWORD: usize = 24;
    /// What they are made of (`ice-char`): 64 characters, so that every byte gives one without bias.
    const ALPHABET: &'static [u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// Drawn from the secret of a leg and the phone's own credentials: new ones of his, which restart ICE, make new
    /// ones of ours (RFC 8445 section 9), and an offer repeated changes none.
    #[must_use]
    pub fn derive(secret: &[u8; 32], theirs: &str) -> Self {
        let text = |label: &[u8]| {
            let mut context = digest::Context::new(&digest::SHA256);
            [label, secret, theirs.as_bytes()].into_iter().for_each(|part| context.update(part));
            let digest = context.finish();
            let mut characters =
                digest.as_ref().iter().filter_map(|byte| Self::ALPHABET.get(usize::from(byte & 63)));
            std::array::from_fn::<u8, { Self::PASSWORD }, _>(|_| characters.next().copied().unwrap_or(b'0'))
        };
        let mut ufrag = [b'0'; Self::UFRAG];
        ufrag.iter_mut().zip(text(b"user fragment")).for_each(|(to, from)| *to = from);
        Self { ufrag, password: text(b"password") }
    }

    /// `a=ice-ufrag`.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        std::str::from_utf8(&self.ufrag).unwrap_or_default()
    }

    /// `a=ice-pwd`.
    #[must_use]
    pub fn password(&self) -> &str {
        std::str::from_utf8(&self.password).unwrap_or_default()
    }

    fn authentication(&self) -> Option<Hmac<Sha1>> {
        Hmac::new_from_slice(&self.password).ok()
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag()).finish_non_exhaustive()
    }
}

/// A connectivity check made with our credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    transaction: [u8; 12],
    /// The phone has chosen this path (RFC 8445 section 8.1.1).
    pub nominates: bool,
}

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
/// Attributes of a check looked at.
const MAX_ATTRIBUTES: usize = 24;
/// Bytes of MESSAGE-INTEGRITY and of FINGERPRINT, headers included.
const INTEGRITY_LENGTH: usize = 24;
const FINGERPRINT_LENGTH: usize = 8;
/// Longest answer.
pub const MAX_ANSWER: usize = HEADER + 24 + INTEGRITY_LENGTH + FINGERPRINT_LENGTH;

impl Check {
    /// Reads a check; `None` unless it is whole, for us, and made with our password.
    #[must_use]
    pub fn read(credentials: &IceCredentials, datagram: &[u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER)?;
        let length = usize::from(word(header, 2)?);
        let is_request = header.get(..2) == Some(&BINDING_REQUEST) && header.get(4..8) == Some(&COOKIE);
        if !is_request || length != attributes.len() || !length.is_multiple_of(4) {
            return None;
        }
        let mut found = Found::default();
        let mut at = 0;
        for _ in 0..MAX_ATTRIBUTES {
            if at == attributes.len() {
                break;
            }
            let (kind, size) = (word(attributes, at)?, usize::from(word(attributes, at + 2)?));
            let value = attributes.get(at + 4..at + 4 + size)?;
            found.take(credentials, datagram, HEADER + at, kind, value)?;
            at += 4 + size.next_multiple_of(4);
        }
        let is_whole = at == attributes.len() && found.is_for_us && found.is_authentic && found.is_intact;
        is_whole
            .then_some(Self { transaction: header.get(8..20)?.try_into().ok()?, nominates: found.nominates })
    }

    /// Writes the answer to a check that came from `source`; gives its length.
    #[must_use]
    pub fn answer(
        &self,
        credentials: &IceCredentials,
        source: SocketAddr,
        datagram: &mut [u8],
    ) -> Option<usize> {
        let mapped = self.mapped(source);
        let mapped = mapped.bytes.get(..mapped.length)?;
        let integrity_at = HEADER + 4 + mapped.len();
        let length = integrity_at + INTEGRITY_LENGTH + FINGERPRINT_LENGTH;
        let message = datagram.get_mut(..length)?;
        put(message, 0, &BINDING_SUCCESS)?;
        put(message, 4, &COOKIE)?;
        put(message, 8, &self.transaction)?;
        put_attribute(message, HEADER, XOR_MAPPED_ADDRESS, mapped)?;
        put_length(message, integrity_at + INTEGRITY_LENGTH)?;
        let mut authentication = credentials.authentication()?;
        authentication.update(message.get(..integrity_at)?);
        put_attribute(message, integrity_at, MESSAGE_INTEGRITY, &authentication.finalize().into_bytes())?;
        put_length(message, length)?;
        let check = fingerprint(message.get(..length - FINGERPRINT_LENGTH)?);
        put_attribute(message, length - FINGERPRINT_LENGTH, FINGERPRINT, &check.to_be_bytes())?;
        Some(length)
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
    fn mapped(&self, source: SocketAddr) -> Mapped {
        let mask: [u8; 16] = std::array::from_fn(|index| {
            COOKIE.iter().chain(&self.transaction).nth(index).copied().unwrap_or_default()
        });
        let mut mapped = Mapped { bytes: [0; 20], length: 0 };
        let mut push = |byte: u8| {
            if let Some(to) = mapped.bytes.get_mut(mapped.length) {
                *to = byte;
                mapped.length += 1;
            }
        };
        push(0);
        push(if source.is_ipv4() { 1 } else { 2 });
        let port = source.port().to_be_bytes();
        port.iter().zip(mask).for_each(|(byte, mask)| push(byte ^ mask));
        match source.ip() {
            IpAddr::V4(ip) => ip.octets().iter().zip(mask).for_each(|(byte, mask)| push(byte ^ mask)),
            IpAddr::V6(ip) => ip.octets().iter().zip(mask).for_each(|(byte, mask)| push(byte ^ mask)),
        }
        mapped
    }
}

struct Mapped {
    bytes: [u8; 20],
    length: usize,
}

/// What was seen in a check so far.
#[derive(Default)]
struct Found {
    is_for_us: bool,
    is_authentic: bool,
    is_intact: bool,
    nominates: bool,
}

impl Found {
    /// Takes the attribute that begins at `at` of the whole `datagram`; `None` makes the check worthless.
    fn take(
        &mut self,
        credentials: &IceCredentials,
        datagram: &[u8],
        at: usize,
        kind: u16,
        value: &[u8],
    ) -> Option<()> {
        match kind {
            FINGERPRINT => {
                self.is_intact = value == fingerprint(datagram.get(..at)?).to_be_bytes()
                    && at + FINGERPRINT_LENGTH == datagram.len();
            }
            // Nothing but the fingerprint counts behind it (RFC 8489 section 14.5).
            _ if self.is_authentic => {}
            USERNAME => {
                let ours = value.split(|byte| *byte == b':').next();
                self.is_for_us = ours == Some(&credentials.ufrag) && value.len() > credentials.ufrag.len();
            }
            USE_CANDIDATE => self.nominates = true,
            MESSAGE_INTEGRITY => {
                let mut authentication = credentials.authentication()?;
                let covered = u16::try_from(at + INTEGRITY_LENGTH - HEADER).ok()?;
                authentication.update(datagram.get(..2)?);
                authentication.update(&covered.to_be_bytes());
                authentication.update(datagram.get(4..at)?);
                authentication.verify_slice(value).ok()?;
                self.is_authentic = true;
            }
            PRIORITY | 0x8000.. => {}
            // One that must be understood and is not (RFC 8489 section 6.3.1).
            _ => return None,
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn put(message: &mut [u8], at: usize, bytes: &[u8]) -> Option<()> {
    message.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    Some(())
}

/// Writes the length in the header as if the message ended at `end`.
fn put_length(message: &mut [u8], end: usize) -> Option<()> {
    put(message, 2, &u16::try_from(end - HEADER).ok()?.to_be_bytes())
}

fn put_attribute(message: &mut [u8], at: usize, kind: u16, value: &[u8]) -> Option<()> {
    put(message, at, &kind.to_be_bytes())?;
    put(message, at + 2, &u16::try_from(value.len()).ok()?.to_be_bytes())?;
    put(message, at + 4, value)
}

/// CRC-32 of ISO 3309, made different from that of other protocols (RFC 8489 section 14.7).
fn fingerprint(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc ^ 0x5354_554E
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A check as a phone makes it.
    pub(crate) fn check(ufrag: &str, password: &str, nominates: bool) -> Vec<u8> {
        let mut message = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, b"transaction!"].concat();
        let attribute = |message: &mut Vec<u8>, kind: u16, value: &[u8]| {
            message.extend(kind.to_be_bytes());
            message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            message.extend(value);
            message.resize(message.len().next_multiple_of(4), 0);
        };
        attribute(&mut message, USERNAME, format!("{ufrag}:them").as_bytes());
        attribute(&mut message, PRIORITY, &[1, 2, 3, 4]);
        attribute(&mut message, 0x802A, &[7; 8]); // ICE-CONTROLLING
        if nominates {
            attribute(&mut message, USE_CANDIDATE, &[]);
        }
        let end = message.len() + INTEGRITY_LENGTH;
        put_length(&mut message, end).unwrap();
        let mut authentication: Hmac<Sha1> = Hmac::new_from_slice(password.as_bytes()).unwrap();
        authentication.update(&message);
        attribute(&mut message, MESSAGE_INTEGRITY, &authentication.finalize().into_bytes());
        let end = message.len() + FINGERPRINT_LENGTH;
        put_length(&mut message, end).unwrap();
        let crc = fingerprint(&message);
        attribute(&mut message, FINGERPRINT, &crc.to_be_bytes());
        message
    }

    fn credentials() -> IceCredentials {
        IceCredentials::derive(&[9; 32], "them")
    }

    #[test]
    fn m5_checks_with_our_credentials_are_read_and_no_others() {
        let ours = credentials();
        let good = check(ours.ufrag(), ours.password(), true);
        assert!(Check::read(&ours, &good).unwrap().nominates);
        assert!(!Check::read(&ours, &check(ours.ufrag(), ours.password(), false)).unwrap().nominates);
        for (ufrag, password) in
            [("AAAAAAAA", ours.password()), (ours.ufrag(), "wrong"), ("", ours.password())]
        {
            assert_eq!(Check::read(&ours, &check(ufrag, password, true)), None, "{ufrag}");
        }
        for at in 0..good.len() {
            assert_eq!(Check::read(&ours, &good[..at]), None, "cut at {at}");
            let mut bent = good.clone();
            bent[at] ^= 1;
            assert_eq!(Check::read(&ours, &bent), None, "bent at {at}");
        }
        let other = IceCredentials::derive(&[9; 32], "restarted");
        assert!(other.ufrag() != ours.ufrag() && other.password() != ours.password());
        assert!(!format!("{ours:?}").contains(ours.password()));
    }

    /// RFC 5769 section 2.1: a request of another implementation with all that ICE puts into it.
    #[test]
    fn the_sample_request_of_rfc_5769_has_the_right_fingerprint() {
        let sample = [
            0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
            0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
            0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
            0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
            0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
            0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
            0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
        ];
        assert_eq!(fingerprint(&sample[..sample.len() - 8]), 0xE57A_3BCF);
        let mut authentication: Hmac<Sha1> = Hmac::new_from_slice(b"VOkJxbRl1RmTxUk/WvJxBt").unwrap();
        let mut covered = sample[..76].to_vec();
        put_length(&mut covered, 100).unwrap();
        authentication.update(&covered);
        assert!(authentication.verify_slice(&sample[80..100]).is_ok());
    }

    #[test]
    fn the_answer_tells_where_the_check_came_from() {
        let ours = credentials();
        let check = Check::read(&ours, &check(ours.ufrag(), ours.password(), true)).unwrap();
        for (source, length) in [("192.0.2.1:32853", 12), ("[2001:db8::1]:9", 24)] {
            let source: SocketAddr = source.parse().unwrap();
            let mut datagram = [0; MAX_ANSWER];
            let written = check.answer(&ours, source, &mut datagram).unwrap();
            let answer = &datagram[..written];
            assert_eq!(written, HEADER + length + INTEGRITY_LENGTH + FINGERPRINT_LENGTH);
            assert_eq!((&answer[..2], &answer[8..20]), (&BINDING_SUCCESS[..], &b"transaction!"[..]));
            assert_eq!(word(answer, 26).unwrap() ^ 0x2112, source.port());
            if let IpAddr::V4(ip) = source.ip() {
                let plain: Vec<u8> =
                    answer[28..32].iter().zip(COOKIE).map(|(byte, mask)| byte ^ mask).collect();
                assert_eq!(plain, ip.octets());
            }
            let end = written - FINGERPRINT_LENGTH;
            assert_eq!(answer[end + 4..], fingerprint(&answer[..end]).to_be_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let ours = credentials();
            prop_assert_eq!(Check::read(&ours, &bytes), None);
            let mut framed = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, b"transaction!", &bytes].concat();
            let end = framed.len();
            put_length(&mut framed, end).unwrap();
            prop_assert_eq!(Check::read(&ours, &framed), None);
        }
    }
}
