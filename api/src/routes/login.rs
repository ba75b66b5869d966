//! Login, logout, the own account.

use crate::AppState;
use crate::auth::{Caller, ClientAddress, login_cookie};
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use conference::services::views::Me;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The login.
    login: String,
    /// The password.
    password: String,
}

/// A successful login.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginResponse {
    /// The bearer token. It is shown this once; browsers get it as a cookie, too.
    token: String,
    /// Who logged in.
    user: Me,
}

/// Exchanges login and password for a token.
#[utoipa::path(post, path = "/v1/login", tag = "accounts", security(()), request_body = LoginRequest, responses(
    (status = 200, body = LoginResponse),
    (status = 401, description = "Login or password is wrong", body = Problem),
    (status = 422, description = "A wrong field", body = Problem),
    (status = 429, description = "Too many wrong passwords", body = Problem),
))]
pub(crate) async fn login(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    Body(request): Body<LoginRequest>,
) -> Result<Response, ApiError> {
    let now = state.services.now();
    if let Err(seconds) = state.guard.admit(now, address, &request.login) {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords")
            .mend(format!("Wait {seconds} seconds"));
        return Err(ApiError { retry_after: Some(seconds), ..error });
    }
    let login = state.services.login(&request.login, &request.password).await?;
    state.guard.succeeded(address, &request.login);
    let secure = state.services.config.base_url.starts_with("https:");
    let cookie = cookie(&login.token, login.lifetime.as_secs(), secure);
    let body = Json(LoginResponse { token: login.token, user: login.user });
    Ok(([(header::SET_COOKIE, cookie)], body).into_response())
}

fn cookie(token: &str, seconds: u64, secure: bool) -> HeaderValue {
    HeaderValue::from_str(&login_cookie(token, seconds, secure))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Ends the token.
#[utoipa::path(post, path = "/v1/logout", tag = "accounts", responses(
    (status = 204, description = "The token is no longer valid"),
    (status = 401, body = Problem),
))]
pub(crate) async fn logout(State(state): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    state.services.logout(&caller.token).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, false))]).into_response())
}

/// The own account.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", responses(
    (status = 200, body = Me),
    (status = 401, body = Problem),
    (status = 403, description = "The token came from a join link", body = Problem),
))]
pub(crate) async fn me(State(state): State<AppState>, caller: Caller) -> Result<Json<Me>, ApiError> {
    Ok(Json(state.services.me(&caller.actor).await?))
}
