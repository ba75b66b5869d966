//! Colleagues and their devices.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::Params;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::ids::UserId;
use conference::services::views::{Device, User};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersQuery {
    /// Part of a name, extension or address.
    query: Option<String>,
}

/// Colleagues.
#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    /// By extension and name.
    users: Vec<User>,
}

/// The tenant's users but the asker.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(UsersQuery), responses(
    (status = 200, body = Users),
    (status = 401, body = Problem),
    (status = 403, description = "Guests have no list of users", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<UsersQuery>,
) -> Result<Json<Users>, ApiError> {
    let users = state.services.users(&caller.actor, query.query.as_deref()).await?;
    Ok(Json(Users { users }))
}

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevicesQuery {
    /// Only those registered at this moment.
    #[serde(default)]
    registered: bool,
}

/// Devices of a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct Devices {
    /// By name.
    devices: Vec<Device>,
}

/// A user's devices.
#[utoipa::path(get, path = "/v1/users/{user}/devices", tag = "users", params(
    ("user" = String, Path, description = "The user"), DevicesQuery,
), responses(
    (status = 200, body = Devices),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn devices(
    State(state): State<AppState>,
    caller: Caller,
    Path(user): Path<String>,
    Params(query): Params<DevicesQuery>,
) -> Result<Json<Devices>, ApiError> {
    let devices = state.services.devices(&caller.actor, &UserId::new(user), query.registered).await?;
    Ok(Json(Devices { devices }))
}
