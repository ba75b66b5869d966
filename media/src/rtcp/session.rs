//! Our half of an RTCP session with one peer: when to report, what, and what the peer's reports say.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::packet::{self, Report, ReportBlock, RtcpError, RtcpItem, SenderInfo};
use super::reception::{Reception, units};

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

/// One RTCP session between two.
#[derive(Debug)]
pub struct RtcpSession {
    /// What comes in.
    pub reception: Reception,
    clock_hz: u32,
    random: ChaCha8Rng,
    cname: [u8; 16],
    began: Option<Instant>,
    next_report: Option<Instant>,
    sent_packets: u32,
    sent_octets: u32,
    /// [`Self::sent_packets`] at the last report.
    reported_packets: u32,
    remote: Option<RemoteReport>,
    round_trip: Option<Duration>,
}

impl RtcpSession {
    /// Shortest mean interval between two reports (RFC 3550 section 6.2); half of it before the first one.
    const INTERVAL: Duration = Duration::from_secs(5);
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
            random: ChaCha8Rng::from_seed(seed),
            cname,
            began: None,
            next_report: None,
            sent_packets: 0,
            sent_octets: 0,
            reported_packets: 0,
            remote: None,
            round_trip: None,
        }
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

    /// Whether a report is due. With two members the interval never depends on their number, so there is nothing
    /// to reconsider (RFC 3550 section 6.3.3).
    pub fn is_due(&mut self, now: Instant) -> bool {
        match self.next_report {
            None => {
                self.began = Some(now);
                self.next_report = Some(now + self.interval(Self::INTERVAL / 2));
                false
            }
            Some(at) if at <= now => {
                self.next_report = Some(now + self.interval(Self::INTERVAL));
                true
            }
            Some(_) => false,
        }
    }

    /// Writes a report; `rtp_timestamp` is our stream's time now. `bye` ends the session.
    pub fn write(
        &mut self,
        now: Instant,
        ssrc: u32,
        rtp_timestamp: u32,
        bye: bool,
        datagram: &mut [u8],
    ) -> Option<usize> {
        let has_sent = self.sent_packets != self.reported_packets;
        self.reported_packets = self.sent_packets;
        let sender = has_sent.then(|| SenderInfo {
            ntp: self.ntp(now),
            rtp_timestamp,
            packets: self.sent_packets,
            octets: self.sent_octets,
        });
        let block = self.reception.block(now);
        Report { ssrc, cname: &self.cname, sender, block, bye }.write(datagram)
    }

    /// Takes a compound packet of the peer; `ssrc` is our stream's.
    ///
    /// # Errors
    /// When it is not RTCP.
    pub fn handle(&mut self, now: Instant, ssrc: u32, datagram: &[u8]) -> Result<(), RtcpError> {
        packet::read(datagram, |item| match item {
            RtcpItem::Sender { info, .. } => self.reception.sender_report(now, info.ntp),
            RtcpItem::Block { block, .. } if block.ssrc == ssrc => self.take(now, &block),
            RtcpItem::Block { .. } | RtcpItem::Bye { .. } => {}
        })
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

    /// Half to one and a half times the mean, divided by e - 3/2 (RFC 3550 sections 6.3.1 and A.7).
    fn interval(&mut self, mean: Duration) -> Duration {
        let share = u64::from(self.random.next_u32() >> 12); // 20 bits
        let parts = (1 << 19) + share;
        let micros = u64::try_from(mean.as_micros()).unwrap_or(0);
        Duration::from_micros(((micros * parts) >> 20) * 100_000 / 121_828)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(seed: u8) -> RtcpSession {
        RtcpSession::new(8_000, &mut ChaCha8Rng::from_seed([seed; 32]))
    }

    fn due(session: &mut RtcpSession, start: Instant, ticks: u32) -> Vec<u32> {
        (0..ticks)
            .filter(|&n| session.is_due(start + Duration::from_millis(20) * n))
            .map(|n| n * 20)
            .collect()
    }

    #[test]
    fn reports_come_at_random_but_repeatable_intervals() {
        let start = Instant::now();
        let times = due(&mut session(1), start, 50_000);
        assert_eq!(times, due(&mut session(1), start, 50_000));
        assert_ne!(times, due(&mut session(2), start, 50_000));
        assert!((1_020..=3_100).contains(&times[0]), "{}", times[0]);
        let gaps: Vec<u32> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (2_040..=6_180).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().any(|&gap| gap < 3_000) && gaps.iter().any(|&gap| gap > 5_000));
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
        let length = ours.write(at(3_000), 77, 0, false, &mut datagram).unwrap();
        theirs.handle(at(3_030), 88, &datagram[..length]).unwrap();
        let length = theirs.write(at(4_000), 88, 0, false, &mut datagram).unwrap();
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
        let length = theirs.write(now, 88, 0, true, &mut datagram).unwrap();
        ours.handle(now, 77, &datagram[..length]).unwrap();
        assert_eq!(ours.remote(), (None, None));
        assert!(ours.handle(now, 77, &[0x80; 30]).is_err());
    }
}
