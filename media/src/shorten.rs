//! Makes a signal shorter without being heard: in silence by leaving out a piece, in speech by leaving out whole
//! pitch periods.

use crate::level;
use crate::pitch::{self, Search};
use crate::sample::limit;

/// A signal softer than this, in -dBov, may be cut anywhere.
const QUIET_DBOV: u8 = 50;
/// How alike two periods must be to be laid over each other.
const LIKENESS: f32 = 0.8;

/// Leaves out up to `wanted` samples near the beginning of `samples` by a cross-fade, and returns how many. What
/// remains is moved to the front. With `insist` also a signal without pitch is shortened.
///
/// Returns 0 when there is no good place; then nothing has changed. `samples` must hold twice `wanted`.
pub fn shorten(samples: &mut [i16], wanted: usize, hz: u32, insist: bool) -> usize {
    let Some(place) = samples.get(..wanted * 2).filter(|_| wanted > 0) else { return 0 };
    let removed = if level::measure(place) >= QUIET_DBOV {
        wanted
    } else {
        match period(place, wanted, hz) {
            Some((lag, likeness)) if likeness >= LIKENESS || insist => lag,
            Some(_) | None if insist => wanted,
            Some(_) | None => return 0,
        }
    };
    lay_over(samples, removed);
    removed
}

/// The longest good period of at most `longest` samples, if that is long enough to look for one.
fn period(samples: &[i16], longest: usize, hz: u32) -> Option<(usize, f32)> {
    // 2.5 ms is the shortest period, 15 ms the longest.
    let shortest = usize::try_from(hz / 400).ok()?;
    let longest = longest.min(shortest * 6);
    if longest < shortest {
        return None;
    }
    let window = samples.len().checked_sub(longest)?.min(longest);
    let step = usize::try_from(hz / 8_000).ok()? * 2;
    let near = samples.get(..window + longest)?;
    let found = pitch::best_lag(near, Search { shortest, longest, window, step });
    Some((found.lag, found.likeness))
}

/// Cross-fades the beginning into what comes `count` samples later, and moves the rest forward.
fn lay_over(samples: &mut [i16], count: usize) {
    let length = i32::try_from(count.max(1)).unwrap_or(i32::MAX);
    for n in 0..count {
        let (Some(&now), Some(&later)) = (samples.get(n), samples.get(n + count)) else { return };
        let at = i32::try_from(n).unwrap_or(i32::MAX);
        if let Some(sample) = samples.get_mut(n) {
            *sample = limit((i32::from(now) * (length - at) + i32::from(later) * at) / length);
        }
    }
    if let Some(rest) = (count * 2 <= samples.len()).then_some(count * 2..) {
        samples.copy_within(rest, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Oscillator, level_at};

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap()
    }

    #[test]
    fn d45_a_voice_loses_whole_periods_and_keeps_its_pitch_and_level() {
        for (hz, rate) in [(200, 8_000), (440, 8_000), (1_000, 8_000), (300, 48_000)] {
            let mut tone = Oscillator::new(hz, rate);
            let tick = rate as usize / 50;
            let mut samples: Vec<i16> = (0..4 * tick).map(|_| tone.next_sample()).collect();
            let before = steepest(&samples);
            let removed = shorten(&mut samples, tick, rate, false);
            assert!(removed > 0 && removed <= tick, "{hz} Hz: {removed}");
            let rest = &samples[..4 * tick - removed];
            assert!(steepest(rest) <= before * 11 / 10 + 8, "{hz} Hz: no click");
            assert!((level_at(&rest[..2 * tick], hz, rate) + 9.0).abs() < 1.0, "{hz} Hz");
        }
    }

    #[test]
    fn d45_quiet_goes_at_once_and_noise_waits_until_it_must_go() {
        let mut quiet = [20_i16; 480];
        assert_eq!(shorten(&mut quiet, 160, 8_000, false), 160);
        let mut state = 1_u32;
        let mut noise = [0_i16; 480];
        for sample in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 18) as i16;
        }
        let before = noise;
        assert_eq!(shorten(&mut noise, 160, 8_000, false), 0);
        assert_eq!(noise, before);
        assert!(shorten(&mut noise, 160, 8_000, true) > 0);
        assert_eq!(shorten(&mut noise[..200], 160, 8_000, true), 0, "too little is there");
    }
}
