//! A Host listens to what comes before a call is answered: ring-back tones and announcements, for his ear alone (early media,
//! RFC 3960). It ends with the answer: from then on there is a person at the other end.

use super::dial::unknown_call;
use super::legs::Leg;
use super::{Focus, Refusal, RefusalKind, Reply};
use crate::ids::{CallId, UserId};
use crate::vocabulary::{CallState, LegKind};
use media::sdp;
use media::worker::{Command as MediaCommand, LegId};

impl Focus {
    /// Begins or ends it. What has not come yet is heard when it comes.
    pub(super) fn listen_to_call(
        &mut self,
        call: &CallId,
        user: &UserId,
        on: bool,
    ) -> Result<Reply, Refusal> {
        let meeting = self.calls.get(call).and_then(|meeting| self.meetings.get(meeting));
        let entry = meeting.and_then(|meeting| Some((meeting, meeting.calls.get(call)?)));
        let (meeting, entry) = entry.ok_or_else(unknown_call)?;
        let leg = entry.leg();
        if !on {
            self.end_aside(leg);
            return Ok(Reply::Done);
        }
        if !matches!(entry.state(), CallState::Queued | CallState::Dialling | CallState::Ringing) {
            return Err(Refusal::new(RefusalKind::Conflict, "this call has been answered")
                .mend("Listen before the answer; whoever is let in is heard by all"));
        }
        let row = meeting.person_of_user(user).filter(|row| row.is_present());
        let ear = row.and_then(|row| row.leg(LegKind::Webrtc).or_else(|| row.leg(LegKind::Sip)));
        let ear = ear.ok_or_else(|| {
            Refusal::new(RefusalKind::Conflict, "you are not in this meeting")
                .mend("Join it first, then listen")
        })?;
        self.end_aside(leg);
        // An ear hears one call aside: the one it turns to now.
        for sip in self.legs.values_mut().filter_map(Leg::sip_mut) {
            sip.listener = sip.listener.filter(|listener| *listener != ear);
        }
        if let Some(sip) = self.sip_leg_mut(leg) {
            sip.listener = Some(ear);
        }
        self.overhear(ear, Some(leg));
        self.hear_early(leg);
        Ok(Reply::Done)
    }

    /// Takes in what comes early, if somebody listens.
    pub(super) fn hear_early(&mut self, leg: LegId) {
        let Some(sip) = self.sip_leg_mut(leg).filter(|sip| sip.listener.is_some()) else { return };
        let (Some(local), Some(early)) = (&sip.local, &sip.early) else { return };
        if let Ok(negotiated) = sdp::accept_answer(local, early) {
            self.set_remote(leg, negotiated);
        }
    }

    /// Nobody listens to this call aside any more.
    pub(super) fn end_aside(&mut self, leg: LegId) {
        let ear = self.sip_leg_mut(leg).and_then(|sip| sip.listener.take());
        if let Some(ear) = ear {
            self.overhear(ear, None);
        }
    }

    fn overhear(&mut self, ear: LegId, of: Option<LegId>) {
        if let Some(room) = self.legs.get(&ear).map(|entry| entry.room) {
            self.media(room, MediaCommand::Overhear { leg: ear, of });
        }
    }
}
