//! How long the database is waited for: long while it answers anybody, however slowly, and not at all once it has stopped.
//! One that has been slow lately is given longer before its silence counts.

use super::pool::too_late;
use sqlx::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long the database may say nothing: a statement takes no longer, and whoever waits for a connection or for a turn
/// gives up when nobody has had an answer for so long. A request that fails for it is answered within two seconds.
const STATEMENT_LIMIT: Duration = Duration::from_millis(1_500);
/// How many times as long as its slow answers of late the database may say nothing: a statement of somebody else's may have
/// to be prepared, a connection be made, before it can be heard of again.
const PACES: u32 = 4;
/// The longest silence of a slow database.
const SLOW_LIMIT: Duration = Duration::from_secs(6);
/// How long anybody waits for a connection or a turn while the database does answer, however slowly.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A connection that has been idle for longer is asked whether it is still there.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// When the database was heard of last.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// By anybody.
    pub(super) any: Heard,
    /// By whoever had their turn to write.
    pub(super) writes: Heard,
}

impl Default for Answers {
    fn default() -> Self {
        let any = Heard::default();
        let writes = Heard { pace: any.pace.clone(), ..Heard::default() };
        Self { any, writes }
    }
}

/// How long answers have taken lately: the slowest one, fading with each that is quicker. Milliseconds.
#[derive(Clone, Debug, Default)]
struct Pace(Arc<AtomicU64>);

impl Pace {
    fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let faded = self.0.load(Ordering::Relaxed) / 8 * 7;
        self.0.store(took.max(faded), Ordering::Relaxed);
    }

    /// How long nothing may be heard.
    fn limit(&self) -> Duration {
        let slow = Duration::from_millis(self.0.load(Ordering::Relaxed)).saturating_mul(PACES);
        slow.clamp(STATEMENT_LIMIT, SLOW_LIMIT)
    }
}

/// When an answer came last.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    since: Instant,
    /// Milliseconds after `since`.
    last: Arc<AtomicU64>,
    pace: Pace,
}

impl Default for Heard {
    fn default() -> Self {
        Self { since: Instant::now(), last: Arc::default(), pace: Pace::default() }
    }
}

impl Answers {
    /// The database has answered within `took`.
    pub(super) fn note(&self, writes: bool, took: Duration) {
        self.any.pace.note(took);
        self.any.note();
        if writes {
            self.writes.note();
        }
    }
}

impl Heard {
    fn note(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// When whoever has waited since `began` gives up, unless more is heard.
    pub(super) fn deadline(&self, began: Instant) -> Instant {
        let last = self.since + Duration::from_millis(self.last.load(Ordering::Relaxed));
        (last.max(began) + self.pace.limit()).min(began + PATIENCE)
    }

    /// Waits for something that began to be waited for at `began`, for as long as the database is heard of.
    pub(super) async fn wait<T>(
        &self,
        began: Instant,
        waiting: impl Future<Output = T> + Send,
    ) -> Result<T, Error> {
        tokio::pin!(waiting);
        loop {
            let deadline = self.deadline(began);
            if let Ok(done) = tokio::time::timeout_at(deadline, &mut waiting).await {
                return Ok(done);
            }
            if self.deadline(began) <= deadline {
                return Err(too_late());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTLY: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn f4_whoever_waits_gives_up_when_nothing_is_heard() {
        let heard = Heard::default();
        let began = Instant::now() - (STATEMENT_LIMIT - SHORTLY);
        assert!(heard.wait(began, std::future::pending::<()>()).await.is_err());
        assert!(began.elapsed() >= STATEMENT_LIMIT);
    }

    #[tokio::test]
    async fn f5_a_slow_database_is_waited_for_and_not_for_ever() {
        let answers = Answers::default();
        let long_ago = Instant::now() - Duration::from_secs(5);
        answers.note(true, SHORTLY);
        assert!(
            answers.writes.wait(long_ago, tokio::time::sleep(SHORTLY)).await.is_ok(),
            "it was just heard of"
        );
        let impatient = Instant::now() - (PATIENCE - SHORTLY);
        answers.note(true, SHORTLY);
        assert!(answers.writes.wait(impatient, std::future::pending::<()>()).await.is_err());
        assert!(impatient.elapsed() >= PATIENCE);
    }

    #[test]
    fn f5_a_database_that_was_slow_is_given_longer_until_it_is_quick_again() {
        let answers = Answers::default();
        let began = Instant::now();
        answers.note(false, Duration::from_secs(1));
        for heard in [&answers.any, &answers.writes] {
            assert!(heard.deadline(began) >= began + Duration::from_secs(4), "a second for each answer");
        }
        answers.note(false, Duration::from_secs(60));
        assert!(answers.writes.deadline(began) <= began + SLOW_LIMIT + SHORTLY, "not for ever");
        for _ in 0..40 {
            answers.note(true, Duration::from_millis(2));
        }
        let began = Instant::now();
        assert_eq!(answers.writes.deadline(began + SHORTLY), began + SHORTLY + STATEMENT_LIMIT);
    }

    #[tokio::test]
    async fn f4_answers_to_readers_do_not_make_writers_wait() {
        let answers = Answers::default();
        let began = Instant::now();
        tokio::time::sleep(SHORTLY).await;
        answers.note(false, SHORTLY);
        assert_eq!(answers.writes.deadline(began), began + STATEMENT_LIMIT);
        assert!(answers.any.deadline(began) > began + STATEMENT_LIMIT);
    }
}
