//! Figures, as a table and as JSON.

use std::time::Duration;

use crate::scenario::Scenario;

/// What one run gave.
pub(crate) struct Report {
    pub(crate) scenario: Scenario,
    /// CPU time of the engine per leg and second, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// Share of its core the engine took, from 0 to 1.
    pub(crate) core: f64,
    /// Share of the packets that should have come and did not.
    pub(crate) loss: f64,
    /// Of the ticks: the median of all seconds' medians, the median and the worst of all seconds' 99th percentiles.
    pub(crate) late: [Duration; 3],
    /// Share of the ticks that began more than 2 ms late.
    pub(crate) late_share: f64,
    /// Marks heard, of those that should have been.
    pub(crate) marks: f64,
    /// Mouth to ear: median, 99th percentile.
    pub(crate) ear: [Duration; 2],
}

pub(crate) const HEADINGS: &str = "scenario            legs  CPU ms/leg-s   core   loss   tick late p50 / p99 / worst s   >2 ms   marks   mouth-to-ear p50 / p99";

const fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Report {
    /// Ticks are late, or packets are lost.
    pub(crate) fn is_bad(&self) -> bool {
        self.loss > 0.01 || self.late_share > 0.01
    }

    pub(crate) fn row(&self) -> String {
        format!(
            "{:18} {:5}  {:12.3}  {:4.1}%  {:4.2}%  {:7.2} / {:5.2} / {:5.2} ms    {:5.2}%   {:4.1}%   {:7.1} / {:5.1} ms",
            self.scenario.to_string(),
            self.scenario.phones(),
            self.cpu_ms,
            self.core * 100.0,
            self.loss * 100.0,
            ms(self.late[0]),
            ms(self.late[1]),
            ms(self.late[2]),
            self.late_share * 100.0,
            self.marks * 100.0,
            ms(self.ear[0]),
            ms(self.ear[1]),
        )
    }

    fn json(&self) -> String {
        format!(
            "  {{\"scenario\": \"{}\", \"legs\": {}, \"cpu_ms_per_leg_second\": {:.4}, \"core\": {:.4}, \"loss\": {:.5}, \
             \"tick_late_p50_ms\": {:.3}, \"tick_late_p99_ms\": {:.3}, \"tick_late_p99_worst_second_ms\": {:.3}, \"ticks_late_share\": {:.5}, \"marks_heard\": {:.4}, \
             \"mouth_to_ear_p50_ms\": {:.2}, \"mouth_to_ear_p99_ms\": {:.2}}}",
            self.scenario,
            self.scenario.phones(),
            self.cpu_ms,
            self.core,
            self.loss,
            ms(self.late[0]),
            ms(self.late[1]),
            ms(self.late[2]),
            self.late_share,
            self.marks,
            ms(self.ear[0]),
            ms(self.ear[1]),
        )
    }
}

pub(crate) fn json(reports: &[Report]) -> String {
    let rows: Vec<String> = reports.iter().map(Report::json).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

/// The value that so many thousandths of `values` stay at or below; sorts them.
pub(crate) fn quantile(values: &mut [Duration], permille: usize) -> Duration {
    values.sort_unstable();
    let at = (values.len() * permille / 1_000).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or_default()
}
