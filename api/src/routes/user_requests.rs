//! Requests of session admins to add somebody.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::services::page::PageRequest;
use conference::services::users_admin::{CreatedUser, Decision, NewUserRequest, RequestState, UserRequest};
use conference::vocabulary::TenantRole;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Who is asked for: exactly one of email and number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "new@else.test", "first": "Nia", "note": "Joins the north site in May"}))]
pub(crate) struct RequestBody {
    /// The address.
    email: Option<String>,
    /// The phone number, or number@domain.
    number: Option<String>,
    /// First name, as far as it is known.
    first: Option<String>,
    /// Last name, as far as it is known.
    last: Option<String>,
    /// Why, at most 500 characters.
    note: Option<String>,
}

/// What a tenant admin decides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "accept", "role": "user"}))]
pub(crate) struct DecisionRequest {
    /// Yes or no.
    decision: DecisionWord,
    /// First name; the request's when missing.
    first: Option<String>,
    /// Last name; the request's when missing.
    last: Option<String>,
    /// Rights of the new user; `user` when missing.
    role: Option<TenantRole>,
}

/// Yes or no.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DecisionWord {
    /// Add the user.
    Accept,
    /// Do not.
    Decline,
}

/// A decided request, with the user who was added.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decided {
    /// The request.
    request: UserRequest,
    /// The user, with the link by which they enrol.
    created: Option<CreatedUser>,
}

/// Which requests.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestsQuery {
    /// Only those that stand there.
    #[param(inline)]
    state: Option<RequestState>,
    /// Which page, counted from 1.
    page: Option<u32>,
    /// How many entries a page holds, at most 500; 100 when missing.
    per_page: Option<u32>,
}

/// Requests.
#[derive(Serialize, ToSchema)]
pub(crate) struct Requests {
    /// Newest first.
    requests: Vec<UserRequest>,
    /// How many there are on all pages.
    total: u64,
    /// Which page this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// Asks the tenant admins for a user. Asking twice gives the request there is.
#[utoipa::path(post, path = "/v1/user-requests", tag = "user_requests", request_body = RequestBody, responses(
    (status = 201, body = UserRequest),
    (status = 401, body = Problem),
    (status = 403, description = "Not an admin", body = Problem),
    (status = 409, description = "There is such a user", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<RequestBody>,
) -> Result<(StatusCode, Json<UserRequest>), ApiError> {
    let RequestBody { email, number, first, last, note } = request;
    let new = NewUserRequest { email, number, first, last, note };
    Ok((StatusCode::CREATED, Json(state.services.request_user(&caller.actor, new).await?)))
}

/// The requests: all of them for tenant admins, their own for session admins.
#[utoipa::path(get, path = "/v1/user-requests", tag = "user_requests", params(RequestsQuery), responses(
    (status = 200, body = Requests),
    (status = 401, body = Problem),
    (status = 403, description = "Not an admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<RequestsQuery>,
) -> Result<Json<Requests>, ApiError> {
    let page = PageRequest::new(query.page, query.per_page)?;
    let found = state.services.user_requests(&caller.actor, query.state, page).await?;
    let (total, page, per_page) = (found.total, found.page, found.per_page);
    Ok(Json(Requests { requests: found.items, total, page, per_page }))
}

/// Decides a request. Accepting it adds the user.
#[utoipa::path(patch, path = "/v1/user-requests/{request}", tag = "user_requests",
    params(("request" = String, Path, description = "The request")), request_body = DecisionRequest, responses(
    (status = 200, body = Decided),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It was decided already", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn decide(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Body(request): Body<DecisionRequest>,
) -> Result<Json<Decided>, ApiError> {
    let DecisionRequest { decision, first, last, role } = request;
    let decision = match decision {
        DecisionWord::Accept => Decision::Accept { first, last, role: role.unwrap_or(TenantRole::User) },
        DecisionWord::Decline => Decision::Decline,
    };
    let (request, created) = state.services.decide_user_request(&caller.actor, &id, decision).await?;
    Ok(Json(Decided { request, created }))
}
