use crate::support::{App, person};
use axum::http::StatusCode;
use conference::live::focus::{Command, PersonSpec};
use conference::services::Live as _;
use conference::vocabulary::Role;
use serde_json::json;

#[tokio::test]
async fn i78_a_host_cannot_be_view_only() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let people = format!("/v1/meetings/{}/people", meeting["id"].as_str().unwrap());
    let both = json!({"people": [{"email": "x@else.test", "role": "host", "access": "view_only"}]});
    hana.post(&people, both).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("people[0].access"));
    let ari = person(&meeting, "Ari")["id"].as_str().unwrap();
    let change = hana.patch(&format!("{people}/{ari}"), json!({"role": "host", "access": "view_only"})).await;
    change.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("access"));
    let reply = hana.patch(&format!("{people}/{ari}"), json!({"access": "view_only"})).await;
    assert_eq!((reply.status, &reply.body["access"]), (StatusCode::OK, &json!("view_only")));
    let reply = hana.patch(&format!("{people}/{ari}"), json!({"role": "host"})).await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("access"));
}

#[tokio::test]
async fn i76_the_latest_invitation_counts() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let ari = hana.user("Ari").await;
    let body = json!({"people": [{"user": ari, "role": "attendee"}, {"user": ari, "role": "presenter"}]});
    let reply = hana.post(&format!("/v1/meetings/{id}/people"), body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    let now = hana.get(&format!("/v1/meetings/{id}")).await.body;
    assert_eq!(person(&now, "Ari")["role"], "presenter");
    assert_eq!(now["people"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a32_only_hosts_invite_and_change_people() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let people = format!("/v1/meetings/{}/people", meeting["id"].as_str().unwrap());
    let pia_row = format!("{people}/{}", person(&meeting, "Pia")["id"].as_str().unwrap());
    for login in ["pia", "ari"] {
        let client = app.login(login).await;
        let new = json!({"people": [{"email": "x@else.test"}]});
        client.post(&people, new).await.is_problem(StatusCode::FORBIDDEN, None);
        client.patch(&pia_row, json!({"role": "host"})).await.is_problem(StatusCode::FORBIDDEN, None);
        client.delete(&pia_row).await.is_problem(StatusCode::FORBIDDEN, None);
    }
}

#[tokio::test]
async fn b48_view_only_is_turned_by_the_owner_and_tenant_admins_only() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let people = format!("/v1/meetings/{}/people", meeting["id"].as_str().unwrap());
    let row = |name| format!("{people}/{}", person(&meeting, name)["id"].as_str().unwrap());
    let made_host = hana.patch(&row("Pia"), json!({"role": "host"})).await;
    assert_eq!(made_host.status, StatusCode::OK, "{made_host:?}");
    let change = json!({"access": "view_only"});
    for login in ["pia", "sam"] {
        let reply = app.login(login).await.patch(&row("Ari"), change.clone()).await;
        reply.is_problem(StatusCode::FORBIDDEN, None);
    }
    assert_eq!(app.login("tia").await.patch(&row("Ari"), change).await.status, StatusCode::OK);
}

#[tokio::test]
async fn i72_the_owner_stays_host_and_cannot_be_removed() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let row = format!("/v1/meetings/{id}/people/{}", person(&meeting, "Hana")["id"].as_str().unwrap());
    hana.patch(&row, json!({"role": "attendee"})).await.is_problem(StatusCode::CONFLICT, None);
    hana.delete(&row).await.is_problem(StatusCode::CONFLICT, None);
}

#[tokio::test]
async fn i74_a_removed_person_is_out_until_invited_again() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let ari_row = person(&meeting, "Ari");
    let link = ari_row["link"].as_str().unwrap().rsplit('/').next().unwrap();
    let reply = hana.delete(&format!("/v1/meetings/{id}/people/{}", ari_row["id"].as_str().unwrap())).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
    let ari = app.login("ari").await;
    ari.get(&format!("/v1/meetings/{id}")).await.is_problem(StatusCode::NOT_FOUND, None);
    app.anonymous().get(&format!("/v1/join/{link}")).await.is_problem(StatusCode::FORBIDDEN, None);
    let body = json!({"people": [{"user": hana.user("Ari").await}]});
    assert_eq!(hana.post(&format!("/v1/meetings/{id}/people"), body).await.status, StatusCode::CREATED);
    assert_eq!(ari.get(&format!("/v1/meetings/{id}")).await.status, StatusCode::OK);
    assert_eq!(app.anonymous().get(&format!("/v1/join/{link}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn i60_numbers_and_links_of_others_are_for_hosts() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let body =
        json!({"people": [{"number": "5550177", "name": "Kim"}, {"email": "x@else.test", "name": "Lee"}]});
    hana.post(&format!("/v1/meetings/{id}/people"), body).await;
    let seen = app.login("ari").await.get(&format!("/v1/meetings/{id}")).await;
    assert!(person(&seen.body, "Kim")["number"].as_str().unwrap().ends_with("0177"));
    assert!(!seen.text.contains("+1202555") && !seen.text.contains("x@else.test"), "{}", seen.text);
    assert!(seen.body["people"].as_array().unwrap().iter().all(|person| person["link"].is_null()));
}

#[tokio::test]
async fn muting_others_is_for_hosts_and_oneself_for_everybody() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let path = |name: &str, verb: &str| {
        format!("/v1/meetings/{id}/people/{}/{verb}", person(&meeting, name)["id"].as_str().unwrap())
    };
    let ari = app.login("ari").await;
    ari.post(&path("Pia", "mute"), json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(ari.post(&path("Ari", "mute"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hana.post(&path("Pia", "mute"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hana.post(&path("Pia", "unmute"), json!({})).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn hands_are_raised_by_oneself_and_lowered_by_hosts_too() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let path = |name: &str, verb: &str| {
        format!("/v1/meetings/{id}/people/{}/{verb}-hand", person(&meeting, name)["id"].as_str().unwrap())
    };
    let ari = app.login("ari").await;
    assert_eq!(ari.post(&path("Ari", "raise"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ari.post(&path("Ari", "lower"), json!({})).await.status, StatusCode::NO_CONTENT);
    ari.post(&path("Pia", "lower"), json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
    hana.post(&path("Ari", "raise"), json!({})).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(hana.post(&path("Ari", "lower"), json!({})).await.status, StatusCode::NO_CONTENT);
    let told: Vec<bool> = {
        let state = app.bench.live.state();
        let raised = |command: &Command| match command {
            Command::SetHand { raised, .. } => Some(*raised),
            _ => None,
        };
        state.commands.iter().filter_map(raised).collect()
    };
    assert_eq!(told, [true, false, false]);
}

#[tokio::test]
async fn i71_somebody_who_dialled_in_can_be_given_a_role_and_be_removed() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let person = PersonSpec {
        person: "p-dialled-in".into(),
        display_name: "Kim".to_owned(),
        role: Role::Attendee,
        ..PersonSpec::default()
    };
    let meeting = id.as_str().into();
    app.bench.live.command(Command::PutPerson { meeting, person }).await.unwrap();
    let row = format!("/v1/meetings/{id}/people/p-dialled-in");
    let absent = hana.patch(&row, json!({"role": "presenter"})).await;
    absent.is_problem(StatusCode::NOT_FOUND, None);
    app.bench.live.set_present(&id.as_str().into(), &"p-dialled-in".into(), true);
    app.login("ari").await.patch(&row, json!({"role": "host"})).await.is_problem(StatusCode::FORBIDDEN, None);
    let reply = hana.patch(&row, json!({"role": "presenter"})).await;
    assert_eq!((reply.status, &reply.body["role"]), (StatusCode::OK, &json!("presenter")), "{reply:?}");
    let both = hana.patch(&row, json!({"role": "host", "access": "view_only"})).await;
    both.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("access"));
    assert_eq!(hana.delete(&row).await.status, StatusCode::NO_CONTENT);
}
