//! Whose token is this.

use crate::AppState;
use crate::problem::ApiError;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use conference::services::Actor;
use conference::services::keys::Scope;
use std::net::{IpAddr, SocketAddr};

/// The cookie a browser carries instead of the header.
pub(crate) const COOKIE: &str = "partyline";

/// Whoever sent a valid token, by header or by cookie.
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) token: String,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token =
            bearer(&parts.headers).or_else(|| cookie(&parts.headers)).ok_or_else(no_token)?.to_owned();
        let identified = state.services.identify(&token).await?;
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        identified.require(scope(&parts.method, route))?;
        Ok(Self { actor: identified.actor, token })
    }
}

/// What a machine's key must allow for a route; none where no key will do: passwords and keys are people's own.
pub(crate) fn scope(method: &Method, route: &str) -> Option<Scope> {
    let resource = route.trim_start_matches("/v1/").split('/').next().unwrap_or_default();
    match resource {
        "api-keys" | "login" | "logout" | "enrol" | "oidc" => None,
        "me" if method != Method::GET => None,
        _ if method == Method::GET || method == Method::HEAD => Some(Scope::Read),
        // Asking changes nothing.
        "resolve" => Some(Scope::Read),
        "calls" => Some(Scope::Calls),
        "meetings" if route.contains("/calls") => Some(Scope::Calls),
        "meetings" | "multi-invites" | "sessions" | "invitations" => Some(Scope::Meetings),
        "users" | "user-requests" | "devices" => Some(Scope::Users),
        _ => Some(Scope::Admin),
    }
}

/// The address a request came from, if the server was set up to tell.
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map(|ConnectInfo(address)| address.ip())))
    }
}

pub(crate) fn no_token() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "No token was sent")
        .mend("Log in, then send the header Authorization: Bearer TOKEN")
}

/// The token of the Authorization header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token of the cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_named(headers, COOKIE)
}

/// The cookie of a login. Scripts cannot read it and other sites cannot make the browser send it.
pub(crate) fn login_cookie(token: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The value of a cookie.
pub(crate) fn cookie_named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, token)| token)
}
