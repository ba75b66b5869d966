//! The statistics of a leg, put together from jitter buffer and RTCP.

use std::time::Duration;

use crate::bursts::{BurstSummary, Bursts};
use crate::jitter::JitterCounts;
use crate::quality::{CodecImpairment, LegStats, Mos, mos, r_factor, share};
use crate::rtcp::{RtcpSession, VoipMetrics};
use crate::sample::TICK;

/// What a leg's receiver knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Playout {
    pub(super) counts: JitterCounts,
    /// Units of [`JitterCounts`] in a second.
    pub(super) clock_hz: u32,
    pub(super) delay: Duration,
    /// The most the buffer can hold.
    pub(super) longest: Duration,
    pub(super) bursts: BurstSummary,
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
            concealed_seconds: self.bursts.concealed_seconds,
            severely_concealed_seconds: self.bursts.severely_concealed_seconds,
            sent_packets: 0,
            remote: None,
            remote_metrics: None,
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
            if let Some(metrics) = rtcp.remote_metrics() {
                let his_side = Duration::from_millis(u64::from(metrics.end_system_ms));
                return mos(codec, share(metrics.missing().into(), 256), TICK + network_delay + his_side);
            }
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
            remote_metrics: rtcp.remote_metrics().copied(),
            round_trip,
            mos_out,
            ..self.stats(codec, network_delay)
        }
    }
    /// What a peer is told who wants to know how he is heard (RFC 3611 section 4.7).
    pub(super) fn metrics(&self, codec: CodecImpairment, rtcp: &RtcpSession) -> VoipMetrics {
        let stats = self.stats_with(codec, rtcp);
        let lost = u64::from(stats.lost_packets.unwrap_or(0));
        let expected = lost + stats.received_packets;
        let part = |part: u64| u8::try_from(part.saturating_mul(256) / expected.max(1)).unwrap_or(u8::MAX);
        let ms = |time: Duration| u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        let missing = share(
            self.counts.made_up_units,
            self.counts.played_units.saturating_add(self.counts.made_up_units),
        );
        let round_trip = stats.round_trip.unwrap_or_default();
        let tenths = |mos: Mos| u8::try_from((mos.0 + 5) / 10).ok();
        VoipMetrics {
            ssrc: 0,
            loss_rate: part(lost),
            discard_rate: part(stats.late_packets),
            burst_density: self.bursts.burst_density,
            gap_density: self.bursts.gap_density,
            burst_ms: self.bursts.burst_ms,
            gap_ms: self.bursts.gap_ms,
            round_trip_ms: ms(round_trip),
            // Our buffer, and the tick in which it is mixed.
            end_system_ms: ms(self.delay + TICK),
            gmin: Bursts::GMIN,
            r_factor: Some(r_factor(codec, missing, TICK + round_trip / 2 + self.delay)),
            mos_lq: tenths(mos(codec, missing, Duration::ZERO)),
            mos_cq: tenths(stats.mos_in),
            buffer_ms: ms(self.delay),
            buffer_max_ms: ms(self.longest),
        }
    }
}
