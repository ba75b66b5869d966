//! Webhooks, and what was sent out.

use crate::AppState;
use crate::auth::Caller;
use crate::json::{Body, Params};
use crate::problem::{ApiError, Problem};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use conference::services::views::{Outgoing, Webhook};
use conference::services::webhooks::WebhookChange;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookRequest {
    /// An https URL on the public internet.
    url: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// The kinds (`call.joined`) and groups (`call.*`) it gets; all when empty.
    #[serde(default)]
    events: Vec<String>,
}

/// What is to change; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChangeRequest {
    /// Where events go.
    url: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The kinds and groups it gets; all when empty.
    events: Option<Vec<String>>,
    /// Whether it gets any.
    enabled: Option<bool>,
    /// Whether it gets a new secret, which the answer shows.
    #[serde(default)]
    renew_secret: bool,
}

/// The tenant's webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Webhooks {
    /// Oldest first.
    webhooks: Vec<Webhook>,
}

/// What was sent, or is to be.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deliveries {
    /// Newest first, at most 200.
    deliveries: Vec<Outgoing>,
}

/// The event that was sent to try a webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestEvent {
    /// Its identifier.
    event: String,
}

/// Which deliveries are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboxQuery {
    state: Option<String>,
}

/// The tenant's webhooks.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", responses(
    (status = 200, body = Webhooks),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<Webhooks>, ApiError> {
    Ok(Json(Webhooks { webhooks: state.services.webhooks(&caller.actor).await? }))
}

/// Makes a webhook. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookRequest, responses(
    (status = 201, body = Webhook),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 409, description = "There are too many", body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(request): Body<WebhookRequest>,
) -> Result<(StatusCode, Json<Webhook>), ApiError> {
    let new = WebhookChange {
        url: Some(request.url),
        description: Some(request.description),
        events: Some(request.events),
        ..WebhookChange::default()
    };
    Ok((StatusCode::CREATED, Json(state.services.create_webhook(&caller.actor, new).await?)))
}

/// One webhook.
#[utoipa::path(get, path = "/v1/webhooks/{webhook}", tag = "webhooks",
    params(("webhook" = String, Path, description = "The webhook")), responses(
    (status = 200, body = Webhook),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(state.services.webhook(&caller.actor, &webhook).await?))
}

/// Changes a webhook, switches it off and on, or renews its secret.
#[utoipa::path(patch, path = "/v1/webhooks/{webhook}", tag = "webhooks",
    params(("webhook" = String, Path, description = "The webhook")), request_body = WebhookChangeRequest, responses(
    (status = 200, body = Webhook),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
    (status = 422, description = "A wrong field, named", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
    Body(request): Body<WebhookChangeRequest>,
) -> Result<Json<Webhook>, ApiError> {
    let change = WebhookChange {
        url: request.url,
        description: request.description,
        events: request.events,
        enabled: request.enabled,
        renew_secret: request.renew_secret,
    };
    Ok(Json(state.services.change_webhook(&caller.actor, &webhook, &change).await?))
}

/// Deletes a webhook with everything that waits for it.
#[utoipa::path(delete, path = "/v1/webhooks/{webhook}", tag = "webhooks",
    params(("webhook" = String, Path, description = "The webhook")), responses(
    (status = 204, description = "Deleted"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.delete_webhook(&caller.actor, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends the event `webhook.test`, whatever events the webhook wants.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/test", tag = "webhooks",
    params(("webhook" = String, Path, description = "The webhook")), responses(
    (status = 202, body = TestEvent),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn test(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<(StatusCode, Json<TestEvent>), ApiError> {
    let event = state.services.test_webhook(&caller.actor, &webhook).await?;
    Ok((StatusCode::ACCEPTED, Json(TestEvent { event })))
}

/// The latest deliveries of a webhook.
#[utoipa::path(get, path = "/v1/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("webhook" = String, Path, description = "The webhook")), responses(
    (status = 200, body = Deliveries),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn deliveries(
    State(state): State<AppState>,
    caller: Caller,
    Path(webhook): Path<String>,
) -> Result<Json<Deliveries>, ApiError> {
    Ok(Json(Deliveries { deliveries: state.services.deliveries(&caller.actor, &webhook).await? }))
}

/// Mails and webhook deliveries of the tenant; those given up (`failed`) unless another state is asked for.
#[utoipa::path(get, path = "/v1/outbox", tag = "outbox", params(
    ("state" = Option<String>, Query, description = "failed (the default), queued, sent or superseded"),
), responses(
    (status = 200, body = Deliveries),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 422, description = "No such state", body = Problem),
))]
pub(crate) async fn outbox(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<OutboxQuery>,
) -> Result<Json<Deliveries>, ApiError> {
    let wanted = query.state.unwrap_or_else(|| "failed".to_owned());
    Ok(Json(Deliveries { deliveries: state.services.outbox(&caller.actor, &wanted).await? }))
}

/// Tries once more what was given up.
#[utoipa::path(post, path = "/v1/outbox/{id}/retry", tag = "outbox",
    params(("id" = String, Path, description = "The mail or delivery")), responses(
    (status = 202, description = "It is queued again"),
    (status = 401, body = Problem),
    (status = 403, description = "Not a Tenant Admin", body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.services.retry_outgoing(&caller.actor, &id).await?;
    Ok(StatusCode::ACCEPTED)
}
