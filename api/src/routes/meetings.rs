//! Meetings. Creating and changing is in [`super::planning`].
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::Params;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::ids::MeetingId;
use conference::services::views::{JoinInfo, Meeting};
use serde::Deserialize;
use utoipa::IntoParams;

/// How a meeting ends.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndQuery {
    /// Closes it for good: nobody comes in until a Host starts it again.
    #[serde(default)]
    complete: bool,
}

/// One meeting.
#[utoipa::path(get, path = "/v1/meetings/{meeting}", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.meeting(&caller.actor, &MeetingId::new(meeting)).await?))
}

/// What is pasted into a message.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/join-info", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = JoinInfo),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft has none yet", body = Problem),
))]
pub(crate) async fn join_info(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<JoinInfo>, ApiError> {
    Ok(Json(state.services.join_info(&caller.actor, &MeetingId::new(meeting)).await?))
}

/// Opens a meeting, also one that has ended.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/start", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft, or called off", body = Problem),
))]
pub(crate) async fn start(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.start_meeting(&caller.actor, &MeetingId::new(meeting)).await?))
}

/// Ends a meeting for everybody.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/end", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting"), EndQuery), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft, or called off", body = Problem),
))]
pub(crate) async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(query): Params<EndQuery>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.end_meeting(&caller.actor, &MeetingId::new(meeting), query.complete).await?))
}
