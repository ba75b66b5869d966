//! Copies of a seeded database, for tests: seeding hashes passwords, which is slow on purpose.

use super::{Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the file in its folder.
const FILE: &str = "partyline.db";
static COPIES: AtomicU64 = AtomicU64::new(0);

/// A database file that goes away with the last handle on it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Store {
    /// A new database in a file of its own.
    pub(crate) async fn scratch() -> Result<Self, StoreError> {
        let scratch = Scratch::new()?;
        let mut store = Self::open(&format!("sqlite:{}", scratch.0.join(FILE).display())).await?;
        store.scratch = Some(Arc::new(scratch));
        Ok(store)
    }

    /// Closes a database made by [`Self::scratch`] and gives its bytes, for [`Self::from_image`].
    pub(crate) async fn into_image(self) -> Result<Vec<u8>, StoreError> {
        self.close().await;
        let Some(scratch) = &self.scratch else { return Ok(Vec::new()) };
        let path = scratch.0.join(FILE);
        std::fs::read(&path).map_err(|source| file_error(&path, source))
    }

    /// A database that begins as a copy of another.
    pub(crate) async fn from_image(image: &[u8]) -> Result<Self, StoreError> {
        let scratch = Scratch::new()?;
        let path = scratch.0.join(FILE);
        std::fs::write(&path, image).map_err(|source| file_error(&path, source))?;
        let mut store = Self::connect(&format!("sqlite:{}", path.display())).await?;
        store.scratch = Some(Arc::new(scratch));
        Ok(store)
    }
}

impl Scratch {
    fn new() -> Result<Self, StoreError> {
        let name =
            format!("partyline-copy-{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|source| file_error(&path, source))?;
        Ok(Self(path))
    }
}

fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), source }
}
