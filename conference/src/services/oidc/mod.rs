//! Login by an identity provider: OpenID Connect, authorization code with PKCE (RFC 7636).
//!
//! The provider says who somebody is; what they may do is decided here. It speaks for one tenant: somebody is a user of
//! that tenant, by the subject of an earlier login or by an address the provider has verified, or nobody.

mod provider;
mod token;

pub use provider::{OidcConfig, OidcTransport};
pub use token::TokenError;

use super::accounts::{Login, later};
use super::audit::Who;
use super::error::{ErrorKind, ServiceError};
use super::{Services, input};
use crate::store::secrets::{random_token, token_hash};
use crate::store::{OidcLoginRow, Store, StoreError, UserRow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider::Provider;
use sha2::Digest as _;
use std::sync::Arc;
use std::time::Duration;
use token::{Expected, Subject};

/// How long somebody may take at the provider.
const LIFETIME: Duration = Duration::from_secs(600);
/// Logins under way at once; more are not begun.
const UNDER_WAY_MAX: i64 = 10_000;
/// The longest code or state looked at.
const TEXT_MAX: usize = 4_096;

/// Login by one identity provider.
pub struct Oidc(Provider);

impl Oidc {
    /// The provider of this configuration, reached by this transport. Nothing is asked of it before the first login.
    pub fn new(config: OidcConfig, transport: Arc<dyn OidcTransport>) -> Self {
        Self(Provider::new(config, transport))
    }
}

/// A login that begins: where the browser goes, and what it must bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcStart {
    /// The provider's page.
    pub location: String,
    /// What ties the answer to this browser.
    pub state: String,
}

/// The refusal of every login that failed, whatever the reason.
fn refused() -> ServiceError {
    ServiceError::new(ErrorKind::Unauthorized, "The login at the identity provider was not accepted")
        .mend("Try again, or ask your Tenant Admin whether you have been added")
}

impl Services {
    /// Sets the identity provider up. To be called once, at start.
    pub fn set_oidc(&self, oidc: Oidc) {
        if self.oidc.set(oidc).is_err() {
            tracing::error!("the identity provider was set up twice");
        }
    }

    /// Whether there is an identity provider.
    pub fn has_oidc(&self) -> bool {
        self.oidc.get().is_some()
    }

    fn provider(&self) -> Result<&Provider, ServiceError> {
        let none = || {
            ServiceError::not_found("identity provider")
                .mend("Log in with login and password, or set up [oidc]")
        };
        self.oidc.get().map(|oidc| &oidc.0).ok_or_else(none)
    }

    fn redirect_uri(&self) -> String {
        format!("{}/v1/oidc/callback", self.config.base_url)
    }

    /// Begins a login. `return_to` is the place within the page to come back to.
    ///
    /// # Errors
    /// Not found if there is no provider; too many if others are under way; internal if the provider does not answer.
    pub async fn begin_oidc(&self, return_to: Option<&str>) -> Result<OidcStart, ServiceError> {
        let provider = self.provider()?;
        let return_to = return_to.unwrap_or("/");
        // Our own page only: anything else would make us a signpost for strangers.
        let own = return_to.starts_with('/') && !return_to.starts_with("//") && !return_to.contains('\\');
        if !own || return_to.len() > 500 || return_to.chars().any(|c| c.is_control() || !c.is_ascii()) {
            return Err(ServiceError::invalid("return_to", "This is no place within the page")
                .mend("Begin it with /"));
        }
        let now = self.now();
        self.store.delete_expired_oidc_logins(now).await?;
        if self.store.oidc_logins_under_way().await? >= UNDER_WAY_MAX {
            return Err(ServiceError::new(ErrorKind::TooMany, "Too many logins are under way")
                .mend("Try again later"));
        }
        let token = || random_token(self.entropy.as_ref());
        let (state, nonce, verifier) = (token(), token(), token());
        let row = OidcLoginRow {
            verifier: self.vault.seal(&verifier),
            nonce: nonce.clone(),
            return_to: return_to.to_owned(),
        };
        self.store.insert_oidc_login(&token_hash(&state), &row, now, later(now, LIFETIME)).await?;
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier.as_bytes()));
        let location =
            provider.authorization(&self.redirect_uri(), (&state, &nonce, &challenge), now).await?;
        Ok(OidcStart { location, state })
    }

    /// Ends a login: `state` came back from the provider, `own_state` from the browser that began. Returns the login and
    /// the place to go to.
    ///
    /// # Errors
    /// Unauthorized, in the same words whatever the reason; internal if the provider does not answer.
    pub async fn finish_oidc(
        &self,
        (state, own_state): (&str, Option<&str>),
        code: &str,
    ) -> Result<(Login, String), ServiceError> {
        let provider = self.provider()?;
        let long = state.len() > TEXT_MAX || code.len() > TEXT_MAX;
        if long || own_state != Some(state) || code.is_empty() {
            return Err(refused());
        }
        let now = self.now();
        let begun = self.store.take_oidc_login(&token_hash(state), now).await?.ok_or_else(refused)?;
        let verifier = self.vault.open(&begun.verifier).ok_or_else(refused)?;
        let token = provider.exchange(code, &self.redirect_uri(), &verifier, now).await?;
        let token = token.ok_or_else(refused)?;
        let expected = Expected {
            issuer: &provider.config.issuer,
            client: &provider.config.client_id,
            nonce: &begun.nonce,
            now,
        };
        let subject = provider.check(&token, &expected).await?.map_err(|error| {
            tracing::warn!(%error, "an ID token is not believed");
            refused()
        })?;
        let user = self.user_of(provider, &subject).await?.ok_or_else(refused)?;
        Ok((self.login_as(user).await?, begun.return_to))
    }

    /// The user a subject is. The first time by a verified address, from then on by the subject itself, so that neither a
    /// changed nor a passed-on address makes somebody else of them.
    async fn user_of(&self, provider: &Provider, subject: &Subject) -> Result<Option<UserRow>, ServiceError> {
        let Some(tenant) = self.store.tenant_by_name(&provider.config.tenant).await? else {
            return Err(ServiceError::internal("[oidc] names a tenant that does not exist"));
        };
        let known = format!("{} {}", provider.config.issuer, subject.subject);
        if let Some(user) = self.store.user_by_oidc_subject(&tenant.id, &known).await? {
            return Ok(Some(user).filter(|user| user.enabled));
        }
        let Some(mail) = subject.mail.as_deref().and_then(|mail| input::mail("email", mail).ok()) else {
            return Ok(None);
        };
        let mut transaction = self.store.begin().await?;
        let Some(id) = Store::address_holder(&mut transaction, &tenant.id, "mail", &mail).await? else {
            return Ok(None);
        };
        if !Store::set_oidc_subject(&mut transaction, &tenant.id, &id, &known, self.now()).await? {
            // Disabled, or somebody else at the provider was this user before.
            return Ok(None);
        }
        let who = Who { tenant: &tenant.id, user: Some(&id) };
        let after = serde_json::json!({ "issuer": provider.config.issuer });
        let change = (None, Some(after));
        self.audit_from("oidc", &mut transaction, who, "user.identified", id.as_str(), change).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(self.store.user(&tenant.id, &id).await?)
    }
}
