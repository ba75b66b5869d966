//! Invitations as people get them: through a real SMTP conversation, read back by an independent reader.

use std::time::Duration;

use partyline_tests::api::{Api, PersonToInvite};
use partyline_tests::error::LabResult;
use partyline_tests::mail_sink::{Fault, Mail, MailSink};
use partyline_tests::participant::Participant;
use partyline_tests::stage::{Stage, StageConfig};
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::{LONG, eventually, on_stage, on_stage_with};

/// Longer than the longest wait between two attempts at a server that has just come back.
const RETRIED: Duration = Duration::from_secs(60);

/// A configuration that sends through the sink.
pub(crate) fn with_mail(port: u16) -> impl FnOnce(StageConfig) -> LabResult<StageConfig> {
    move |mut config| {
        config.configuration.push_str(&format!(
            "\n[mail]\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"meetings@acme.test\"\n"
        ));
        Ok(config)
    }
}

fn to_mail(address: &str, role: &str) -> PersonToInvite {
    PersonToInvite {
        email: Some(address.to_owned()),
        role: role.to_owned(),
        access: "collaborate".to_owned(),
        ..PersonToInvite::default()
    }
}

/// The invitation of the person with this address, as Hosts see it.
pub(crate) async fn invitation(api: &Api, meeting: &str, name: &str) -> Value {
    let answer = api.send("GET", &format!("/v1/meetings/{meeting}"), &[], None).await.unwrap();
    let people = answer.body["people"].as_array().cloned().unwrap_or_default();
    let row =
        people.into_iter().find(|row| row["display_name"].as_str().is_some_and(|shown| shown.contains(name)));
    row.map_or(Value::Null, |row| row["invitation"].clone())
}

fn link(mail: &Mail) -> String {
    let start = mail.text.find("http").expect("a link");
    mail.text[start..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_a22_a23_a25_i19_a_mail_brings_its_reader_into_the_meeting() {
    let sink = MailSink::start(None).await.unwrap();
    on_stage_with(with_mail(sink.port()), async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (pia, me) = stage.login("pia").await?;
        let path = format!("/v1/users/{}/invitation-address", me.id);
        let set = pia.send("PUT", &path, &[], Some(json!({"address": "pia2@acme.test"}))).await?;
        assert_eq!(set.status, 200, "{}", set.body);
        let people = [PersonToInvite::user(&me.id, "presenter"), to_mail("guest@else.test", "attendee")];
        let meeting = hana.create_meeting("Planning, ünd \"more\"", "conference", &people).await?;
        let mail = sink.wait_for("pia2@acme.test", 1, LONG).await?.remove(0);
        assert_eq!(mail.to, [("Pia Pereira".to_owned(), "pia2@acme.test".to_owned())]);
        assert_eq!(mail.from[0].1, "meetings@acme.test");
        assert!(mail.from[0].0.contains("Hana"), "{:?}", mail.from);
        assert_eq!(mail.reply_to[0].1, "hana@acme.test");
        assert_eq!(mail.subject, "Invitation: Planning, ünd \"more\"");
        for text in [&mail.text, &mail.html] {
            for said in ["Hana", "Presenter", "you can ignore it", "Meeting number"] {
                assert!(text.contains(said), "{said} in {text}");
            }
        }
        assert!(mail.calendars.is_empty(), "no time, no calendar object");
        sink.wait_for("guest@else.test", 1, LONG).await?;
        assert!(sink.mails_to("pia@acme.test")?.is_empty(), "the profile's address alone");
        // The link works in a clean browser, with that name and role.
        let (clean, joined) = stage.api.join(&link(&mail), None).await?;
        assert_eq!(joined.person.role, "presenter");
        let _inside = Participant::join(&clean, &meeting.id, Voice::silent()).await?;
        eventually("the row to say sent", LONG, async || {
            invitation(&hana, &meeting.id, "Pia").await["status"] == "sent"
        })
        .await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a21_f16_i94_a_mail_server_that_is_down_and_a_crash_lose_and_double_nothing() {
    let mut sink = MailSink::start(None).await.unwrap();
    let port = sink.port();
    on_stage_with(with_mail(port), async |stage| {
        sink.down().await;
        let (hana, _) = stage.login("hana").await?;
        let people: Vec<PersonToInvite> =
            (0..5).map(|n| to_mail(&format!("guest{n}@else.test"), "attendee")).collect();
        let meeting = hana.create_meeting("M1", "conference", &people).await?;
        eventually("the first attempts to fail", LONG, async || {
            let row = invitation(&hana, &meeting.id, "guest0").await;
            row["status"] == "queued" && row["error"].is_string()
        })
        .await;
        stage.crash_and_restart().await?;
        // The first mail after the pause is kept, but its sender never hears of it.
        sink.fail([Fault::CutAfterKeeping, Fault::Text(451), Fault::Recipient(450)]);
        sink.up().await?;
        for n in 0..5 {
            let mails = sink.wait_for(&format!("guest{n}@else.test"), 1, RETRIED).await?;
            let mut ids: Vec<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
            ids.dedup();
            assert_eq!(ids.len(), 1, "one mail to guest{n}, however often it was sent: {ids:?}");
        }
        let (hana, _) = stage.login("hana").await?;
        eventually("every row to say sent", RETRIED, async || {
            let mut sent = true;
            for n in 0..5 {
                sent &= invitation(&hana, &meeting.id, &format!("guest{n}")).await["status"] == "sent";
            }
            sent
        })
        .await;
        let mut ids: Vec<String> =
            sink.taken().iter().map(|taken| taken.read().unwrap().message_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5, "five people, five mails: {ids:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i21_f16_what_the_server_refuses_shows_on_the_row_and_is_sent_again_on_request() {
    let sink = MailSink::start(Some(("partyline", "secret"))).await.unwrap();
    let port = sink.port();
    let with_login = move |config| {
        let mut config = with_mail(port)(config)?;
        config.configuration.push_str("user = \"partyline\"\npassword = \"secret\"\n");
        Ok(config)
    };
    on_stage_with(with_login, async |stage| {
        sink.answer("gone@else.test", 550, "5.1.1 no such user here");
        let (hana, _) = stage.login("hana").await?;
        let meeting =
            hana.create_meeting("M1", "conference", &[to_mail("gone@else.test", "attendee")]).await?;
        eventually("the refusal on the row", LONG, async || {
            let row = invitation(&hana, &meeting.id, "gone").await;
            row["status"] == "failed"
                && row["error"].as_str().is_some_and(|words| words.contains("no such user here"))
        })
        .await;
        sink.answer("gone@else.test", 0, "");
        let all = hana.meeting(&meeting.id).await?;
        let person = all.people.iter().find(|row| row.display_name.contains("gone")).unwrap();
        let path = format!("/v1/meetings/{}/people/{}/resend", meeting.id, person.id);
        assert_eq!(hana.send("POST", &path, &[], None).await?.status, 202);
        sink.wait_for("gone@else.test", 1, LONG).await?;
        assert_eq!(sink.taken()[0].user.as_deref(), Some("partyline"));
        Ok(())
    })
    .await;
}

/// Ten minutes and a moment from now, as the API reads it.
fn in_ten_minutes() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let start = chrono::DateTime::from_timestamp(i64::try_from(now).unwrap() + 603, 0).unwrap();
    start.to_rfc3339()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i18_the_clock_reminds_once_also_over_a_crash() {
    let sink = MailSink::start(None).await.unwrap();
    on_stage_with(with_mail(sink.port()), async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let start = in_ten_minutes();
        for (address, reminder) in [("yes@else.test", true), ("no@else.test", false)] {
            let people = json!([{ "email": address }]);
            let body = json!({ "title": "M1", "kind": "scheduled", "start": start, "people": people,
                               "settings": { "reminder": reminder } });
            let made = hana.send("POST", "/v1/meetings", &[], Some(body)).await?;
            assert_eq!(made.status, 201, "{}", made.body);
        }
        sink.wait_for("no@else.test", 1, LONG).await?;
        let mails = sink.wait_for("yes@else.test", 2, LONG).await?;
        assert!(mails[1].subject.starts_with("Starting soon: M1"), "{}", mails[1].subject);
        stage.crash_and_restart().await?;
        // Longer than the time between two looks at the clock.
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!((sink.mails_to("yes@else.test")?.len(), sink.mails_to("no@else.test")?.len()), (2, 1));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mail_server_the_row_says_so() {
    on_stage(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let meeting =
            hana.create_meeting("M1", "conference", &[to_mail("guest@else.test", "attendee")]).await?;
        let row = invitation(&hana, &meeting.id, "guest").await;
        assert_eq!(row["status"], "not_sent", "{row}");
        assert_eq!(row["error"], "No mail server is configured");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a33_a42_inviting_during_a_meeting_leaves_the_sound_alone() {
    let sink = MailSink::start(None).await.unwrap();
    on_stage_with(with_mail(sink.port()), async |stage: &mut Stage| {
        use partyline_tests::tone;
        let room = stage.room("hana", "conference", Voice::steady(tone::HANA)).await?;
        let (guest, _) = stage.api.join(&room.meeting.link, Some("Guest")).await?;
        let guest = Participant::join(&guest, &room.meeting.id, Voice::silent()).await?;
        assert!(guest.ear().wait_for(tone::HANA, std::time::Instant::now(), LONG).await.is_some());
        assert!(sink.taken().is_empty(), "nothing before the click");
        let path = format!("/v1/meetings/{}/invitations", room.meeting.id);
        let body = json!({"targets": [{"email": "late@else.test", "role": "presenter"}, {"number": "+1 202 555 0177"}]});
        let answer = room.api.send("POST", &path, &[], Some(body)).await?;
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.body["invitations"][0]["state"], "queued");
        assert_eq!(answer.body["invitations"][1]["state"], "refused");
        sink.wait_for("late@else.test", 1, LONG).await?;
        assert!(guest.ear().wait_for(tone::HANA, std::time::Instant::now(), LONG).await.is_some());
        Ok(())
    })
    .await;
}
