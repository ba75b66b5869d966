//! What is written down of one leg and of one meeting held: the call record, kept with the leg until both are over.

use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::vocabulary::{Access, Cause, LegKind, Role, UnixMillis};
use media::quality::LegStats;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallDirection {
    /// They came to us.
    In,
    /// We called them.
    Out,
}

/// One leg, from its first packet to its last (D64).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegRecord {
    /// The record.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Where it led.
    pub meeting: MeetingId,
    /// Which time the meeting was held.
    pub instance: Option<String>,
    /// The dial-out, if it was one.
    pub call: Option<CallId>,
    /// Who it carried.
    pub person: PersonId,
    /// The user, if the person is one.
    pub user: Option<UserId>,
    /// Their name.
    pub display_name: String,
    /// Their role at the end.
    pub role: Role,
    /// Their access at the end.
    pub access: Access,
    /// Browser or phone.
    pub kind: LegKind,
    /// Who began it.
    pub direction: CallDirection,
    /// The Host who called, if it was a dial-out.
    pub acting_host: Option<UserId>,
    /// The number or name it came from.
    pub from: Option<String>,
    /// The number or address it went to.
    pub to: Option<String>,
    /// The device called, as its address of record.
    pub device: Option<String>,
    /// The trunk it went or came over.
    pub trunk: Option<u64>,
    /// The Call-ID of the last INVITE.
    pub sip_call_id: Option<String>,
    /// When it began.
    pub started_at: UnixMillis,
    /// When it rang.
    pub ringing_at: Option<UnixMillis>,
    /// When it was picked up.
    pub answered_at: Option<UnixMillis>,
    /// When it came into the meeting.
    pub joined_at: Option<UnixMillis>,
    /// When it was over.
    pub ended_at: Option<UnixMillis>,
    /// Why it was over.
    pub cause: Option<Cause>,
    /// The SIP status behind it.
    pub sip_code: Option<u16>,
    /// `pcmu`, `opus`.
    pub codec: Option<String>,
    /// How it sounded.
    pub quality: Option<Quality>,
}

/// How a leg sounded, as numbers that a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quality {
    /// Audio packets that came.
    pub received_packets: u64,
    /// Audio packets sent.
    pub sent_packets: u64,
    /// Packets lost on the way to us, where that is known.
    pub lost_packets: Option<u64>,
    /// The part of the sound that had to be made up because packets were lost or late, in millionths.
    pub loss_ppm: u64,
    /// Jitter of what came, in microseconds.
    pub jitter_us: u64,
    /// Round trip, in microseconds, where it is known.
    pub round_trip_us: Option<u64>,
    /// Mean opinion score of what came, in hundredths: 100 to 450.
    pub mos_in: u16,
    /// Mean opinion score of what went out, where the far end reports.
    pub mos_out: Option<u16>,
    /// Sound made up, in milliseconds.
    pub concealed_ms: Option<u64>,
    /// Seconds in which some was made up.
    pub concealed_seconds: Option<u64>,
    /// Seconds in which more than 50 ms were made up (RFC 7294).
    pub severely_concealed_seconds: Option<u64>,
    /// Delay of the jitter buffer at the end, in microseconds.
    pub buffer_us: Option<u64>,
    /// What the far end lost or threw away of what was sent to it, in millionths, where it reports.
    pub remote_loss_ppm: Option<u64>,
    /// The jitter it saw, in microseconds.
    pub remote_jitter_us: Option<u64>,
}

impl From<&LegStats> for Quality {
    fn from(stats: &LegStats) -> Self {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (played, made_up) = (us(stats.played), us(stats.concealed));
        let whole = played.saturating_add(made_up);
        Self {
            received_packets: stats.received_packets,
            sent_packets: u64::from(stats.sent_packets),
            lost_packets: stats.lost_packets.map(u64::from),
            loss_ppm: made_up.saturating_mul(1_000_000).checked_div(whole).unwrap_or(0),
            jitter_us: us(stats.jitter),
            round_trip_us: stats.round_trip.map(us),
            mos_in: stats.mos_in.0,
            mos_out: stats.mos_out.map(|mos| mos.0),
            concealed_ms: Some(made_up / 1_000),
            concealed_seconds: Some(u64::from(stats.concealed_seconds)),
            severely_concealed_seconds: Some(u64::from(stats.severely_concealed_seconds)),
            buffer_us: Some(us(stats.playout_delay)),
            remote_loss_ppm: remote_loss(stats),
            remote_jitter_us: stats.remote.map(|remote| us(remote.jitter)),
        }
    }
}

/// By the far end's metrics, which know what it threw away (RFC 3611), else by its plain report.
fn remote_loss(stats: &LegStats) -> Option<u64> {
    if let Some(metrics) = stats.remote_metrics {
        return Some(u64::from(metrics.missing()) * 1_000_000 / 256);
    }
    let lost = u64::try_from(stats.remote?.cumulative_lost).unwrap_or(0);
    Some(lost.saturating_mul(1_000_000).checked_div(u64::from(stats.sent_packets)).unwrap_or(0))
}

/// How the media of one leg is now, as far as was told in the last five seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LegMedia {
    /// Whom the leg carries.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub person: PersonId,
    /// Their name.
    pub display_name: String,
    /// Browser or phone.
    pub leg_kind: LegKind,
    /// The dial-out, if it was one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub call: Option<CallId>,
    /// `pcmu`, `opus`.
    pub codec: Option<String>,
    /// When it began, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub started_at: UnixMillis,
    /// Counted since then; none while nothing has been told.
    pub quality: Option<Quality>,
}

impl From<&LegRecord> for LegMedia {
    fn from(record: &LegRecord) -> Self {
        Self {
            person: record.person.clone(),
            display_name: record.display_name.clone(),
            leg_kind: record.kind,
            call: record.call.clone(),
            codec: record.codec.clone(),
            started_at: record.started_at,
            quality: record.quality,
        }
    }
}

/// One time that a meeting is held: from the first person's coming to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRecord {
    /// Which time.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which meeting.
    pub meeting: MeetingId,
    /// When somebody came.
    pub started_at: UnixMillis,
    /// When a Host came.
    pub active_at: Option<UnixMillis>,
    /// When it was over.
    pub ended_at: Option<UnixMillis>,
    /// How many people were in at once at most.
    pub peak: usize,
}
