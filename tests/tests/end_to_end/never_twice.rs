//! kill -9 at random moments of a run with dial-outs, mails and webhooks (F2, F15, F16): no call is made twice, no mail and
//! no event is lost, and every call that was accepted comes to an end.
//!
//! `PARTYLINE_KILLS` says how many kills; 5 unless it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partyline_tests::api::{Api, CallTarget, PersonToInvite};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::mail_sink::{Fault, MailSink};
use partyline_tests::participant::Participant;
use partyline_tests::shared::{lock, unique_number};
use partyline_tests::stage::{Stage, StageConfig};
use partyline_tests::voice::Voice;
use partyline_tests::webhook_sink::{Manner, WebhookSink};
use serde_json::{Value, json};

use crate::mail::with_mail;
use crate::support::on_stage_with;
use crate::webhooks::{hook, with_webhooks};

/// The latest kill after the start of a round.
const ROUND: u64 = 1_600;
/// How long the last mails and events may take.
const SETTLED: Duration = Duration::from_secs(90);

/// What was asked for, as far as it was answered.
#[derive(Default)]
struct Asked {
    /// Meetings whose creation was answered.
    meetings: Vec<String>,
    /// Addresses whose invitation was answered.
    addresses: Vec<String>,
    /// CALLs: meeting and key, whether they were answered or not.
    calls: Vec<(String, String)>,
    /// Calls that were accepted.
    tickets: BTreeSet<String>,
}

fn targets() -> [CallTarget; 3] {
    [carrier::PRESSES_ONE, carrier::NO_ANSWER, carrier::BUSY]
        .map(|number| CallTarget::number(number, "attendee"))
}

fn address(round: usize, what: &str) -> String {
    format!("{what}{round}@else.test")
}

/// One round of work; it is cut off wherever it is.
async fn work(api: Api, round: usize, asked: Arc<Mutex<Asked>>) -> LabResult<()> {
    let (api, _) = api.login("hana", "hana-demo").await?;
    let person = |what: &str| PersonToInvite {
        email: Some(address(round, what)),
        role: "attendee".to_owned(),
        access: "collaborate".to_owned(),
        ..PersonToInvite::default()
    };
    let meeting =
        api.create_meeting(&format!("Round {round}"), "conference", &[person("a"), person("b")]).await?;
    {
        let mut asked = lock(&asked);
        asked.meetings.push(meeting.id.clone());
        asked.addresses.extend([address(round, "a"), address(round, "b")]);
    }
    let _host = Participant::join(&api, &meeting.id, Voice::silent()).await?;
    let key = format!("round-{round}");
    lock(&asked).calls.push((meeting.id.clone(), key.clone()));
    let calls = async {
        let tickets = api.call(&meeting.id, &targets(), &key).await?;
        lock(&asked)
            .tickets
            .extend(tickets.into_iter().filter(|one| one.state == "queued").map(|one| one.id));
        LabResult::Ok(())
    };
    let invitations = async {
        let body = json!({"targets": [{"email": address(round, "c")}]});
        let path = format!("/v1/meetings/{}/invitations", meeting.id);
        let answer = api.send("POST", &path, &[], Some(body)).await?;
        assert_eq!(answer.status, 202, "{}", answer.body);
        lock(&asked).addresses.push(address(round, "c"));
        LabResult::Ok(())
    };
    let (called, invited) = tokio::join!(calls, invitations);
    called.and(invited)?;
    // Stays until it is killed.
    std::future::pending().await
}

/// After a restart a client that got no answer asks again, with the same key.
async fn ask_again(api: &Api, asked: &Mutex<Asked>) -> LabResult<()> {
    let calls = lock(asked).calls.clone();
    let Some((meeting, key)) = calls.last() else { return Ok(()) };
    // Refused when nothing was written down: nobody is in the meeting any more.
    if let Ok(tickets) = api.call(meeting, &targets(), key).await {
        lock(asked).tickets.extend(tickets.into_iter().filter(|one| one.state == "queued").map(|one| one.id));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_f15_f16_i94_kills_make_no_call_twice_and_lose_no_mail_and_no_event() {
    let kills: usize = std::env::var("PARTYLINE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mail = MailSink::start(None).await.unwrap();
    let hooks = WebhookSink::start().await.unwrap();
    let with_mail = with_mail(mail.port());
    let config = |config: StageConfig| with_webhooks(with_mail(config)?);
    on_stage_with(config, async |stage: &mut Stage| {
        let (tia, _) = stage.login("tia").await?;
        hook(&tia, &hooks.url("/in"), &["meeting.created", "call.*", "invitation.*"]).await?;
        // Calls that are cut off after seconds look like misuse, and calling would be paused.
        tia.set_dial_policy(json!({ "breaker": { "short_calls": 1_000_000 } })).await?;
        let asked = Arc::new(Mutex::new(Asked::default()));
        for round in 0..kills {
            // Sinks that fail now and then, too.
            if round % 3 == 1 {
                mail.fail([Fault::CutAfterKeeping, Fault::Text(451)]);
                hooks.behave("/in", Manner::HangUp);
            } else {
                hooks.behave("/in", Manner::Status(204));
            }
            let round_work = tokio::spawn(work(stage.api.clone(), round, Arc::clone(&asked)));
            tokio::time::sleep(Duration::from_millis(150 + unique_number() % ROUND)).await;
            stage.crash_and_restart().await?;
            round_work.abort();
            if let Err(error) = round_work.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
            let (hana, _) = stage.login("hana").await?;
            ask_again(&hana, &asked).await?;
        }
        hooks.behave("/in", Manner::Status(204));
        let asked = Arc::into_inner(asked).map(|asked| asked.into_inner().unwrap()).unwrap();
        let rows = all_ended(stage, &hooks, &asked).await?;
        no_call_twice(stage, &rows);
        no_mail_lost(&mail, &asked).await?;
        no_event_lost(&hooks, &asked, &rows).await?;
        eprintln!(
            "{kills} kills: {} meetings, {} calls ({} INVITEs), {} addresses ({} mails taken), {} events received",
            asked.meetings.len(),
            rows.len(),
            stage.carrier.calls().len(),
            asked.addresses.len(),
            mail.taken().len(),
            hooks.received("/in").len(),
        );
        Ok(())
    })
    .await;
}

/// Every call of every meeting that anybody knows of has come to an end; gives all of them.
async fn all_ended(stage: &Stage, hooks: &WebhookSink, asked: &Asked) -> LabResult<Vec<Value>> {
    let (hana, _) = stage.login("hana").await?;
    // Meetings whose creation was not answered, but took place.
    let created =
        hooks.received("/in").into_iter().filter(|one| one.field("partyline-event") == "meeting.created");
    let told = created.filter_map(|one| one.event["meeting"].as_str().map(str::to_owned));
    let meetings: BTreeSet<String> = asked.meetings.iter().cloned().chain(told).collect();
    let mut rows = Vec::new();
    for meeting in &meetings {
        let answer = hana.send("GET", &format!("/v1/meetings/{meeting}/calls"), &[], None).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        rows.extend(answer.body["calls"].as_array().cloned().unwrap_or_default());
    }
    for row in &rows {
        let state = row["state"].as_str().unwrap();
        assert!(["ended", "failed", "refused", "cancelled"].contains(&state), "open after a crash: {row}");
    }
    let known: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    for ticket in &asked.tickets {
        assert!(known.contains(ticket.as_str()), "the accepted call {ticket} is gone");
    }
    Ok(rows)
}

/// At most one INVITE for each row, and one row for each target of a key.
fn no_call_twice(stage: &Stage, rows: &[Value]) {
    let calls = stage.carrier.calls();
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.facts.call_id.as_str()).collect();
    assert_eq!(ids.len(), calls.len(), "a Call-ID came twice");
    let mut written: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows {
        let place = (row["meeting"].as_str().unwrap(), row["number"].as_str().unwrap());
        *written.entry(place).or_default() += 1;
    }
    assert!(written.values().all(|count| *count == 1), "one key, one row each: {written:?}");
    for number in [carrier::PRESSES_ONE, carrier::NO_ANSWER, carrier::BUSY] {
        let dialled = calls.iter().filter(|call| call.facts.request_user == number).count();
        let wanted = written.keys().filter(|(_, target)| *target == number).count();
        assert!(dialled <= wanted, "{number}: {dialled} INVITEs for {wanted} calls");
    }
}

/// Whoever was invited has exactly one mail, however often it was sent.
async fn no_mail_lost(mail: &MailSink, asked: &Asked) -> LabResult<()> {
    for address in &asked.addresses {
        let mails = mail.wait_for(address, 1, SETTLED).await?;
        let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
        assert_eq!(ids.len(), 1, "{address}: {ids:?}");
    }
    Ok(())
}

/// For each call the event of its beginning and the one of its end, each under one identifier; for each invitation that it
/// was queued.
async fn no_event_lost(hooks: &WebhookSink, asked: &Asked, rows: &[Value]) -> LabResult<()> {
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    for row in rows {
        let call = row["id"].as_str().unwrap().to_owned();
        wanted.insert(("call.queued".to_owned(), call.clone()));
        wanted.insert((format!("call.{}", row["state"].as_str().unwrap()), call));
    }
    for meeting in &asked.meetings {
        wanted.insert(("meeting.created".to_owned(), meeting.clone()));
    }
    let seen = |received: &[partyline_tests::webhook_sink::Received]| {
        let mut seen: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for one in received {
            let kind = one.field("partyline-event").to_owned();
            let data = &one.event["data"];
            let object =
                data["call"].as_str().or_else(|| data["meeting"].as_str()).unwrap_or_default().to_owned();
            seen.entry((kind, object)).or_default().insert(one.field("partyline-event-id").to_owned());
        }
        seen
    };
    let all = |received: &[_]| {
        let seen = seen(received);
        wanted.iter().all(|one| seen.contains_key(one))
    };
    let received = hooks.wait("every event", "/in", SETTLED, all).await;
    let received = match received {
        Ok(received) => received,
        Err(error) => {
            let seen = seen(&hooks.received("/in"));
            let missing: Vec<_> = wanted.iter().filter(|one| !seen.contains_key(*one)).collect();
            let rows: Vec<_> = rows
                .iter()
                .filter(|row| missing.iter().any(|(_, object)| row["id"] == object.as_str()))
                .collect();
            panic!("{error}; missing: {missing:?} of {rows:#?}");
        }
    };
    for (what, ids) in seen(&received).into_iter().filter(|(what, _)| wanted.contains(what)) {
        assert_eq!(ids.len(), 1, "{what:?} under several identifiers: {ids:?}");
    }
    let queued = received.iter().filter(|one| one.field("partyline-event") == "invitation.queued");
    let queued: BTreeSet<&str> = queued.filter_map(|one| one.event["data"]["invitation"].as_str()).collect();
    assert!(
        queued.len() >= asked.addresses.len(),
        "{} invitations, {} told",
        asked.addresses.len(),
        queued.len()
    );
    Ok(())
}
