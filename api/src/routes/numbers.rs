//! The tenant's numbers, and what calls of a user show.

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use crate::routes::pages::PageQuery;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::UserId;
use conference::services::numbers::{NewCallerId, Number, NumberChange, NumberPurpose};
use conference::services::views::CallerId;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The tenant's numbers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Numbers {
    /// In order.
    numbers: Vec<Number>,
    /// How many there are on all pages.
    total: u64,
    /// Which page this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// The numbers a user may choose from.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnNumbers {
    /// In order.
    numbers: Vec<Number>,
}

/// A number to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberRequest {
    /// As typed.
    number: String,
    /// What it is for; only shown to those called when missing.
    purpose: Option<NumberPurpose>,
    /// Whose it is; everybody's of the tenant when missing.
    user: Option<String>,
    /// What the tenant calls it.
    label: Option<String>,
    /// The trunk it is rented on.
    trunk: Option<u64>,
    /// A, B or C: how the carrier vouches for calls that show it.
    attestation: Option<String>,
    /// It was found to be the tenant's. Only then it may be shown.
    #[serde(default)]
    verified: bool,
}

/// What is to change. What is left out stays; null takes away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberChangeRequest {
    /// What it is for.
    purpose: Option<NumberPurpose>,
    /// Whose it is; null makes it everybody's of the tenant.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    user: Option<Option<String>>,
    /// What the tenant calls it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    label: Option<Option<String>>,
    /// The trunk it is rented on.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    trunk: Option<Option<u64>>,
    /// A, B or C.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    attestation: Option<Option<String>>,
    /// Whether it was found to be the tenant's.
    verified: Option<bool>,
}

/// Tells a null from a field that is left out.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The tenant's numbers.
#[utoipa::path(get, path = "/v1/numbers", tag = "numbers", params(PageQuery), responses(
    (status = 200, body = Numbers),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> Result<Json<Numbers>, ApiError> {
    let found = state.services.numbers(&caller.actor, query.request()?).await?;
    let (total, page, per_page) = (found.total, found.page, found.per_page);
    Ok(Json(Numbers { numbers: found.items, total, page, per_page }))
}

/// Adds a number.
#[utoipa::path(post, path = "/v1/numbers", tag = "numbers", request_body = NumberRequest, responses(
    (status = 201, body = Number),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 409, description = "The number is taken", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<NumberRequest>,
) -> Result<(StatusCode, Json<Number>), ApiError> {
    let change = NumberChange {
        purpose: request.purpose,
        user: Some(request.user.map(UserId::new)),
        label: Some(request.label),
        trunk: Some(request.trunk),
        attestation: Some(request.attestation),
        verified: Some(request.verified),
    };
    let number = state.services.add_number(&caller.actor, &request.number, change).await?;
    Ok((StatusCode::CREATED, Json(number)))
}

/// Changes what is known of a number.
#[utoipa::path(patch, path = "/v1/numbers/{number}", tag = "numbers",
    params(("number" = String, Path, description = "The row's id, or the number in E.164")),
    request_body = NumberChangeRequest, responses(
    (status = 200, body = Number),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(number): Path<String>,
    Body(request): Body<NumberChangeRequest>,
) -> Result<Json<Number>, ApiError> {
    let change = NumberChange {
        purpose: request.purpose,
        user: request.user.map(|user| user.map(UserId::new)),
        label: request.label,
        trunk: request.trunk,
        attestation: request.attestation,
        verified: request.verified,
    };
    Ok(Json(state.services.change_number(&caller.actor, &number, change).await?))
}

/// Removes a number, and with it the caller IDs that show it.
#[utoipa::path(delete, path = "/v1/numbers/{number}", tag = "numbers",
    params(("number" = String, Path, description = "The row's id, or the number in E.164")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.remove_number(&caller.actor, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The numbers the asker may choose as caller ID.
#[utoipa::path(get, path = "/v1/me/numbers", tag = "numbers", responses(
    (status = 200, body = OwnNumbers),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub(crate) async fn own(State(state): State<AppState>, caller: Caller) -> Result<Json<OwnNumbers>, ApiError> {
    Ok(Json(OwnNumbers { numbers: state.services.own_numbers(&caller.actor).await? }))
}

/// What calls of a user are to show.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerIdRequest {
    /// One of the user's or the tenant's verified numbers; null takes the caller ID away: calls are refused then.
    number: Option<String>,
    /// The name beside it; the user's own when missing.
    display: Option<String>,
    /// Show neither.
    #[serde(default)]
    hidden: bool,
}

/// The caller ID in force from the next call on.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallerIdAnswer {
    /// None if it was taken away.
    caller_id: Option<CallerId>,
}

/// Sets what calls of a user show: one's own, or as Tenant Admin anybody's.
#[utoipa::path(put, path = "/v1/users/{user}/caller-id", tag = "numbers",
    params(("user" = String, Path, description = "The user")), request_body = CallerIdRequest, responses(
    (status = 200, body = CallerIdAnswer),
    (status = 401, body = Problem),
    (status = 403, description = "Somebody else's", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "Not a number that may be shown (caller_id_not_owned)", body = Problem),
))]
pub(crate) async fn set_caller_id(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Body(request): Body<CallerIdRequest>,
) -> Result<Json<CallerIdAnswer>, ApiError> {
    let new = NewCallerId { number: request.number, display: request.display, hidden: request.hidden };
    let caller_id = state.services.set_caller_id(&caller.actor, &UserId::new(user), &new).await?;
    Ok(Json(CallerIdAnswer { caller_id }))
}
