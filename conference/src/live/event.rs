//! What leaves the running meetings for the event stream and for the database.

use super::leg_record::{InstanceRecord, LegRecord};
use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::live::call::Evidence;
use crate::live::ladder::Rung;
use crate::vocabulary::{Access, CallState, Cause, LegKind, MeetingState, Role, UnixMillis};
use serde::Serialize;
use sip_core::ua::{AddressOfRecord, BindingInfo, TrunkId};

/// One event of the stream: kinds and data are those of docs/API.md.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PublicEvent {
    /// Whose event it is; nobody of another tenant ever sees it.
    pub tenant: TenantId,
    /// The meeting it belongs to, if any.
    pub meeting: Option<MeetingId>,
    /// Such as `call.ringing`.
    pub kind: &'static str,
    /// When it happened.
    pub at: UnixMillis,
    /// The details of this kind.
    pub data: serde_json::Value,
}

/// What a step of a call tells beside its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallStory {
    /// The far end sends sound before it picks up: a ringing tone, or an announcement.
    pub early_media: bool,
    /// The reason phrase of the far end's last answer.
    pub carrier_words: Option<String>,
    /// The trunk of the attempt in hand.
    pub trunk: Option<TrunkId>,
}

/// One fact to be written down. Records of one call or person come in the order in which things happened.
#[derive(Clone, Debug)]
pub enum Record {
    /// A call has entered a state, or something worth a line happened in it.
    CallState {
        /// Which call.
        call: CallId,
        /// The state it is in now.
        state: CallState,
        /// Why, if it is over.
        cause: Option<Cause>,
        /// The SIP status behind it, if one was received.
        sip_code: Option<u16>,
        /// More words for the record, such as the carrier's reason phrase.
        detail: Option<String>,
        /// When.
        at: UnixMillis,
        /// The Call-ID of the INVITE in hand.
        sip_call_id: String,
        /// What else is known of it.
        story: CallStory,
    },
    /// What is known of who picked up a call (I50).
    CallEvidence {
        /// Which call.
        call: CallId,
        /// What is known.
        evidence: Evidence,
        /// When.
        at: UnixMillis,
    },
    /// The SIP messages of a call that is over.
    Ladder {
        /// Which call.
        call: CallId,
        /// Its messages, without secrets.
        rungs: Vec<Rung>,
        /// When.
        at: UnixMillis,
    },
    /// A person called asked not to be called again (I42).
    DoNotCall {
        /// By whom.
        tenant: TenantId,
        /// Their number, in E.164.
        e164: String,
        /// The call in which they pressed the key, if it was one of ours.
        call: Option<CallId>,
        /// When.
        at: UnixMillis,
    },
    /// A meeting has entered a state.
    MeetingState {
        /// Which meeting.
        meeting: MeetingId,
        /// The state it is in now.
        state: MeetingState,
        /// When.
        at: UnixMillis,
    },
    /// A meeting was locked or unlocked from within.
    MeetingLocked {
        /// Which meeting.
        meeting: MeetingId,
        /// Locked or not.
        locked: bool,
        /// When.
        at: UnixMillis,
    },
    /// A role was changed from within: somebody has taken over as Host.
    RoleChanged {
        /// Where.
        meeting: MeetingId,
        /// Whose.
        person: PersonId,
        /// The new role.
        role: Role,
        /// When.
        at: UnixMillis,
    },
    /// A person has come in.
    PersonJoined {
        /// Where.
        meeting: MeetingId,
        /// Which time the meeting was held.
        instance: Option<String>,
        /// Who.
        person: PersonId,
        /// The user, if the person is one.
        user: Option<UserId>,
        /// The name shown.
        display_name: String,
        /// The role on entering.
        role: Role,
        /// The access on entering.
        access: Access,
        /// By browser or by phone.
        leg_kind: LegKind,
        /// When.
        at: UnixMillis,
    },
    /// A person has left.
    PersonLeft {
        /// Where.
        meeting: MeetingId,
        /// Which time the meeting was held.
        instance: Option<String>,
        /// Who.
        person: PersonId,
        /// When.
        at: UnixMillis,
    },
    /// A meeting is held: begun, became active, has more people than before, or is over.
    Instance(Box<InstanceRecord>),
    /// A leg has begun, or has come into its meeting.
    LegUp(Box<LegRecord>),
    /// A leg is over: its one record.
    LegOver(Box<LegRecord>),
    /// A device has registered or refreshed its registration.
    Binding {
        /// The binding as the registrar holds it.
        binding: Box<BindingInfo>,
        /// When.
        at: UnixMillis,
    },
    /// An address guessed passwords and gets no answer for a while.
    Banned {
        /// Which one.
        address: std::net::IpAddr,
        /// Until when.
        until: UnixMillis,
        /// When.
        at: UnixMillis,
    },
    /// A device is no longer registered.
    BindingGone {
        /// Which device.
        device: AddressOfRecord,
        /// When.
        at: UnixMillis,
    },
}
