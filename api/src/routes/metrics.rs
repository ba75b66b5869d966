//! Numbers for the operator's graphs.

use crate::AppState;
use crate::auth::ClientAddress;
use crate::problem::{ApiError, Problem};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt::Write as _;

/// Counters and histograms in the Prometheus text format. Only for this machine and the networks of `api.metrics_from`, and
/// never through a proxy.
#[utoipa::path(get, path = "/metrics", tag = "service", security(()), responses(
    (status = 200, description = "Prometheus text format", content_type = "text/plain", body = String),
    (status = 404, description = "Asked from elsewhere", body = Problem),
))]
pub(crate) async fn metrics(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let proxied = [header::FORWARDED.as_str(), "x-forwarded-for", "x-real-ip", "via"];
    let direct = !proxied.iter().any(|name| headers.contains_key(*name));
    let allowed = address.is_some_and(|address| state.services.may_read_metrics(address.to_canonical()));
    if !direct || !allowed {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "There is no such page"));
    }
    let mut text = state.services.live.metrics().await;
    state.metrics.render(&mut text);
    let store = &state.services.store;
    let name = "partyline_database_statement_seconds";
    let _ = writeln!(text, "# HELP {name} How long statements took\n# TYPE {name} histogram");
    store.times().render(&mut text, name, "");
    let name = "partyline_database_connections";
    let _ = writeln!(text, "# HELP {name} Connections to the database\n# TYPE {name} gauge");
    let (open, idle) = store.connections();
    let busy = usize::try_from(open).unwrap_or(0).saturating_sub(idle);
    let _ = writeln!(text, "{name}{{state=\"idle\"}} {idle}\n{name}{{state=\"busy\"}} {busy}");
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
