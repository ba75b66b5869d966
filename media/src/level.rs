//! Audio levels in -dBov, as RFC 6464 and RFC 6465 write them: 0 is the loudest possible, 127 is silence.

/// The level of digital silence.
pub const SILENCE_DBOV: u8 = 127;

/// Measures one frame: the root mean square against the overload point, in -dBov from 0 to 127.
///
/// A full-scale square wave is 0, a full-scale sine is 3.
#[must_use]
pub fn measure(frame: &[i16]) -> u8 {
    // Wrapping additions of what cannot overflow: the compiler may then add several at once.
    let energy = frame.iter().fold(0_u64, |sum, &s| {
        let square = i32::from(s).wrapping_mul(i32::from(s));
        sum.wrapping_add(u64::from(square.unsigned_abs()))
    });
    if energy == 0 || frame.is_empty() {
        return SILENCE_DBOV;
    }
    decibels(energy, frame.len())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to 0..=127 first; the sum of one frame fits a double's mantissa"
)]
fn decibels(energy: u64, samples: usize) -> u8 {
    let mean = energy as f64 / samples as f64;
    let overload = 32_768.0_f64 * 32_768.0;
    (-10.0 * (mean / overload).log10()).round().clamp(0.0, 127.0) as u8
}

/// Decides tick by tick whether a voice is worth mixing, so that line noise costs no sum and no encode.
///
/// Opens at once at [`OPEN_DBOV`](Self::OPEN_DBOV) and closes after [`HANGOVER_TICKS`](Self::HANGOVER_TICKS)
/// below [`CLOSE_DBOV`](Self::CLOSE_DBOV). Both lie far below audible speech and just above the idle pattern
/// of PCMA (8 of 32768, 72 dB below overload).
#[derive(Debug, Clone, Default)]
pub struct Gate {
    remaining: u8,
}

impl Gate {
    /// A voice at this level or louder opens the gate.
    pub const OPEN_DBOV: u8 = 62;
    /// A voice at this level or louder keeps an open gate open.
    pub const CLOSE_DBOV: u8 = 66;
    /// Ticks an open gate stays open after the last loud enough frame (300 ms).
    pub const HANGOVER_TICKS: u8 = 15;

    /// Takes the level of this tick's frame and says whether the voice is active.
    pub const fn update(&mut self, dbov: u8) -> bool {
        let keeps = self.remaining > 0 && dbov <= Self::CLOSE_DBOV;
        if dbov <= Self::OPEN_DBOV || keeps {
            self.remaining = Self::HANGOVER_TICKS;
            return true;
        }
        let active = self.remaining > 0;
        self.remaining = self.remaining.saturating_sub(1);
        active
    }

    /// Closes the gate at once: the voice lost its right to speak or its stream ended.
    pub const fn close(&mut self) {
        self.remaining = 0;
    }
}

/// Collects levels and says when listeners should be told: at most five times a second, and only changes.
#[derive(Debug, Clone)]
pub struct Meter {
    loudest: u8,
    ticks: u8,
    reported: u8,
}

impl Default for Meter {
    fn default() -> Self {
        Self { loudest: SILENCE_DBOV, ticks: 0, reported: SILENCE_DBOV }
    }
}

impl Meter {
    /// Ticks between two reports (200 ms).
    pub const INTERVAL_TICKS: u8 = 10;
    /// Smallest change worth a report, in dB.
    pub const STEP_DB: u8 = 3;

    /// The voice lost its right to speak: what it said before is reported no more.
    pub const fn forget(&mut self) {
        self.loudest = SILENCE_DBOV;
    }

    /// Takes one tick's level; returns the level to report, the loudest of the interval, if one is due.
    pub fn update(&mut self, dbov: u8) -> Option<u8> {
        self.loudest = self.loudest.min(dbov);
        self.ticks += 1;
        if self.ticks < Self::INTERVAL_TICKS {
            return None;
        }
        let loudest = std::mem::replace(&mut self.loudest, SILENCE_DBOV);
        self.ticks = 0;
        let fell_silent = loudest == SILENCE_DBOV && self.reported != SILENCE_DBOV;
        if loudest.abs_diff(self.reported) < Self::STEP_DB && !fell_silent {
            return None;
        }
        self.reported = loudest;
        Some(loudest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_match_known_signals() {
        assert_eq!(measure(&[]), SILENCE_DBOV);
        assert_eq!(measure(&[0; 160]), SILENCE_DBOV);
        assert_eq!(measure(&[i16::MIN; 160]), 0);
        assert_eq!(measure(&[3277; 160]), 20);
        assert_eq!(measure(&[1; 160]), 90);
        let sine: Vec<i16> = (0..160)
            .map(|i| ((f64::from(i) * std::f64::consts::TAU / 8.0).sin() * 32_767.0) as i16)
            .collect();
        assert_eq!(measure(&sine), 3);
    }

    #[test]
    fn the_idle_pattern_of_pcma_never_opens_the_gate() {
        let mut gate = Gate::default();
        assert!(!gate.update(measure(&[8; 160])));
    }

    #[test]
    fn the_gate_opens_at_once_and_closes_after_the_hangover() {
        let mut gate = Gate::default();
        assert!(gate.update(30));
        for _ in 0..Gate::HANGOVER_TICKS {
            assert!(gate.update(SILENCE_DBOV));
        }
        assert!(!gate.update(SILENCE_DBOV));
        assert!(!gate.update(Gate::CLOSE_DBOV), "between the thresholds a closed gate stays closed");
        assert!(gate.update(Gate::OPEN_DBOV));
        gate.close();
        assert!(!gate.update(SILENCE_DBOV));
    }

    #[test]
    fn d49_levels_come_at_most_five_times_a_second_and_only_when_they_change() {
        let mut meter = Meter::default();
        let reports: Vec<u8> =
            (0..100).filter_map(|tick| meter.update(if tick < 50 { 20 } else { 127 })).collect();
        assert_eq!(reports, [20, 127]);
        let changing = (0..50_u8).filter_map(|tick| meter.update(10 + (tick / 10) * 10)).count();
        assert_eq!(changing, 5, "one second");
    }
}
