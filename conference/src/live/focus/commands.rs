//! Commands that change a meeting or a person. Calls are in [`super::dial`].

use super::dial_in::DialIn;
use super::legs::{Carrier, Leg};
use super::lobby::Door;
use super::{
    At, Command, DeviceOwner, Effect, Focus, MeetingSpec, PersonSpec, Refusal, RefusalKind, Reply, Timer,
};
use crate::ids::{MeetingId, PersonId};
use crate::live::meeting::Meeting;
use crate::live::policy;
use crate::live::speech::PromptId;
use crate::live::wire::WirePeer;
use crate::vocabulary::{Access, Cause, Role};
use media::worker::{LegId, RoomId};
use sip_core::ua::Command as SipCommand;

impl Focus {
    pub(super) fn command(&mut self, at: At, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::PutMeeting(spec) => self.put_meeting(at, spec),
            Command::DropMeeting { meeting } => self.drop_meeting(at, &meeting),
            Command::PutDevice { aor, user, tenant, display_name, role_hint } => {
                let owner = DeviceOwner { user, tenant, display_name, role_hint };
                self.devices.insert(aor, owner);
                Ok(Reply::Done)
            }
            Command::PutUser { user, enabled } => {
                let _ = if enabled { self.disabled.remove(&user) } else { self.disabled.insert(user) };
                Ok(Reply::Done)
            }
            Command::PutWire { peer, wire } => {
                match wire {
                    Some(wire) => drop(self.wires.insert(peer, wire)),
                    None => drop(self.wires.remove(&peer)),
                }
                Ok(Reply::Done)
            }
            Command::DropDevice { aor } => {
                self.wires.remove(&WirePeer::Device(aor.clone()));
                self.devices.remove(&aor);
                Ok(Reply::Done)
            }
            Command::PutTrunk { trunk, tenant } => {
                self.trunks.insert(trunk, tenant);
                Ok(Reply::Done)
            }
            Command::PutDialIn { number, tenant, language } => {
                let number = number.trim_start_matches('+').to_owned();
                self.dial_ins.insert(number, DialIn { tenant, language });
                Ok(Reply::Done)
            }
            Command::DropDialIn { number } => {
                self.dial_ins.remove(number.trim_start_matches('+'));
                Ok(Reply::Done)
            }
            Command::SetLanguage { tenant, language } => {
                self.languages.insert(tenant, language);
                Ok(Reply::Done)
            }
            Command::SetHand { meeting, person, raised } => {
                let row = self.meeting(&meeting)?.people.get(&person).ok_or_else(unknown_person)?;
                if raised && !row.is_present() {
                    return Err(Refusal::new(RefusalKind::Conflict, "this person is not in the meeting")
                        .mend("Join first"));
                }
                self.set_hand(at, &meeting, &person, raised);
                Ok(Reply::Done)
            }
            Command::PutPerson { meeting, person } => self.put_person(at, &meeting, person),
            Command::JoinWebrtc { meeting, person } => self.join_webrtc(at, &meeting, person),
            Command::Leave { meeting, person } => self.leave(at, &meeting, &person),
            Command::DropLeg { leg } => {
                self.end_leg(at, leg, Cause::HungUp);
                Ok(Reply::Done)
            }
            Command::Dial(spec) => self.dial(at, *spec),
            Command::TransferJudged { refer, result } => self.transfer_judged(refer, result),
            Command::EndCall { call } => self.end_call(at, &call, Cause::Cancelled),
            Command::ListenToCall { call, user, on } => self.listen_to_call(&call, &user, on),
            Command::StopCall { call, cause } => self.end_call(at, &call, cause),
            Command::SetBlocked { tenant, e164, blocked } => {
                if let Some(rules) = self.dialling.get_mut(&tenant) {
                    if blocked {
                        rules.blocked.insert(e164)
                    } else {
                        rules.blocked.remove(&e164)
                    };
                }
                Ok(Reply::Done)
            }
            Command::PutDialling { tenant, rules } => {
                self.dialling.insert(tenant, *rules);
                Ok(Reply::Done)
            }
            Command::SetRole { meeting, person, role } => self.set_role(at, &meeting, &person, role),
            Command::SetAccess { meeting, person, access } => self.set_access(at, &meeting, &person, access),
            Command::SetMuted { meeting, person, by, muted } => {
                self.set_muted(at, &meeting, &person, by, muted)
            }
            Command::SetSpeaking { meeting, person, may_speak } => {
                self.set_speaking(at, &meeting, &person, may_speak)
            }
            Command::MuteAll { meeting, muted } => self.mute_all(at, &meeting, muted),
            Command::LetIn { meeting, person: Some(person) } => self.let_in(at, &meeting, &person),
            Command::LetIn { meeting, person: None } => self.let_all_in(at, &meeting),
            Command::SendAway { meeting, person } => self.send_away(at, &meeting, &person),
            Command::Remove { meeting, person } => self.remove(at, &meeting, &person),
            Command::EndMeeting { meeting } => {
                self.meeting(&meeting)?;
                self.end_meeting(at, &meeting);
                Ok(Reply::Done)
            }
            Command::Drain => Ok(self.drain()),
            Command::Shutdown => Ok(self.shutdown(at)),
        }
    }

    fn put_meeting(&mut self, at: At, spec: MeetingSpec) -> Result<Reply, Refusal> {
        let number = (Some(&spec.number), "number");
        let alias = (spec.alias.as_ref(), "alias");
        for (address, field) in [number, alias] {
            let holder = address.and_then(|address| self.addresses.get(&address.to_ascii_lowercase()));
            if holder.is_some_and(|holder| *holder != spec.meeting) {
                return Err(Refusal::new(RefusalKind::Conflict, "another meeting is reached by it already")
                    .field(field)
                    .mend("Choose another one"));
            }
        }
        let id = spec.meeting.clone();
        self.addresses.retain(|_, meeting| *meeting != id);
        for address in [Some(&spec.number), spec.alias.as_ref()].into_iter().flatten() {
            self.addresses.insert(address.to_ascii_lowercase(), id.clone());
        }
        if let Some(meeting) = self.meetings.get_mut(&id) {
            let before = std::mem::replace(&mut meeting.spec, spec);
            self.meeting_changed(at, &id, &before);
        } else {
            let room = RoomId(self.next_room);
            self.next_room += 1;
            self.rooms.insert(room, id.clone());
            self.meetings.insert(id, Meeting::new(spec, room));
        }
        Ok(Reply::Done)
    }

    /// What has changed counts at once, for those who are in and for those who wait.
    fn meeting_changed(&mut self, at: At, id: &MeetingId, before: &MeetingSpec) {
        let Some(meeting) = self.meetings.get(id) else { return };
        if meeting.spec == *before {
            return;
        }
        let (view, closed) = (meeting.view(), meeting.spec.closed);
        self.replan_all(id);
        if view.locked != before.settings.locked {
            self.announce_lock(at, id);
        }
        if closed {
            return self.end_meeting(at, id);
        }
        self.settle(at, id);
        self.open_doors(at, id);
    }

    fn drop_meeting(&mut self, at: At, id: &MeetingId) -> Result<Reply, Refusal> {
        self.meeting(id)?;
        self.end_meeting(at, id);
        if let Some(meeting) = self.meetings.remove(id) {
            self.rooms.remove(&meeting.room);
        }
        self.addresses.retain(|_, meeting| meeting != id);
        self.touch_roster(id);
        Ok(Reply::Done)
    }

    fn put_person(&mut self, at: At, id: &MeetingId, person: PersonSpec) -> Result<Reply, Refusal> {
        policy::check_standing(person.role, person.access)?;
        let limit = self.config.limits.people_per_meeting;
        let meeting = self.meeting_mut(id)?;
        check_roster(meeting, &person.person, limit)?;
        check_last_host(meeting, &person.person, person.role)?;
        let person_id = person.person.clone();
        let before = meeting.people.get(&person_id).map(|row| (row.spec.role, row.spec.access));
        let (role, access, removed) = (person.role, person.access, person.removed);
        meeting.put_person(person).walk_in = false;
        if removed {
            // Somebody removed before the restart: the row is there to keep them out.
            return Ok(Reply::Done);
        }
        self.replan(id, &person_id);
        if before.is_none() {
            self.publish_person(at, id, &person_id, "person.added");
        }
        if before.is_some_and(|(old, _)| old != role) {
            self.publish_person(at, id, &person_id, "person.role_changed");
        }
        if before.is_some_and(|(_, old)| old != access) {
            self.publish_person(at, id, &person_id, "person.access_changed");
        }
        self.settle(at, id);
        self.open_doors(at, id);
        Ok(Reply::Done)
    }

    fn join_webrtc(&mut self, at: At, id: &MeetingId, mut person: PersonSpec) -> Result<Reply, Refusal> {
        self.check_open()?;
        self.check_not_draining(id)?;
        policy::check_standing(person.role, person.access)?;
        self.check_leg_room(id)?;
        let limit = self.config.limits.people_per_meeting;
        let meeting = self.meeting_mut(id)?;
        check_roster(meeting, &person.person, limit)?;
        if meeting.is_last_host(&person.person) {
            // Reloading the page is no way to lose the last Host.
            (person.role, person.access) = (Role::Host, Access::Collaborate);
        }
        let door = self.door(at, id, &person);
        if let Door::Shut(refusal) = door {
            return Err(refusal);
        }
        let meeting = self.meeting_mut(id)?;
        let (person_id, room) = (person.person.clone(), meeting.room);
        meeting.put_person(person).walk_in = false;
        let leg = self.new_leg_id();
        self.legs.insert(leg, Leg::new(id.clone(), room, person_id, Carrier::Webrtc));
        self.effect(Effect::AttachPeer { leg, room });
        self.timers.arm(Timer::Connect(leg), at.now + self.config.connect_timeout);
        match door {
            Door::Lobby => self.wait(at, leg),
            Door::Open | Door::Shut(_) => self.admit(at, leg),
        }
        Ok(Reply::Leg(leg))
    }

    fn leave(&mut self, at: At, id: &MeetingId, person: &PersonId) -> Result<Reply, Refusal> {
        let legs = self.legs_of(id, person)?;
        for leg in legs {
            self.end_leg(at, leg, Cause::HungUp);
        }
        self.stop_ringing(at, id, person);
        Ok(Reply::Done)
    }

    fn set_role(&mut self, at: At, id: &MeetingId, person: &PersonId, role: Role) -> Result<Reply, Refusal> {
        let meeting = self.meeting_mut(id)?;
        check_last_host(meeting, person, role)?;
        let row = meeting.people.get_mut(person).ok_or_else(unknown_person)?;
        policy::check_standing(role, row.spec.access).map_err(|refusal| refusal.field("role"))?;
        if row.spec.role != role {
            row.spec.role = role;
            self.replan(id, person);
            self.publish_person(at, id, person, "person.role_changed");
            self.settle(at, id);
            self.open_doors(at, id);
        }
        Ok(Reply::Done)
    }

    fn set_access(
        &mut self,
        at: At,
        id: &MeetingId,
        person: &PersonId,
        access: Access,
    ) -> Result<Reply, Refusal> {
        let row = self.meeting_mut(id)?.people.get_mut(person).ok_or_else(unknown_person)?;
        policy::check_standing(row.spec.role, access)?;
        if row.spec.access != access {
            row.spec.access = access;
            self.replan(id, person);
            self.publish_person(at, id, person, "person.access_changed");
        }
        Ok(Reply::Done)
    }

    fn remove(&mut self, at: At, id: &MeetingId, person: &PersonId) -> Result<Reply, Refusal> {
        let legs = self.legs_of(id, person)?;
        let meeting = self.meeting_mut(id)?;
        if meeting.present() > 1 {
            check_last_host(meeting, person, Role::Attendee)?;
        }
        if let Some(row) = meeting.people.get_mut(person) {
            row.removed = true;
        }
        self.stop_ringing(at, id, person);
        for leg in legs {
            self.part(at, leg, PromptId::Removed, Cause::HungUp);
        }
        self.publish_person(at, id, person, "person.removed");
        Ok(Reply::Done)
    }

    fn shutdown(&mut self, at: At) -> Reply {
        self.closing = true;
        let meetings: Vec<_> = self.meetings.keys().cloned().collect();
        for meeting in meetings {
            let busy = self.legs.values().any(|leg| leg.meeting == meeting);
            if busy {
                self.end_meeting(at, &meeting);
            }
        }
        self.timers = crate::live::timers::Timers::default();
        self.sip(SipCommand::Shutdown);
        Reply::Done
    }

    /// The legs that carry a person now.
    fn legs_of(&self, id: &MeetingId, person: &PersonId) -> Result<Vec<LegId>, Refusal> {
        let row = self.meeting(id)?.people.get(person).ok_or_else(unknown_person)?;
        Ok(row.legs().map(|(_, leg)| leg).chain(row.waiting_legs()).collect())
    }

    pub(super) fn check_open(&self) -> Result<(), Refusal> {
        if self.closing {
            return Err(
                Refusal::new(RefusalKind::Overload, "the server is shutting down").mend("Try again later")
            );
        }
        Ok(())
    }

    /// Whether the meeting may have one more leg.
    pub(super) fn check_leg_room(&self, id: &MeetingId) -> Result<(), Refusal> {
        let meeting = self.meeting(id)?;
        let legs = meeting.present() + meeting.live_calls().count();
        if legs >= self.config.limits.legs_per_meeting {
            return Err(Refusal::new(RefusalKind::Overload, "the meeting is full").mend("Try again later"));
        }
        Ok(())
    }
}

pub(super) fn check_roster(meeting: &Meeting, person: &PersonId, limit: usize) -> Result<(), Refusal> {
    if meeting.people.len() >= limit && !meeting.people.contains_key(person) {
        return Err(Refusal::new(RefusalKind::Overload, "the meeting's list of people is full")
            .field("people")
            .mend("Remove somebody from the list"));
    }
    Ok(())
}

/// A meeting cannot lose its last Host by a change of role, unless somebody takes over (I72).
fn check_last_host(meeting: &Meeting, person: &PersonId, role: Role) -> Result<(), Refusal> {
    if role == Role::Host || !meeting.is_last_host(person) || meeting.next_host(Some(person)).is_some() {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::Conflict, "the meeting would lose its last Host")
        .field("role")
        .mend("Make somebody else Host first"))
}

pub(super) fn unknown_person() -> Refusal {
    Refusal::not_found("person", "there is no such person in this meeting").mend("Reload the list of people")
}
