//! How long something took, counted in buckets, for the operator's graphs.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds: 0.5 ms to 5 s.
const BOUNDS_US: [u64; 13] = [
    500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000,
];

/// A histogram. Counting is three atomic additions and waits for nobody.
#[derive(Debug, Default)]
pub struct Times {
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Times {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound);
        if let Some(bucket) = bucket.and_then(|at| self.buckets.get(at)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Writes the lines of one series in the Prometheus text format. `labels` is empty or `name="value",...`, escaped.
    pub fn render(&self, out: &mut String, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS_US) {
            below += bucket.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {below}", seconds(bound));
        }
        // Read after the buckets, so that it is never below them.
        let count = self.count();
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}_sum{braces} {sum}\n{name}_count{braces} {count}");
    }
}

/// Microseconds as seconds, exactly.
fn seconds(us: u64) -> String {
    let (whole, rest) = (us / 1_000_000, us % 1_000_000);
    let text = format!("{whole}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d67_times_are_counted_in_growing_buckets() {
        let times = Times::default();
        for ms in [0, 3, 3, 30, 60_000] {
            times.observe(Duration::from_millis(ms));
        }
        let mut text = String::new();
        times.render(&mut text, "t_seconds", "route=\"/x\"");
        for line in [
            "t_seconds_bucket{route=\"/x\",le=\"0.0005\"} 1",
            "t_seconds_bucket{route=\"/x\",le=\"0.005\"} 3",
            "t_seconds_bucket{route=\"/x\",le=\"0.05\"} 4",
            "t_seconds_bucket{route=\"/x\",le=\"5\"} 4",
            "t_seconds_bucket{route=\"/x\",le=\"+Inf\"} 5",
            "t_seconds_sum{route=\"/x\"} 60.036",
            "t_seconds_count{route=\"/x\"} 5",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
        }
    }
}
