//! The statistics of a leg, put together from jitter buffer and RTCP.

use std::time::Duration;

use crate::jitter::JitterCounts;
use crate::quality::{CodecImpairment, LegStats, mos, share};
use crate::rtcp::RtcpSession;
use crate::sample::TICK;

/// What a leg's receiver knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Playout {
    pub(super) counts: JitterCounts,
    /// Units of [`JitterCounts`] in a second.
    pub(super) clock_hz: u32,
    pub(super) delay: Duration,
}

impl Playout {
    fn duration(&self, units: u64) -> Duration {
        Duration::from_micros(units.saturating_mul(1_000_000) / u64::from(self.clock_hz.max(1)))
    }

    /// The statistics as far as they need no RTCP.
    pub(super) fn stats(&self, codec: CodecImpairment, network_delay: Duration) -> LegStats {
        let JitterCounts { stored, duplicates, late, discarded, played_units, made_up_units } = self.counts;
        let lost = share(made_up_units, played_units + made_up_units);
        LegStats {
            received_packets: stored + late,
            lost_packets: None,
            duplicate_packets: duplicates,
            late_packets: late + discarded,
            jitter: Duration::ZERO,
            playout_delay: self.delay,
            played: self.duration(played_units),
            concealed: self.duration(made_up_units),
            sent_packets: 0,
            remote: None,
            round_trip: None,
            // His packet, the network, our buffer; the tick at the other end is his listener's.
            mos_in: mos(codec, lost, TICK + network_delay + self.delay),
            mos_out: None,
        }
    }

    /// The statistics of a leg with RTCP.
    pub(super) fn stats_with(&self, codec: CodecImpairment, rtcp: &RtcpSession) -> LegStats {
        let (remote, round_trip) = rtcp.remote();
        let network_delay = round_trip.unwrap_or_default() / 2;
        let mos_out = remote.map(|remote| {
            let lost = u64::try_from(remote.cumulative_lost).unwrap_or(0);
            let lost = share(lost, u64::from(rtcp.sent_packets()));
            // His buffer is unknown: twice the jitter he sees is what one needs.
            mos(codec, lost, TICK + network_delay + remote.jitter * 2)
        });
        LegStats {
            lost_packets: Some(u32::try_from(rtcp.reception.lost()).unwrap_or(0)),
            jitter: rtcp.reception.jitter(),
            sent_packets: rtcp.sent_packets(),
            remote,
            round_trip,
            mos_out,
            ..self.stats(codec, network_delay)
        }
    }
}
