//! The worker of one channel: takes what is due, has it carried, writes down how it went.

use super::schedule::Dispatcher;
use super::{Carrier, Outcome, RetryPolicy, Slots};
use crate::services::Services;
use crate::services::accounts::later;
use crate::store::OutboxRow;
use crate::vocabulary::UnixMillis;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The longest time without a look: a row whose transaction was still open when the bell rang is found then.
const LOOK: Duration = Duration::from_millis(500);
/// How long after the bell a look makes sense.
const COMMIT: Duration = Duration::from_millis(5);
/// How long a database that fails is left alone.
const TROUBLE: Duration = Duration::from_secs(1);
/// How often the record of what was sent is gone through.
const TIDY: Duration = Duration::from_secs(3600);
/// How long attempts that run may go on when the process stops.
const LAST_ATTEMPTS: Duration = Duration::from_secs(2);

/// What is carried by one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Mails.
    Mail,
    /// Webhook deliveries.
    Webhook,
}

impl Channel {
    /// The word in the database.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
}

/// An attempt that has ended and is written down.
struct Done {
    position: i64,
    outcome: Outcome,
}

struct Worker {
    services: Arc<Services>,
    channel: Channel,
    carrier: Arc<dyn Carrier>,
    dispatcher: Dispatcher,
    running: JoinSet<Done>,
    /// When the record of what was sent is next gone through.
    tidy_at: UnixMillis,
}

impl Services {
    /// Sends what is due on one channel until `stopping` says so. At most one worker per channel.
    pub async fn run_outbox(
        self: Arc<Self>,
        channel: Channel,
        carrier: Arc<dyn Carrier>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let bell = self.store.outbox_bell();
        let (slots, _) = self.channel_config(channel);
        let pause = RetryPolicy { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        let dispatcher = Dispatcher::new(slots, pause);
        let mut worker = Worker {
            services: self,
            channel,
            carrier,
            dispatcher,
            running: JoinSet::new(),
            tidy_at: UnixMillis(0),
        };
        while !*stopping.borrow() {
            let wait = worker.start_what_is_due(slots).await;
            tokio::select! {
                () = bell.notified() => tokio::time::sleep(COMMIT).await,
                () = tokio::time::sleep(wait) => {}
                Some(done) = worker.running.join_next() => worker.finish(done),
                _ = stopping.changed() => break,
            }
        }
        // Whatever is cut off here is still queued, and sent again with the same identifier.
        let rest = async { while worker.running.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ATTEMPTS, rest).await.is_err() {
            tracing::info!(
                channel = channel.as_str(),
                "attempts still running are made again after the next start"
            );
        }
    }

    pub(super) fn channel_config(&self, channel: Channel) -> (Slots, RetryPolicy) {
        let config = &self.config.outbox;
        match channel {
            Channel::Mail => (config.mail_slots, config.mail_retry),
            Channel::Webhook => (config.webhook_slots, config.webhook_retry),
        }
    }

    /// A random number for waits that differ.
    pub(super) fn jitter(&self) -> u32 {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }
}

impl Worker {
    /// Starts what there is room for; says how long nothing more can be due.
    async fn start_what_is_due(&mut self, slots: Slots) -> Duration {
        let now = self.services.now();
        self.tidy(now).await;
        // Those that run are still queued in the database: ask for more than may run.
        let each = i64::try_from(slots.each * 2).unwrap_or(i64::MAX);
        let limit = i64::try_from(slots.total * 4).unwrap_or(i64::MAX);
        let due = self.services.store.due_parcels(self.channel.as_str(), now, each, limit).await;
        let due = match due {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, channel = self.channel.as_str(), "the outbox cannot be read");
                return TROUBLE;
            }
        };
        for row in due {
            if self.dispatcher.admit(now, row.position, &row.destination) {
                self.start(row);
            }
        }
        LOOK
    }

    /// Forgets what was sent or given up long ago.
    async fn tidy(&mut self, now: UnixMillis) {
        if self.channel == Channel::Webhook || now < self.tidy_at {
            return;
        }
        self.tidy_at = later(now, TIDY);
        let kept = u64::try_from(self.services.config.outbox.kept.as_millis()).unwrap_or(u64::MAX);
        let before = UnixMillis(now.0.saturating_sub(kept));
        match self.services.store.delete_finished_parcels(before).await {
            Ok(gone) => tracing::debug!(gone, "old rows of the outbox are deleted"),
            Err(error) => tracing::warn!(%error, "old rows of the outbox could not be deleted"),
        }
    }

    fn start(&mut self, row: OutboxRow) {
        let services = Arc::clone(&self.services);
        let carrier = Arc::clone(&self.carrier);
        let channel = self.channel;
        self.running.spawn(async move {
            let position = row.position;
            let outcome = services.attempt(carrier.as_ref(), &row).await;
            let Some(outcome) = outcome else { return Done { position, outcome: Outcome::Delivered } };
            // It may have arrived: it must not be sent again only because the database is away.
            while let Err(error) = services.settle(channel, &row, &outcome).await {
                tracing::error!(%error, outbox.id = %row.id, "an attempt could not be written down");
                tokio::time::sleep(TROUBLE).await;
            }
            Done { position, outcome }
        });
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done { position, outcome }) => {
                let (now, jitter): (UnixMillis, u32) = (self.services.now(), self.services.jitter());
                self.dispatcher.finish(now, position, &outcome, jitter);
            }
            // Its slot stays taken, which keeps a parcel that breaks its carrier from doing so again and again.
            Err(error) => tracing::error!(%error, "an attempt has panicked"),
        }
    }
}
