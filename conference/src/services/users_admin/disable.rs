//! What ends with a user who is disabled (I82).

use super::Services;
use crate::ids::{CallId, PersonId, UserId};
use crate::live::focus::{Command, RefusalKind};
use crate::services::error::ServiceError;
use crate::services::provision::Provision;
use crate::store::UserRow;

impl Services {
    /// Registrations, calls and presence end at once; logins have ended with the change itself. Nobody is taken off any
    /// list: that is another thing.
    pub(super) async fn end_everything_of(&self, user: &UserRow) -> Result<(), ServiceError> {
        self.put_account(user.id.clone(), false).await;
        for device in self.store.devices_of(&user.tenant, &user.id).await? {
            self.live.provision(Provision::DeviceGone(device.aor())).await;
        }
        for call in self.store.calls_in_flight_to(&user.tenant, &user.id).await? {
            self.end_quietly(Command::EndCall { call: CallId::new(call) }).await;
        }
        for (meeting, person) in self.store.running_meetings_of(&user.tenant, &user.id).await? {
            self.end_quietly(Command::Leave { meeting, person: PersonId::new(person) }).await;
        }
        Ok(())
    }

    /// Whether somebody comes in at all, by whatever way.
    pub(in crate::services) async fn put_account(&self, user: UserId, enabled: bool) {
        self.end_quietly(Command::PutUser { user, enabled }).await;
    }

    /// What is gone already needs no ending.
    async fn end_quietly(&self, command: Command) {
        match self.live.command(command).await {
            Ok(_) => {}
            Err(refusal) if matches!(refusal.kind, RefusalKind::NotFound | RefusalKind::Conflict) => {}
            Err(refusal) => tracing::warn!(%refusal, "something of a disabled user could not be ended"),
        }
    }
}
