//! When to send RTCP (RFC 3550 sections 6.2 and 6.3) in a session of two.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Bytes of IP and UDP around each packet, which count (RFC 3550 section 6.2).
const LOWER_HEADERS: usize = 28;

/// The timer of one session: a randomised interval, reconsidered when it is over.
#[derive(Debug)]
pub struct Timing {
    random: ChaCha8Rng,
    /// Bytes a second that RTCP of both sides may take.
    bandwidth: u32,
    /// Mean size of the compound packets of both sides, in sixteenths of a byte.
    mean_size: u32,
    /// When a report was sent last.
    previous: Option<Instant>,
    next: Option<Instant>,
    /// Nothing was sent yet.
    is_initial: bool,
    /// Us, and the peer unless he has said goodbye.
    members: u32,
}

impl Timing {
    /// Shortest mean interval between two reports; half of it before the first one.
    const MINIMUM: Duration = Duration::from_secs(5);
    /// Longest that is ever waited: a codec of very few bits must not make a session look dead.
    const MAXIMUM: Duration = Duration::from_secs(25);
    /// What the first report is expected to take, in bytes.
    const FIRST_SIZE: u32 = 128;

    /// A timer that draws from `random`.
    #[must_use]
    pub const fn new(random: ChaCha8Rng) -> Self {
        Self {
            random,
            bandwidth: 400,
            mean_size: Self::FIRST_SIZE * 16,
            previous: None,
            next: None,
            is_initial: true,
            members: 2,
        }
    }

    /// RTCP may take a twentieth of the session's bits a second.
    pub fn set_session_bandwidth(&mut self, bits_per_second: u32) {
        self.bandwidth = (bits_per_second / 8 / 20).max(1);
    }

    /// Counts a compound packet, whoever sent it.
    pub fn packet(&mut self, bytes: usize) {
        let size = u32::try_from(bytes + LOWER_HEADERS).unwrap_or(0).min(2_048);
        self.mean_size = size + self.mean_size * 15 / 16;
    }

    /// The peer has said goodbye: the time until the next report shrinks with the session (RFC 3550 section 6.3.4).
    pub fn peer_left(&mut self, now: Instant) {
        if self.members > 1 {
            self.members = 1;
            let halved = |at: Instant| now + at.saturating_duration_since(now) / 2;
            self.next = self.next.map(halved);
            self.previous = self.previous.map(|at| now - now.saturating_duration_since(at) / 2);
        }
    }

    /// The peer is there (again).
    pub const fn peer_is_there(&mut self) {
        self.members = 2;
    }

    /// Whether a report is due. When the interval is over another one is drawn: only if that would be over too, it
    /// is time (RFC 3550 section 6.3.6).
    pub fn is_due(&mut self, now: Instant) -> bool {
        let Some(next) = self.next else {
            self.previous = Some(now);
            self.next = Some(now + self.interval());
            return false;
        };
        if now < next {
            return false;
        }
        let reconsidered = self.previous.unwrap_or(now) + self.interval();
        if reconsidered > now {
            self.next = Some(reconsidered);
            return false;
        }
        self.previous = Some(now);
        self.is_initial = false;
        self.next = Some(now + self.interval());
        true
    }

    /// Half to one and a half times what the bandwidth or the minimum asks for, divided by e - 3/2, which makes up for
    /// reconsidering (RFC 3550 sections 6.3.1 and A.7).
    ///
    /// With two members there is always more than a quarter of them who send or none: they share all of it.
    fn interval(&mut self) -> Duration {
        let minimum = if self.is_initial { Self::MINIMUM / 2 } else { Self::MINIMUM };
        let micros = u64::from(self.mean_size) * u64::from(self.members) * 62_500 / u64::from(self.bandwidth);
        let mean = Duration::from_micros(micros).clamp(minimum, Self::MAXIMUM);
        let share = u64::from(self.random.next_u32() >> 12); // 20 bits
        let parts = (1 << 19) + share;
        let micros = u64::try_from(mean.as_micros()).unwrap_or(0);
        Duration::from_micros(((micros * parts) >> 20) * 100_000 / 121_828)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    fn timing(seed: u8) -> Timing {
        Timing::new(ChaCha8Rng::from_seed([seed; 32]))
    }

    /// Milliseconds at which reports of `size` bytes are due, looked at every 20 ms.
    fn due(timing: &mut Timing, start: Instant, ticks: std::ops::Range<u32>, size: usize) -> Vec<u32> {
        let mut times = Vec::new();
        for n in ticks {
            if timing.is_due(start + Duration::from_millis(20) * n) {
                times.push(n * 20);
                timing.packet(size);
                timing.packet(size);
            }
        }
        times
    }

    fn mean(times: &[u32]) -> u32 {
        (times[times.len() - 1] - times[0]) / u32::try_from(times.len() - 1).unwrap()
    }

    #[test]
    fn intervals_are_random_repeatable_and_five_seconds_in_the_mean() {
        let start = Instant::now();
        let times = due(&mut timing(1), start, 0..200_000, 120);
        assert_eq!(times, due(&mut timing(1), start, 0..200_000, 120));
        assert_ne!(times, due(&mut timing(2), start, 0..200_000, 120));
        assert!((1_020..=3_100).contains(&times[0]), "half of it before the first: {}", times[0]);
        let gaps: Vec<u32> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (2_040..=6_180).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().any(|&gap| gap < 3_500) && gaps.iter().any(|&gap| gap > 5_900));
        assert!((4_500..=5_300).contains(&mean(&times)), "{}", mean(&times));
    }

    #[test]
    fn a_session_of_few_bits_reports_less_often() {
        let start = Instant::now();
        let mut few = timing(1);
        few.set_session_bandwidth(6_000); // 37 bytes a second for two packets of 148
        let times = due(&mut few, start, 0..200_000, 120);
        assert!((7_000..=8_500).contains(&mean(&times)), "{}", mean(&times));
        few.set_session_bandwidth(1);
        let times = due(&mut few, start, 200_000..400_000, 1_000);
        assert!(mean(&times) <= 26_000, "bounded: {}", mean(&times));
    }

    #[test]
    fn a_goodbye_brings_the_next_report_nearer() {
        let start = Instant::now();
        let (mut stays, mut leaves) = (timing(3), timing(3));
        stays.is_due(start);
        leaves.is_due(start);
        let next = stays.next.unwrap() - start;
        leaves.peer_left(start);
        assert_eq!(leaves.next.unwrap() - start, next / 2);
        leaves.peer_left(start);
        assert_eq!(leaves.next.unwrap() - start, next / 2, "once");
    }
}
