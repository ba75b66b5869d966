//! How late packets come: the arrival statistics behind the buffer's target delay.

use std::time::{Duration, Instant};

/// Learns from arrivals how much delay a stream needs.
///
/// A packet's *lateness* is its transit time above the shortest one seen lately. Lateness is counted in two
/// windows of [`Self::WINDOW`] each, so one to two windows are remembered; the target is what all but one packet
/// in [`Self::LATE_ALLOWED`] stayed below. A packet later than that raises the target at once, and what happened
/// more than two windows ago no longer counts.
#[derive(Debug)]
pub(super) struct DelayTracker {
    clock_hz: u32,
    /// When and with which timestamp the stream began, and the last timestamp.
    began: Option<Beginning>,
    last_transit: i64,
    current: Window,
    previous: Window,
    window_began: Option<Instant>,
    /// In milliseconds.
    target: u32,
}

#[derive(Debug, Clone, Copy)]
struct Beginning {
    at: Instant,
    last_timestamp: u32,
    /// Units of the clock from the first timestamp to the last one.
    media_time: i64,
}

/// The arrivals of one window.
#[derive(Debug, Clone, Copy)]
struct Window {
    counts: [u16; BINS],
    packets: u32,
    shortest_transit: i64,
}

/// Lateness up to this many milliseconds is counted exactly, beyond in steps of [`COARSE`].
const FINE: u32 = 64;
const COARSE: u32 = 8;
const BINS: usize = 96;

impl Window {
    const EMPTY: Self = Self { counts: [0; BINS], packets: 0, shortest_transit: i64::MAX };

    /// Counts everything as `ms` less late.
    fn shift(&mut self, ms: u32) {
        let old = std::mem::replace(&mut self.counts, [0; BINS]);
        for (at, &count) in old.iter().enumerate() {
            let to = bin(upper_edge(at).saturating_sub(1 + ms));
            if let Some(here) = self.counts.get_mut(to) {
                *here = here.saturating_add(count);
            }
        }
    }
}

impl DelayTracker {
    /// How long arrivals are counted together.
    const WINDOW: Duration = Duration::from_secs(3);
    /// One packet of so many may come too late.
    const LATE_ALLOWED: u32 = 50;
    /// The delay while too little is known, in milliseconds.
    const START_MS: u32 = 20;
    /// Packets that make enough known (half a second).
    const KNOWN_AFTER: u32 = 25;
    /// Transit times this much apart, in seconds, mean that the timestamps were restarted.
    const RESTART_SECONDS: i64 = 2;

    pub(super) const fn new(clock_hz: u32) -> Self {
        Self {
            clock_hz,
            began: None,
            last_transit: 0,
            current: Window::EMPTY,
            previous: Window::EMPTY,
            window_began: None,
            target: Self::START_MS,
        }
    }

    /// A stream of another source begins; what is known of the network stays.
    pub(super) const fn restart(&mut self) {
        self.began = None;
        self.current.shortest_transit = i64::MAX;
        self.previous.shortest_transit = i64::MAX;
    }

    /// Notes an arrival and returns when the packet would have come without any lateness, in units since the
    /// stream began.
    pub(super) fn note(&mut self, now: Instant, timestamp: u32) -> i64 {
        let began = self.began.get_or_insert(Beginning { at: now, last_timestamp: timestamp, media_time: 0 });
        began.media_time += i64::from(timestamp.wrapping_sub(began.last_timestamp).cast_signed());
        began.last_timestamp = timestamp;
        let media_time = began.media_time;
        let arrival = self.elapsed(now);
        let transit = arrival - media_time;
        self.roll(now, transit);
        self.last_transit = transit;
        self.current.shortest_transit = self.current.shortest_transit.min(transit);
        let lateness = transit - self.shortest_transit();
        self.count(lateness);
        arrival - lateness
    }

    /// Units of the clock since the stream began.
    pub(super) fn elapsed(&self, now: Instant) -> i64 {
        let since = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began.at));
        let units = since.as_micros() * u128::from(self.clock_hz) / 1_000_000;
        i64::try_from(units).unwrap_or(i64::MAX)
    }

    /// The delay the stream needs, in units of the clock.
    pub(super) fn target(&self) -> u32 {
        self.target * (self.clock_hz / 1_000)
    }

    fn shortest_transit(&self) -> i64 {
        self.current.shortest_transit.min(self.previous.shortest_transit)
    }

    /// Begins a new window when it is time, and forgets transit times that cannot be compared with this one.
    fn roll(&mut self, now: Instant, transit: i64) {
        let began = *self.window_began.get_or_insert(now);
        if now.saturating_duration_since(began) >= Self::WINDOW {
            let before = self.shortest_transit();
            self.previous = std::mem::replace(&mut self.current, Window::EMPTY);
            self.window_began = Some(now);
            self.forget_older(before);
        }
        let is_known = self.shortest_transit() != i64::MAX;
        let jump = (transit - self.last_transit).abs();
        if is_known && jump > Self::RESTART_SECONDS * i64::from(self.clock_hz) {
            self.current.shortest_transit = i64::MAX;
            self.previous.shortest_transit = i64::MAX;
        }
    }

    /// When the shortest transit time rises, because the way became longer, nothing was as late as it seemed.
    fn forget_older(&mut self, before: i64) {
        let now = self.shortest_transit();
        if before == i64::MAX || now == i64::MAX || now <= before {
            return;
        }
        let rise = self.milliseconds(now - before);
        if rise > 0 {
            self.previous.shift(rise);
        }
        self.target = self.needed();
    }

    fn milliseconds(&self, units: i64) -> u32 {
        u32::try_from(units * 1_000 / i64::from(self.clock_hz.max(1))).unwrap_or(u32::MAX)
    }

    fn count(&mut self, lateness: i64) {
        let ms = self.milliseconds(lateness);
        let bin = bin(ms);
        if let Some(count) = self.current.counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.current.packets += 1;
        // A late packet counts at once; coming down can wait.
        if upper_edge(bin) > self.target || self.current.packets.is_multiple_of(Self::KNOWN_AFTER) {
            self.target = self.needed();
        }
    }

    /// What all but the allowed share of packets stayed below, in milliseconds.
    fn needed(&self) -> u32 {
        let packets = self.current.packets + self.previous.packets;
        let mut allowed = packets / Self::LATE_ALLOWED;
        let both = self.current.counts.iter().zip(&self.previous.counts).enumerate().rev();
        let mut needed = 1;
        for (bin, (&now, &before)) in both {
            let here = u32::from(now) + u32::from(before);
            if here > allowed {
                needed = upper_edge(bin);
                break;
            }
            allowed -= here;
        }
        if packets < Self::KNOWN_AFTER { needed.max(Self::START_MS) } else { needed }
    }
}

fn bin(ms: u32) -> usize {
    let bin = if ms < FINE { ms } else { FINE + (ms - FINE) / COARSE };
    usize::try_from(bin).unwrap_or(BINS).min(BINS - 1)
}

/// The lateness every packet of a bin stayed below, in milliseconds.
fn upper_edge(bin: usize) -> u32 {
    let bin = u32::try_from(bin).unwrap_or(0);
    if bin < FINE { bin + 1 } else { FINE + (bin - FINE + 1) * COARSE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The target in milliseconds after packets of 20 ms with these latenesses in milliseconds.
    fn target(tracker: &mut DelayTracker, start: Instant, first: u32, lateness: &[u64]) -> u32 {
        for (n, &late) in (first..).zip(lateness) {
            let at = start + Duration::from_millis(u64::from(n) * 20 + late);
            tracker.note(at, n * 160);
        }
        tracker.target() / 8
    }

    #[test]
    fn d45_the_target_follows_the_arrivals() {
        let (mut tracker, start) = (DelayTracker::new(8_000), Instant::now());
        assert_eq!(target(&mut tracker, start, 0, &[0; 10]), 20, "too little is known");
        assert_eq!(target(&mut tracker, start, 10, &[0; 40]), 1, "a clean network");
        assert_eq!(target(&mut tracker, start, 50, &[35]), 1, "one late packet of fifty");
        assert_eq!(target(&mut tracker, start, 51, &[35; 4]), 36, "up at once");
        assert_eq!(target(&mut tracker, start, 55, &[0; 100]), 36, "not down at once");
        assert_eq!(target(&mut tracker, start, 155, &[0; 300]), 1, "down within 10 s");
        assert_eq!(target(&mut tracker, start, 455, &[500; 30]), 320, "bounded");
    }

    #[test]
    fn d45_drift_and_restarts_of_the_timestamps_are_no_lateness() {
        let (mut tracker, start) = (DelayTracker::new(48_000), Instant::now());
        for n in 0..3_000_u32 {
            // 100 ppm slow, and every ten seconds the timestamps jump.
            let at = start + Duration::from_micros(u64::from(n) * 20_002);
            tracker.note(at, n * 960 + (n / 500) * 10_000_000);
        }
        assert!(tracker.target() <= 2 * 48, "{}", tracker.target());
    }

    #[test]
    fn every_lateness_lies_below_the_edge_of_its_bin() {
        for ms in 0..310 {
            assert!(upper_edge(bin(ms)) > ms && upper_edge(bin(ms)) <= ms + COARSE, "{ms}");
        }
    }
}
