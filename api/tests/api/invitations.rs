//! Invitations: who is sent what, when, and what becomes of it.

use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use conference::services::outbox::{Channel, Letter, Outcome, Parcel};
use conference::services::testing::PostOffice;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// An app and its post office.
async fn office() -> (App, Arc<PostOffice>) {
    (App::new().await, Arc::new(PostOffice::default()))
}

/// Everything delivered so far.
async fn mail(app: &App, office: &Arc<PostOffice>) -> Vec<Letter> {
    app.bench.carry(Channel::Mail, office).await;
    office.letters()
}

fn addresses(letters: &[Letter]) -> Vec<&str> {
    let mut addresses: Vec<&str> = letters.iter().map(|letter| letter.to.address.as_str()).collect();
    addresses.sort_unstable();
    addresses
}

async fn create(client: &Client<'_>, people: Value) -> Value {
    let body = json!({"title": "M1", "type": "conference", "people": people});
    let reply = client.post("/v1/meetings", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.body
}

async fn invite(client: &Client<'_>, meeting: &str, targets: Value) -> Reply {
    let reply =
        client.post(&format!("/v1/meetings/{meeting}/invitations"), json!({"targets": targets})).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    reply
}

fn states(reply: &Reply) -> Vec<&str> {
    reply.body["invitations"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect()
}

/// The personal link in a mail.
fn link(letter: &Letter) -> String {
    let at = letter.text.find("/join/").unwrap() + "/join/".len();
    letter.text[at..at + 32].to_owned()
}

/// The end of the answer link in a mail.
fn rsvp(letter: &Letter) -> String {
    let at = letter.text.find("/v1/rsvp/").unwrap();
    letter.text[at..].split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn a08_a18_a20_next_sends_one_mail_to_each_and_none_before() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let texts = json!({"purpose": "people", "texts": ["Pia", "Ari", "guest@else.test", "103", "Sam"]});
    assert_eq!(hana.post("/v1/resolve", texts).await.status, StatusCode::OK);
    assert!(mail(&app, &office).await.is_empty(), "nothing is sent while the list is written");
    assert!(hana.get("/v1/meetings").await.body["meetings"].as_array().unwrap().is_empty());
    let (pia, ari, uma) = (hana.user("Pia").await, hana.user("Ari").await, hana.user("Uma").await);
    let people = json!([{"user": pia, "role": "presenter"}, {"user": ari}, {"user": uma}, {"email": "guest@else.test"}]);
    create(&hana, people).await;
    let letters = mail(&app, &office).await;
    assert_eq!(addresses(&letters), ["ari@acme.test", "guest@else.test", "pia@acme.test", "uma@acme.test"]);
    assert!(letters.iter().all(|letter| letter.subject == "Invitation: M1"), "{letters:?}");
    assert_eq!(mail(&app, &office).await.len(), 4, "and none again");
}

#[tokio::test]
async fn a07_copying_the_join_information_sends_nothing() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let scheduled = json!({"title": "M1", "kind": "scheduled", "start": "2027-03-01T09:00:00"});
    for body in [json!({"title": "M1"}), json!({"title": "R1", "kind": "room"}), scheduled] {
        let reply = hana.post("/v1/meetings", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        let path = format!("/v1/meetings/{}/join-info", reply.body["id"].as_str().unwrap());
        for _ in 0..3 {
            let info = hana.get(&path).await;
            assert!(info.body["text"].as_str().unwrap().contains("/join/"), "{info:?}");
        }
    }
    assert!(mail(&app, &office).await.is_empty(), "nobody was added, so nobody is written to");
    // Beside PEOPLE, copying adds no mail to those that were sent.
    let meeting = create(&hana, json!([{"email": "guest@else.test"}])).await;
    assert_eq!(mail(&app, &office).await.len(), 1);
    hana.get(&format!("/v1/meetings/{}/join-info", meeting["id"].as_str().unwrap())).await;
    assert_eq!(mail(&app, &office).await.len(), 1);
}

#[tokio::test]
async fn a21_i94_one_mail_per_person_and_meeting_whatever_is_pressed() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let ari = hana.user("Ari").await;
    let meeting = create(&hana, json!([{"user": ari}, {"email": "guest@else.test"}])).await;
    let id = meeting["id"].as_str().unwrap();
    let down = || Outcome::Later { code: Some(421), words: "shutting down".to_owned() };
    let cut = || Outcome::Later { code: None, words: "cut after the text".to_owned() };
    office.answer([down(), cut()]);
    for _ in 0..4 {
        mail(&app, &office).await;
        let again = invite(&hana, id, json!([{"user": ari}, {"email": "guest@else.test"}])).await;
        assert_eq!(states(&again), ["already_invited", "already_invited"]);
        let added = hana.post(&format!("/v1/meetings/{id}/people"), json!({"people": [{"user": ari}]})).await;
        assert_eq!(added.status, StatusCode::CREATED);
        app.bench.clock.advance(Duration::from_secs(600));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let letters = mail(&app, &office).await;
    assert_eq!(addresses(&letters), ["ari@acme.test", "guest@else.test"]);
    assert_ne!(letters[0].message_id, letters[1].message_id);
}

#[tokio::test]
async fn a22_a45_the_link_in_the_mail_brings_that_person_in_with_that_role() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let ari = hana.user("Ari").await;
    let meeting = create(&hana, json!([])).await;
    let id = meeting["id"].as_str().unwrap();
    let sent = invite(&hana, id, json!([{"user": ari, "role": "presenter"}])).await;
    assert_eq!(states(&sent), ["queued"]);
    let letters = mail(&app, &office).await;
    let token = link(&letters[0]);
    let joined = app.anonymous().post(&format!("/v1/join/{token}"), json!({})).await;
    assert_eq!(joined.status, StatusCode::OK, "{joined:?}");
    assert_eq!(joined.body["person"]["role"], "presenter");
    assert_eq!(joined.body["person"]["display_name"], "Ari Arlo");
    // The join information stands in the mail, with the number to dial.
    let info = hana.get(&format!("/v1/meetings/{id}/join-info")).await.body;
    let number =
        info["text"].as_str().unwrap().lines().find(|line| line.starts_with("Meeting number")).unwrap();
    assert!(letters[0].text.contains(number), "{}", letters[0].text);
}

#[tokio::test]
async fn a23_a24_a43_the_address_is_the_one_of_the_profile_at_that_time() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let pia = app.login("pia").await;
    let id = hana.user("Pia").await;
    create(&hana, json!([{"user": id}])).await;
    assert_eq!(addresses(&mail(&app, &office).await), ["pia@acme.test"]);
    let path = format!("/v1/users/{id}/invitation-address");
    let body = json!({"address": "Pia2@acme.test"});
    let set = pia.request(Method::PUT, &path, &[], Some(body.clone())).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    assert_eq!(set.body["emails"], json!(["pia@acme.test", "pia2@acme.test"]));
    assert_eq!(set.body["invitation_address"], "pia2@acme.test");
    create(&hana, json!([{"user": id}])).await;
    assert_eq!(addresses(&mail(&app, &office).await), ["pia2@acme.test", "pia@acme.test"], "one each");
    // Others' profiles are the Tenant Admin's.
    hana.request(Method::PUT, &path, &[], Some(body.clone())).await.is_problem(StatusCode::FORBIDDEN, None);
    let tia = app.login("tia").await;
    assert_eq!(tia.request(Method::PUT, &path, &[], Some(body)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a24_i20_a_profile_has_several_addresses_one_of_them_for_invitations() {
    let (app, office) = office().await;
    let (hana, pia) = (app.login("hana").await, app.login("pia").await);
    let first = json!({"emails": ["first@pia.test", "second@pia.test", "First@pia.test"]});
    let profile = pia.patch("/v1/me/profile", first).await;
    assert_eq!(profile.status, StatusCode::OK, "{profile:?}");
    assert_eq!(profile.body["emails"], json!(["first@pia.test", "second@pia.test"]));
    assert_eq!(profile.body["invitation_address"], "first@pia.test", "the first, unless one is marked");
    pia.patch("/v1/me/profile", json!({"invitation_address": "second@pia.test"})).await;
    let id = hana.user("Pia").await;
    create(&hana, json!([{"user": id}])).await;
    assert_eq!(addresses(&mail(&app, &office).await), ["second@pia.test"]);
    for (change, status, field) in [
        (
            json!({"invitation_address": "other@pia.test"}),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invitation_address",
        ),
        (json!({"emails": ["x"]}), StatusCode::UNPROCESSABLE_ENTITY, "emails[0]"),
        (
            json!({"emails": ["a@b.test", "2025550177@collaborate.center"]}),
            StatusCode::UNPROCESSABLE_ENTITY,
            "emails[1]",
        ),
        (json!({"emails": ["hana@acme.test"]}), StatusCode::CONFLICT, "emails[0]"),
    ] {
        pia.patch("/v1/me/profile", change).await.is_problem(status, Some(field));
    }
    assert_eq!(
        pia.get("/v1/me/profile").await.body["invitation_address"],
        "second@pia.test",
        "nothing has changed"
    );
}

#[tokio::test]
async fn a25_a44_a_typed_address_is_used_whoever_it_belongs_to() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = create(&hana, json!([{"email": "Guest@Else.test", "name": "Gerda"}])).await;
    invite(&hana, meeting["id"].as_str().unwrap(), json!([{"email": "other@else.test"}])).await;
    let letters = mail(&app, &office).await;
    assert_eq!(addresses(&letters), ["guest@else.test", "other@else.test"]);
    let guest = letters.iter().find(|letter| letter.to.address == "guest@else.test").unwrap();
    assert_eq!(guest.to.name, "Gerda");
}

#[tokio::test]
async fn a26_a_number_is_kept_and_marked_and_a_phone_address_is_never_mailed() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let people = json!([{"number": "+1 202 555 0177"}, {"email": "2025550178@collaborate.center"}]);
    let meeting = create(&hana, people).await;
    assert!(mail(&app, &office).await.is_empty());
    let numbers: Vec<&Value> =
        meeting["people"].as_array().unwrap().iter().filter(|row| row["number"].is_string()).collect();
    assert_eq!(numbers.len(), 2, "{meeting}");
    for row in numbers {
        assert_eq!(row["invitation"]["status"], "no_address", "{row}");
        assert_eq!(row["invitation"]["error"], "No e-mail, will not be sent an invitation");
    }
}

#[tokio::test]
async fn a38_a42_a_phone_number_in_invite_is_pointed_to_call() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = create(&hana, json!([])).await;
    let id = meeting["id"].as_str().unwrap();
    let targets = json!([
        {"number": "+1 202 555 0177"}, {"number": "102"}, {"email": "2025550178@collaborate.center"},
        {"email": "guest@else.test"}, {"user": "nobody"}, {"email": "no address"},
    ]);
    let reply = invite(&hana, id, targets).await;
    assert_eq!(states(&reply), ["refused", "queued", "refused", "queued", "refused", "refused"], "{reply:?}");
    for row in [0, 2] {
        let row = &reply.body["invitations"][row];
        assert!(row["mend"].as_str().unwrap().contains("CALL"), "{row}");
    }
    let people =
        hana.get(&format!("/v1/meetings/{id}/people")).await.body["people"].as_array().unwrap().len();
    assert_eq!(people, 3, "Hana, Ari and the guest");
    assert_eq!(addresses(&mail(&app, &office).await), ["ari@acme.test", "guest@else.test"]);
}

#[tokio::test]
async fn a42_somebody_in_the_meeting_is_shown_as_such_and_not_mailed() {
    let (app, office) = office().await;
    let (hana, pia) = (app.login("hana").await, app.login("pia").await);
    let id = hana.active_meeting().await;
    mail(&app, &office).await;
    let before = office.letters().len();
    pia.join(&id).await;
    let user = hana.user("Pia").await;
    let reply = invite(&hana, &id, json!([{"user": user, "role": "host"}])).await;
    assert_eq!(states(&reply), ["already_in"]);
    assert_eq!(mail(&app, &office).await.len(), before);
    let people = hana.get(&format!("/v1/meetings/{id}")).await.body;
    assert_eq!(person(&people, "Pia")["role"], "host", "the latest invitation counts (I76)");
}

#[tokio::test]
async fn a32_invitations_are_sent_by_hosts_alone() {
    let (app, _) = office().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let path = format!("/v1/meetings/{}/invitations", meeting["id"].as_str().unwrap());
    let body = json!({"targets": [{"email": "x@else.test"}]});
    app.login("ari").await.post(&path, body.clone()).await.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn i10_a18_removing_one_person_tells_that_one_alone() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    mail(&app, &office).await;
    let ari = person(&meeting, "Ari")["id"].as_str().unwrap().to_owned();
    hana.delete(&format!("/v1/meetings/{id}/people/{ari}")).await;
    let letters = mail(&app, &office).await;
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[2].to.address, "ari@acme.test");
    assert_eq!(letters[2].subject, "Cancelled: M1");
    assert!(!letters[2].text.contains("/join/"), "{}", letters[2].text);
    // Whoever is removed before anything was sent is sent nothing.
    let guest = invite(&hana, id, json!([{"email": "guest@else.test"}])).await;
    let guest = guest.body["invitations"][0]["person"].as_str().unwrap().to_owned();
    hana.delete(&format!("/v1/meetings/{id}/people/{guest}")).await;
    assert_eq!(mail(&app, &office).await.len(), 3);
    // Invited again after that: a new mail.
    let user = hana.user("Ari").await;
    assert_eq!(states(&invite(&hana, id, json!([{"user": user}])).await), ["queued"]);
    assert_eq!(mail(&app, &office).await.len(), 4);
}

#[tokio::test]
async fn i17_an_answer_by_link_shows_on_the_row_and_looking_answers_nothing() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = hana.meeting("conference").await;
    let id = meeting["id"].as_str().unwrap();
    let letters = mail(&app, &office).await;
    let ari = letters.iter().find(|letter| letter.to.address == "ari@acme.test").unwrap();
    let path = rsvp(ari);
    let anyone = app.anonymous();
    let row = async || {
        let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
        person(&meeting, "Ari")["invitation"].clone()
    };
    // What a scanner of mails does.
    let looked = anyone.get(&format!("{path}?answer=declined")).await;
    assert_eq!((looked.status, &looked.body["rsvp"]), (StatusCode::OK, &Value::Null));
    assert_eq!(row().await["rsvp"], Value::Null);
    let html = [("accept", "text/html,application/xhtml+xml")];
    let page = anyone.request(Method::GET, &format!("{path}?answer=declined"), &html, None).await;
    assert!(page.text.contains("method=\"post\"") && page.text.contains("?answer=declined"), "{}", page.text);
    // What a person does.
    for (answer, state) in [("declined", "declined"), ("accepted", "accepted"), ("tentative", "tentative")] {
        let said = anyone.request(Method::POST, &format!("{path}?answer={answer}"), &html, None).await;
        assert_eq!(said.status, StatusCode::OK, "{said:?}");
        assert_eq!(row().await["rsvp"], state);
    }
    anyone
        .request(Method::POST, &path, &[], None)
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("answer"));
    anyone.get(&path[..path.len() - 1]).await.is_problem(StatusCode::NOT_FOUND, None);
    let forged = format!("{}0?answer=accepted", &path[..path.len() - 1]);
    let forged = anyone.request(Method::POST, &forged, &[], None).await;
    assert!(forged.status == StatusCode::NOT_FOUND || path.ends_with('0'), "{forged:?}");
    let removed = person(&meeting, "Ari")["id"].as_str().unwrap().to_owned();
    hana.delete(&format!("/v1/meetings/{id}/people/{removed}")).await;
    let late = anyone.request(Method::POST, &format!("{path}?answer=accepted"), &[], None).await;
    late.is_problem(StatusCode::FORBIDDEN, None);
}

#[tokio::test]
async fn i21_a_refusal_shows_on_the_row_and_resend_sends_one() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let ari = hana.user("Ari").await;
    office.answer([Outcome::Refused { code: Some(550), words: "5.1.1 no such user".to_owned() }]);
    let meeting = create(&hana, json!([{"user": ari}])).await;
    let id = meeting["id"].as_str().unwrap();
    assert_eq!(person(&meeting, "Ari")["invitation"]["status"], "queued");
    assert!(mail(&app, &office).await.is_empty());
    let row = async || {
        let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
        person(&meeting, "Ari").clone()
    };
    let failed = row().await;
    assert_eq!(failed["invitation"]["status"], "failed");
    assert_eq!(failed["invitation"]["error"], "5.1.1 no such user");
    // Only Hosts see it.
    let seen = app.login("ari").await.get(&format!("/v1/meetings/{id}")).await.body;
    assert_eq!(person(&seen, "Ari")["invitation"], Value::Null);
    // The dead letter is there for the admin, without its text.
    let tia = app.login("tia").await;
    let dead = tia.get("/v1/outbox").await.body;
    assert_eq!(dead["deliveries"][0]["code"], 550, "{dead}");
    hana.get("/v1/outbox").await.is_problem(StatusCode::FORBIDDEN, None);
    let path = format!("/v1/meetings/{id}/people/{}/resend", failed["id"].as_str().unwrap());
    let resent = hana.post(&path, json!({})).await;
    assert_eq!(
        (resent.status, &resent.body["invitation"]["status"]),
        (StatusCode::ACCEPTED, &json!("queued"))
    );
    let letters = mail(&app, &office).await;
    assert_eq!(addresses(&letters), ["ari@acme.test"]);
    assert_eq!(row().await["invitation"]["status"], "sent");
    assert!(row().await["invitation"]["sent_at"].is_u64());
    hana.post(&path, json!({})).await;
    assert_eq!(mail(&app, &office).await.len(), 2, "each press of resend sends one");
}

#[tokio::test]
async fn f16_what_the_server_does_not_take_is_tried_for_five_days() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = create(&hana, json!([{"email": "grey@else.test"}])).await;
    let id = meeting["id"].as_str().unwrap();
    let grey = Outcome::Later { code: Some(451), words: "4.7.1 greylisted".to_owned() };
    office.answer(std::iter::repeat_n(grey, 5000));
    let status = async || {
        // A login does not last as long as a mail.
        let hana = app.login("hana").await;
        let meeting = hana.get(&format!("/v1/meetings/{id}")).await.body;
        person(&meeting, "grey")["invitation"].clone()
    };
    for _ in 0..20 {
        mail(&app, &office).await;
        app.bench.clock.advance(Duration::from_secs(2700));
    }
    assert_eq!(status().await["status"], "queued", "after half a day");
    assert_eq!(status().await["error"], "4.7.1 greylisted");
    app.bench.clock.advance(Duration::from_secs(5 * 24 * 3600));
    mail(&app, &office).await;
    assert_eq!(status().await["status"], "failed");
}

#[tokio::test]
async fn w5_i93_hostile_names_and_addresses_add_no_line() {
    let (app, office) = office().await;
    let hana = app.login("hana").await;
    let meeting = create(&hana, json!([])).await;
    let id = meeting["id"].as_str().unwrap();
    for address in [
        "a@b.test\r\nBcc: c@d.test",
        "a@b.test,c@d.test",
        "a@b.test;c@d.test",
        "a@b.test\0",
        "\"a b\"@c.test",
        "<a@b.test>",
        "a\u{2028}@b.test",
        "a@b\u{85}.test",
        "a b@c.test",
        "=?utf-8?q?a?= <a@b.test>",
    ] {
        let reply = invite(&hana, id, json!([{"email": address}])).await;
        assert_eq!(states(&reply), ["refused"], "{address:?}");
    }
    for name in ["x\r\nBcc: c@d.test", "x\ny", "x\0y", "\u{202E}x"] {
        let reply = invite(&hana, id, json!([{"email": "ok@else.test", "name": name}])).await;
        assert_eq!(states(&reply), ["refused"], "{name:?}");
    }
    assert!(mail(&app, &office).await.is_empty());
}

#[tokio::test]
async fn webhooks_hear_of_people_added_removed_and_changed() {
    let (app, office) = office().await;
    let tia = app.login("tia").await;
    let body = json!({"url": "https://hooks.example/x", "events": ["person.*"]});
    assert_eq!(tia.post("/v1/webhooks", body).await.status, StatusCode::CREATED);
    let hana = app.login("hana").await;
    let (pia, uma) = (hana.user("Pia").await, hana.user("Uma").await);
    let draft = json!({"title": "D", "draft": true, "people": [{"user": pia}]});
    assert_eq!(hana.post("/v1/meetings", draft).await.status, StatusCode::CREATED);
    let meeting = create(&hana, json!([{"user": pia, "role": "presenter"}])).await;
    let people = format!("/v1/meetings/{}/people", meeting["id"].as_str().unwrap());
    let added = hana.post(&people, json!({"people": [{"user": uma}]})).await;
    let row = format!("{people}/{}", added.body["people"][0]["id"].as_str().unwrap());
    hana.patch(&row, json!({"role": "presenter"})).await;
    hana.patch(&row, json!({"access": "view_only"})).await;
    // The latest invitation counts; the same once more is nothing new.
    for _ in 0..2 {
        hana.post(&people, json!({"people": [{"user": uma, "role": "attendee"}]})).await;
    }
    hana.delete(&row).await;
    // The same at the same moment would be the same event.
    app.bench.clock.advance(Duration::from_secs(1));
    hana.post(&people, json!({"people": [{"user": uma}]})).await;
    let sam = app.login("sam").await;
    let many = json!({"users": ["ari@acme.test"], "sessions": [meeting["id"]]});
    let order = sam.post("/v1/multi-invites", many).await;
    let order = format!("/v1/multi-invites/{}", order.body["id"].as_str().unwrap());
    while sam.get(&order).await.body["state"] != "done" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let link = meeting["link"].as_str().unwrap().rsplit('/').next().unwrap();
    app.anonymous().post(&format!("/v1/join/{link}"), json!({"name": "Kim"})).await;
    app.bench.carry(Channel::Webhook, &office).await;
    let told: Vec<String> = office
        .taken()
        .into_iter()
        .filter_map(|parcel| match parcel {
            Parcel::Webhook(delivery) => serde_json::from_str::<Value>(&delivery.body).ok(),
            Parcel::Mail(_) => None,
        })
        .map(|event| {
            let (kind, data) = (event["kind"].as_str().unwrap(), &event["data"]);
            let name = data["display_name"].as_str().unwrap().split(' ').next().unwrap().to_owned();
            format!("{kind} {name} {} {}", data["role"].as_str().unwrap(), data["access"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "person.added Hana host collaborate",
            "person.added Pia presenter collaborate",
            "person.added Uma attendee collaborate",
            "person.role_changed Uma presenter collaborate",
            "person.access_changed Uma presenter view_only",
            "person.role_changed Uma attendee collaborate",
            "person.access_changed Uma attendee collaborate",
            "person.removed Uma attendee collaborate",
            "person.added Uma attendee collaborate",
            "person.added Ari attendee collaborate",
            "person.added Kim attendee collaborate",
        ]
    );
}
