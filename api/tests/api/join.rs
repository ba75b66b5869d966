use crate::support::{App, person};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

fn token(link: &Value) -> String {
    link.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a36_one_shared_link_lets_several_guests_in_with_the_default_role() {
    let app = App::new().await;
    let meeting = app.login("hana").await.meeting("conference").await;
    let path = format!("/v1/join/{}", token(&meeting["link"]));
    let preview = app.anonymous().get(&path).await;
    assert_eq!(preview.body["meeting"], json!({"id": meeting["id"], "title": "M1"}));
    assert_eq!(preview.body["person"], Value::Null);
    let kim = app.anonymous().post(&path, json!({"name": "Kim"})).await;
    let lee = app.anonymous().post(&path, json!({"name": "Lee"})).await;
    assert_eq!(kim.status, StatusCode::OK, "{kim:?}");
    assert_eq!(kim.body["person"]["role"], "attendee");
    assert_eq!(kim.body["person"]["display_name"], "Kim (guest)", "I22: shown as a guest");
    assert_ne!(kim.body["person"]["id"], lee.body["person"]["id"]);
    app.anonymous().post(&path, json!({})).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("name"));
}

#[tokio::test]
async fn a45_a_personal_link_gives_the_role_it_was_sent_with() {
    let app = App::new().await;
    let meeting = app.login("hana").await.meeting("conference").await;
    let path = format!("/v1/join/{}", token(&person(&meeting, "Pia")["link"]));
    let preview = app.anonymous().get(&path).await;
    assert_eq!(preview.body["person"], json!({"display_name": "Pia Paz", "role": "presenter"}));
    let joined = app.anonymous().post(&path, json!({})).await;
    assert_eq!(joined.body["person"]["id"], person(&meeting, "Pia")["id"]);
    let pia = app.with_token(joined.body["token"].as_str().unwrap());
    let answer = pia.join(meeting["id"].as_str().unwrap()).await;
    assert_eq!(answer["person"]["role"], "presenter");
    assert_eq!(answer["person"]["present"], true);
    assert_eq!(answer["video_slots"], 8);
    assert_eq!(answer["sdp"], "v=0\r\n");
}

#[tokio::test]
async fn a_join_link_reaches_its_meeting_and_nothing_else() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let other = hana.meeting("conference").await;
    let joined = app
        .anonymous()
        .post(&format!("/v1/join/{}", token(&person(&meeting, "Pia")["link"])), json!({}))
        .await;
    let guest = app.with_token(joined.body["token"].as_str().unwrap());
    let id = meeting["id"].as_str().unwrap();
    assert_eq!(guest.get(&format!("/v1/meetings/{id}")).await.status, StatusCode::OK);
    let path = format!("/v1/meetings/{}", other["id"].as_str().unwrap());
    guest.get(&path).await.is_problem(StatusCode::NOT_FOUND, None);
    for path in ["/v1/me", "/v1/users", "/v1/meetings"] {
        guest.get(path).await.is_problem(StatusCode::FORBIDDEN, None);
    }
    let call = json!({"targets": [{"number": "5550177"}]});
    guest.post(&format!("/v1/meetings/{id}/calls"), call).await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn a_host_by_link_has_no_caller_id_to_call_with() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
    let joined = app
        .anonymous()
        .post(&format!("/v1/join/{}", token(&person(&meeting, "Hana")["link"])), json!({}))
        .await;
    let host = app.with_token(joined.body["token"].as_str().unwrap());
    let call = json!({"targets": [{"number": "5550177"}]});
    host.post(&format!("/v1/meetings/{id}/calls"), call).await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn unknown_links_and_bad_offers_are_refused() {
    let app = App::new().await;
    for token in ["x", "00000000000000000000000000000000", "%00", "..%2f.."] {
        let reply = app.anonymous().get(&format!("/v1/join/{token}")).await;
        reply.is_problem(StatusCode::NOT_FOUND, None);
    }
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let path = format!("/v1/meetings/{id}/webrtc/offer");
    hana.post(&path, json!({"sdp": "hello"})).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("sdp"));
    let long = "v".repeat(65 * 1024);
    hana.post(&path, json!({"sdp": long})).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("sdp"));
}

/// The personal link of somebody on a meeting's list, as Hosts see it.
fn personal(meeting: &Value, name: &str) -> String {
    let link = person(meeting, name)["link"].as_str().unwrap();
    format!("/v1/join/{}", link.rsplit('/').next().unwrap())
}

#[tokio::test]
async fn i19_a_link_expires_after_its_meeting_and_a_removed_persons_link_says_removed() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let ari = hana.user("Ari").await;
    let create = async |body: Value| {
        let mut body = body;
        body["title"] = json!("M1");
        body["people"] = json!([{ "user": ari }]);
        let reply = hana.post("/v1/meetings", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply.body
    };
    let once = create(json!({"kind": "scheduled", "start": "2027-01-15T09:00:00Z"})).await;
    let twice = json!({"kind": "recurring", "start": "2027-01-15T09:00:00Z", "rrule": "FREQ=WEEKLY;COUNT=2"});
    let twice = create(twice).await;
    let room = create(json!({"kind": "room"})).await;
    let instant = create(json!({})).await;
    let unused = create(json!({})).await;
    let end = format!("/v1/meetings/{}/end", instant["id"].as_str().unwrap());
    assert_eq!(hana.post(&end, json!({})).await.status, StatusCode::OK);
    let opens = async |meeting: &Value| {
        let link = personal(meeting, "Ari");
        let (seen, used) = (app.anonymous().get(&link).await, app.anonymous().post(&link, json!({})).await);
        assert_eq!(seen.status, used.status, "{seen:?} {used:?}");
        if seen.status != StatusCode::OK {
            used.is_problem(StatusCode::CONFLICT, None);
            assert_eq!(used.body["detail"], "This meeting is over");
        }
        seen.status == StatusCode::OK
    };
    let hours = |hours: u64| app.bench.clock.advance(Duration::from_secs(hours * 3600));
    for meeting in [&once, &twice, &room, &instant, &unused] {
        assert!(opens(meeting).await, "{meeting}");
    }
    // It is 08:00; the meeting ends at 10:00, and twelve hours later its links have had their time.
    hours(11);
    assert!(opens(&instant).await && opens(&once).await, "people come late, and come back");
    hours(4);
    assert!(!opens(&instant).await && !opens(&once).await);
    assert!(opens(&twice).await && opens(&room).await && opens(&unused).await, "these go on");
    hours(8 * 24);
    let hana = app.login("hana").await;
    assert!(!opens(&twice).await && opens(&room).await);
    // A Host opens the meeting again, and its links with it.
    let start = format!("/v1/meetings/{}/start", instant["id"].as_str().unwrap());
    assert_eq!(hana.post(&start, json!({})).await.status, StatusCode::OK);
    assert!(opens(&instant).await);
    let row = person(&room, "Ari")["id"].as_str().unwrap();
    let removed = hana.delete(&format!("/v1/meetings/{}/people/{row}", room["id"].as_str().unwrap())).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    for reply in [
        app.anonymous().get(&personal(&room, "Ari")).await,
        app.anonymous().post(&personal(&room, "Ari"), json!({})).await,
    ] {
        reply.is_problem(StatusCode::FORBIDDEN, None);
        assert_eq!(reply.body["detail"], "You were removed from this meeting");
    }
}
