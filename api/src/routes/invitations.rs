//! Invitations: SEND INVITE, resending, and the answers of those invited.

use super::people::PersonRequest;
use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use conference::ids::{MeetingId, PersonId};
use conference::services::people::NewPerson;
use conference::services::views::{InviteAnswer, Person, Rsvp, RsvpView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is sent an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationsRequest {
    /// At most 500. A number that is no extension is refused: numbers are called.
    targets: Vec<PersonRequest>,
}

/// What became of each target, in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationsAnswer {
    /// One per target.
    invitations: Vec<InviteAnswer>,
}

/// SEND INVITE: puts people on the list and sends each one mail. Targets are refused one by one.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/invitations", tag = "invitations",
    params(("meeting" = String, Path, description = "The meeting")), request_body = InvitationsRequest, responses(
    (status = 202, description = "One result per target; mails are on their way", body = InvitationsAnswer),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "A draft", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn send(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<InvitationsRequest>,
) -> Result<(StatusCode, Json<InvitationsAnswer>), ApiError> {
    let targets: Vec<NewPerson> = request.targets.into_iter().map(Into::into).collect();
    let invitations = state.services.invite(&caller.actor, &MeetingId::new(meeting), &targets).await?;
    Ok((StatusCode::ACCEPTED, Json(InvitationsAnswer { invitations })))
}

/// Sends somebody their invitation once more.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/people/{person}/resend", tag = "invitations", params(
    ("meeting" = String, Path, description = "The meeting"), ("person" = String, Path, description = "The person"),
), responses(
    (status = 202, description = "A mail is on its way", body = Person),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Host", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "There is no address, or it is a draft", body = Problem),
))]
pub(crate) async fn resend(
    State(state): State<AppState>,
    caller: Caller,
    Path((meeting, person)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Person>), ApiError> {
    let (meeting, person) = (MeetingId::new(meeting), PersonId::new(person));
    let person = state.services.resend_invitation(&caller.actor, &meeting, &person).await?;
    Ok((StatusCode::ACCEPTED, Json(person)))
}

/// The answer that a link of the mail suggests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suggested {
    answer: Option<Rsvp>,
}

/// What an invitation asks: a page for browsers, JSON for whoever accepts that. Changes nothing, since programs that scan
/// mails follow links.
#[utoipa::path(get, path = "/v1/rsvp/{token}", tag = "invitations", security(()), params(
    ("token" = String, Path, description = "The end of the link"),
    ("answer" = Option<String>, Query, description = "accepted, tentative or declined: what the page offers first"),
), responses(
    (status = 200, body = RsvpView),
    (status = 403, description = "The invitation was taken back", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(token): Path<String>,
    Params(suggested): Params<Suggested>,
) -> Result<Response, ApiError> {
    let view = state.services.rsvp(&token).await?;
    Ok(shown(&headers, view, suggested.answer, false))
}

/// Answers an invitation; the latest answer counts.
#[utoipa::path(post, path = "/v1/rsvp/{token}", tag = "invitations", security(()), params(
    ("token" = String, Path, description = "The end of the link"),
    ("answer" = String, Query, description = "accepted, tentative or declined"),
), responses(
    (status = 200, body = RsvpView),
    (status = 403, description = "The invitation was taken back", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "No answer given", body = Problem),
))]
pub(crate) async fn answer(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(token): Path<String>,
    Params(suggested): Params<Suggested>,
) -> Result<Response, ApiError> {
    let answer = suggested.answer.ok_or_else(|| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "There is no answer")
            .field("answer")
            .mend("Add ?answer=accepted, tentative or declined")
    })?;
    let view = state.services.answer_invitation(&token, answer).await?;
    Ok(shown(&headers, view, None, true))
}

fn shown(headers: &HeaderMap, view: RsvpView, suggested: Option<Rsvp>, done: bool) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return Html(page(&view, suggested, done)).into_response();
    }
    Json(view).into_response()
}

const ANSWERS: [(Rsvp, &str, &str); 3] = [
    (Rsvp::Accepted, "accepted", "Yes, I will come"),
    (Rsvp::Tentative, "tentative", "Maybe"),
    (Rsvp::Declined, "declined", "No, I will not come"),
];

/// Three buttons. They post to the very address of the page, so nothing of the token is written into it.
fn page(view: &RsvpView, suggested: Option<Rsvp>, done: bool) -> String {
    let mut buttons = String::new();
    let first = ANSWERS.iter().filter(|(answer, ..)| Some(*answer) == suggested);
    let others = ANSWERS.iter().filter(|(answer, ..)| Some(*answer) != suggested);
    for (_, word, label) in first.chain(others) {
        buttons.push_str(&format!(
            "<form method=\"post\" action=\"?answer={word}\"><button>{label}</button></form>\n"
        ));
    }
    let said = view.rsvp.and_then(|rsvp| ANSWERS.iter().find(|(answer, ..)| *answer == rsvp));
    let said = said
        .map(|(.., label)| format!("<p>Your answer{}: {label}.</p>\n", if done { " is noted" } else { "" }));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Invitation</title></head>\n<body>\n<h1>{}</h1>\n<p>{}, will you \
         come?</p>\n{}{buttons}</body></html>\n",
        escaped(&view.title),
        escaped(&view.display_name),
        said.unwrap_or_default(),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
