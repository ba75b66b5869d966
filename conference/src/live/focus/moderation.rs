//! What Hosts do to others: muting one or all, letting speak, handing the meeting on.

use super::commands::unknown_person;
use super::{At, Effect, Focus, MutedBy, Refusal, Reply, Timer};
use crate::ids::{MeetingId, PersonId};
use crate::live::event::Record;
use crate::vocabulary::{LegKind, Role};

impl Focus {
    /// Two flags (I75). A Host's unmuting never opens a microphone: a phone that its owner has not muted is heard
    /// again at once, a browser stays muted by its owner, who is asked and answers by unmuting.
    pub(super) fn set_muted(
        &mut self,
        at: At,
        id: &MeetingId,
        person: &PersonId,
        by: MutedBy,
        muted: bool,
    ) -> Result<Reply, Refusal> {
        let row = self.meeting_mut(id)?.people.get_mut(person).ok_or_else(unknown_person)?;
        let before = (row.muted_by_host, row.muted_by_self);
        match by {
            MutedBy::Oneself => row.muted_by_self = muted,
            MutedBy::Host => {
                let by_browser = row.leg(LegKind::Webrtc).is_some() && row.leg(LegKind::Sip).is_none();
                row.muted_by_self |= row.muted_by_host && !muted && by_browser;
                row.muted_by_host = muted;
            }
        }
        let asked = by == MutedBy::Host && !muted && row.muted_by_self;
        if before != (row.muted_by_host, row.muted_by_self) {
            self.replan(id, person);
            self.publish_person(at, id, person, "person.muted");
            if by == MutedBy::Host {
                self.tell_of_muting(id, person, muted);
            }
        } else if asked {
            self.tell_of_muting(id, person, muted);
        }
        if asked {
            self.publish_person(at, id, person, "person.unmute_requested");
        }
        Ok(Reply::Done)
    }

    /// Mutes everybody who is in but the Hosts, by browser and by phone alike; or takes that back.
    pub(super) fn mute_all(&mut self, at: At, id: &MeetingId, muted: bool) -> Result<Reply, Refusal> {
        let people = self.meeting(id)?.people.values();
        let others = people.filter(|row| row.is_present() && row.spec.role != Role::Host);
        let others: Vec<_> =
            others.filter(|row| row.muted_by_host != muted).map(|row| row.spec.person.clone()).collect();
        for person in others {
            self.set_muted(at, id, &person, MutedBy::Host, muted)?;
        }
        Ok(Reply::Done)
    }

    /// Lets an Attendee of a presentation speak, or no longer.
    pub(super) fn set_speaking(
        &mut self,
        at: At,
        id: &MeetingId,
        person: &PersonId,
        may_speak: bool,
    ) -> Result<Reply, Refusal> {
        let row = self.meeting_mut(id)?.people.get_mut(person).ok_or_else(unknown_person)?;
        if row.spec.may_speak != may_speak {
            row.spec.may_speak = may_speak;
            self.replan(id, person);
            self.publish_person(at, id, person, "person.role_changed");
        }
        Ok(Reply::Done)
    }

    /// The last Host has gone: the oldest invited Host takes over, else the meeting goes on for a grace time (I72).
    pub(super) fn hand_over(&mut self, at: At, id: &MeetingId) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        let Some(next) = meeting.next_host(None) else {
            let grace = meeting.spec.settings.no_host_grace_seconds;
            let grace = super::life::grace(grace, self.config.no_host_grace);
            let timer = Timer::NoHost(id.clone());
            if !self.timers.is_armed(&timer) {
                self.timers.arm(timer, at.now + grace);
            }
            return;
        };
        if let Some(row) = meeting.people.get_mut(&next) {
            row.spec.role = Role::Host;
        }
        self.replan(id, &next);
        let record =
            Record::RoleChanged { meeting: id.clone(), person: next.clone(), role: Role::Host, at: at.wall };
        self.effect(Effect::Record(record));
        self.publish_person(at, id, &next, "person.role_changed");
        self.open_doors(at, id);
    }
}
