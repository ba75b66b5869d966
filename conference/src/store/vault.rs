//! Secrets that must be read again (PINs that join information shows, passwords of trunks, keys of webhooks): sealed with a
//! key that lies beside the database, not in it, so that a dump of the database shows none of them (D65).

use super::StoreError;
use super::secrets::{load_key_file, write_private};
use super::world::Entropy;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes of an AES-GCM nonce, drawn at random for every secret (NIST SP 800-38D section 8.2.2).
const NONCE: usize = 12;
/// Characters of a key's name.
const KEY_NAME: usize = 8;

/// Seals and opens with AES-256-GCM. The newest key seals; all keys of the file open, so that a key can be replaced while
/// secrets sealed with the one before are still about.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<RwLock<Keys>>,
    /// Where they are read again when a text names one that is not among them: it was rotated while this process ran.
    file: Option<Arc<Path>>,
    entropy: Arc<dyn Entropy>,
}

/// Names and ciphers, the newest first.
type Keys = Arc<[(String, Aes256Gcm)]>;

impl Vault {
    /// A vault with these keys, the newest first. At least one.
    pub fn new(keys: &[[u8; 32]], entropy: Arc<dyn Entropy>) -> Self {
        Self { keys: Arc::new(RwLock::new(ciphers(keys))), file: None, entropy }
    }

    /// Reads the keys (64 hex digits a line, the newest first), or makes a file with one key on the first start, readable
    /// by the owner alone.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn load_or_create(path: &Path, entropy: Arc<dyn Entropy>) -> Result<Self, StoreError> {
        let keys = match load_key_file(path)? {
            Some(keys) => keys,
            None => {
                let mut key = [0; 32];
                entropy.fill(&mut key);
                write_private(path, &hex::encode(key))
                    .map_err(|source| StoreError::File { path: path.display().to_string(), source })?;
                vec![key]
            }
        };
        Ok(Self { file: Some(Arc::from(path)), ..Self::new(&keys, entropy) })
    }

    /// Puts a new key before those of the file. Returns how many there are then.
    ///
    /// # Errors
    /// When the file is missing, cannot be read or written, or holds something else; it stays as it was then.
    pub fn rotate(path: &Path, entropy: &dyn Entropy) -> Result<usize, StoreError> {
        let file_error = |source| StoreError::File { path: path.display().to_string(), source };
        let missing = || file_error(std::io::Error::from(std::io::ErrorKind::NotFound));
        let mut keys = load_key_file(path)?.ok_or_else(missing)?;
        let mut key = [0; 32];
        entropy.fill(&mut key);
        keys.insert(0, key);
        let text: Vec<String> = keys.iter().map(hex::encode).collect();
        // Beside the old file first: a crash in between loses neither.
        let new = path.with_extension("new");
        let _ = std::fs::remove_file(&new);
        write_private(&new, &text.join("\n")).map_err(file_error)?;
        std::fs::rename(&new, path).map_err(file_error)?;
        Ok(keys.len())
    }

    /// The secret as text that tells nothing but its length and the name of the key.
    pub fn seal(&self, secret: &str) -> String {
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let keys = self.keys();
        let Some((name, cipher)) = keys.first() else { return String::new() };
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        // AES-GCM refuses nothing shorter than 64 GiB.
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        format!("{name}.{}{}", hex::encode(nonce), hex::encode(sealed))
    }

    /// The secret again; `None` when the text is not one of ours, was changed, or its key is gone.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let (name, rest) = sealed.split_once('.')?;
        let mut keys = self.keys();
        if is_key_name(name) && !keys.iter().any(|(known, _)| known == name) {
            keys = self.read_again();
        }
        let (_, cipher) = keys.iter().find(|(known, _)| known == name)?;
        let bytes = hex::decode(rest).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: text, aad: name.as_bytes() };
        String::from_utf8(cipher.decrypt(&Nonce::from(*nonce), payload).ok()?).ok()
    }
}

impl Vault {
    fn keys(&self) -> Keys {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody has put a key before those that are known.
    fn read_again(&self) -> Keys {
        let Some(Ok(Some(keys))) = self.file.as_deref().map(load_key_file) else { return self.keys() };
        let keys = ciphers(&keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        keys
    }

    /// Whether a text is sealed with a key that is not the newest.
    pub(super) fn is_sealed_before(&self, text: &str) -> bool {
        let Some((name, rest)) = text.split_once('.') else { return false };
        let hex = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_key_name(name) && hex && self.keys().first().is_none_or(|(newest, _)| newest != name)
    }
}

fn ciphers(keys: &[[u8; 32]]) -> Keys {
    keys.iter().map(|key| (key_name(key), Aes256Gcm::new(key.into()))).collect()
}

fn is_key_name(text: &str) -> bool {
    text.len() == KEY_NAME && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A short name that says which key it was, and nothing about it.
fn key_name(key: &[u8; 32]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::new().chain_update(b"key name ").chain_update(key).finalize();
    hex::encode(hash).chars().take(KEY_NAME).collect()
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::TestEntropy;

    #[test]
    fn d65_a_rotated_key_file_seals_with_the_new_key_and_opens_with_the_old() {
        let folder = std::env::temp_dir().join(format!("partyline-vault-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secrets.key");
        let entropy: Arc<dyn Entropy> = Arc::new(TestEntropy);
        assert!(Vault::rotate(&path, &TestEntropy).is_err(), "there is nothing to rotate");
        let old = Vault::load_or_create(&path, Arc::clone(&entropy)).unwrap();
        let sealed = old.seal("4711");
        assert_eq!(Vault::rotate(&path, &TestEntropy).unwrap(), 2);
        let new = Vault::load_or_create(&path, entropy).unwrap();
        assert_eq!(new.open(&sealed).as_deref(), Some("4711"));
        assert_eq!(old.open(&new.seal("4711")).as_deref(), Some("4711"), "whoever runs reads the file again");
        assert!(!old.is_sealed_before(&old.seal("4711")), "and seals with the new key from then on");
        assert!(old.is_sealed_before(&sealed) && !old.is_sealed_before("{\"a.b\":1}"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn d65_a_sealed_secret_opens_with_its_key_alone_and_shows_nothing() {
        let entropy: Arc<dyn Entropy> = Arc::new(TestEntropy);
        let old = Vault::new(&[[1; 32]], Arc::clone(&entropy));
        let sealed = old.seal("4711");
        assert!(!sealed.contains("4711"));
        assert_ne!(sealed, old.seal("4711"), "a nonce is never used twice");
        assert_eq!(old.open(&sealed).as_deref(), Some("4711"));
        let rotated = Vault::new(&[[2; 32], [1; 32]], Arc::clone(&entropy));
        assert_eq!(rotated.open(&sealed).as_deref(), Some("4711"), "the key before still opens");
        assert_eq!(Vault::new(&[[2; 32]], entropy).open(&sealed), None);
        let mut changed = sealed.clone();
        let last = if changed.pop() == Some('0') { '1' } else { '0' };
        changed.push(last);
        assert_eq!(rotated.open(&changed), None);
        for broken in ["", ".", "zz.00", &sealed[..20]] {
            assert_eq!(rotated.open(broken), None);
        }
    }
}
