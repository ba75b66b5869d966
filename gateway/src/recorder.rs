//! The task that writes what the meetings report, in order, so that neither signalling nor sound waits for the database.

use conference::live::focus::Record;
use conference::store::records::RecordWriter;
use tokio::sync::mpsc;

/// Writes until every sender is gone; gives back when all is written.
pub async fn run(writer: RecordWriter, mut records: mpsc::Receiver<Record>) {
    while let Some(record) = records.recv().await {
        if let Err(error) = writer.write(&record).await {
            tracing::error!(%error, "a record could not be written");
        }
    }
}
