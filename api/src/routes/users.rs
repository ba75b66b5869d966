//! Colleagues and their devices.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::Params;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::ids::UserId;
use conference::services::page::{Page, PageRequest};
use conference::services::users_admin::UserDetail;
use conference::services::views::Device;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersQuery {
    /// Part of a name, extension or address.
    query: Option<String>,
    /// What is shown of them; colleagues when missing.
    #[serde(default)]
    #[param(inline)]
    view: UsersView,
    /// Which page, counted from 1.
    page: Option<u32>,
    /// How many entries a page holds, at most 500; 100 when missing.
    per_page: Option<u32>,
}

/// What is shown of users.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UsersView {
    /// The enabled users but the asker, as somebody to invite or call.
    #[default]
    Colleagues,
    /// Every user with their account; for tenant admins.
    Accounts,
}

/// Users.
#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    /// By extension and name.
    users: Vec<UserDetail>,
    /// How many there are on all pages.
    total: u64,
    /// Which page this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// The tenant's users but the asker; all of them with their accounts for tenant admins who ask for that.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(UsersQuery), responses(
    (status = 200, body = Users),
    (status = 401, body = Problem),
    (status = 403, description = "Guests have no list of users; accounts are for tenant admins", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<UsersQuery>,
) -> Result<Json<Users>, ApiError> {
    let page = PageRequest::new(query.page, query.per_page)?;
    let text = query.query.as_deref();
    let (total, page, per_page, users) = match query.view {
        UsersView::Colleagues => {
            let Page { items, total, page, per_page } =
                state.services.users(&caller.actor, text, page).await?;
            let items = items.into_iter().map(|user| UserDetail { user, account: None });
            (total, page, per_page, items.collect())
        }
        UsersView::Accounts => {
            let accounts = state.services.user_accounts(&caller.actor, text, page).await?;
            (accounts.total, accounts.page, accounts.per_page, accounts.items)
        }
    };
    Ok(Json(Users { users, total, page, per_page }))
}

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
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
