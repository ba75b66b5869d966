//! The pitch period of a voice, found where the signal is most like itself a little earlier.

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// The shortest period, in samples.
    pub shortest: usize,
    /// The longest period, in samples.
    pub longest: usize,
    /// How many samples are compared.
    pub window: usize,
    /// Only every so many samples and periods are looked at, at first.
    pub step: usize,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pitch {
    /// The period in samples.
    pub lag: usize,
    /// How alike the signal is one period apart: 1 is the same, 0 is nothing in common. 0 for silence.
    pub likeness: f32,
}

/// Compares the last [`Search::window`] samples with those before them.
///
/// Needs `window + longest` samples; with fewer it finds the shortest period and no likeness.
#[must_use]
pub fn best_lag(samples: &[i16], search: Search) -> Pitch {
    let step = search.step.max(1);
    let coarse = (search.shortest..=search.longest).step_by(step);
    let found = best_of(samples, search, coarse, step);
    let near =
        found.lag.saturating_sub(step - 1).max(search.shortest)..=(found.lag + step - 1).min(search.longest);
    if step == 1 { found } else { best_of(samples, search, near, 1) }
}

fn best_of(samples: &[i16], search: Search, lags: impl Iterator<Item = usize>, step: usize) -> Pitch {
    let mut best = Pitch { lag: search.shortest, likeness: 0.0 };
    for lag in lags {
        let likeness = likeness(samples, search.window, lag, step);
        if likeness > best.likeness {
            best = Pitch { lag, likeness };
        }
    }
    best
}

/// The normalised cross-correlation of the last `window` samples with those `lag` earlier.
fn likeness(samples: &[i16], window: usize, lag: usize, step: usize) -> f32 {
    let end = samples.len();
    let (Some(now_at), Some(then_at)) = (end.checked_sub(window), end.checked_sub(window + lag)) else {
        return 0.0;
    };
    let now = samples.get(now_at..).unwrap_or_default();
    let then = samples.get(then_at..).unwrap_or_default();
    let (mut product, mut now_energy, mut then_energy) = (0.0_f32, 1.0_f32, 1.0_f32);
    for (&a, &b) in now.iter().zip(then).step_by(step) {
        let (a, b) = (f32::from(a), f32::from(b));
        product += a * b;
        now_energy += a * a;
        then_energy += b * b;
    }
    product / (now_energy * then_energy).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Oscillator;

    #[test]
    fn the_period_of_a_voice_is_found() {
        let search = Search { shortest: 40, longest: 120, window: 160, step: 2 };
        for period in [43, 60, 81, 117] {
            let pulses: Vec<i16> = (0..400).map(|n| if n % period < 5 { 8_000 } else { 100 }).collect();
            let pitch = best_lag(&pulses, search);
            assert!(pitch.lag.is_multiple_of(period) && pitch.likeness > 0.9, "{period}: {pitch:?}");
        }
    }

    #[test]
    fn silence_and_too_few_samples_have_no_pitch() {
        let search = Search { shortest: 40, longest: 120, window: 160, step: 2 };
        assert_eq!(best_lag(&[0; 400], search), Pitch { lag: 40, likeness: 0.0 });
        let mut tone = Oscillator::new(100, 8_000);
        let few: Vec<i16> = (0..100).map(|_| tone.next_sample()).collect();
        assert_eq!(best_lag(&few, search).likeness, 0.0);
    }
}
