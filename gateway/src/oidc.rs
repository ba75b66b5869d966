//! Reaching the identity provider: HTTPS, one connection a request, answers of bounded size and time.

use async_trait::async_trait;
use bytes::Bytes;
use conference::services::oidc::OidcTransport;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a whole request may take.
const WHOLE: Duration = Duration::from_secs(10);
/// The largest answer read.
const ANSWER_MAX: usize = 256 * 1024;
/// How large the head of an answer may be.
const HEAD_MAX: usize = 32 * 1024;

/// Whether an issuer or endpoint may be asked without TLS: on this machine only, for tests.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The way to the identity provider.
pub(crate) struct Https {
    tls: TlsConnector,
}

impl Https {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let (taken, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if taken == 0 {
            tracing::warn!(
                "no certificates of authorities were found: the identity provider cannot be reached by TLS"
            );
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn send(&self, uri: &Uri, request: Request<Full<Bytes>>) -> Result<(u16, Vec<u8>), String> {
        let host = uri.host().ok_or("no host in the address")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            _ => return Err(format!("{uri} is not https")),
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, port)).await.map_err(|error| format!("{host}: {error}"))?;
        if !tls {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| format!("{host}: {error}"))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| format!("{host}: {error}"))?;
        exchange(stream, request).await
    }

    async fn within_time(
        &self,
        url: &str,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<(u16, Vec<u8>), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = request
            .uri(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("Partyline/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(WHOLE, self.send(&uri, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("{url} does not answer in time")),
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, Vec<u8>), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let words = |error: hyper::Error| error.to_string();
    let handshake = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(words)?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(words)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes().to_vec()))
    };
    tokio::pin!(connection);
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = &mut connection => {
            ended.map_err(words)?;
            // The connection may end before the last of the answer has been taken from it.
            answered.await
        }
    }
}

#[async_trait]
impl OidcTransport for Https {
    async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        self.within_time(url, Request::get("/"), String::new()).await
    }

    async fn post_form(
        &self,
        url: &str,
        body: String,
        authorization: Option<String>,
    ) -> Result<(u16, Vec<u8>), String> {
        let mut request =
            Request::post("/").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.within_time(url, request, body).await
    }
}
