//! Invitations and join information.

use partyline_tests::api::Api;
use partyline_tests::error::LabResult;
use partyline_tests::mail_sink::{Mail, MailSink};
use partyline_tests::participant::Participant;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use super::{
    delete, done, get, id, join_path, on_database_with, patch, person, put, refused, rows, text, user,
};
use crate::mail::with_mail;
use crate::support::LONG;

fn states(answer: &Value) -> Vec<&str> {
    rows(&answer["invitations"]).iter().map(|row| text(&row["state"])).collect()
}

async fn invite(api: &Api, meeting: &str, targets: Value) -> LabResult<Value> {
    done(api, "POST", &format!("/v1/meetings/{meeting}/invitations"), json!({"targets": targets})).await
}

async fn create(api: &Api, title: &str, people: Value) -> LabResult<Value> {
    done(api, "POST", "/v1/meetings", json!({"title": title, "people": people})).await
}

async fn mails(sink: &MailSink, address: &str, count: usize) -> LabResult<Vec<Mail>> {
    sink.wait_for(address, count, LONG).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_a18_a22_a24_a25_a26_a38_a42_a43_a44_a45_i10_i16_i17_i19_i20_invitations_by_the_api() {
    let sink = MailSink::start(None).await.unwrap();
    on_database_with(with_mail(sink.port()), async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, me) = stage.login("pia").await?;
        let ari = user(&hana, "ari").await?;

        let quiet = create(&hana, "Quiet", json!([])).await?;
        for _ in 0..3 {
            get(&hana, &format!("/v1/meetings/{}/join-info", id(&quiet))).await?;
        }
        assert!(sink.taken().is_empty(), "A07: copying sends nothing");

        let numbers = json!([{"number": "+1 202 555 0177"}, {"email": "2025550178@collaborate.acme.test"}]);
        let bare = create(&hana, "Numbers", numbers).await?;
        for row in rows(&bare["people"]).iter().filter(|row| row["number"].is_string()) {
            assert_eq!(row["invitation"]["status"], "no_address", "A26, B43: {row}");
            assert_eq!(row["invitation"]["error"], "No e-mail, will not be sent an invitation");
        }
        assert_eq!(rows(&bare["people"]).len(), 3, "A26: both rows are kept");

        // Each invitation goes to the address of the profile at its time.
        create(&hana, "First", json!([{"user": me.id}])).await?;
        mails(&sink, "pia@acme.test", 1).await?;
        let own = format!("/v1/users/{}/invitation-address", me.id);
        let body = json!({"address": "Pia2@acme.test"});
        assert_eq!(put(&pia, &own, body.clone()).await?.body["invitation_address"], "pia2@acme.test", "I20");
        refused(&put(&hana, &own, body).await?, 403, None);
        create(&hana, "Second", json!([{"user": me.id}])).await?;
        mails(&sink, "pia2@acme.test", 1).await?;
        assert_eq!(
            sink.mails_to("pia@acme.test")?.len(),
            1,
            "A24, A43: the change counts from the next one on"
        );
        let twice = json!({"emails": ["one@pia.test", "two@pia.test"], "invitation_address": "two@pia.test"});
        let profile = done(&pia, "PATCH", "/v1/me/profile", twice).await?;
        assert_eq!(profile["emails"], json!(["one@pia.test", "two@pia.test"]), "I20: several addresses");
        refused(
            &patch(&pia, "/v1/me/profile", json!({"invitation_address": "x@y.test"})).await?,
            422,
            Some("invitation_address"),
        );

        // INVITE: names, extensions and addresses; numbers are for CALL.
        let targets = json!([
            {"number": "+1 202 555 0177"}, {"email": "2025550178@collaborate.acme.test"},
            {"user": ari, "role": "presenter"}, {"email": "Guest@Else.test"}, {"user": "nobody"},
        ]);
        let meeting = json!({"title": "Invite", "settings": {"host_required": false}});
        let meeting = done(&hana, "POST", "/v1/meetings", meeting).await?;
        let sent = invite(&hana, &id(&meeting), targets).await?;
        assert_eq!(states(&sent), ["refused", "refused", "queued", "queued", "refused"], "A38, A42: {sent}");
        assert!(rows(&sent["invitations"])[..2].iter().all(|row| text(&row["mend"]).contains("CALL")), "A38");
        mails(&sink, "guest@else.test", 1).await?;
        let mail = mails(&sink, "ari@acme.test", 1).await?.remove(0);
        let again = json!([{"user": ari, "role": "presenter"}]);
        assert_eq!(states(&invite(&hana, &id(&meeting), again).await?), ["already_invited"]);

        // The mail brings Ari in as Presenter; his answer stands on his row.
        let link = mail.text.split_whitespace().find(|word| word.contains("/join/")).unwrap();
        let (clean, joined) = stage.api.join(link, None).await?;
        let row = |meeting: &Value| person(meeting, "Ari").clone();
        assert_eq!(joined.person.role, "presenter", "A45");
        let inside = Participant::join(&clean, &id(&meeting), Voice::silent()).await?;
        let path = format!("/v1/meetings/{}", id(&meeting));
        let seen = row(&get(&hana, &path).await?);
        assert_eq!((&seen["present"], &seen["role"]), (&json!(true), &json!("presenter")), "A22, A45");
        drop(inside);
        let answer = mail.text.split_whitespace().find(|word| word.contains("/v1/rsvp/")).unwrap();
        let answer = answer[answer.find("/v1/rsvp/").unwrap()..].split('?').next().unwrap().to_owned();
        get(&stage.api, &format!("{answer}?answer=declined")).await?;
        assert!(
            row(&get(&hana, &path).await?)["invitation"]["rsvp"].is_null(),
            "I17: looking answers nothing"
        );
        done(&stage.api, "POST", &format!("{answer}?answer=declined"), json!({})).await?;
        assert_eq!(row(&get(&hana, &path).await?)["invitation"]["rsvp"], "declined", "I17");

        // Removed: told alone, the link says so; the others hear nothing.
        assert_eq!(delete(&hana, &format!("{path}/people/{}", joined.person.id)).await?, 204);
        let told = mails(&sink, "ari@acme.test", 2).await?.remove(1);
        assert_eq!(told.subject, "Cancelled: Invite", "I10");
        let gone = stage.api.send("GET", &join_path(&json!(link)), &[], None).await?;
        refused(&gone, 403, None);
        assert!(text(&gone.body["detail"]).contains("removed"), "I19: {}", gone.body);
        assert_eq!(sink.mails_to("guest@else.test")?.len(), 1, "I10, A18");
        Ok(())
    })
    .await;
}

/// What stands behind the name of a calendar's field.
fn field<'a>(calendar: &'a str, name: &str) -> &'a str {
    let line = calendar.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {calendar}")).trim_end().split_once(':').unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a03_a27_a28_a29_a30_a31_i10_i11_i14_i16_plans_rooms_and_their_join_information() {
    let sink = MailSink::start(None).await.unwrap();
    on_database_with(with_mail(sink.port()), async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, me) = stage.login("pia").await?;
        let people = json!([{"user": me.id}]);
        let plan = json!({"title": "Budget", "kind": "scheduled", "start": "2037-03-02T09:00:00", "duration_minutes": 30,
            "time_zone": "America/Chicago", "people": people});
        let plan = done(&hana, "POST", "/v1/meetings", plan).await?;
        let room = done(&hana, "POST", "/v1/meetings", json!({"title": "Room 7", "kind": "room", "people": people})).await?;
        for meeting in [&plan, &room] {
            let info = get(&hana, &format!("/v1/meetings/{}/join-info", id(meeting))).await?;
            let words = text(&info["text"]);
            let number = text(&meeting["number"]);
            let grouped = format!("{} {} {}", &number[..3], &number[3..6], &number[6..]);
            let pin = format!("PIN: {}", text(&info["guest_pin"]));
            for part in [text(&meeting["title"]), text(&meeting["link"]), &grouped, &pin, "+1 202 555 0000"] {
                assert!(words.contains(part), "A27, A28, I11: {part} in {words}");
            }
            assert!(!text(&info["one_tap"][0]).is_empty(), "I11: {info}");
            assert_ne!(info["host_pin"], info["guest_pin"], "I14");
            let shown = get(&pia, &format!("/v1/meetings/{}/join-info", id(meeting))).await?;
            assert_eq!(shown["text"], info["text"], "A35: one text in every place");
            assert!(shown["host_pin"].is_null() && !words.contains(text(&info["host_pin"])), "I14");
        }
        for (field, pin) in [("guest_pin", "1234"), ("host_pin", "1111")] {
            let weak = patch(&hana, &format!("/v1/meetings/{}", id(&room)), json!({field: pin})).await?;
            refused(&weak, 422, Some(field));
        }
        let info = get(&hana, &format!("/v1/meetings/{}/join-info", id(&plan))).await?;
        assert!(text(&info["text"]).contains("09:00 to 09:30 (America/Chicago)"), "A29: {info}");

        // Long before the start the link works, and Pia waits for nobody to print anything new.
        let (_, joined) = stage.api.join(text(&person(&plan, "Pia")["link"]), None).await?;
        assert_eq!(joined.meeting.id, id(&plan), "A30");
        let mail = mails(&sink, "pia@acme.test", 2).await?.remove(0);
        let calendar = |mail: &Mail| mail.calendars.first().cloned().unwrap_or_else(|| panic!("no calendar in {}", mail.subject));
        let (_, first) = calendar(&mail);
        assert_eq!(field(&first, "METHOD"), "REQUEST", "I16");
        assert!(first.contains("DTSTART;TZID=\"America/Chicago\":20370302T090000") && first.contains("BEGIN:VALARM"), "I16: {first}");
        assert!(first.contains("ORGANIZER") && first.contains("/join/"), "I16: {first}");

        // Moved: the same event with a higher number. Called off: the same once more.
        let path = format!("/v1/meetings/{}", id(&plan));
        done(&hana, "PATCH", &path, json!({"start": "2037-03-02T10:00:00"})).await?;
        let (_, moved) = calendar(&mails(&sink, "pia@acme.test", 3).await?.remove(2));
        assert_eq!(field(&moved, "UID"), field(&first, "UID"), "I10");
        let number = |calendar: &str| field(calendar, "SEQUENCE").parse::<u32>().unwrap();
        assert!(number(&moved) > number(&first), "I10: {moved}");
        assert_eq!(get(&hana, &format!("{path}/join-info")).await?["link"], info["link"], "A30: final");
        assert_eq!(delete(&hana, &path).await?, 204);
        let (_, off) = calendar(&mails(&sink, "pia@acme.test", 4).await?.remove(3));
        assert_eq!((field(&off, "METHOD"), field(&off, "UID")), ("CANCEL", field(&first, "UID")), "I10");
        Ok(())
    })
    .await;
}
