use crate::live::focus::{Command, DialTarget, TransferRequest};
use crate::services::meetings::NewMeeting;
use crate::services::people::NewPerson;
use crate::services::testing::Bench;
use crate::services::{Actor, UserActor};
use crate::vocabulary::{Role, TenantRole};
use sip_core::dialog::DialogId;
use sip_core::ua::{Replaces, SubscriptionId};

#[tokio::test]
async fn i45_a_transfer_is_judged_like_a_call_of_the_phones_user() {
    let bench = Bench::new().await;
    let row = async |login: &str| bench.store.users_by_typed_login(login).await.unwrap().remove(0);
    let (hana, pia, ari) = (row("hana").await, row("pia").await, row("ari").await);
    let actor = Actor::User(UserActor {
        tenant: hana.tenant.clone(),
        user: hana.id.clone(),
        display_name: hana.display_name.clone(),
        role: TenantRole::User,
    });
    let person = |user: &crate::ids::UserId, role| NewPerson {
        user: Some(user.clone()),
        role: Some(role),
        ..NewPerson::default()
    };
    let people = vec![person(&pia.id, Role::Attendee), person(&ari.id, Role::Presenter)];
    let new = NewMeeting { title: "M1".to_owned(), people, ..NewMeeting::default() };
    let meeting = bench.services.create_meeting(&actor, new).await.unwrap().id;
    bench.services.join_by_browser(&actor, &meeting, "v=0\r\n").await.unwrap();
    for device in ["100a", "101a", "102a"] {
        bench.live.register(device);
    }
    let ask = async |user: &crate::ids::UserId, target: &str, replaces: Option<Replaces>| {
        let request = TransferRequest {
            refer: SubscriptionId(1),
            tenant: hana.tenant.clone(),
            meeting: meeting.clone(),
            user: user.clone(),
            target: target.to_owned(),
            replaces,
        };
        bench.services.transfer(&request).await
    };
    let status = |result: Result<crate::ids::CallId, (u16, String)>| result.unwrap_err().0;
    // Who may not call may not transfer; and what the policy refuses is refused.
    assert_eq!(status(ask(&pia.id, "102", None).await), 403);
    for target in ["+19005550100", "911", "+442079460000"] {
        let (status, why) = ask(&hana.id, target, None).await.unwrap_err();
        assert!(status == 403 && !why.is_empty(), "{target} {status} {why}");
    }
    assert_eq!(status(ask(&hana.id, "198", None).await), 404);
    let dialog = DialogId { call_id: "x".into(), local_tag: "a".into(), remote_tag: "b".into() };
    let replaces = Replaces { dialog, early_only: false };
    assert_eq!(status(ask(&hana.id, "+12025550177", Some(replaces.clone())).await), 403);
    assert_eq!(bench.live.dials(), 0);
    // An extension: whoever is on the list comes in as listed, under the caller ID of the phone's user.
    ask(&hana.id, "102", Some(replaces.clone())).await.unwrap();
    ask(&hana.id, "+12025550177", None).await.unwrap();
    let state = bench.live.state();
    let dialled: Vec<_> = state
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Dial(spec) => Some(spec),
            _ => None,
        })
        .collect();
    assert_eq!(dialled.len(), 2);
    assert!(matches!(&dialled[0].target, DialTarget::Device { aor, .. } if aor.user == "102a"));
    assert_eq!(
        (dialled[0].person.role, dialled[0].extra.replaces.as_ref()),
        (Role::Presenter, Some(&replaces))
    );
    assert_eq!((dialled[1].person.role, dialled[1].press_one), (Role::Attendee, true));
    for spec in dialled {
        assert_eq!(
            (spec.acting_host.clone(), spec.caller.number.as_str()),
            (hana.id.clone(), "+12025550100")
        );
    }
}
