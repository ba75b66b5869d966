//! How busy a media thread is, for whoever asks whether it takes another leg.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Written by the media thread about once a second, read by everybody. Plain numbers without locks: a reader may
/// see one a moment before the other, and nobody ever waits.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    rooms: AtomicU32,
    legs: AtomicU32,
    busy_permille: AtomicU32,
    late_p50_micros: AtomicU32,
    late_p99_micros: AtomicU32,
    late_worst_micros: AtomicU32,
    late_ticks: AtomicU64,
    ticks: AtomicU64,
    /// Phones whose ports were handed over and not taken back: ahead of `legs`, which is a second old.
    ports: AtomicU32,
}

/// A media thread's load in its last second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadLoad {
    /// Rooms it mixes.
    pub rooms: u32,
    /// Legs in them.
    pub legs: u32,
    /// Share of the time it worked, in thousandths.
    pub busy_permille: u32,
    /// How late half of the ticks began at most.
    pub late_p50: Duration,
    /// How late all but one in a hundred ticks began at most.
    pub late_p99: Duration,
    /// How late the worst tick began.
    pub late_worst: Duration,
    /// Ticks that began more than 2 ms late since the start.
    pub late_ticks: u64,
    /// Ticks since the start.
    pub ticks: u64,
}

impl Gauges {
    /// What a leg is taken to cost before anything is measured, in millionths of the thread's time.
    const LEG_PPM: u64 = 300;
    /// So late a 99th percentile means trouble, if the thread has much to do itself. In an idle thread it is the
    /// machine that does something else.
    const TOO_LATE: Duration = Duration::from_millis(2);

    /// A phone's port was handed over.
    pub(super) fn opened(&self) {
        self.ports.fetch_add(1, Ordering::Relaxed);
    }

    /// A phone's port was taken back.
    pub(super) fn closed(&self) {
        let less = |ports: u32| Some(ports.saturating_sub(1));
        // The closure always gives a value, so this cannot fail.
        let _ = self.ports.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether one more leg leaves every tick in time: what is measured, and what the legs of the last second will
    /// cost, stays below `limit_percent` of the thread's time.
    pub(super) fn accepts(&self, limit_percent: u8) -> bool {
        let load = self.read();
        let busy = u64::from(load.busy_permille) * 1_000;
        let limit = u64::from(limit_percent) * 10_000;
        let legs = u64::from(load.legs);
        let per_leg = busy.checked_div(legs).unwrap_or(0).max(Self::LEG_PPM);
        let coming = u64::from(self.ports.load(Ordering::Relaxed)).saturating_sub(legs);
        let is_late = load.late_p99 > Self::TOO_LATE && busy > limit / 2;
        !is_late && busy + per_leg * (coming + 1) <= limit
    }

    /// The figures of the last second.
    pub(super) fn read(&self) -> ThreadLoad {
        let micros = |of: &AtomicU32| Duration::from_micros(u64::from(of.load(Ordering::Relaxed)));
        ThreadLoad {
            rooms: self.rooms.load(Ordering::Relaxed),
            legs: self.legs.load(Ordering::Relaxed),
            busy_permille: self.busy_permille.load(Ordering::Relaxed),
            late_p50: micros(&self.late_p50_micros),
            late_p99: micros(&self.late_p99_micros),
            late_worst: micros(&self.late_worst_micros),
            late_ticks: self.late_ticks.load(Ordering::Relaxed),
            ticks: self.ticks.load(Ordering::Relaxed),
        }
    }
}

/// The media thread's own book-keeping.
#[derive(Debug)]
pub(super) struct Timekeeper {
    began: Instant,
    worked: Duration,
    lateness: Lateness,
}

impl Timekeeper {
    /// How often the figures are brought up to date.
    const INTERVAL: Duration = Duration::from_secs(1);

    pub(super) const fn new(now: Instant) -> Self {
        Self { began: now, worked: Duration::ZERO, lateness: Lateness::new() }
    }

    /// A step with something to do began this late.
    pub(super) fn late(&mut self, by: Duration) {
        self.lateness.note(by);
    }

    /// The thread worked for so long; brings the figures up to date when it is time.
    pub(super) fn worked(
        &mut self,
        now: Instant,
        time: Duration,
        gauges: &Gauges,
        rooms: usize,
        legs: usize,
    ) {
        self.worked += time;
        let period = now.saturating_duration_since(self.began);
        if period < Self::INTERVAL {
            return;
        }
        let small = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let busy = self.worked.as_micros() * 1_000 / period.as_micros().max(1);
        gauges.rooms.store(count(rooms), Ordering::Relaxed);
        gauges.legs.store(count(legs), Ordering::Relaxed);
        gauges.busy_permille.store(small(busy), Ordering::Relaxed);
        gauges.late_p50_micros.store(small(self.lateness.quantile(500).as_micros()), Ordering::Relaxed);
        gauges.late_p99_micros.store(small(self.lateness.quantile(990).as_micros()), Ordering::Relaxed);
        gauges.late_worst_micros.store(small(self.lateness.worst.as_micros()), Ordering::Relaxed);
        gauges.late_ticks.fetch_add(u64::from(self.lateness.above_limit), Ordering::Relaxed);
        gauges.ticks.fetch_add(u64::from(self.lateness.ticks), Ordering::Relaxed);
        *self = Self::new(now);
    }
}

/// How late the ticks of one second were, in bins of 50 us.
#[derive(Debug)]
struct Lateness {
    bins: [u32; Self::BINS],
    ticks: u32,
    above_limit: u32,
    worst: Duration,
}

impl Lateness {
    const BINS: usize = 401;
    const BIN_MICROS: u64 = 50;
    /// A tick later than this counts as late.
    const LIMIT: Duration = Duration::from_millis(2);

    const fn new() -> Self {
        Self { bins: [0; Self::BINS], ticks: 0, above_limit: 0, worst: Duration::ZERO }
    }

    fn note(&mut self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let bin = usize::try_from(micros / Self::BIN_MICROS).unwrap_or(usize::MAX).min(Self::BINS - 1);
        if let Some(count) = self.bins.get_mut(bin) {
            *count += 1;
        }
        self.ticks += 1;
        self.above_limit += u32::from(by > Self::LIMIT);
        self.worst = self.worst.max(by);
    }

    /// The lateness that so many thousandths of the ticks stayed below.
    fn quantile(&self, permille: u32) -> Duration {
        let wanted = u64::from(self.ticks) * u64::from(permille);
        let mut seen = 0;
        for (bin, &count) in (1_u64..).zip(&self.bins) {
            seen += u64::from(count) * 1_000;
            if count > 0 && seen >= wanted {
                return Duration::from_micros(bin * Self::BIN_MICROS).min(self.worst);
            }
        }
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d44_legs_are_refused_before_ticks_can_be_late() {
        let gauges = Gauges::default();
        assert!(gauges.accepts(75));
        (0..2_499).for_each(|_| gauges.opened());
        assert!(gauges.accepts(75), "2,500 legs at 0.3 ms a second each");
        gauges.opened();
        assert!(!gauges.accepts(75), "what came within the second counts before it is measured");
        gauges.closed();
        assert!(gauges.accepts(75));
        gauges.legs.store(2_499, Ordering::Relaxed);
        gauges.busy_permille.store(400, Ordering::Relaxed);
        assert!(gauges.accepts(75), "they cost less than was thought");
        gauges.late_p99_micros.store(2_500, Ordering::Relaxed);
        assert!(!gauges.accepts(75), "and yet ticks are late");
        gauges.busy_permille.store(100, Ordering::Relaxed);
        assert!(gauges.accepts(75), "which is not this thread's doing");
    }

    #[test]
    fn d44_load_and_lateness_are_told_once_a_second() {
        let (gauges, start) = (Gauges::default(), Instant::now());
        let mut time = Timekeeper::new(start);
        let ms = Duration::from_millis;
        for n in 0..99 {
            time.late(Duration::from_micros(100));
            time.worked(start + ms(n * 10), ms(5), &gauges, 3, 9);
        }
        assert_eq!(gauges.read(), ThreadLoad::default(), "the second is not over");
        time.late(ms(3));
        time.worked(start + ms(1_000), ms(5), &gauges, 3, 9);
        let load = gauges.read();
        assert_eq!((load.rooms, load.legs, load.busy_permille), (3, 9, 500));
        assert_eq!((load.ticks, load.late_ticks, load.late_worst), (100, 1, ms(3)));
        assert_eq!(load.late_p99, Duration::from_micros(150));
    }
}
