//! RTCP (RFC 3550 section 6) of SIP legs, on the RTP port (RFC 5761) or the next one: reports both ways, with the
//! metrics of RFC 3611 where they are wanted, and what they tell.

mod packet;
mod reception;
mod session;
mod timing;
mod xr;

pub use packet::{Report, ReportBlock, RtcpError, RtcpItem, SenderInfo, read};
pub use reception::Reception;
pub use session::{OurStream, RemoteReport, RtcpSession};
pub use timing::Timing;
pub use xr::VoipMetrics;

/// Whether a datagram on a muxed port is RTCP: packet types 192 to 223 (RFC 5761 section 4).
///
/// RTP with payload types 64 to 95 would look the same, which is why nobody may use those.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_rtcp_from_rtp() {
        for (datagram, expected) in [
            (&[0x80, 200, 0, 6][..], true), // sender report
            (&[0x81, 201, 0, 7], true),     // receiver report
            (&[0x80, 0, 0, 1], false),      // PCMU
            (&[0x80, 128, 0, 1], false),    // PCMU with marker
            (&[0x80, 229, 0, 1], false),    // 101 with marker
            (&[0x00, 200], false),          // not version 2
            (&[0x80], false),
            (&[], false),
        ] {
            assert_eq!(is_rtcp(datagram), expected, "{datagram:?}");
        }
    }
}
