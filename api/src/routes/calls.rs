//! CALL.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use super::again::AgainRequest;
use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use conference::ids::{CallId, DeviceName, MeetingId, UserId};
use conference::live::policy::dial::Confirmation;
use conference::services::calls::{CallExplanation, CallPage, CallTarget};
use conference::services::cursor::Page;
use conference::services::views::{Call, CallAnswer, CallRecord};
use conference::vocabulary::{Access, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A press of CALL.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallsRequest {
    /// Whom to call, at most 100.
    targets: Vec<TargetRequest>,
    /// So many people are enough: when they have joined, the others are not called any further.
    enough: Option<u32>,
}

/// Somebody to be called: a user's registered device, or a number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetRequest {
    /// A user of the tenant.
    user: Option<String>,
    /// Which of their registered devices; may be left out if there is exactly one.
    device: Option<String>,
    /// A number or an extension, as typed.
    number: Option<String>,
    /// The name of whoever is behind the number.
    name: Option<String>,
    /// The role; attendee when missing.
    role: Option<Role>,
    /// The access; collaborate when missing.
    access: Option<Access>,
    /// Keys to press after the answer, for an extension: digits, `*`, `#`; a comma waits two seconds, `w` half a second.
    keys: Option<String>,
    /// What the Host has been asked and wants all the same: the words of `confirm` in the answer before.
    #[serde(default)]
    confirm: Vec<Confirmation>,
    /// Call again by itself should nobody answer; never after somebody said no.
    again: Option<AgainRequest>,
    /// Whether the person called must press 1; as the tenant has set it when missing: numbers must, devices need not.
    press_one: Option<bool>,
}

impl From<TargetRequest> for CallTarget {
    fn from(request: TargetRequest) -> Self {
        Self {
            user: request.user.map(UserId::new),
            device: request.device.map(DeviceName::new),
            number: request.number,
            name: request.name,
            role: request.role,
            access: request.access,
            keys: request.keys,
            confirm: request.confirm.into_iter().collect(),
            again: request.again.map(Into::into),
            press_one: request.press_one,
        }
    }
}

/// One answer per target, in the same order.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallAnswers {
    /// Queued, or refused with a reason.
    calls: Vec<CallAnswer>,
}

/// Which of the calls.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsParams {
    /// How many: 1 to 500, 500 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// The calls of a meeting.
#[derive(Serialize, ToSchema)]
pub(crate) struct Calls {
    /// Oldest first.
    calls: Vec<Call>,
    /// Send it as `after` for the calls before these; missing if there are none.
    next: Option<String>,
}

/// Places calls side by side. A refused target stands in the same list and does not stop the others. With the same
/// Idempotency-Key the same answer is given again and nothing is dialled.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/calls", tag = "calls", params(
    ("meeting" = String, Path, description = "The meeting"),
    ("Idempotency-Key" = Option<String>, Header, description = "New for each press of CALL"),
), request_body = CallsRequest, responses(
    (status = 202, body = CallAnswers),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "No Host is in the meeting", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn place(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    headers: HeaderMap,
    Body(request): Body<CallsRequest>,
) -> Result<(StatusCode, Json<CallAnswers>), ApiError> {
    let key = match headers.get("idempotency-key").map(|value| value.to_str()) {
        None => None,
        Some(Ok(key)) => Some(key),
        // Whatever it is, it is no key; the service says so in its own words.
        Some(Err(_)) => Some(""),
    };
    let targets: Vec<CallTarget> = request.targets.into_iter().map(Into::into).collect();
    let meeting = MeetingId::new(meeting);
    let calls =
        state.services.place_calls_until(&caller.actor, &meeting, &targets, key, request.enough).await?;
    Ok((StatusCode::ACCEPTED, Json(CallAnswers { calls })))
}

/// What CALL would do. Nothing is dialled.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/calls/check", tag = "calls",
    params(("meeting" = String, Path, description = "The meeting")), request_body = CallsRequest, responses(
    (status = 200, body = CallAnswers),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "No Host is in the meeting", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn check(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<CallsRequest>,
) -> Result<Json<CallAnswers>, ApiError> {
    let targets: Vec<CallTarget> = request.targets.into_iter().map(Into::into).collect();
    let calls = state.services.check_calls(&caller.actor, &MeetingId::new(meeting), &targets).await?;
    Ok(Json(CallAnswers { calls }))
}

/// The latest calls of a meeting, and with `after` those before them.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/calls", tag = "calls",
    params(("meeting" = String, Path, description = "The meeting"), CallsParams), responses(
    (status = 200, body = Calls),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "Not a page", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(page): Params<CallsParams>,
) -> Result<Json<Calls>, ApiError> {
    let page = Page { limit: page.limit, after: page.after };
    let CallPage { calls, next } =
        state.services.calls(&caller.actor, &MeetingId::new(meeting), &page).await?;
    Ok(Json(Calls { calls, next }))
}

/// One call with everything that happened to it.
#[utoipa::path(get, path = "/v1/calls/{call}", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 200, body = CallRecord),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<Json<CallRecord>, ApiError> {
    Ok(Json(state.services.call(&caller.actor, &CallId::new(call)).await?))
}

/// Why a call went the way it did: rules and trunks, which of them counted and why the others did not, the SIP messages
/// without secrets, times, and what was heard. For Hosts.
#[utoipa::path(get, path = "/v1/calls/{call}/explain", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 200, body = CallExplanation),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn explain(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<Json<CallExplanation>, ApiError> {
    Ok(Json(state.services.explain_call(&caller.actor, &CallId::new(call)).await?))
}

/// Cancels a call that rings, hangs up one that was answered. One that is over stays as it is.
#[utoipa::path(delete, path = "/v1/calls/{call}", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 202, description = "On its way out; events tell the rest", body = CallRecord),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<(StatusCode, Json<CallRecord>), ApiError> {
    let record = state.services.end_call(&caller.actor, &CallId::new(call)).await?;
    Ok((StatusCode::ACCEPTED, Json(record)))
}

/// Lets the asker, who must be in the meeting, hear what comes before the answer: ring-back tones, announcements. Nobody else
/// hears it, and it ends with the answer.
#[utoipa::path(put, path = "/v1/calls/{call}/listen", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 204, description = "What comes early is heard"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, description = "No such call, or it is over", body = Problem),
    (status = 409, description = "The call has been answered, or the asker is not in the meeting", body = Problem),
))]
pub(crate) async fn listen(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.listen_to_call(&caller.actor, &CallId::new(call), true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends listening to a call before its answer.
#[utoipa::path(delete, path = "/v1/calls/{call}/listen", tag = "calls",
    params(("call" = String, Path, description = "The call")), responses(
    (status = 204, description = "Nothing of it is heard any more"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, description = "No such call, or it is over", body = Problem),
))]
pub(crate) async fn listen_no_more(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.listen_to_call(&caller.actor, &CallId::new(call), false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Calls the same target again with the same role.
#[utoipa::path(post, path = "/v1/calls/{call}/retry", tag = "calls",
    params(("call" = String, Path, description = "The call to repeat")), responses(
    (status = 202, body = CallAnswer),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "No Host is in the meeting", body = Problem),
))]
pub(crate) async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Path(call): Path<String>,
) -> Result<(StatusCode, Json<CallAnswer>), ApiError> {
    let answer = state.services.retry_call(&caller.actor, &CallId::new(call)).await?;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
