//! Calls from phones, trunks and trusted peers to a meeting's own address.

use super::harness::*;
use crate::live::focus::{Command, PersonSpec};
use crate::vocabulary::{Access, MeetingKind, Role};
use bytes::Bytes;
use media::sdp::{self, Direction};
use sip_core::ua::{
    Attestation, BindingInfo, EndCause, Event as SipEvent, IncomingInvite, Origin, SessionId, TrunkId,
    Verstat,
};

fn device(stage: &mut Stage, device: &str, name: &str, role_hint: Option<Role>) {
    stage.ok(Command::PutDevice {
        aor: aor(device),
        user: format!("u-{name}").as_str().into(),
        tenant: "acme".into(),
        display_name: name.into(),
        role_hint,
    });
}

#[test]
fn d19_a_trusted_peer_joins_by_number_or_alias() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    for (index, to) in ["900000001", "room1", "ROOM1", "+900000001"].iter().enumerate() {
        let session = stage.call_in(index as u64, Origin::TrustedPeer, to, "sipp");
        assert_eq!(stage.accepted.last(), Some(&session), "{to}");
    }
    let meeting = stage.focus.snapshot(&meeting_id()).unwrap();
    assert_eq!(meeting.people.iter().filter(|person| person.present).count(), 4);
    assert!(meeting.people.iter().all(|person| person.role == Role::Attendee));
}

/// A trunk is known by its address, which a stranger can write on a datagram; the ACK proves the way back (M1, S9).
#[test]
fn m1_a_caller_known_by_address_gets_no_sound_before_the_ack() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let session = stage.invite_in(1, Origin::Trunk(TrunkId(1)), "900000001", "+12025550177");
    assert_eq!(stage.accepted.last(), Some(&session));
    let leg = *stage.worker_legs.iter().next().unwrap();
    assert!(!stage.remotes.contains(&leg), "nothing is sent to the address of the offer");
    assert!(!stage.plan(leg).send_audio && !stage.plan(leg).receive_audio);
    stage.sip(SipEvent::Established { session });
    assert!(stage.remotes.contains(&leg));
    assert!(stage.plan(leg).receive_audio);
}

#[test]
fn d20_a_caller_without_an_offer_gets_ours_and_comes_in_with_the_ack() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let session = SessionId::Incoming(1);
    stage.sip(SipEvent::Incoming(Box::new(invite_with(1, Bytes::new()))));
    assert_eq!(stage.accepted.last(), Some(&session));
    let leg = *stage.worker_legs.iter().next().unwrap();
    stage.sip(SipEvent::OfferAnswered { session, body: Ok(sdp::offer(&far_end()).into()) });
    assert!(!stage.plan(leg).receive_audio);
    stage.sip(SipEvent::Established { session });
    assert!(stage.remotes.contains(&leg) && stage.plan(leg).receive_audio);
}

#[test]
fn d20_a_late_answer_that_fits_nothing_ends_the_call() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    let session = SessionId::Incoming(1);
    stage.sip(SipEvent::Incoming(Box::new(invite_with(1, Bytes::new()))));
    stage.sip(SipEvent::OfferAnswered { session, body: Ok(g729()) });
    stage.sip(SipEvent::Established { session });
    stage.over(session, EndCause::LocalHangUp);
    stage.assert_nothing_left();
}

/// A device has proved itself by digest: the first word after its 200 is heard.
#[test]
fn a_device_is_in_from_our_answer_on() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    device(&mut stage, "101a", "pia", None);
    stage.invite_in(1, Origin::Device(aor("101a")), "900000001", "101a");
    let leg = *stage.worker_legs.iter().next().unwrap();
    assert!(stage.plan(leg).receive_audio);
}

#[test]
fn i77_a_walk_in_has_the_meetings_default_role() {
    let mut stage = Stage::empty(MeetingKind::Presentation);
    let mut spec = spec(MeetingKind::Presentation);
    spec.direct_join_role = Role::Presenter;
    stage.ok(Command::PutMeeting(spec));
    stage.verstat = Some(Verstat::Passed(Attestation::Full));
    stage.call_in(1, Origin::Trunk(TrunkId(1)), "900000001", "+12025550177");
    let joined = stage.last_event("person.joined");
    assert_eq!(joined["person"]["verstat"], "TN-Validation-Passed-A");
    assert_eq!(joined["person"]["role"], "presenter");
    assert_eq!(joined["person"]["number"], "+12025550177");
    assert_eq!(joined["person"]["display_name"], "+1 202 555 0177");
    let leg = *stage.worker_legs.iter().next().unwrap();
    assert!(stage.plan(leg).send_audio);
}

#[test]
fn a_registered_device_joins_as_its_user() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    device(&mut stage, "100a", "hana", None);
    device(&mut stage, "101a", "pia", None);
    device(&mut stage, "102a", "ari", Some(Role::Presenter));
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("pia", Role::Presenter) });
    stage.call_in(1, Origin::Device(aor("100a")), "900000001", "100a");
    assert_eq!(stage.last_event("person.joined")["person"]["role"], "host", "the owner counts as Host");
    stage.call_in(2, Origin::Device(aor("101a")), "900000001", "101a");
    let joined = stage.last_event("person.joined");
    assert_eq!((&joined["person"]["id"], &joined["person"]["role"]), (&"p-pia".into(), &"presenter".into()));
    stage.call_in(3, Origin::Device(aor("102a")), "900000001", "102a");
    assert_eq!(stage.last_event("person.joined")["person"]["user"], "u-ari");
}

#[test]
fn a_user_in_by_browser_and_by_phone_is_one_person_without_an_echo() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    device(&mut stage, "100a", "hana", None);
    let browser = stage.join("hana", Role::Host);
    let session = stage.call_in(1, Origin::Device(aor("100a")), "900000001", "100a");
    let phone = *stage.worker_legs.iter().next_back().unwrap();
    assert_eq!(stage.count_events("person.joined"), 1);
    assert!(stage.plan(phone).send_audio);
    let plan = stage.plan(browser);
    assert!(!plan.send_audio && !plan.receive_audio && plan.send_video);
    stage.over(session, EndCause::RemoteBye);
    assert!(stage.plan(browser).send_audio && stage.plan(browser).receive_audio);
    assert_eq!(stage.count_events("person.left"), 0);
}

/// An INVITE of a trusted peer that brings this body.
fn invite_with(number: u64, body: Bytes) -> IncomingInvite {
    IncomingInvite {
        session: SessionId::Incoming(number),
        origin: Origin::TrustedPeer,
        source: far_end().address,
        transport: sip_core::ua::Transport::Udp,
        request_user: "900000001".into(),
        request_domain: "acme.test".into(),
        from_user: "x".into(),
        from_display: "\u{7}Bell".into(),
        body,
        call_id: "x".into(),
        replaces: None,
        identity: Vec::new(),
        verstat: Some(Verstat::Failed),
    }
}

#[test]
fn refusals_of_incoming_calls() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.ok(Command::PutDevice {
        aor: aor("200a"),
        user: "u-zed".into(),
        tenant: "zeta".into(),
        display_name: "Zed".into(),
        role_hint: None,
    });
    let unknown = stage.call_in(1, Origin::TrustedPeer, "123456789", "sipp");
    let foreign = stage.call_in(2, Origin::Device(aor("200a")), "900000001", "200a");
    let nobody = stage.call_in(3, Origin::Device(aor("999z")), "900000001", "999z");
    stage.no_ports = true;
    let no_port = stage.call_in(4, Origin::TrustedPeer, "900000001", "sipp");
    stage.no_ports = false;
    stage.sip(SipEvent::Incoming(Box::new(invite_with(5, g729()))));
    let expected =
        [(unknown, 404), (foreign, 404), (nobody, 403), (no_port, 503), (SessionId::Incoming(5), 488)];
    assert_eq!(stage.rejected, expected);
    stage.assert_nothing_left();
}

#[test]
fn i74_a_removed_user_is_refused_by_phone_and_by_browser_until_invited_again() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    device(&mut stage, "102a", "ari", None);
    stage.join("ari", Role::Attendee);
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-ari".into() });
    assert_eq!(stage.worker_legs.len(), 1);
    let session = stage.call_in(1, Origin::Device(aor("102a")), "900000001", "102a");
    assert_eq!(stage.rejected, [(session, 403)]);
    let join = Command::JoinWebrtc { meeting: meeting_id(), person: person("ari", Role::Attendee) };
    assert!(stage.command(join).unwrap_err().mend.contains("invite you again"));
    stage.ok(Command::PutPerson { meeting: meeting_id(), person: person("ari", Role::Attendee) });
    stage.join("ari", Role::Attendee);
}

#[test]
fn a_walk_in_that_gives_up_leaves_no_row() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    stage.hold_ports = true;
    let session = stage.call_in(1, Origin::TrustedPeer, "900000001", "sipp");
    stage.over(session, EndCause::RemoteCancel);
    stage.assert_nothing_left();
    stage.hold_ports = false;
    let session = stage.call_in(2, Origin::TrustedPeer, "900000001", "sipp");
    stage.over(session, EndCause::NoAck);
    assert!(stage.focus.snapshot(&meeting_id()).unwrap().people.is_empty());
    assert!(stage.worker_legs.is_empty());
}

fn re_invite(direction: &str) -> Bytes {
    let offer = String::from_utf8(sdp::offer(&far_end())).unwrap();
    offer.replace("a=sendrecv", direction).into()
}

#[test]
fn hold_takes_the_phones_music_out_and_resume_brings_the_voice_back() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    let leg = stage.leg_of_call("c1");
    stage.sip(SipEvent::Offer { session, body: re_invite("a=sendonly") });
    let (_, answer) = stage.answers.last().unwrap();
    let held = sdp::accept_answer(&far_end(), answer.as_ref().unwrap()).unwrap();
    assert_eq!(held.direction, Direction::SendOnly, "we answer that we only receive");
    assert!(!stage.plan(leg).send_audio && !stage.plan(leg).receive_audio);
    stage.sip(SipEvent::Offer { session, body: re_invite("a=sendrecv") });
    assert!(stage.plan(leg).send_audio && stage.plan(leg).receive_audio);
    stage.sip(SipEvent::Offer { session, body: g729() });
    assert_eq!(stage.answers.last().unwrap().1, Err(488));
    assert!(stage.plan(leg).send_audio, "a refused offer changes nothing");
    stage.sip(SipEvent::Offer { session, body: Bytes::new() });
    assert!(stage.answers.last().unwrap().1.is_ok(), "an empty re-INVITE gets our offer");
    stage.sip(SipEvent::Offer { session: SessionId::Incoming(99), body: Bytes::new() });
    assert_eq!(stage.answers.last().unwrap().1, Err(481));
}

#[test]
fn asks_10_every_kind_of_hold_keeps_the_call_and_resumes() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    let leg = stage.leg_of_call("c1");
    let plain = String::from_utf8(sdp::offer(&far_end())).unwrap();
    let old = plain.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    assert_ne!(old, plain);
    for (hold, theirs) in [
        (re_invite("a=sendonly"), Direction::SendOnly),
        (re_invite("a=inactive"), Direction::Inactive),
        // RFC 2543: what it answers as is what they are.
        (old.into(), Direction::SendOnly),
    ] {
        stage.sip(SipEvent::Offer { session, body: hold });
        let (_, answer) = stage.answers.last().unwrap();
        let answer = sdp::accept_answer(&far_end(), answer.as_ref().unwrap()).unwrap();
        assert_eq!(answer.direction, theirs);
        assert!(!stage.plan(leg).send_audio && !stage.plan(leg).receive_audio, "{theirs:?}");
        assert!(stage.row("p-uma").present, "held, and still in");
        // Resumed by an offer, or by our own description taken over after a re-INVITE without one.
        stage.sip(SipEvent::Offer { session, body: Bytes::new() });
        let ours = stage.answers.last().unwrap().1.clone().unwrap();
        let (_, answer) = sdp::answer(&far_end(), &ours).unwrap();
        stage.sip(SipEvent::OfferAnswered { session, body: Ok(answer.into()) });
        assert!(stage.plan(leg).send_audio && stage.plan(leg).receive_audio, "{theirs:?}");
    }
    // A phone that only listens is no trouble.
    stage.sip(SipEvent::Offer { session, body: re_invite("a=recvonly") });
    assert!(stage.plan(leg).receive_audio);
    assert_eq!(stage.count_events("call.ended"), 0);
}

#[test]
fn rfc_3264_8_our_offer_within_a_session_has_the_media_of_the_answer_before() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    stage.dial(to_device("c1", "uma", "103a")).unwrap();
    let session = stage.last_session();
    stage.pick_up(session);
    let with_video = String::from_utf8(sdp::offer(&far_end()))
        .unwrap()
        .replace("m=audio", "m=video 5000 RTP/AVP 96\r\nm=audio");
    stage.sip(SipEvent::Offer { session, body: with_video.into() });
    for _ in 0..2 {
        stage.sip(SipEvent::Offer { session, body: Bytes::new() });
        let ours = String::from_utf8(stage.answers.last().unwrap().1.clone().unwrap().to_vec()).unwrap();
        let media: Vec<&str> = ours.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(media.len(), 2, "{ours}");
        assert!(media[0] == "m=video 0 RTP/AVP 96" && media[1].starts_with("m=audio "), "{ours}");
    }
}

#[test]
fn a_guest_spec_without_user_is_its_own_person() {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    let guest = PersonSpec { user: None, access: Access::ViewOnly, ..person("gus", Role::Attendee) };
    stage.ok(Command::JoinWebrtc { meeting: meeting_id(), person: guest });
    assert!(stage.last_event("person.joined")["person"]["user"].is_null());
}

#[test]
fn d15_registrations_are_told_once_and_ends_always() {
    let mut stage = Stage::empty(MeetingKind::Conference);
    device(&mut stage, "103a", "uma", None);
    let binding = BindingInfo {
        device: aor("103a"),
        contact: "sip:103a@198.51.100.3".into(),
        source: far_end().address,
        transport: sip_core::ua::Transport::Udp,
        q: 1_000,
        reachable: true,
        instance: None,
        reg_id: None,
        path: Vec::new(),
        user_agent: "Phone".into(),
        call_id: "r1".into(),
        cseq: 1,
        latency: Some(at_ms(12)),
        last_seen: stage.now,
        expires_at: stage.now + at_ms(60_000),
    };
    stage.sip(SipEvent::Registered(binding.clone()));
    stage.sip(SipEvent::Registered(binding));
    assert_eq!(stage.count_events("device.registered"), 1, "a refresh is no news");
    assert_eq!(stage.last_event("device.registered")["user"], "u-uma");
    assert_eq!(stage.last_event("device.registered")["device"], "103a");
    assert_eq!(stage.last_event("device.registered")["user_agent"], "Phone");
    assert_eq!(stage.last_event("device.registered")["source"], far_end().address.to_string());
    assert_eq!(stage.last_event("device.registered")["latency_ms"], 12);
    stage.sip(SipEvent::RegistrationExpired { device: aor("103a") });
    assert_eq!(stage.count_events("device.expired"), 1);
    stage.sip(SipEvent::Unregistered { device: aor("103a") });
    assert_eq!(stage.count_events("device.unregistered"), 1, "it may have been registered before a restart");
    assert_eq!(stage.records.len(), 4);
}
