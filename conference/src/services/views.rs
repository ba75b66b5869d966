//! What services answer with. The API sends these as JSON, field for field.

use crate::ids::{CallId, DeviceName, MeetingId, PersonId, UserId};
use crate::live::call::Evidence;
use crate::live::call::story::NextStep;
use crate::live::number::NumberClass;
use crate::live::policy::dial::{Confirmation, Verdict};
use crate::live::settings::MeetingSettings;
use crate::vocabulary::{
    Access, CallPurpose, CallState, Cause, LegKind, MeetingForm, MeetingKind, MeetingState, Role, TenantRole,
    UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The logged-in user's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The user.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: UserId,
    /// The name shown to others.
    pub display_name: String,
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
    /// What is typed at login.
    pub login: String,
    /// Extension, if there is one.
    pub extension: Option<String>,
    /// Rights in the tenant.
    pub tenant_role: TenantRole,
    /// The tenant's name.
    pub tenant: String,
    /// What calls of this user show, if it is set.
    pub caller_id: Option<CallerId>,
}

/// What calls of a user show to those called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallerId {
    /// E.164.
    pub number: String,
    /// The name beside it.
    pub display: String,
}

/// A colleague.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The user.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: UserId,
    /// The name shown.
    pub display_name: String,
    /// Extension, if there is one.
    pub extension: Option<String>,
    /// Where invitations go.
    pub mail: Option<String>,
    /// Their devices, registered or not.
    pub devices: Vec<Device>,
}

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its name, the user part of its SIP address.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: DeviceName,
    /// What it is: `desk phone`.
    pub kind: String,
    /// What a host reads: `Desk phone 103a`.
    pub label: String,
    /// Whether it is registered at this moment.
    pub registered: bool,
}

/// A meeting as its people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Meeting {
    /// The meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: MeetingId,
    /// Nine digits.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MeetingKind,
    /// How it comes to be.
    #[serde(rename = "kind")]
    pub form: MeetingForm,
    /// Where it stands.
    pub state: MeetingState,
    /// Who owns it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub owner: Option<UserId>,
    /// A second user part of its SIP address.
    pub alias: Option<String>,
    /// The shared join link.
    pub link: String,
    /// When it was created, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// What it is about.
    pub description: Option<String>,
    /// The place it stands for.
    pub site: Option<String>,
    /// The first start, in milliseconds since the Unix epoch; none for instant meetings and rooms.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub start: Option<UnixMillis>,
    /// Minutes.
    pub duration_minutes: Option<i64>,
    /// The IANA name of the time zone its times and its rule are read in.
    pub time_zone: Option<String>,
    /// The rule of a recurring meeting (RFC 5545 section 3.3.10).
    pub rrule: Option<String>,
    /// When, in words and in the meeting's own time zone.
    pub when: Option<String>,
    /// What its Hosts have set.
    pub settings: MeetingSettings,
    /// The role of those who come without an invitation.
    pub default_role: Role,
    /// Nobody but Hosts and those they call comes in any more.
    pub locked: bool,
    /// Who is on its list, as far as the asker may see it.
    pub people: Vec<Person>,
    /// The asker's own role; none for an admin who is not on the list.
    pub my_role: Option<Role>,
}

/// A person of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// The person in this meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: PersonId,
    /// The user, if the person is one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user: Option<UserId>,
    /// The name shown.
    pub display_name: String,
    /// The number behind the person; its last digits only for those who are no Host (I60).
    pub number: Option<String>,
    /// The address behind the person; for Hosts only.
    pub email: Option<String>,
    /// The role.
    pub role: Role,
    /// Whether they may send anything.
    pub access: Access,
    /// By which way they came: `owner`, `people`, `call`, `link`, `direct`, `admin`.
    pub source: String,
    /// Whether they are in the meeting.
    pub present: bool,
    /// Whether they wait in the lobby.
    pub waiting: bool,
    /// By browser or by phone, while present.
    pub leg_kind: Option<LegKind>,
    /// Muted by a Host.
    pub muted_by_host: bool,
    /// Muted by themselves.
    pub muted_by_self: bool,
    /// The hand is raised.
    pub hand_raised: bool,
    /// An Attendee whom a Host lets speak in a presentation.
    pub may_speak: bool,
    /// For callers from outside, where signatures are checked: whether the number shown can be believed,
    /// `TN-Validation-Passed-A` (or B, C), `TN-Validation-Failed`, `No-TN-Validation`.
    pub verstat: Option<String>,
    /// Their own PIN for dialling in; for Hosts only.
    pub pin: Option<String>,
    /// Their personal join link; for Hosts only.
    pub link: Option<String>,
    /// What became of their invitation; for Hosts only.
    pub invitation: Option<Invitation>,
}

/// What is pasted into a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinInfo {
    /// The whole block as plain text.
    pub text: String,
    /// The shared link.
    pub link: String,
    /// Nine digits.
    pub meeting_number: String,
    /// The meeting's title.
    pub title: String,
    /// What SIP phones dial.
    pub sip_uri: String,
    /// When, in words and in the meeting's own time zone; none for instant meetings and rooms.
    pub when: Option<String>,
    /// The first start, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub start: Option<UnixMillis>,
    /// The first start on the clock of the meeting's time zone.
    pub start_local: Option<String>,
    /// Minutes.
    pub duration_minutes: Option<i64>,
    /// The IANA name of the time zone.
    pub time_zone: Option<String>,
    /// The rule of a recurring meeting.
    pub rrule: Option<String>,
    /// The numbers to dial, the local one first.
    pub dial_in: Vec<DialIn>,
    /// What a mobile phone dials by itself, for each of these numbers.
    pub one_tap: Vec<String>,
    /// What guests key in.
    pub guest_pin: Option<String>,
    /// What makes a Host of whoever keys it in; for Hosts only.
    pub host_pin: Option<String>,
    /// The asker's own PIN.
    pub personal_pin: Option<String>,
}

/// A number people dial to come into a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DialIn {
    /// E.164.
    pub number: String,
    /// As people read it.
    pub display: String,
    /// Its country (ISO 3166).
    pub country: Option<String>,
}

/// One run of a planned meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Occurrence {
    /// When it begins, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub start: UnixMillis,
    /// When it is over.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub end: UnixMillis,
    /// The start on the clock of the meeting's time zone.
    pub start_local: String,
    /// The offset of that clock at that time, such as `-06:00`.
    pub utc_offset: String,
}

/// One page of the list of meetings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingPage {
    /// Newest first.
    pub meetings: Vec<MeetingSummary>,
    /// What to send as `after` for the next page; none at the end.
    pub next: Option<String>,
}

/// A meeting in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingSummary {
    /// The meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: MeetingId,
    /// Nine digits; empty for a draft.
    pub number: String,
    /// Its title.
    pub title: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MeetingKind,
    /// How it comes to be.
    #[serde(rename = "kind")]
    pub form: MeetingForm,
    /// Where it stands.
    pub state: MeetingState,
    /// Who owns it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub owner: Option<UserId>,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// A second user part of its SIP address.
    pub alias: Option<String>,
    /// The place it stands for.
    pub site: Option<String>,
    /// The shared join link; empty for a draft.
    pub link: String,
    /// When it was created, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// The first start.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub start: Option<UnixMillis>,
    /// The start of the run that is on, or of the next one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub next_start: Option<UnixMillis>,
    /// Minutes.
    pub duration_minutes: Option<i64>,
    /// The IANA name of the time zone.
    pub time_zone: Option<String>,
    /// When, in words and in the meeting's own time zone.
    pub when: Option<String>,
    /// How many people are on its list.
    pub people_count: i64,
    /// The asker's own role; none for an admin who is not on the list.
    pub my_role: Option<Role>,
}

/// What a join link leads to, before it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinPreview {
    /// The meeting.
    pub meeting: JoinMeeting,
    /// Whose link it is; none for the shared link.
    pub person: Option<JoinPerson>,
}

/// A meeting, as much as a link tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinMeeting {
    /// The meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: MeetingId,
    /// Its title.
    pub title: String,
}

/// The person behind a personal link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinPerson {
    /// The name shown.
    pub display_name: String,
    /// The role they enter with.
    pub role: Role,
}

/// The answer to using a join link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    /// A token for this one meeting.
    pub token: String,
    /// The meeting.
    pub meeting: Meeting,
    /// Who the token stands for.
    pub person: Person,
}

/// What a typed text is taken to mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resolution {
    /// The text as it was sent.
    pub text: String,
    /// The best match first; never empty.
    pub matches: Vec<Match>,
}

/// One thing a text may mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Match {
    /// What it is.
    pub kind: MatchKind,
    /// The user, if it is one.
    pub user: Option<User>,
    /// The device, if one was meant.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub device: Option<DeviceName>,
    /// The number in E.164, if it is one.
    pub number: Option<String>,
    /// The address, if it is one of nobody here.
    pub email: Option<String>,
    /// What a host reads: a name, or the number as +1 202 555 0177.
    pub display: String,
    /// Whether this is a user of the tenant.
    pub registered: bool,
    /// What to warn of: shown as (!) beside the text.
    pub flag: Option<Flag>,
    /// Whether the user is on the list of the meeting asked about, or in it.
    pub in_meeting: Option<InMeeting>,
    /// Why it cannot be used, from the closed list.
    pub reason: Option<Cause>,
    /// The same in a sentence.
    pub detail: Option<String>,
    /// What would help.
    pub mend: Option<String>,
}

/// A warning beside a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Flag {
    /// Not registered with the asker's company. It says nothing of others.
    NotRegistered,
}

/// Where a user stands with a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InMeeting {
    /// On its list.
    Invited,
    /// In it at this moment.
    Present,
}

/// The kinds of [`Match`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MatchKind {
    /// A user, by name, number or address.
    User,
    /// One device of a user, by its name.
    Device,
    /// A number nobody here owns.
    Number,
    /// The same, written as number@domain.
    PhoneAddress,
    /// An address nobody here owns.
    Email,
    /// A user, by extension.
    Extension,
    /// Understood, but not to be used; `reason` says why.
    Refused,
    /// Nobody and nothing.
    Unknown,
}

/// The answer to one target of CALL, and what is stored for a repeated request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallAnswer {
    /// The call; none in a preview.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<CallId>,
    /// `queued`, or `refused` with a reason.
    pub state: CallState,
    /// The person called.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// What a host reads: a name, or the number as typed.
    pub display: String,
    /// The number in E.164, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The device that will ring, if it is one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceName>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cause>,
    /// The refusal in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// What would be dialled, shown and paid: the same in the preview and in the answer to CALL.
    #[serde(flatten)]
    pub facts: CallFacts,
}

/// What would be dialled, shown and paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallFacts {
    /// The policy's answer in one word.
    pub verdict: Verdict,
    /// What must be confirmed: send the same words as `confirm` with the target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirm: Vec<Confirmation>,
    /// Which rule or limit said so, a word for each: `country`, `host_per_minute`, `tenant_budget` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The number's country (ISO 3166).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The number's class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_class: Option<NumberClass>,
    /// What time it is there: `23:10`, or `20:10 to 23:10` where the number does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_time: Option<String>,
    /// The time zone there, if there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The trunk that is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// What the person called is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<ShownCallerId>,
    /// The price class, if one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_class: Option<String>,
    /// What a minute costs, in thousandths of the currency's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_minute_milli: Option<u32>,
    /// The currency, as ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Keys are pressed after the answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sends_keys: bool,
    /// They are in the meeting, or being called, already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub already_in: bool,
}

/// What the person called is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShownCallerId {
    /// E.164.
    pub number: String,
    /// The name beside it.
    pub display: String,
    /// Neither is shown.
    pub hidden: bool,
    /// A, B or C: how the carrier vouches for it (RFC 8588), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<String>,
}

/// A call that will be made again by itself, because a Host asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgainView {
    /// How long after the call has failed.
    pub after_seconds: u64,
    /// How often still.
    pub times_left: u32,
    /// `waiting`, `done` or `cancelled`.
    pub state: String,
    /// Why it is not done.
    pub detail: Option<String>,
    /// When it is due, once the call has failed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub due_at: Option<UnixMillis>,
}

/// A call into a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Call {
    /// The call.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: CallId,
    /// Into which meeting.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub meeting: MeetingId,
    /// Who is called.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub person: Option<PersonId>,
    /// The Host whose caller ID is shown.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub acting_host: UserId,
    /// The earlier call this one repeats.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub retry_of: Option<CallId>,
    /// What is dialled, as a host reads it: `Desk phone 103a`, `+12025550177`.
    pub target: String,
    /// The device, if it is one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub device: Option<DeviceName>,
    /// The number in E.164, if it is one.
    pub number: Option<String>,
    /// The name of the person called.
    pub display_name: String,
    /// The role they come in with.
    pub role: Role,
    /// The access they come in with.
    pub access: Access,
    /// The number shown to them, in E.164.
    pub caller_number: Option<String>,
    /// Where it stands.
    pub state: CallState,
    /// Why it is over.
    pub cause: Option<Cause>,
    /// The SIP status behind the cause.
    pub sip_code: Option<u16>,
    /// The plain sentence a host reads.
    pub words: String,
    /// More about it, such as the carrier's own words.
    pub detail: Option<String>,
    /// When CALL was pressed, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// When it was picked up.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub answered_at: Option<UnixMillis>,
    /// When it was over.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub ended_at: Option<UnixMillis>,
    /// What may be done next.
    pub next: NextStep,
    /// Why it was made.
    pub purpose: CallPurpose,
    /// How long it rang, or rings.
    pub ring_seconds: Option<u64>,
    /// There was sound before the answer.
    pub early_media: bool,
    /// The far end's own words with its last answer.
    pub carrier_words: Option<String>,
    /// What is known of who picked up, of a call that had to be confirmed.
    pub evidence: Option<Evidence>,
    /// The trunk of the last attempt.
    pub trunk: Option<u64>,
    /// The number's country (ISO 3166).
    pub country: Option<String>,
    /// The price class, if one fits.
    pub price_class: Option<String>,
    /// What a minute costs, in thousandths of the currency's unit.
    pub price_per_minute_milli: u32,
    /// What the Host confirmed.
    pub confirmed: Vec<String>,
    /// Calling again by itself, if a Host asked for it.
    pub again: Option<AgainView>,
}

/// A call with everything that happened to it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallRecord {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// Its steps.
    pub events: Vec<CallEvent>,
}

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallEvent {
    /// When, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub at: UnixMillis,
    /// The state it entered.
    pub state: CallState,
    /// Why, if it is over.
    pub cause: Option<Cause>,
    /// The SIP status behind it.
    pub sip_code: Option<u16>,
    /// The plain sentence a host reads.
    pub words: String,
    /// More about it.
    pub detail: Option<String>,
    /// What could be done then.
    pub next: NextStep,
    /// There was sound before the answer.
    pub early_media: bool,
    /// The far end's own words.
    pub carrier_words: Option<String>,
    /// The trunk of that attempt.
    pub trunk: Option<u64>,
}

/// A meeting as it is now, for those who open the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The meeting.
    pub meeting: Meeting,
    /// Its people.
    pub people: Vec<Person>,
    /// Running calls and the latest finished ones, oldest first, as in the events; those from before a restart too.
    pub calls: Vec<serde_json::Value>,
    /// Whom each video slot of a listener carries.
    pub slots: BTreeMap<PersonId, Vec<Option<PersonId>>>,
    /// Who speaks.
    pub active_speaker: Option<PersonId>,
}

/// The mail that told a person of a meeting, and their answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Where it stands.
    pub status: InvitationStatus,
    /// When it was sent, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub sent_at: Option<UnixMillis>,
    /// Why it was not sent, or not yet.
    pub error: Option<String>,
    /// Whether they will come.
    pub rsvp: Option<Rsvp>,
    /// When they said so.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub rsvp_at: Option<UnixMillis>,
}

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InvitationStatus {
    /// Written down, to be sent.
    Queued,
    /// Queued, while no mail server is configured.
    NotSent,
    /// The mail server has taken it.
    Sent,
    /// Refused, or not taken for days.
    Failed,
    /// There is no address to send it to.
    NoAddress,
    /// Taken back.
    Cancelled,
}

/// An answer to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Rsvp {
    /// Will come.
    Accepted,
    /// May come.
    Tentative,
    /// Will not come.
    Declined,
}

/// The answer to one target of SEND INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InviteAnswer {
    /// What became of it.
    pub state: InviteState,
    /// The person, unless the target was refused.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// What a host reads: a name, or the text as typed.
    pub display: String,
    /// More about it in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// What became of one target of SEND INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InviteState {
    /// A mail is on its way.
    Queued,
    /// A mail is written, and waits until a mail server is configured.
    NotSent,
    /// Invited before: role and access are the new ones, no second mail is sent.
    AlreadyInvited,
    /// In the meeting at this moment: role and access are the new ones, no mail is sent.
    AlreadyIn,
    /// On the list, but there is no address to send a mail to.
    NoAddress,
    /// Not invited; `detail` says why.
    Refused,
}

/// What an invited person sees before they answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RsvpView {
    /// The meeting's title.
    pub title: String,
    /// Who is asked.
    pub display_name: String,
    /// The answer so far.
    pub rsvp: Option<Rsvp>,
}

/// What a mail that came back was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InboundKind {
    /// A mail server has given up; the person's row says so.
    DeliveryReport,
    /// The answer of a calendar; the person's row has it.
    Reply,
    /// Nothing that changes anything.
    Ignored,
}

/// What became of a mail that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InboundMail {
    /// What it was.
    pub kind: InboundKind,
    /// One sentence.
    pub detail: String,
    /// The meeting it is about; the first one of a digest.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub meeting: Option<MeetingId>,
    /// The person whose row has changed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub person: Option<PersonId>,
}

/// A user's own settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// The user.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: UserId,
    /// The name shown to others.
    pub display_name: String,
    /// E-mail addresses, oldest first.
    pub emails: Vec<String>,
    /// The one of them that invitations go to.
    pub invitation_address: Option<String>,
    /// Own outside numbers, in E.164.
    pub phones: Vec<String>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its identifier.
    pub id: String,
    /// Where events go.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// The kinds (`call.joined`) and groups (`call.*`) it gets; empty for all.
    pub events: Vec<String>,
    /// Whether it gets any.
    pub enabled: bool,
    /// Events that were lost to it because too many waited.
    pub dropped: u64,
    /// When it was created, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// The key of its signatures: shown once, when it is made or renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Something that was sent, or is to be: a mail or a webhook delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outgoing {
    /// Its identifier.
    pub id: String,
    /// `mail` or `webhook`.
    pub channel: String,
    /// `request`, `cancel`, `digest`, `reminder`, or the kind of the event.
    pub kind: String,
    /// The event, for webhook deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The meeting, if it is about one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub meeting: Option<MeetingId>,
    /// Whom it goes to.
    pub recipient: String,
    /// `queued`, `sent`, `failed` (given up) or `superseded` (taken back before it was sent).
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The receiver's latest code.
    pub code: Option<u16>,
    /// What went wrong at the latest attempt.
    pub error: Option<String>,
    /// When it was written, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub created_at: UnixMillis,
    /// When it is tried next, while it is queued.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub next_attempt_at: Option<UnixMillis>,
    /// When it was sent or given up.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub finished_at: Option<UnixMillis>,
}
