//! Whether the process lives and is ready, and what it can do.

use crate::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "service", security(()), responses((status = 200, description = "Alive")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The process can do its work: the database answers.
#[utoipa::path(get, path = "/readyz", tag = "service", security(()), responses(
    (status = 200, description = "Ready"),
    (status = 503, description = "The database does not answer"),
))]
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    match state.services.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(internal = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "service", security(()), responses((status = 200, description = "OpenAPI 3.1")))]
pub(crate) async fn openapi() -> Response {
    ([(header::CACHE_CONTROL, "no-cache")], Json(crate::document())).into_response()
}
