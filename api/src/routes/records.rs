//! What is written down: call records, attendance, the attendee list, the audit log; and how long it is kept.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use conference::ids::{CallId, MeetingId, PersonId, UserId};
use conference::services::cursor::Page;
use conference::services::record_views::{
    Attendance, AuditLog, Cdrs, Erased, Instances, MeetingMedia, Retention,
};
use conference::services::records::{AuditQuery, CdrQuery};
use conference::services::retention::Erasure;
use conference::vocabulary::{Cause, UnixMillis};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many rows: 1 to 500, 100 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which call records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CdrParams {
    /// Legs into this meeting; needed by those who are no admins.
    meeting: Option<String>,
    /// One time that a meeting was held.
    instance: Option<String>,
    /// Legs that carried this person.
    person: Option<String>,
    /// The leg of this dial-out.
    call: Option<String>,
    /// Calls placed by this Host.
    acting_host: Option<String>,
    /// Legs that ended for this.
    cause: Option<Cause>,
    /// Begun at this time or later, in milliseconds since the Unix epoch.
    since: Option<u64>,
    /// Begun before this time.
    until: Option<u64>,
    /// How many rows: 1 to 500, 100 if absent; up to 10,000 in a table.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl From<CdrParams> for CdrQuery {
    fn from(params: CdrParams) -> Self {
        Self {
            meeting: params.meeting.map(MeetingId::new),
            instance: params.instance,
            person: params.person.map(PersonId::new),
            call: params.call.map(CallId::new),
            acting_host: params.acting_host.map(UserId::new),
            cause: params.cause,
            since: params.since.map(UnixMillis),
            until: params.until.map(UnixMillis),
            page: Page { limit: params.limit, after: params.after },
        }
    }
}

/// Which acts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Acts of this user.
    actor: Option<String>,
    /// Acts of this kind, such as `person.added`.
    action: Option<String>,
    /// Acts on this thing.
    object: Option<String>,
    /// Done at this time or later, in milliseconds since the Unix epoch.
    since: Option<u64>,
    /// Done before this time.
    until: Option<u64>,
    /// How many rows: 1 to 500, 100 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which time the meeting was held.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InstanceParams {
    /// One time that it was held, or `latest`; all of them if absent.
    instance: Option<String>,
}

/// Whose traces are to go: at least one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureRequest {
    /// Their e-mail address.
    mail: Option<String>,
    /// Their phone number as typed.
    number: Option<String>,
    /// Their row in the people of a meeting, for those known by a name alone.
    person: Option<String>,
}

/// The times a meeting was held, newest first.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/instances", tag = "records",
    params(("meeting" = String, Path, description = "The meeting"), PageParams), responses(
    (status = 200, body = Instances),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn instances(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(page): Params<PageParams>,
) -> Result<Json<Instances>, ApiError> {
    let page = Page { limit: page.limit, after: page.after };
    Ok(Json(state.services.instances(&caller.actor, &MeetingId::new(meeting), &page).await?))
}

/// How every leg of the meeting sounds, counted since it began and told anew every five seconds.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/media", tag = "records",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = MeetingMedia),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn media(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<MeetingMedia>, ApiError> {
    Ok(Json(state.services.meeting_media(&caller.actor, &MeetingId::new(meeting)).await?))
}

/// Who was in the meeting, who was called into it, and what came of it; also while it runs.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/attendance", tag = "records",
    params(("meeting" = String, Path, description = "The meeting"), InstanceParams), responses(
    (status = 200, body = Attendance),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn attendance(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(params): Params<InstanceParams>,
) -> Result<Json<Attendance>, ApiError> {
    let meeting = MeetingId::new(meeting);
    Ok(Json(state.services.attendance(&caller.actor, &meeting, params.instance.as_deref()).await?))
}

/// The same as a table, one row per person.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/attendance.csv", tag = "records",
    params(("meeting" = String, Path, description = "The meeting"), InstanceParams), responses(
    (status = 200, description = "RFC 4180, UTF-8", content_type = "text/csv", body = String),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn attendance_table(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(params): Params<InstanceParams>,
) -> Result<Response, ApiError> {
    let meeting = MeetingId::new(meeting);
    let table = state.services.attendance_table(&caller.actor, &meeting, params.instance.as_deref()).await?;
    Ok(file("Attendance.csv", table))
}

/// The people invited, as they are at this moment, as a table.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/attendees.csv", tag = "records",
    params(("meeting" = String, Path, description = "The meeting or room")), responses(
    (status = 200, description = "RFC 4180, UTF-8; the file's name counts the people", content_type = "text/csv", body = String),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn attendees(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Response, ApiError> {
    let list = state.services.attendee_list(&caller.actor, &MeetingId::new(meeting)).await?;
    Ok(file(&list.name, list.text))
}

/// Call records, newest first: one per leg. With `Accept: text/csv` as a table.
#[utoipa::path(get, path = "/v1/cdrs", tag = "records", params(CdrParams), responses(
    (status = 200, body = Cdrs),
    (status = 401, body = Problem),
    (status = 403, description = "Neither an admin nor a Host of the meeting", body = Problem),
    (status = 404, description = "No such meeting", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn cdrs(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Params(params): Params<CdrParams>,
) -> Result<Response, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.split(',').any(|kind| kind.trim().starts_with("text/csv")) {
        return cdr_table(State(state), caller, Params(params)).await;
    }
    Ok(Json(state.services.cdrs(&caller.actor, &params.into()).await?).into_response())
}

/// Call records as a table, newest first. The header `x-next` holds the cursor of the rest.
#[utoipa::path(get, path = "/v1/cdrs.csv", tag = "records", params(CdrParams), responses(
    (status = 200, description = "RFC 4180, UTF-8", content_type = "text/csv", body = String),
    (status = 401, body = Problem),
    (status = 403, description = "Neither an admin nor a Host of the meeting", body = Problem),
    (status = 404, description = "No such meeting", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn cdr_table(
    State(state): State<AppState>,
    caller: Caller,
    Params(params): Params<CdrParams>,
) -> Result<Response, ApiError> {
    let (table, next) = state.services.cdr_table(&caller.actor, &params.into()).await?;
    let mut response = file("Call records.csv", table);
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(HeaderName::from_static("x-next"), next);
    }
    Ok(response)
}

/// Who did what to whom, newest first. For Tenant Admins.
#[utoipa::path(get, path = "/v1/audit", tag = "records", params(AuditParams), responses(
    (status = 200, body = AuditLog),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn audit(
    State(state): State<AppState>,
    caller: Caller,
    Params(params): Params<AuditParams>,
) -> Result<Json<AuditLog>, ApiError> {
    let query = AuditQuery {
        actor: params.actor.map(UserId::new),
        action: params.action,
        object: params.object,
        since: params.since.map(UnixMillis),
        until: params.until.map(UnixMillis),
        page: Page { limit: params.limit, after: params.after },
    };
    Ok(Json(state.services.audit_log(&caller.actor, &query).await?))
}

/// How long records are kept. For Tenant Admins.
#[utoipa::path(get, path = "/v1/retention", tag = "records", responses(
    (status = 200, body = Retention),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
))]
pub(crate) async fn retention(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Retention>, ApiError> {
    Ok(Json(state.services.retention(&caller.actor).await?))
}

/// Sets how long records are kept. For Tenant Admins.
#[utoipa::path(put, path = "/v1/retention", tag = "records", request_body = Retention, responses(
    (status = 200, body = Retention),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn set_retention(
    State(state): State<AppState>,
    caller: Caller,
    Body(new): Body<Retention>,
) -> Result<Json<Retention>, ApiError> {
    Ok(Json(state.services.set_retention(&caller.actor, new).await?))
}

/// Erases one person's name, address and number wherever they stand. For Tenant Admins.
#[utoipa::path(post, path = "/v1/erasures", tag = "records", request_body = ErasureRequest, responses(
    (status = 200, body = Erased),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 409, description = "A user's address or number", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn erase(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<ErasureRequest>,
) -> Result<Json<Erased>, ApiError> {
    let whom =
        Erasure { mail: request.mail, number: request.number, person: request.person.map(PersonId::new) };
    Ok(Json(state.services.erase(&caller.actor, &whom).await?))
}

/// A table to be saved under this name. The names are ours and plain ASCII.
fn file(name: &str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
