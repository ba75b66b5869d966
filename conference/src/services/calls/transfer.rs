//! A phone in a meeting sends somebody else into it (REFER): the same desk, policy and caller ID as if its user had pressed
//! CALL (I45).

use super::place::Press;
use super::plan::{CallTarget, acting};
use crate::ids::CallId;
use crate::live::focus::{TransferRefusal, TransferRequest};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::{ErrorKind, ServiceError};
use crate::vocabulary::{CallState, Cause};

impl Services {
    /// Judges a transfer and, if nothing is against it, places its call. The refusal is for the phone: a SIP status, and
    /// why in words.
    ///
    /// # Errors
    /// 403 for what the policy refuses or asks a Host to confirm, and for users who may not call; 404 for what is neither a
    /// number nor an extension; 500 when the database fails.
    pub async fn transfer(&self, asked: &TransferRequest) -> Result<CallId, TransferRefusal> {
        self.try_transfer(asked).await.unwrap_or_else(|error| {
            let status = match error.kind {
                ErrorKind::NotFound => 404,
                ErrorKind::Internal | ErrorKind::Unavailable => 500,
                ErrorKind::Unauthorized
                | ErrorKind::Forbidden
                | ErrorKind::Conflict
                | ErrorKind::Invalid
                | ErrorKind::TooMany => 403,
            };
            Err((status, error.detail))
        })
    }

    async fn try_transfer(
        &self,
        asked: &TransferRequest,
    ) -> Result<Result<CallId, TransferRefusal>, ServiceError> {
        let user = self.store.user(&asked.tenant, &asked.user).await?;
        let user = user.ok_or_else(|| ServiceError::forbidden("The phone belongs to nobody"))?;
        let actor = Actor::User(acting(&user));
        let _turn = self.locks.lock(&asked.meeting).await;
        let _dialling = self.locks.lock_dialling(actor.tenant()).await;
        let mut target = CallTarget { number: Some(asked.target.clone()), ..CallTarget::default() };
        let mut desk = self.desk(&actor, &asked.meeting, std::slice::from_ref(&target)).await?;
        target.role = Some(desk.reach.meeting.direct_join_role);
        let mut plans = self.plan_calls(&desk, std::slice::from_ref(&target)).await?;
        for plan in &mut plans {
            // Whoever is on the list comes in as what the list says.
            let listed = desk.reach.listed().find(|row| row.identity == plan.invitee.identity);
            if let Some(row) = listed {
                (plan.invitee.role, plan.invitee.access) = (row.role, row.access);
            }
            if asked.replaces.is_some() && plan.number().is_some() {
                return Ok(Err((403, "only a call of a registered phone can be taken over".to_owned())));
            }
        }
        desk.replaces.clone_from(&asked.replaces);
        let answers = self.write_and_dial(&desk, plans, Press::default()).await?;
        let answer = answers.into_iter().next();
        let answer = answer.ok_or_else(|| ServiceError::internal("a call without answer"))?;
        let unknown = matches!(answer.reason, Some(Cause::NotWorkingNumber | Cause::NoSuchExtension));
        // What is refused is written down and shown to the Hosts like any other refusal.
        Ok(match answer.id {
            Some(call) if answer.state == CallState::Queued => Ok(call),
            _ => {
                let why = answer.detail.unwrap_or_else(|| "the call is not allowed".to_owned());
                Err((if unknown { 404 } else { 403 }, why))
            }
        })
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
