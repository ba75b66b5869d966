//! Mail that comes back.

use crate::AppState;
use crate::auth::Caller;
use crate::json::Rfc822;
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::State;
use conference::services::views::InboundMail;

/// Takes in a mail that has come to the address invitations are sent from, or to one that calendars answer to: a delivery
/// report or a calendar's answer shows on the person's row; everything else is ignored. For mail servers, with an API key.
#[utoipa::path(post, path = "/v1/inbound-mail", tag = "outbox",
    request_body(content = String, content_type = "message/rfc822", description = "The whole mail, at most 1 MiB",
        example = "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail\r\n\r\nSorry.\r\n"), responses(
    (status = 200, description = "Taken, or ignored", body = InboundMail),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 415, description = "Not message/rfc822", body = Problem),
    (status = 422, description = "Not a mail", body = Problem),
))]
pub(crate) async fn take(
    State(state): State<AppState>,
    caller: Caller,
    Rfc822(mail): Rfc822,
) -> Result<Json<InboundMail>, ApiError> {
    Ok(Json(state.services.take_mail(&caller.actor, &mail).await?))
}
