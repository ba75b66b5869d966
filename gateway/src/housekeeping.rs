//! What is done by the clock: reminders, and once a day deleting what is older than it shall be kept.

use conference::services::Services;
use std::sync::Arc;
use std::time::Duration;

/// Not at once: a start has better things to do.
const FIRST: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The next try when the database was away.
const AGAIN: Duration = Duration::from_secs(600);

/// Sweeps for as long as the process runs.
pub(crate) async fn run(services: Arc<Services>) {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = match services.sweep().await {
            Ok(records) => {
                tracing::info!(records, "what was kept long enough is deleted");
                DAY
            }
            Err(error) => {
                tracing::warn!(%error, internal = error.internal, "the daily sweep stopped half-way");
                AGAIN
            }
        };
    }
}

/// How often it is looked whether somebody is to be reminded.
const REMINDERS: Duration = Duration::from_secs(5);

/// Reminds people of meetings for as long as the process runs.
pub(crate) async fn remind(services: Arc<Services>) {
    loop {
        tokio::time::sleep(REMINDERS).await;
        match services.send_reminders().await {
            Ok(0) => {}
            Ok(mails) => tracing::info!(mails, "reminders are on their way"),
            Err(error) => tracing::warn!(%error, internal = error.internal, "reminders wait"),
        }
    }
}
