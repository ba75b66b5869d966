//! The identity provider: what it says of itself, and its answers.

use super::token::{self, Expected, Keys, Subject, TokenError};
use crate::services::error::ServiceError;
use crate::vocabulary::UnixMillis;
use async_trait::async_trait;
use serde::Deserialize;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What is known of the provider is asked anew after this long.
const REFRESH_MS: u64 = 10 * 60 * 1000;
/// A key that is not known is looked for at most this often.
const LOOK_AGAIN_MS: u64 = 60 * 1000;

/// Which identity provider, and who we are to it.
#[derive(Clone)]
pub struct OidcConfig {
    /// The issuer's URL, exactly as its tokens name it.
    pub issuer: String,
    /// Our name at the provider.
    pub client_id: String,
    /// Our secret at the provider; none for a public client.
    pub client_secret: Option<String>,
    /// The tenant whose users log in there, by name.
    pub tenant: String,
}

impl std::fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OidcConfig({:?}, {:?})", self.issuer, self.client_id)
    }
}

/// How the provider is reached. Answers are bounded in size and time by whoever implements it.
#[async_trait]
pub trait OidcTransport: Send + Sync + 'static {
    /// The status and body of a GET.
    async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), String>;
    /// The status and body of a POST of a form.
    async fn post_form(
        &self,
        url: &str,
        body: String,
        authorization: Option<String>,
    ) -> Result<(u16, Vec<u8>), String>;
}

/// What the provider says of itself (OpenID Connect Discovery 1.0 section 3).
#[derive(Clone, Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Clone)]
struct Known {
    document: Document,
    keys: Keys,
    at: UnixMillis,
}

pub(super) struct Provider {
    pub(super) config: OidcConfig,
    transport: Arc<dyn OidcTransport>,
    known: Mutex<Option<Known>>,
}

/// `application/x-www-form-urlencoded`, which is also how parameters stand in a URL.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let joint = if text.is_empty() { "" } else { "&" };
        let _ = write!(text, "{joint}{name}={}", encoded(value));
    }
    text
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn fault(words: impl std::fmt::Display) -> ServiceError {
    ServiceError::internal(format!("identity provider: {words}"))
}

impl Provider {
    pub(super) fn new(config: OidcConfig, transport: Arc<dyn OidcTransport>) -> Self {
        Self { config, transport, known: Mutex::new(None) }
    }

    /// Where the browser goes to log in.
    pub(super) async fn authorization(
        &self,
        redirect_uri: &str,
        (state, nonce, challenge): (&str, &str, &str),
        now: UnixMillis,
    ) -> Result<String, ServiceError> {
        let known = self.known(now, REFRESH_MS).await?;
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "openid email"),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if known.document.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{joint}{query}", known.document.authorization_endpoint))
    }

    /// The ID token for a code; none if the provider does not take the code.
    pub(super) async fn exchange(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now: UnixMillis,
    ) -> Result<Option<String>, ServiceError> {
        use base64::Engine as _;
        let known = self.known(now, REFRESH_MS).await?;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        // RFC 6749 section 2.3.1: both parts are encoded before they are joined.
        let authorization = self.config.client_secret.as_ref().map(|secret| {
            let both = format!("{}:{}", encoded(&self.config.client_id), encoded(secret));
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both))
        });
        if authorization.is_none() {
            pairs.push(("client_id", &self.config.client_id));
        }
        let answer =
            self.transport.post_form(&known.document.token_endpoint, form(&pairs), authorization).await;
        let (status, body) = answer.map_err(fault)?;
        if (400..500).contains(&status) {
            tracing::warn!(http.status = status, "the identity provider does not take a code");
            return Ok(None);
        }
        let answer: TokenAnswer = read(status, &body)?;
        Ok(Some(answer.id_token))
    }

    /// Checks a token, with the keys fetched anew if it is signed by one that is not known.
    pub(super) async fn check(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Result<Subject, TokenError>, ServiceError> {
        let mut known = self.known(expected.now, REFRESH_MS).await?;
        if !known.keys.know(token) {
            known = self.known(expected.now, LOOK_AGAIN_MS).await?;
        }
        Ok(token::check(token, &known.keys, expected))
    }

    /// What is known of the provider, no older than that.
    async fn known(&self, now: UnixMillis, age_ms: u64) -> Result<Known, ServiceError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.at.0 + age_ms > now.0) {
            return Ok(known.clone());
        }
        let base = self.config.issuer.trim_end_matches('/');
        let document: Document = self.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
        if document.issuer != self.config.issuer {
            return Err(fault(format!(
                "it calls itself {:?}, not {:?}",
                document.issuer, self.config.issuer
            )));
        }
        let keys: Keys = self.fetch(&document.jwks_uri).await?;
        let fresh = Known { document, keys, at: now };
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    async fn fetch<T: for<'de> Deserialize<'de>>(&self, url: &str) -> Result<T, ServiceError> {
        let (status, body) = self.transport.get(url).await.map_err(fault)?;
        read(status, &body)
    }
}

fn read<T: for<'de> Deserialize<'de>>(status: u16, body: &[u8]) -> Result<T, ServiceError> {
    if status != 200 {
        return Err(fault(format!("it answers {status}")));
    }
    serde_json::from_slice(body).map_err(|error| fault(format!("its answer cannot be read: {error}")))
}
