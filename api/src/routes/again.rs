//! Calling again by itself, and being called oneself.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::{CallId, DeviceName, MeetingId};
use conference::live::policy::dial::Confirmation;
use conference::services::calls::{Again, CallMeTarget};
use conference::services::views::{CallAnswer, CallRecord};
use serde::Deserialize;
use utoipa::ToSchema;

/// "Try again in two minutes, at most twice."
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgainRequest {
    /// So long after the call has failed: 30 to 3600.
    after_seconds: u32,
    /// Once or twice; once when missing.
    #[serde(default = "once")]
    times: u32,
}

const fn once() -> u32 {
    1
}

impl From<AgainRequest> for Again {
    fn from(request: AgainRequest) -> Self {
        Self { after_seconds: request.after_seconds, times: request.times }
    }
}

/// Asks that a call be made again by itself should nobody answer. Never happens after somebody said no.
#[utoipa::path(put, path = "/v1/calls/{call}/again", tag = "calls",
    params(("call" = String, Path, description = "The call")), request_body = AgainRequest, responses(
    (status = 200, body = CallRecord),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "After this call nobody is rung again by itself", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn put(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
    Body(request): Body<AgainRequest>,
) -> Result<Json<CallRecord>, ApiError> {
    Ok(Json(state.services.ring_again(&caller.actor, &CallId::new(call), request.into()).await?))
}

/// Takes that back.
#[utoipa::path(delete, path = "/v1/calls/{call}/again", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 200, body = CallRecord),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<Json<CallRecord>, ApiError> {
    Ok(Json(state.services.do_not_ring_again(&caller.actor, &CallId::new(call)).await?))
}

/// Where the asker wants to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallMeRequest {
    /// One of their registered devices; may be left out if there is exactly one.
    device: Option<String>,
    /// A number, as typed.
    number: Option<String>,
    /// What they have been asked and want all the same.
    #[serde(default)]
    confirm: Vec<Confirmation>,
}

/// Calls the asker, who is in the meeting by browser: the phone takes the sound, the browser keeps the pictures.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/me/call-me", tag = "calls",
    params(("meeting" = String, Path, description = "The meeting")), request_body = CallMeRequest, responses(
    (status = 202, body = CallAnswer),
    (status = 401, body = Problem),
    (status = 403, description = "Not allowed here", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Not in the meeting by browser", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn call_me(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<CallMeRequest>,
) -> Result<(StatusCode, Json<CallAnswer>), ApiError> {
    let target = CallMeTarget {
        device: request.device.map(DeviceName::new),
        number: request.number,
        confirm: request.confirm.into_iter().collect(),
    };
    let answer = state.services.call_me(&caller.actor, &MeetingId::new(meeting), &target).await?;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
