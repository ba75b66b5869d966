//! Whether an actor may know of a meeting, and what they may do in it.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::meetings::conflict;
use super::pins::TakenPins;
use crate::ids::{MeetingId, PersonId};
use crate::live::policy::{self, Action};
use crate::live::rights::{self, Rank, Rules};
use crate::store::{InvitationRow, MeetingRow, PersonRow};
use crate::vocabulary::{MeetingState, Role, TenantRole};

/// How much an actor sees of people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Links, addresses, PINs.
    pub(super) host: bool,
    /// Numbers in full (I60).
    pub(super) numbers: bool,
}

/// A meeting the actor may know of.
pub(super) struct Reach {
    pub(super) meeting: MeetingRow,
    /// Everybody on the list, removed people too.
    pub(super) people: Vec<PersonRow>,
    /// What became of their invitations.
    pub(super) invitations: Vec<InvitationRow>,
    /// The actor's own row, unless they are an admin who was not invited.
    pub(super) me: Option<PersonRow>,
    /// For new people's PINs.
    pub(super) taken_pins: TakenPins,
    admin: bool,
    tenant_admin: bool,
    owner: bool,
}

impl Services {
    /// Loads a meeting for an actor. Owners, people on the list and the tenant's admins reach it.
    ///
    /// # Errors
    /// Not found, in the same words, for a meeting that does not exist, is another tenant's, or is none of theirs.
    pub(super) async fn reach(&self, actor: &Actor, id: &MeetingId) -> Result<Reach, ServiceError> {
        let none = || ServiceError::not_found("meeting");
        let meeting = self.store.meeting(actor.tenant(), id).await?.ok_or_else(none)?;
        let people = self.store.people(actor.tenant(), id).await?;
        let mine = |person: &&PersonRow| match actor {
            Actor::User(user) => person.user() == Some(&user.user),
            Actor::Participant(participant) => person.id == participant.person,
        };
        let me = people.iter().filter(|person| person.removed_at.is_none()).find(mine).cloned();
        let (admin, tenant_admin, owner) = match actor {
            Actor::User(user) => (
                user.reaches_all_meetings(),
                user.role == TenantRole::TenantAdmin,
                meeting.owner.as_ref() == Some(&user.user),
            ),
            Actor::Participant(_) => (false, false, false),
        };
        // A draft is its author's alone (A20).
        let may_know = me.is_some() || admin || owner;
        if !may_know || (meeting.state == MeetingState::Draft && !owner) {
            return Err(none());
        }
        let invitations = self.store.invitations(actor.tenant(), id).await?;
        let taken_pins = TakenPins::default();
        Ok(Reach { meeting, people, invitations, me, taken_pins, admin, tenant_admin, owner })
    }
}

impl Reach {
    /// Those who have not been removed.
    pub(super) fn listed(&self) -> impl Iterator<Item = &PersonRow> {
        self.people.iter().filter(|person| person.removed_at.is_none())
    }

    /// The actor's role. The owner counts as Host.
    pub(super) fn role(&self) -> Option<Role> {
        if self.owner { Some(Role::Host) } else { self.me.as_ref().map(|me| me.role) }
    }

    pub(super) fn is_host(&self) -> bool {
        self.role() == Some(Role::Host)
    }

    /// The actor's standing in the table of rights.
    pub(super) fn rank(&self) -> Rank {
        let me = self.me.as_ref();
        Rank {
            role: self.role().unwrap_or_default(),
            access: me.map(|me| me.access).unwrap_or_default(),
            may_speak: me.is_some_and(|me| me.may_speak),
        }
    }

    /// How much the actor sees of people.
    pub(super) fn sight(&self) -> Sight {
        let host = self.is_host();
        Sight { host, numbers: host || !self.meeting.settings.number_privacy }
    }

    /// Whether the actor sees the whole list of people (I06).
    pub(super) fn sees_everybody(&self) -> bool {
        let settings = &self.meeting.settings;
        let rules = Rules::new(self.meeting.kind, settings);
        self.admin || self.owner || rights::may(Action::SeePeople, &rules, &self.rank())
    }

    /// Whether the actor sees this person: oneself and those on the stage in any case.
    pub(super) fn sees(&self, person: &PersonId, role: Role) -> bool {
        let oneself = self.me.as_ref().is_some_and(|me| me.id == *person);
        oneself || role != Role::Attendee || self.sees_everybody()
    }

    /// Only the owner and the tenant's administrators.
    pub(super) fn require_owner(&self, detail: &str) -> Result<(), ServiceError> {
        if self.owner || self.tenant_admin {
            return Ok(());
        }
        Err(ServiceError::forbidden(detail).mend("Ask the owner of the meeting"))
    }

    /// Handing a meeting over is for its owner and for both kinds of admins (I80, I84).
    pub(super) fn require_hand_over(&self) -> Result<(), ServiceError> {
        if self.admin { Ok(()) } else { self.require_owner("Only the owner may hand the meeting over") }
    }

    /// Inviting and calling is for Hosts only (A32).
    pub(super) fn require_invite(&self) -> Result<(), ServiceError> {
        self.require(Action::Invite, "Only a Host may invite or call people")
    }

    /// Before NEXT nothing leaves a draft: no mail, no owner (A20).
    pub(super) fn require_created(&self) -> Result<(), ServiceError> {
        if self.meeting.state == MeetingState::Draft {
            return Err(conflict("This is a draft").mend("Create the meeting first"));
        }
        Ok(())
    }

    /// Changing roles, muting, removing and ending is for Hosts, and for the tenant's admins.
    pub(super) fn require_moderate(&self) -> Result<(), ServiceError> {
        if self.tenant_admin {
            return Ok(());
        }
        self.require(Action::Moderate, "Only a Host may do this")
    }

    /// Turning VIEW ONLY on and off is the owner's right, and the tenant admins' (B48).
    pub(super) fn require_access_change(&self) -> Result<(), ServiceError> {
        if self.owner || self.tenant_admin {
            return Ok(());
        }
        Err(ServiceError::forbidden("Only the owner of the meeting may change VIEW ONLY")
            .mend("Ask the owner of the meeting"))
    }

    fn require(&self, action: Action, detail: &str) -> Result<(), ServiceError> {
        let allowed = self.owner
            || self.me.as_ref().is_some_and(|me| policy::may(action, self.meeting.kind, me.role, me.access));
        if allowed { Ok(()) } else { Err(ServiceError::forbidden(detail).mend("Ask a Host of the meeting")) }
    }
}
