//! Posting events to webhooks: the address that was judged is the one connected to, redirects are not followed, and a
//! receiver that is slow or talks without end costs a slot for ten seconds and nothing else.

use async_trait::async_trait;
use bytes::Bytes;
use conference::services::outbox::{Carrier, Delivery, Outcome, Parcel};
use conference::services::webhooks::{Target, WebhookGuard};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a whole delivery may take.
const WHOLE: Duration = Duration::from_secs(10);
/// How much of an answer is read; what it says does not matter.
const ANSWER_MAX: usize = 64 * 1024;
/// How large the head of an answer may be.
const HEAD_MAX: usize = 32 * 1024;

/// Finds the addresses of a name.
#[async_trait]
pub(crate) trait Resolver: Send + Sync + 'static {
    /// Every address of `host`.
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
pub(crate) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Posts events.
pub(crate) struct WebhookCarrier {
    guard: WebhookGuard,
    resolver: Arc<dyn Resolver>,
    tls: TlsConnector,
}

impl WebhookCarrier {
    pub(crate) fn new(guard: WebhookGuard, resolver: Arc<dyn Resolver>) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (taken, _) = roots.add_parsable_certificates(found.certs);
        if taken == 0 {
            tracing::warn!("no certificates of authorities were found: webhooks with TLS will fail");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { guard, resolver, tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn post(&self, delivery: &Delivery) -> Outcome {
        // Judged again at every attempt: the list may have changed since the webhook was made.
        let target = match self.guard.target(&delivery.url) {
            Ok(target) => target,
            Err(words) => return Outcome::Refused { code: None, words: words.to_owned() },
        };
        let address = match self.address(&target).await {
            Ok(address) => address,
            Err(outcome) => return outcome,
        };
        let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Outcome::Unreachable { words: format!("Cannot connect: {error}") },
            Err(_) => return Outcome::Unreachable { words: "Cannot connect: nobody answers".to_owned() },
        };
        if !target.tls {
            return exchange(stream, &target, delivery).await;
        }
        let Ok(name) = ServerName::try_from(target.host.clone()) else {
            return Outcome::Refused {
                code: None,
                words: "The host's name cannot be in a certificate".to_owned(),
            };
        };
        match tokio::time::timeout(CONNECT, self.tls.connect(name, stream)).await {
            Ok(Ok(stream)) => exchange(stream, &target, delivery).await,
            Ok(Err(error)) => Outcome::Unreachable { words: format!("TLS fails: {error}") },
            Err(_) => Outcome::Unreachable { words: "TLS fails: nobody answers".to_owned() },
        }
    }

    /// Fetches a small file by the rules that webhooks are posted by: public addresses, the one that was judged, no redirects.
    ///
    /// # Errors
    /// In words.
    pub(crate) async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, String> {
        let target = self.guard.target(url).map_err(str::to_owned)?;
        let address =
            self.address(&target).await.map_err(|_| "its name leads nowhere that may be asked".to_owned())?;
        let words = |error: &dyn std::fmt::Display| format!("it cannot be fetched: {error}");
        let stream = TcpStream::connect(address).await.map_err(|error| words(&error))?;
        let request = Request::get(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::new()))
            .map_err(|error| words(&error))?;
        if !target.tls {
            return download(stream, request, limit).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|error| words(&error))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| words(&error))?;
        download(stream, request, limit).await
    }

    /// The address to connect to. One forbidden address among several is enough to refuse: whoever mixes them is
    /// trying.
    async fn address(&self, target: &Target) -> Result<SocketAddr, Outcome> {
        if let Some(address) = target.address {
            return Ok(SocketAddr::new(address, target.port));
        }
        let found = tokio::time::timeout(CONNECT, self.resolver.addresses(&target.host, target.port)).await;
        let addresses = match found {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                return Err(Outcome::Unreachable { words: format!("The name cannot be resolved: {error}") });
            }
            Err(_) => {
                return Err(Outcome::Unreachable { words: "The name cannot be resolved in time".to_owned() });
            }
        };
        if addresses.iter().any(|address| !self.guard.permits(address.ip())) {
            let words = "The name leads to an address that is not on the public internet".to_owned();
            return Err(Outcome::Refused { code: None, words });
        }
        let first = addresses.first().copied();
        first.ok_or_else(|| Outcome::Unreachable { words: "The name has no address".to_owned() })
    }
}

async fn exchange<S>(stream: S, target: &Target, delivery: &Delivery) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = match request(target, delivery) {
        Ok(request) => request,
        Err(error) => return Outcome::Refused { code: None, words: format!("This cannot be sent: {error}") },
    };
    let handshake = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = match handshake {
        Ok(both) => both,
        Err(error) => return broken(&error),
    };
    let answered = async {
        match sender.send_request(request).await {
            Ok(response) => judged(response).await,
            Err(error) => broken(&error),
        }
    };
    tokio::pin!(answered);
    // The connection ends with this attempt, whatever the receiver would like. It may end before its answer is looked at,
    // which is an answer all the same.
    tokio::select! {
        biased;
        outcome = &mut answered => outcome,
        _ = connection => answered.await,
    }
}

async fn download<S>(stream: S, request: Request<Full<Bytes>>, limit: usize) -> Result<Vec<u8>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: &dyn std::fmt::Display| format!("the connection broke: {error}");
    let handshake = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        let body =
            Limited::new(response.into_body(), limit).collect().await.map_err(|error| broken(&error))?;
        Ok(body.to_bytes().to_vec())
    };
    tokio::pin!(answered);
    tokio::select! {
        biased;
        outcome = &mut answered => outcome,
        _ = connection => answered.await,
    }
}

fn request(target: &Target, delivery: &Delivery) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("Partyline/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(Bytes::from(delivery.body.clone())))
}

/// 2xx is delivered, 410 means never again, everything else is tried again; a redirect leads nowhere.
async fn judged(response: Response<hyper::body::Incoming>) -> Outcome {
    let status = response.status();
    // Read to its end, so that a receiver which writes first and looks later is content, but not for ever.
    let _ = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
    let code = Some(status.as_u16());
    if status.is_success() {
        return Outcome::Delivered;
    }
    let words = match status {
        StatusCode::GONE => {
            return Outcome::Refused { code, words: "The receiver says it is gone (410)".to_owned() };
        }
        status if status.is_redirection() => {
            format!("The receiver redirects ({status}), which is not followed")
        }
        status => format!("The receiver answers {status}"),
    };
    Outcome::Later { code, words }
}

fn broken(error: &hyper::Error) -> Outcome {
    Outcome::Later { code: None, words: format!("The connection broke: {error}") }
}

#[async_trait]
impl Carrier for WebhookCarrier {
    async fn deliver(&self, parcel: Parcel) -> Outcome {
        let Parcel::Webhook(delivery) = parcel else {
            return Outcome::Refused { code: None, words: "This is no webhook delivery".to_owned() };
        };
        match tokio::time::timeout(WHOLE, self.post(&delivery)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Outcome::Later { code: None, words: "The receiver took longer than 10 seconds".to_owned() }
            }
        }
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
