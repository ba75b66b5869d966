//! Join links.

use crate::AppState;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::services::views::{JoinPreview, Joined};
use serde::Deserialize;
use utoipa::ToSchema;

/// Who comes in by the shared link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinRequest {
    /// The guest's name; not needed with a personal link.
    name: Option<String>,
    /// The PIN of the join information, where the meeting wants one.
    passcode: Option<String>,
}

/// What a link leads to.
#[utoipa::path(get, path = "/v1/join/{token}", tag = "join", security(()),
    params(("token" = String, Path, description = "The end of the link")), responses(
    (status = 200, body = JoinPreview),
    (status = 403, description = "Removed from the meeting", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Called off or over", body = Problem),
))]
pub(crate) async fn preview(
    State(state): State<AppState>,
    Path(token): Path<String>,
) -> Result<Json<JoinPreview>, ApiError> {
    Ok(Json(state.services.preview_link(&token).await?))
}

/// Uses a link: a token for that one meeting.
#[utoipa::path(post, path = "/v1/join/{token}", tag = "join", security(()),
    params(("token" = String, Path, description = "The end of the link")), request_body = JoinRequest, responses(
    (status = 200, body = Joined),
    (status = 403, description = "Removed, not invited, or a wrong passcode", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Called off, over or full", body = Problem),
    (status = 429, description = "Too many wrong passcodes", body = Problem),
    (status = 422, description = "A guest needs a name", body = Problem),
))]
pub(crate) async fn join(
    State(state): State<AppState>,
    Path(token): Path<String>,
    Body(request): Body<JoinRequest>,
) -> Result<Json<Joined>, ApiError> {
    Ok(Json(state.services.join_by_link(&token, request.name.as_deref(), request.passcode.as_deref()).await?))
}
