//! Keys of machines.

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use crate::routes::pages::PageQuery;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::UserId;
use conference::services::keys::{ApiKey, CreatedApiKey, NewApiKey, Scope};
use conference::vocabulary::UnixMillis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Room calendar", "scopes": ["read", "meetings"]}))]
pub(crate) struct KeyRequest {
    /// What it is for.
    name: String,
    /// What it allows.
    scopes: Vec<Scope>,
    /// In whose name it acts; the asker's when missing.
    user: Option<String>,
    /// When it ends, in milliseconds since the Unix epoch; never when missing.
    expires_at: Option<u64>,
}

/// Keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    /// Newest first.
    api_keys: Vec<ApiKey>,
    /// How many there are on all pages.
    total: u64,
    /// Which page this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// The tenant's keys.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api_keys", params(PageQuery), responses(
    (status = 200, body = Keys),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<PageQuery>,
) -> Result<Json<Keys>, ApiError> {
    let page = query.request()?;
    let found = state.services.api_keys(&caller.actor, page).await?;
    let (total, page, per_page) = (found.total, found.page, found.per_page);
    Ok(Json(Keys { api_keys: found.items, total, page, per_page }))
}

/// Makes a key. It is shown this once and used like a token.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api_keys", request_body = KeyRequest, responses(
    (status = 201, body = CreatedApiKey),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 409, description = "Too many keys", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<KeyRequest>,
) -> Result<(StatusCode, Json<CreatedApiKey>), ApiError> {
    let new = NewApiKey {
        name: request.name,
        scopes: request.scopes.into_iter().collect(),
        user: request.user.map(UserId::new),
        expires_at: request.expires_at.map(UnixMillis),
    };
    Ok((StatusCode::CREATED, Json(state.services.create_api_key(&caller.actor, new).await?)))
}

/// Revokes a key, at once.
#[utoipa::path(delete, path = "/v1/api-keys/{key}", tag = "api_keys",
    params(("key" = String, Path, description = "The key's identifier")), responses(
    (status = 204, description = "Revoked"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.revoke_api_key(&caller.actor, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
