//! Dial-outs: from CALL to the call's own machine and back.

use super::commands::check_roster;
use super::legs::{Carrier, Leg, SipLeg};
use super::{At, DialSpec, DialTarget, Focus, Refusal, RefusalKind, Reply, Timer, lobby};
use crate::ids::{CallId, MeetingId, TenantId};
use crate::live::call::{Action, Call, CallTimer, Input};
use crate::live::event::{CallStory, PublicEvent, Record};
use crate::live::meeting::Meeting;
use crate::live::number;
use crate::live::participant::Participant;
use crate::live::policy;
use crate::live::wire::{Wire, WirePeer};
use crate::vocabulary::{CallPurpose, CallState, Cause, LegKind};
use media::sdp;
use media::worker::{Command as MediaCommand, LegId};
use serde_json::json;
use sip_core::ua::{Command as SipCommand, OutgoingInvite, Target};

impl Focus {
    /// CALL. The same call id twice is one call. A refusal is published and written down too, for the other Hosts.
    pub(super) fn dial(&mut self, at: At, spec: DialSpec) -> Result<Reply, Refusal> {
        let meeting = self.meeting(&spec.meeting)?;
        if meeting.calls.contains_key(&spec.call) || self.calls.contains_key(&spec.call) {
            return Ok(Reply::Done);
        }
        if let Err(refusal) = self.check_dial(&spec) {
            self.announce_refusal(at, &spec, &refusal);
            return Err(refusal);
        }
        let leg = self.new_leg_id();
        let (id, call) = (spec.meeting.clone(), spec.call.clone());
        let symmetric = matches!(spec.target, DialTarget::Device { .. });
        let peer = match &spec.target {
            DialTarget::Device { aor, .. } => Some(WirePeer::Device(aor.clone())),
            DialTarget::Number { trunks, .. } => trunks.first().copied().map(WirePeer::Trunk),
        };
        let sip = SipLeg { call: Some(call.clone()), symmetric, peer, ..SipLeg::default() };
        let person = spec.person.person.clone();
        let meeting = self.meeting_mut(&id)?;
        let added = !meeting.people.contains_key(&person);
        let row = meeting.put_person(spec.person.clone());
        row.walk_in = false;
        if let DialTarget::Number { e164, .. } = &spec.target {
            row.number = Some(e164.clone());
        }
        let room = meeting.room;
        meeting.put_call(Call::new(spec, leg, at.wall));
        self.calls.insert(call.clone(), id.clone());
        self.legs.insert(leg, Leg::new(id.clone(), room, person.clone(), Carrier::Sip(Box::new(sip))));
        if added {
            self.publish_person(at, &id, &person, "person.added");
        }
        self.note_seat(&id, &call);
        self.announce_call(at, &id, &call, CallState::Queued);
        self.pump(&id);
        self.note_alone(at, &id);
        Ok(Reply::Done)
    }

    pub(super) fn end_call(&mut self, at: At, call: &CallId, cause: Cause) -> Result<Reply, Refusal> {
        if !self.calls.contains_key(call) {
            return Err(unknown_call());
        }
        self.drive_call(at, call, Input::Cancel(cause));
        Ok(Reply::Done)
    }

    /// Everything about a call that can be judged from here. Tenant policy and ownership of the caller ID were
    /// judged by the same engine in the services; emergency numbers are judged again.
    fn check_dial(&self, spec: &DialSpec) -> Result<(), Refusal> {
        self.check_open()?;
        policy::check_standing(spec.person.role, spec.person.access)?;
        let meeting = self.meeting(&spec.meeting)?;
        self.check_tenant(spec, &meeting.spec.tenant)?;
        policy::check_host_present(meeting.has_host())?;
        self.check_callee(meeting, spec)?;
        let own = spec.extra.purpose == CallPurpose::CallMe;
        if !own
            && meeting.person_of_user(&spec.acting_host).is_some_and(|row| {
                row.is_present()
                    && !policy::may(policy::Action::Invite, meeting.spec.kind, row.spec.role, row.spec.access)
            })
        {
            return Err(Refusal::new(RefusalKind::Forbidden, "only a Host may call people into the meeting")
                .mend("Ask a Host to call them"));
        }
        if spec.caller.number.is_empty() {
            return policy::check_caller_id(None, &[]);
        }
        if let DialTarget::Number { e164, trunks } = &spec.target {
            policy::refuse_emergency(e164)?;
            number::check_e164(e164)?;
            if trunks.is_empty() {
                return Err(Refusal::call(RefusalKind::Conflict, Cause::TrunkDown)
                    .detail("no trunk is set up for this tenant")
                    .mend("Ask your Tenant Admin to set up a trunk"));
            }
        }
        self.check_duplicate(spec)?;
        check_roster(meeting, &spec.person.person, self.config.limits.people_per_meeting)?;
        if meeting.live_calls().count() >= self.config.limits.calls_per_meeting {
            return Err(Refusal::call(RefusalKind::Overload, Cause::RateLimited)
                .mend("Wait until some of the calls are over"));
        }
        self.check_leg_room(&spec.meeting)
    }

    /// Whoever was removed is not called either until invited again (I74), and there must be a place for them.
    fn check_callee(&self, meeting: &Meeting, spec: &DialSpec) -> Result<(), Refusal> {
        if meeting.spec.closed {
            return Err(Refusal::call(RefusalKind::Conflict, Cause::MeetingEnded));
        }
        if meeting.people.get(&spec.person.person).is_some_and(|row| row.removed) {
            return Err(Refusal::new(RefusalKind::Forbidden, "this person was removed from the meeting")
                .mend("Invite them again first"));
        }
        lobby::check_places(meeting, meeting.live_calls().filter(|call| !self.is_joined(call)).count() + 1)
    }

    fn is_joined(&self, call: &Call) -> bool {
        self.legs.get(&call.leg()).is_some_and(|leg| leg.admitted)
    }

    /// Nothing crosses from one tenant to another: not the meeting, not the device, not the trunk.
    fn check_tenant(&self, spec: &DialSpec, tenant: &TenantId) -> Result<(), Refusal> {
        if spec.tenant != *tenant {
            return Err(super::unknown_meeting(&spec.meeting));
        }
        match &spec.target {
            DialTarget::Device { aor, .. }
                if self.devices.get(aor).is_some_and(|owner| owner.tenant != *tenant) =>
            {
                Err(Refusal::call(RefusalKind::NotFound, Cause::NoDevice)
                    .field("device")
                    .mend("Choose one of the user's registered devices"))
            }
            DialTarget::Number { trunks, .. }
                if trunks.iter().any(|trunk| self.trunks.get(trunk).is_some_and(|owner| owner != tenant)) =>
            {
                Err(Refusal::call(RefusalKind::Conflict, Cause::TrunkDown)
                    .detail("the trunk is another tenant's"))
            }
            DialTarget::Device { .. } | DialTarget::Number { .. } => Ok(()),
        }
    }

    /// Whoever is in, or is being called, is not rung twice.
    fn check_duplicate(&self, spec: &DialSpec) -> Result<(), Refusal> {
        let meeting = self.meeting(&spec.meeting)?;
        let refuse = |words: &str| {
            Err(Refusal::call(RefusalKind::Conflict, Cause::AlreadyIn)
                .detail(format!("{} {words}", spec.person.display_name))
                .mend("Hang up or remove them first"))
        };
        let user = spec.person.user.as_ref();
        let number = match &spec.target {
            DialTarget::Number { e164, .. } => Some(e164.as_str()),
            DialTarget::Device { .. } => None,
        };
        // Whoever has themselves called is in already, by browser; a second phone would be too many.
        let own = spec.extra.purpose == CallPurpose::CallMe;
        let in_the_way = |row: &&Participant| {
            row.is_present()
                && !(own && row.spec.person == spec.person.person && row.leg(LegKind::Sip).is_none())
        };
        let is_in = meeting.people.values().filter(in_the_way).any(|row| {
            row.spec.person == spec.person.person
                || (user.is_some() && row.spec.user.as_ref() == user)
                || (number.is_some() && row.number.as_deref() == number)
        });
        if is_in {
            return refuse("is already in the meeting");
        }
        let is_called = meeting.live_calls().any(|call| {
            let other = call.spec();
            other.person.person == spec.person.person
                || (user.is_some() && other.person.user.as_ref() == user)
                || same_target(&other.target, &spec.target)
        });
        if is_called { refuse("is being called already") } else { Ok(()) }
    }

    fn announce_refusal(&mut self, at: At, spec: &DialSpec, refusal: &Refusal) {
        let cause = refusal.cause.unwrap_or(Cause::Internal);
        let record = Record::CallState {
            call: spec.call.clone(),
            state: CallState::Refused,
            cause: Some(cause),
            sip_code: None,
            detail: Some(refusal.detail.clone()),
            at: at.wall,
            sip_call_id: spec.sip_call_id.clone(),
            story: CallStory::default(),
        };
        self.effect(super::Effect::Record(record));
        let mut view = Call::new(spec.clone(), LegId(0), at.wall).view_in(CallState::Refused);
        view.cause = Some(cause);
        view.words.clone_from(&refusal.detail);
        let event = PublicEvent {
            tenant: spec.tenant.clone(),
            meeting: Some(spec.meeting.clone()),
            kind: "call.refused",
            at: at.wall,
            data: json!(view),
        };
        self.effect(super::Effect::Publish(event));
    }

    /// Lets waiting calls go on as far as the meeting's pace allows.
    fn pump(&mut self, id: &MeetingId) {
        let Some(meeting) = self.meetings.get(id) else { return };
        if meeting.ending {
            return;
        }
        let is_waiting = |call: &&Call| {
            call.state() == CallState::Queued
                && self.legs.get(&call.leg()).and_then(Leg::sip).is_some_and(|sip| !sip.port_asked)
        };
        let dialling = |call: &&Call| {
            matches!(call.state(), CallState::Queued | CallState::Dialling | CallState::Ringing)
                && !is_waiting(call)
        };
        let room = self
            .config
            .limits
            .dialling_per_meeting
            .saturating_sub(meeting.live_calls().filter(dialling).count());
        let next: Vec<_> = meeting.live_calls().filter(is_waiting).take(room).map(Call::leg).collect();
        for leg in next {
            self.open_port(leg);
        }
    }

    /// Feeds a call's machine and does what it says.
    pub(super) fn drive_call(&mut self, at: At, call: &CallId, input: Input) {
        let Some(id) = self.calls.get(call).cloned() else { return };
        let Some(entry) = self.meetings.get_mut(&id).and_then(|meeting| meeting.calls.get_mut(call)) else {
            return;
        };
        let leg = entry.leg();
        let actions = entry.handle(input);
        self.note_seat(&id, call);
        for action in actions {
            self.perform(at, &id, call, leg, action);
        }
    }

    fn perform(&mut self, at: At, id: &MeetingId, call: &CallId, leg: LegId, action: Action) {
        let timer = |timer| Timer::Call(call.clone(), timer);
        match action {
            Action::Invite(_) => self.invite(id, call, leg),
            Action::Announce(state) => self.announce_call(at, id, call, state),
            Action::Note(note) => self.note_call(at, id, call, note),
            Action::Arm(which, after) => self.timers.arm(timer(which), at.now + after),
            Action::Disarm(which) => self.timers.disarm(&timer(which)),
            Action::Observe(enabled) => self.leg_media(leg, MediaCommand::ObserveAnswer { leg, enabled }),
            Action::Evidence => self.record_evidence(at, id, call),
            Action::NoCalls => self.record_do_not_call(at, id, call),
            Action::Prompt => self.greet(id, call, leg),
            Action::LastWords(words) => self.say_last_words(id, call, leg, words),
            Action::StopPrompt => self.hush(leg),
            Action::SendKeys(digits) => self.leg_media(leg, MediaCommand::SendDigits { leg, digits }),
            Action::Admit => {
                self.admit(at, leg);
                self.pump(id);
                self.stop_the_rest(at, id, call);
            }
            // Who is told goodbye is hung up after it.
            Action::HangUp if self.legs.get(&leg).is_some_and(|leg| leg.parting) => {}
            Action::HangUp => {
                let session = self.sip_leg_mut(leg).and_then(|sip| sip.session.take());
                if let Some(session) = session {
                    self.sessions.remove(&session);
                    self.sip(SipCommand::HangUp { session });
                }
            }
            Action::Release => {
                for which in CallTimer::ALL {
                    self.timers.disarm(&timer(which));
                }
                self.calls.remove(call);
                self.note_missed(at, id, call);
                if !self.legs.get(&leg).is_some_and(|leg| leg.parting) {
                    self.drop_leg(at, leg);
                }
                self.pump(id);
                self.note_alone(at, id);
            }
        }
    }

    pub(super) fn leg_media(&mut self, leg: LegId, command: MediaCommand) {
        if let Some(room) = self.legs.get(&leg).map(|leg| leg.room) {
            self.media(room, command);
        }
    }

    /// Sends the INVITE of the attempt in hand, in a session of its own.
    fn invite(&mut self, id: &MeetingId, call: &CallId, leg: LegId) {
        let session = self.new_session_id();
        self.rewire(id, call, leg);
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let Some(offer) = sip.local.as_ref().map(sdp::offer) else { return };
        sip.early = None;
        let old = sip.session.replace(session);
        if let Some(old) = old {
            self.sessions.remove(&old);
        }
        self.sessions.insert(session, leg);
        let Some(entry) = self.meetings.get(id).and_then(|meeting| meeting.calls.get(call)) else { return };
        let target = match (&entry.spec().target, entry.trunk()) {
            (DialTarget::Device { aor, .. }, _) => Target::Device(aor.clone()),
            (DialTarget::Number { e164, .. }, Some(trunk)) => Target::Trunk { trunk, number: e164.clone() },
            (DialTarget::Number { .. }, None) => return,
        };
        let invite = OutgoingInvite {
            session,
            target,
            caller: entry.spec().caller.clone(),
            call_id: entry.sip_call_id(),
            offer: offer.into(),
            replaces: entry.spec().extra.replaces.clone().filter(|_| entry.number().is_none()),
            patience: entry.patience(),
            attestation: entry.spec().extra.attestation,
            diverted_by: entry.diverted_by().map(str::to_owned),
            identity: None,
        };
        self.sip(SipCommand::Invite(Box::new(invite)));
    }
}

pub(super) fn unknown_call() -> Refusal {
    Refusal::not_found("call", "this call is over, or there never was one").mend("Reload the list of calls")
}

impl Focus {
    /// Each trunk that is tried is offered what its own settings say.
    fn rewire(&mut self, id: &MeetingId, call: &CallId, leg: LegId) {
        let entry = self.meetings.get(id).and_then(|meeting| meeting.calls.get(call));
        let Some(trunk) = entry.and_then(Call::trunk).map(WirePeer::Trunk) else { return };
        let (Wire { codecs, srtp, voice }, ranked) = self.wire(Some(&trunk));
        let Some(sip) = self.sip_leg_mut(leg).filter(|sip| sip.peer.as_ref() != Some(&trunk)) else { return };
        sip.peer = Some(trunk);
        if let Some(local) = &mut sip.local {
            (local.codecs, local.ranked, local.srtp) = (codecs, ranked, srtp);
            self.leg_media(leg, MediaCommand::TreatVoice { leg, treatment: voice });
        }
    }
}

fn same_target(one: &DialTarget, other: &DialTarget) -> bool {
    match (one, other) {
        (DialTarget::Device { aor: one, .. }, DialTarget::Device { aor: other, .. }) => one == other,
        (DialTarget::Number { e164: one, .. }, DialTarget::Number { e164: other, .. }) => one == other,
        _ => false,
    }
}
