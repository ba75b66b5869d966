use crate::support::{App, person};
use axum::http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a19_a_meeting_is_created_with_people_roles_and_join_information() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("presentation").await;
    assert_eq!(meeting["type"], "presentation");
    assert_eq!(meeting["state"], "scheduled");
    assert_eq!(meeting["my_role"], "host");
    assert_eq!(meeting["number"].as_str().unwrap().len(), 9);
    assert_eq!(person(&meeting, "Hana")["role"], "host");
    assert_eq!(person(&meeting, "Pia")["role"], "presenter");
    assert_eq!(person(&meeting, "Ari")["role"], "attendee");
    let link = meeting["link"].as_str().unwrap();
    assert_eq!(link.strip_prefix("https://meet.acme.test/join/").unwrap().len(), 32, "128 bits in hex");
}

#[tokio::test]
async fn a19_a_draft_with_one_fault_creates_nothing() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let pia = hana.user("Pia").await;
    let body = json!({"title": "M1", "people": [{"user": pia}, {"number": "12"}]});
    hana.post("/v1/meetings", body)
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("people[1].number"));
    assert_eq!(hana.get("/v1/meetings").await.body["meetings"], json!([]));
}

#[tokio::test]
async fn a01_a_fourth_role_is_refused_naming_the_three() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body = json!({"title": "M1", "people": [{"email": "a@b.test", "role": "boss"}]});
    let reply = hana.post("/v1/meetings", body).await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("people[0].role"));
    for role in ["host", "presenter", "attendee"] {
        assert!(reply.body["detail"].as_str().unwrap().contains(role), "{reply:?}");
    }
}

#[tokio::test]
async fn a15_the_same_person_by_name_and_by_mail_is_one_row() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let pia = hana.user("Pia").await;
    let body = json!({"title": "M1", "people": [
        {"user": pia, "role": "attendee"}, {"email": "PIA@acme.test", "role": "presenter"}, {"number": "5550101"},
        {"email": "hana@acme.test", "role": "attendee"}
    ]});
    let meeting = hana.post("/v1/meetings", body).await.body;
    assert_eq!(meeting["people"].as_array().unwrap().len(), 2, "{meeting}");
    assert_eq!(person(&meeting, "Hana")["role"], "host", "the owner stays Host");
}

#[tokio::test]
async fn a26_a_bare_number_stays_on_the_list() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let body = json!({"title": "M1", "people": [{"number": "(202) 555-0177", "name": "Kim"}]});
    let meeting = hana.post("/v1/meetings", body).await.body;
    assert_eq!(person(&meeting, "Kim")["number"], "+12025550177");
}

#[tokio::test]
async fn a28_join_information_is_whole_and_stays_the_same() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let path = format!("/v1/meetings/{}/join-info", meeting["id"].as_str().unwrap());
    let info = hana.get(&path).await.body;
    let number = meeting["number"].as_str().unwrap();
    assert_eq!(info["meeting_number"], number);
    assert_eq!(info["sip_uri"], format!("sip:{number}@acme.test"));
    let text = info["text"].as_str().unwrap();
    assert!(text.contains("M1") && text.contains(meeting["link"].as_str().unwrap()), "{text}");
    app.bench.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(hana.get(&path).await.body, info);
}

#[tokio::test]
async fn d61_another_tenants_meeting_reads_like_an_unknown_one() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let zed = app.login("zed").await;
    let target = json!({"targets": [{"number": "5550177"}]});
    for (method, path, body) in [
        (Method::GET, "", None),
        (Method::GET, "/people", None),
        (Method::GET, "/join-info", None),
        (Method::GET, "/calls", None),
        (Method::POST, "/start", None),
        (Method::POST, "/end", None),
        (Method::POST, "/calls", Some(target.clone())),
        (Method::POST, "/calls/check", Some(target)),
        (Method::POST, "/people", Some(json!({"people": []}))),
        (Method::POST, "/webrtc/offer", Some(json!({"sdp": "v=0\r\n"}))),
        (Method::DELETE, "/people/p1", None),
    ] {
        let foreign =
            zed.request(method.clone(), &format!("/v1/meetings/{id}{path}"), &[], body.clone()).await;
        let unknown = zed.request(method, &format!("/v1/meetings/m0{path}"), &[], body).await;
        foreign.is_problem(StatusCode::NOT_FOUND, None);
        assert_eq!(foreign.body["detail"], unknown.body["detail"]);
    }
    assert_eq!(zed.get("/v1/meetings").await.body["meetings"], json!([]));
}

#[tokio::test]
async fn b11_admins_reach_every_meeting_of_their_tenant_and_others_only_their_own() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let path = format!("/v1/meetings/{}", meeting["id"].as_str().unwrap());
    for (login, status) in [
        ("pia", StatusCode::OK),
        ("sam", StatusCode::OK),
        ("tia", StatusCode::OK),
        ("uma", StatusCode::NOT_FOUND),
        ("gus", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(app.login(login).await.get(&path).await.status, status, "{login}");
    }
    let uninvited = app.login("sam").await.get(&path).await;
    assert_eq!(uninvited.body["my_role"], json!(null));
}

#[tokio::test]
async fn only_hosts_and_tenant_admins_end_a_meeting() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let path = format!("/v1/meetings/{id}/end");
    for login in ["pia", "ari", "sam"] {
        let reply = app.login(login).await.request(Method::POST, &path, &[], None).await;
        reply.is_problem(StatusCode::FORBIDDEN, None);
    }
    let reply = app.login("tia").await.request(Method::POST, &path, &[], None).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let reply = hana.request(Method::POST, &format!("/v1/meetings/{id}/start"), &[], None).await;
    assert_eq!(reply.body["state"], "scheduled");
}
