//! Who is meant by a typed text.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use conference::ids::MeetingId;
use conference::services::resolve::{Purpose, Question};
use conference::services::views::Resolution;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Texts to be understood.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolveRequest {
    /// Where they were typed.
    purpose: PurposeWord,
    /// The texts, at most 500; one result each, in the same order.
    #[serde(default)]
    texts: Vec<String>,
    /// A pasted list, parted by commas, semicolons or lines: one result for everybody it names, duplicates folded.
    text: Option<String>,
    /// The meeting whose people are marked as such.
    meeting: Option<String>,
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
    /// `Invite Users` of many to many; for the tenant's admins.
    Multi,
}

/// What the texts mean: those of `texts` in the same order, then those of `text`.
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
    (status = 404, description = "No such meeting", body = Problem),
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
        PurposeWord::Multi => Purpose::Multi,
    };
    let meeting = request.meeting.map(MeetingId::new);
    let question = Question {
        purpose,
        texts: &request.texts,
        pasted: request.text.as_deref(),
        meeting: meeting.as_ref(),
    };
    let results = state.services.resolve(&caller.actor, &question).await?;
    Ok(Json(Resolutions { results }))
}
