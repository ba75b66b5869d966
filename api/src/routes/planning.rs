//! Creating, changing, calling off and handing over meetings, and their list.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use super::people::PersonRequest;
use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::{MeetingId, UserId};
use conference::live::settings::MeetingSettings;
use conference::services::cursor::Page;
use conference::services::meetings::{MeetingChange, MeetingFilter, NewMeeting};
use conference::services::schedule::When;
use conference::services::views::{Meeting, MeetingPage, Occurrence};
use conference::vocabulary::{MeetingForm, MeetingKind, Role, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A new meeting.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeetingRequest {
    /// Its title; a draft may do without.
    #[serde(default)]
    title: String,
    /// Its type.
    #[serde(rename = "type", default)]
    kind: MeetingKind,
    /// How it comes to be: now, at one time, by a rule, or as a room.
    #[serde(rename = "kind", default)]
    form: MeetingForm,
    /// When a scheduled meeting, or the first run of a recurring one, begins: `2026-03-02T09:00:00` in its time zone, or
    /// with an offset.
    start: Option<String>,
    /// How long it takes; 60 when missing.
    duration_minutes: Option<u32>,
    /// The IANA name of its time zone, in which its times and its rule are read; the tenant's when missing.
    time_zone: Option<String>,
    /// The rule of a recurring meeting (RFC 5545 section 3.3.10), by days at most: `FREQ=WEEKLY;COUNT=4`.
    rrule: Option<String>,
    /// What it is about.
    description: Option<String>,
    /// The place it stands for.
    site: Option<String>,
    /// Settings that differ from the defaults.
    #[serde(default)]
    #[schema(value_type = Option<MeetingSettings>)]
    settings: Map<String, Value>,
    /// The role of those who come without an invitation; attendee when missing.
    default_role: Option<Role>,
    /// What guests key in, 4 to 10 digits; drawn when missing.
    guest_pin: Option<String>,
    /// What makes a Host of whoever keys it in; drawn when missing.
    host_pin: Option<String>,
    /// Only stored for its author: no mail, no number, nobody sees it. POST publish creates it.
    #[serde(default)]
    draft: bool,
    /// Who is invited; the creator is Host without being named.
    #[serde(default)]
    people: Vec<PersonRequest>,
}

/// What is to change about a meeting; what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeetingChangeRequest {
    /// The title.
    title: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    kind: Option<MeetingKind>,
    /// How it comes to be.
    #[serde(rename = "kind")]
    form: Option<MeetingForm>,
    /// When it begins.
    start: Option<String>,
    /// How long it takes.
    duration_minutes: Option<u32>,
    /// Its time zone; the time on the clock stays if no start is sent.
    time_zone: Option<String>,
    /// The rule of a recurring meeting; empty for none.
    rrule: Option<String>,
    /// What it is about; empty for nothing.
    description: Option<String>,
    /// The place it stands for; empty for none.
    site: Option<String>,
    /// Settings; those not named stay.
    #[serde(default)]
    #[schema(value_type = Option<MeetingSettings>)]
    settings: Map<String, Value>,
    /// The role of those who come without an invitation.
    default_role: Option<Role>,
    /// What guests key in.
    guest_pin: Option<String>,
    /// What makes a Host of whoever keys it in.
    host_pin: Option<String>,
}

/// Which meetings.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeetingsQuery {
    /// Only those that came to be this way.
    kind: Option<MeetingForm>,
    /// Only those whose title, site or number contains this, case and accents apart.
    query: Option<String>,
    /// At most so many, 1 to 200; 100 when missing.
    limit: Option<u32>,
    /// The place `next` of the page before.
    after: Option<String>,
}

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OccurrencesQuery {
    /// Those not over at this time, in milliseconds since the Unix epoch; now when missing.
    from: Option<u64>,
    /// At most so many; 50 when missing.
    limit: Option<u16>,
}

/// The runs of a meeting.
#[derive(Serialize, ToSchema)]
pub(crate) struct Occurrences {
    /// The first ones first; none for instant meetings and rooms.
    occurrences: Vec<Occurrence>,
}

/// Who is to own a meeting.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnerRequest {
    /// A user of the tenant.
    user: String,
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
    let MeetingRequest { start, duration_minutes, time_zone, rrule, .. } = request;
    let new = NewMeeting {
        title: request.title,
        kind: request.kind,
        form: request.form,
        when: When { start, duration_minutes, time_zone, rrule },
        description: request.description,
        site: request.site,
        settings: request.settings,
        default_role: request.default_role,
        guest_pin: request.guest_pin,
        host_pin: request.host_pin,
        draft: request.draft,
        people: request.people.into_iter().map(Into::into).collect(),
    };
    let meeting = state.services.create_meeting(&caller.actor, new).await?;
    Ok((StatusCode::CREATED, Json(meeting)))
}

/// The meetings the asker owns or is invited to; all of the tenant for its admins. Meetings called off are left out.
#[utoipa::path(get, path = "/v1/meetings", tag = "meetings", params(MeetingsQuery), responses(
    (status = 200, body = MeetingPage),
    (status = 401, body = Problem),
    (status = 422, description = "A wrong parameter, named", body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<MeetingsQuery>,
) -> Result<Json<MeetingPage>, ApiError> {
    let MeetingsQuery { kind: form, query, limit, after } = query;
    let filter = MeetingFilter { form, query, page: Page { limit, after } };
    Ok(Json(state.services.meetings(&caller.actor, &filter).await?))
}

/// Changes a meeting. Whoever is in feels it at once.
#[utoipa::path(patch, path = "/v1/meetings/{meeting}", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), request_body = MeetingChangeRequest, responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host, or the owner has kept the settings to themselves", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It was called off", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<MeetingChangeRequest>,
) -> Result<Json<Meeting>, ApiError> {
    let MeetingChangeRequest { start, duration_minutes, time_zone, rrule, .. } = request;
    let change = MeetingChange {
        title: request.title,
        kind: request.kind,
        form: request.form,
        when: When { start, duration_minutes, time_zone, rrule },
        description: request.description,
        site: request.site,
        settings: request.settings,
        default_role: request.default_role,
        guest_pin: request.guest_pin,
        host_pin: request.host_pin,
    };
    Ok(Json(state.services.change_meeting(&caller.actor, &MeetingId::new(meeting), change).await?))
}

/// Calls a meeting off: whoever is in is hung up on, and the invited are told. A draft is forgotten.
#[utoipa::path(delete, path = "/v1/meetings/{meeting}", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 204, description = "Called off"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.cancel_meeting(&caller.actor, &MeetingId::new(meeting)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// NEXT: makes a draft a meeting, all or nothing; only now invitations go out.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/publish", tag = "meetings",
    params(("meeting" = String, Path, description = "The draft")), responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "No draft", body = Problem),
    (status = 422, description = "Something is missing, named", body = Problem),
))]
pub(crate) async fn publish(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<Meeting>, ApiError> {
    Ok(Json(state.services.publish_meeting(&caller.actor, &MeetingId::new(meeting)).await?))
}

/// The runs of a scheduled or recurring meeting, in its own time zone.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/occurrences", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting"), OccurrencesQuery), responses(
    (status = 200, body = Occurrences),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn occurrences(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Params(query): Params<OccurrencesQuery>,
) -> Result<Json<Occurrences>, ApiError> {
    let (meeting, from) = (MeetingId::new(meeting), query.from.map(UnixMillis));
    let occurrences = state.services.occurrences(&caller.actor, &meeting, from, query.limit).await?;
    Ok(Json(Occurrences { occurrences }))
}

/// Hands a meeting over. The old owner stays Host.
#[utoipa::path(put, path = "/v1/meetings/{meeting}/owner", tag = "meetings",
    params(("meeting" = String, Path, description = "The meeting")), request_body = OwnerRequest, responses(
    (status = 200, body = Meeting),
    (status = 401, body = Problem),
    (status = 403, description = "Not the owner, and no admin", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft", body = Problem),
    (status = 422, description = "Somebody who cannot own a meeting", body = Problem),
))]
pub(crate) async fn hand_over(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<OwnerRequest>,
) -> Result<Json<Meeting>, ApiError> {
    let (meeting, user) = (MeetingId::new(meeting), UserId::new(request.user));
    Ok(Json(state.services.hand_over(&caller.actor, &meeting, &user).await?))
}
