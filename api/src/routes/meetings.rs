//! Meetings.

use super::people::PersonRequest;
use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::MeetingId;
use conference::services::meetings::NewMeeting;
use conference::services::views::{JoinInfo, Meeting};
use conference::vocabulary::MeetingKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new meeting.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeetingRequest {
    /// Its title.
    title: String,
    /// Its type.
    #[serde(rename = "type", default)]
    kind: MeetingKind,
    /// Who is invited; the creator is Host without being named.
    #[serde(default)]
    people: Vec<PersonRequest>,
}

/// Meetings, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Meetings {
    /// Own ones and those invited to; all of the tenant for its admins.
    meetings: Vec<Meeting>,
}

/// Creates a meeting with its people and join information, all or nothing.
#[utoipa::path(post, path = "/v1/meetings", tag = "meetings", request_body = MeetingRequest, responses(
    (status = 201, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Guests create no meetings", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<MeetingRequest>,
) -> Result<(StatusCode, Json<Meeting>), ApiError> {
    let new = NewMeeting {
        title: request.title,
        kind: request.kind,
        people: request.people.into_iter().map(Into::into).collect(),
    };
    let meeting = state.services.create_meeting(&caller.actor, new).await?;
    Ok((StatusCode::CREATED, Json(meeting)))
}

/// The meetings the asker may know of.
#[utoipa::path(get, path = "/v1/meetings", tag = "meetings", responses(
    (status = 200, body = Meetings),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Meetings>, ApiError> {
    let meetings = state.services.meetings(&caller.actor).await?;
    Ok(Json(Meetings { meetings }))
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
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.end_meeting(&caller.actor, &MeetingId::new(meeting)).await?))
}
