//! Mail that comes back, as mail servers and calendars write it.

use crate::support::{App, Client, Reply, person};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use conference::services::outbox::{Channel, Letter};
use conference::services::testing::PostOffice;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn hand_in(client: &Client<'_>, mail: &str) -> Reply {
    let request = Request::post("/v1/inbound-mail")
        .header(header::AUTHORIZATION, format!("Bearer {}", client.token.as_deref().unwrap()))
        .header(header::CONTENT_TYPE, "message/rfc822")
        .body(Body::from(mail.replace('\n', "\r\n")));
    client.send(request.unwrap()).await
}

/// A key that a mail server has been given.
async fn machine(app: &App) -> Client<'_> {
    let tia = app.login("tia").await;
    let made = tia.post("/v1/api-keys", json!({"name": "mail server", "scopes": ["admin"]})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    app.with_token(made.body["key"].as_str().unwrap())
}

async fn letters(app: &App, office: &Arc<PostOffice>) -> Vec<Letter> {
    app.bench.carry(Channel::Mail, office).await;
    office.letters()
}

async fn planned(hana: &Client<'_>) -> Value {
    let body = json!({"title": "M1", "kind": "scheduled", "start": "2027-03-01T09:00:00Z",
                      "people": [{"user": hana.user("Ari").await}, {"email": "gone@else.test"}]});
    let reply = hana.post("/v1/meetings", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.body
}

async fn invitation(hana: &Client<'_>, meeting: &Value, name: &str) -> Value {
    let meeting = hana.get(&format!("/v1/meetings/{}", meeting["id"].as_str().unwrap())).await.body;
    person(&meeting, name)["invitation"].clone()
}

/// What Postfix sends when the mail server of the recipient says no later on.
fn bounce(letter: &Letter) -> String {
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.acme.test (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n\
         To: meetings@acme.test\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"4F0A.1800000000/mx.acme.test\"\n\
         Message-Id: <20270115080000.4F0A@mx.acme.test>\n\nThis is a MIME-encapsulated message.\n\n\
         --4F0A.1800000000/mx.acme.test\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n\
         This is the mail system at host mx.acme.test.\n\n--4F0A.1800000000/mx.acme.test\n\
         Content-Description: Delivery report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.acme.test\n\
         X-Postfix-Queue-ID: 4F0A\nArrival-Date: Fri, 15 Jan 2027 08:00:00 +0000 (UTC)\n\n\
         Final-Recipient: rfc822; gone@else.test\nOriginal-Recipient: rfc822;gone@else.test\nAction: failed\nStatus: 5.1.1\n\
         Remote-MTA: dns; mx.else.test\nDiagnostic-Code: smtp; 550 5.1.1 <gone@else.test>: Recipient address\n    rejected: User unknown\n\n\
         --4F0A.1800000000/mx.acme.test\nContent-Description: Undelivered Message Headers\nContent-Type: text/rfc822-headers\n\n\
         Message-ID: {}\nFrom: \"Hana Hale via Partyline\" <meetings@acme.test>\nTo: gone@else.test\nSubject: {}\n\n\
         --4F0A.1800000000/mx.acme.test--\n",
        letter.message_id, letter.subject
    )
}

#[tokio::test]
async fn i21_a_delivery_report_shows_on_the_row_and_resend_sends_one() {
    let (app, office) = (App::new().await, Arc::new(PostOffice::default()));
    let hana = app.login("hana").await;
    let meeting = planned(&hana).await;
    let sent = letters(&app, &office).await;
    let to = |letters: &[Letter]| {
        letters.iter().rev().find(|letter| letter.to.address == "gone@else.test").cloned().unwrap()
    };
    assert_eq!(invitation(&hana, &meeting, "gone").await["status"], "sent");
    let key = machine(&app).await;
    let delayed = bounce(&to(&sent)).replace("Action: failed", "Action: delayed");
    assert_eq!(hand_in(&key, &delayed).await.body["kind"], "ignored");
    assert_eq!(invitation(&hana, &meeting, "gone").await["status"], "sent");
    let taken = hand_in(&key, &bounce(&to(&sent))).await;
    assert_eq!((taken.status, &taken.body["kind"]), (StatusCode::OK, &json!("delivery_report")), "{taken:?}");
    let row = invitation(&hana, &meeting, "gone").await;
    assert_eq!(row["status"], "failed");
    let words = row["error"].as_str().unwrap();
    assert!(words.starts_with("Not delivered: 550 5.1.1") && words.contains("User unknown"), "{words}");
    assert_eq!(invitation(&hana, &meeting, "Ari").await["status"], "sent", "nobody else's");
    // Sent once more: the report on the first mail, which may come twice, says nothing about the second.
    app.bench.clock.advance(Duration::from_secs(60));
    let guest = person(&meeting, "gone")["id"].as_str().unwrap();
    let resend = format!("/v1/meetings/{}/people/{guest}/resend", meeting["id"].as_str().unwrap());
    assert_eq!(hana.post(&resend, json!({})).await.status, StatusCode::ACCEPTED);
    assert_eq!(hand_in(&key, &bounce(&to(&sent))).await.body["kind"], "ignored");
    let again = letters(&app, &office).await;
    assert_eq!(again.len(), sent.len() + 1);
    assert_eq!(hand_in(&key, &bounce(&to(&sent))).await.body["kind"], "ignored");
    assert_eq!(invitation(&hana, &meeting, "gone").await["status"], "sent");
    assert_eq!(hand_in(&key, &bounce(&to(&again))).await.body["kind"], "delivery_report");
    // Whose mail it is not, and what is none.
    let unknown = Letter { message_id: format!("<o{}@acme.test>", "0".repeat(32)), ..to(&sent) };
    assert_eq!(hand_in(&key, &bounce(&unknown)).await.body["kind"], "ignored");
    hand_in(&key, "").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("body"));
    hand_in(&hana, &bounce(&to(&again))).await.is_problem(StatusCode::FORBIDDEN, None);
    let json = key.post("/v1/inbound-mail", json!({})).await;
    json.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
}

/// What a calendar program makes of the invitation when its reader presses a button.
fn answer(letter: &Letter, partstat: &str) -> String {
    let object = letter.calendar.as_ref().unwrap().text.replace("\r\n ", "").replace("\r\n", "\n");
    let line = |name: &str| object.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    format!(
        "From: Ari Arlo <ari@acme.test>\nTo: {}\nSubject: {partstat}: M1\nMIME-Version: 1.0\n\
         Content-Type: multipart/alternative; boundary=\"000000000000a1\"\n\n--000000000000a1\n\
         Content-Type: text/plain; charset=\"UTF-8\"\n\nAri Arlo has answered.\n\n--000000000000a1\n\
         Content-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\nContent-Transfer-Encoding: 7bit\n\n\
         BEGIN:VCALENDAR\nPRODID:-//Example Inc//Calendar//EN\nVERSION:2.0\nCALSCALE:GREGORIAN\nMETHOD:REPLY\nBEGIN:VEVENT\n\
         {}\n{}\n{}\n{}\n\
         ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={partstat};CN=\"Arlo, Ari\n ; mobile\";X-NUM-GUESTS=0:mailto:ari@acme.test\n\
         DTSTAMP:20270116T080000Z\nSTATUS:CONFIRMED\nEND:VEVENT\nEND:VCALENDAR\n\n--000000000000a1--\n",
        line("ORGANIZER").split("mailto:").nth(1).unwrap(),
        line("DTSTART"),
        line("ORGANIZER"),
        line("UID:"),
        line("SEQUENCE:"),
    )
}

#[tokio::test]
async fn i17_the_answer_of_a_calendar_by_mail_shows_on_the_row() {
    let (app, office) = (App::new().await, Arc::new(PostOffice::default()));
    let hana = app.login("hana").await;
    let meeting = planned(&hana).await;
    let first = letters(&app, &office).await;
    let to_ari = |letters: &[Letter]| {
        letters.iter().rev().find(|letter| letter.to.address == "ari@acme.test").cloned().unwrap()
    };
    let key = machine(&app).await;
    for (partstat, rsvp) in [("ACCEPTED", "accepted"), ("TENTATIVE", "tentative"), ("DECLINED", "declined")] {
        let taken = hand_in(&key, &answer(&to_ari(&first), partstat)).await;
        assert_eq!((taken.status, &taken.body["kind"]), (StatusCode::OK, &json!("reply")), "{taken:?}");
        assert_eq!(invitation(&hana, &meeting, "Ari").await["rsvp"], rsvp);
    }
    assert_eq!(invitation(&hana, &meeting, "gone").await["rsvp"], Value::Null, "the address is Ari's alone");
    // The address proves itself; the case of its letters is nobody's promise.
    let forged = answer(&to_ari(&first), "ACCEPTED");
    let at = forged.find("mailto:replies+").unwrap() + "mailto:replies+i".len();
    let other = if forged.as_bytes()[at] == b'0' { "1" } else { "0" };
    let forged = format!("{}{other}{}", &forged[..at], &forged[at + 1..]);
    assert_eq!(hand_in(&key, &forged).await.body["kind"], "ignored");
    // A new time asks anew, and answers to the old one are late.
    let path = format!("/v1/meetings/{}", meeting["id"].as_str().unwrap());
    hana.patch(&path, json!({"start": "2027-03-02T09:00:00Z"})).await;
    let second = letters(&app, &office).await;
    assert_eq!(hand_in(&key, &answer(&to_ari(&first), "ACCEPTED")).await.body["kind"], "ignored");
    assert_eq!(invitation(&hana, &meeting, "Ari").await["rsvp"], Value::Null);
    assert_eq!(hand_in(&key, &answer(&to_ari(&second), "ACCEPTED")).await.body["kind"], "reply");
    assert_eq!(invitation(&hana, &meeting, "Ari").await["rsvp"], "accepted");
    // Whoever was removed answers nothing.
    let ari = person(&meeting, "Ari")["id"].as_str().unwrap();
    hana.delete(&format!("{path}/people/{ari}")).await;
    assert_eq!(hand_in(&key, &answer(&to_ari(&second), "ACCEPTED")).await.body["kind"], "ignored");
}
