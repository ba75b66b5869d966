//! Calls made again without a click: where a Host asked for it on the row (I55), a device whose connection was lost
//! where the tenant allows it (I56); and the end of calls whose budget is spent (I43).

use super::plan::{Again, acting};
use crate::ids::{CallId, TenantId, UserId};
use crate::live::call::story::may_ring_again;
use crate::live::focus::{Command, RefusalKind};
use crate::live::policy::usage::scopes;
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::{ErrorKind, ServiceError};
use crate::services::meetings::conflict;
use crate::services::views::{CallAnswer, CallRecord};
use crate::store::{AgainRow, NewCall, Store, StoreError, UsageOf};
use crate::vocabulary::{CallPurpose, CallState, Cause, UnixMillis};

/// For so long a lost device may come back to be called.
const LOST_MS: u64 = 60_000;
/// Calls are ended this long before their budget is spent: by the next look they would have spent more.
const LOOK_AHEAD_MS: u64 = 2_000;

impl Services {
    /// Asks that a call be made again by itself should nobody answer, or changes what was asked.
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts; conflict for a call after which nobody is rung again by itself.
    pub async fn ring_again(
        &self,
        actor: &Actor,
        id: &CallId,
        again: Again,
    ) -> Result<CallRecord, ServiceError> {
        let again = again.checked()?;
        let (row, reach) = self.reach_call(actor, id).await?;
        reach.require_invite()?;
        let over = matches!(
            row.state,
            CallState::Ended | CallState::Failed | CallState::Cancelled | CallState::Refused
        );
        if row.state == CallState::Joined || (over && !may_ring_again(row.cause)) {
            return Err(conflict("After this call nobody is rung again by itself").mend("Call again by hand"));
        }
        let host = actor.user()?;
        let row = AgainRow {
            call: id.clone(),
            tenant: host.tenant.clone(),
            host: host.user.clone(),
            after_ms: u64::from(again.after_seconds) * 1000,
            times_left: again.times,
            state: "waiting".to_owned(),
            detail: None,
        };
        let mut transaction = self.store.begin().await?;
        Store::put_again(&mut transaction, &row, self.now()).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.call(actor, id).await
    }

    /// Takes that back.
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts.
    pub async fn do_not_ring_again(&self, actor: &Actor, id: &CallId) -> Result<CallRecord, ServiceError> {
        self.reach_call(actor, id).await?.1.require_invite()?;
        self.store.settle_again(id, "cancelled", Some("taken back"), self.now()).await?;
        self.call(actor, id).await
    }

    pub(super) fn again_row(&self, call: &NewCall, again: Again) -> AgainRow {
        AgainRow {
            call: call.id.clone(),
            tenant: call.tenant.clone(),
            host: call.acting_host.clone(),
            after_ms: u64::from(again.after_seconds) * 1000,
            times_left: again.times,
            state: "waiting".to_owned(),
            detail: None,
        }
    }

    /// Looks after calls; to be called about once a second.
    ///
    /// # Errors
    /// When the database fails. What is due is looked at again the next time.
    pub async fn tend_calls(&self) -> Result<(), ServiceError> {
        for (row, due) in self.store.agains_over(self.now()).await? {
            self.tend_again(&row, due).await?;
        }
        self.tend_lost().await?;
        self.watch_budgets().await
    }

    async fn tend_again(&self, row: &AgainRow, due: bool) -> Result<(), ServiceError> {
        let now = self.now();
        let Some(call) = self.store.call(&row.tenant, &row.call).await? else { return Ok(()) };
        if !may_ring_again(call.cause) {
            let why = call.cause.map_or("it was answered", Cause::words);
            self.store.settle_again(&row.call, "cancelled", Some(why), now).await?;
            return Ok(());
        }
        // Whoever settles it makes the call: a crash in between calls nobody twice.
        if !due || !self.store.settle_again(&row.call, "done", None, now).await? {
            return Ok(());
        }
        match self.call_as(&row.tenant, &row.host, &row.call, CallPurpose::Again).await? {
            Ok(answer) => self.pass_on(row, &answer).await,
            Err(why) => {
                tracing::info!(call.id = %row.call, why, "a call is not made again");
                Ok(())
            }
        }
    }

    /// The new call waits like the old one did, as often as is left.
    async fn pass_on(&self, row: &AgainRow, answer: &CallAnswer) -> Result<(), ServiceError> {
        let (Some(id), true) = (&answer.id, answer.state == CallState::Queued && row.times_left > 1) else {
            return Ok(());
        };
        let next = AgainRow { call: id.clone(), times_left: row.times_left - 1, detail: None, ..row.clone() };
        let next = AgainRow { state: "waiting".to_owned(), ..next };
        let mut transaction = self.store.begin().await?;
        Store::put_again(&mut transaction, &next, self.now()).await?;
        Ok(transaction.commit().await.map_err(StoreError::from)?)
    }

    /// Calls again in a Host's name. The inner error says why not.
    async fn call_as(
        &self,
        tenant: &TenantId,
        host: &UserId,
        call: &CallId,
        purpose: CallPurpose,
    ) -> Result<Result<CallAnswer, String>, ServiceError> {
        let Some(user) = self.store.user(tenant, host).await? else {
            return Ok(Err("the Host is no user any more".to_owned()));
        };
        match self.call_again(&Actor::User(acting(&user)), call, purpose).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable) => Err(error),
            Err(error) => Ok(Err(error.detail)),
        }
    }

    /// A device whose connection was lost is called once more, when it is there again, if the tenant allows it. Outside
    /// numbers never are.
    async fn tend_lost(&self) -> Result<(), ServiceError> {
        let since = UnixMillis(self.now().0.saturating_sub(LOST_MS));
        for lost in self.store.lost_devices(since).await? {
            if !self.policy_of(&lost.tenant).await?.redial_lost_devices {
                continue;
            }
            let Some(row) = self.store.call(&lost.tenant, &lost.call).await? else { continue };
            let device = match &row.device {
                Some(name) => self.store.device(&lost.tenant, name.as_str()).await?,
                None => None,
            };
            let Some(device) = device else { continue };
            if !self.is_registered(&device).await || !self.store.tend(&lost.call).await? {
                continue;
            }
            if let Err(why) =
                self.call_as(&lost.tenant, &lost.host, &lost.call, CallPurpose::Reconnect).await?
            {
                tracing::info!(call.id = %lost.call, why, "a lost device is not called again");
            }
        }
        Ok(())
    }

    /// Ends the outside calls whose meeting, Host or tenant has spent what it may.
    async fn watch_budgets(&self) -> Result<(), ServiceError> {
        let soon = UnixMillis(self.now().0.saturating_add(LOOK_AHEAD_MS));
        for call in self.store.billed_calls().await? {
            let policy = self.policy_of(&call.tenant).await?;
            if !policy.has_budgets() {
                continue;
            }
            let of = UsageOf { tenant: &call.tenant, host: &call.host, meeting: &call.meeting };
            let usage = self.store.spent(of, soon).await?;
            let spent = scopes(&policy, Some(&call.host), &usage);
            if !spent.iter().any(|(_, left)| left.is_spent(call.price_milli)) {
                continue;
            }
            let stop = Command::StopCall { call: call.call.clone(), cause: Cause::BudgetSpent };
            match self.live.command(stop).await {
                Err(refusal) if refusal.kind != RefusalKind::NotFound => return Err(refusal.into()),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
