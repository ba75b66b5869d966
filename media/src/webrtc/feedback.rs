//! Our own stage in the implementation's packet chain: reads the RTCP feedback receivers send about the slots.
//!
//! The chain ends inbound RTCP in a drop, so key frame requests are marked to be delivered; NACKs are answered
//! here from a [`SendHistory`] per slot.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use rtc::{rtcp, rtp};

use super::repair::{SendHistory, SentPacket};

/// Sequence numbers read from one NACK packet; more than any loss a resend could still mend.
const MAX_REQUESTED: usize = 512;
/// Key frame requests delivered from one compound packet: one per slot and some.
const MAX_KEY_FRAME_REQUESTS: usize = 16;

/// A slot with its retransmission stream (RFC 4588).
struct RepairedStream {
    history: SendHistory,
    rtx_ssrc: u32,
    rtx_payload_type: u8,
    rtx_sequence_number: u16,
}

impl RepairedStream {
    fn resend(&mut self, now: Instant, sequence_number: u16) -> Option<rtp::Packet> {
        let packet = self.history.resend(now, sequence_number)?;
        let header = rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type: self.rtx_payload_type,
            sequence_number: self.rtx_sequence_number,
            timestamp: packet.timestamp,
            ssrc: self.rtx_ssrc,
            ..Default::default()
        };
        self.rtx_sequence_number = self.rtx_sequence_number.wrapping_add(1);
        Some(rtp::Packet { header, payload: packet.rtx_payload() })
    }
}

/// The stage. Streams appear when the implementation binds them.
#[derive(Default)]
pub(super) struct Feedback {
    streams: BTreeMap<u32, RepairedStream>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Feedback {
    fn read_rtcp(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        let mut requests = 0;
        for packet in packets {
            let any = packet.as_any();
            if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
                self.answer_nack(now, nack);
            } else if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
                requests += 1;
                if requests <= MAX_KEY_FRAME_REQUESTS {
                    self.deliver(now, packet.clone());
                }
            }
        }
    }

    /// Sends a copy of one RTCP packet on to the application, alone: a compound packet would be delivered by
    /// what its first packet is about.
    fn deliver(&mut self, now: Instant, packet: Box<dyn rtcp::Packet>) {
        let message = AttributedPacket::new(Packet::Rtcp(vec![packet])).with(Attribute::DeliverToApplication);
        self.inbound.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
    }

    fn answer_nack(&mut self, now: Instant, nack: &TransportLayerNack) {
        let Some(stream) = self.streams.get_mut(&nack.media_ssrc) else {
            return;
        };
        let requested = nack.nacks.iter().flat_map(|pair| {
            let following = (0..16).filter(|bit| pair.lost_packets & (1 << bit) != 0);
            std::iter::once(pair.packet_id).chain(following.map(|bit| pair.packet_id.wrapping_add(bit + 1)))
        });
        for sequence_number in requested.take(MAX_REQUESTED) {
            if let Some(packet) = stream.resend(now, sequence_number) {
                let message = AttributedPacket::new(Packet::Rtp(packet)).with(Attribute::Retransmission);
                self.outbound.push_back(TaggedPacket {
                    now,
                    transport: TransportContext::default(),
                    message,
                });
            }
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Feedback {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &msg.message.packet {
            self.read_rtcp(msg.now, packets);
        }
        self.inbound.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &msg.message.packet
            && let Some(stream) = self.streams.get_mut(&packet.header.ssrc)
        {
            let sent = SentPacket {
                sequence_number: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: packet.payload.clone(),
            };
            stream.history.record(msg.now, sent);
        }
        self.outbound.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Error> {
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

impl Interceptor for Feedback {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if let (Some(rtx_ssrc), Some(rtx_payload_type)) = (info.ssrc_rtx, info.payload_type_rtx) {
            let history = SendHistory::new();
            let stream = RepairedStream { history, rtx_ssrc, rtx_payload_type, rtx_sequence_number: 0 };
            self.streams.insert(info.ssrc, stream);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
