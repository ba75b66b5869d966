//! Many users into many sessions.

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params, idempotency_key};
use crate::problem::{ApiError, Problem};
use crate::routes::pages::PageQuery;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use conference::ids::MeetingId;
use conference::services::multi::{MultiInvite, NewMultiInvite, PairResult};
use conference::vocabulary::Access;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Users x sessions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"users": ["pia@acme.test", "12025550133@collaborate.center"], "sessions": ["m1", "m7"], "access": "view_only"}))]
pub(crate) struct MultiInviteRequest {
    /// Users by id, e-mail address, phone number, number@domain or extension; at most 500.
    users: Vec<String>,
    /// Sessions by id; at most 200.
    sessions: Vec<String>,
    /// The access of this commit; collaborate when missing.
    #[serde(default)]
    access: Access,
}

/// How far it is, with a page of results.
#[derive(Serialize, ToSchema)]
pub(crate) struct MultiInviteReport {
    /// The order.
    #[serde(flatten)]
    order: MultiInvite,
    /// One per pair, session by session in the order of the request.
    results: Vec<PairResult>,
    /// Which page of the results this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// Gives registered users access to sessions, every user to every session. The answer comes at once; progress is told by
/// `multi_invite.progress` and `multi_invite.done` events and by GET. Nobody is created on this way. With the same
/// Idempotency-Key the same order is given again.
#[utoipa::path(post, path = "/v1/multi-invites", tag = "multi_invites", params(
    ("Idempotency-Key" = Option<String>, Header, description = "New for each press of Add Users"),
), request_body = MultiInviteRequest, responses(
    (status = 202, body = MultiInvite),
    (status = 401, body = Problem),
    (status = 403, description = "Neither Session Admin nor Tenant Admin", body = Problem),
    (status = 409, description = "The key was used for another request", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
    (status = 429, description = "Others of the tenant are running", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<MultiInviteRequest>,
) -> Result<(StatusCode, Json<MultiInvite>), ApiError> {
    let key = idempotency_key(&headers);
    let new = NewMultiInvite {
        users: request.users,
        sessions: request.sessions.into_iter().map(MeetingId::new).collect(),
        access: request.access,
    };
    let order = state.services.multi_invite(&caller.actor, new, key).await?;
    Ok((StatusCode::ACCEPTED, Json(order)))
}

/// How far it is, and the results so far.
#[utoipa::path(get, path = "/v1/multi-invites/{order}", tag = "multi_invites", params(
    ("order" = String, Path, description = "The order"), PageQuery,
), responses(
    (status = 200, body = MultiInviteReport),
    (status = 401, body = Problem),
    (status = 403, description = "Neither Session Admin nor Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<MultiInviteReport>, ApiError> {
    let page = query.request()?;
    let order = state.services.multi_invite_state(&caller.actor, &id).await?;
    let found = state.services.multi_invite_results(&caller.actor, &id, page).await?;
    let (page, per_page) = (found.page, found.per_page);
    Ok(Json(MultiInviteReport { order, results: found.items, page, per_page }))
}
