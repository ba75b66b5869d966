//! What is told of calls, meetings held and acts, when they are over. The API sends these as JSON, field for field.

use crate::ids::{CallId, MeetingId, PersonId, UserId};
use crate::live::leg_record::{CallDirection, LegMedia, Quality};
use crate::vocabulary::{Access, CallState, Cause, LegKind, Role, UnixMillis};
use serde::{Deserialize, Serialize};

/// One leg, from its first packet to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cdr {
    /// The record.
    pub id: String,
    /// Where the leg led.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub meeting: MeetingId,
    /// Which time the meeting was held.
    pub instance: Option<String>,
    /// The dial-out, if it was one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub call: Option<CallId>,
    /// Who it carried.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub person: PersonId,
    /// The user, if the person is one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// Their name.
    pub display_name: String,
    /// Their role at the end.
    pub role: Role,
    /// Their access at the end.
    pub access: Access,
    /// Browser or phone.
    pub leg_kind: LegKind,
    /// Who began it.
    pub direction: CallDirection,
    /// The Host who called, if it was a dial-out.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub acting_host: Option<UserId>,
    /// Their name.
    pub acting_host_name: Option<String>,
    /// The number it came from.
    pub from: Option<String>,
    /// The number or device it went to; the meeting's number if it came in.
    pub to: Option<String>,
    /// The device called, as its SIP address.
    pub device: Option<String>,
    /// The trunk it went or came over, by name.
    pub trunk: Option<String>,
    /// The Call-ID of the last INVITE.
    pub sip_call_id: Option<String>,
    /// When it began, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub started_at: UnixMillis,
    /// When it rang.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub ringing_at: Option<UnixMillis>,
    /// When it was picked up.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub answered_at: Option<UnixMillis>,
    /// When it came into the meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub joined_at: Option<UnixMillis>,
    /// When it was over.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub ended_at: Option<UnixMillis>,
    /// Seconds from the answer to the end; none if nobody picked up.
    pub seconds: Option<u64>,
    /// Why it was over.
    pub cause: Option<Cause>,
    /// The SIP status behind it.
    pub sip_code: Option<u16>,
    /// The codec: `pcmu`, `opus`.
    pub codec: Option<String>,
    /// How it sounded, if sound came.
    pub quality: Option<Quality>,
}

/// A page of call records, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cdrs {
    /// The records.
    pub cdrs: Vec<Cdr>,
    /// Send it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// How the media of a meeting's legs is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingMedia {
    /// One row per leg, in the order in which they came; none if nobody is there.
    pub legs: Vec<LegMedia>,
}

/// One time a meeting was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Which time.
    pub id: String,
    /// When somebody came, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub started_at: UnixMillis,
    /// When a Host came.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub active_at: Option<UnixMillis>,
    /// When it was over; none while it runs.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub ended_at: Option<UnixMillis>,
    /// How many people were in at once at most.
    pub peak: u64,
}

/// A page of the times a meeting was held, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instances {
    /// The times.
    pub instances: Vec<Instance>,
    /// Send it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// Who was in a meeting, and who was tried to be had in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attendance {
    /// The one time that was asked for.
    pub instance: Option<Instance>,
    /// One row per person, however often they came.
    pub people: Vec<Attendee>,
}

/// One person's part in a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attendee {
    /// The person.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub person: PersonId,
    /// The user, if the person is one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// Their name.
    pub display_name: String,
    /// Their role, the latest known.
    pub role: Option<Role>,
    /// Their access, the latest known.
    pub access: Option<Access>,
    /// Who invited them, by name.
    pub invited_by: Option<String>,
    /// When they came first.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub first_joined_at: Option<UnixMillis>,
    /// When they left last; none while they are in.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub last_left_at: Option<UnixMillis>,
    /// How long they were in, in milliseconds, all stays together.
    pub present_ms: u64,
    /// Each time they were in.
    pub stays: Vec<Stay>,
    /// Each time they were called, with what came of it.
    pub attempts: Vec<Attempt>,
}

/// One time a person was in a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stay {
    /// From when, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub joined_at: UnixMillis,
    /// Until when; none while they are in.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub left_at: Option<UnixMillis>,
    /// By browser or by phone.
    pub leg_kind: Option<LegKind>,
}

/// One time a person was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// The call.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub call: CallId,
    /// When CALL was pressed, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub at: UnixMillis,
    /// What was dialled.
    pub target: String,
    /// Who called, by name.
    pub acting_host: Option<String>,
    /// What came of it.
    pub state: CallState,
    /// Why.
    pub cause: Option<Cause>,
    /// The SIP status behind it.
    pub sip_code: Option<u16>,
    /// The plain sentence a host reads.
    pub words: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLog {
    /// The acts.
    pub entries: Vec<AuditLine>,
    /// Send it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditLine {
    /// Its place in the log.
    pub id: i64,
    /// When, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub at: UnixMillis,
    /// Who did it; none for what the system does by itself.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub actor: Option<UserId>,
    /// Their name.
    pub actor_name: Option<String>,
    /// What was done: `person.added`.
    pub action: String,
    /// To what: an identifier.
    pub object: String,
    /// What it was before.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub before: Option<serde_json::Value>,
    /// What it was then.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub after: Option<serde_json::Value>,
    /// By which path: `api`, `multi`.
    pub source: String,
}

/// How long records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retention {
    /// Days for which call records, calls and attendance are kept; null keeps them for ever.
    pub keep_days: Option<u32>,
}

/// What erasing a person has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Erased {
    /// Rows of people lists.
    pub people: u64,
    /// Calls.
    pub calls: u64,
    /// Call records.
    pub cdrs: u64,
    /// Lines of attendance.
    pub attendance: u64,
    /// Invitations, mails and webhook deliveries.
    pub mails: u64,
    /// Lines of the audit log in which they were named.
    pub audit: u64,
}
