//! What the Hosts of a meeting may set (I06), kept as JSON in its row: every field has a default.

use crate::vocabulary::{MeetingKind, Role};
use serde::{Deserialize, Serialize};

/// The settings of one meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeetingSettings {
    /// The most people who may be in at once; no bound but the installation's when missing.
    pub max_participants: Option<u32>,
    /// Only people on the list come in: the shared link and the number with the guest PIN do not suffice.
    pub join_needs_invitation: bool,
    /// Whoever comes by the shared link must give the guest PIN; whoever dials in must give one in any case.
    pub join_needs_passcode: bool,
    /// Nobody but a Host comes in before a Host is there: they wait in the lobby (I07).
    pub host_required: bool,
    /// Everybody but Hosts, and but those whom a Host calls, waits in the lobby until a Host admits them.
    pub lobby: bool,
    /// Nobody comes in any more but Hosts and those whom a Host calls (I08).
    pub locked: bool,
    /// Every Host may change these settings; otherwise only the owner.
    pub hosts_may_change_settings: bool,
    /// Only Hosts see who is in.
    pub hide_attendee_list: bool,
    /// Who may speak (I03). In a presentation `everyone` counts as `presenters`.
    pub send_audio: Senders,
    /// Who may send a camera picture (I03). In a presentation `everyone` counts as `presenters`.
    pub send_video: Senders,
    /// Who may share the screen. In a presentation `everyone` counts as `presenters`.
    pub share_screen: Senders,
    /// Whoever comes in is muted until they unmute themselves.
    pub mute_on_entry: bool,
    /// A chime sounds when somebody comes or goes (I57).
    pub chimes: bool,
    /// Above this number of people in the meeting no chime sounds.
    pub chimes_up_to: u32,
    /// A phone is hung up after so many minutes in the meeting (I59).
    pub max_call_minutes: Option<u32>,
    /// Others see a masked number where no name is known; Hosts see all (I60).
    pub number_privacy: bool,
    /// Whether somebody without an account here, a guest or a bare phone number, may be made Host (I73).
    pub outside_host: HostRule,
    /// Seconds an empty meeting waits before it ends; the installation's value when missing (I09).
    pub empty_grace_seconds: Option<u32>,
    /// Seconds a meeting goes on after its last Host has left; the installation's value when missing (I72).
    pub no_host_grace_seconds: Option<u32>,
    /// Guests may have themselves called by phone (I61); the tenant's rules for calling out hold all the same.
    pub guests_may_call_me: bool,
    /// Whoever was invited is reminded by mail ten minutes before a planned start (I18).
    pub reminder: bool,
    /// Chat is offered. Kept for the page.
    pub chat: bool,
    /// Late comers see what was written before. Kept for the page.
    pub chat_history: bool,
    /// Questions and answers are offered. Kept for the page.
    pub questions: bool,
    /// The meeting may be recorded. Kept for the page.
    pub recording: bool,
    /// How the page arranges the pictures.
    pub layout: Layout,
}

impl Default for MeetingSettings {
    fn default() -> Self {
        Self {
            max_participants: None,
            join_needs_invitation: false,
            join_needs_passcode: false,
            host_required: false,
            lobby: false,
            locked: false,
            hosts_may_change_settings: true,
            hide_attendee_list: false,
            send_audio: Senders::Everyone,
            send_video: Senders::Everyone,
            share_screen: Senders::Everyone,
            mute_on_entry: false,
            chimes: true,
            chimes_up_to: 20,
            max_call_minutes: None,
            number_privacy: true,
            outside_host: HostRule::Ask,
            empty_grace_seconds: None,
            no_host_grace_seconds: None,
            guests_may_call_me: false,
            reminder: true,
            chat: true,
            chat_history: true,
            questions: false,
            recording: false,
            layout: Layout::Grid,
        }
    }
}

/// Who may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Senders {
    /// Every role.
    #[default]
    Everyone,
    /// Hosts and Presenters.
    Presenters,
    /// Hosts alone.
    Host,
}

impl Senders {
    /// Whether this role is among them. A presentation never lets Attendees send by their role alone.
    pub fn include(self, role: Role, kind: MeetingKind) -> bool {
        match role {
            Role::Host => true,
            Role::Presenter => self != Self::Host,
            Role::Attendee => self == Self::Everyone && kind == MeetingKind::Conference,
        }
    }
}

/// Whether somebody without an account here may be made Host (I73).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HostRule {
    /// Without asking.
    Allow,
    /// Only if the Host who does it says so once more.
    #[default]
    Ask,
    /// Never.
    Deny,
}

/// How the page arranges the pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Layout {
    /// All alike.
    #[default]
    Grid,
    /// Who speaks is large.
    Spotlight,
    /// The last two who spoke.
    Conversation,
}
