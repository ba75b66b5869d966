//! How a call sounds, as numbers: per-leg statistics and the mean opinion score of the E-model (ITU-T G.107).

use std::time::Duration;

use crate::rtcp::{RemoteReport, VoipMetrics};

/// A mean opinion score in hundredths: 100 is the worst, 450 the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mos(pub u16);

/// What the E-model knows of a codec with its concealment (ITU-T G.113 appendix I).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodecImpairment {
    /// Ie, in tenths.
    pub impairment: u16,
    /// Bpl, the robustness against loss, in tenths.
    pub robustness: u16,
}

impl CodecImpairment {
    /// G.711 with concealment by pitch periods.
    pub const G711: Self = Self { impairment: 0, robustness: 251 };
    /// G.722 with simple concealment; G.113 has no numbers for it on this scale.
    pub const G722: Self = Self { impairment: 0, robustness: 150 };
    /// Opus; G.113 has no numbers for it, these are on the careful side.
    pub const OPUS: Self = Self { impairment: 0, robustness: 200 };
}

/// The mean opinion score of one direction.
///
/// `lost` parts of 65,536 were lost or late at random, and `delay` is the way from mouth to ear.
#[must_use]
pub fn mos(codec: CodecImpairment, lost: u16, delay: Duration) -> Mos {
    let r = rating(codec, lost, delay);
    let score = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 100..=450 first")]
    let hundredths = (score * 100.0).round().clamp(100.0, 450.0) as u16;
    Mos(hundredths)
}

/// The transmission rating behind [`mos`], 0 to 100.
#[must_use]
pub fn r_factor(codec: CodecImpairment, lost: u16, delay: Duration) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rating is 0 to 100")]
    let r = rating(codec, lost, delay).round() as u8;
    r
}

fn rating(codec: CodecImpairment, lost: u16, delay: Duration) -> f64 {
    let percent = f64::from(lost) * 100.0 / 65_536.0;
    let (impairment, robustness) = (f64::from(codec.impairment) / 10.0, f64::from(codec.robustness) / 10.0);
    let ie_eff = impairment + (95.0 - impairment) * percent / (percent + robustness);
    let ms = delay.as_secs_f64() * 1_000.0;
    let id = 0.024 * ms + 0.11 * (ms - 177.3).max(0.0);
    (93.2 - id - ie_eff).clamp(0.0, 100.0)
}

/// The share of `part` in `whole`, in parts of 65,536.
#[must_use]
pub fn share(part: u64, whole: u64) -> u16 {
    let share = part.saturating_mul(65_536).checked_div(whole).unwrap_or(0);
    u16::try_from(share).unwrap_or(u16::MAX)
}

/// One leg's media since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegStats {
    /// Audio packets that came.
    pub received_packets: u64,
    /// Packets lost on the way to us; `None` where RTCP is not ours to do (browsers).
    pub lost_packets: Option<u32>,
    /// Packets that were there already.
    pub duplicate_packets: u64,
    /// Packets that came too late to be played.
    pub late_packets: u64,
    /// Jitter of what comes (RFC 3550).
    pub jitter: Duration,
    /// Delay in our jitter buffer now.
    pub playout_delay: Duration,
    /// Sound played from packets.
    pub played: Duration,
    /// Sound made up because packets were lost or late.
    pub concealed: Duration,
    /// Seconds in which some sound was made up.
    pub concealed_seconds: u32,
    /// Seconds in which more than 50 ms were (RFC 7294).
    pub severely_concealed_seconds: u32,
    /// Packets we sent.
    pub sent_packets: u32,
    /// What the peer reports about what we send.
    pub remote: Option<RemoteReport>,
    /// How the peer hears us, if he says it (RFC 3611).
    pub remote_metrics: Option<VoipMetrics>,
    /// Round trip measured by RTCP.
    pub round_trip: Option<Duration>,
    /// How he sounds to us.
    pub mos_in: Mos,
    /// How we sound to him, if he reports.
    pub mos_out: Option<Mos>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_model() {
        let g711 = |percent: f64, ms| {
            mos(CodecImpairment::G711, (percent * 655.36) as u16, Duration::from_millis(ms)).0
        };
        assert_eq!(g711(0.0, 0), 441, "R = 93.2");
        assert!((400..=410).contains(&g711(3.0, 50)), "{}", g711(3.0, 50));
        assert!(g711(20.0, 50) < 260, "{}", g711(20.0, 50));
        assert!(g711(0.0, 400) < 375, "{}", g711(0.0, 400));
        let falling: Vec<u16> = (0..100).map(|percent| g711(f64::from(percent), 20)).collect();
        assert!(falling.is_sorted_by(|a, b| a >= b));
        assert_eq!(mos(CodecImpairment::OPUS, u16::MAX, Duration::from_secs(9)), Mos(100));
    }

    #[test]
    fn shares_are_bounded() {
        assert_eq!([share(0, 0), share(1, 4), share(4, 4), share(9, 4)], [0, 16_384, u16::MAX, u16::MAX]);
    }
}
