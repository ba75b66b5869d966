//! A browser's one offer.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Body;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use conference::ids::MeetingId;
use conference::services::views::Person;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many video slots a browser receives.
const VIDEO_SLOTS: u8 = 8;

/// The offer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfferRequest {
    /// SDP: microphone, camera, mix, then the video slots.
    sdp: String,
}

/// The answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct OfferResponse {
    /// SDP.
    sdp: String,
    /// The leg; to be named when the event stream is opened, so that it leaves with the page.
    leg: u64,
    /// Who the browser is in the meeting.
    person: Person,
    /// How many video slots there are.
    video_slots: u8,
}

/// Joins a meeting by browser.
#[utoipa::path(post, path = "/v1/meetings/{meeting}/webrtc/offer", tag = "join",
    params(("meeting" = String, Path, description = "The meeting")), request_body = OfferRequest, responses(
    (status = 200, body = OfferResponse),
    (status = 401, body = Problem),
    (status = 403, description = "Removed from the meeting", body = Problem),
    (status = 404, body = Problem),
    (status = 409, description = "It is a draft, locked, full or over", body = Problem),
    (status = 422, description = "The offer cannot be used", body = Problem),
))]
pub(crate) async fn offer(
    State(state): State<AppState>,
    caller: Caller,
    Path(meeting): Path<String>,
    Body(request): Body<OfferRequest>,
) -> Result<Json<OfferResponse>, ApiError> {
    let meeting = MeetingId::new(meeting);
    let joined = state.services.join_by_browser(&caller.actor, &meeting, &request.sdp).await?;
    state.presence.joined(joined.answer.leg, joined.person.id.clone());
    Ok(Json(OfferResponse {
        sdp: joined.answer.answer_sdp,
        leg: joined.answer.leg.0,
        person: joined.person,
        video_slots: VIDEO_SLOTS,
    }))
}
