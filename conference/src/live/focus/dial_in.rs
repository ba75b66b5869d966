//! Callers who are spoken to before they are in a meeting: those who dial a dial-in number or a meeting that wants a
//! PIN (I12 to I15), and desk phones that dial an emergency number (I40).
//!
//! Their leg belongs to no meeting and lives in a room of its own until it is known which meeting is meant.

use super::call_back::Returned;
use super::legs::{Carrier, Entrant, Leg, SipLeg};
use super::lobby::Door;
use super::{At, Effect, Focus, PersonSpec, Refusal, Timer};
use crate::ids::{MeetingId, TenantId};
use crate::live::event::PublicEvent;
use crate::live::ivr::{Action, Input, Ivr, IvrTimer, Verdict};
use crate::live::meeting::Meeting;
use crate::live::number;
use crate::live::speech::{Language, PromptId, Utterance};
use crate::vocabulary::{Cause, Role};
use bytes::Bytes;
use media::sdp;
use media::worker::{LegId, RoomId};
use sip_core::ua::{AddressOfRecord, Command as SipCommand, IncomingInvite, Origin, Verstat};
use std::collections::VecDeque;

/// The longest display name taken from a caller.
const NAME_LIMIT: usize = 64;
/// The status a desk phone gets that dialled an emergency number.
const FORBIDDEN: u16 = 403;

/// A number that leads to the conversation.
#[derive(Clone, Debug)]
pub(super) struct DialIn {
    pub(super) tenant: TenantId,
    pub(super) language: Option<Language>,
}

/// Somebody who is spoken to before they are in.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) talk: Talk,
    pub(super) caller: Caller,
    /// The meeting whose id was keyed in or dialled.
    meeting: Option<MeetingId>,
    /// A PIN whose answer is held back.
    held_back: Option<String>,
    /// Who may come in, and where: the conversation has come to its end.
    pub(super) ready: Option<(MeetingId, Entrant)>,
}

/// What the conversation is about.
#[derive(Debug)]
pub(super) enum Talk {
    /// Which meeting, and with which PIN.
    Ivr(Ivr),
    /// A call of ours that was missed is returned.
    Returned(Box<Returned>),
    /// An emergency number was dialled.
    Emergency,
}

/// What is known of a caller.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Whose meetings can be reached.
    pub(super) tenant: TenantId,
    /// The caller's number in E.164, as far as it was told.
    pub(super) number: Option<String>,
    /// The name shown.
    name: String,
    /// The registered device, if it is one: it has proved who it is.
    device: Option<AddressOfRecord>,
    /// What wrong answers are counted against.
    source: String,
    /// Whether the number can be believed.
    verstat: Option<Verstat>,
}

impl Visit {
    pub(super) fn new(talk: Talk, caller: Caller) -> Self {
        Self { talk, caller, meeting: None, held_back: None, ready: None }
    }
}

impl Caller {
    pub(super) fn of(invite: &IncomingInvite, tenant: TenantId) -> Self {
        let number = number::check_e164(&invite.from_user).is_ok().then(|| invite.from_user.clone());
        let device = match &invite.origin {
            Origin::Device(aor) => Some(aor.clone()),
            Origin::Trunk(_) | Origin::TrustedPeer => None,
        };
        let name = match (invite.from_display.trim(), &number) {
            ("", Some(number)) => number::display_of(number),
            ("", None) => invite.from_user.clone(),
            (name, _) => name.to_owned(),
        };
        // Who hides the number is counted with all who come the same way and hide theirs.
        let source = match (&device, &number) {
            (Some(device), _) => device.to_string(),
            (None, Some(number)) => number.clone(),
            (None, None) => invite.source.ip().to_string(),
        };
        let name = name.chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect();
        Self { tenant, number, name, device, source, verstat: invite.verstat }
    }

    pub(super) fn walk_in(&self, person: crate::ids::PersonId, role: Role) -> Entrant {
        let spec = PersonSpec {
            person,
            display_name: self.name.clone(),
            role,
            number: self.number.clone(),
            verstat: self.verstat,
            ..PersonSpec::default()
        };
        Entrant { spec, number: self.number.clone(), walk_in: true }
    }
}

impl Focus {
    /// Whether an INVITE leads to a conversation, and to which.
    pub(super) fn visit_of(&mut self, at: At, invite: &IncomingInvite) -> Result<Option<Visit>, u16> {
        if let Some(visit) = self.emergency_of(at, invite) {
            return Ok(Some(visit));
        }
        let digits = invite.request_user.trim_start_matches('+');
        if let Some(dial_in) = self.dial_ins.get(digits).cloned() {
            self.check_line(invite, &dial_in.tenant)?;
            let caller = Caller::of(invite, dial_in.tenant.clone());
            self.check_visitor(at, &caller)?;
            if let Some(returned) = self.returned_call(at, digits, &caller) {
                return Ok(Some(Visit::new(Talk::Returned(Box::new(returned)), caller)));
            }
            let language = dial_in.language.or_else(|| self.languages.get(&dial_in.tenant).copied());
            return Ok(Some(Visit::new(Talk::Ivr(Ivr::new(language.unwrap_or_default())), caller)));
        }
        let Some((id, tenant)) = self.meeting_of_digits(digits) else { return Ok(None) };
        // Registered devices and trusted peers reach a meeting by its address alone.
        let Origin::Trunk(_) = invite.origin else { return Ok(None) };
        if !self.wants_pin(&id) {
            return Ok(None);
        }
        self.check_line(invite, &tenant)?;
        let language = self.languages.get(&tenant).copied().unwrap_or_default();
        let caller = Caller::of(invite, tenant);
        self.check_visitor(at, &caller)?;
        let mut visit = Visit::new(Talk::Ivr(Ivr::for_pin(language)), caller);
        visit.meeting = Some(id);
        Ok(Some(visit))
    }

    fn meeting_of_digits(&self, address: &str) -> Option<(MeetingId, TenantId)> {
        let id = self.addresses.get(&address.to_ascii_lowercase())?;
        let meeting = self.meetings.get(id).filter(|meeting| !meeting.spec.closed)?;
        Some((id.clone(), meeting.spec.tenant.clone()))
    }

    /// `sip:<number>.<pin>@domain`: in without a conversation (design.md section 6). A wrong PIN counts like a keyed one.
    pub(super) fn direct_with_pin(
        &mut self,
        at: At,
        invite: &IncomingInvite,
    ) -> Option<Result<(MeetingId, Entrant), u16>> {
        let (address, pin) = invite.request_user.split_once('.')?;
        let (id, tenant) = self.meeting_of_digits(address.trim_start_matches('+'))?;
        Some(self.judge_direct(at, invite, (id, tenant), pin))
    }

    fn judge_direct(
        &mut self,
        at: At,
        invite: &IncomingInvite,
        (id, tenant): (MeetingId, TenantId),
        pin: &str,
    ) -> Result<(MeetingId, Entrant), u16> {
        self.check_line(invite, &tenant)?;
        let caller = Caller::of(invite, tenant);
        self.check_visitor(at, &caller)?;
        match self.entrant_by_pin(&id, &caller, pin) {
            // While somebody guesses, this way, which cannot be slow, is closed.
            Some(entrant) if self.guesses.delay(at.now, &id).is_zero() => Ok((id, entrant)),
            _ => {
                self.guesses.wrong_pin(at.now, &caller.source, &id);
                Err(FORBIDDEN)
            }
        }
    }

    /// Another tenant's numbers and meetings do not exist for a trunk or a device.
    fn check_line(&self, invite: &IncomingInvite, tenant: &TenantId) -> Result<(), u16> {
        let owner = match &invite.origin {
            Origin::Device(aor) => Some(&self.devices.get(aor).ok_or(FORBIDDEN)?.tenant),
            Origin::Trunk(trunk) => self.trunks.get(trunk),
            Origin::TrustedPeer => None,
        };
        if owner.is_some_and(|owner| owner != tenant) { Err(404) } else { Ok(()) }
    }

    /// Who has guessed too much is not listened to; and there is a bound on conversations at once.
    fn check_visitor(&self, at: At, caller: &Caller) -> Result<(), u16> {
        if self.guesses.is_blocked(at.now, &caller.source) {
            return Err(603);
        }
        let visitors = self.legs.values().filter(|leg| leg.visit().is_some()).count();
        if visitors >= self.config.limits.visitors { Err(503) } else { Ok(()) }
    }

    /// A desk phone that dials for help must learn at once that it will not come this way (I40).
    fn emergency_of(&mut self, at: At, invite: &IncomingInvite) -> Option<Visit> {
        let Origin::Device(aor) = &invite.origin else { return None };
        let dialled = &invite.request_user;
        let is_ours = self.addresses.contains_key(&dialled.to_ascii_lowercase())
            || self.dial_ins.contains_key(dialled.trim_start_matches('+'));
        if is_ours || !crate::live::emergency::might_reach(dialled) {
            return None;
        }
        let owner = self.devices.get(aor)?;
        let tenant = owner.tenant.clone();
        let data = serde_json::json!({
            "reason": Cause::Emergency,
            "words": "A phone dialled an emergency number. It was told that emergency calls are not possible from it",
            "user": owner.user,
            "device": aor.user,
            "dialled": dialled,
        });
        let event =
            PublicEvent { tenant: tenant.clone(), meeting: None, kind: "policy.blocked", at: at.wall, data };
        self.effect(Effect::Publish(event));
        Some(Visit::new(Talk::Emergency, Caller::of(invite, tenant)))
    }

    /// Answers a caller who is spoken to first: a leg in a room of its own.
    pub(super) fn open_visit(&mut self, invite: IncomingInvite, visit: Visit) {
        let room = RoomId(self.next_room);
        self.next_room += 1;
        let (leg, person) = (self.new_leg_id(), self.new_person_id());
        let sip = SipLeg { visit: Some(Box::new(visit)), ..SipLeg::incoming(invite) };
        if let Some(session) = sip.session {
            self.sessions.insert(session, leg);
        }
        let carrier = Carrier::Sip(Box::new(sip));
        self.legs.insert(leg, Leg::new(MeetingId::default(), room, person, carrier));
        self.open_port(leg);
    }

    /// An emergency call is not answered: the announcement comes as early media (RFC 3960), then 403. Says whether it is
    /// one.
    pub(super) fn announce_emergency(&mut self, at: At, leg: LegId) -> bool {
        let Some(sip) = self.sip_leg_mut(leg) else { return false };
        if !sip.visit.as_ref().is_some_and(|visit| matches!(visit.talk, Talk::Emergency)) {
            return false;
        }
        let answer = match (&sip.local, sip.offer.take()) {
            (Some(local), Some(offer)) => sdp::answer(local, &offer).ok(),
            _ => None,
        };
        match (answer, sip.session) {
            (Some((negotiated, body)), Some(session)) => {
                self.sip(SipCommand::Provisional { session, status: 183, body: Some(Bytes::from(body)) });
                self.set_remote(leg, negotiated);
                self.tell(leg, [PromptId::NoEmergencyCalls, PromptId::NoEmergencyCalls]);
                self.timers
                    .arm(Timer::Visit(leg, IvrTimer::LastWords), at.now + crate::live::ivr::LAST_WORDS * 2);
            }
            _ => self.reject_incoming(at, leg, FORBIDDEN),
        }
        true
    }

    /// The caller can hear us: the conversation begins. Says whether there is one.
    pub(super) fn begin_visit(&mut self, at: At, leg: LegId) -> bool {
        match self.visit_mut(leg).map(|visit| &visit.talk) {
            None => return false,
            Some(Talk::Ivr(_)) => self.drive_visit(at, leg, Input::Start),
            Some(Talk::Returned(_)) => self.greet_returned(at, leg),
            Some(Talk::Emergency) => {}
        }
        true
    }

    /// A key of somebody who is not in yet. Says whether it was one.
    pub(super) fn visit_key(&mut self, at: At, leg: LegId, key: char) -> bool {
        match self.visit_mut(leg).map(|visit| &visit.talk) {
            None => return false,
            Some(Talk::Ivr(_)) => self.drive_visit(at, leg, Input::Key(key)),
            Some(Talk::Returned(_)) => self.returned_key(at, leg, key),
            Some(Talk::Emergency) => {}
        }
        true
    }

    /// What was said to somebody who is not in yet is over. Says whether there is such a one.
    pub(super) fn visit_spoken(&mut self, at: At, leg: LegId) -> bool {
        match self.visit_mut(leg).map(|visit| &visit.talk) {
            None => return false,
            Some(Talk::Ivr(_)) => self.drive_visit(at, leg, Input::Spoken),
            Some(Talk::Returned(_)) => self.returned_spoken(at, leg),
            Some(Talk::Emergency) => self.reject_incoming(at, leg, FORBIDDEN),
        }
        true
    }

    pub(super) fn visit_timer(&mut self, at: At, leg: LegId, timer: IvrTimer) {
        match self.visit_mut(leg).map(|visit| &visit.talk) {
            None => {}
            Some(Talk::Ivr(_)) if timer == IvrTimer::Verdict => self.held_back_verdict(at, leg),
            Some(Talk::Ivr(_)) => self.drive_visit(at, leg, Input::Timer(timer)),
            Some(Talk::Returned(_)) => self.returned_timer(at, leg, timer),
            Some(Talk::Emergency) => self.reject_incoming(at, leg, FORBIDDEN),
        }
    }

    pub(super) fn visit_mut(&mut self, leg: LegId) -> Option<&mut Visit> {
        self.sip_leg_mut(leg)?.visit.as_deref_mut()
    }

    /// Feeds the conversation and does what it says.
    fn drive_visit(&mut self, at: At, leg: LegId, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(Visit { talk: Talk::Ivr(ivr), .. }) = self.visit_mut(leg) else { return };
            for action in ivr.handle(input) {
                inputs.extend(self.perform_visit(at, leg, action).map(Input::Verdict));
            }
        }
        if self.visit_mut(leg).is_some_and(|visit| visit.ready.is_some()) {
            self.enter_by_phone(at, leg);
        }
    }

    fn perform_visit(&mut self, at: At, leg: LegId, action: Action) -> Option<Verdict> {
        match action {
            Action::Say(utterance) => self.say(leg, utterance),
            Action::Hush => self.hush(leg),
            Action::Arm(timer, after) => self.timers.arm(Timer::Visit(leg, timer), at.now + after),
            Action::Disarm(timer) => self.timers.disarm(&Timer::Visit(leg, timer)),
            Action::Meeting(keyed) => return Some(self.judge_meeting(at, leg, &keyed)),
            Action::Pin(keyed) => return self.judge_pin(at, leg, keyed),
            Action::HangUp => self.hang_up_visit(at, leg),
        }
        None
    }

    pub(super) fn hang_up_visit(&mut self, at: At, leg: LegId) {
        if let Some(session) = self.sip_leg_mut(leg).and_then(|sip| sip.session) {
            self.sip(SipCommand::HangUp { session });
        }
        self.drop_leg(at, leg);
    }

    fn judge_meeting(&mut self, at: At, leg: LegId, keyed: &str) -> Verdict {
        let Some(caller) = self.visit_mut(leg).map(|visit| visit.caller.clone()) else {
            return Verdict::Wrong;
        };
        if self.guesses.is_blocked(at.now, &caller.source) {
            return Verdict::Refused(PromptId::TooManyTries);
        }
        let found = self.meeting_of_digits(keyed).filter(|(_, tenant)| *tenant == caller.tenant);
        let Some((id, _)) = found else {
            self.guesses.wrong_id(at.now, &caller.source);
            return Verdict::Wrong;
        };
        if let Some(visit) = self.visit_mut(leg) {
            visit.meeting = Some(id.clone());
        }
        if caller.device.is_none() && self.wants_pin(&id) {
            return Verdict::PinWanted;
        }
        let entrant = match &caller.device {
            Some(aor) => self.device_entrant(&id, aor).ok(),
            None => {
                let role = self.meetings.get(&id).map(Meeting::direct_join_role).unwrap_or_default();
                Some(caller.walk_in(self.new_person_id(), role))
            }
        };
        entrant.map_or(Verdict::Refused(PromptId::NotInvited), |entrant| {
            self.judge_entrant(at, leg, id, entrant)
        })
    }

    /// The answer to a PIN; `None` if it is held back because somebody is guessing.
    fn judge_pin(&mut self, at: At, leg: LegId, keyed: String) -> Option<Verdict> {
        let id = self.visit_mut(leg)?.meeting.clone()?;
        let delay = self.guesses.delay(at.now, &id);
        if delay.is_zero() {
            return Some(self.verdict_of_pin(at, leg, &keyed));
        }
        self.visit_mut(leg)?.held_back = Some(keyed);
        self.timers.arm(Timer::Visit(leg, IvrTimer::Verdict), at.now + delay);
        None
    }

    fn held_back_verdict(&mut self, at: At, leg: LegId) {
        let Some(keyed) = self.visit_mut(leg).and_then(|visit| visit.held_back.take()) else { return };
        let verdict = self.verdict_of_pin(at, leg, &keyed);
        self.drive_visit(at, leg, Input::Verdict(verdict));
    }

    fn verdict_of_pin(&mut self, at: At, leg: LegId, keyed: &str) -> Verdict {
        let Some(visit) = self.visit_mut(leg) else { return Verdict::Wrong };
        let (caller, Some(id)) = (visit.caller.clone(), visit.meeting.clone()) else { return Verdict::Wrong };
        match self.entrant_by_pin(&id, &caller, keyed) {
            Some(entrant) => self.judge_entrant(at, leg, id, entrant),
            None => {
                self.guesses.wrong_pin(at.now, &caller.source, &id);
                Verdict::Wrong
            }
        }
    }

    fn judge_entrant(&mut self, at: At, leg: LegId, id: MeetingId, entrant: Entrant) -> Verdict {
        if self.check_leg_room(&id).is_err() || self.check_not_draining(&id).is_err() {
            return Verdict::Refused(PromptId::MeetingIsFull);
        }
        if let Door::Shut(refusal) = self.door(at, &id, &entrant.spec) {
            return Verdict::Refused(self.words_of(&id, &entrant.spec, &refusal));
        }
        if let Some(visit) = self.visit_mut(leg) {
            visit.ready = Some((id, entrant));
        }
        Verdict::In
    }

    /// Why the door is shut, in recorded words.
    pub(super) fn words_of(&self, id: &MeetingId, person: &PersonSpec, refusal: &Refusal) -> PromptId {
        let removed = self.meetings.get(id).is_some_and(|meeting| meeting.is_removed(person));
        match refusal.cause {
            _ if removed => PromptId::Removed,
            Some(Cause::MeetingLocked) => PromptId::MeetingIsLocked,
            Some(Cause::MeetingEnded) => PromptId::MeetingEnded,
            _ if refusal.kind == super::RefusalKind::Conflict => PromptId::MeetingIsFull,
            _ => PromptId::NotInvited,
        }
    }

    /// Whether anybody has a PIN here: then whoever dials in must key one in.
    fn wants_pin(&self, id: &MeetingId) -> bool {
        self.meetings.get(id).is_some_and(|meeting| {
            meeting.spec.guest_pin.is_some()
                || meeting.spec.host_pin.is_some()
                || meeting.people.values().any(|row| row.spec.pin.is_some())
        })
    }

    /// Whom a PIN lets in: the person whose own it is, with their seat and role; a Host; or a guest (I14).
    fn entrant_by_pin(&mut self, id: &MeetingId, caller: &Caller, keyed: &str) -> Option<Entrant> {
        let meeting = self.meetings.get(id)?;
        let is = |pin: &Option<crate::live::pin::Pin>| pin.as_ref().is_some_and(|pin| pin.is(keyed));
        if let Some(row) = meeting.people.values().find(|row| is(&row.spec.pin)) {
            let number = caller.number.clone().or_else(|| row.number.clone());
            return Some(Entrant { spec: row.spec.clone(), number, walk_in: row.walk_in });
        }
        let role = if is(&meeting.spec.host_pin) {
            Role::Host
        } else if is(&meeting.spec.guest_pin) {
            meeting.spec.direct_join_role
        } else {
            return None;
        };
        let known = caller.device.clone().and_then(|aor| self.device_entrant(id, &aor).ok());
        let mut entrant = match known {
            Some(known) => known,
            None => caller.walk_in(self.new_person_id(), role),
        };
        if role == Role::Host {
            entrant.spec.role = Role::Host;
        }
        Some(entrant)
    }

    /// The conversation is over: the caller goes to the meeting's room and stands at its door.
    pub(super) fn enter_by_phone(&mut self, at: At, leg: LegId) {
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let Some(visit) = sip.visit.take() else { return };
        let Visit { talk, ready, .. } = *visit;
        let Some((id, entrant)) = ready else { return };
        let person = entrant.spec.person.clone();
        sip.caller = Some(entrant);
        self.disarm_visit(leg);
        let Some(to) = self.meetings.get(&id).map(|meeting| meeting.room) else {
            return self.hang_up_visit(at, leg);
        };
        // Where it still is: what it hears must not go on in the meeting.
        self.hush(leg);
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let from = std::mem::replace(&mut entry.room, to);
        (entry.meeting, entry.person) = (id, person);
        if let Talk::Ivr(ivr) = talk {
            entry.language = Some(ivr.language());
        }
        self.effect(Effect::MoveLeg { leg, from, to });
        self.leg_began(at, leg);
        self.knock(at, leg);
        if self.legs.get(&leg).is_some_and(|entry| entry.admitted) {
            self.tell(leg, [PromptId::Joining]);
        }
    }

    pub(super) fn disarm_visit(&mut self, leg: LegId) {
        let timers =
            [IvrTimer::Silence, IvrTimer::Digits, IvrTimer::Whole, IvrTimer::LastWords, IvrTimer::Verdict];
        for timer in timers {
            self.timers.disarm(&Timer::Visit(leg, timer));
        }
    }

    /// Says goodbye to somebody who is not in, and hangs up when it has been said.
    pub(super) fn dismiss(&mut self, at: At, leg: LegId, words: PromptId) {
        let language = self.language_of(leg);
        self.say(leg, Utterance::prompts(language, [words, PromptId::Goodbye]));
        self.timers.disarm(&Timer::Visit(leg, IvrTimer::Whole));
        self.timers.arm(Timer::Visit(leg, IvrTimer::LastWords), at.now + crate::live::ivr::LAST_WORDS);
    }
}
