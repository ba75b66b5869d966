//! Who is asking.

use super::error::ServiceError;
use crate::ids::{MeetingId, PersonId, TenantId, UserId};
use crate::vocabulary::TenantRole;

/// Whoever a valid token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who logged in.
    User(UserActor),
    /// Somebody who came into one meeting by a link.
    Participant(ParticipantActor),
}

/// Somebody who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserActor {
    /// Their tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The name shown to others.
    pub display_name: String,
    /// Their rights in the tenant.
    pub role: TenantRole,
}

/// Somebody who came into one meeting by a link. They reach that meeting and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantActor {
    /// The meeting's tenant.
    pub tenant: TenantId,
    /// The one meeting.
    pub meeting: MeetingId,
    /// Who they are in it.
    pub person: PersonId,
}

impl Actor {
    /// The tenant everything is looked up in.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::User(user) => &user.tenant,
            Self::Participant(participant) => &participant.tenant,
        }
    }

    /// The logged-in user.
    ///
    /// # Errors
    /// Forbidden for those who came by a link.
    pub fn user(&self) -> Result<&UserActor, ServiceError> {
        match self {
            Self::User(user) => Ok(user),
            Self::Participant(_) => {
                Err(ServiceError::forbidden("A join link does not allow this").mend("Log in as a user"))
            }
        }
    }

    /// The logged-in user, who is more than a guest of the tenant: guests see only meetings they are invited to.
    ///
    /// # Errors
    /// Forbidden for guests and for those who came by a link.
    pub fn member(&self) -> Result<&UserActor, ServiceError> {
        let user = self.user()?;
        if user.role == TenantRole::Guest {
            return Err(ServiceError::forbidden("Guests may only join meetings they are invited to")
                .mend("Ask your Tenant Admin for the role User"));
        }
        Ok(user)
    }
}

impl UserActor {
    /// Session and tenant admins reach every meeting of the tenant.
    pub(crate) fn reaches_all_meetings(&self) -> bool {
        matches!(self.role, TenantRole::SessionAdmin | TenantRole::TenantAdmin)
    }
}
