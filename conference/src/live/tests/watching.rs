//! Phones that watch a meeting.

use super::harness::*;
use crate::live::focus::{Command, MutedBy};
use crate::vocabulary::{MeetingKind, Role};
use sip_core::ua::{Command as SipCommand, Event as SipEvent, Origin, SubscribeRequest, SubscriptionId};

fn stage() -> Stage {
    let mut stage = Stage::hosted(MeetingKind::Conference);
    for (device, user, tenant) in
        [("100a", "u-hana", "acme"), ("102a", "u-ari", "acme"), ("900a", "u-zoe", "zeta")]
    {
        stage.ok(Command::PutDevice {
            aor: aor(device),
            user: user.into(),
            tenant: tenant.into(),
            display_name: user.into(),
            role_hint: None,
        });
    }
    stage
}

fn subscribe(stage: &mut Stage, number: u64, device: &str, user: &str) -> Result<String, u16> {
    let subscription = SubscriptionId(number);
    stage.sip(SipEvent::Subscribe(Box::new(SubscribeRequest {
        subscription,
        device: aor(device),
        user: user.into(),
        domain: "acme.test".into(),
    })));
    match stage.orders.pop() {
        Some(SipCommand::AnswerSubscribe { subscription: answered, answer }) if answered == subscription => {
            answer
        }
        other => panic!("{other:?}"),
    }
}

fn news(stage: &mut Stage, number: u64) -> Vec<String> {
    let told = std::mem::take(&mut stage.orders).into_iter().filter_map(|order| match order {
        SipCommand::Notify { subscription, body } if subscription.0 == number => Some(body),
        SipCommand::EndSubscription { subscription } if subscription.0 == number => Some("over".to_owned()),
        _ => None,
    });
    told.collect()
}

#[test]
fn rfc_4575_a_phone_sees_who_is_in_and_hears_of_changes() {
    let mut stage = stage();
    let first = subscribe(&mut stage, 1, "100a", "Room1").unwrap();
    assert!(first.contains("entity=\"sip:Room1@acme.test\" state=\"full\" version=\"{version}\""), "{first}");
    assert!(first.contains("<display-text>Budget</display-text>"));
    assert!(first.contains("<user-count>1</user-count><active>true</active><locked>false</locked>"));
    assert!(first.contains("<display-text>hana</display-text><roles><entry>host</entry></roles>"));
    stage.join("a<b>&\"", Role::Attendee);
    let joined = news(&mut stage, 1);
    assert!(
        joined.last().unwrap().contains("<display-text>a&lt;b&gt;&amp;&quot;</display-text>"),
        "{joined:?}"
    );
    let muted = Command::SetMuted {
        meeting: meeting_id(),
        person: "p-a<b>&\"".into(),
        by: MutedBy::Host,
        muted: true,
    };
    stage.ok(muted);
    assert!(news(&mut stage, 1).last().unwrap().contains("<status>recvonly</status>"));
    stage.media(media::worker::Event::ActiveSpeaker { room: media::worker::RoomId(1), leg: None });
    assert_eq!(news(&mut stage, 1), Vec::<String>::new(), "who speaks is no news here");
    stage.ok(Command::EndMeeting { meeting: meeting_id() });
    assert!(news(&mut stage, 1).last().unwrap().contains("<user-count>0</user-count><active>false</active>"));
    stage.ok(Command::DropMeeting { meeting: meeting_id() });
    assert_eq!(news(&mut stage, 1), ["over"]);
    stage.sip(SipEvent::SubscriptionEnded { subscription: SubscriptionId(1) });
}

#[test]
fn i06_i60_what_a_phone_sees_of_a_meeting_is_what_its_user_may_see() {
    let mut stage = stage();
    // Not on the list, or another tenant's: there is no such meeting.
    assert_eq!(subscribe(&mut stage, 1, "102a", "900000001"), Err(404));
    assert_eq!(subscribe(&mut stage, 2, "900a", "900000001"), Err(404));
    assert_eq!(subscribe(&mut stage, 3, "100a", "999"), Err(404));
    assert_eq!(subscribe(&mut stage, 4, "nobody", "900000001"), Err(403));
    stage.join("ari", Role::Attendee);
    stage.join("uma", Role::Attendee);
    stage.call_in(7, Origin::TrustedPeer, "900000001", "+12025550177");
    stage.orders.clear();
    let ari = subscribe(&mut stage, 5, "102a", "900000001").unwrap();
    assert!(!ari.contains("2025550177") && ari.contains("0177") && ari.contains("uma"), "{ari}");
    let hana = subscribe(&mut stage, 6, "100a", "900000001").unwrap();
    assert!(hana.contains("202"), "Hosts see numbers: {hana}");
    stage.set(|settings| settings.hide_attendee_list = true);
    let now = news(&mut stage, 5);
    // A change of settings is no event of the meeting; the next one brings it.
    let now = now.last().cloned().unwrap_or_else(|| subscribe(&mut stage, 8, "102a", "900000001").unwrap());
    assert!(now.contains("hana") && now.contains("ari") && !now.contains("uma"), "{now}");
    stage.ok(Command::Remove { meeting: meeting_id(), person: "p-ari".into() });
    assert_eq!(news(&mut stage, 5), ["over"]);
}
