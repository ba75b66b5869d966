//! The words every layer shares: roles, access, call states and the closed list of causes.

pub mod trunk;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch: wall time, for records only. Deadlines use `std::time::Instant`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

/// What a user may do in a tenant, whatever the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TenantRole {
    /// Only meetings invited to; creates none.
    Guest,
    /// Creates meetings, sees own ones and those invited to.
    User,
    /// Reaches every meeting of the tenant.
    SessionAdmin,
    /// All of that, and administers users.
    TenantAdmin,
}

/// The three meeting roles; there is no fourth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Runs the meeting: invites, calls, mutes, changes roles, ends.
    Host,
    /// Speaks and shows in every type of meeting.
    Presenter,
    /// Takes part as the type of meeting allows.
    #[default]
    Attendee,
}

/// Whether a person may send anything at all. `ViewOnly` wins over the role; a Host cannot have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Access {
    /// May send what the role allows.
    #[default]
    Collaborate,
    /// Sees and hears, sends nothing.
    ViewOnly,
}

/// The two types of meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MeetingKind {
    /// Everybody talks.
    #[default]
    Conference,
    /// Only Hosts and Presenters send.
    Presentation,
}

/// How a meeting comes to be: `kind` in the API, whose `type` is [`MeetingKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MeetingForm {
    /// Now, once.
    #[default]
    Instant,
    /// At one time.
    Scheduled,
    /// By a rule; each run is an instance of it.
    Recurring,
    /// Without a time, again and again.
    Room,
}

/// Where a call into a meeting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallState {
    /// Accepted and stored, nothing sent yet.
    Queued,
    /// The INVITE is on its way.
    Dialling,
    /// The far end rings (180) or plays early media (183).
    Ringing,
    /// Picked up.
    Answered,
    /// Picked up and asked to press 1.
    Confirming,
    /// In the meeting.
    Joined,
    /// Was in the meeting and has left.
    Ended,
    /// Never came into the meeting; the cause says why.
    Failed,
    /// Not dialled at all; the cause says why.
    Refused,
    /// Called off by a Host, or because the meeting ended, before it was in the meeting.
    Cancelled,
}

impl CallState {
    /// Whether nothing can follow this state.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Failed | Self::Refused | Self::Cancelled)
    }
}

impl CallState {
    /// The name in the database and in the API, which is also the second half of the event kind (`call.ringing`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Confirming => "confirming",
            Self::Joined => "joined",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }

    /// The plain sentence a host reads while no cause says more ([`Cause::words`] does at the end).
    pub fn words(self) -> &'static str {
        match self {
            Self::Queued => "Waiting to be called",
            Self::Dialling => "Calling",
            Self::Ringing => "Ringing",
            Self::Answered => "Answered",
            Self::Confirming => "Waiting for 1",
            Self::Joined => "In the meeting",
            Self::Ended => "Hung up",
            Self::Failed => "Failed",
            Self::Refused => "Not called",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// Why a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallPurpose {
    /// A Host pressed CALL, or Call again.
    #[default]
    Call,
    /// Somebody has themselves called.
    CallMe,
    /// A Host asked on the row that it be tried again.
    Again,
    /// The connection of a registered device was lost.
    Reconnect,
}

/// Where a meeting stands (I01). The running meeting decides over started, active and ended; the others are the
/// store's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MeetingState {
    /// Being written: nobody but its author knows of it.
    Draft,
    /// Nobody has been in yet.
    #[default]
    Scheduled,
    /// Somebody is in.
    Started,
    /// A Host is or was in.
    Active,
    /// Everybody has left, or a Host ended it. Joining starts it again.
    Ended,
    /// Closed: over for good, unless a Host opens it again.
    Complete,
    /// Called off.
    Cancelled,
}

impl MeetingState {
    /// Whether nobody may come in: not yet a meeting, or no longer one.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Draft | Self::Complete | Self::Cancelled)
    }
}

/// What carries a person's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LegKind {
    /// A browser.
    Webrtc,
    /// A phone: a registered device, or a number behind a trunk.
    Sip,
}

/// Why a call ended or was refused: the closed list of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`words` is the documentation of each cause, for hosts and readers alike")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Cause {
    Busy,
    Declined,
    NoAnswer,
    NotConfirmed,
    NotWorkingNumber,
    NotRegistered,
    NoDevice,
    NoSuchExtension,
    NoCallerId,
    CallerIdNotOwned,
    Emergency,
    DestinationDenied,
    DoNotCall,
    QuietHours,
    RateLimited,
    TrunkBusy,
    TrunkDown,
    MediaFailed,
    NoHost,
    MeetingLocked,
    MeetingEnded,
    AlreadyIn,
    Cancelled,
    HungUp,
    Lost,
    Internal,
    ConfirmNeeded,
    BudgetSpent,
    TooManyAtOnce,
    CallsPaused,
    DialOutOff,
}

impl Cause {
    /// The plain sentence a host reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Busy => "Busy",
            Self::Declined => "Declined",
            Self::NoAnswer => "No answer",
            Self::NotConfirmed => "Did not press 1",
            Self::NotWorkingNumber => "Not a working number",
            Self::NotRegistered => "The device is not registered",
            Self::NoDevice => "No such device",
            Self::NoSuchExtension => "No such extension",
            Self::NoCallerId => "You have no Caller ID set",
            Self::CallerIdNotOwned => "Your Caller ID is not one of your numbers",
            Self::Emergency => "Emergency numbers are not dialled from a meeting",
            Self::DestinationDenied => "Calls to this destination are not allowed",
            Self::DoNotCall => "This number asked not to be called",
            Self::QuietHours => "It is outside calling hours there",
            Self::RateLimited => "Too many calls in a short time",
            Self::TrunkBusy => "All lines are in use",
            Self::TrunkDown => "The carrier has trouble",
            Self::MediaFailed => "No common audio format, or no sound",
            Self::NoHost => "No Host is in the meeting",
            Self::MeetingLocked => "The meeting is locked",
            Self::MeetingEnded => "The meeting has ended",
            Self::AlreadyIn => "Already in the meeting",
            Self::Cancelled => "Cancelled",
            Self::HungUp => "Hung up",
            Self::Lost => "The connection was lost",
            Self::Internal => "An internal fault",
            Self::ConfirmNeeded => "This call must be confirmed first",
            Self::BudgetSpent => "The budget for calls is spent",
            Self::TooManyAtOnce => "Too many calls at the same time",
            Self::CallsPaused => "Calls are paused: they look like misuse",
            Self::DialOutOff => "Calling out is switched off",
        }
    }
}
