//! Enrolling by a one-time link, and changing one's password.

use crate::AppState;
use crate::auth::{Caller, ClientAddress};
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::services::users_admin::EnrolPreview;
use serde::Deserialize;
use utoipa::ToSchema;

/// The password chosen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery staple"}))]
pub(crate) struct EnrolRequest {
    /// At least ten characters.
    password: String,
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current": "hana-demo", "new": "correct horse battery staple"}))]
pub(crate) struct PasswordRequest {
    /// The password in force.
    current: String,
    /// At least ten characters.
    new: String,
}

/// What an enrolment link leads to.
#[utoipa::path(get, path = "/v1/enrol/{token}", tag = "accounts", security(()),
    params(("token" = String, Path, description = "The last part of the link")), responses(
    (status = 200, body = EnrolPreview),
    (status = 404, description = "Unknown, used or expired", body = Problem),
))]
pub(crate) async fn preview(
    State(state): State<AppState>,
    Path(token): Path<String>,
) -> Result<Json<EnrolPreview>, ApiError> {
    Ok(Json(state.services.enrolment(&token).await?))
}

/// Chooses a password by an enrolment link, which is used up by that. Log in with it then.
#[utoipa::path(post, path = "/v1/enrol/{token}", tag = "accounts", security(()),
    params(("token" = String, Path, description = "The last part of the link")), request_body = EnrolRequest, responses(
    (status = 204, description = "Enrolled"),
    (status = 404, description = "Unknown, used or expired", body = Problem),
    (status = 422, description = "A bad password", body = Problem),
))]
pub(crate) async fn enrol(
    State(state): State<AppState>,
    Path(token): Path<String>,
    Body(request): Body<EnrolRequest>,
) -> Result<StatusCode, ApiError> {
    state.services.enrol(&token, &request.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes one's own password. Every other login of the user ends.
#[utoipa::path(put, path = "/v1/me/password", tag = "accounts", request_body = PasswordRequest, responses(
    (status = 204, description = "Changed"),
    (status = 401, body = Problem),
    (status = 403, description = "The token came from a join link or is a key", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
    (status = 429, description = "Too many wrong passwords", body = Problem),
))]
pub(crate) async fn change_password(
    State(state): State<AppState>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    Body(request): Body<PasswordRequest>,
) -> Result<StatusCode, ApiError> {
    // A stolen token must not help to guess the password.
    let account = format!("password of {}", caller.actor.user()?.user);
    if let Err(seconds) = state.guard.admit(state.services.now(), address, &account) {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords")
            .mend(format!("Wait {seconds} seconds"));
        return Err(ApiError { retry_after: Some(seconds), ..error });
    }
    let passwords = (request.current.as_str(), request.new.as_str());
    state.services.change_password(&caller.actor, &caller.token, passwords).await?;
    state.guard.succeeded(address, &account);
    Ok(StatusCode::NO_CONTENT)
}
