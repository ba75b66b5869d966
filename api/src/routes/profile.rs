//! A user's own settings.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::ids::UserId;
use conference::services::profile::ProfileChange;
use conference::services::views::Profile;
use serde::Deserialize;
use utoipa::ToSchema;

/// What is to change; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileRequest {
    /// All e-mail addresses, in place of those there are; at most 10.
    emails: Option<Vec<String>>,
    /// The one of them that invitations go to.
    invitation_address: Option<String>,
}

/// Where invitations go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressRequest {
    /// An address of the user, or a new one.
    address: String,
}

/// The asker's own settings.
#[utoipa::path(get, path = "/v1/me/profile", tag = "profile", responses(
    (status = 200, body = Profile),
    (status = 401, body = Problem),
    (status = 403, description = "A join link has no profile", body = Problem),
))]
pub(crate) async fn show(State(state): State<AppState>, caller: Caller) -> Result<Json<Profile>, ApiError> {
    Ok(Json(state.services.profile(&caller.actor).await?))
}

/// Changes the asker's own settings. It counts from the next invitation on.
#[utoipa::path(patch, path = "/v1/me/profile", tag = "profile", request_body = ProfileRequest, responses(
    (status = 200, body = Profile),
    (status = 401, body = Problem),
    (status = 403, description = "A join link has no profile", body = Problem),
    (status = 409, description = "Somebody else has this address", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<ProfileRequest>,
) -> Result<Json<Profile>, ApiError> {
    let change = ProfileChange { emails: request.emails, invitation_address: request.invitation_address };
    Ok(Json(state.services.change_profile(&caller.actor, &change).await?))
}

/// Sets where a user's invitations go: one's own, or anybody's for Tenant Admins.
#[utoipa::path(put, path = "/v1/users/{user}/invitation-address", tag = "profile",
    params(("user" = String, Path, description = "The user")), request_body = AddressRequest, responses(
    (status = 200, body = Profile),
    (status = 401, body = Problem),
    (status = 403, description = "Somebody else's profile", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Somebody else has this address", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn set_address(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<AddressRequest>,
) -> Result<Json<Profile>, ApiError> {
    let user = UserId::new(user);
    Ok(Json(state.services.set_invitation_address(&caller.actor, &user, &request.address).await?))
}
