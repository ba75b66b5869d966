//! Why the gateway could not start or go on.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A start that failed: what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken or not ours.
    #[error(
        "{key} = \"{address}\" cannot be used: {source}. Stop the program that holds it or give another address and port"
    )]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No certificate could be made for phones that agree on keys by DTLS.
    #[error("no certificate for the media of phones: {0}")]
    Dtls(#[from] media::dtls::DtlsError),
    /// The folder of the database cannot be made or written.
    #[error("the data folder {path} cannot be used: {source}. Give a writable folder with --data")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or its key.
    #[error(
        "the certificate {path} cannot be used: {source}. Give PEM files of the chain and of its private key in [api.tls]"
    )]
    Certificate {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The system allows too few open files.
    #[error(
        "the system allows {allowed} open files, media.rtp_ports and the connections need {needed}. \
         Raise the limit (LimitNOFILE= of the service, ulimit -n) or shorten media.rtp_ports"
    )]
    OpenFiles {
        /// How many there may be.
        allowed: u64,
        /// How many the configuration promises.
        needed: u64,
    },
    /// The recordings that replace prompts.
    #[error(
        "speech.prompts: {0}. Put wav files (8000, 16000 or 48000 Hz, mono, 16 bit) named like prompts there"
    )]
    Prompts(String),
    /// Keys or certificates of section `[stir]`.
    #[error("stir: {0}. Give a P-256 key in PEM (PKCS #8) and a folder of certificates in PEM")]
    Stir(String),
    /// The database or its seed.
    #[error("{0}")]
    Store(#[from] conference::store::StoreError),
    /// The services could not be put together.
    #[error("{0}")]
    Services(String),
    /// Mail or webhooks cannot be sent as configured.
    #[error("mails and webhooks cannot be sent: {0}. Check the section [mail]")]
    Sending(String),
    /// A part that must not end has ended; the log says more.
    #[error("{0} has ended: the gateway cannot go on")]
    Broken(&'static str),
    /// A command at the terminal was given something it cannot use.
    #[error("{0}")]
    Command(String),
    /// The log filter.
    #[error("log.filter cannot be read: {0}. Write for example \"info,conference=debug\"")]
    LogFilter(String),
    /// Anything else the system refused.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
}

impl StartError {
    /// What the services said.
    pub(crate) fn services(error: impl std::fmt::Display) -> Self {
        Self::Services(error.to_string())
    }
}
