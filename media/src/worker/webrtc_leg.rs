//! A browser: Opus both ways over its peer connection.

use std::time::Instant;

use rand_chacha::rand_core::Rng;

use crate::codec::opus::{self, OpusError};
use crate::jitter::Arrival;
use crate::rtp::RtpStream;
use crate::sample::FULL_FRAME;
use crate::webrtc::{IncomingRtp, OutgoingRtp, Slot, WebrtcPeer};

use super::receiver::{OpusDecoder, Receiver};

/// Units of the 48 kHz clock in one tick.
const TICK_UNITS: u32 = 960;

/// The media of one browser.
pub(super) struct WebrtcLeg {
    pub(super) peer: Box<dyn WebrtcPeer>,
    pub(super) connected: bool,
    /// How many video slots were negotiated.
    pub(super) video_slots: u8,
    /// When the peer wants to be woken.
    pub(super) deadline: Option<Instant>,
    /// The peer may have datagrams to send and is in the worker's list of those.
    pub(super) is_pending: bool,
    receiver: Receiver<OpusDecoder>,
    encoder: opus::Encoder,
    stream: RtpStream,
    silent_ticks: u8,
}

impl WebrtcLeg {
    /// Ticks of silence that are really encoded, so that the voice fades out, before the fixed silence packet
    /// takes over.
    const ENCODED_SILENCE: u8 = 10;

    pub(super) fn new(
        peer: Box<dyn WebrtcPeer>,
        video_slots: u8,
        random: &mut impl Rng,
    ) -> Result<Self, OpusError> {
        Ok(Self {
            peer,
            connected: false,
            video_slots,
            deadline: None,
            is_pending: false,
            receiver: Receiver::new(OpusDecoder::new()?),
            encoder: opus::Encoder::new()?,
            stream: RtpStream::new(random),
            silent_ticks: Self::ENCODED_SILENCE,
        })
    }

    /// Takes an audio packet; says whether it can be Opus.
    pub(super) fn handle_audio(&mut self, now: Instant, packet: &IncomingRtp) -> bool {
        let Some(duration) = opus::packet_samples(&packet.payload) else { return false };
        let arrival = Arrival {
            ssrc: 0,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            tag: 0,
            duration,
            payload: &packet.payload,
        };
        self.receiver.push(now, &arrival);
        true
    }

    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) {
        self.receiver.fill(now, decode, frame);
    }

    /// Sends this tick's mix, `None` for digital silence; says whether something was encoded.
    pub(super) fn send(&mut self, now: Instant, mix: Option<&[i16; FULL_FRAME]>) -> bool {
        let mut packet = [0; opus::MAX_PACKET];
        let encoded = self.encode(mix, &mut packet);
        let payload = encoded.and_then(|length| packet.get(..length)).unwrap_or(&opus::SILENCE);
        let (marker, sequence_number, timestamp) = self.stream.next_packet();
        self.stream.advance(TICK_UNITS);
        self.peer.write_rtp(now, Slot::Audio, OutgoingRtp { marker, sequence_number, timestamp, payload });
        encoded.is_some()
    }

    fn encode(&mut self, mix: Option<&[i16; FULL_FRAME]>, packet: &mut [u8]) -> Option<usize> {
        self.silent_ticks = match mix {
            Some(_) => 0,
            None if self.silent_ticks >= Self::ENCODED_SILENCE => return None,
            None => self.silent_ticks + 1,
        };
        self.encoder.encode(mix.unwrap_or(&[0; FULL_FRAME]), packet).ok()
    }
}
