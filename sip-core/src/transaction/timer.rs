//! The timers of RFC 3261 section 17 and RFC 6026, in one enum and one table.

use std::time::{Duration, Instant};

use crate::flow::Hop;

/// The three values all timers derive from (RFC 3261 section 17.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerValues {
    /// Estimate of the round-trip time.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for TimerValues {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl TimerValues {
    /// 64 x T1: when a transaction gives up (timers B, F, H) or forgets (D, J, L, M).
    pub fn transaction_timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// How long to wait for what may come again: not at all where nothing is repeated.
    pub(super) fn unless_reliable(hop: &Hop, wait: Duration) -> Duration {
        if hop.transport.is_reliable() { Duration::ZERO } else { wait }
    }
}

/// Every timer of the four transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// INVITE client, unreliable transport: retransmit the request; T1, then doubling.
    A,
    /// INVITE client: no answer at all; 64 x T1.
    B,
    /// INVITE client: wait for retransmissions of the final response; at least 32 s, reliable transport 0.
    D,
    /// Non-INVITE client, unreliable transport: retransmit the request; T1, doubling up to T2.
    E,
    /// Non-INVITE client: no final answer; 64 x T1.
    F,
    /// INVITE server, unreliable transport: retransmit the final response; T1, doubling up to T2.
    G,
    /// INVITE server: no ACK; 64 x T1.
    H,
    /// INVITE server: absorb retransmitted ACKs; T4, reliable transport 0.
    I,
    /// Non-INVITE server: absorb retransmitted requests; 64 x T1, reliable transport 0.
    J,
    /// Non-INVITE client: absorb retransmitted responses; T4, reliable transport 0.
    K,
    /// INVITE server, RFC 6026: absorb retransmitted INVITEs after a 2xx; 64 x T1.
    L,
    /// INVITE client, RFC 6026: take further 2xx; 64 x T1.
    M,
}

/// The timers one transaction has running; never more than two or three.
#[derive(Debug, Default)]
pub(super) struct Timers(Vec<(Timer, Instant)>);

impl Timers {
    /// Starts a timer, or starts it anew.
    pub(super) fn start(&mut self, timer: Timer, at: Instant) {
        self.stop(timer);
        self.0.push((timer, at));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0.retain(|(other, _)| *other != timer);
    }

    pub(super) fn stop_all(&mut self) {
        self.0 = Vec::new();
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(_, at)| *at).min()
    }

    /// Takes the earliest timer that has come; ties go in alphabetical order of the timers, so that a
    /// retransmission timer fires before the one that ends it all.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (timer, _) =
            self.0.iter().copied().filter(|(_, at)| *at <= now).min_by_key(|(timer, at)| (*at, *timer))?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_once_and_in_order() {
        let base = Instant::now();
        let after = |millis| base + Duration::from_millis(millis);
        let mut timers = Timers::default();
        timers.start(Timer::B, after(10));
        timers.start(Timer::A, after(10));
        timers.start(Timer::D, after(5));
        timers.start(Timer::D, after(20));
        assert_eq!(timers.next(), Some(after(10)));
        assert_eq!(timers.take_due(after(9)), None);
        assert_eq!(timers.take_due(after(10)), Some(Timer::A));
        assert_eq!(timers.take_due(after(10)), Some(Timer::B));
        assert_eq!(timers.take_due(after(10)), None);
        timers.stop_all();
        assert_eq!(timers.next(), None);
    }
}
