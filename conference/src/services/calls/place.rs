//! Placing calls: the intent is written down, then the running part is told.

use super::plan::{CallTarget, Desk, Destination, Plan};
use crate::ids::{CallId, MeetingId};
use crate::live::call::Gate;
use crate::live::event::PublicEvent;
use crate::live::focus::{Command, DialSpec, DialTarget, Refusal};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::meetings::conflict;
use crate::services::views::CallAnswer;
use crate::store::Connection;
use crate::store::secrets::token_hash;
use crate::store::{CallStep, NewCall, PersonRow, Store, StoreError, StoredAnswer};
use crate::vocabulary::{CallState, Cause};
use sip_core::ua::CallerIdentity;

/// The longest idempotency key taken.
const KEY_MAX: usize = 200;

/// A call that is written down, and what is needed to dial it.
struct Written {
    row: NewCall,
    person: Option<PersonRow>,
    destination: Option<Destination>,
    answer: CallAnswer,
}

impl Services {
    /// Places calls side by side, each with its own result. With the same idempotency key the same answer is given
    /// again and nothing is dialled (D39).
    ///
    /// # Errors
    /// Forbidden for all but Hosts; conflict if no Host is in the meeting (I46), or if the key was used for another
    /// request; invalid, naming the target and its field.
    pub async fn place_calls(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        targets: &[CallTarget],
        idempotency_key: Option<&str>,
    ) -> Result<Vec<CallAnswer>, ServiceError> {
        let key = idempotency_key.map(check_key).transpose()?;
        let _turn = self.locks.lock(meeting).await;
        let request = token_hash(&format!("{meeting} {targets:?}"));
        // Asked before the meeting is looked at: a repeated request gets its answer even if the Host has left since.
        if let Some(key) = key
            && let Some(answers) = self.given_answers(actor, key, &request).await?
        {
            return Ok(answers);
        }
        let desk = self.desk(actor, meeting).await?;
        let plans = self.plan_calls(&desk, targets).await?;
        self.write_and_dial(&desk, plans, key.map(|key| (key, request.as_str())), None).await
    }

    /// Calls the same target again with the same role (I55).
    ///
    /// # Errors
    /// As for [`Self::place_calls`]; conflict while the call is not over.
    pub async fn retry_call(&self, actor: &Actor, id: &CallId) -> Result<CallAnswer, ServiceError> {
        let (row, _) = self.reach_call(actor, id).await?;
        let _turn = self.locks.lock(&row.meeting).await;
        let desk = self.desk(actor, &row.meeting).await?;
        let person = row.person.as_ref();
        let person = person.and_then(|id| desk.reach.people.iter().find(|person| person.id == *id));
        let target = CallTarget {
            user: row.user.clone().filter(|_| row.number.is_none()),
            device: row.device.clone(),
            number: row.number.clone().or_else(|| row.user.is_none().then(|| row.target.clone())),
            name: row.user.is_none().then(|| row.display_name.clone()),
            role: Some(person.map_or(row.role, |person| person.role)),
            access: Some(person.map_or(row.access, |person| person.access)),
        };
        let plans = self.plan_calls(&desk, std::slice::from_ref(&target)).await?;
        let answers = self.write_and_dial(&desk, plans, None, Some(id)).await?;
        answers.into_iter().next().ok_or_else(|| ServiceError::internal("a call without answer"))
    }

    async fn given_answers(
        &self,
        actor: &Actor,
        key: &str,
        request: &str,
    ) -> Result<Option<Vec<CallAnswer>>, ServiceError> {
        let user = actor.user()?;
        let mut transaction = self.store.begin().await?;
        let stored = Store::stored_answer(&mut transaction, &user.tenant, &user.user, key).await?;
        let Some(stored) = stored else { return Ok(None) };
        if stored.request_hash != request {
            return Err(key_was_used());
        }
        let answers = serde_json::from_str(&stored.response);
        answers.map(Some).map_err(|error| ServiceError::internal(error.to_string()))
    }

    async fn write_and_dial(
        &self,
        desk: &Desk,
        plans: Vec<Plan>,
        key: Option<(&str, &str)>,
        retry_of: Option<&CallId>,
    ) -> Result<Vec<CallAnswer>, ServiceError> {
        let mut transaction = self.store.begin().await?;
        let mut calls = Vec::with_capacity(plans.len());
        for plan in plans {
            calls.push(self.write(&mut transaction, desk, plan, retry_of).await?);
        }
        if let Some((key, request_hash)) = key {
            let answer = StoredAnswer { request_hash: request_hash.to_owned(), response: response(&calls)? };
            let owner = (&desk.host.tenant, &desk.host.user, key);
            match Store::insert_answer(&mut transaction, owner, &answer, self.now()).await {
                // The lock is per meeting: the same key came in for another one at the same time.
                Err(error) if error.is_unique_violation() => return Err(key_was_used()),
                written => written?,
            }
        }
        transaction.commit().await.map_err(StoreError::from)?;

        let mut changed = false;
        for call in &mut calls {
            changed |= self.dial(desk, call).await?;
        }
        if let Some((key, _)) = key
            && changed
        {
            let owner = (&desk.host.tenant, &desk.host.user, key);
            self.store.update_answer(owner, &response(&calls)?).await?;
        }
        Ok(calls.into_iter().map(|call| call.answer).collect())
    }

    /// Writes one call down: the person first, unless the call is refused.
    async fn write(
        &self,
        connection: &mut Connection,
        desk: &Desk,
        plan: Plan,
        retry_of: Option<&CallId>,
    ) -> Result<Written, ServiceError> {
        let person = match plan.refusal {
            None => Some(self.put_person(connection, &desk.host, &desk.reach, &plan.invitee, "call").await?),
            Some(_) => None,
        };
        let row = self.new_call(desk, &plan, person.as_ref(), retry_of);
        Store::insert_call(connection, &row).await?;
        let answer = CallAnswer { id: Some(row.id.clone()), person: row.person.clone(), ..plan.answer() };
        Ok(Written { row, person, destination: plan.destination, answer })
    }

    fn new_call(
        &self,
        desk: &Desk,
        plan: &Plan,
        person: Option<&PersonRow>,
        retry_of: Option<&CallId>,
    ) -> NewCall {
        let device = plan.device();
        let number = plan.number();
        let asked = || plan.invitee.display_name.clone();
        NewCall {
            id: CallId::new(self.random_id('c')),
            tenant: desk.host.tenant.clone(),
            meeting: desk.reach.meeting.id.clone(),
            person: person.map(|person| person.id.clone()),
            acting_host: desk.host.user.clone(),
            retry_of: retry_of.cloned(),
            target: device
                .map(|d| d.label())
                .or_else(|| number.map(|n| n.e164.clone()))
                .unwrap_or_else(asked),
            user: plan.user().cloned(),
            device: device.map(|device| device.name.clone()),
            number: number.map(|number| number.e164.clone()),
            display_name: plan.invitee.display_name.clone(),
            role: person.map_or(plan.invitee.role, |person| person.role),
            access: person.map_or(plan.invitee.access, |person| person.access),
            caller: desk.caller.as_ref().map(|c| (c.number.clone(), c.display_name.clone(), c.hidden)),
            sip_call_id: self.random_id('s'),
            state: plan.answer().state,
            cause: plan.refusal.as_ref().map(|refusal| refusal.cause.unwrap_or(Cause::Internal)),
            detail: plan.refusal.as_ref().map(|refusal| refusal.detail.clone()),
            at: self.now(),
        }
    }

    /// Hands one call to the running part. Returns whether the answer has changed by it.
    async fn dial(&self, desk: &Desk, call: &mut Written) -> Result<bool, ServiceError> {
        let Some(spec) = self.dial_spec(desk, call) else {
            self.publish_refused(call);
            return Ok(false);
        };
        let Err(refusal) = self.live.command(Command::Dial(Box::new(spec))).await else { return Ok(false) };
        self.refuse(call, &refusal).await?;
        Ok(true)
    }

    fn dial_spec(&self, desk: &Desk, call: &Written) -> Option<DialSpec> {
        let (person, destination, caller) =
            (call.person.as_ref()?, call.destination.as_ref()?, desk.caller.as_ref()?);
        let (target, press_one) = match destination {
            Destination::Device(device) => {
                (DialTarget::Device { aor: device.aor(), label: device.label() }, false)
            }
            // Answering is not consent: voicemail would come into the meeting (I50).
            Destination::Number(number) => {
                (DialTarget::Number { e164: number.e164.clone(), trunks: desk.trunks.clone() }, true)
            }
        };
        Some(DialSpec {
            call: call.row.id.clone(),
            meeting: call.row.meeting.clone(),
            tenant: call.row.tenant.clone(),
            person: person.spec(&self.vault),
            acting_host: desk.host.user.clone(),
            target,
            caller: CallerIdentity {
                number: caller.number.clone(),
                display_name: caller.display_name.clone(),
                hidden: caller.hidden,
            },
            press_one,
            gate: Gate::default(),
            ring_timeout: self.config.ring_timeout,
            sip_call_id: call.row.sip_call_id.clone(),
        })
    }

    /// The running part said no: it knows of something the plan could not see.
    async fn refuse(&self, call: &mut Written, refusal: &Refusal) -> Result<(), ServiceError> {
        let cause = refusal.cause.unwrap_or(Cause::Internal);
        let step = CallStep {
            call: &call.row.id,
            state: CallState::Refused,
            cause: Some(cause),
            sip_code: None,
            detail: Some(&refusal.detail),
            at: self.now(),
        };
        self.store.record_call_step(&step).await?;
        call.answer.state = CallState::Refused;
        call.answer.reason = Some(cause);
        call.answer.detail = Some(refusal.detail.clone());
        call.answer.mend = Some(refusal.mend.clone()).filter(|mend| !mend.is_empty());
        self.publish_refused(call);
        Ok(())
    }

    fn publish_refused(&self, call: &Written) {
        let Written { row, answer, .. } = call;
        let at = self.now();
        self.publish(PublicEvent {
            tenant: row.tenant.clone(),
            meeting: Some(row.meeting.clone()),
            kind: "call.refused",
            at,
            data: serde_json::json!({
                "call": row.id, "id": row.id, "person": row.person, "state": CallState::Refused,
                "cause": answer.reason, "words": answer.reason.map(Cause::words), "detail": answer.detail,
                "target": row.target, "display_name": row.display_name, "role": row.role,
                "number": row.number, "at": at,
            }),
        });
    }
}

fn response(calls: &[Written]) -> Result<String, ServiceError> {
    let answers: Vec<&CallAnswer> = calls.iter().map(|call| &call.answer).collect();
    serde_json::to_string(&answers).map_err(|error| ServiceError::internal(error.to_string()))
}

fn key_was_used() -> ServiceError {
    ServiceError {
        field: Some("Idempotency-Key".to_owned()),
        ..conflict("This key was used for another request").mend("Use a new key for a new request")
    }
}

fn check_key(key: &str) -> Result<&str, ServiceError> {
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ServiceError::invalid("Idempotency-Key", "This is not a key")
            .mend("Send 1 to 200 printable characters without spaces, new for each press of CALL"));
    }
    Ok(key)
}
