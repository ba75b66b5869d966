//! Events of the SIP user agent.

use super::{At, Effect, Focus};
use crate::ids::CallId;
use crate::live::call::Input;
use crate::live::event::{PublicEvent, Record};
use crate::live::keypad::KeyPath;
use crate::vocabulary::UnixMillis;
use bytes::Bytes;
use media::sdp::{self, Negotiated};
use media::worker::LegId;
use serde_json::{Value, json};
use sip_core::ua::{
    AddressOfRecord, BindingInfo, Command as SipCommand, EndCause, Event, SessionId, TrunkId,
};
use std::net::IpAddr;
use std::time::Instant;

impl Focus {
    pub(super) fn sip_event(&mut self, at: At, event: Event) {
        match event {
            Event::Incoming(invite) => self.incoming(at, *invite),
            Event::Provisional { session, status, body } => self.provisional(at, session, status, body),
            Event::Answered { session, body, source } => self.answered(at, session, body, source.ip()),
            Event::Offer { session, body } => self.offered(session, &body),
            Event::Ended { session, cause } => self.ended(at, session, cause),
            Event::Registered(binding) => self.registered(at, binding),
            Event::Unregistered { device } => self.unregistered(at, device, "device.unregistered"),
            Event::Unreachable { device } => self.unreachable(at, &device),
            Event::RegistrationExpired { device } => self.unregistered(at, device, "device.expired"),
            Event::Established { session } => self.established(at, session),
            Event::Dtmf { session, digit, .. } => self.key_by_signalling(at, session, digit),
            Event::OfferAnswered { session, body } => self.offer_answered(session, body),
            Event::Alive { session } => self.alive(session),
            Event::Refer(asked) => self.referred(*asked),
            Event::Subscribe(asked) => self.subscribed(*asked),
            Event::SubscriptionEnded { subscription } => self.subscription_ended(subscription),
            Event::MessageOver { .. } => {}
            Event::Redirected { session, contacts } => self.note_contacts(session, contacts),
            Event::TrunkUp { trunk } => self.publish_trunk(at, trunk, "trunk.up", None),
            Event::TrunkDown { trunk, status } => self.publish_trunk(at, trunk, "trunk.down", status),
            Event::Banned { address, until } => self.banned(at, address, until),
        }
    }

    fn provisional(&mut self, at: At, session: SessionId, status: u16, body: Option<Bytes>) {
        let Some(&leg) = self.sessions.get(&session) else { return };
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let body = body.filter(|body| !body.is_empty());
        let input = if body.is_some() { Input::EarlyMedia(status) } else { Input::Provisional(status) };
        sip.early = body.or_else(|| sip.early.take());
        let call = sip.call.clone();
        self.hear_early(leg);
        if let Some(call) = call {
            self.drive_call(at, &call, input);
        }
    }

    fn answered(&mut self, at: At, session: SessionId, body: Bytes, source: IpAddr) {
        let Some(&leg) = self.sessions.get(&session) else {
            // Answered in the moment of cancelling: nobody waits for it any more.
            return self.sip(SipCommand::HangUp { session });
        };
        self.end_aside(leg);
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let Some(call) = sip.call.clone() else { return };
        sip.signalled_from = Some(source);
        // RFC 3261 section 13.2.1 lets a reliable provisional answer carry the only description.
        let body = if body.is_empty() { sip.early.take().unwrap_or_default() } else { body };
        let Some(local) = &sip.local else { return };
        match sdp::accept_answer(local, &body) {
            Ok(negotiated) => {
                self.set_remote(leg, negotiated);
                self.drive_call(at, &call, Input::Answered);
            }
            Err(error) => self.drive_call(at, &call, Input::AnsweredUnusable(error.to_string())),
        }
    }

    /// A key told by INFO counts like one that came with the sound.
    fn key_by_signalling(&mut self, at: At, session: SessionId, digit: char) {
        if let Some(&leg) = self.sessions.get(&session) {
            self.key(at, leg, digit, KeyPath::Signalling);
        }
    }

    /// The answer to an offer of ours: to one we made because the peer's INVITE had none, or to our description
    /// repeated. A status instead of an answer leaves all as it was.
    fn offer_answered(&mut self, session: SessionId, body: Result<Bytes, u16>) {
        let (Ok(body), Some(&leg)) = (body, self.sessions.get(&session)) else { return };
        let admitted = self.legs.get(&leg).is_some_and(|leg| leg.admitted);
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        let Some(local) = &sip.local else { return };
        match sdp::accept_answer(local, &body) {
            // A caller without an offer comes in when the ACK that brings this answer is seen.
            Ok(negotiated) if !admitted && sip.call.is_none() => sip.unproven = Some(negotiated),
            Ok(negotiated) => self.set_remote(leg, negotiated),
            Err(_) => self.sip(SipCommand::HangUp { session }),
        }
    }

    /// A re-INVITE: hold, a new address, another codec. One without an offer gets ours again.
    fn offered(&mut self, session: SessionId, body: &[u8]) {
        let answer = match self.sessions.get(&session).copied() {
            Some(leg) => self.answer_offer(leg, body),
            None => Err(481),
        };
        let body = match answer {
            Ok((leg, negotiated, body)) => {
                if let Some(negotiated) = negotiated {
                    self.set_remote(leg, negotiated);
                }
                Ok(body)
            }
            Err(status) => Err(status),
        };
        self.sip(SipCommand::AnswerOffer { session, body });
    }

    fn answer_offer(&mut self, leg: LegId, body: &[u8]) -> Result<(LegId, Option<Negotiated>, Bytes), u16> {
        let sip = self.sip_leg_mut(leg).ok_or(481_u16)?;
        let local = sip.local.as_ref().ok_or(481_u16)?;
        let version = local.session_id.saturating_add(sip.version + 1);
        let answer = if body.is_empty() {
            let before = sip.described.as_deref().unwrap_or_default();
            (leg, None, sdp::offer_again(local, version, before).into())
        } else {
            let (negotiated, answer) =
                sdp::answer_with_version(local, body, version).map_err(|error| error.status())?;
            (leg, Some(negotiated), Bytes::from(answer))
        };
        sip.described = Some(answer.2.clone());
        sip.version += 1;
        Ok(answer)
    }

    fn ended(&mut self, at: At, session: SessionId, cause: EndCause) {
        let Some(leg) = self.sessions.remove(&session) else { return };
        let Some(sip) = self.sip_leg_mut(leg) else { return };
        sip.session = None;
        let contacts = std::mem::take(&mut sip.contacts);
        match sip.call.clone() {
            Some(call) => match self.redirection(&call, &cause, &contacts) {
                Some(judged) => self.drive_call(at, &call, Input::Redirected(judged)),
                None => self.drive_call(at, &call, Input::Over(cause)),
            },
            None => self.drop_leg(at, leg),
        }
    }

    fn note_contacts(&mut self, session: SessionId, contacts: Vec<String>) {
        let leg = self.sessions.get(&session).copied();
        if let Some(sip) = leg.and_then(|leg| self.sip_leg_mut(leg)) {
            sip.contacts = contacts;
        }
    }

    /// What becomes of a 3xx to a number; a device that points elsewhere is refused like any other answer.
    fn redirection(
        &self,
        call: &CallId,
        cause: &EndCause,
        contacts: &[String],
    ) -> Option<Result<String, String>> {
        let EndCause::Refused { status: 300..=399, .. } = cause else { return None };
        let meeting = self.meetings.get(self.calls.get(call)?)?;
        let entry = meeting.calls.get(call)?;
        let dialled = entry.number()?;
        (!contacts.is_empty())
            .then(|| self.judge_redirect(&meeting.spec.tenant, entry.spec(), dialled, contacts))
    }

    fn registered(&mut self, at: At, binding: BindingInfo) {
        let device = binding.device.clone();
        let state = [
            ("source", json!(binding.source)),
            ("user_agent", json!(binding.user_agent)),
            ("latency_ms", json!(binding.latency_ms())),
        ];
        self.effect(Effect::Record(Record::Binding { binding: Box::new(binding), at: at.wall }));
        // A refresh is no news.
        if self.registered.insert(device.clone()) {
            self.publish_device(at, &device, "device.registered", &state);
        }
    }

    fn unregistered(&mut self, at: At, device: AddressOfRecord, kind: &'static str) {
        self.effect(Effect::Record(Record::BindingGone { device: device.clone(), at: at.wall }));
        self.registered.remove(&device);
        self.publish_device(at, &device, kind, &[]);
    }

    /// A trunk answers again, or not any more.
    fn publish_trunk(&mut self, at: At, trunk: TrunkId, kind: &'static str, status: Option<u16>) {
        let Some(tenant) = self.trunks.get(&trunk).cloned() else { return };
        let data = json!({ "trunk": trunk.0, "sip_code": status });
        self.effect(Effect::Publish(PublicEvent { tenant, meeting: None, kind, at: at.wall, data }));
    }

    /// The ban is written down, so that a restart does not forgive.
    fn banned(&mut self, at: At, address: IpAddr, until: Instant) {
        let left = u64::try_from(until.saturating_duration_since(at.now).as_millis()).unwrap_or(u64::MAX);
        let until = UnixMillis(at.wall.0.saturating_add(left));
        self.effect(Effect::Record(Record::Banned { address, until, at: at.wall }));
    }

    /// The connection a phone registered by is gone. It stays registered, but leaves the CALL list until it is back.
    fn unreachable(&mut self, at: At, device: &AddressOfRecord) {
        self.registered.remove(device);
        self.publish_device(at, device, "device.unreachable", &[]);
    }

    /// `more` is what it says beside whose device it is.
    fn publish_device(
        &mut self,
        at: At,
        device: &AddressOfRecord,
        kind: &'static str,
        more: &[(&str, Value)],
    ) {
        let Some(owner) = self.devices.get(device) else { return };
        let whose = [("user", json!(owner.user)), ("device", json!(device.user))];
        let data =
            whose.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let event = PublicEvent { tenant: owner.tenant.clone(), meeting: None, kind, at: at.wall, data };
        self.effect(Effect::Publish(event));
    }
}
