//! What waits for the driver: events, and packets of SIP legs. Both are bounded and allocate nothing on the way.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::codec::opus;
use crate::rtp::HEADER;
#[cfg(test)]
use crate::rtp::RtpPacket;
use crate::srtp;

use super::types::{Event, LegId, Port, Transmit};

/// Events in order. When full, reports of levels and statistics make room, then new events are lost.
#[derive(Debug)]
pub(super) struct EventQueue {
    events: VecDeque<Event>,
    limit: usize,
    dropped: u64,
}

impl EventQueue {
    pub(super) fn new(limit: usize) -> Self {
        Self { events: VecDeque::with_capacity(limit), limit, dropped: 0 }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() >= self.limit {
            self.dropped += 1;
            let expendable = self.events.iter().position(|waiting| waiting.is_expendable());
            match expendable {
                Some(at) if !event.is_expendable() => drop(self.events.remove(at)),
                _ => return,
            }
        }
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Largest datagram of a SIP leg: header, the longest Opus packet, authentication tag.
const DATAGRAM: usize = HEADER + opus::MAX_PACKET + srtp::MAX_GROWTH;

/// Packets of SIP legs in order. Grows when legs are added, never in a tick; when full, new packets are lost.
#[derive(Debug, Default)]
pub(super) struct TransmitRing {
    slots: Vec<Slot>,
    head: usize,
    length: usize,
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    from: Port,
    destination: SocketAddr,
    length: usize,
    datagram: [u8; DATAGRAM],
}

impl Slot {
    const EMPTY: Self = Self {
        from: Port::Sip(LegId(0)),
        destination: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        length: 0,
        datagram: [0; DATAGRAM],
    };
}

impl TransmitRing {
    /// Packets each leg may have waiting: a tick's, which may be two, and a report. A driver that catches up on
    /// missed ticks must therefore drain after each of them.
    const PER_LEG: usize = 3;

    /// Makes room for this many legs.
    pub(super) fn reserve(&mut self, legs: usize) {
        let wanted = legs * Self::PER_LEG;
        if wanted > self.slots.len() {
            self.slots.rotate_left(self.head);
            self.head = 0;
            self.slots.resize(wanted, Slot::EMPTY);
        }
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, leg: LegId, destination: SocketAddr, packet: &RtpPacket<'_>) {
        self.push_with(leg, destination, |datagram| packet.write(datagram));
    }

    /// Adds what `write` writes; its result is how many bytes that is, or `None` if there is nothing to send.
    pub(super) fn push_with(
        &mut self,
        leg: LegId,
        destination: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        self.push_from(Port::Sip(leg), destination, write);
    }

    /// [`Self::push_with`] from any port of a leg.
    pub(super) fn push_from(
        &mut self,
        from: Port,
        destination: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if self.length == 0 {
            self.head = 0; // the same memory again and again stays in the cache
        }
        let at = (self.head + self.length).checked_rem(self.slots.len()).unwrap_or(0);
        let full = self.length >= self.slots.len();
        let slot = self.slots.get_mut(at).filter(|_| !full);
        let written = slot.and_then(|slot| {
            slot.length = write(&mut slot.datagram)?;
            slot.from = from;
            slot.destination = destination;
            Some(())
        });
        match written {
            Some(()) => self.length += 1,
            None => self.dropped += 1,
        }
    }

    pub(super) fn pop(&mut self) -> Option<Transmit<'_>> {
        if self.length == 0 {
            return None;
        }
        let at = self.head;
        self.head = (self.head + 1).checked_rem(self.slots.len()).unwrap_or(0);
        self.length -= 1;
        let slot = self.slots.get(at)?;
        let payload = slot.datagram.get(..slot.length)?;
        Some(Transmit { from: slot.from, destination: slot.destination, payload })
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::NARROW_FRAME;

    #[test]
    fn level_reports_make_room_for_what_matters() {
        let mut queue = EventQueue::new(2);
        let digit = |digit| Event::Digit { leg: LegId(1), digit };
        queue.push(digit('1'));
        queue.push(Event::Levels { leg: LegId(1), dbov: 20 });
        queue.push(Event::Levels { leg: LegId(2), dbov: 20 });
        queue.push(digit('2'));
        queue.push(digit('3'));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(digit('1')), Some(digit('2')), None]);
        assert_eq!(queue.dropped(), 3);
    }

    #[test]
    fn the_ring_keeps_order_across_growth_and_loses_the_newest_when_full() {
        let mut ring = TransmitRing::default();
        let destination = "192.0.2.1:4000".parse().unwrap();
        let packet = |sequence_number| RtpPacket {
            marker: false,
            payload_type: 0,
            sequence_number,
            timestamp: 0,
            ssrc: 0,
            payload: &[0xFF; NARROW_FRAME],
        };
        ring.push(LegId(1), destination, &packet(0));
        assert!(ring.pop().is_none(), "no legs, no room");
        ring.reserve(1);
        ring.push(LegId(1), destination, &packet(1));
        assert!(ring.pop().is_some());
        ring.push(LegId(1), destination, &packet(2));
        ring.push(LegId(1), destination, &packet(3));
        ring.push(LegId(1), destination, &packet(4));
        ring.push(LegId(1), destination, &packet(9));
        ring.reserve(2);
        ring.push(LegId(2), destination, &packet(5));
        let mut sent = Vec::new();
        while let Some(transmit) = ring.pop() {
            assert_eq!(transmit.payload.len(), 172);
            sent.push((transmit.from, RtpPacket::parse(transmit.payload).unwrap().sequence_number));
        }
        let expected = [(1, 2), (1, 3), (1, 4), (2, 5)].map(|(leg, number)| (Port::Sip(LegId(leg)), number));
        assert_eq!(sent, expected);
        assert_eq!(ring.dropped(), 2);
    }
}
