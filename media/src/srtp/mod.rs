//! SRTP (RFC 3711, RFC 7714) for SIP legs, keyed by SDP (RFC 4568): in place, keyed once, without allocation.
//!
//! A packet is believed after its tag was verified and not before: until then nothing is kept of it, so forged
//! packets cost their verification and nothing else. A leg has one stream in each direction at a time; the opener
//! keeps the state of two, for a change of SSRC.

mod cipher;
mod keys;
mod replay;

#[cfg(test)]
mod tests;

pub use keys::{MasterKey, SrtpKeys, Suite};

use cipher::Cipher;
use replay::ReplayWindow;

/// Bytes a sealed packet is longer than its plain form at most: SRTCP index and tag.
pub const MAX_GROWTH: usize = 20;

/// Bytes of the fixed RTP header, and of the part of an RTCP packet that stays in the clear.
const RTP_HEADER: usize = 12;
const RTCP_HEADER: usize = 8;
/// The SRTCP index and its flag for encryption.
const INDEX: usize = 4;
const ENCRYPTED: u32 = 0x8000_0000;

/// What is sent.
pub struct Sealer {
    cipher: Cipher,
    stream: Option<Outgoing>,
    rtcp_index: u32,
}

#[derive(Clone, Copy)]
struct Outgoing {
    ssrc: u32,
    sequence_number: u16,
    rollovers: u32,
}

impl Sealer {
    /// Keys a direction.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self { cipher: Cipher::new(suite, key), stream: None, rtcp_index: 0 }
    }

    /// Seals the RTP packet in the first `length` bytes; gives its new length. `None` if it is no RTP packet or
    /// `datagram` has no room for the tag.
    pub fn seal_rtp(&mut self, datagram: &mut [u8], length: usize) -> Option<usize> {
        let header = rtp_header(datagram.get(..length)?)?;
        let (sequence_number, ssrc) = numbers(datagram)?;
        let rollovers = match self.stream {
            Some(last) if last.ssrc == ssrc => {
                // What we send is in order.
                last.rollovers.wrapping_add(u32::from(sequence_number < last.sequence_number))
            }
            _ => 0,
        };
        self.stream = Some(Outgoing { ssrc, sequence_number, rollovers });
        self.cipher.seal_rtp(datagram, header, length, ssrc, packet_index(rollovers, sequence_number))
    }

    /// Seals the compound RTCP packet in the first `length` bytes; gives its new length.
    pub fn seal_rtcp(&mut self, datagram: &mut [u8], length: usize) -> Option<usize> {
        let ssrc = word(datagram.get(..length)?, 4)?;
        self.rtcp_index = self.rtcp_index.wrapping_add(1) & !ENCRYPTED;
        self.cipher.seal_rtcp(datagram, length, ssrc, self.rtcp_index)
    }
}

/// What is received.
pub struct Opener {
    cipher: Cipher,
    /// The newest first.
    streams: [Option<Incoming>; 2],
    rtcp: [Option<(u32, ReplayWindow)>; 2],
}

#[derive(Clone, Copy)]
struct Incoming {
    ssrc: u32,
    window: ReplayWindow,
}

impl Opener {
    /// Keys a direction.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self { cipher: Cipher::new(suite, key), streams: [None; 2], rtcp: [None; 2] }
    }

    /// Verifies and opens an SRTP packet in place; gives the length of the plain packet. `None`: forged, damaged,
    /// or here before.
    pub fn open_rtp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let header = rtp_header(datagram)?;
        let (sequence_number, ssrc) = numbers(datagram)?;
        let known = self.streams.iter().flatten().find(|stream| stream.ssrc == ssrc).copied();
        let index =
            known.map_or_else(|| u64::from(sequence_number), |known| estimate(&known, sequence_number));
        if known.is_some_and(|known| !known.window.is_new(index)) {
            return None;
        }
        let length = self.cipher.open_rtp(datagram, header, ssrc, index)?;
        let mut stream = known.unwrap_or_else(|| Incoming { ssrc, window: ReplayWindow::default() });
        stream.window.insert(index);
        let [first, second] = &mut self.streams;
        if first.is_none_or(|first| first.ssrc != ssrc) {
            *second = *first;
        }
        *first = Some(stream);
        Some(length)
    }

    /// Verifies and opens an SRTCP packet in place; gives the length of the plain packet.
    pub fn open_rtcp(&mut self, datagram: &mut [u8]) -> Option<usize> {
        let ssrc = word(datagram, 4)?;
        let (index, length) = self.cipher.rtcp_index(datagram)?;
        let known = self.rtcp.iter().flatten().find(|(known, _)| *known == ssrc).copied();
        let mut window = known.map_or_else(ReplayWindow::default, |(_, window)| window);
        if !window.is_new(u64::from(index & !ENCRYPTED)) {
            return None;
        }
        let length = self.cipher.open_rtcp(datagram, length, ssrc, index)?;
        window.insert(u64::from(index & !ENCRYPTED));
        let [first, second] = &mut self.rtcp;
        if first.is_none_or(|(first, _)| first != ssrc) {
            *second = *first;
        }
        *first = Some((ssrc, window));
        Some(length)
    }
}

/// The index of a packet whose number is known but not how often numbers began anew (RFC 3711 section 3.3.1).
fn estimate(stream: &Incoming, sequence_number: u16) -> u64 {
    let newest = stream.window.newest();
    let [.., high, low] = newest.to_be_bytes();
    let newest_number = u16::from_be_bytes([high, low]);
    let rollovers = newest >> 16;
    let ahead = sequence_number.wrapping_sub(newest_number);
    let rollovers = if ahead < 0x8000 {
        rollovers + u64::from(sequence_number < newest_number)
    } else if sequence_number > newest_number {
        rollovers.saturating_sub(1)
    } else {
        rollovers
    };
    rollovers << 16 | u64::from(sequence_number)
}

const fn packet_index(rollovers: u32, sequence_number: u16) -> u64 {
    (rollovers as u64) << 16 | sequence_number as u64
}

/// Bytes before the payload: fixed header, CSRCs, extension. `None` if it is no RTP.
fn rtp_header(packet: &[u8]) -> Option<usize> {
    let flags = *packet.first()?;
    if flags >> 6 != 2 {
        return None;
    }
    let mut length = RTP_HEADER + usize::from(flags & 0x0F) * 4;
    if flags & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + usize::from(u16::from_be_bytes(words.try_into().ok()?)) * 4;
    }
    (length <= packet.len()).then_some(length)
}

/// Sequence number and SSRC.
fn numbers(packet: &[u8]) -> Option<(u16, u32)> {
    let number = packet.get(2..4)?.try_into().ok()?;
    Some((u16::from_be_bytes(number), word(packet, 8)?))
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?))
}
