//! When in the 20 ms a room mixes: right after the voices that are heard have come.
//!
//! A voice comes in packets of 20 ms, and what comes just after a tick waits for the next one. So the tick is moved
//! to where the voices of the room wait least. Moving it earlier costs nobody anything until a voice has not come
//! yet by then: that voice has to wait one tick longer from then on, which is one tick made up.
//!
//! In small rooms the same is done for each listener apart (`apart`).

/// How long one voice waits beyond what its jitter asks for, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) ms: i64,
    /// Making it wait one tick longer would not be heard: it is silent, or has only just begun.
    pub(super) may_cross: bool,
}

/// What the tick is moved by.
#[derive(Debug, Default)]
pub(super) struct Aligner {
    ticks: u32,
}

impl Aligner {
    /// Ticks between two moves (1 s): each jitter buffer has watched a whole window since the last one.
    const INTERVAL: u32 = 50;
    /// What stays between a voice and the tick, in milliseconds: ticks come in steps of one, and a little late.
    const GUARD: i64 = 1;
    /// Length of a tick.
    pub(super) const TICK: i64 = 20;
    /// A move that makes somebody wait longer must be worth this much to the average voice.
    const WORTH_CROSSING: i64 = 2;
    /// How much later the tick is moved at once: listeners must not run dry.
    const LATER: i64 = 2;

    /// Whether it is time to look.
    pub(super) const fn is_time(&mut self) -> bool {
        self.ticks += 1;
        if self.ticks < Self::INTERVAL {
            return false;
        }
        self.ticks = 0;
        true
    }

    /// By how many milliseconds the next tick should come earlier; negative: later.
    pub(super) fn earlier(voices: &[Waiting]) -> i64 {
        Self::earlier_by(voices, Self::GUARD)
    }

    /// [`Self::earlier`] where nothing has to stay in between.
    pub(super) fn earlier_without_guard(voices: &[Waiting]) -> i64 {
        Self::earlier_by(voices, 0)
    }

    fn earlier_by(voices: &[Waiting], guard: i64) -> i64 {
        if voices.is_empty() {
            return 0;
        }
        let least = voices.iter().map(|voice| voice.ms).min().unwrap_or(0);
        // As far as everybody has come already; never so late that listeners run dry.
        let free = (least - guard).clamp(-Self::LATER, Self::TICK - 1);
        let crossing = (free.max(0) + 1..Self::TICK)
            .filter(|&earlier| voices.iter().all(|voice| voice.may_cross || voice.ms - earlier >= guard));
        let best = crossing.min_by_key(|&earlier| Self::cost(voices, earlier, guard));
        let count = i64::try_from(voices.len()).unwrap_or(i64::MAX);
        let total = |earlier| voices.iter().map(|&voice| Self::wait(voice, earlier, guard)).sum::<i64>();
        best.filter(|&best| total(free) - total(best) >= Self::WORTH_CROSSING * count).unwrap_or(free)
    }

    const fn wait(voice: Waiting, earlier: i64, guard: i64) -> i64 {
        let wait = voice.ms - earlier;
        if wait >= guard { wait } else { wait + Self::TICK }
    }

    /// The longest waits count most.
    fn cost(voices: &[Waiting], earlier: i64, guard: i64) -> i64 {
        voices.iter().map(|&voice| Self::wait(voice, earlier, guard).pow(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voices(ms: &[i64], may_cross: bool) -> Vec<Waiting> {
        ms.iter().map(|&ms| Waiting { ms, may_cross }).collect()
    }

    #[test]
    fn d43_the_tick_comes_as_early_as_all_voices_allow() {
        assert_eq!(Aligner::earlier(&[]), 0);
        assert_eq!(Aligner::earlier(&voices(&[12], false)), 11);
        assert_eq!(Aligner::earlier(&voices(&[15, 9, 4], false)), 3);
        assert_eq!(Aligner::earlier(&voices(&[1, 9], false)), 0, "settled");
    }

    #[test]
    fn d43_a_voice_that_drifts_into_the_tick_moves_it() {
        assert_eq!(Aligner::earlier(&voices(&[0, 9], false)), -1);
        assert_eq!(Aligner::earlier(&voices(&[-9, 9], false)), -2, "slowly");
    }

    #[test]
    fn d43_a_silent_voice_waits_longer_where_that_helps_the_others() {
        // The first one is alone: if it waits a tick longer, both others wait 15 ms less.
        assert_eq!(Aligner::earlier(&voices(&[2, 17, 16], true)), 15);
        assert_eq!(Aligner::earlier(&voices(&[2, 17, 16], false)), 1);
        assert_eq!(Aligner::earlier(&voices(&[2, 4, 3], true)), 1, "nothing to be won");
    }
}
