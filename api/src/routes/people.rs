//! The people of a meeting.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::ids::{MeetingId, PersonId, UserId};
use conference::services::people::{NewPerson, PersonChange};
use conference::services::views::Person;
use conference::vocabulary::{Access, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody to be invited: exactly one of user, email and number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonRequest {
    /// A user of the tenant.
    user: Option<String>,
    /// An e-mail address.
    email: Option<String>,
    /// A phone number as typed.
    number: Option<String>,
    /// The name to show for an address or a number.
    name: Option<String>,
    /// The role; attendee when missing.
    role: Option<Role>,
    /// The access; collaborate when missing.
    access: Option<Access>,
}

impl From<PersonRequest> for NewPerson {
    fn from(request: PersonRequest) -> Self {
        Self {
            user: request.user.map(UserId::new),
            email: request.email,
            number: request.number,
            name: request.name,
            role: request.role,
            access: request.access,
        }
    }
}

/// People to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleRequest {
    /// At most 500.
    people: Vec<PersonRequest>,
}

/// What is to change about a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRequest {
    /// The new role.
    role: Option<Role>,
    /// The new access.
    access: Option<Access>,
    /// Whether an Attendee of a presentation may speak.
    may_speak: Option<bool>,
    /// It is meant that somebody without an account here becomes Host.
    #[serde(default)]
    confirm: bool,
}

/// People of a meeting.
#[derive(Serialize, ToSchema)]
pub(crate) struct People {
    /// In the order they were added.
    people: Vec<Person>,
}

fn place((meeting, person): (String, String)) -> (MeetingId, PersonId) {
    (MeetingId::new(meeting), PersonId::new(person))
}

/// Who is on the list, and who of them is in.
#[utoipa::path(get, path = "/v1/meetings/{meeting}/people", tag = "people",
    params(("meeting" = String, Path, description = "The meeting")), responses(
    (status = 200, body = People),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
) -> Result<Json<People>, ApiError> {
    let people = state.services.people(&caller.actor, &MeetingId::new(meeting)).await?;
    Ok(Json(People { people }))
}

/// Invites people. Those on the list already get the new role.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people", tag = "people",
    params(("meeting" = String, Path, description = "The meeting")), request_body = PeopleRequest, responses(
    (status = 201, description = "Those who were invited", body = People),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<PeopleRequest>,
) -> Result<(StatusCode, Json<People>), ApiError> {
    let new: Vec<NewPerson> = request.people.into_iter().map(Into::into).collect();
    let people = state.services.add_people(&caller.actor, &MeetingId::new(meeting), &new).await?;
    Ok((StatusCode::CREATED, Json(People { people })))
}

/// Changes role or access, also of somebody who is in.
#[utoipa::path(patch, path = "/v1/meetings/{meeting}/people/{person}", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), request_body = ChangeRequest, responses(
    (status = 200, body = Person),
    (status = 401, body = Problem),
    (status = 403, description = "Roles are changed by Hosts, VIEW ONLY by the owner", body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 422, description = "A Host cannot be VIEW ONLY", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
    Body(request): Body<ChangeRequest>,
) -> Result<Json<Person>, ApiError> {
    let (meeting, person) = place(path);
    let ChangeRequest { role, access, may_speak, confirm } = request;
    let change = PersonChange { role, access, may_speak, confirm };
    Ok(Json(state.services.change_person(&caller.actor, &meeting, &person, change).await?))
}

/// Takes somebody off the list and out of the meeting.
#[utoipa::path(delete, path = "/v1/meetings/{meeting}/people/{person}", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "Removed"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "The owner stays", body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = place(path);
    state.services.remove_person(&caller.actor, &meeting, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mutes somebody, or oneself.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/mute", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "Muted"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn mute(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = place(path);
    state.services.mute(&caller.actor, &meeting, &person, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the own mute flag back, the Host's or one's own.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/unmute", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "No longer muted by the asker"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn unmute(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = place(path);
    state.services.mute(&caller.actor, &meeting, &person, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Raises one's hand.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/raise-hand", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "Oneself"),
), responses(
    (status = 204, description = "Raised"),
    (status = 401, body = Problem),
    (status = 403, description = "The hand of another one", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "Not in the meeting", body = Problem),
))]
pub(crate) async fn raise_hand(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = place(path);
    state.services.set_hand(&caller.actor, &meeting, &person, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lowers a hand: one's own, or as a Host that of another one.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/lower-hand", tag = "people", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 204, description = "Lowered"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn lower_hand(
    State(state): State<AppState>,
    caller: Caller,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (meeting, person) = place(path);
    state.services.set_hand(&caller.actor, &meeting, &person, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
