//! When something is sent, and when again. Pure: time and randomness are arguments.

use crate::vocabulary::UnixMillis;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a channel tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait after the first failure; it doubles from there.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl RetryPolicy {
    /// The wait after this many failures, three quarters to five quarters of the doubled one, so that those who failed
    /// together do not come back together.
    pub fn wait(&self, failures: u32, jitter: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let doubled = self.first.saturating_mul(1_u32 << doublings).min(self.longest);
        let quarters = doubled / 4;
        quarters.saturating_mul(3) + quarters.mul_f64(f64::from(jitter) / f64::from(u32::MAX) * 2.0)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has arrived.
    Delivered,
    /// Not now: the receiver said so, or the connection broke. It may even have arrived.
    Later {
        /// The receiver's code, if it gave one.
        code: Option<u16>,
        /// What happened, for people to read.
        words: String,
    },
    /// Nobody answered at all: nothing else for that destination needs to be tried now.
    Unreachable {
        /// What happened.
        words: String,
    },
    /// Never: the receiver said so.
    Refused {
        /// The receiver's code, if it gave one.
        code: Option<u16>,
        /// What it said.
        words: String,
    },
}

impl Outcome {
    /// The receiver's code.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Later { code, .. } | Self::Refused { code, .. } => *code,
            Self::Delivered | Self::Unreachable { .. } => None,
        }
    }

    /// What happened, for people to read.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Later { words, .. } | Self::Unreachable { words } | Self::Refused { words, .. } => {
                Some(words)
            }
            Self::Delivered => None,
        }
    }
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Sent,
    /// Again at that time.
    Again(UnixMillis),
    /// Given up: a dead letter.
    Dead,
}

/// What follows from the outcome of the attempt number `attempt` (the first is 1).
pub fn verdict(
    policy: &RetryPolicy,
    now: UnixMillis,
    expires_at: UnixMillis,
    attempt: u32,
    outcome: &Outcome,
    jitter: u32,
) -> Verdict {
    match outcome {
        Outcome::Delivered => Verdict::Sent,
        Outcome::Refused { .. } => Verdict::Dead,
        Outcome::Later { .. } | Outcome::Unreachable { .. } => {
            let wait = u64::try_from(policy.wait(attempt, jitter).as_millis()).unwrap_or(u64::MAX);
            let again = UnixMillis(now.0.saturating_add(wait.max(1)));
            // The last attempt is made when the time is up, not before it.
            if now >= expires_at { Verdict::Dead } else { Verdict::Again(again.min(expires_at.max(now))) }
        }
    }
}

/// How much runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// In all.
    pub total: usize,
    /// To one destination.
    pub each: usize,
}

#[derive(Debug, Default)]
struct Destination {
    running: usize,
    /// Attempts that failed, one after the other.
    failures: u32,
    /// Nothing is tried before.
    paused_until: Option<UnixMillis>,
}

/// Decides what may be started. Destinations that fail get one slot each and at most half of all, so that dead and slow
/// receivers never keep the others waiting.
#[derive(Debug)]
pub struct Dispatcher {
    slots: Slots,
    pause: RetryPolicy,
    running: BTreeMap<i64, String>,
    destinations: BTreeMap<String, Destination>,
}

impl Dispatcher {
    /// Nothing runs yet. `pause` is how long a destination that nobody answers at is left alone.
    pub fn new(slots: Slots, pause: RetryPolicy) -> Self {
        Self { slots, pause, running: BTreeMap::new(), destinations: BTreeMap::new() }
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether this one runs.
    pub fn is_running(&self, position: i64) -> bool {
        self.running.contains_key(&position)
    }

    /// Starts the parcel at `position` of the outbox if there is room for it.
    pub fn admit(&mut self, now: UnixMillis, position: i64, destination: &str) -> bool {
        if self.is_running(position) || self.running.len() >= self.slots.total {
            return false;
        }
        let failing = |known: &Destination| known.failures > 0;
        let running_failing: usize =
            self.destinations.values().filter(|d| failing(d)).map(|d| d.running).sum();
        let known = self.destinations.entry(destination.to_owned()).or_default();
        if known.paused_until.is_some_and(|until| until > now) {
            return false;
        }
        let room = match failing(known) {
            true => known.running < 1 && running_failing < self.slots.total.div_ceil(2),
            false => known.running < self.slots.each,
        };
        if room {
            known.running += 1;
            self.running.insert(position, destination.to_owned());
        }
        room
    }

    /// An attempt has ended.
    pub fn finish(&mut self, now: UnixMillis, position: i64, outcome: &Outcome, jitter: u32) {
        let Some(destination) = self.running.remove(&position) else { return };
        let Some(known) = self.destinations.get_mut(&destination) else { return };
        known.running = known.running.saturating_sub(1);
        match outcome {
            // A refusal is an answer: the destination is well.
            Outcome::Delivered | Outcome::Refused { .. } => {
                known.failures = 0;
                known.paused_until = None;
            }
            Outcome::Later { .. } => known.failures = known.failures.saturating_add(1),
            Outcome::Unreachable { .. } => {
                known.failures = known.failures.saturating_add(1);
                let wait = self.pause.wait(known.failures, jitter).as_millis();
                known.paused_until =
                    Some(UnixMillis(now.0.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))));
            }
        }
        if known.running == 0 && known.failures == 0 {
            self.destinations.remove(&destination);
        }
    }

    /// When the next pause ends, if one is on.
    pub fn next_pause_end(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.destinations.values().filter_map(|known| known.paused_until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests;
