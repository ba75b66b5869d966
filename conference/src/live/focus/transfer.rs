//! Transfers by phones in a meeting: whom they send into it, and whose place they take.
//!
//! REFER (RFC 3515): the services judge the target like any number a Host types (I45) and place the call; from then on the
//! phone is told how far it has come. Replaces (RFC 3891): a phone takes over the seat of another one, at the door like
//! everybody.

use super::legs::Leg;
use super::{At, Effect, Focus, Refusal, Reply};
use crate::ids::{CallId, MeetingId, TenantId, UserId};
use crate::vocabulary::{CallState, Cause};
use sip_core::ua::{Command as SipCommand, ReferRequest, Replaces, SessionId, SubscriptionId};

/// A transfer to be judged by the services; answered with [`super::Command::TransferJudged`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Names the transfer.
    pub refer: SubscriptionId,
    /// Whose meeting it is.
    pub tenant: TenantId,
    /// The meeting the phone is in.
    pub meeting: MeetingId,
    /// The user of the phone, who answers for the call.
    pub user: UserId,
    /// Who is to be called: a device, an extension or a number.
    pub target: String,
    /// The call of theirs that this one takes the place of.
    pub replaces: Option<Replaces>,
}

/// A SIP status and why, in words.
pub type TransferRefusal = (u16, String);

impl Focus {
    /// A phone wants somebody else to be called into its meeting.
    pub(super) fn referred(&mut self, asked: ReferRequest) {
        let refer = asked.refer;
        match self.transfer_of(asked) {
            Ok(request) => self.effect(Effect::Transfer(Box::new(request))),
            Err((status, why)) => {
                let answer = Err((status, why.to_owned()));
                self.sip(SipCommand::AnswerRefer { refer, answer });
            }
        }
    }

    fn transfer_of(&self, asked: ReferRequest) -> Result<TransferRequest, (u16, &'static str)> {
        if self.closing || self.draining {
            return Err((503, "the server is about to stop"));
        }
        let leg = self.sessions.get(&asked.session).and_then(|leg| self.legs.get(leg));
        let leg = leg.filter(|leg| leg.admitted && !leg.parting);
        let leg = leg.ok_or((403, "only phones that are in a meeting may transfer"))?;
        let owner = self.devices.get(&asked.device).ok_or((403, "the phone belongs to nobody"))?;
        Ok(TransferRequest {
            refer: asked.refer,
            tenant: owner.tenant.clone(),
            meeting: leg.meeting.clone(),
            user: owner.user.clone(),
            target: asked.target,
            replaces: asked.replaces,
        })
    }

    /// The services have decided: a call is on its way, or why there is none.
    pub(super) fn transfer_judged(
        &mut self,
        refer: SubscriptionId,
        result: Result<CallId, TransferRefusal>,
    ) -> Result<Reply, Refusal> {
        match result {
            Err(refusal) => self.sip(SipCommand::AnswerRefer { refer, answer: Err(refusal) }),
            Ok(call) => {
                self.sip(SipCommand::AnswerRefer { refer, answer: Ok(()) });
                self.transfers.insert(call.clone(), refer);
                let meeting = self.calls.get(&call).cloned();
                let state = meeting.and_then(|meeting| self.call_state(&meeting, &call));
                match state {
                    Some(state) => self.tell_transfer(&call, state, None),
                    // It was over before anybody could be told.
                    None => self.tell_transfer(&call, CallState::Failed, Some((480, Cause::NoAnswer))),
                }
            }
        }
        Ok(Reply::Done)
    }

    /// A call has entered a state: the phone whose transfer it is hears of it.
    pub(super) fn tell_transfer(&mut self, call: &CallId, state: CallState, end: Option<(u16, Cause)>) {
        let Some(refer) = self.transfers.get(call).copied() else { return };
        let (status, reason) = match state {
            CallState::Queued | CallState::Dialling => return,
            CallState::Ringing => (180, String::new()),
            // Picked up, but not in yet.
            CallState::Answered | CallState::Confirming => (183, String::new()),
            CallState::Joined => (200, String::new()),
            CallState::Ended | CallState::Failed | CallState::Refused | CallState::Cancelled => {
                let (status, cause) = end.unwrap_or((480, Cause::NoAnswer));
                (status, cause.words().to_owned())
            }
        };
        if status >= 200 {
            self.transfers.remove(call);
        }
        self.sip(SipCommand::ReferProgress { refer, status, reason });
    }

    /// Whose seat a caller wants: the leg and its meeting.
    pub(super) fn replaced_leg(&self, session: Option<SessionId>) -> Result<Option<MeetingId>, u16> {
        let Some(session) = session else { return Ok(None) };
        let leg = self.sessions.get(&session).and_then(|leg| self.legs.get(leg)).ok_or(481_u16)?;
        if leg.admitted && !leg.parting { Ok(Some(leg.meeting.clone())) } else { Err(403) }
    }

    /// The caller is at the door, or in: whoever had the seat before hangs up.
    pub(super) fn take_over(&mut self, at: At, leg: media::worker::LegId) {
        let Some(old) = self.sip_leg_mut(leg).and_then(|sip| sip.replaces.take()) else { return };
        let Some(old) = self.sessions.get(&old).copied().filter(|old| *old != leg) else { return };
        let same_meeting =
            self.legs.get(&old).map(Leg::meeting_of) == self.legs.get(&leg).map(Leg::meeting_of);
        if same_meeting {
            self.end_leg(at, old, Cause::HungUp);
        }
    }
}

/// What a phone is told about the end of a call: its SIP status, or the one nearest to its cause.
pub(super) fn end_status(sip_code: Option<u16>, cause: Cause) -> u16 {
    if let Some(status) = sip_code.filter(|status| (300..700).contains(status)) {
        return status;
    }
    match cause {
        Cause::Busy => 486,
        Cause::Declined => 603,
        Cause::NotWorkingNumber | Cause::NoSuchExtension | Cause::NoDevice => 404,
        Cause::Cancelled | Cause::HungUp | Cause::MeetingEnded => 487,
        Cause::MediaFailed => 488,
        Cause::TrunkBusy | Cause::TrunkDown | Cause::TooManyAtOnce | Cause::RateLimited => 503,
        Cause::Internal => 500,
        Cause::NoAnswer | Cause::NotConfirmed | Cause::NotRegistered | Cause::Lost => 480,
        Cause::NoCallerId
        | Cause::CallerIdNotOwned
        | Cause::Emergency
        | Cause::DestinationDenied
        | Cause::DoNotCall
        | Cause::QuietHours
        | Cause::NoHost
        | Cause::MeetingLocked
        | Cause::AlreadyIn
        | Cause::ConfirmNeeded
        | Cause::BudgetSpent
        | Cause::CallsPaused
        | Cause::DialOutOff => 403,
    }
}
