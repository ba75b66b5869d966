//! Identifiers, tokens, passwords and join links: what is random, and what of it the database may know.
//!
//! | value | bits | stored as |
//! |---|---|---|
//! | row identifiers | 128 | themselves; knowing one gives no right |
//! | login and participant tokens | 256 | SHA-256 |
//! | join links | 128, derived from the [`LinkKey`] | SHA-256 |
//! | passwords | chosen by people | argon2id with a random salt |
//! | device secrets | chosen by people | digest HA1 (MD5, and SHA-256 for phones that can) |

use super::StoreError;
use super::world::Entropy;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use md5::Digest as _;
use sha2::Sha256;
use std::path::Path;

/// A new identifier: `prefix` and 128 random bits in hex.
pub(crate) fn random_id(entropy: &dyn Entropy, prefix: char) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    format!("{prefix}{}", hex::encode(bytes))
}

/// A bearer token of 256 random bits, in hex.
pub(crate) fn random_token(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    hex::encode(bytes)
}

/// What the database keeps of a token. A plain hash is enough: the token is random, there is nothing to guess.
pub(crate) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The key from which join links are derived. It lives beside the database, not in it, so that a dump of the
/// database opens no meeting, while join information can still be shown again and again (A30, A31).
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key from `path`, or makes one there on the first start, readable by the owner alone.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Self, StoreError> {
        if let Some(keys) = load_key_file(path)? {
            let bytes = keys.first().copied();
            return bytes.map(Self).ok_or_else(|| StoreError::LinkKey { path: path.display().to_string() });
        }
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        write_private(path, &hex::encode(bytes))
            .map_err(|source| StoreError::File { path: path.display().to_string(), source })?;
        Ok(Self(bytes))
    }

    /// The token in the link of a meeting or of a person. The hash is cut to half its length, which also closes
    /// the door to length extension.
    pub(crate) fn token(&self, id: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(b"join link ");
        hash.update(id.as_bytes());
        let mut token = hex::encode(hash.finalize());
        token.truncate(32);
        token
    }

    /// A value that tells, without giving the key away, whether the database's links were made with this key.
    pub(crate) fn check_value(&self) -> String {
        token_hash(&self.token("check value"))
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

/// The keys of a file, one of 64 hex digits a line; `None` where there is no such file.
pub(super) fn load_key_file(path: &Path) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::File { path: path.display().to_string(), source }),
    };
    let key = |line: &str| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(line.trim(), &mut bytes)
            .map_err(|_| StoreError::LinkKey { path: path.display().to_string() })?;
        Ok(bytes)
    };
    text.trim().lines().map(key).collect::<Result<Vec<_>, StoreError>>().map(Some)
}

/// Writes a file that its owner alone can read.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Hashes a password with argon2id. Slow on purpose: tens of milliseconds and 19 MiB.
pub(crate) fn hash_password(
    entropy: &dyn Entropy,
    password: &str,
) -> Result<String, argon2::password_hash::Error> {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    Ok(Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
}

/// Whether `password` is the one behind `hash`. A hash that cannot be read fits no password.
pub(crate) fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// HA1 of RFC 7616 section 3.4.2 for a device, with MD5 and with SHA-256, in hex: each twice, parted by a space, for the
/// name of the device and for its whole address, which some phones give as digest user.
pub(crate) fn ha1(user: &str, realm: &str, password: &str) -> (String, String) {
    let texts = [format!("{user}:{realm}:{password}"), format!("{user}@{realm}:{realm}:{password}")];
    let hashes = |hash: fn(&[u8]) -> String| texts.each_ref().map(|text| hash(text.as_bytes())).join(" ");
    (hashes(|text| hex::encode(md5::Md5::digest(text))), hashes(|text| hex::encode(Sha256::digest(text))))
}
