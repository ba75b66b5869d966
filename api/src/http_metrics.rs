//! How long requests took, by route, for the operator's graphs (D67).

use axum::http::{Method, StatusCode};
use conference::times::Times;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Method, route, class of the status. The route is a pattern, so their number is bounded.
type Key = (String, String, &'static str);

/// Histograms by route.
#[derive(Debug, Default)]
pub(crate) struct HttpMetrics(Mutex<BTreeMap<Key, Arc<Times>>>);

impl HttpMetrics {
    /// Counts one answer.
    pub(crate) fn observe(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // A method of somebody's own invention is no series of its own.
        let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let class = match status.as_u16() {
            100..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        let key = (method.to_owned(), route.to_owned(), class);
        let times = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        times.observe(took);
    }

    /// Everything in the Prometheus text format.
    pub(crate) fn render(&self, out: &mut String) {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let name = "partyline_http_request_seconds";
        let _ = writeln!(out, "# HELP {name} How long requests took\n# TYPE {name} histogram");
        for ((method, route, class), times) in series {
            times.render(out, name, &format!("method=\"{method}\",route=\"{route}\",status=\"{class}\""));
        }
    }
}
