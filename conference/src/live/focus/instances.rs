//! Each time a meeting is held: from the first person's coming to its end, with the most people at once.

use super::{At, Effect, Focus};
use crate::ids::MeetingId;
use crate::live::event::Record;
use crate::live::leg_record::InstanceRecord;
use crate::vocabulary::MeetingState;

impl Focus {
    /// Somebody is in: the meeting is being held, and by how many.
    pub(super) fn instance_counts(&mut self, at: At, id: &MeetingId) {
        let fresh = self.new_id('i');
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        let present = meeting.present();
        let instance = meeting.instance.get_or_insert_with(|| InstanceRecord {
            id: fresh,
            tenant: meeting.spec.tenant.clone(),
            meeting: id.clone(),
            started_at: at.wall,
            active_at: None,
            ended_at: None,
            peak: 0,
        });
        if present > instance.peak {
            instance.peak = present;
            let record = Record::Instance(Box::new(instance.clone()));
            self.effect(Effect::Record(record));
        }
    }

    /// Which time the meeting is being held.
    pub(super) fn instance_id(&self, id: &MeetingId) -> Option<String> {
        let instance = self.meetings.get(id).and_then(|meeting| meeting.instance.as_ref());
        instance.map(|instance| instance.id.clone())
    }

    /// The meeting has entered a state.
    pub(super) fn instance_entered(&mut self, at: At, id: &MeetingId, state: MeetingState) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        let Some(instance) = meeting.instance.as_mut() else { return };
        match state {
            MeetingState::Active if instance.active_at.is_none() => instance.active_at = Some(at.wall),
            MeetingState::Ended | MeetingState::Complete | MeetingState::Cancelled => {
                instance.ended_at = Some(at.wall);
            }
            MeetingState::Draft | MeetingState::Scheduled | MeetingState::Started | MeetingState::Active => {
                return;
            }
        }
        let record = Record::Instance(Box::new(instance.clone()));
        if instance.ended_at.is_some() {
            meeting.instance = None;
        }
        self.effect(Effect::Record(record));
    }
}
