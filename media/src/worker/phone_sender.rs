//! What a phone is sent: its codec's encoder, and how many milliseconds go into a packet.

use crate::codec::Codec;
use crate::codec::opus::{self, OpusError};
use crate::rtp::red::{self, RedBlock};
use crate::sample::NARROW_FRAME;
use crate::sdp::{Negotiated, OpusSettings};

use super::g722_sender::G722Listener;
use super::opus_sender::OpusListener;

/// The encoder of one phone. G.711 needs none of its own.
#[derive(Default)]
pub(super) struct PhoneSender {
    g722: Option<Box<G722Listener>>,
    opus: Option<(OpusSettings, Box<OpusListener>)>,
    pub(super) redundant: Option<Box<Redundant>>,
    pub(super) packer: Packer,
}

impl PhoneSender {
    /// Makes what this agreement needs, and keeps what there is already. Allocates.
    pub(super) fn prepare(&mut self, negotiated: &Negotiated) -> Result<(), OpusError> {
        self.packer.set(negotiated);
        let settings = negotiated.opus;
        self.redundant = negotiated.redundancy.map(|_| self.redundant.take().unwrap_or_default());
        match negotiated.codec {
            Codec::Pcmu | Codec::Pcma => {}
            Codec::G722 => drop(self.g722.get_or_insert_default()),
            Codec::Opus if self.opus.as_ref().is_some_and(|(known, _)| *known == settings) => {}
            Codec::Opus => self.opus = Some((settings, Box::new(OpusListener::new(settings)?))),
        }
        Ok(())
    }

    pub(super) fn opus_settings(&self) -> Option<OpusSettings> {
        self.opus.as_ref().map(|(settings, _)| *settings)
    }

    pub(super) fn opus(&mut self) -> Option<&mut OpusListener> {
        self.opus.as_mut().map(|(_, listener)| listener.as_mut())
    }

    pub(super) fn g722(&mut self) -> Option<&mut G722Listener> {
        self.g722.as_deref_mut()
    }
}

/// Sends each Opus packet twice: by itself and with the next one.
#[derive(Debug)]
pub(super) struct Redundant {
    earlier: [u8; Self::LONGEST],
    length: usize,
    /// Of the earlier packet, if there is one.
    timestamp: Option<u32>,
}

impl Default for Redundant {
    fn default() -> Self {
        Self { earlier: [0; Self::LONGEST], length: 0, timestamp: None }
    }
}

impl Redundant {
    /// Longer packets are not sent again: 20 ms at the highest rate we send take a third of it.
    const LONGEST: usize = 255;
    /// A payload of two packets with their headers.
    pub(super) const PAYLOAD: usize = opus::MAX_PACKET;

    /// Makes the payload of a packet of type `payload_type`; `None` when it does not fit.
    pub(super) fn write(
        &self,
        payload_type: u8,
        timestamp: u32,
        payload: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let earlier = self.timestamp.zip(self.earlier.get(..self.length)).map(|(at, payload)| RedBlock {
            payload_type,
            offset: timestamp.wrapping_sub(at),
            payload,
        });
        let primary = RedBlock { payload_type, offset: 0, payload };
        red::write(earlier, primary, out).or_else(|| red::write(None, primary, out))
    }

    /// Remembers what has been sent.
    pub(super) fn remember(&mut self, timestamp: u32, payload: &[u8]) {
        let memory = self.earlier.get_mut(..payload.len());
        self.timestamp = memory.is_some().then_some(timestamp);
        if let Some(memory) = memory {
            memory.copy_from_slice(payload);
            self.length = payload.len();
        }
    }

    /// The stream pauses.
    pub(super) const fn clear(&mut self) {
        self.timestamp = None;
    }
}

/// Cuts ticks of G.711 and G.722, in which one byte is one unit of the clock, into packets of another length.
#[derive(Debug)]
pub(super) struct Packer {
    waiting: [u8; Self::CAPACITY],
    length: usize,
    /// Bytes in a packet.
    whole: usize,
}

impl Default for Packer {
    fn default() -> Self {
        Self { waiting: [0; Self::CAPACITY], length: 0, whole: NARROW_FRAME }
    }
}

impl Packer {
    /// A packet less one byte, and a tick.
    const CAPACITY: usize = Self::LONGEST + NARROW_FRAME;
    const PER_MS: usize = 8;
    const SHORTEST: usize = 10 * Self::PER_MS;
    const LONGEST: usize = 60 * Self::PER_MS;

    fn set(&mut self, negotiated: &Negotiated) {
        let asked = usize::from(negotiated.ptime_ms) * Self::PER_MS;
        let whole = match negotiated.codec {
            Codec::Opus => NARROW_FRAME,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => asked.clamp(Self::SHORTEST, Self::LONGEST),
        };
        if whole != self.whole {
            self.whole = whole;
            self.length = 0;
        }
    }

    /// Whether a packet is a tick.
    pub(super) const fn is_plain(&self) -> bool {
        self.whole == NARROW_FRAME
    }

    /// Takes in a tick; gives how many units of the clock waited before it.
    pub(super) fn fill(&mut self, tick: &[u8]) -> usize {
        let before = self.length;
        for (to, &from) in self.waiting.iter_mut().skip(before).zip(tick) {
            *to = from;
        }
        self.length = (before + tick.len()).min(Self::CAPACITY);
        before
    }

    /// The packet number `index` of what is there, if it is whole.
    pub(super) fn packet(&self, index: usize) -> Option<&[u8]> {
        let start = index * self.whole;
        self.waiting.get(start..start + self.whole).filter(|_| start + self.whole <= self.length)
    }

    /// Bytes in a packet, which are also its duration.
    pub(super) const fn whole(&self) -> usize {
        self.whole
    }

    /// Drops so many packets, which were sent.
    pub(super) fn sent(&mut self, packets: usize) {
        let bytes = (packets * self.whole).min(self.length);
        self.waiting.copy_within(bytes..self.length, 0);
        self.length -= bytes;
    }

    /// Drops what waits.
    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }
}
