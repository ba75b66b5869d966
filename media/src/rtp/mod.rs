//! RTP packets (RFC 3550 section 5.1) of SIP legs: a bounded reader and a writer into borrowed memory.

pub mod red;
mod stream;

pub use stream::RtpStream;

/// Bytes of a header without CSRCs and extension: what we send.
pub const HEADER: usize = 12;

/// A received RTP packet; payload without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Marker bit: start of a talk spurt or of an event.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence_number: u16,
    /// Timestamp in units of the payload type's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload.
    pub payload: &'a [u8],
}

/// Why a datagram is not RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Ends inside the header, its CSRC list, its extension or its padding.
    #[error("RTP packet is cut short")]
    Truncated,
    /// Not version 2.
    #[error("RTP version is not 2")]
    Version,
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram. CSRCs and header extensions are passed over.
    ///
    /// # Errors
    /// When it is not one whole RTP packet of version 2.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let (&[flags, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3], rest) =
            datagram.split_first_chunk::<HEADER>().ok_or(RtpError::Truncated)?;
        if flags >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let rest = skip(rest, usize::from(flags & 0x0F) * 4)?;
        let rest = if flags & 0x10 == 0 { rest } else { skip_extension(rest)? };
        Ok(Self {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7F,
            sequence_number: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            payload: if flags & 0x20 == 0 { rest } else { strip_padding(rest)? },
        })
    }

    /// Writes header and payload to `datagram` and returns how many bytes they take.
    ///
    /// `None` when `datagram` is too short or the payload type is above 127.
    pub fn write(&self, datagram: &mut [u8]) -> Option<usize> {
        let (header, rest) = datagram.split_first_chunk_mut::<HEADER>()?;
        if self.payload_type > 0x7F {
            return None;
        }
        rest.get_mut(..self.payload.len())?.copy_from_slice(self.payload);
        let [s0, s1] = self.sequence_number.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [r0, r1, r2, r3] = self.ssrc.to_be_bytes();
        let kind = self.payload_type | if self.marker { 0x80 } else { 0 };
        *header = [0x80, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3];
        Some(HEADER + self.payload.len())
    }
}

fn skip(bytes: &[u8], count: usize) -> Result<&[u8], RtpError> {
    bytes.get(count..).ok_or(RtpError::Truncated)
}

fn skip_extension(bytes: &[u8]) -> Result<&[u8], RtpError> {
    let (&[_, _, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
    skip(rest, usize::from(u16::from_be_bytes([l0, l1])) * 4)
}

fn strip_padding(bytes: &[u8]) -> Result<&[u8], RtpError> {
    let padding = usize::from(*bytes.last().ok_or(RtpError::Truncated)?);
    if padding == 0 {
        return Err(RtpError::Truncated);
    }
    bytes.get(..bytes.len().checked_sub(padding).ok_or(RtpError::Truncated)?).ok_or(RtpError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: [u8; 14] = [0x80, 0x80, 0x12, 0x34, 0, 0, 1, 0x40, 0xDE, 0xAD, 0xBE, 0xEF, 7, 8];

    #[test]
    fn reads_the_fixed_header() {
        let packet = RtpPacket::parse(&PLAIN).unwrap();
        let expected = RtpPacket {
            marker: true,
            payload_type: 0,
            sequence_number: 0x1234,
            timestamp: 320,
            ssrc: 0xDEAD_BEEF,
            payload: &[7, 8],
        };
        assert_eq!(packet, expected);
    }

    #[test]
    fn passes_over_csrcs_extension_and_padding() {
        let mut bytes = PLAIN[..12].to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend([1; 8]); // two CSRCs
        bytes.extend([0xBE, 0xDE, 0, 1, 9, 9, 9, 9]); // one word of extension
        bytes.extend([5, 6, 0, 0, 3]); // payload 5, 6 and three bytes of padding
        assert_eq!(RtpPacket::parse(&bytes).unwrap().payload, [5, 6]);
        for end in 0..28 {
            assert_eq!(RtpPacket::parse(&bytes[..end]), Err(RtpError::Truncated), "cut at {end}");
        }
    }

    #[test]
    fn refuses_what_is_not_rtp() {
        assert_eq!(RtpPacket::parse(&[]), Err(RtpError::Truncated));
        assert_eq!(RtpPacket::parse(&[0x40; 20]), Err(RtpError::Version));
        let mut padded = PLAIN;
        padded[0] |= 0x20;
        for (last, ok) in [(0, false), (1, true), (2, true), (3, false), (255, false)] {
            padded[13] = last;
            assert_eq!(RtpPacket::parse(&padded).is_ok(), ok, "padding {last}");
        }
    }

    #[test]
    fn writing_needs_room_and_a_real_payload_type() {
        let packet = RtpPacket::parse(&PLAIN).unwrap();
        assert_eq!(packet.write(&mut [0; 13]), None);
        assert_eq!(RtpPacket { payload_type: 128, ..packet }.write(&mut [0; 20]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = RtpPacket::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            marker: bool, payload_type in 0_u8..128, sequence_number: u16, timestamp: u32, ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let packet =
                RtpPacket { marker, payload_type, sequence_number, timestamp, ssrc, payload: &payload };
            let mut datagram = [0; 256];
            let length = packet.write(&mut datagram).unwrap();
            prop_assert_eq!(RtpPacket::parse(&datagram[..length]), Ok(packet));
        }
    }
}
