//! CALL as a stranger's script sees it: ids at once, states in order, each refusal with its words.

use std::time::{Duration, Instant};

use partyline_tests::api::{CallTarget, Events};
use partyline_tests::carrier;
use partyline_tests::error::LabResult;
use partyline_tests::shared::token;
use partyline_tests::tone;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use super::{done, get, id, meeting, on_database, patch, person, post, refused, rows, text, user};
use crate::support::{LONG, call_and_join, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a40_a46_a47_a49_a53_a54_a60_d30_d31_d32_d35_d39_i13_i46_i52_i53_i55_calls_by_the_api() {
    on_database(async |stage| {
        let (hana, me) = stage.login("hana").await?;
        let made = meeting(&hana, "Calls", "conference").await?;
        let path = format!("/v1/meetings/{}", id(&made));
        let calls = format!("{path}/calls");
        let one = json!({"targets": [{"number": carrier::ANSWERS}]});
        let early = post(&hana, &calls, one.clone()).await?;
        assert_eq!((early.status, early.body["reason"].as_str()), (409, Some("no_host")), "I46");

        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let path = format!("/v1/meetings/{}", room.meeting.id);
        let calls = format!("{path}/calls");
        let uma = stage.registered_phone("103b", tone::UMA).await?;
        let idle = stage.registered_phone("103a", tone::UMA).await?;
        let user_uma = user(&hana, "uma").await?;
        let devices = get(&hana, &format!("/v1/users/{user_uma}/devices?registered=true")).await?;
        assert_eq!(rows(&devices["devices"]).len(), 2, "A46: {devices}");

        // What a request that does nothing takes here and now; on top of that the ids come within 100 ms.
        let mut plain = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            get(&hana, &path).await?;
            plain.push(begun.elapsed());
        }
        plain.sort();
        let targets = json!({"targets": [
            {"user": user_uma, "device": "103b", "role": "presenter"}, {"number": carrier::PRESSES_ONE, "role": "attendee", "name": "Kim"},
            {"number": carrier::BUSY}, {"number": carrier::NO_ANSWER}, {"number": "911"}, {"user": user_uma, "device": "100a"},
        ]});
        let key = token();
        let key = [("Idempotency-Key", key.as_str())];
        let begun = Instant::now();
        let answer = hana.send("POST", &calls, &key, Some(targets.clone())).await?;
        let took = begun.elapsed();
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert!(took < Duration::from_millis(100) + plain[4] * 10, "D30: {took:?}, and a GET {:?}", plain[4]);
        let placed = rows(&answer.body["calls"]).to_vec();
        let states: Vec<&str> = placed.iter().map(|call| text(&call["state"])).collect();
        assert_eq!(states, ["queued", "queued", "queued", "queued", "refused", "refused"], "A53, A54, D30");
        assert_eq!((&placed[4]["reason"], &placed[5]["reason"]), (&json!("emergency"), &json!("no_device")), "D32");
        let again = hana.send("POST", &calls, &key, Some(targets)).await?;
        assert_eq!(again.body, answer.body, "D39: the same answer");
        let other = hana.send("POST", &calls, &key, Some(one)).await?;
        refused(&other, 409, Some("Idempotency-Key"));

        let events = &room.host.events;
        let over = ["joined", "failed", "ended"];
        for (number, last, cause) in [(0, "joined", None), (1, "joined", None), (2, "failed", Some("busy"))] {
            let event = events.wait_call(&id(&placed[number]), &over, LONG).await?;
            assert_eq!(event.text("state"), last, "{}", event.data);
            assert_eq!(event.data["cause"].as_str(), cause, "{}", event.data);
        }
        let known = |call: &Value| events.call_states(&id(call));
        assert_eq!(known(&placed[1]).last().map(String::as_str), Some("joined"));
        let order = ["queued", "dialling", "ringing", "answered", "confirming", "joined"];
        let mut place = order.iter();
        for state in known(&placed[1]) {
            assert!(place.any(|one| *one == state), "D35: {:?}", known(&placed[1]));
        }
        assert_eq!((uma.counts().invites, idle.counts().invites), (1, 0), "A47, D31: the one chosen");
        let busy = get(&hana, &format!("/v1/calls/{}", id(&placed[2]))).await?;
        assert_eq!((&busy["words"], &busy["sip_code"]), (&json!("Busy"), &json!(486)), "I52: {busy}");
        assert!(rows(&busy["events"]).iter().all(|event| event["words"].is_string()), "I52: {busy}");
        assert_eq!(stage.carrier.calls_to(carrier::BUSY).len(), 1, "I55: nothing happens by itself");

        // Cancel while it rings, by a Host alone; then once more, with the role it had.
        events.wait_call(&id(&placed[3]), &["ringing"], LONG).await?;
        let cancel = format!("/v1/calls/{}", id(&placed[3]));
        let (ari, _) = stage.login("ari").await?;
        let (zed, _) = stage.login("zed").await?;
        for (other, status) in [(&ari, 404), (&zed, 404)] {
            assert_eq!(other.send("DELETE", &cancel, &[], None).await?.status, status, "I53");
        }
        assert_eq!(hana.send("DELETE", &cancel, &[], None).await?.status, 202);
        events.wait_call(&id(&placed[3]), &["cancelled", "failed"], LONG).await?;
        let retried = done(&hana, "POST", &format!("/v1/calls/{}/retry", id(&placed[2])), json!({})).await?;
        let busy_again = events.wait_call(&id(&retried), &["failed"], LONG).await?;
        assert_eq!(busy_again.text("role"), "attendee", "I55: {}", busy_again.data);

        // The list holds them all, the story of a row its steps; nobody was asked for a PIN.
        let listed = get(&hana, &calls).await?;
        assert!(rows(&listed["calls"]).len() >= 5, "{listed}");
        let people = get(&hana, &path).await?;
        assert_eq!((&person(&people, "Uma")["role"], &person(&people, "Kim")["role"]), (&json!("presenter"), &json!("attendee")), "A40");
        assert_eq!(person(&people, "Kim")["source"], "call");

        // A device that has gone; a caller ID that is not set.
        idle.unregister().await?;
        let gone = json!({"targets": [{"user": user(&hana, "pia").await?, "device": "101a"}]});
        let gone = done(&hana, "POST", &calls, gone).await?["calls"][0].clone();
        assert_eq!((&gone["state"], &gone["reason"]), (&json!("refused"), &json!("not_registered")), "A49");
        done(&hana, "PUT", &format!("/v1/users/{}/caller-id", me.id), json!({"number": null})).await?;
        let none = json!({"targets": [{"number": carrier::ANSWERS}]});
        let none = done(&hana, "POST", &calls, none).await?["calls"][0].clone();
        assert_eq!(none["reason"], "no_caller_id", "A60: {none}");
        assert!(text(&none["mend"]).contains("Caller ID"), "A60: {none}");
        assert!(stage.carrier.calls_to(carrier::ANSWERS).is_empty(), "A60: the trunk sees nothing");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a02_d62_d64_i76_i82_i95_late_readers_records_and_a_disabled_user() {
    on_database(async |stage| {
        let uma = stage.registered_phone("103a", tone::UMA).await?;
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let path = format!("/v1/meetings/{}", room.meeting.id);
        let (tia, _) = stage.login("tia").await?;
        let user_uma = user(&room.api, "uma").await?;
        let call = call_and_join(&room, CallTarget::device(&user_uma, "103a", "presenter")).await?;
        let seen = room.host.events.all();
        let last = seen.iter().map(|event| event.id).max().unwrap();

        // Who comes late is shown the present state first.
        let late = Events::connect(&room.api, Some(&room.meeting.id), None, None).await?;
        let snapshot = late.all().remove(0);
        assert_eq!(snapshot.kind, "snapshot");
        assert_eq!(person(&snapshot.data, "Uma")["present"], true, "I95, D62");
        let known = rows(&snapshot.data["calls"]).iter().any(|one| one.to_string().contains(&call));
        assert!(known, "I95: running calls: {}", snapshot.data);
        drop(late);

        // Whoever comes back names the last event and misses nothing, and sees nothing twice.
        let row = format!("{path}/people/{}", id(person(&get(&room.api, &path).await?, "Uma")));
        for role in ["attendee", "presenter", "attendee"] {
            done(&room.api, "PATCH", &row, json!({"role": role})).await?;
        }
        let changed = |events: &Events| -> Vec<u64> {
            events
                .all()
                .iter()
                .filter(|event| event.kind == "person.role_changed")
                .map(|event| event.id)
                .collect()
        };
        eventually("three changes", LONG, async || changed(&room.host.events).len() == 3).await;
        let back = Events::connect(&room.api, Some(&room.meeting.id), None, Some(last)).await?;
        eventually("the three once more", LONG, async || changed(&back).len() >= 3).await;
        assert_eq!(changed(&back), changed(&room.host.events), "D62: none lost, none doubled");

        // An invitation while the meeting runs joins the same list; the latest one says the role.
        let ari = json!({"people": [{"user": user(&room.api, "ari").await?}]});
        done(&room.api, "POST", &format!("{path}/people"), ari).await?;
        let again = json!({"targets": [{"user": user(&room.api, "ari").await?, "role": "presenter"}]});
        done(&room.api, "POST", &format!("{path}/invitations"), again).await?;
        let list = get(&room.api, &path).await?;
        assert_eq!(
            (rows(&list["people"]).len(), &person(&list, "Ari")["role"]),
            (3, &json!("presenter")),
            "A02, I76"
        );

        // Disabled: the call ends, the phone is gone, the login too; the list keeps the row.
        let (umas, _) = stage.login("uma").await?;
        let off = patch(&tia, &format!("/v1/users/{user_uma}"), json!({"enabled": false})).await?;
        assert_eq!(off.body["account"]["enabled"], false, "{}", off.body);
        uma.wait_incoming(0, LONG).await?.wait_ended(LONG).await?;
        assert_eq!(umas.send("GET", "/v1/me", &[], None).await?.status, 401, "I82");
        assert!(uma.register(300).await.is_err(), "I82: the phone is refused");
        eventually("Uma to be out", LONG, async || {
            let shown = get(&room.api, &path).await.unwrap();
            person(&shown, "Uma")["present"] == false
        })
        .await;
        done(&tia, "PATCH", &format!("/v1/users/{user_uma}"), json!({"enabled": true})).await?;
        stage.login("uma").await?;

        // One record per leg, with the whole story.
        room.api.end_meeting(&room.meeting.id).await?;
        let cdr = async || {
            let records = get(&tia, &format!("/v1/cdrs?call={call}")).await.unwrap();
            rows(&records["cdrs"]).to_vec()
        };
        eventually("the record", LONG, async || !cdr().await.is_empty()).await;
        let records = cdr().await;
        assert_eq!(records.len(), 1, "D64: {records:?}");
        for name in [
            "acting_host",
            "from",
            "to",
            "started_at",
            "answered_at",
            "ended_at",
            "codec",
            "role",
            "instance",
            "sip_call_id",
        ] {
            assert!(!records[0][name].is_null(), "D64: {name} in {}", records[0]);
        }
        assert!(records[0]["quality"].is_object(), "D64: loss and jitter: {}", records[0]);
        LabResult::Ok(())
    })
    .await;
}
