//! Who may do what, and which number may be dialled.
//!
//! One engine: the preview of a call, the real dial and the mixer's plan all ask here, so that a preview cannot lie
//! and no packet is mixed before the rule was asked.
//!
//! | module | question it answers |
//! |---|---|
//! | [`rules`] | what the tenant has set |
//! | [`usage`] | what was dialled and spent so far, and what is left |
//! | [`region`] | what time it is where a number is |
//! | [`dial`] | may this call be made |

pub mod dial;
pub mod region;
pub mod rules;
pub mod usage;

use crate::live::emergency;
use crate::live::refusal::{Refusal, RefusalKind};
use crate::live::rights::{self, Rank, Rules};
use crate::vocabulary::{Access, Cause, MeetingKind, Role};

/// What a person in a meeting may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Hear and see the others.
    HearAndSee,
    /// Send audio.
    Speak,
    /// Send camera video.
    Camera,
    /// Share the screen.
    ShareScreen,
    /// Write to everybody.
    ChatToAll,
    /// Write to the Hosts.
    ChatToHosts,
    /// See who is in.
    SeePeople,
    /// Use the three tabs of Invite: join information, invitations, calls; cancel and hang up calls.
    Invite,
    /// Change roles, mute, remove, lock, end.
    Moderate,
}

/// The role table of a meeting in which nothing was set; [`rights::may`] is the whole of it. VIEW ONLY wins over every role but Host, which cannot have it (see [`check_standing`]); should it
/// meet a Host all the same, it still wins for everything that is sent.
pub fn may(action: Action, kind: MeetingKind, role: Role, access: Access) -> bool {
    let rank = Rank { role, access, ..Rank::default() };
    rights::may(action, &Rules::of(kind), &rank)
}

/// A Host cannot be VIEW ONLY.
pub fn check_standing(role: Role, access: Access) -> Result<(), Refusal> {
    if role == Role::Host && access == Access::ViewOnly {
        return Err(Refusal::new(RefusalKind::Invalid, "a Host cannot be VIEW ONLY")
            .field("access")
            .mend("Choose another role, or access \"collaborate\""));
    }
    Ok(())
}

/// Whether a Host is there who answers for the call.
pub fn check_host_present(present: bool) -> Result<(), Refusal> {
    if present {
        return Ok(());
    }
    Err(Refusal::call(RefusalKind::Conflict, Cause::NoHost).mend("Join the meeting as Host first"))
}

/// The acting Host's caller ID must be set and be one of their numbers: nobody else's is ever shown instead.
pub fn check_caller_id(caller_id: Option<&str>, owned: &[String]) -> Result<(), Refusal> {
    let caller_id = caller_id.filter(|number| !number.is_empty());
    let Some(caller_id) = caller_id else {
        return Err(Refusal::call(RefusalKind::Conflict, Cause::NoCallerId)
            .field("caller_id")
            .mend("Set your Caller ID in Profile Settings"));
    };
    if owned.iter().any(|number| number == caller_id) {
        return Ok(());
    }
    Err(Refusal::call(RefusalKind::Conflict, Cause::CallerIdNotOwned)
        .field("caller_id")
        .mend("Choose one of your own numbers as Caller ID in Profile Settings"))
}

/// The last line before a trunk: whatever might reach an emergency service is not dialled.
pub fn refuse_emergency(number: &str) -> Result<(), Refusal> {
    if emergency::might_reach(number) {
        return Err(denied(Cause::Emergency).mend("Use a phone to call for help"));
    }
    Ok(())
}

fn denied(cause: Cause) -> Refusal {
    Refusal::call(RefusalKind::Forbidden, cause).field("number")
}

#[cfg(test)]
#[path = "tests/policy.rs"]
mod tests;
