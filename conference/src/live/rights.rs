//! The table of roles in force: who may do what in a meeting with these settings (I70).
//!
//! The services ask here before they carry anything out, and the plan of every leg is made from it, so that what is
//! refused by the API is not heard either.

use crate::live::meeting::MeetingSpec;
use crate::live::policy::Action;
use crate::live::refusal::{Refusal, RefusalKind};
use crate::live::settings::{HostRule, MeetingSettings, Senders};
use crate::vocabulary::{Access, MeetingKind, Role};

/// What decides besides the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The type of meeting.
    pub kind: MeetingKind,
    /// Who may speak.
    pub send_audio: Senders,
    /// Who may send a camera picture.
    pub send_video: Senders,
    /// Who may share the screen.
    pub share_screen: Senders,
    /// Attendees do not see who is in.
    pub hide_attendee_list: bool,
}

impl Rules {
    /// The rules of a meeting in which nothing was set.
    pub fn of(kind: MeetingKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

impl From<&MeetingSpec> for Rules {
    fn from(spec: &MeetingSpec) -> Self {
        Self::new(spec.kind, &spec.settings)
    }
}

impl Rules {
    /// The rules of a meeting of this type with these settings.
    pub fn new(kind: MeetingKind, settings: &MeetingSettings) -> Self {
        Self {
            kind,
            send_audio: settings.send_audio,
            send_video: settings.send_video,
            share_screen: settings.share_screen,
            hide_attendee_list: settings.hide_attendee_list,
        }
    }
}

/// What decides about the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    /// The role.
    pub role: Role,
    /// The access. VIEW ONLY wins over the role for everything that is sent (I78).
    pub access: Access,
    /// A Host lets this Attendee of a presentation speak.
    pub may_speak: bool,
}

/// Whether somebody of this rank may do this under these rules.
pub fn may(action: Action, rules: &Rules, rank: &Rank) -> bool {
    let collaborates = rank.access == Access::Collaborate;
    let among = |senders: Senders| senders.include(rank.role, rules.kind);
    match action {
        Action::HearAndSee => true,
        Action::SeePeople => !rules.hide_attendee_list || (collaborates && rank.role != Role::Attendee),
        Action::Speak => collaborates && (among(rules.send_audio) || rank.may_speak),
        Action::Camera => collaborates && among(rules.send_video),
        Action::ShareScreen => collaborates && among(rules.share_screen),
        Action::ChatToAll => {
            collaborates && (rank.role != Role::Attendee || rules.kind == MeetingKind::Conference)
        }
        Action::ChatToHosts => collaborates,
        Action::Invite | Action::Moderate => collaborates && rank.role == Role::Host,
    }
}

/// Whether somebody without an account here, a guest or a bare phone number, may be made Host (I73). `confirmed` says
/// that the Host who does it was asked.
///
/// # Errors
/// Forbidden or, if only the confirmation is missing, a conflict that asks for it.
pub fn check_outside_host(rule: HostRule, confirmed: bool) -> Result<(), Refusal> {
    match rule {
        HostRule::Allow => Ok(()),
        HostRule::Ask if confirmed => Ok(()),
        HostRule::Ask => {
            Err(Refusal::new(RefusalKind::Conflict, "this makes a Host of somebody who has no account here")
                .field("confirm")
                .mend("Send \"confirm\": true if that is meant"))
        }
        HostRule::Deny => Err(Refusal::new(
            RefusalKind::Forbidden,
            "nobody without an account here may be Host of this meeting",
        )
        .field("role")
        .mend("Choose Presenter, or change the setting outside_host")),
    }
}

#[cfg(test)]
#[path = "tests/rights.rs"]
mod tests;
