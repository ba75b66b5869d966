//! What must be looked after though nobody asks: calls to be made again, lost devices, spent budgets.

use conference::services::Services;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until the services are gone.
pub(crate) async fn run(services: Weak<Services>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(services) = services.upgrade() else { return };
        if let Err(error) = services.tend_calls().await {
            tracing::warn!(%error, internal = error.internal, "calls could not be looked after; the next look follows");
        }
    }
}
