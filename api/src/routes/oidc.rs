//! Login by an identity provider.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::{cookie_named, login_cookie};
use crate::json::Params;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Ties the provider's answer to the browser that began. It must come back with a link from another site, so it is Lax.
const STATE_COOKIE: &str = "partyline_oidc";

/// Whether there is an identity provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct OidcInfo {
    /// Whether one is set up.
    enabled: bool,
    /// Where a login begins.
    start: &'static str,
}

/// Where to come back to.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartQuery {
    /// A place within the page, beginning with `/`.
    return_to: Option<String>,
}

/// What the provider sends back. It may add fields of its own.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    /// What the login began with.
    #[serde(default)]
    state: String,
    /// The authorization code.
    #[serde(default)]
    code: String,
}

/// Whether users may log in by an identity provider.
#[utoipa::path(get, path = "/v1/oidc", tag = "accounts", security(()), responses((status = 200, body = OidcInfo)))]
pub(crate) async fn info(State(state): State<AppState>) -> Json<OidcInfo> {
    Json(OidcInfo { enabled: state.services.has_oidc(), start: "/v1/oidc/start" })
}

/// Begins a login: the browser is sent to the identity provider.
#[utoipa::path(get, path = "/v1/oidc/start", tag = "accounts", security(()), params(StartQuery), responses(
    (status = 303, description = "To the identity provider"),
    (status = 404, description = "No identity provider is set up", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
    (status = 429, description = "Too many logins are under way", body = Problem),
))]
pub(crate) async fn start(
    State(state): State<AppState>,
    Params(query): Params<StartQuery>,
) -> Result<Response, ApiError> {
    let begun = state.services.begin_oidc(query.return_to.as_deref()).await?;
    let secure = if state.services.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let cookie =
        format!("{STATE_COOKIE}={}; Path=/v1/oidc; Max-Age=600; HttpOnly; SameSite=Lax{secure}", begun.state);
    Ok(redirect(&begun.location, &[cookie]))
}

/// Where the identity provider sends the browser back to. Sets the login's cookie and goes on to the page.
#[utoipa::path(get, path = "/v1/oidc/callback", tag = "accounts", security(()), params(CallbackQuery), responses(
    (status = 303, description = "Logged in; to the page"),
    (status = 401, description = "The login was not accepted", body = Problem),
    (status = 404, description = "No identity provider is set up", body = Problem),
))]
pub(crate) async fn callback(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(query): Params<CallbackQuery>,
) -> Result<Response, ApiError> {
    let own = cookie_named(&headers, STATE_COOKIE);
    let (login, return_to) = state.services.finish_oidc((&query.state, own), &query.code).await?;
    let secure = state.services.config.base_url.starts_with("https:");
    let gone = format!("{STATE_COOKIE}=; Path=/v1/oidc; Max-Age=0; HttpOnly; SameSite=Lax");
    Ok(redirect(&return_to, &[login_cookie(&login.token, login.lifetime.as_secs(), secure), gone]))
}

fn redirect(location: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    response
}
