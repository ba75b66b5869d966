//! What Hosts do to a running meeting: lock, lobby, muting all; and the audit line of every such act.

use super::Services;
use super::actor::Actor;
use super::error::ServiceError;
use super::meetings::conflict;
use super::provision::Provision;
use super::views::Meeting;
use crate::ids::{MeetingId, PersonId};
use crate::live::focus::Command;
use crate::store::{Store, StoreError};
use crate::vocabulary::MeetingState;
use serde_json::{Value, json};

impl Services {
    /// Locks or unlocks: no new joins, also by phone, but for Hosts and those whom a Host calls (I08).
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts and the tenant's admins.
    pub async fn set_locked(
        &self,
        actor: &Actor,
        id: &MeetingId,
        locked: bool,
    ) -> Result<Meeting, ServiceError> {
        let _turn = self.locks.lock(id).await;
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        let mut meeting = reach.meeting.clone();
        if meeting.state.is_closed() {
            return Err(conflict("This meeting is not open").mend("Start it first"));
        }
        meeting.settings.locked = locked;
        let action = if locked { "meeting.locked" } else { "meeting.unlocked" };
        let mut transaction = self.store.begin().await?;
        Store::update_meeting(&mut transaction, &meeting, self.now()).await?;
        self.audit(&mut transaction, actor, action, id.as_str(), (None, None)).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.live.provision(Provision::Meeting(Box::new(meeting.spec(&self.vault)))).await;
        self.meeting(actor, id).await
    }

    /// Mutes everybody who is in but the Hosts, by browser and by phone; or takes that back (I75).
    ///
    /// # Errors
    /// As for [`Self::set_locked`].
    pub async fn mute_all(&self, actor: &Actor, id: &MeetingId, muted: bool) -> Result<(), ServiceError> {
        let command = Command::MuteAll { meeting: id.clone(), muted };
        self.moderate(actor, id, command, "meeting.muted_all", json!({ "muted": muted })).await
    }

    /// Lets somebody in who waits in the lobby, or everybody.
    ///
    /// # Errors
    /// As for [`Self::set_locked`]; conflict if the person does not wait.
    pub async fn let_in(
        &self,
        actor: &Actor,
        id: &MeetingId,
        person: Option<&PersonId>,
    ) -> Result<(), ServiceError> {
        let command = Command::LetIn { meeting: id.clone(), person: person.cloned() };
        self.moderate(actor, id, command, "person.let_in", json!({ "person": person })).await
    }

    /// Sends somebody away who waits in the lobby.
    ///
    /// # Errors
    /// As for [`Self::let_in`].
    pub async fn send_away(
        &self,
        actor: &Actor,
        id: &MeetingId,
        person: &PersonId,
    ) -> Result<(), ServiceError> {
        let command = Command::SendAway { meeting: id.clone(), person: person.clone() };
        self.moderate(actor, id, command, "person.sent_away", json!({ "person": person })).await
    }

    async fn moderate(
        &self,
        actor: &Actor,
        id: &MeetingId,
        command: Command,
        action: &'static str,
        what: Value,
    ) -> Result<(), ServiceError> {
        let reach = self.reach(actor, id).await?;
        reach.require_moderate()?;
        if reach.meeting.state == MeetingState::Draft {
            return Err(conflict("A draft has nobody in it").mend("Create the meeting first"));
        }
        self.live.command(command).await?;
        let mut transaction = self.store.begin().await?;
        self.audit(&mut transaction, actor, action, id.as_str(), (None, Some(what))).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(())
    }
}
