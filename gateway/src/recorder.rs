//! The task that writes what the meetings report, in order, so that neither signalling nor sound waits for the database.
//!
//! While the database is away the queue grows and the same records are tried again, until they are written: nothing is
//! lost, doubled or reordered. Only a stop that finds the database gone gives up, and says how much.

use crate::edge;
use conference::live::event::Record;
use conference::store::records::RecordWriter;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many records are written at once when they have piled up.
const BATCH: usize = 100;
/// How often the database is told that the process lives: a leg that a crash cuts off ends at most this much too early.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The pause before a failed write is tried again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Writes until every sender is gone; gives back when all is written.
pub(crate) async fn run(mut writer: RecordWriter, mut records: mpsc::Receiver<Record>) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            taken = records.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    break;
                }
                write(&mut writer, &mut batch, &records).await;
            }
            _ = heartbeat.tick() => {
                if let Err(error) = writer.alive(edge::wall()).await {
                    tracing::debug!(%error, "the database was not told that we live");
                }
            }
        }
    }
}

/// Writes a batch, however long it takes.
async fn write(writer: &mut RecordWriter, batch: &mut Vec<Record>, queue: &mpsc::Receiver<Record>) {
    let mut pause = PAUSES.0;
    while let Err(error) = writer.write_all(batch).await {
        if !error.is_unavailable() {
            write_singly(writer, batch).await;
            break;
        }
        if pause == PAUSES.0 {
            tracing::warn!(%error, "records wait for the database");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    if pause > PAUSES.0 {
        tracing::info!(records.waiting = queue.len(), "the database takes records again");
    }
    batch.clear();
}

/// One record among these is refused: the others must not go with it.
async fn write_singly(writer: &mut RecordWriter, batch: &[Record]) {
    for record in batch {
        let mut pause = PAUSES.0;
        while let Err(error) = writer.write(record).await {
            if !error.is_unavailable() {
                tracing::error!(%error, "the database refuses a record");
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}
