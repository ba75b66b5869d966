//! "Call me": somebody who is in by browser takes the sound by phone (I61). It is the same person with the same role;
//! the browser keeps the pictures and falls silent, or there would be an echo.

use super::place::Press;
use super::plan::{CallTarget, Desk, Plan};
use crate::ids::{DeviceName, MeetingId};
use crate::live::focus::{MeetingSnapshot, Refusal, RefusalKind};
use crate::live::policy::dial::Confirmation;
use crate::live::policy::rules::{CallMe, DialPolicy};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::meetings::conflict;
use crate::services::people::Invitee;
use crate::services::reach::Reach;
use crate::services::views::CallAnswer;
use crate::store::PersonRow;
use crate::vocabulary::{CallPurpose, Cause};
use std::collections::BTreeSet;

/// Where somebody wants to be called: on a device of theirs, or at a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMeTarget {
    /// One of their registered devices; may be left out if there is exactly one.
    pub device: Option<DeviceName>,
    /// A number, as typed.
    pub number: Option<String>,
    /// What they have been asked and want all the same.
    pub confirm: BTreeSet<Confirmation>,
}

impl Services {
    /// Calls the asker, who is in the meeting by browser.
    ///
    /// # Errors
    /// Forbidden where the tenant, or for guests the meeting, does not allow it; conflict for somebody who is not in by
    /// browser; invalid, naming the field.
    pub async fn call_me(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        target: &CallMeTarget,
    ) -> Result<CallAnswer, ServiceError> {
        let _turn = self.locks.lock(meeting).await;
        let _dialling = self.locks.lock_dialling(actor.tenant()).await;
        let reach = self.reach(actor, meeting).await?;
        let policy = self.policy_of(actor.tenant()).await?;
        check_allowed(actor, &reach, &policy)?;
        let me = reach
            .me
            .clone()
            .ok_or_else(|| conflict("You are not in this meeting").mend("Join by browser first"))?;
        check_in_by_browser(self.live.snapshot(meeting.clone()).await.as_ref(), &me)?;
        let own =
            [CallTarget { user: me.user().cloned(), number: target.number.clone(), ..CallTarget::default() }];
        let desk = self.desk_for(actor, reach, policy, (CallPurpose::CallMe, &own)).await?;
        let plan = self.plan_own(&desk, &me, target).await?;
        let answers = self.write_and_dial(&desk, vec![plan], Press::default()).await?;
        answers.into_iter().next().ok_or_else(|| ServiceError::internal("a call without answer"))
    }

    async fn plan_own(
        &self,
        desk: &Desk,
        me: &PersonRow,
        target: &CallMeTarget,
    ) -> Result<Plan, ServiceError> {
        let standing = (me.role, me.access);
        let mut plan = match (&target.number, me.user()) {
            (Some(number), _) => self.plan_number(desk, number, None, standing).await,
            (None, Some(user)) => {
                let user = self.store.user(&desk.host.tenant, user).await?;
                let user = user.ok_or_else(|| ServiceError::not_found("user"))?;
                self.plan_user(desk, &user, target.device.as_ref(), standing).await
            }
            (None, None) => {
                return Err(
                    ServiceError::invalid("number", "A number is needed").mend("Type your phone number")
                );
            }
        };
        if plan.user().is_some_and(|user| me.user() != Some(user)) {
            plan.refusal = Some(somebody_elses());
            plan.destination = None;
        }
        plan.invitee = Invitee {
            identity: me.identity.clone(),
            display_name: me.display_name.clone(),
            role: me.role,
            access: me.access,
        };
        plan.person = Some(me.clone());
        let mut usage = desk.usage.clone();
        self.judge(desk, &mut usage, &mut plan, &target.confirm).await?;
        Ok(plan)
    }
}

fn somebody_elses() -> Refusal {
    Refusal::call(RefusalKind::Forbidden, Cause::NoDevice)
        .field("number")
        .detail("this is somebody else's phone")
        .mend("Type your own number, or choose one of your devices")
}

fn check_allowed(actor: &Actor, reach: &Reach, policy: &DialPolicy) -> Result<(), ServiceError> {
    let guest = actor.member().is_err();
    let allowed = match policy.call_me {
        CallMe::Off => false,
        CallMe::Users => !guest || reach.meeting.settings.guests_may_call_me,
        CallMe::Everybody => true,
    };
    if allowed {
        return Ok(());
    }
    let mend = if guest { "Ask a Host to allow it for guests" } else { "Ask your Tenant Admin to allow it" };
    let refusal = Refusal::call(RefusalKind::Forbidden, Cause::DialOutOff);
    Err(refusal.detail("Being called by phone is not allowed here").mend(mend).into())
}

fn check_in_by_browser(snapshot: Option<&MeetingSnapshot>, me: &PersonRow) -> Result<(), ServiceError> {
    let row = snapshot.and_then(|snapshot| snapshot.people.iter().find(|person| person.id == me.id));
    if row.is_some_and(|row| row.present) {
        return Ok(());
    }
    Err(conflict("You are not in this meeting").mend("Join by browser first"))
}
