//! RTP sequence numbers and timestamps: arithmetic that wraps, and a window that finds duplicates.

use std::time::Duration;

/// Whether `a` comes after `b` (RFC 3550 appendix A.1: the shorter way round decides).
#[must_use]
pub(super) fn is_after(a: u16, b: u16) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000
}

/// How many ticks of an RTP clock pass in `elapsed`, modulo 2^32.
#[must_use]
pub(super) fn ticks(elapsed: Duration, clock_rate: u32) -> u32 {
    let ticks = elapsed.as_micros() * u128::from(clock_rate) / 1_000_000;
    u32::try_from(ticks % (1 << 32)).unwrap_or(0)
}

/// Packets behind the newest one that are still told apart; older ones count as duplicates.
const WINDOW: u16 = 1024;
const WORDS: usize = WINDOW as usize / 64;

/// Remembers which of the last 1024 sequence numbers of one stream have been seen.
///
/// Browsers resend old packets to probe for bandwidth, and a resent packet may cross its original.
#[derive(Debug, Clone, Default)]
pub(super) struct ReceiveWindow {
    newest: Option<u16>,
    seen: [u64; WORDS],
}

impl ReceiveWindow {
    /// Notes `sequence_number`; true when it is seen for the first time.
    pub(super) fn insert(&mut self, sequence_number: u16) -> bool {
        match self.newest {
            Some(newest) if is_after(sequence_number, newest) => self.advance(newest, sequence_number),
            Some(newest) if newest.wrapping_sub(sequence_number) >= WINDOW => return false,
            Some(_) => {}
            None => self.newest = Some(sequence_number),
        }
        let (word, bit) = Self::position(sequence_number);
        let Some(word) = self.seen.get_mut(word) else {
            return false;
        };
        let first = *word & bit == 0;
        *word |= bit;
        first
    }

    /// Moves the window up to `to` and clears what it uncovers.
    fn advance(&mut self, from: u16, to: u16) {
        self.newest = Some(to);
        if to.wrapping_sub(from) >= WINDOW {
            self.seen = [0; WORDS];
            return;
        }
        let mut next = from;
        while next != to {
            next = next.wrapping_add(1);
            let (word, bit) = Self::position(next);
            if let Some(word) = self.seen.get_mut(word) {
                *word &= !bit;
            }
        }
    }

    fn position(sequence_number: u16) -> (usize, u64) {
        let index = sequence_number % WINDOW;
        (usize::from(index / 64), 1 << (index % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn order_wraps() {
        assert!(is_after(0, 65_535));
        assert!(!is_after(65_535, 0));
        assert!(!is_after(5, 5));
    }

    #[test]
    fn ticks_follow_the_clock() {
        assert_eq!(ticks(Duration::from_millis(20), 48_000), 960);
        assert_eq!(ticks(Duration::from_millis(500), 90_000), 45_000);
        assert_eq!(ticks(Duration::from_secs(100_000), 90_000), 410_065_408);
    }

    #[test]
    fn duplicates_are_found_across_the_wrap() {
        let mut window = ReceiveWindow::default();
        for sequence_number in [65_534, 65_535, 1, 0] {
            assert!(window.insert(sequence_number));
            assert!(!window.insert(sequence_number));
        }
        assert!(!window.insert(65_534));
    }

    #[test]
    fn a_large_jump_starts_afresh_and_stale_packets_are_refused() {
        let mut window = ReceiveWindow::default();
        assert!(window.insert(10));
        assert!(window.insert(5_000));
        assert!(!window.insert(10));
        assert!(window.insert(4_999));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(steps in proptest::collection::vec(-200i32..200, 1..400)) {
            let mut window = ReceiveWindow::default();
            let mut seen = BTreeSet::new();
            let mut newest = 70_000i32;
            window.insert(u16::try_from(newest % 65_536).unwrap());
            seen.insert(newest);
            for step in steps {
                let extended = newest + step;
                let fresh = seen.insert(extended);
                let sequence_number = u16::try_from(extended.rem_euclid(65_536)).unwrap();
                prop_assert_eq!(window.insert(sequence_number), fresh);
                newest = newest.max(extended);
            }
        }
    }
}
