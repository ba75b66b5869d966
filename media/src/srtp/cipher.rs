//! Session keys (RFC 3711 section 4.3) and the two kinds of ciphers: AES in counter mode with HMAC-SHA1 (RFC 3711
//! sections 4.1.1 and 4.2.1), and AES-GCM (RFC 7714).

use aes::cipher::{BlockEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit as _, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha1::Sha1;

use super::keys::{MasterKey, Suite};
use super::{ENCRYPTED, INDEX, RTCP_HEADER, word};

/// The keys of one direction.
pub(super) struct Cipher {
    rtp: Protection,
    rtcp: Protection,
}

enum Protection {
    CounterMode(Box<CounterMode>),
    Gcm(Box<Gcm>),
}

struct CounterMode {
    key: Aes128,
    salt: [u8; 14],
    authentication: Hmac<Sha1>,
    tag: usize,
}

struct Gcm {
    /// `None` if the key could not be made, which cannot happen with keys of the right length: nothing passes then.
    key: Option<LessSafeKey>,
    salt: [u8; NONCE_LEN],
}

/// Bytes of a GCM tag.
const GCM_TAG: usize = 16;
/// Bytes of an HMAC-SHA1 key, and of the tags of SRTCP.
const AUTHENTICATION_KEY: usize = 20;
const RTCP_TAG: usize = 10;

impl Cipher {
    pub(super) fn new(suite: Suite, master: &MasterKey) -> Self {
        Self { rtp: Protection::new(suite, master, false), rtcp: Protection::new(suite, master, true) }
    }

    pub(super) fn seal_rtp(
        &self,
        datagram: &mut [u8],
        header: usize,
        length: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match &self.rtp {
            Protection::CounterMode(mode) => {
                let (packet, tag) = datagram.split_at_mut_checked(length)?;
                mode.apply(packet.get_mut(header..)?, ssrc, index);
                let [.., r0, r1, r2, r3, _, _] = index.to_be_bytes();
                let made = mode.authenticate(packet, &[r0, r1, r2, r3]);
                tag.get_mut(..mode.tag)?.copy_from_slice(made.get(..mode.tag)?);
                Some(length + mode.tag)
            }
            Protection::Gcm(gcm) => {
                let (head, rest) = datagram.split_at_mut_checked(header)?;
                gcm.seal(&gcm.rtp_nonce(ssrc, index), head, rest, length.checked_sub(header)?)?;
                Some(length + GCM_TAG)
            }
        }
    }

    pub(super) fn open_rtp(
        &self,
        datagram: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match &self.rtp {
            Protection::CounterMode(mode) => {
                let length = datagram.len().checked_sub(mode.tag).filter(|&length| length >= header)?;
                let (packet, tag) = datagram.split_at_mut_checked(length)?;
                let [.., r0, r1, r2, r3, _, _] = index.to_be_bytes();
                mode.verify(packet, &[r0, r1, r2, r3], tag)?;
                mode.apply(packet.get_mut(header..)?, ssrc, index);
                Some(length)
            }
            Protection::Gcm(gcm) => {
                let (head, rest) = datagram.split_at_mut_checked(header)?;
                Some(header + gcm.open(&gcm.rtp_nonce(ssrc, index), head, rest)?)
            }
        }
    }

    /// The index at the end of an SRTCP packet, with its flag, and where the index begins. In GCM the tag stands
    /// before the index, else behind it.
    pub(super) fn rtcp_index(&self, datagram: &[u8]) -> Option<(u32, usize)> {
        let tag = if matches!(self.rtcp, Protection::CounterMode(_)) { RTCP_TAG } else { 0 };
        let at = datagram.len().checked_sub(tag + INDEX).filter(|&at| at >= RTCP_HEADER)?;
        Some((word(datagram, at)?, at))
    }

    pub(super) fn seal_rtcp(
        &self,
        datagram: &mut [u8],
        length: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<usize> {
        let word = (index | ENCRYPTED).to_be_bytes();
        match &self.rtcp {
            Protection::CounterMode(mode) => {
                mode.apply(datagram.get_mut(RTCP_HEADER..length)?, ssrc, u64::from(index));
                datagram.get_mut(length..length + INDEX)?.copy_from_slice(&word);
                let (packet, tag) = datagram.split_at_mut_checked(length + INDEX)?;
                let made = mode.authenticate(packet, &[]);
                tag.get_mut(..RTCP_TAG)?.copy_from_slice(made.get(..RTCP_TAG)?);
                Some(length + INDEX + RTCP_TAG)
            }
            Protection::Gcm(gcm) => {
                let aad = associated(datagram, word)?;
                let body = datagram.get_mut(RTCP_HEADER..)?;
                gcm.seal(&gcm.rtcp_nonce(ssrc, index), &aad, body, length.checked_sub(RTCP_HEADER)?)?;
                let end = length + GCM_TAG;
                datagram.get_mut(end..end + INDEX)?.copy_from_slice(&word);
                Some(end + INDEX)
            }
        }
    }

    /// Opens an SRTCP packet whose index begins at `at`.
    pub(super) fn open_rtcp(&self, datagram: &mut [u8], at: usize, ssrc: u32, index: u32) -> Option<usize> {
        let is_encrypted = index & ENCRYPTED != 0;
        match &self.rtcp {
            Protection::CounterMode(mode) => {
                let (packet, tag) = datagram.split_at_mut_checked(at + INDEX)?;
                mode.verify(packet, &[], tag)?;
                if is_encrypted {
                    mode.apply(packet.get_mut(RTCP_HEADER..at)?, ssrc, u64::from(index & !ENCRYPTED));
                }
                Some(at)
            }
            Protection::Gcm(gcm) if is_encrypted => {
                let aad = associated(datagram, index.to_be_bytes())?;
                let nonce = gcm.rtcp_nonce(ssrc, index & !ENCRYPTED);
                Some(RTCP_HEADER + gcm.open(&nonce, &aad, datagram.get_mut(RTCP_HEADER..at)?)?)
            }
            // Authenticated alone: nobody needs it.
            Protection::Gcm(_) => None,
        }
    }
}

/// What GCM authenticates of an SRTCP packet besides what it encrypts (RFC 7714 section 9.2).
fn associated(datagram: &[u8], index: [u8; INDEX]) -> Option<[u8; RTCP_HEADER + INDEX]> {
    let mut aad = [0; RTCP_HEADER + INDEX];
    let (head, tail) = aad.split_at_mut(RTCP_HEADER);
    head.copy_from_slice(datagram.get(..RTCP_HEADER)?);
    tail.copy_from_slice(&index);
    Some(aad)
}

impl Protection {
    fn new(suite: Suite, master: &MasterKey, is_rtcp: bool) -> Self {
        // RFC 3711 section 4.3.1: labels of encryption, authentication, salt; those of SRTCP are three higher.
        let label = |label: u8| if is_rtcp { label + 3 } else { label };
        let mut authentication = [0; AUTHENTICATION_KEY];
        match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                let (mut key, mut salt) = ([0; 16], [0; 14]);
                derive(master, label(0), &mut key);
                derive(master, label(1), &mut authentication);
                derive(master, label(2), &mut salt);
                let tag = if suite == Suite::AesCm128HmacSha1_32 && !is_rtcp { 4 } else { RTCP_TAG };
                let authentication = keyed(&authentication);
                Self::CounterMode(Box::new(CounterMode {
                    key: Aes128::new(&key.into()),
                    salt,
                    authentication,
                    tag,
                }))
            }
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => {
                let (mut key, mut salt) = ([0; 32], [0; NONCE_LEN]);
                let (length, _) = suite.lengths();
                let (key, _) = key.split_at_mut(length);
                derive(master, label(0), key);
                derive(master, label(2), &mut salt);
                let algorithm = if suite == Suite::AeadAes256Gcm { &AES_256_GCM } else { &AES_128_GCM };
                let key = UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new);
                Self::Gcm(Box::new(Gcm { key, salt }))
            }
        }
    }
}

fn keyed(key: &[u8; AUTHENTICATION_KEY]) -> Hmac<Sha1> {
    // A key as long as the digest is always taken; the trait's fallible form is for other algorithms.
    Hmac::<Sha1>::new_from_slice(key).unwrap_or_else(|_| Hmac::<Sha1>::new(&Default::default()))
}

/// Derives a session key (RFC 3711 section 4.3.3): the key stream of AES in counter mode under the master key, from
/// the master salt with the label in its eighth byte.
fn derive(master: &MasterKey, label: u8, out: &mut [u8]) {
    let mut iv = [0; 16];
    for (to, &from) in iv.iter_mut().zip(master.salt()) {
        *to = from;
    }
    if let Some(byte) = iv.get_mut(7) {
        *byte ^= label;
    }
    out.fill(0);
    match master.key().len() {
        32 => {
            if let Ok(mut stream) = Ctr128BE::<Aes256>::new_from_slices(master.key(), &iv) {
                stream.apply_keystream(out);
            }
        }
        _ => {
            if let Ok(mut stream) = Ctr128BE::<Aes128>::new_from_slices(master.key(), &iv) {
                stream.apply_keystream(out);
            }
        }
    }
}

impl CounterMode {
    /// Encrypts or decrypts (RFC 3711 section 4.1.1).
    fn apply(&self, payload: &mut [u8], ssrc: u32, index: u64) {
        // Salt, SSRC from the fourth byte and index from the eighth, exclusive-or; the last two bytes count blocks.
        let mut iv = [0; 16];
        for (to, &from) in iv.iter_mut().zip(&self.salt) {
            *to = from;
        }
        for (to, from) in iv.iter_mut().skip(4).zip(ssrc.to_be_bytes()) {
            *to ^= from;
        }
        let [_, _, index @ ..] = index.to_be_bytes();
        for (to, from) in iv.iter_mut().skip(8).zip(index) {
            *to ^= from;
        }
        for (number, chunk) in (0_u16..).zip(payload.chunks_mut(Self::BATCH * 16)) {
            self.apply_blocks(chunk, iv, number);
        }
    }

    /// Blocks made at once: the processor works on several side by side.
    const BATCH: usize = 8;

    fn apply_blocks(&self, chunk: &mut [u8], iv: [u8; 16], batch: u16) {
        let mut blocks = [aes::Block::from(iv); Self::BATCH];
        let used = chunk.len().div_ceil(16).min(Self::BATCH);
        let first = batch.wrapping_mul(8);
        for (count, block) in (first..).zip(&mut blocks) {
            if let [.., high, low] = block.as_mut_slice() {
                [*high, *low] = count.to_be_bytes();
            }
        }
        let Some(blocks) = blocks.get_mut(..used) else { return };
        self.key.encrypt_blocks(blocks);
        for (bytes, block) in chunk.chunks_mut(16).zip(blocks) {
            for (byte, key) in bytes.iter_mut().zip(block.iter()) {
                *byte ^= key;
            }
        }
    }

    fn authenticate(&self, packet: &[u8], behind: &[u8]) -> [u8; 20] {
        let mut authentication = self.authentication.clone();
        authentication.update(packet);
        authentication.update(behind);
        authentication.finalize().into_bytes().into()
    }

    /// In constant time.
    fn verify(&self, packet: &[u8], behind: &[u8], tag: &[u8]) -> Option<()> {
        if tag.len() != self.tag {
            return None;
        }
        let mut authentication = self.authentication.clone();
        authentication.update(packet);
        authentication.update(behind);
        authentication.verify_truncated_left(tag).ok()
    }
}

impl Gcm {
    /// RFC 7714 section 8.1.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> [u8; NONCE_LEN] {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        self.nonce([0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5])
    }

    /// RFC 7714 section 9.1.
    fn rtcp_nonce(&self, ssrc: u32, index: u32) -> [u8; NONCE_LEN] {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [i0, i1, i2, i3] = index.to_be_bytes();
        self.nonce([0, 0, s0, s1, s2, s3, 0, 0, i0, i1, i2, i3])
    }

    fn nonce(&self, mut nonce: [u8; NONCE_LEN]) -> [u8; NONCE_LEN] {
        nonce.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        nonce
    }

    /// Seals the first `length` bytes of `body` and puts the tag behind them.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], body: &mut [u8], length: usize) -> Option<()> {
        let (plain, behind) = body.split_at_mut_checked(length)?;
        let room = behind.get_mut(..GCM_TAG)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.key.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(aad), plain).ok()?;
        room.copy_from_slice(tag.as_ref());
        Some(())
    }

    /// Opens `body`, at whose end the tag stands; gives the length of the plain part.
    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Option<usize> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.as_ref()?.open_in_place(nonce, Aad::from(aad), body).ok()?;
        Some(plain.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn rfc_3711_appendix_b_3_session_keys() {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &master).unwrap();
        for (label, expected) in [
            (0, "C61E7A93744F39EE10734AFE3FF7A087"),
            (2, "30CBBC08863D8C85D49DB34A9AE1"),
            (1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
        ] {
            let expected = hex(expected);
            let mut derived = vec![0; expected.len()];
            derive(&master, label, &mut derived);
            assert_eq!(derived, expected, "label {label}");
        }
    }

    #[test]
    fn rfc_3711_appendix_b_2_key_stream() {
        let mut salt = [0; 14];
        salt.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let key: [u8; 16] = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let mode =
            CounterMode { key: Aes128::new(&key.into()), salt, authentication: keyed(&[0; 20]), tag: 10 };
        let mut stream = vec![0; 0xFF02 * 16];
        mode.apply(&mut stream, 0, 0);
        assert_eq!(
            stream[..48],
            hex(
                "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
        assert_eq!(
            stream[0xFEFF * 16..][..48],
            hex(
                "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44"
            )
        );
    }

    /// RFC 7714 section 16.1.1.
    #[test]
    fn rfc_7714_aes_128_gcm() {
        let key = UnboundKey::new(&AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f"))
            .ok()
            .map(LessSafeKey::new);
        let salt = hex("517569642070726f2071756f").try_into().unwrap();
        let gcm = Gcm { key, salt };
        let mut packet = hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361");
        packet.extend(hex("20696e207061727465732074726573"));
        let length = packet.len();
        packet.resize(length + GCM_TAG, 0);
        let (head, body) = packet.split_at_mut(12);
        gcm.seal(&gcm.rtp_nonce(0x5501_A0B2, 0xF17B), head, body, length - 12).unwrap();
        let expected = "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        assert_eq!(packet[12..], hex(expected));
    }
}
