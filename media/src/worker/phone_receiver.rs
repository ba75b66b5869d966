//! What a phone says, whatever codec it says it in.

use std::time::Instant;

use crate::codec::Codec;
use crate::codec::opus::{self, OpusError};
use crate::jitter::{Arrival, Pushed};
use crate::quality::CodecImpairment;
use crate::rtp::RtpPacket;
use crate::rtp::red::Red;
use crate::sample::Rate;
use crate::sdp::{Format, Negotiated};

use super::receiver::{G711Decoder, G722Decoder, OpusDecoder, Receiver};
use super::stats::Playout;

/// One receiver for each kind of codec that was agreed on; one of them plays.
pub(super) struct PhoneReceiver {
    g711: Receiver<G711Decoder>,
    g722: Option<Box<Receiver<G722Decoder>>>,
    opus: Option<Box<Receiver<OpusDecoder>>>,
    playing: Kind,
    /// The last packet was of this other kind: with the next one it takes over.
    coming: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    G711,
    G722,
    Opus,
}

impl Kind {
    const fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Self::G711,
            Codec::G722 => Self::G722,
            Codec::Opus => Self::Opus,
        }
    }
}

/// Calls the same method of the receiver that plays.
macro_rules! playing {
    ($self:ident, $receiver:ident => $call:expr) => {
        match ($self.playing, &$self.g722, &$self.opus) {
            (Kind::G722, Some($receiver), _) => $call,
            (Kind::Opus, _, Some($receiver)) => $call,
            _ => {
                let $receiver = &$self.g711;
                $call
            }
        }
    };
    (mut $self:ident, $receiver:ident => $call:expr) => {
        match ($self.playing, &mut $self.g722, &mut $self.opus) {
            (Kind::G722, Some($receiver), _) => $call,
            (Kind::Opus, _, Some($receiver)) => $call,
            _ => {
                let $receiver = &mut $self.g711;
                $call
            }
        }
    };
}

impl PhoneReceiver {
    pub(super) fn new() -> Self {
        Self {
            g711: Receiver::new(G711Decoder::default()),
            g722: None,
            opus: None,
            playing: Kind::G711,
            coming: None,
        }
    }

    /// Makes receivers for all that may come. Allocates.
    pub(super) fn expect(&mut self, negotiated: &Negotiated) -> Result<(), OpusError> {
        if negotiated.received.has(Codec::G722) && self.g722.is_none() {
            self.g722 = Some(Box::new(Receiver::new(G722Decoder::default())));
        }
        if negotiated.received.has(Codec::Opus) && self.opus.is_none() {
            self.opus = Some(Box::new(Receiver::new(OpusDecoder::new()?)));
        }
        if self.playing != Kind::of(negotiated.codec) {
            self.switch(Kind::of(negotiated.codec));
        }
        Ok(())
    }

    /// The rate of [`Self::fill`].
    pub(super) const fn rate(&self) -> Rate {
        match self.playing {
            Kind::G711 => Rate::Narrow,
            Kind::G722 | Kind::Opus => Rate::Full,
        }
    }

    pub(super) const fn impairment(&self) -> CodecImpairment {
        match self.playing {
            Kind::G711 => CodecImpairment::G711,
            Kind::G722 => CodecImpairment::G722,
            Kind::Opus => CodecImpairment::OPUS,
        }
    }

    /// Takes a packet; `None` if it cannot be what its payload type says.
    pub(super) fn push(&mut self, now: Instant, format: Format, packet: &RtpPacket<'_>) -> Option<Pushed> {
        if let Format::Audio(codec) = format {
            self.follow(Kind::of(codec));
        }
        let units = u32::try_from(packet.payload.len()).unwrap_or(0);
        let (tag, duration, payload) = match format {
            Format::Audio(Codec::Opus) => (0, opus::packet_samples(packet.payload)?, packet.payload),
            Format::Audio(codec) => (codec.payload_type(), units, packet.payload),
            Format::ComfortNoise => {
                playing!(mut self, receiver => receiver.noise.set(packet.payload));
                (0, 0, [].as_slice())
            }
            Format::TelephoneEvent => (0, 0, [].as_slice()),
            Format::Redundant => return None,
        };
        let arrival = Arrival {
            ssrc: packet.ssrc,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            tag,
            duration,
            payload,
        };
        if let Format::Audio(codec) = format
            && Kind::of(codec) != self.playing
        {
            return Some(Pushed::Unexpected);
        }
        Some(playing!(mut self, receiver => receiver.push(now, &arrival)))
    }

    /// Takes the earlier Opus packets in a redundant one, `packet`, as far as they are missing. Which numbers they had is
    /// told by how long packets last (RFC 2198 has no numbers).
    pub(super) fn push_redundant(&mut self, now: Instant, packet: &RtpPacket<'_>, red: &Red<'_>) {
        let (Kind::Opus, Some(receiver)) = (self.playing, &mut self.opus) else { return };
        let Some(duration) = opus::packet_samples(red.primary.payload).filter(|&samples| samples > 0) else {
            return;
        };
        let primary = red.primary.payload_type;
        for block in red.redundant().filter(|block| block.payload_type == primary) {
            let steps = block.offset / duration;
            let number = u16::try_from(steps).ok().filter(|_| block.offset.is_multiple_of(duration));
            let (Some(steps @ 1..), Some(samples)) = (number, opus::packet_samples(block.payload)) else {
                continue;
            };
            let arrival = Arrival {
                ssrc: packet.ssrc,
                sequence_number: packet.sequence_number.wrapping_sub(steps),
                timestamp: packet.timestamp.wrapping_sub(block.offset),
                tag: 0,
                duration: samples,
                payload: block.payload,
            };
            receiver.push_redundant(now, &arrival);
        }
    }

    /// The phone changes its codec without a word: two packets in a row are believed.
    fn follow(&mut self, kind: Kind) {
        if kind == self.playing {
            self.coming = None;
        } else if self.coming == Some(kind) {
            self.switch(kind);
        } else {
            self.coming = Some(kind);
        }
    }

    fn switch(&mut self, kind: Kind) {
        self.coming = None;
        self.playing = kind;
        self.reset();
    }

    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) {
        playing!(mut self, receiver => receiver.fill(now, decode, frame));
    }

    pub(super) fn reset(&mut self) {
        playing!(mut self, receiver => receiver.reset());
    }

    pub(super) fn waiting(&self) -> Option<(i64, u32)> {
        playing!(self, receiver => receiver.waiting())
    }

    pub(super) fn playout(&self) -> Playout {
        playing!(self, receiver => receiver.playout())
    }
}
