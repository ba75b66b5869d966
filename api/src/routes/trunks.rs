//! Trunks, for the Tenant Admin.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::services::trunks::{TrunkChange, TrunkState, TrunkView};
use serde::Serialize;
use utoipa::ToSchema;

/// The tenant's trunks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trunks {
    /// In the order in which they were added.
    trunks: Vec<TrunkView>,
}

/// The tenant's trunks. Passwords are never shown.
#[utoipa::path(get, path = "/v1/trunks", tag = "trunks", responses(
    (status = 200, body = Trunks),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Trunks>, ApiError> {
    Ok(Json(Trunks { trunks: state.services.trunks(&caller.actor).await? }))
}

/// Adds a trunk; the next call may take it.
#[utoipa::path(post, path = "/v1/trunks", tag = "trunks", request_body = TrunkChange, responses(
    (status = 201, body = TrunkView),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 409, description = "The name is taken", body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(change): Body<TrunkChange>,
) -> Result<(StatusCode, Json<TrunkView>), ApiError> {
    let trunk = state.services.add_trunk(&caller.actor, change).await?;
    Ok((StatusCode::CREATED, Json(trunk)))
}

/// One trunk.
#[utoipa::path(get, path = "/v1/trunks/{trunk}", tag = "trunks", params(
    ("trunk" = u64, Path, description = "The trunk"),
), responses(
    (status = 200, body = TrunkView),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(trunk): Path<String>,
) -> Result<Json<TrunkView>, ApiError> {
    Ok(Json(state.services.trunk_by_id(&caller.actor, id(&trunk)).await?))
}

/// Changes a trunk; running calls go on.
#[utoipa::path(patch, path = "/v1/trunks/{trunk}", tag = "trunks", params(
    ("trunk" = u64, Path, description = "The trunk"),
), request_body = TrunkChange, responses(
    (status = 200, body = TrunkView),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(trunk): Path<String>,
    Body(change): Body<TrunkChange>,
) -> Result<Json<TrunkView>, ApiError> {
    Ok(Json(state.services.change_trunk(&caller.actor, id(&trunk), change).await?))
}

/// Removes a trunk; running calls go on.
#[utoipa::path(delete, path = "/v1/trunks/{trunk}", tag = "trunks", params(
    ("trunk" = u64, Path, description = "The trunk"),
), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(trunk): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.remove_trunk(&caller.actor, id(&trunk)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a trunk is at this moment.
#[utoipa::path(get, path = "/v1/trunks/{trunk}/status", tag = "trunks", params(
    ("trunk" = u64, Path, description = "The trunk"),
), responses(
    (status = 200, body = TrunkState),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is not enabled", body = Problem),
))]
pub(crate) async fn status(
    State(state): State<AppState>,
    caller: Caller,
    Path(trunk): Path<String>,
) -> Result<Json<TrunkState>, ApiError> {
    Ok(Json(state.services.trunk_status(&caller.actor, id(&trunk)).await?))
}

/// Asks a trunk by OPTIONS now and waits for its answer, at most three seconds.
#[utoipa::path(post, path = "/v1/trunks/{trunk}/probe", tag = "trunks", params(
    ("trunk" = u64, Path, description = "The trunk"),
), responses(
    (status = 200, body = TrunkState),
    (status = 401, body = Problem),
    (status = 403, description = "Only a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is not enabled", body = Problem),
))]
pub(crate) async fn probe(
    State(state): State<AppState>,
    caller: Caller,
    Path(trunk): Path<String>,
) -> Result<Json<TrunkState>, ApiError> {
    Ok(Json(state.services.probe_trunk(&caller.actor, id(&trunk)).await?))
}

/// What is no number is no trunk's; there is none with 0.
fn id(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}
