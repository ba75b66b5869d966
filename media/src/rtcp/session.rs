//! Our half of an RTCP session with one peer: when to report, what, and what the peer's reports say.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::packet::{self, Report, ReportBlock, RtcpError, RtcpItem, SenderInfo};
use super::reception::{Reception, units};
use super::timing::Timing;
use super::xr::VoipMetrics;

/// What the peer says about our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteReport {
    /// Lost between his last two reports, in parts of 256.
    pub fraction_lost: u8,
    /// Lost since the stream began.
    pub cumulative_lost: i32,
    /// Jitter he sees.
    pub jitter: Duration,
}

/// What a report says of our own stream, and of how we hear the other.
#[derive(Debug, Clone, Copy)]
pub struct OurStream {
    /// Our stream.
    pub ssrc: u32,
    /// Its time now.
    pub rtp_timestamp: u32,
    /// How we hear the peer, if he wants to know; the stream it is about is filled in.
    pub metrics: Option<VoipMetrics>,
    /// It ends.
    pub bye: bool,
}

/// One RTCP session between two.
#[derive(Debug)]
pub struct RtcpSession {
    /// What comes in.
    pub reception: Reception,
    /// When to report.
    timing: Timing,
    clock_hz: u32,
    cname: [u8; 16],
    began: Option<Instant>,
    sent_packets: u32,
    sent_octets: u32,
    /// [`Self::sent_packets`] at the last report.
    reported_packets: u32,
    remote: Option<RemoteReport>,
    round_trip: Option<Duration>,
    remote_metrics: Option<VoipMetrics>,
}

impl RtcpSession {
    /// Longest round trip that is believed.
    const LONGEST_ROUND_TRIP: u32 = 10 * 65_536;

    /// The stream goes on with another codec; what was counted on another clock is forgotten.
    pub fn set_clock(&mut self, clock_hz: u32) {
        if clock_hz != self.clock_hz {
            self.clock_hz = clock_hz;
            self.reception = Reception::new(clock_hz);
        }
    }

    /// A session on a clock of `clock_hz`; its canonical name and its timing are drawn from `random`.
    pub fn new(clock_hz: u32, random: &mut impl Rng) -> Self {
        let mut seed = [0; 32];
        random.fill_bytes(&mut seed);
        let mut cname = [0; 16];
        let digits = seed.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (to, digit) in cname.iter_mut().zip(digits) {
            *to = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        random.fill_bytes(&mut seed);
        Self {
            reception: Reception::new(clock_hz),
            clock_hz,
            timing: Timing::new(ChaCha8Rng::from_seed(seed)),
            cname,
            began: None,
            sent_packets: 0,
            sent_octets: 0,
            reported_packets: 0,
            remote: None,
            round_trip: None,
            remote_metrics: None,
        }
    }

    /// RTCP may take a twentieth of what the session takes (RFC 3550 section 6.2).
    pub fn set_bandwidth(&mut self, bits_per_second: u32) {
        self.timing.set_session_bandwidth(bits_per_second);
    }

    /// Whether a report is due.
    pub fn is_due(&mut self, now: Instant) -> bool {
        self.began.get_or_insert(now);
        self.timing.is_due(now)
    }

    /// Counts an RTP packet of ours.
    pub fn sent(&mut self, octets: usize) {
        self.sent_packets = self.sent_packets.wrapping_add(1);
        self.sent_octets = self.sent_octets.wrapping_add(u32::try_from(octets).unwrap_or(0));
    }

    /// Packets we sent.
    #[must_use]
    pub const fn sent_packets(&self) -> u32 {
        self.sent_packets
    }

    /// What the peer reported last, and the round trip measured with it.
    #[must_use]
    pub const fn remote(&self) -> (Option<RemoteReport>, Option<Duration>) {
        (self.remote, self.round_trip)
    }

    /// How the peer hears us, if he says it (RFC 3611).
    #[must_use]
    pub const fn remote_metrics(&self) -> Option<&VoipMetrics> {
        self.remote_metrics.as_ref()
    }

    /// Writes a report about `ours`; what is told of the stream that comes in is counted anew.
    pub fn write(&mut self, now: Instant, ours: &OurStream, datagram: &mut [u8]) -> Option<usize> {
        let OurStream { ssrc, rtp_timestamp, metrics, bye } = *ours;
        let has_sent = self.sent_packets != self.reported_packets;
        self.reported_packets = self.sent_packets;
        let sender = has_sent.then(|| SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp,
            packets: self.sent_packets,
            octets: self.sent_octets,
        });
        let block = self.reception.block(now);
        let ssrc_heard = block.map(|block| block.ssrc);
        let metrics = metrics.zip(ssrc_heard).map(|(metrics, ssrc)| VoipMetrics { ssrc, ..metrics });
        let length = Report { ssrc, cname: &self.cname, sender, block, metrics, bye }.write(datagram)?;
        self.timing.packet(length);
        Some(length)
    }

    /// Takes a compound packet of the peer; `ssrc` is our stream's.
    ///
    /// # Errors
    /// When it is not RTCP.
    pub fn handle(&mut self, now: Instant, ssrc: u32, datagram: &[u8]) -> Result<(), RtcpError> {
        let mut left = false;
        packet::read(datagram, |item| match item {
            RtcpItem::Sender { info, .. } => self.reception.sender_report(now, info.ntp),
            RtcpItem::Block { block, .. } if block.ssrc == ssrc => self.take(now, &block),
            RtcpItem::Metrics { metrics, .. } if metrics.ssrc == ssrc => self.remote_metrics = Some(metrics),
            RtcpItem::Block { .. } | RtcpItem::Metrics { .. } => {}
            RtcpItem::Bye { .. } => left = true,
        })?;
        self.timing.packet(datagram.len());
        if left {
            self.timing.peer_left(now);
        } else {
            self.timing.peer_is_there();
        }
        Ok(())
    }

    fn take(&mut self, now: Instant, block: &ReportBlock) {
        let micros = u64::from(block.jitter) * 1_000_000 / u64::from(self.clock_hz.max(1));
        self.remote = Some(RemoteReport {
            fraction_lost: block.fraction_lost,
            cumulative_lost: block.cumulative_lost,
            jitter: Duration::from_micros(micros),
        });
        if block.last_report == 0 {
            return;
        }
        let [_, _, a, b, c, d, _, _] = self.ntp(now).to_be_bytes();
        let now = u32::from_be_bytes([a, b, c, d]);
        let round_trip = now.wrapping_sub(block.last_report).wrapping_sub(block.delay_since);
        if round_trip <= Self::LONGEST_ROUND_TRIP {
            self.round_trip = Some(Duration::from_micros(u64::from(round_trip) * 1_000_000 / 65_536));
        }
    }

    /// There is no wall clock here, so this is the time since the session began, which RFC 3550 section 6.4.1
    /// allows; one second is added because 0 means "never".
    fn ntp(&self, now: Instant) -> u64 {
        let since = self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
        let fraction = units(Duration::from_micros(u64::from(since.subsec_micros())), 65_536);
        (since.as_secs() + 1) << 32 | u64::from(fraction) << 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(seed: u8) -> RtcpSession {
        RtcpSession::new(8_000, &mut ChaCha8Rng::from_seed([seed; 32]))
    }

    const fn stream(ssrc: u32) -> OurStream {
        OurStream { ssrc, rtp_timestamp: 0, metrics: None, bye: false }
    }

    #[test]
    fn two_sessions_measure_their_round_trip_and_loss() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut ours, mut theirs) = (session(1), session(2));
        let mut datagram = [0; 172];
        ours.is_due(start);
        theirs.is_due(start);
        for n in (0..100_u16).filter(|n| n % 5 != 4) {
            ours.sent(160);
            theirs.reception.packet(at(u64::from(n) * 20 + 30), 77, n, u32::from(n) * 160, false);
        }
        let length = ours.write(at(3_000), &stream(77), &mut datagram).unwrap();
        theirs.handle(at(3_030), 88, &datagram[..length]).unwrap();
        let length = theirs.write(at(4_000), &stream(88), &mut datagram).unwrap();
        ours.handle(at(4_050), 77, &datagram[..length]).unwrap();
        let (remote, round_trip) = ours.remote();
        let remote = remote.unwrap();
        assert_eq!((remote.cumulative_lost, remote.fraction_lost), (19, 49));
        assert!(round_trip.unwrap().as_millis().abs_diff(80) <= 1, "{round_trip:?}");
    }

    #[test]
    fn reports_about_other_streams_and_garbage_change_nothing() {
        let (mut ours, mut theirs) = (session(1), session(2));
        let now = Instant::now();
        theirs.reception.packet(now, 5, 1, 0, false);
        let mut datagram = [0; 172];
        let length = theirs.write(now, &OurStream { bye: true, ..stream(88) }, &mut datagram).unwrap();
        ours.handle(now, 77, &datagram[..length]).unwrap();
        assert_eq!(ours.remote(), (None, None));
        assert!(ours.handle(now, 77, &[0x80; 30]).is_err());
    }
}
