//! REST, events, WebRTC signalling, the OpenAPI description and the meeting page.
//!
//! Handlers are thin: they read a request, call one function of [`conference::services`] and write its answer. Who may
//! do what is decided there. What is decided here is what a request may look like: its size, its fields, its tokens,
//! how often a password may be tried, and what an error tells the outside.
//!
//! | module | question it answers |
//! |---|---|
//! | `routes` | which path does what, one file per resource |
//! | `auth` | whose token is this |
//! | `json` | is the body what the route takes, and which field is not |
//! | `problem` | what does an error look like, and what does only the log get |
//! | `frame` | what every answer carries: request id, security headers |
//! | `guard` | how often may a password be tried |
//! | `limits` | how often may anything be asked |
//! | `presence` | which browser's page is still there |
//! | `page` | the embedded meeting page |
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        reason = "tests may stop at the first surprise"
    )
)]

mod auth;
mod frame;
mod guard;
mod http_metrics;
mod json;
mod limits;
mod openapi;
mod page;
mod presence;
mod problem;
mod routes;

pub use openapi::document;

use conference::services::Services;
use guard::LoginGuard;
use http_metrics::HttpMetrics;
use limits::Limits;
use presence::Presence;
use std::sync::Arc;

/// The largest request body taken.
const BODY_MAX: usize = 256 * 1024;

/// What every handler can reach.
#[derive(Clone)]
struct AppState {
    services: Arc<Services>,
    guard: Arc<LoginGuard>,
    presence: Presence,
    metrics: Arc<HttpMetrics>,
    limits: Arc<Limits>,
}

/// The whole HTTP side: `/v1`, health checks, and the page for everything else.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that password tries can be counted per
/// address.
pub fn router(services: Arc<Services>) -> axum::Router {
    let state = AppState {
        presence: Presence::new(Arc::clone(&services)),
        guard: Arc::new(LoginGuard::default()),
        metrics: Arc::default(),
        limits: Arc::new(Limits::new(services.config.requests_per_second)),
        services,
    };
    routes::router()
        .fallback(page::serve)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn_with_state(state.clone(), limits::limit))
        .layer(axum::middleware::from_fn_with_state(state.clone(), frame::frame))
        .with_state(state)
}
