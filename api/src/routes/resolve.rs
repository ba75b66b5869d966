//! Who is meant by a typed text.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use conference::services::resolve::Purpose;
use conference::services::views::Resolution;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Texts to be understood.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolveRequest {
    /// Where they were typed.
    purpose: PurposeWord,
    /// The texts, at most 500.
    texts: Vec<String>,
}

/// Where a text was typed.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PurposeWord {
    /// PEOPLE of a new meeting.
    People,
    /// The INVITE tab.
    Invite,
    /// The CALL tab.
    Call,
}

/// What the texts mean, in the same order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Resolutions {
    /// One per text.
    results: Vec<Resolution>,
}

/// What each text could mean, the best first.
#[utoipa::path(post, path = "/v1/resolve", tag = "users", request_body = ResolveRequest, responses(
    (status = 200, body = Resolutions),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn resolve(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<ResolveRequest>,
) -> Result<Json<Resolutions>, ApiError> {
    let purpose = match request.purpose {
        PurposeWord::People => Purpose::People,
        PurposeWord::Invite => Purpose::Invite,
        PurposeWord::Call => Purpose::Call,
    };
    let results = state.services.resolve(&caller.actor, purpose, &request.texts).await?;
    Ok(Json(Resolutions { results }))
}
