//! TLS: the certificates we show, and those we believe (RFC 5922).
//!
//! The identity of a server is the domain that was asked for: the name in the configuration, never one that DNS made of it.
//! Beyond RFC 5922 section 7.2 a wildcard for the leftmost label is believed, since carriers use such certificates.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A connection that has come in.
pub(super) type ServerStream = tokio_rustls::server::TlsStream<TcpStream>;
/// A connection of ours.
pub(super) type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Shows a certificate, the same one to all who hold a copy of it.
#[derive(Clone)]
pub(crate) struct Server {
    shown: Arc<RwLock<TlsAcceptor>>,
    certificate: PathBuf,
    key: PathBuf,
}

impl Server {
    /// Reads certificate chain and key, both in PEM.
    ///
    /// # Errors
    /// When a file cannot be read, or they do not fit.
    pub(crate) fn load(certificate: &Path, key: &Path) -> std::io::Result<Self> {
        let shown = Arc::new(RwLock::new(acceptor(certificate, key)?));
        Ok(Self { shown, certificate: certificate.to_owned(), key: key.to_owned() })
    }

    /// Reads the same files again. Connections that stand keep the old certificate.
    ///
    /// # Errors
    /// As for [`Self::load`]; then the old one is shown as before.
    pub(crate) fn reload(&self) -> std::io::Result<()> {
        let new = acceptor(&self.certificate, &self.key)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<ServerStream> {
        let acceptor = self.shown.read().unwrap_or_else(PoisonError::into_inner).clone();
        acceptor.accept(stream).await
    }
}

fn acceptor(certificate: &Path, key: &Path) -> std::io::Result<TlsAcceptor> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).map_err(other)?.collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(other)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain.map_err(other)?, key);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(other)?)))
}

/// Checks certificates.
#[derive(Clone)]
pub(crate) struct Client(TlsConnector);

impl Client {
    /// Believes the authorities in a PEM file, or those of the system.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub(crate) fn load(roots: Option<&Path>) -> std::io::Result<Self> {
        let mut store = RootCertStore::empty();
        match roots {
            Some(file) => {
                for certificate in CertificateDer::pem_file_iter(file).map_err(other)? {
                    store.add(certificate.map_err(other)?).map_err(other)?;
                }
                if store.is_empty() {
                    return Err(other("it holds no certificate"));
                }
            }
            None => {
                let certificates = rustls_native_certs::load_native_certs().certs;
                let (added, ignored) = store.add_parsable_certificates(certificates);
                tracing::debug!(added, ignored, "certificates of the system");
            }
        }
        let config = ClientConfig::builder().with_root_certificates(store).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn connect(&self, identity: &str, stream: TcpStream) -> std::io::Result<ClientStream> {
        let bare = identity.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(other)?;
        self.0.connect(name, stream).await
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> std::io::Error {
    std::io::Error::other(error)
}
