//! What every answer carries: a request id, security headers, and errors in one form.

use crate::AppState;
use crate::problem::{ApiError, title};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;
use tracing::Instrument as _;

/// The page loads its own files, talks to its own server, and is framed by nobody.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Only our own page may use camera and microphone.
const PERMISSIONS_POLICY: &str =
    "camera=(self), microphone=(self), display-capture=(self), clipboard-write=(self), geolocation=()";

/// Wraps every request in a span and finishes every response.
pub(crate) async fn frame(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let request_id = state.services.random_id('r');
    // The pattern, never the path or the query: both may hold join tokens.
    let route = request.extensions().get::<MatchedPath>().map_or("page", MatchedPath::as_str).to_owned();
    let path = request.uri().path();
    let api = path.starts_with("/v1/");
    // PostgreSQL takes no NUL in a text, and nothing is named by one.
    let names_nothing = path.contains("%00");
    let span = tracing::info_span!("request", request.id = %request_id, http.route = %route, http.method = %request.method());
    let method = request.method().clone();
    let began = Instant::now();
    async {
        let mut response = match names_nothing {
            false => next.run(request).await,
            true => nameless().into_response(),
        };
        if let Some(error) = response.extensions().get::<ApiError>() {
            log(error);
            response = error.render(&request_id);
        } else if api && is_bare_error(&response) {
            // The framework's own refusals: wrong method, unreadable path, too large a body.
            let status = response.status();
            let allow = response.headers().get(header::ALLOW).cloned();
            response = ApiError::new(status, plain_words(status)).render(&request_id);
            if let Some(allow) = allow {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
        state.metrics.observe(&method, &route, response.status(), began.elapsed());
        tracing::debug!(http.status = response.status().as_u16(), "answered");
        add_headers(response.headers_mut(), &request_id, api);
        response
    }
    .instrument(span)
    .await
}

fn nameless() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "The path holds the character NUL, and nothing is named by it")
}

fn log(error: &ApiError) {
    match &error.internal {
        Some(internal) => tracing::error!(http.status = error.status.as_u16(), internal, "request failed"),
        None => {
            tracing::debug!(http.status = error.status.as_u16(), detail = %error.detail, "request refused")
        }
    }
}

fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
    (status.is_client_error() || status.is_server_error()) && !problem
}

fn plain_words(status: StatusCode) -> String {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => "This route does not take this method".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => "The request is too large".to_owned(),
        StatusCode::NOT_FOUND => "There is no such route".to_owned(),
        _ => title(status).to_owned(),
    }
}

fn add_headers(headers: &mut HeaderMap, request_id: &str, api: bool) {
    let mut add = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    add(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::X_FRAME_OPTIONS, "DENY");
    // Join links are in the path: no other site may learn them.
    add(header::REFERRER_POLICY, "no-referrer");
    add(HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY);
    add(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    add(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if api {
        add(header::CACHE_CONTROL, "no-store");
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}
