//! Placing calls: the intent is written down, then the running part is told.

use super::plan::{CallTarget, Desk, Destination, Plan};
use crate::ids::{CallId, MeetingId};
use crate::live::call::story::next_step;
use crate::live::event::{CallStory, PublicEvent};
use crate::live::focus::{Command, DialExtra, DialSpec, DialTarget, Enough, Refusal};
use crate::live::policy::dial::{Confirmation, Verdict};
use crate::services::Services;
use crate::services::actor::Actor;
use crate::services::error::ServiceError;
use crate::services::meetings::conflict;
use crate::services::views::CallAnswer;
use crate::store::secrets::token_hash;
use crate::store::{
    CallStep, Connection, NewCall, NewStory, PersonRow, Store, StoreError, StoredAnswer, from_word, word,
};
use crate::vocabulary::{CallPurpose, CallState, Cause};
use sip_core::ua::CallerIdentity;
use std::collections::BTreeSet;

/// The longest idempotency key taken.
const KEY_MAX: usize = 200;

/// One target with its answer; with a row unless the Host is only asked to confirm.
struct Placed {
    answer: CallAnswer,
    written: Option<Written>,
}

/// A call that is written down, and what is needed to dial it.
struct Written {
    row: NewCall,
    person: Option<PersonRow>,
    destination: Option<Destination>,
    extra: DialExtra,
    rule: Option<&'static str>,
    press_one: Option<bool>,
}

/// What holds for all calls of one press.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Press<'a> {
    /// The idempotency key with the hash of the request.
    pub(super) key: Option<(&'a str, &'a str)>,
    /// The call that is made again.
    pub(super) retry_of: Option<&'a CallId>,
    /// So many people are enough: the others are not called any further.
    pub(super) enough: Option<u32>,
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
        self.place_calls_until(actor, meeting, targets, idempotency_key, None).await
    }

    /// The same; the calls that have not joined end as soon as `enough` of them have.
    ///
    /// # Errors
    /// As for [`Self::place_calls`].
    pub async fn place_calls_until(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        targets: &[CallTarget],
        idempotency_key: Option<&str>,
        enough: Option<u32>,
    ) -> Result<Vec<CallAnswer>, ServiceError> {
        let key = idempotency_key.map(check_key).transpose()?;
        if enough == Some(0) {
            return Err(ServiceError::invalid("enough", "Nobody would be called").mend("Send at least 1"));
        }
        let _turn = self.locks.lock(meeting).await;
        let _dialling = self.locks.lock_dialling(actor.tenant()).await;
        let request = token_hash(&format!("{meeting} {targets:?} {enough:?}"));
        // Asked before the meeting is looked at: a repeated request gets its answer even if the Host has left since.
        if let Some(key) = key
            && let Some(answers) = self.given_answers(actor, key, &request).await?
        {
            return Ok(answers);
        }
        let desk = self.desk(actor, meeting, targets).await?;
        let plans = self.plan_calls(&desk, targets).await?;
        let press = Press { key: key.map(|key| (key, request.as_str())), enough, ..Press::default() };
        self.write_and_dial(&desk, plans, press).await
    }

    /// Calls the same target again with the same role (I55).
    ///
    /// # Errors
    /// As for [`Self::place_calls`]; conflict while the call is not over.
    pub async fn retry_call(&self, actor: &Actor, id: &CallId) -> Result<CallAnswer, ServiceError> {
        self.call_again(actor, id, CallPurpose::Call).await
    }

    /// Calls the same target once more, for whatever reason. What the Host confirmed then still holds.
    pub(super) async fn call_again(
        &self,
        actor: &Actor,
        id: &CallId,
        purpose: CallPurpose,
    ) -> Result<CallAnswer, ServiceError> {
        let (row, _) = self.reach_call(actor, id).await?;
        let _turn = self.locks.lock(&row.meeting).await;
        let _dialling = self.locks.lock_dialling(actor.tenant()).await;
        let mut target = CallTarget {
            user: row.user.clone().filter(|_| row.number.is_none()),
            device: row.device.clone(),
            number: row.number.clone().or_else(|| row.user.is_none().then(|| row.target.clone())),
            name: row.user.is_none().then(|| row.display_name.clone()),
            role: Some(row.role),
            access: Some(row.access),
            keys: row.story.keys_sealed.as_deref().and_then(|sealed| self.vault.open(sealed)),
            confirm: confirmations(row.story.confirmed.as_deref()),
            again: None,
            press_one: None,
        };
        let mut desk = self.desk(actor, &row.meeting, std::slice::from_ref(&target)).await?;
        desk.purpose = purpose;
        let person = row.person.as_ref();
        // As what they are on the list by now.
        if let Some(person) = person.and_then(|id| desk.reach.people.iter().find(|person| person.id == *id)) {
            (target.role, target.access) = (Some(person.role), Some(person.access));
        }
        let plans = self.plan_calls(&desk, std::slice::from_ref(&target)).await?;
        let press = Press { retry_of: Some(id), ..Press::default() };
        let answers = self.write_and_dial(&desk, plans, press).await?;
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

    pub(super) async fn write_and_dial(
        &self,
        desk: &Desk,
        plans: Vec<Plan>,
        press: Press<'_>,
    ) -> Result<Vec<CallAnswer>, ServiceError> {
        let group = press.enough.map(|joined| Enough {
            group: self.random_id('g'),
            joined: usize::try_from(joined).unwrap_or(usize::MAX),
        });
        let alarms: Vec<String> = plans.iter().filter_map(|plan| plan.decision.alarm.clone()).collect();
        let mut transaction = self.store.begin().await?;
        let mut calls = Vec::with_capacity(plans.len());
        for plan in plans {
            calls.push(self.write(&mut transaction, desk, plan, (press.retry_of, group.clone())).await?);
        }
        if let Some((key, request_hash)) = press.key {
            let answer = StoredAnswer { request_hash: request_hash.to_owned(), response: response(&calls)? };
            let owner = (&desk.host.tenant, &desk.host.user, key);
            match Store::insert_answer(&mut transaction, owner, &answer, self.now()).await {
                // The lock is per meeting: the same key came in for another one at the same time.
                Err(error) if error.is_unique_violation() => return Err(key_was_used()),
                written => written?,
            }
        }
        transaction.commit().await.map_err(StoreError::from)?;
        for prefix in alarms {
            self.raise_alarm(&desk.host, &desk.reach.meeting.id, &prefix).await?;
        }
        let mut changed = false;
        for call in &mut calls {
            changed |= self.dial(desk, call).await?;
        }
        if let Some((key, _)) = press.key
            && changed
        {
            let owner = (&desk.host.tenant, &desk.host.user, key);
            self.store.update_answer(owner, &response(&calls)?).await?;
        }
        Ok(calls.into_iter().map(|call| call.answer).collect())
    }

    /// Writes one call down: the person first, unless the call is refused. What the Host must confirm first is no call
    /// yet.
    async fn write(
        &self,
        connection: &mut Connection,
        desk: &Desk,
        plan: Plan,
        (retry_of, enough): (Option<&CallId>, Option<Enough>),
    ) -> Result<Placed, ServiceError> {
        if plan.waits_for_confirmation() {
            return Ok(Placed { answer: plan.answer(), written: None });
        }
        let person = match (&plan.refusal, &plan.person) {
            (Some(_), _) => None,
            (None, Some(row)) => Some(row.clone()),
            (None, None) => {
                Some(self.put_person(connection, &desk.host, &desk.reach, &plan.invitee, "call").await?)
            }
        };
        let row = self.new_call(desk, &plan, person.as_ref(), retry_of);
        self.store.insert_call(connection, &row).await?;
        if let (Some(again), None) = (plan.again, &plan.refusal) {
            let again = self.again_row(&row, again);
            Store::put_again(connection, &again, self.now()).await?;
        }
        let answer = CallAnswer { id: Some(row.id.clone()), person: row.person.clone(), ..plan.answer() };
        let extra = DialExtra {
            purpose: desk.purpose,
            keys: plan.number().and_then(|number| number.keys.clone()),
            attestation: desk.attestation(),
            max_length: desk.longest(&plan),
            replaces: desk.replaces.clone(),
            enough,
        };
        let rule = plan.decision.rule;
        Ok(Placed {
            answer,
            written: Some(Written {
                row,
                person,
                destination: plan.destination,
                extra,
                rule,
                press_one: plan.press_one,
            }),
        })
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
            story: self.new_story(desk, plan),
        }
    }

    fn new_story(&self, desk: &Desk, plan: &Plan) -> NewStory {
        let decision = &plan.decision;
        let number = plan.number();
        let confirmed: Vec<String> = decision.confirmed.iter().map(word).collect();
        NewStory {
            purpose: desk.purpose,
            country: number.and_then(|number| number.country.clone()),
            price_class: decision.price.class.clone(),
            price_milli: number.map_or(0, |_| decision.price.per_minute_milli),
            confirmed: (!confirmed.is_empty()).then(|| confirmed.join(" ")),
            keys_sealed: number.and_then(|number| number.keys.as_deref()).map(|keys| self.vault.seal(keys)),
        }
    }

    /// Hands one call to the running part. Returns whether the answer has changed by it.
    async fn dial(&self, desk: &Desk, call: &mut Placed) -> Result<bool, ServiceError> {
        let Some(written) = &call.written else { return Ok(false) };
        let Some(spec) = self.dial_spec(desk, written) else {
            self.publish_refused(written, &call.answer);
            return Ok(false);
        };
        // From the request to the call: later lines name the call and its Call-ID.
        tracing::info!(call.id = %written.row.id, meeting.id = %written.row.meeting, sip.call_id = written.row.sip_call_id, "dialling");
        let Err(refusal) = self.live.command(Command::Dial(Box::new(spec))).await else { return Ok(false) };
        let answer = &mut call.answer;
        self.refuse(written, answer, &refusal).await?;
        Ok(true)
    }

    fn dial_spec(&self, desk: &Desk, call: &Written) -> Option<DialSpec> {
        let (person, destination, caller) =
            (call.person.as_ref()?, call.destination.as_ref()?, desk.caller.as_ref()?);
        let (target, is_number) = match destination {
            Destination::Device(device) => {
                (DialTarget::Device { aor: device.aor(), label: device.label() }, false)
            }
            // Answering is not consent: voicemail would come into the meeting (I50).
            Destination::Number(number) => {
                let trunks = desk.order_for(number);
                (DialTarget::Number { e164: number.e164.clone(), trunks }, true)
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
            press_one: desk.phones.confirms(is_number, call.press_one),
            gate: desk.phones.gate(),
            ring_timeout: desk.ring_timeout(self.config.ring_timeout),
            sip_call_id: call.row.sip_call_id.clone(),
            extra: call.extra.clone(),
        })
    }

    /// The running part said no: it knows of something the plan could not see.
    async fn refuse(
        &self,
        call: &Written,
        answer: &mut CallAnswer,
        refusal: &Refusal,
    ) -> Result<(), ServiceError> {
        let cause = refusal.cause.unwrap_or(Cause::Internal);
        let step = CallStep {
            call: &call.row.id,
            state: CallState::Refused,
            cause: Some(cause),
            sip_code: None,
            detail: Some(&refusal.detail),
            at: self.now(),
            story: CallStory::default(),
        };
        self.store.record_call_step(&step).await?;
        answer.state = CallState::Refused;
        answer.reason = Some(cause);
        answer.detail = Some(refusal.detail.clone());
        answer.mend = Some(refusal.mend.clone()).filter(|mend| !mend.is_empty());
        answer.facts.verdict = Verdict::Deny;
        self.publish_refused(call, answer);
        Ok(())
    }

    fn publish_refused(&self, call: &Written, answer: &CallAnswer) {
        let Written { row, rule, .. } = call;
        let at = self.now();
        let next = next_step(CallState::Refused, answer.reason, row.number.is_some());
        if let Some(rule) = rule {
            self.publish(PublicEvent {
                tenant: row.tenant.clone(),
                meeting: Some(row.meeting.clone()),
                kind: "policy.blocked",
                at,
                data: serde_json::json!({
                    "call": row.id, "rule": rule, "cause": answer.reason, "detail": answer.detail,
                    "host": row.acting_host, "number": row.number, "at": at,
                }),
            });
        }
        self.publish(PublicEvent {
            tenant: row.tenant.clone(),
            meeting: Some(row.meeting.clone()),
            kind: "call.refused",
            at,
            data: serde_json::json!({
                "call": row.id, "id": row.id, "person": row.person, "state": CallState::Refused,
                "cause": answer.reason, "words": answer.reason.map(Cause::words), "detail": answer.detail,
                "target": row.target, "display_name": row.display_name, "role": row.role,
                "number": row.number, "next": next, "purpose": row.story.purpose, "early_media": false, "at": at,
            }),
        });
    }
}

/// What was confirmed, as it is written down.
fn confirmations(words: Option<&str>) -> BTreeSet<Confirmation> {
    let read = |word: &str| from_word("confirmed", word.to_owned()).ok();
    words.unwrap_or_default().split_whitespace().filter_map(read).collect()
}

fn response(calls: &[Placed]) -> Result<String, ServiceError> {
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
