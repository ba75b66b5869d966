//! A browser: Opus both ways over its peer connection.

use std::time::{Duration, Instant};

use rand_chacha::rand_core::Rng;

use crate::codec::opus::{self, OpusError};
use crate::jitter::Arrival;
use crate::mixer::Mixer;
use crate::quality::{CodecImpairment, LegStats};
use crate::rtp::RtpStream;
use crate::sdp::OpusSettings;
use crate::webrtc::{IncomingRtp, OutgoingRtp, Slot, WebrtcPeer};

use super::leg::Hearing;
use super::opus_sender::{OpusListener, SharedOpus};
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
    listener: OpusListener,
    stream: RtpStream,
    sent_packets: u32,
}

impl WebrtcLeg {
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
            listener: OpusListener::new(OpusSettings::default())?,
            stream: RtpStream::new(random),
            sent_packets: 0,
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

    /// As [`SipLeg::waiting`](super::sip_leg::SipLeg::waiting).
    pub(super) fn waiting(&self) -> Option<(i64, u32)> {
        self.receiver.waiting()
    }

    /// How the call has been so far, as far as it is known here: RTCP is the peer connection's.
    pub(super) fn stats(&self) -> LegStats {
        let stats = self.receiver.playout().stats(CodecImpairment::OPUS, Duration::ZERO);
        LegStats { sent_packets: self.sent_packets, ..stats }
    }

    pub(super) fn fill(&mut self, now: Instant, decode: bool, frame: &mut [i16]) {
        self.receiver.fill(now, decode, frame);
    }

    /// Sends this tick's packet of the mix.
    pub(super) fn send(&mut self, now: Instant, hears: &Hearing<'_>, mixer: &Mixer, work: &mut OpusWork<'_>) {
        let payload = hears.encode_opus(&mut self.listener, mixer, work);
        let (marker, sequence_number, timestamp) = self.stream.next_packet();
        self.stream.advance(TICK_UNITS);
        self.sent_packets = self.sent_packets.wrapping_add(1);
        self.peer.write_rtp(now, Slot::Audio, OutgoingRtp { marker, sequence_number, timestamp, payload });
    }
}

/// What encoding for browsers works on in a tick.
pub(super) struct OpusWork<'a> {
    /// Where sharing is worth it.
    pub(super) shared: Option<&'a mut SharedOpus>,
    /// Frames encoded so far.
    pub(super) encodes: &'a mut u64,
}
