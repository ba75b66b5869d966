//! Who may do what, and which number may be dialled.
//!
//! One engine: the preview of a call, the real dial and the mixer's plan all ask here, so that a preview cannot lie
//! and no packet is mixed before the rule was asked.

use crate::live::emergency;
use crate::live::number::{NumberClass, PhoneNumber};
use crate::live::refusal::{Refusal, RefusalKind};
use crate::live::rights::{self, Rank, Rules};
use crate::vocabulary::{Access, Cause, MeetingKind, Role};
use std::collections::BTreeSet;

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

/// The tenant's rules for outside numbers. Emergency numbers are not among them: they are never dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPolicy {
    /// Countries that may be called, as ISO 3166 codes. `+1` covers many: each is named for itself.
    pub allowed_countries: BTreeSet<String>,
    /// Classes beyond ordinary, mobile and toll-free numbers that may be called.
    pub allowed_classes: BTreeSet<NumberClass>,
    /// Numbers in E.164 that asked not to be called.
    pub do_not_call: BTreeSet<String>,
}

impl DialPolicy {
    /// The default: only the tenant's own country, nothing that costs extra.
    pub fn home_only(country: &str) -> Self {
        Self {
            allowed_countries: BTreeSet::from([country.to_ascii_uppercase()]),
            allowed_classes: BTreeSet::new(),
            do_not_call: BTreeSet::new(),
        }
    }

    /// The same with more countries.
    #[must_use]
    pub fn with_countries<I: IntoIterator<Item = S>, S: AsRef<str>>(mut self, countries: I) -> Self {
        let upper = countries.into_iter().map(|country| country.as_ref().to_ascii_uppercase());
        self.allowed_countries.extend(upper);
        self
    }

    /// Whether this number may be dialled at all, whoever asks.
    pub fn check_number(&self, number: &PhoneNumber) -> Result<(), Refusal> {
        refuse_emergency(&number.e164)?;
        if self.do_not_call.contains(&number.e164) {
            return Err(denied(Cause::DoNotCall).mend("Ask the person to be taken off the do-not-call list"));
        }
        let class = number.class;
        if !class.is_ordinary() && !self.allowed_classes.contains(&class) {
            return Err(denied(Cause::DestinationDenied)
                .detail(format!("{} numbers may not be called", class.words()))
                .mend("Ask your Tenant Admin to allow this class of numbers"));
        }
        match &number.country {
            Some(country) if !self.allowed_countries.contains(country) => {
                Err(denied(Cause::DestinationDenied)
                    .detail(format!("numbers of {country} may not be called"))
                    .mend("Ask your Tenant Admin to allow this country"))
            }
            _ => Ok(()),
        }
    }
}

/// What is known about a call to a number or device before it is made.
#[derive(Clone, Copy, Debug)]
pub struct DialRequest<'a> {
    /// The number, if it is one; `None` for a registered device.
    pub number: Option<&'a PhoneNumber>,
    /// The acting Host's caller ID in E.164, if one is set.
    pub caller_id: Option<&'a str>,
    /// The numbers the acting Host may show, in E.164: assigned to them or to the tenant, and verified.
    pub owned_numbers: &'a [String],
    /// Whether a Host is in the meeting.
    pub host_present: bool,
}

/// Whether the call may be made. The preview asks exactly this.
pub fn check_dial(policy: &DialPolicy, request: &DialRequest<'_>) -> Result<(), Refusal> {
    if let Some(number) = request.number {
        policy.check_number(number)?;
    }
    check_caller_id(request.caller_id, request.owned_numbers)?;
    check_host_present(request.host_present)
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
