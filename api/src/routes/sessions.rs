//! `All Sessions`.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::Params;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use conference::services::dashboard::Session;
use conference::services::page::PageRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsQuery {
    /// Part of the title, the site or the owner's name.
    query: Option<String>,
    /// Which page, counted from 1.
    page: Option<u32>,
    /// How many entries a page holds, at most 500; 100 when missing.
    per_page: Option<u32>,
}

/// Sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// Newest first.
    sessions: Vec<Session>,
    /// How many there are on all pages.
    total: u64,
    /// Which page this is.
    page: u32,
    /// How many entries a page holds.
    per_page: u32,
}

/// The sessions the asker may reach: every one of the tenant for its admins, their own and those they are invited to for
/// everybody else.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", params(SessionsQuery), responses(
    (status = 200, body = Sessions),
    (status = 401, body = Problem),
    (status = 403, description = "The token came from a join link", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<SessionsQuery>,
) -> Result<Json<Sessions>, ApiError> {
    let page = PageRequest::new(query.page, query.per_page)?;
    let found = state.services.sessions(&caller.actor, query.query.as_deref(), page).await?;
    let (total, page, per_page) = (found.total, found.page, found.per_page);
    Ok(Json(Sessions { sessions: found.items, total, page, per_page }))
}
