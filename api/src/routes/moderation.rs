//! What Hosts do to a running meeting: lock, lobby, muting all.

use crate::AppState;
use crate::auth::Caller;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::{MeetingId, PersonId};
use conference::services::views::Meeting;

/// Locks a meeting: nobody new comes in, also by phone, but Hosts and those whom a Host calls.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/lock", tag = "moderation",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is not open", body = Problem),
))]
pub(crate) async fn lock(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.set_locked(&caller.actor, &MeetingId::new(meeting), true).await?))
}

/// Unlocks a meeting.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/unlock", tag = "moderation",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is not open", body = Problem),
))]
pub(crate) async fn unlock(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.set_locked(&caller.actor, &MeetingId::new(meeting), false).await?))
}

/// Mutes everybody who is in but the Hosts, by browser and by phone.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/mute-all", tag = "moderation",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 204, description = "Muted"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft has nobody in it", body = Problem),
))]
pub(crate) async fn mute_all(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.mute_all(&caller.actor, &MeetingId::new(meeting), true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back that everybody was muted: phones are heard again, browsers are asked.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/unmute-all", tag = "moderation",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 204, description = "No longer muted by a Host"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft has nobody in it", body = Problem),
))]
pub(crate) async fn unmute_all(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.mute_all(&caller.actor, &MeetingId::new(meeting), false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets everybody in who waits in the lobby.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/admit-all", tag = "moderation",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 204, description = "They are in"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft has nobody in it", body = Problem),
))]
pub(crate) async fn admit_all(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.let_in(&caller.actor, &MeetingId::new(meeting), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets somebody in who waits in the lobby.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/admit", tag = "moderation", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "They are in"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "They do not wait", body = Problem),
))]
pub(crate) async fn admit(
    State(state): State<AppState>,
    caller: Caller,
    Path((meeting, person)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = (MeetingId::new(meeting), PersonId::new(person));
    state.services.let_in(&caller.actor, &meeting, Some(&person)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends somebody away who waits in the lobby. They may come again; removing them keeps them out.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/deny", tag = "moderation", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "They are gone"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "They do not wait", body = Problem),
))]
pub(crate) async fn deny(
    State(state): State<AppState>,
    caller: Caller,
    Path((meeting, person)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = (MeetingId::new(meeting), PersonId::new(person));
    state.services.send_away(&caller.actor, &meeting, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}
