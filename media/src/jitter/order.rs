//! Sequence number arithmetic (RFC 3550 appendix A.1).

use super::Arrival;

/// Where a sequence number lies, seen from the next one to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// This many steps ahead; 0 is the next one itself.
    Ahead(u16),
    /// This many steps behind: reordered, or resent.
    Behind(u16),
    /// So far off that the sender must have begun anew.
    Elsewhere,
}

/// Steps ahead that a break in the network can explain.
const MAX_DROPOUT: u16 = 3_000;
/// Steps behind that reordering can explain.
const MAX_MISORDER: u16 = 100;

pub(super) const fn distance(next: u16, number: u16) -> Position {
    let ahead = number.wrapping_sub(next);
    let behind = next.wrapping_sub(number);
    if ahead < MAX_DROPOUT {
        Position::Ahead(ahead)
    } else if behind <= MAX_MISORDER {
        Position::Behind(behind)
    } else {
        Position::Elsewhere
    }
}

/// A packet that may be the first of a new stream, if its successor follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    ssrc: u32,
    sequence_number: u16,
}

impl Candidate {
    pub(super) const fn new(packet: &Arrival<'_>) -> Self {
        Self { ssrc: packet.ssrc, sequence_number: packet.sequence_number }
    }

    pub(super) const fn is_followed_by(&self, packet: &Arrival<'_>) -> bool {
        self.ssrc == packet.ssrc && packet.sequence_number == self.sequence_number.wrapping_add(1)
    }
}

/// Which of the last 64 sequence numbers were there already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    newest: Option<u16>,
    /// Bit n: the number n before the newest.
    bits: u64,
}

impl Seen {
    /// Notes a number; false if it was there already. Numbers too old to tell count as new.
    pub(super) fn insert(&mut self, number: u16) -> bool {
        let newest = *self.newest.get_or_insert(number);
        let back = newest.wrapping_sub(number);
        if back < 64 {
            let bit = 1 << back;
            let is_new = self.bits & bit == 0;
            self.bits |= bit;
            return is_new;
        }
        if back >= 0x8000 {
            let steps = u32::from(number.wrapping_sub(newest));
            self.bits = self.bits.checked_shl(steps).unwrap_or(0) | 1;
            self.newest = Some(number);
        }
        true
    }
}
