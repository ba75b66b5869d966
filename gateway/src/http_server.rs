//! The HTTP listener: plain, with a certificate from files, or with one fetched by ACME.

use crate::config::Config;
use crate::config::https::{Acme, Tls};
use crate::error::StartError;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use futures_util::StreamExt as _;
use hyper_util::rt::TokioTimer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_acme::AcmeConfig;
use rustls_acme::caches::DirCache;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take to send the head of its request: slow ones hold a connection, not a seat.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// What stands between the socket and HTTP.
pub(crate) enum Security {
    /// Nothing: behind a proxy that speaks HTTPS, or on loopback.
    Plain,
    /// A certificate from files.
    Files(RustlsConfig, Tls),
    /// A certificate by ACME, with its account and certificates kept in the data folder.
    Acme(Box<AcmeConfig<std::io::Error>>),
}

impl Security {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, naming the key.
    pub(crate) async fn new(config: &Config, data: &Path) -> Result<Self, StartError> {
        // Several parts speak TLS; they all use this one implementation. An error means that it is set already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if let Some(tls) = &config.api.tls {
            let tls = Tls { certificate: config.beside(&tls.certificate), key: config.beside(&tls.key) };
            let loaded = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await;
            return Ok(Self::Files(loaded.map_err(|source| unusable(&tls, source))?, tls));
        }
        match &config.api.acme {
            Some(acme) => Ok(Self::Acme(Box::new(acme_config(config, acme, data)?))),
            None => Ok(Self::Plain),
        }
    }

    /// A way to read the certificate's files again while serving; none where there are no files.
    pub(crate) fn reloader(&self) -> Option<Reloader> {
        match self {
            Self::Files(loaded, tls) => Some(Reloader { loaded: loaded.clone(), tls: tls.clone() }),
            Self::Plain | Self::Acme(_) => None,
        }
    }
}

/// Reads a renewed certificate; connections that stand keep the old one.
pub(crate) struct Reloader {
    loaded: RustlsConfig,
    tls: Tls,
}

impl Reloader {
    /// # Errors
    /// When the files cannot be used; the certificate stays the one it was.
    pub(crate) async fn reload(&self) -> Result<(), StartError> {
        let read = self.loaded.reload_from_pem_file(&self.tls.certificate, &self.tls.key).await;
        read.map_err(|source| unusable(&self.tls, source))
    }
}

fn unusable(tls: &Tls, source: std::io::Error) -> StartError {
    StartError::Certificate { path: tls.certificate.clone(), source }
}

fn acme_config(config: &Config, acme: &Acme, data: &Path) -> Result<AcmeConfig<std::io::Error>, StartError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(file) = &acme.directory_ca {
        let path = config.beside(file);
        let unusable = |source| StartError::Certificate { path: path.clone(), source };
        let pem =
            CertificateDer::from_pem_file(&path).map_err(|error| unusable(std::io::Error::other(error)))?;
        roots.add(pem).map_err(|error| unusable(std::io::Error::other(error)))?;
    } else {
        let (added, ignored) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        tracing::debug!(added, ignored, "certificates of the system");
    }
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let contact = acme.contact.iter().map(|mail| format!("mailto:{mail}"));
    Ok(AcmeConfig::new_with_client_config(&acme.domains, Arc::new(client))
        .directory(&acme.directory)
        .contact(contact)
        .cache(DirCache::new(data.join("acme"))))
}

/// Serves until the handle says stop.
pub(crate) async fn serve(
    listener: TcpListener,
    app: axum::Router,
    security: Security,
    handle: Handle<SocketAddr>,
) {
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = match axum_server::from_tcp(listener) {
        Ok(server) => server.handle(handle),
        Err(error) => return tracing::error!(%error, "the HTTP listener cannot be used"),
    };
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    let outcome = match security {
        Security::Plain => server.serve(app).await,
        Security::Files(loaded, _) => {
            server.acceptor(axum_server::tls_rustls::RustlsAcceptor::new(loaded)).serve(app).await
        }
        Security::Acme(config) => {
            let mut state = config.state();
            let acceptor = state.axum_acceptor(state.default_rustls_config());
            // It orders, renews and answers challenges as long as the server serves.
            let orders = tokio::spawn(async move {
                while let Some(event) = state.next().await {
                    match event {
                        Ok(event) => tracing::info!(?event, "certificate"),
                        Err(error) => tracing::error!(?error, "certificate"),
                    }
                }
            });
            let outcome = server.acceptor(acceptor).serve(app).await;
            orders.abort();
            outcome
        }
    };
    if let Err(error) = outcome {
        tracing::error!(%error, "the HTTP server ended");
    }
}
