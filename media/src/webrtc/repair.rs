//! Answers retransmission requests (NACK, RFC 4585 section 6.2.1) out of a short history, never more than a path
//! that is already congested can bear.
//!
//! Receivers on a full link ask for the same packets over and over; answering every request keeps the link full
//! (80,000 resends in 20 s were measured). So a packet is resent at most once per 100 ms, only while it can still
//! be of use, and all resends together stay below a fifth of what was sent.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

/// Time between two resends of one packet: about the longest round trip that still helps.
const RESEND_GAP: Duration = Duration::from_millis(100);
/// Older packets would miss their playout time anyway.
const MAX_AGE: Duration = Duration::from_millis(800);
/// Packets kept at most; at 800 ms this bounds the stream to 640 packets a second. A packet's place is its
/// sequence number modulo this, so that a request for any number costs one look.
const MAX_PACKETS: usize = 512;
/// Resends may use this part of the media rate: one byte earned per so many sent.
const BUDGET_DIVISOR: usize = 5;
/// Bytes that may be saved up for a burst of loss.
const MAX_BUDGET: usize = 64 * 1024;
/// Bytes a stream may resend before it has earned any.
const FIRST_BUDGET: usize = 16 * 1024;

/// One packet of a slot, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentPacket {
    pub sequence_number: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Bytes,
}

impl SentPacket {
    /// The payload of the retransmission: the original sequence number, then the payload (RFC 4588 section 4).
    pub(super) fn rtx_payload(&self) -> Bytes {
        let mut payload = BytesMut::with_capacity(2 + self.payload.len());
        payload.put_u16(self.sequence_number);
        payload.put_slice(&self.payload);
        payload.freeze()
    }
}

#[derive(Debug)]
struct Entry {
    packet: SentPacket,
    sent_at: Instant,
    resent_at: Option<Instant>,
}

/// What one slot sent lately.
#[derive(Debug)]
pub(super) struct SendHistory {
    /// Empty until something is sent, then [`MAX_PACKETS`] places.
    entries: Vec<Option<Entry>>,
    budget: usize,
}

impl SendHistory {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), budget: FIRST_BUDGET }
    }

    /// Notes a packet on its way out.
    pub(super) fn record(&mut self, now: Instant, packet: SentPacket) {
        self.budget = (self.budget + packet.payload.len() / BUDGET_DIVISOR).min(MAX_BUDGET);
        if self.entries.is_empty() {
            self.entries.resize_with(MAX_PACKETS, || None);
        }
        if let Some(place) = self.entries.get_mut(Self::place(packet.sequence_number)) {
            *place = Some(Entry { packet, sent_at: now, resent_at: None });
        }
    }

    /// The packet to resend for a request, if it is known, still useful, and affordable.
    pub(super) fn resend(&mut self, now: Instant, sequence_number: u16) -> Option<&SentPacket> {
        let entry = self.entries.get_mut(Self::place(sequence_number))?.as_mut()?;
        if entry.packet.sequence_number != sequence_number {
            return None;
        }
        let too_old = now.saturating_duration_since(entry.sent_at) > MAX_AGE;
        let too_soon = entry.resent_at.is_some_and(|at| now.saturating_duration_since(at) < RESEND_GAP);
        if too_old || too_soon {
            return None;
        }
        self.budget = self.budget.checked_sub(entry.packet.payload.len())?;
        entry.resent_at = Some(now);
        Some(&entry.packet)
    }

    fn place(sequence_number: u16) -> usize {
        usize::from(sequence_number) % MAX_PACKETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence_number: u16, len: usize) -> SentPacket {
        SentPacket { sequence_number, timestamp: 0, marker: false, payload: vec![0; len].into() }
    }

    fn now() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a test needs one base instant")]
        Instant::now()
    }

    #[test]
    fn a_lost_packet_is_resent_once_per_gap() {
        let (mut history, t) = (SendHistory::new(), now());
        history.record(t, packet(7, 1000));
        let at = |ms| t + Duration::from_millis(ms);
        assert!(history.resend(at(20), 7).is_some());
        assert!(history.resend(at(40), 7).is_none());
        assert!(history.resend(at(120), 7).is_some());
        assert!(history.resend(at(20), 8).is_none(), "never sent");
        assert!(history.resend(at(801), 7).is_none(), "too old");
    }

    #[test]
    fn resends_stay_within_a_fifth_of_what_was_sent() {
        let (mut history, t) = (SendHistory::new(), now());
        let (mut sent, mut resent) = (0, 0);
        for index in 0..20_000u16 {
            let at = t + Duration::from_millis(u64::from(index) * 2);
            history.record(at, packet(index, 1000));
            sent += 1;
            for back in 0..20 {
                resent += usize::from(history.resend(at, index.wrapping_sub(back)).is_some());
            }
        }
        assert!(resent <= sent / BUDGET_DIVISOR + FIRST_BUDGET / 1000, "{resent} of {sent}");
    }

    #[test]
    fn the_history_is_bounded() {
        let (mut history, t) = (SendHistory::new(), now());
        for index in 0..5_000u16 {
            history.record(t, packet(index, 10));
        }
        assert_eq!(history.entries.len(), MAX_PACKETS);
        assert!(history.resend(t, 4_999).is_some());
        assert!(history.resend(t, 4_999 - 512).is_none(), "its place is taken by a newer packet");
    }

    #[test]
    fn the_retransmission_carries_the_original_sequence_number() {
        assert_eq!(&packet(0x0102, 2).rtx_payload()[..], [1, 2, 0, 0]);
    }
}
