//! Legs: what carries a person, from the first port to the last effect.

use super::dial_in::Visit;
use super::seat::Pulse;
use super::sound::Sound;
use super::{At, Effect, Focus, Timer};
use crate::ids::{CallId, MeetingId, PersonId};
use crate::live::call::Input;
use crate::live::keypad::{KeyFilter, Keypad};
use crate::live::leg_record::LegRecord;
use crate::live::participant::PersonSpec;
use crate::live::plan::{Standing, plan};
use crate::live::rights::Rules;
use crate::live::speech::Language;
use crate::live::wire::{Wire, WirePeer};
use crate::vocabulary::{Cause, LegKind, Role};
use bytes::Bytes;
use media::sdp::{Codec, Direction, KeySeed, LocalDescription, Negotiated, SrtpPolicy};
use media::worker::{Command as MediaCommand, LegId, LegPlan, PlayingId, RoomId, VoiceTreatment};
use rand_chacha::rand_core::Rng;
use sip_core::ua::{Command as SipCommand, IncomingInvite, Origin, SessionId, TrunkId};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) meeting: MeetingId,
    pub(super) room: RoomId,
    pub(super) person: PersonId,
    pub(super) carrier: Carrier,
    /// In the meeting. Until then its plan is all false.
    pub(super) admitted: bool,
    /// The far end holds us.
    pub(super) held: bool,
    /// The plan the mixer has.
    pub(super) plan: LegPlan,
    /// The level last reported, in -dBov.
    pub(super) level: u8,
    /// What it hears beside the meeting.
    pub(super) sound: Sound,
    /// What was said or played to it last.
    pub(super) playing: PlayingId,
    /// It waits, and hears music when nothing else is said to it.
    pub(super) music: bool,
    /// The language its caller has chosen.
    pub(super) language: Option<Language>,
    /// It is out, and hears its last words.
    pub(super) parting: bool,
    /// The keys pressed in the meeting.
    pub(super) keypad: Keypad,
    /// Knows a key that comes twice.
    pub(super) keys: KeyFilter,
    /// What will be written down of it, once it has begun.
    pub(super) record: Option<Box<LegRecord>>,
    /// The codec it is sent, once that is agreed.
    pub(super) codec: Option<Codec>,
    /// Whether it still speaks to us.
    pub(super) pulse: Pulse,
}

/// What a leg is made of.
#[derive(Debug)]
pub(super) enum Carrier {
    Webrtc,
    Sip(Box<SipLeg>),
}

/// The SIP side of a leg.
#[derive(Debug, Default)]
pub(super) struct SipLeg {
    /// Whose settings count for its media.
    pub(super) peer: Option<WirePeer>,
    /// The INVITE session, while there is one.
    pub(super) session: Option<SessionId>,
    /// The dial-out this leg belongs to; `None` for an incoming call.
    pub(super) call: Option<CallId>,
    /// The conversation with a caller who is not in yet.
    pub(super) visit: Option<Box<Visit>>,
    /// Who calls in, until admitted.
    pub(super) caller: Option<Entrant>,
    /// The Call-ID of a call that came in.
    pub(super) call_id: Option<String>,
    /// The trunk it came in by.
    pub(super) trunk: Option<TrunkId>,
    /// A port was asked for.
    pub(super) port_asked: bool,
    /// Our side of the session description, once the port is bound. The media worker knows the leg from then on.
    pub(super) local: Option<LocalDescription>,
    /// How often our description has changed: the version in `o=` grows with it (RFC 3264 section 8).
    pub(super) version: u64,
    /// Our last answer or later offer, whose media keep their places in the next offer (RFC 3264 section 8).
    pub(super) described: Option<Bytes>,
    /// The offer of an incoming call that waits for the port.
    pub(super) offer: Option<Bytes>,
    /// The session whose seat its caller takes over.
    pub(super) replaces: Option<SessionId>,
    /// What was agreed with a caller known by address alone, until the ACK proves that the address is theirs.
    pub(super) unproven: Option<Negotiated>,
    /// The caller has proved who they are by digest.
    pub(super) proved: bool,
    /// Where the far end points to instead (3xx).
    pub(super) contacts: Vec<String>,
    /// The description of a provisional answer, in case the final one has none.
    pub(super) early: Option<Bytes>,
    /// Who listens to what comes early.
    pub(super) listener: Option<LegId>,
    /// The answer to an incoming INVITE has been sent.
    pub(super) accepted: bool,
    /// Take the far end's port from its first packets: for phones behind NAT.
    pub(super) symmetric: bool,
    /// Where the far end's signalling comes from, as far as it is known.
    pub(super) signalled_from: Option<IpAddr>,
}

impl SipLeg {
    /// The leg of an incoming call that waits for its port.
    pub(super) fn incoming(invite: IncomingInvite) -> Self {
        let (peer, trunk) = match invite.origin {
            Origin::Device(aor) => (Some(WirePeer::Device(aor)), None),
            Origin::Trunk(trunk) => (Some(WirePeer::Trunk(trunk)), Some(trunk)),
            Origin::TrustedPeer => (None, None),
        };
        let is_device = matches!(peer, Some(WirePeer::Device(_)));
        Self {
            peer,
            session: Some(invite.session),
            call_id: Some(invite.call_id),
            trunk,
            offer: Some(invite.body),
            replaces: invite.replaces,
            symmetric: is_device,
            proved: is_device,
            signalled_from: Some(invite.source.ip()),
            ..Self::default()
        }
    }
}

/// Somebody at the door.
#[derive(Clone, Debug)]
pub(super) struct Entrant {
    pub(super) spec: PersonSpec,
    pub(super) number: Option<String>,
    pub(super) walk_in: bool,
}

impl Leg {
    pub(super) fn new(meeting: MeetingId, room: RoomId, person: PersonId, carrier: Carrier) -> Self {
        Self {
            meeting,
            room,
            person,
            carrier,
            admitted: false,
            held: false,
            plan: LegPlan::default(),
            level: 127,
            sound: Sound::Quiet,
            playing: PlayingId::default(),
            music: false,
            language: None,
            parting: false,
            keypad: Keypad::default(),
            keys: KeyFilter::default(),
            record: None,
            codec: None,
            pulse: Pulse::default(),
        }
    }

    pub(super) fn kind(&self) -> LegKind {
        match self.carrier {
            Carrier::Webrtc => LegKind::Webrtc,
            Carrier::Sip(_) => LegKind::Sip,
        }
    }

    pub(super) fn sip(&self) -> Option<&SipLeg> {
        match &self.carrier {
            Carrier::Sip(sip) => Some(sip),
            Carrier::Webrtc => None,
        }
    }

    pub(super) fn sip_mut(&mut self) -> Option<&mut SipLeg> {
        match &mut self.carrier {
            Carrier::Sip(sip) => Some(sip),
            Carrier::Webrtc => None,
        }
    }

    pub(super) fn meeting_of(&self) -> &MeetingId {
        &self.meeting
    }

    pub(super) fn visit(&self) -> Option<&Visit> {
        self.sip()?.visit.as_deref()
    }

    pub(super) fn call(&self) -> Option<&CallId> {
        self.sip()?.call.as_ref()
    }
}

impl Focus {
    pub(super) fn sip_leg_mut(&mut self, leg: LegId) -> Option<&mut SipLeg> {
        self.legs.get_mut(&leg)?.sip_mut()
    }

    /// Asks for a port; the leg goes on when it is there.
    pub(super) fn open_port(&mut self, leg: LegId) {
        let Some(room) = self.legs.get(&leg).map(|leg| leg.room) else { return };
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        sip.port_asked = true;
        self.effect(Effect::OpenPort { leg, room });
    }

    pub(super) fn port_result(&mut self, at: At, leg: LegId, result: Result<SocketAddr, String>) {
        // RFC 8866 section 5.2 asks for a unique session id; 31 bits are what every phone can read.
        let session_id = self.rng.next_u64() >> 33;
        self.leg_began(at, leg);
        let mut key_seed = KeySeed::default();
        self.rng.fill_bytes(&mut key_seed.0);
        let Some(room) = self.legs.get(&leg).map(|leg| leg.room) else { return };
        let Some(sip) = self.sip_leg_mut(leg).filter(|sip| sip.port_asked && sip.local.is_none()) else {
            return;
        };
        let (call, peer) = (sip.call.clone(), sip.peer.clone());
        match result {
            Ok(address) => {
                let (Wire { codecs, srtp, voice }, ranked) = self.wire(peer.as_ref());
                let dtls = self.config.dtls;
                let local = LocalDescription { address, session_id, codecs, ranked, srtp, key_seed, dtls };
                if let Some(sip) = self.sip_leg_mut(leg) {
                    sip.local = Some(local);
                }
                self.media(room, MediaCommand::AddSipLeg { leg, room });
                if voice != VoiceTreatment::default() {
                    self.media(room, MediaCommand::TreatVoice { leg, treatment: voice });
                }
                match call {
                    Some(call) => self.drive_call(at, &call, Input::PortOpened),
                    None => self.answer_incoming(at, leg),
                }
            }
            Err(why) => {
                sip.port_asked = false;
                let why = format!("no media port: {why}");
                match call {
                    Some(call) => self.drive_call(at, &call, Input::PortFailed(why)),
                    None => self.reject_incoming(at, leg, 503),
                }
            }
        }
    }

    /// How a peer's sound travels. A peer's own setting counts, but "where it can" weakens no house in which all is
    /// encrypted. Also whether the order of codecs was set for this peer.
    pub(super) fn wire(&self, peer: Option<&WirePeer>) -> (Wire, bool) {
        let own = peer.and_then(|peer| self.wires.get(peer)).cloned();
        let mut wire = own.unwrap_or_else(|| Wire {
            codecs: Vec::new(),
            srtp: self.config.srtp,
            voice: VoiceTreatment::default(),
        });
        if wire.srtp == SrtpPolicy::Prefer {
            wire.srtp = wire.srtp.max(self.config.srtp);
        }
        let ranked = !wire.codecs.is_empty();
        if !ranked {
            wire.codecs.clone_from(&self.config.codecs);
        }
        (wire, ranked)
    }

    /// Notes what was negotiated and tells the mixer where to send.
    pub(super) fn set_remote(&mut self, leg: LegId, negotiated: Negotiated) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.held = is_hold(negotiated.direction);
        entry.codec = Some(negotiated.codec);
        if let Some(record) = &mut entry.record {
            record.codec = Some(codec_word(negotiated.codec));
        }
        let (room, meeting, person) = (entry.room, entry.meeting.clone(), entry.person.clone());
        let admitted = entry.admitted;
        let symmetric_from = entry.sip().filter(|sip| sip.symmetric).and_then(|sip| sip.signalled_from);
        self.media(room, MediaCommand::SetSipRemote { leg, negotiated, symmetric_from });
        if admitted {
            self.replan(&meeting, &person);
        }
    }

    /// Lets a leg into the meeting: the plan goes to the mixer before anybody is told.
    pub(super) fn admit(&mut self, at: At, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.admitted = true;
        let (id, person, kind) = (entry.meeting.clone(), entry.person.clone(), entry.kind());
        self.put_entrant(&id, leg);
        let Some(meeting) = self.meetings.get_mut(&id) else { return };
        let settings = &meeting.spec.settings;
        let (mute_on_entry, max_call) = (settings.mute_on_entry, settings.max_call_minutes);
        let Some(row) = meeting.people.get_mut(&person) else { return };
        let was_present = row.is_present();
        row.muted_by_self |= mute_on_entry && !was_present && row.spec.role != Role::Host;
        let replaced = row.attach(kind, leg);
        if let Some(minutes) = max_call.filter(|_| kind == LegKind::Sip) {
            let most = Duration::from_secs(u64::from(minutes) * 60);
            self.timers.arm(Timer::MaxCall(leg), at.now + most);
        }
        self.replan(&id, &person);
        if let Some(old) = replaced {
            self.end_leg(at, old, Cause::HungUp);
        }
        self.leg_began(at, leg);
        if !was_present {
            self.person_joined(at, &id, &person, kind);
            self.settle(at, &id);
        }
        self.leg_joined(at, leg);
    }

    /// Puts the caller of an incoming leg on the roster, if they are not there yet.
    pub(super) fn put_entrant(&mut self, id: &MeetingId, leg: LegId) {
        let Some(entrant) = self.sip_leg_mut(leg).and_then(|sip| sip.caller.take()) else { return };
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        let row = meeting.put_person(entrant.spec);
        row.walk_in = entrant.walk_in;
        row.number = entrant.number;
    }

    /// Brings the mixer's plan for one person up to date.
    pub(super) fn replan(&mut self, meeting: &MeetingId, person: &PersonId) {
        let Some(meeting) = self.meetings.get(meeting) else { return };
        let Some(row) = meeting.people.get(person) else { return };
        let audio_by_phone = row.leg(LegKind::Sip).is_some();
        for (kind, leg) in row.legs() {
            let Some(entry) = self.legs.get_mut(&leg) else { continue };
            let new = plan(&Standing {
                rules: Rules::from(&meeting.spec),
                rank: row.rank(),
                admitted: entry.admitted,
                muted: row.is_muted(),
                held: entry.held,
                leg: kind,
                audio_by_phone,
            });
            if new != entry.plan {
                entry.plan = new;
                let command = MediaCommand::SetPlan { leg, plan: new };
                self.outbox.push_back(Effect::Media { room: entry.room, command });
            }
        }
    }

    /// Brings the mixer's plan for everybody up to date.
    pub(super) fn replan_all(&mut self, meeting: &MeetingId) {
        let people: Vec<_> = match self.meetings.get(meeting) {
            Some(meeting) => meeting.people.keys().cloned().collect(),
            None => return,
        };
        for person in people {
            self.replan(meeting, &person);
        }
    }

    /// Ends a leg from our side, whatever it is and however far it has come.
    pub(super) fn end_leg(&mut self, at: At, leg: LegId, cause: Cause) {
        self.leg_ends_for(leg, cause);
        let Some(entry) = self.legs.get(&leg) else { return };
        let Some(sip) = entry.sip() else { return self.drop_leg(at, leg) };
        if let Some(call) = sip.call.clone() {
            return self.drive_call(at, &call, Input::Cancel(cause));
        }
        if !sip.accepted {
            return self.reject_incoming(at, leg, 480);
        }
        if let Some(session) = sip.session {
            self.sip(SipCommand::HangUp { session });
        }
        self.drop_leg(at, leg);
    }

    /// Gives everything of a leg back. The SIP session, if any, has been dealt with before.
    pub(super) fn drop_leg(&mut self, at: At, leg: LegId) {
        self.end_aside(leg);
        let Some(mut entry) = self.legs.remove(&leg) else { return };
        let record = entry.record.take();
        let timers = [Timer::Connect, Timer::Lobby, Timer::MaxCall, Timer::Parting, Timer::Silence];
        timers.into_iter().for_each(|timer| self.timers.disarm(&timer(leg)));
        self.disarm_visit(leg);
        let mut known_to_worker = true;
        let mut port_asked = false;
        if let Some(sip) = entry.sip() {
            known_to_worker = sip.local.is_some();
            port_asked = sip.port_asked;
            if let Some(session) = sip.session {
                self.sessions.remove(&session);
            }
        }
        if known_to_worker {
            self.media(entry.room, MediaCommand::RemoveLeg { leg });
        }
        if port_asked {
            self.effect(Effect::ClosePort { leg });
        }
        self.leg_over(at, leg, record, known_to_worker);
        self.leg_left(at, leg, &entry.meeting, &entry.person);
    }

    /// The meeting's side of a leg that is gone.
    pub(super) fn leg_left(&mut self, at: At, leg: LegId, id: &MeetingId, person: &PersonId) {
        let Some(meeting) = self.meetings.get_mut(id) else { return };
        meeting.slots.remove(&leg);
        let spoke = meeting.active_speaker == Some(leg);
        let Some(row) = meeting.people.get_mut(person) else { return };
        let was_waiting = row.is_waiting();
        let was_in = row.detach(leg);
        let gone = was_in && !row.is_present();
        let gave_up = was_waiting && !row.is_waiting();
        if spoke {
            self.speaker_changed(at, id, None);
        }
        if gone {
            self.person_left(at, id, person);
        } else if gave_up {
            self.gave_up_waiting(at, id, person);
        } else if was_in {
            // A browser gets its audio back when its own phone is gone.
            self.replan(id, person);
        }
    }
}

/// A codec as records name it.
pub(super) fn codec_word(codec: Codec) -> String {
    codec.name().to_ascii_lowercase()
}

/// Whether the far end holds us. A phone that only sends plays its hold music; one that only listens is no trouble.
fn is_hold(ours: Direction) -> bool {
    match ours {
        Direction::SendRecv | Direction::SendOnly => false,
        Direction::RecvOnly | Direction::Inactive => true,
    }
}
