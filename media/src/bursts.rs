//! How what is missing in a stream is spread: in bursts or one by one (RFC 3611 section 4.7.2), and how many seconds
//! of the call it touches.

/// Spans of one kind, in units of the stream's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spans {
    count: u64,
    units: u64,
    missing: u64,
}

impl Spans {
    const fn add(&mut self, units: u64, missing: u64) {
        self.count += 1;
        self.units += units;
        self.missing += missing;
    }

    /// How much is missing, in parts of 256.
    fn density(self) -> u8 {
        let density = (self.missing * 256).checked_div(self.units).unwrap_or(0);
        u8::try_from(density).unwrap_or(u8::MAX)
    }

    fn mean_units(self) -> u64 {
        self.units.checked_div(self.count).unwrap_or(0)
    }
}

/// Counts what is heard and what is missing in the order in which it is played.
///
/// RFC 3611 counts packets. What is counted here is sound, in packets of 20 ms, so that a lost packet of 60 ms
/// weighs as three.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bursts {
    /// Units in 20 ms.
    packet: u64,
    bursts: Spans,
    gaps: Spans,
    /// Heard since something was missing.
    heard: u64,
    /// The span from the first of losses close to each other to the last, and how much was missing in it.
    run: Option<(u64, u64)>,
    seconds: Seconds,
}

/// What is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BurstSummary {
    /// Missing within bursts, in parts of 256.
    pub(crate) burst_density: u8,
    /// Missing between bursts.
    pub(crate) gap_density: u8,
    /// Mean length of a burst, in milliseconds.
    pub(crate) burst_ms: u16,
    /// Mean length of what lies between.
    pub(crate) gap_ms: u16,
    /// Seconds in which something was made up.
    pub(crate) concealed_seconds: u32,
    /// Seconds in which more than 50 ms were (RFC 7294 section 3.2).
    pub(crate) severely_concealed_seconds: u32,
}

impl Bursts {
    /// Packets of 20 ms heard in a row that end a burst: the value RFC 3611 recommends.
    pub(crate) const GMIN: u8 = 16;

    pub(crate) fn new(clock_hz: u32) -> Self {
        Self { packet: u64::from(clock_hz / 50), ..Self::default() }
    }

    /// So much was there.
    pub(crate) fn heard(&mut self, units: u32) {
        self.heard += u64::from(units);
    }

    /// So much was lost or late.
    pub(crate) fn missing(&mut self, units: u32) {
        let units = u64::from(units);
        self.seconds.missing += units;
        self.run = Some(match self.run {
            Some((span, missing)) if self.heard < self.packet * u64::from(Self::GMIN) => {
                (span + self.heard + units, missing + units)
            }
            run => {
                self.close(run);
                (units, units)
            }
        });
        self.heard = 0;
    }

    /// 20 ms are over.
    pub(crate) const fn tick(&mut self) {
        self.seconds.tick(self.packet);
    }

    /// A run of losses is over, and the gap behind it too. What is missing alone belongs to the gap.
    fn close(&mut self, run: Option<(u64, u64)>) {
        match run {
            Some((span, missing)) if span > self.packet => {
                self.bursts.add(span, missing);
                self.gaps.add(self.heard, 0);
            }
            Some((span, missing)) => {
                self.gaps.count = self.gaps.count.max(1);
                self.gaps.units += span + self.heard;
                self.gaps.missing += missing;
            }
            None => self.gaps.add(self.heard, 0),
        }
    }

    /// All of it so far; what is not over yet counts as it stands.
    pub(crate) fn summary(&self) -> BurstSummary {
        let mut closed = *self;
        closed.close(closed.run);
        let ms = |units: u64| u16::try_from(units * 20 / self.packet.max(1)).unwrap_or(u16::MAX);
        BurstSummary {
            burst_density: closed.bursts.density(),
            gap_density: closed.gaps.density(),
            burst_ms: ms(closed.bursts.mean_units()),
            gap_ms: ms(closed.gaps.mean_units()),
            concealed_seconds: self.seconds.concealed,
            severely_concealed_seconds: self.seconds.severely,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Seconds {
    ticks: u8,
    /// Made up in this second so far.
    missing: u64,
    concealed: u32,
    severely: u32,
}

impl Seconds {
    const TICKS: u8 = 50;

    const fn tick(&mut self, packet: u64) {
        self.ticks += 1;
        if self.ticks < Self::TICKS {
            return;
        }
        self.concealed += (self.missing > 0) as u32;
        self.severely += (self.missing * 20 > packet * 50) as u32;
        (self.ticks, self.missing) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream as text: `.` is heard, `x` is missing, 20 ms each.
    fn summary(stream: &str) -> BurstSummary {
        let mut bursts = Bursts::new(8_000);
        for packet in stream.chars() {
            if packet == 'x' {
                bursts.missing(160);
            } else {
                bursts.heard(160);
            }
            bursts.tick();
        }
        bursts.summary()
    }

    #[test]
    fn d45_losses_close_to_each_other_are_a_burst_and_single_ones_are_not() {
        let clean = ".".repeat(100);
        assert_eq!(summary(&clean), BurstSummary { gap_ms: 2_000, ..BurstSummary::default() });

        let single = summary(&format!("{clean}x{clean}"));
        assert_eq!((single.burst_ms, single.burst_density), (0, 0), "{single:?}");
        assert_eq!((single.gap_ms, single.gap_density), (4_020, 1), "one gap, 1 of 201");

        let burst = summary(&format!("{clean}xx..x{clean}"));
        assert_eq!((burst.burst_ms, burst.burst_density), (100, 153), "3 of 5: {burst:?}");
        assert_eq!((burst.gap_ms, burst.gap_density), (2_000, 0));

        // 15 in a row do not end it, 16 do.
        let near = format!("{clean}xx{}x{clean}", ".".repeat(15));
        assert_eq!(summary(&near).burst_ms, 18 * 20);
        let far = format!("{clean}xx{}xx{clean}", ".".repeat(16));
        assert_eq!(summary(&far).burst_ms, 40);
    }

    #[test]
    fn seconds_are_counted_once_however_much_is_missing() {
        let (clean, touched) = (".".repeat(50), format!("{}xx", ".".repeat(48)));
        let severe = format!("{}xxx", ".".repeat(47));
        let counted = summary(&format!("{clean}{touched}{clean}{severe}{clean}"));
        assert_eq!((counted.concealed_seconds, counted.severely_concealed_seconds), (2, 1));
    }
}
