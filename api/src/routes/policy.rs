//! Who may call whom, when and for how much.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::UserId;
use conference::live::policy::rules::DialPolicy;
use conference::services::policy::{BLOCKED_PAGE, BlockedNumber, DialOut, NumberCheck};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The tenant's rules for calling out.
#[utoipa::path(get, path = "/v1/dial-policy", tag = "policy", responses(
    (status = 200, body = DialPolicy),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<DialPolicy>, ApiError> {
    Ok(Json(state.services.dial_policy(&caller.actor).await?))
}

/// Replaces the tenant's rules for calling out, whole: what is left out goes back to its default.
#[utoipa::path(put, path = "/v1/dial-policy", tag = "policy", request_body = DialPolicy, responses(
    (status = 200, body = DialPolicy),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn put(
    State(state): State<AppState>,
    caller: Caller,
    Body(policy): Body<DialPolicy>,
) -> Result<Json<DialPolicy>, ApiError> {
    Ok(Json(state.services.set_dial_policy(&caller.actor, policy).await?))
}

/// A number to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberCheckRequest {
    /// As typed.
    number: String,
    /// For this user; for the asker when missing.
    user: Option<String>,
}

/// Tries a number against the rules. Nothing is dialled.
#[utoipa::path(post, path = "/v1/dial-policy/check", tag = "policy", request_body = NumberCheckRequest, responses(
    (status = 200, body = NumberCheck),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn check(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<NumberCheckRequest>,
) -> Result<Json<NumberCheck>, ApiError> {
    let user = request.user.map(UserId::new);
    Ok(Json(state.services.check_number(&caller.actor, &request.number, user.as_ref()).await?))
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockedQuery {
    /// The last number of the page before.
    after: Option<String>,
}

/// Numbers that are not called.
#[derive(Serialize, ToSchema)]
pub(crate) struct BlockedNumbers {
    /// In order of the numbers.
    numbers: Vec<BlockedNumber>,
    /// Give it as `after` for the next page; missing on the last one.
    next: Option<String>,
}

/// The do-not-call list, 500 numbers a page.
#[utoipa::path(get, path = "/v1/blocked-numbers", tag = "policy", params(BlockedQuery), responses(
    (status = 200, body = BlockedNumbers),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
))]
pub(crate) async fn blocked(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<BlockedQuery>,
) -> Result<Json<BlockedNumbers>, ApiError> {
    let numbers = state.services.blocked_numbers(&caller.actor, query.after.as_deref()).await?;
    let next = numbers.last().filter(|_| numbers.len() == BLOCKED_PAGE).map(|last| last.number.clone());
    Ok(Json(BlockedNumbers { numbers, next }))
}

/// A number that is not to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockRequest {
    /// As typed.
    number: String,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// Puts a number on the do-not-call list.
#[utoipa::path(post, path = "/v1/blocked-numbers", tag = "policy", request_body = BlockRequest, responses(
    (status = 201, body = BlockedNumber),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn block(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<BlockRequest>,
) -> Result<(StatusCode, Json<BlockedNumber>), ApiError> {
    let row = state.services.add_blocked_number(&caller.actor, &request.number, &request.reason).await?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// Takes a number off the do-not-call list, by its id or as it stands.
#[utoipa::path(delete, path = "/v1/blocked-numbers/{number}", tag = "policy",
    params(("number" = String, Path, description = "The row's id, or the number in E.164")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn unblock(
    State(state): State<AppState>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.remove_blocked_number(&caller.actor, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the asker may still do about calling out: caller ID, what is left of the budget, who may call.
#[utoipa::path(get, path = "/v1/me/dial-out", tag = "policy", responses(
    (status = 200, body = DialOut),
    (status = 401, body = Problem),
    (status = 403, description = "Came by a link", body = Problem),
))]
pub(crate) async fn dial_out(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<DialOut>, ApiError> {
    Ok(Json(state.services.dial_out(&caller.actor).await?))
}
