//! Transfers that phones ask for, on their way to the services, which judge them, and back.

use conference::live::focus::{Command, TransferRequest};
use conference::services::{Live as _, Services};
use std::sync::Weak;
use tokio::sync::mpsc;

use crate::live::LiveHandle;

/// How many may wait to be judged; further ones are refused.
pub(crate) const WAITING: usize = 64;

/// Judges one after the other, until nobody asks any more or the services are gone.
pub(crate) async fn run(
    services: Weak<Services>,
    live: LiveHandle,
    mut asked: mpsc::Receiver<TransferRequest>,
) {
    while let Some(request) = asked.recv().await {
        let Some(services) = services.upgrade() else { return };
        let result = services.transfer(&request).await;
        match &result {
            Ok(call) => tracing::info!(meeting.id = %request.meeting, call.id = %call, "a phone transfers"),
            Err((status, why)) => {
                tracing::info!(meeting.id = %request.meeting, status, why, "a transfer is refused");
            }
        }
        let judged = Command::TransferJudged { refer: request.refer, result };
        if let Err(refusal) = live.command(judged).await {
            tracing::debug!(?refusal, "a transfer was judged while the gateway stops");
        }
    }
}
