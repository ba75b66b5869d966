//! CALL: placing calls into a meeting, previewing, showing, cancelling and repeating them.
//!
//! A press of CALL goes through three steps: `plan` decides per target what would happen (and is all there is to a
//! preview), `place` writes the intent down in one transaction, and only then is the running part told. A call is
//! therefore never dialled without a row, and never dialled twice.

mod again;
mod call_me;
mod explain;
mod place;
mod plan;
mod transfer;

pub use call_me::CallMeTarget;
pub use explain::{CallExplanation, RuleExplanation, TrunkExplanation};
pub use plan::{Again, CallTarget};

use super::Services;
use super::actor::Actor;
use super::cursor::{self, PAGE_MAX, Page};
use super::error::{ErrorKind, ServiceError};
use super::meetings::{masked, shown_name};
use super::reach::Reach;
use super::views::{AgainView, Call, CallEvent, CallRecord};
use crate::ids::{CallId, MeetingId};
use crate::live::call::EARLY_MEDIA_WORDS;
use crate::live::call::story::next_step;
use crate::live::event::CallStory;
use crate::live::focus::{Command, RefusalKind};
use crate::store::{AgainRow, CallRow, CallStep};
use crate::vocabulary::{CallState, Cause, UnixMillis};

/// Some of the calls of a meeting.
#[derive(Clone, Debug)]
pub struct CallPage {
    /// Oldest first.
    pub calls: Vec<Call>,
    /// Where the calls before these are found, if there are any.
    pub next: Option<String>,
}

/// A place in the list of calls.
fn place((at, rest): (i64, String)) -> Result<(i64, i64, String), ServiceError> {
    let parts = rest.split_once('.').and_then(|(position, id)| Some((position.parse().ok()?, id.to_owned())));
    let (position, id) = parts.ok_or_else(cursor::no_place)?;
    Ok((at, position, id))
}

impl Services {
    /// The latest calls of a meeting, oldest first; with the place of the page before, those before them.
    ///
    /// # Errors
    /// Not found if the asker may not know of the meeting; invalid for a place that is none.
    pub async fn calls(
        &self,
        actor: &Actor,
        meeting: &MeetingId,
        page: &Page,
    ) -> Result<CallPage, ServiceError> {
        let reach = self.reach(actor, meeting).await?;
        let page = Page { limit: page.limit.or(Some(PAGE_MAX)), after: page.after.clone() };
        let limit = page.limit_up_to(PAGE_MAX)?;
        let after = page.after()?.map(place).transpose()?;
        let mut rows = self.store.calls(actor.tenant(), meeting, after.as_ref(), limit + 1).await?;
        let next =
            cursor::cut(&mut rows, limit, |row| (row.created_at.0, format!("{}.{}", row.position, row.id)));
        let agains = self.store.agains_of(meeting).await?;
        let (host, now) = (reach.is_host(), self.now());
        let view = |row: CallRow| {
            let again = agains.iter().find(|again| again.call == row.id);
            call_view(row, again, host, now)
        };
        Ok(CallPage { calls: rows.into_iter().rev().map(view).collect(), next })
    }

    /// One call with everything that happened to it.
    ///
    /// # Errors
    /// Not found if the asker may not know of the call's meeting.
    pub async fn call(&self, actor: &Actor, id: &CallId) -> Result<CallRecord, ServiceError> {
        let (row, reach) = self.reach_call(actor, id).await?;
        let host = reach.is_host();
        let events = self.store.call_events(actor.tenant(), id).await?;
        let outside = row.number.is_some();
        let events = events.into_iter().map(|event| CallEvent {
            at: event.at,
            state: event.state,
            cause: event.cause,
            sip_code: event.sip_code,
            words: words(event.state, event.cause, event.early_media),
            // A redirection names a number there.
            detail: event.detail.filter(|_| host),
            next: next_step(event.state, event.cause, outside),
            early_media: event.early_media,
            carrier_words: event.carrier_words,
            trunk: event.over_trunk,
        });
        let again = self.store.again(id).await?;
        Ok(CallRecord { call: call_view(row, again.as_ref(), host, self.now()), events: events.collect() })
    }

    /// Cancels a call that rings, hangs up one that was answered. One that is over stays as it is.
    ///
    /// # Errors
    /// Not found; forbidden for all but Hosts.
    pub async fn end_call(&self, actor: &Actor, id: &CallId) -> Result<CallRecord, ServiceError> {
        let (row, reach) = self.reach_call(actor, id).await?;
        reach.require_invite()?;
        if !row.state.is_final() {
            match self.live.command(Command::EndCall { call: id.clone() }).await {
                Ok(_) => {}
                // Written down but never dialled, or over before its record was written: in both cases nothing rings.
                Err(refusal) if refusal.kind == RefusalKind::NotFound => self.give_up(id).await?,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.call(actor, id).await
    }

    /// Lets the asker, who must be in the meeting, hear what comes before the call is answered, or ends that.
    ///
    /// # Errors
    /// Not found, also for a call that is over; forbidden for all but Hosts; conflict after the answer, or for somebody
    /// who is not in the meeting.
    pub async fn listen_to_call(&self, actor: &Actor, id: &CallId, on: bool) -> Result<(), ServiceError> {
        self.reach_call(actor, id).await?.1.require_invite()?;
        let user = actor.member()?.user.clone();
        self.live.command(Command::ListenToCall { call: id.clone(), user, on }).await?;
        Ok(())
    }

    async fn give_up(&self, call: &CallId) -> Result<(), ServiceError> {
        let step = CallStep {
            call,
            state: CallState::Cancelled,
            cause: Some(Cause::Cancelled),
            sip_code: None,
            detail: None,
            at: self.now(),
            story: CallStory::default(),
        };
        Ok(self.store.record_call_step(&step).await?)
    }

    /// A call, and its meeting as the actor may see it.
    async fn reach_call(&self, actor: &Actor, id: &CallId) -> Result<(CallRow, Reach), ServiceError> {
        let none = || ServiceError::not_found("call");
        let row = self.store.call(actor.tenant(), id).await?.ok_or_else(none)?;
        let reach = self.reach(actor, &row.meeting).await;
        let reach = reach.map_err(|error| if error.kind == ErrorKind::NotFound { none() } else { error })?;
        Ok((row, reach))
    }
}

/// What a host reads beside a call: the cause once there is one, else where it stands.
fn words(state: CallState, cause: Option<Cause>, early_media: bool) -> String {
    match cause {
        Some(cause) => cause.words(),
        None if state == CallState::Ringing && early_media => EARLY_MEDIA_WORDS,
        None => state.words(),
    }
    .to_owned()
}

fn again_view(row: &CallRow, again: &AgainRow) -> AgainView {
    let due = row.ended_at.filter(|_| again.state == "waiting");
    AgainView {
        after_seconds: again.after_ms / 1000,
        times_left: again.times_left,
        state: again.state.clone(),
        detail: again.detail.clone(),
        due_at: due.map(|ended| UnixMillis(ended.0.saturating_add(again.after_ms))),
    }
}

/// How long it rang: until it was picked up, or over, or until now.
fn ring_seconds(row: &CallRow, now: UnixMillis) -> Option<u64> {
    let until = row.answered_at.or(row.ended_at).unwrap_or(now);
    row.rang_at.map(|rang| until.0.saturating_sub(rang.0) / 1000)
}

fn call_view(row: CallRow, again: Option<&AgainRow>, host: bool, now: UnixMillis) -> Call {
    let again = again.map(|again| again_view(&row, again));
    let ring_seconds = ring_seconds(&row, now);
    let next = next_step(row.state, row.cause, row.number.is_some());
    let hide = |number: String| if host { number } else { masked(&number) };
    let target = shown_name(&row.target, row.number.as_deref(), host);
    let display_name = shown_name(&row.display_name, row.number.as_deref(), host);
    Call {
        id: row.id,
        meeting: row.meeting,
        person: row.person,
        acting_host: row.acting_host,
        retry_of: row.retry_of,
        target,
        device: row.device,
        number: row.number.map(hide),
        display_name,
        role: row.role,
        access: row.access,
        caller_number: row.caller_number.map(hide),
        state: row.state,
        cause: row.cause,
        sip_code: row.sip_code,
        words: words(row.state, row.cause, row.early_media),
        next,
        purpose: row.story.purpose,
        ring_seconds,
        early_media: row.early_media,
        carrier_words: row.carrier_words,
        evidence: row.evidence,
        trunk: row.over_trunk,
        country: row.story.country,
        price_class: row.story.price_class,
        price_per_minute_milli: row.story.price_milli,
        confirmed: row
            .story
            .confirmed
            .iter()
            .flat_map(|words| words.split_whitespace())
            .map(str::to_owned)
            .collect(),
        again,
        detail: row.detail.filter(|_| host),
        created_at: row.created_at,
        answered_at: row.answered_at,
        ended_at: row.ended_at,
    }
}
