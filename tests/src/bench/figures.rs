//! Figures, as a table and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::Table;
use crate::shared::percentile;

/// One measured thing.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How often.
    pub count: usize,
    /// Answers that were not what they should be.
    pub wrong: usize,
    /// The median.
    pub p50: Duration,
    /// What 99 of 100 stay below.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
    /// What the 99th percentile must stay below, where there is a goal.
    pub goal: Option<Duration>,
}

/// Some of them.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order in which they were measured.
    pub figures: Vec<Figure>,
}

impl Figure {
    /// The figure of all these times.
    pub fn of(
        name: impl Into<String>,
        mut times: Vec<Duration>,
        wrong: usize,
        goal: Option<Duration>,
    ) -> Self {
        times.sort_unstable();
        let below = |percent| percentile(&times, percent).unwrap_or_default();
        Self {
            name: name.into(),
            count: times.len(),
            wrong,
            p50: below(50),
            p99: below(99),
            longest: below(100),
            goal,
        }
    }

    /// Whether nothing went wrong and the goal is met.
    pub fn is_met(&self) -> bool {
        self.wrong == 0 && self.count > 0 && self.goal.is_none_or(|goal| self.p99 <= goal)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "count": self.count, "wrong": self.wrong, "p50_ms": ms(self.p50), "p99_ms": ms(self.p99),
            "max_ms": ms(self.longest), "goal_ms": self.goal.map(ms), "met": self.is_met(),
        })
    }
}

impl Report {
    /// All figures as a JSON list.
    pub fn json(&self) -> String {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        format!("{:#}\n", Value::Array(figures))
    }

    /// Whether every goal is met.
    pub fn is_met(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new(["what", "count", "wrong", "p50 ms", "p99 ms", "max ms", "goal ms", ""]);
        for figure in &self.figures {
            let shown = |time: Duration| format!("{:.2}", ms(time));
            table.row([
                figure.name.clone(),
                figure.count.to_string(),
                figure.wrong.to_string(),
                shown(figure.p50),
                shown(figure.p99),
                shown(figure.longest),
                figure.goal.map(|goal| format!("{:.0}", ms(goal))).unwrap_or_default(),
                if figure.is_met() { "met" } else { "MISSED" }.to_owned(),
            ]);
        }
        write!(formatter, "{table}")
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = (1..=1_000).rev().map(Duration::from_millis).collect();
        let figure = Figure::of("x", times, 0, Some(Duration::from_millis(990)));
        assert_eq!(
            (figure.p50.as_millis(), figure.p99.as_millis(), figure.longest.as_millis()),
            (501, 991, 1_000)
        );
        assert!(!figure.is_met(), "a millisecond too slow");
        assert!(!Figure::of("none", Vec::new(), 0, None).is_met(), "nothing was measured");
    }
}
