//! A meeting as it is now, for people who come late to the event stream. Events carry the same views.

use crate::ids::{CallId, MeetingId, PersonId, UserId};
use crate::live::call::Evidence;
use crate::live::call::story::NextStep;
use crate::vocabulary::{
    Access, CallPurpose, CallState, Cause, LegKind, MeetingKind, MeetingState, Role, UnixMillis,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One running meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeetingSnapshot {
    /// The meeting itself.
    pub meeting: MeetingView,
    /// Everybody known to the running meeting, present or not.
    pub people: Vec<PersonView>,
    /// The calls into it, running ones and the latest finished ones, oldest first.
    pub calls: Vec<CallView>,
    /// Which person each video slot of a listener carries.
    pub slots: BTreeMap<PersonId, Vec<Option<PersonId>>>,
    /// Who speaks.
    pub active_speaker: Option<PersonId>,
}

/// The meeting's own facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeetingView {
    /// The meeting.
    pub id: MeetingId,
    /// The number it is dialled by.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MeetingKind,
    /// Where it stands.
    pub state: MeetingState,
    /// The other user part it is reached by.
    pub alias: Option<String>,
    /// Who created it.
    pub owner: Option<UserId>,
    /// Nobody but Hosts and those they call comes in any more.
    pub locked: bool,
}

/// One person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PersonView {
    /// The person.
    pub id: PersonId,
    /// The user, if the person is one.
    pub user: Option<UserId>,
    /// The name shown.
    pub display_name: String,
    /// The phone number behind the person, in E.164, if there is one.
    pub number: Option<String>,
    /// The role.
    pub role: Role,
    /// The access.
    pub access: Access,
    /// Whether the person is in the meeting.
    pub present: bool,
    /// Whether the person waits in the lobby: they hear music, and nobody hears them.
    pub waiting: bool,
    /// By browser or by phone, while present.
    pub leg_kind: Option<LegKind>,
    /// Muted by a Host.
    pub muted_by_host: bool,
    /// Muted by oneself.
    pub muted_by_self: bool,
    /// The hand is raised.
    pub hand_raised: bool,
    /// An Attendee whom a Host lets speak in a presentation.
    pub may_speak: bool,
    /// Their phone's connection was lost; role and place are kept for when they come back.
    pub lost: bool,
    /// Their device is being called again by itself.
    pub reconnecting: bool,
    /// For callers from outside: `TN-Validation-Passed-A` (or B, C), `TN-Validation-Failed`, `No-TN-Validation`; null where
    /// nothing is checked.
    pub verstat: Option<String>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallView {
    /// The call. `id` repeats it for readers that treat calls and people alike.
    pub call: CallId,
    /// The same again.
    pub id: CallId,
    /// Who is called.
    pub person: PersonId,
    /// Where it stands.
    pub state: CallState,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The SIP status behind the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip_code: Option<u16>,
    /// The plain sentence a host reads.
    pub words: String,
    /// What may be done next.
    pub next: NextStep,
    /// The far end sends sound though nobody has picked up.
    pub early_media: bool,
    /// Why it is made.
    pub purpose: CallPurpose,
    /// When it began to ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rang_at: Option<UnixMillis>,
    /// The far end's own words with its last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier_words: Option<String>,
    /// What was dialled, as a host reads it: "Desk phone 103a" or the number.
    pub target: String,
    /// The name of the person called.
    pub display_name: String,
    /// The role the person comes in with.
    pub role: Role,
    /// The number dialled, in E.164, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What is known of who picked up, once somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// When the state was entered.
    pub at: UnixMillis,
}
