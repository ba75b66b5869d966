//! Incoming calls to a meeting's own address.

use super::dial_in::Caller;
use super::legs::{Carrier, Entrant, Leg, SipLeg};
use super::lobby::{Door, status_of};
use super::{At, Focus, PersonSpec};
use crate::ids::MeetingId;
use crate::vocabulary::Role;
use bytes::Bytes;
use media::sdp;
use media::worker::LegId;
use sip_core::ua::{AddressOfRecord, Command as SipCommand, IncomingInvite, Origin, SessionId, TrunkId};

impl Focus {
    /// An INVITE: to a meeting's own address, to a number that asks for the meeting, or to nothing of ours.
    pub(super) fn incoming(&mut self, at: At, invite: IncomingInvite) {
        let session = invite.session;
        if self.closing {
            return self.sip(SipCommand::Reject { session, status: 503 });
        }
        let seat = match self.replaced_leg(invite.replaces) {
            Ok(seat) => seat,
            Err(status) => return self.sip(SipCommand::Reject { session, status }),
        };
        // Whoever takes over a seat goes to its meeting, whatever was dialled.
        match seat.is_none().then(|| self.visit_of(at, &invite)).transpose().map(Option::flatten) {
            Ok(Some(visit)) => return self.open_visit(invite, visit),
            Ok(None) => {}
            Err(status) => return self.sip(SipCommand::Reject { session, status }),
        }
        match self.place_caller(at, &invite, seat) {
            Ok((meeting, entrant)) => {
                let Some(room) = self.meetings.get(&meeting).map(|meeting| meeting.room) else { return };
                let leg = self.new_leg_id();
                let person = entrant.spec.person.clone();
                let sip = SipLeg { caller: Some(entrant), ..SipLeg::incoming(invite) };
                self.legs.insert(leg, Leg::new(meeting, room, person, Carrier::Sip(Box::new(sip))));
                self.sessions.insert(session, leg);
                self.open_port(leg);
            }
            Err(status) => self.sip(SipCommand::Reject { session, status }),
        }
    }

    /// Which meeting, and who it is; or the SIP status to refuse with.
    fn place_caller(
        &mut self,
        at: At,
        invite: &IncomingInvite,
        seat: Option<MeetingId>,
    ) -> Result<(MeetingId, Entrant), u16> {
        let (id, entrant) = match (seat, &invite.origin) {
            (Some(id), Origin::Device(aor)) => {
                let entrant = self.device_entrant(&id, aor)?;
                (id, entrant)
            }
            (Some(_), Origin::Trunk(_) | Origin::TrustedPeer) => return Err(403),
            (None, _) => match self.direct_with_pin(at, invite) {
                Some(judged) => judged?,
                None => self.direct(invite)?,
            },
        };
        self.check_not_draining(&id).map_err(|_| 503_u16)?;
        self.check_leg_room(&id).map_err(|_| 503_u16)?;
        match self.door(at, &id, &entrant.spec) {
            Door::Shut(refusal) => Err(status_of(&refusal)),
            Door::Open | Door::Lobby => Ok((id, entrant)),
        }
    }

    /// By the meeting's address alone.
    fn direct(&mut self, invite: &IncomingInvite) -> Result<(MeetingId, Entrant), u16> {
        let user = invite.request_user.trim_start_matches('+').to_ascii_lowercase();
        let id = self.addresses.get(&user).ok_or(404_u16)?.clone();
        let entrant = match &invite.origin {
            Origin::Device(aor) => self.device_entrant(&id, aor)?,
            Origin::Trunk(trunk) => {
                self.check_trunk(&id, *trunk)?;
                self.walk_in(&id, invite)?
            }
            Origin::TrustedPeer => self.walk_in(&id, invite)?,
        };
        Ok((id, entrant))
    }

    /// A registered device is its user: with the row the user has, or as Host of an own meeting, or as a guest.
    pub(super) fn device_entrant(&mut self, id: &MeetingId, aor: &AddressOfRecord) -> Result<Entrant, u16> {
        let owner = self.devices.get(aor).ok_or(403_u16)?.clone();
        let meeting =
            self.meetings.get(id).filter(|meeting| meeting.spec.tenant == owner.tenant).ok_or(404_u16)?;
        if let Some(row) = meeting.person_of_user(&owner.user) {
            return Ok(Entrant { spec: row.spec.clone(), number: None, walk_in: row.walk_in });
        }
        let role = if meeting.spec.owner.as_ref() == Some(&owner.user) {
            Role::Host
        } else {
            owner.role_hint.unwrap_or(meeting.spec.direct_join_role)
        };
        let person = self.new_person_id();
        let spec = PersonSpec {
            person,
            user: Some(owner.user),
            display_name: owner.display_name,
            role,
            ..PersonSpec::default()
        };
        Ok(Entrant { spec, number: None, walk_in: true })
    }

    /// Another tenant's meeting does not exist for a trunk.
    fn check_trunk(&self, id: &MeetingId, trunk: TrunkId) -> Result<(), u16> {
        let tenant = self.meetings.get(id).map(|meeting| &meeting.spec.tenant);
        match self.trunks.get(&trunk) {
            Some(owner) if Some(owner) != tenant => Err(404),
            _ => Ok(()),
        }
    }

    fn walk_in(&mut self, id: &MeetingId, invite: &IncomingInvite) -> Result<Entrant, u16> {
        let meeting = self.meetings.get(id).ok_or(404_u16)?;
        let (role, tenant) = (meeting.direct_join_role(), meeting.spec.tenant.clone());
        Ok(Caller::of(invite, tenant).walk_in(self.new_person_id(), role))
    }

    /// The port is there: answer the offer, and let the caller in at once if they have proved who they are.
    ///
    /// A trunk is known by its address, which anybody can write on a datagram. Our To tag comes back in the ACK only
    /// from where our answer really went; until then no sound leaves, or a forged INVITE would aim a stream at
    /// whomever its description names.
    pub(super) fn answer_incoming(&mut self, at: At, leg: LegId) {
        if self.announce_emergency(at, leg) {
            return;
        }
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let (Some(local), Some(offer), Some(session)) = (sip.local.as_ref(), sip.offer.take(), sip.session)
        else {
            return;
        };
        if offer.is_empty() {
            // Ours is the offer then, and the ACK brings the answer (RFC 3261 section 13.2.1).
            let body = Bytes::from(sdp::offer(local));
            sip.accepted = true;
            return self.sip(SipCommand::Accept { session, body });
        }
        match sdp::answer(local, &offer) {
            Ok((negotiated, body)) => {
                sip.accepted = true;
                sip.unproven = Some(negotiated);
                let proved = sip.proved;
                let body = Bytes::from(body);
                sip.described = Some(body.clone());
                self.sip(SipCommand::Accept { session, body });
                if proved {
                    self.answered_caller(at, leg);
                }
            }
            Err(error) => self.reject_incoming(at, leg, error.status()),
        }
    }

    /// The ACK has come: the caller is where our answer went.
    pub(super) fn established(&mut self, at: At, session: SessionId) {
        if let Some(&leg) = self.sessions.get(&session) {
            self.answered_caller(at, leg);
        }
    }

    fn answered_caller(&mut self, at: At, leg: LegId) {
        let Some(negotiated) = self.sip_leg_mut(leg).and_then(|sip| sip.unproven.take()) else { return };
        self.set_remote(leg, negotiated);
        if !self.begin_visit(at, leg) {
            self.knock(at, leg);
            self.take_over(at, leg);
        }
    }

    /// Refuses a call that has not been answered, and gives its leg back.
    pub(super) fn reject_incoming(&mut self, at: At, leg: LegId, status: u16) {
        let session = self.sip_leg_mut(leg).and_then(|sip| sip.session);
        if let Some(session) = session {
            self.sip(SipCommand::Reject { session, status });
        }
        self.drop_leg(at, leg);
    }
}
