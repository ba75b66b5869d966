//! Databases for tests: a fresh one for each, on SQLite or, where `PARTYLINE_TEST_POSTGRES` names a server, on PostgreSQL.
//!
//! The variable holds the URL of a database on a server that may be filled and thrown away, such as
//! `postgres://partyline@localhost:5432/postgres`; the user must be allowed to create databases.

use super::{Store, StoreError};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the file in its folder.
const FILE: &str = "partyline.db";
/// Names the server for tests.
const VARIABLE: &str = "PARTYLINE_TEST_POSTGRES";
static COPIES: AtomicU64 = AtomicU64::new(0);

/// A place for one database, which goes away with the last handle on it.
#[derive(Clone, Debug)]
pub struct Scratch(Arc<Place>);

#[derive(Debug)]
enum Place {
    /// A folder with one file in it.
    Folder(PathBuf),
    /// A database of the server with this URL.
    Postgres { server: String, name: String },
}

/// A seeded database, to be copied.
#[derive(Debug)]
pub(crate) enum Image {
    File(Vec<u8>),
    /// A database that is used as a template; it must stay.
    Template(Scratch),
}

impl Drop for Place {
    fn drop(&mut self) {
        match self {
            Self::Folder(path) => drop(std::fs::remove_dir_all(path)),
            // Whoever drops it may be inside a runtime, which must not wait.
            Self::Postgres { server, name } => {
                let (server, statement) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
                drop(std::thread::Builder::new().spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    // A database that stays goes with its server.
                    runtime.map(|runtime| runtime.block_on(on_server(&server, statement)))
                }));
            }
        }
    }
}

impl Scratch {
    /// A place where no database is yet (SQLite), or an empty one (PostgreSQL).
    ///
    /// # Errors
    /// When the folder or the database cannot be made.
    pub async fn new() -> Result<Self, StoreError> {
        Self::copy_of(None).await
    }

    async fn copy_of(template: Option<&str>) -> Result<Self, StoreError> {
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let Ok(server) = std::env::var(VARIABLE) else {
            let path = std::env::temp_dir().join(format!("partyline-copy-{}-{number}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).map_err(|source| file_error(&path, source))?;
            return Ok(Self(Arc::new(Place::Folder(path))));
        };
        let name = format!("partyline_copy_{}_{number}", std::process::id());
        on_server(&server, format!("DROP DATABASE IF EXISTS {name}")).await?;
        let template = template.map(|name| format!(" TEMPLATE {name}")).unwrap_or_default();
        on_server(&server, format!("CREATE DATABASE {name}{template}")).await?;
        Ok(Self(Arc::new(Place::Postgres { server, name })))
    }

    /// Where [`Store::open`] finds it.
    pub fn url(&self) -> String {
        match &*self.0 {
            Place::Folder(path) => format!("sqlite:{}", path.join(FILE).display()),
            Place::Postgres { server, name } => {
                let (address, options) = server.split_once('?').unwrap_or((server, ""));
                let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
                format!("{server}/{name}?{options}")
            }
        }
    }

    /// The folder of a SQLite file.
    pub fn folder(&self) -> Option<&Path> {
        match &*self.0 {
            Place::Folder(path) => Some(path),
            Place::Postgres { .. } => None,
        }
    }
}

impl Store {
    /// A new database of its own.
    pub(crate) async fn scratch() -> Result<Self, StoreError> {
        let scratch = Scratch::new().await?;
        let mut store = Self::open(&scratch.url()).await?;
        store.scratch = Some(scratch);
        Ok(store)
    }

    /// Closes a database made by [`Self::scratch`], for [`Self::from_image`].
    pub(crate) async fn into_image(self) -> Result<Image, StoreError> {
        self.close().await;
        let Some(scratch) = self.scratch.clone() else { return Ok(Image::File(Vec::new())) };
        let Some(folder) = scratch.folder() else { return Ok(Image::Template(scratch)) };
        let path = folder.join(FILE);
        std::fs::read(&path).map(Image::File).map_err(|source| file_error(&path, source))
    }

    /// A database that begins as a copy of another.
    pub(crate) async fn from_image(image: &Image) -> Result<Self, StoreError> {
        let scratch = match image {
            Image::File(bytes) => {
                let scratch = Scratch::new().await?;
                let path = scratch.folder().unwrap_or_else(|| Path::new("")).join(FILE);
                std::fs::write(&path, bytes).map_err(|source| file_error(&path, source))?;
                scratch
            }
            Image::Template(template) => {
                let Place::Postgres { name, .. } = &*template.0 else { return Self::scratch().await };
                Scratch::copy_of(Some(name)).await?
            }
        };
        let mut store = Self::connect(&scratch.url()).await?;
        store.scratch = Some(scratch);
        Ok(store)
    }
}

async fn on_server(server: &str, statement: String) -> Result<(), StoreError> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(server).await?;
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await?;
    connection.close().await?;
    Ok(())
}

fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), source }
}
