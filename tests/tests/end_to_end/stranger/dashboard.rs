//! Users times sessions: the dashboard of the admins.

use std::time::{Duration, Instant};

use partyline_tests::api::Api;
use partyline_tests::error::LabResult;
use partyline_tests::mail_sink::MailSink;
use serde_json::{Value, json};

use super::{
    delete, done, get, id, on_database, on_database_with, patch, person, post, refused, rows, text, user,
};
use crate::mail::with_mail;
use crate::support::LONG;

async fn finished(api: &Api, order: &Value) -> LabResult<Value> {
    let path = format!("/v1/multi-invites/{}?per_page=500", id(order));
    loop {
        let report = get(api, &path).await?;
        if report["state"] == "done" {
            return Ok(report);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b01_b02_b03_b06_b08_b11_b12_b25_b33_b37_b41_b43_b46_b48_dashboard_by_the_api() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (sam, _) = stage.login("sam").await?;
        let (ari, me) = stage.login("ari").await?;
        let mut sessions = Vec::new();
        for title in ["North tower", "South tower", "Gate"] {
            sessions.push(id(&post(&hana, "/v1/meetings", json!({"title": title})).await?.body));
        }
        let guest = json!({"people": [{"email": "new@else.test"}]});
        let added = post(&hana, &format!("/v1/meetings/{}/people", sessions[0]), guest).await?;
        assert_eq!(added.status, 201, "B01: {}", added.body);
        assert!(get(&sam, "/v1/sessions").await?["total"].as_u64().unwrap() >= 3, "B11");
        let found = get(&sam, "/v1/sessions?query=TOWER").await?;
        assert_eq!(found["total"], 2, "B12: {found}");
        let phone = "12025550199@collaborate.acme.test";
        let body = json!({"users": ["ari@acme.test", "102", "zed@zeta.test", phone], "sessions": sessions, "access": "view_only"});
        assert_eq!(post(&hana, "/v1/multi-invites", body.clone()).await?.status, 403, "B03");
        let order = post(&sam, "/v1/multi-invites", body).await?;
        assert_eq!(order.status, 202, "{}", order.body);
        let report = finished(&sam, &order.body).await?;
        assert_eq!(report["counts"], json!({"granted": 3, "not_registered": 6}), "B06, B08, B33, B41, B43: {report}");
        assert_eq!(get(&ari, "/v1/sessions?query=tower").await?["total"], 2, "B25");
        let path = format!("/v1/meetings/{}", sessions[1]);
        let meeting = get(&hana, &path).await?;
        let row = meeting["people"].as_array().unwrap().iter().find(|row| row["user"] == me.id.as_str()).unwrap();
        assert_eq!((&row["access"], &row["source"]), (&json!("view_only"), &json!("multi")), "B46, B49");
        let reverse = format!("{path}/people/{}", id(row));
        let collaborate = || Some(json!({"access": "collaborate"}));
        assert_eq!(sam.send("PATCH", &reverse, &[], collaborate()).await?.status, 403, "B48");
        assert_eq!(hana.send("PATCH", &reverse, &[], collaborate()).await?.status, 200, "B48");
        let again = post(&sam, "/v1/multi-invites", json!({"users": ["102"], "sessions": sessions})).await?;
        assert_eq!(finished(&sam, &again.body).await?["counts"], json!({"already": 3}), "B06: no duplicates");
        Ok(())
    })
    .await;
}

fn outcomes(report: &Value) -> Vec<&str> {
    rows(&report["results"]).iter().map(|row| text(&row["outcome"])).collect()
}

async fn invite(api: &Api, body: Value) -> LabResult<Value> {
    let order = post(api, "/v1/multi-invites", body).await?;
    assert_eq!(order.status, 202, "{}", order.body);
    finished(api, &order.body).await
}

async fn sessions(api: &Api, titles: &[&str]) -> LabResult<Vec<String>> {
    let mut ids = Vec::new();
    for title in titles {
        ids.push(id(&done(api, "POST", "/v1/meetings", json!({"title": title, "site": "Nordhöhe"})).await?));
    }
    Ok(ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b02_b04_b05_b07_b17_b24_b26_b40_b45_b49_d39_users_times_sessions() {
    let sink = MailSink::start(None).await.unwrap();
    on_database_with(with_mail(sink.port()), async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (sam, _) = stage.login("sam").await?;
        let (tia, _) = stage.login("tia").await?;
        let all = sessions(&hana, &["One", "Two", "Three"]).await?;
        assert_eq!(
            get(&sam, "/v1/sessions?query=nordhohe").await?["total"],
            3,
            "B17: by the label of the site"
        );

        // The same click twice at once: one order.
        let body = json!({"users": ["pia@acme.test"], "sessions": all});
        let key = [("idempotency-key", "click-1")];
        let press = || sam.send("POST", "/v1/multi-invites", &key, Some(body.clone()));
        let (first, second) = (press().await?, press().await?);
        assert_eq!((&first.body["id"], first.status), (&second.body["id"], second.status), "B24, D39");
        assert_eq!(outcomes(&finished(&sam, &first.body).await?), ["granted"; 3], "B04: one times three");
        let other = json!({"users": ["102"], "sessions": all});
        let other = sam.send("POST", "/v1/multi-invites", &key, Some(other)).await?;
        refused(&other, 409, Some("Idempotency-Key"));
        let mail = sink.wait_for("pia@acme.test", 1, LONG).await?;
        assert!(
            ["One", "Two", "Three"].iter().all(|title| mail[0].text.contains(title)),
            "B26: {}",
            mail[0].text
        );

        let before = get(&tia, "/v1/users?view=accounts").await?["total"].clone();
        let users = json!(["102", "+1 202 555 0103", "new@else.test", "+1 202 555 0199", "zzzz"]);
        let report = invite(&tia, json!({"users": users, "sessions": [all[0]]})).await?;
        assert_eq!(
            outcomes(&report),
            ["granted", "granted", "not_registered", "not_registered", "not_recognised"],
            "B02, B05, B07, B40: each entry has its own result"
        );
        assert_eq!(get(&tia, "/v1/users?view=accounts").await?["total"], before, "B08: nobody is made");

        let ari = json!({"people": [{"user": user(&hana, "ari").await?}]});
        done(&hana, "POST", &format!("/v1/meetings/{}/people", all[1]), ari).await?;
        let mut seen = Vec::new();
        for session in &all[..2] {
            let row = person(&get(&hana, &format!("/v1/meetings/{session}")).await?, "Ari").clone();
            seen.push((
                row["access"].clone(),
                row["role"].clone(),
                row["email"].clone(),
                row["user"].clone(),
            ));
            assert_eq!(row["access"], "collaborate", "B45");
        }
        assert_eq!(seen[0], seen[1], "B49: both ways store the same");
        assert_eq!(sink.mails_to("pia@acme.test")?.len(), 1, "B26: and no second mail");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b27_b30_b31_b32_b33_b35_b41_b42_i83_i88_texts_that_are_pasted() {
    on_database(async |stage| {
        let (sam, _) = stage.login("sam").await?;
        let (tia, _) = stage.login("tia").await?;
        let flags = async |texts: Value| {
            let answer =
                done(&sam, "POST", "/v1/resolve", json!({"purpose": "multi", "texts": texts})).await?;
            let first = |row: &Value| (row["matches"][0]["kind"].clone(), row["matches"][0]["flag"].clone());
            LabResult::Ok(rows(&answer["results"]).iter().map(first).collect::<Vec<_>>())
        };
        let texts =
            json!(["pia", "new@else.test", "+1 202 555 0199", "102", "12025550199@collaborate.acme.test"]);
        let flag = |kind: &str, flag: Value| (json!(kind), flag);
        let stranger = || json!("not_registered");
        assert_eq!(
            flags(texts).await?,
            [
                flag("user", Value::Null),
                flag("email", stranger()),
                flag("number", stranger()),
                flag("extension", Value::Null),
                flag("phone_address", stranger())
            ],
            "B27, B30, B31, B32: exactly the strangers, each in their variant"
        );

        let mut pasted: Vec<String> = (0..198).map(|n| format!("guest{n}@else.test")).collect();
        pasted.push("PIA@acme.test; pia@acme.test".to_owned());
        let begun = Instant::now();
        let body = json!({"purpose": "multi", "text": pasted.join(",\n")});
        let answer = done(&sam, "POST", "/v1/resolve", body).await?;
        assert!(begun.elapsed() < Duration::from_secs(2), "B42: {:?}", begun.elapsed());
        assert_eq!(rows(&answer["results"]).len(), 199, "B41: Pia once");

        // Known elsewhere or nowhere: the same words, and no telling times.
        let mut answers = Vec::new();
        let mut spent = [Duration::ZERO; 2];
        for round in 0..20 {
            let text = ["zed@zeta.test", "not@here.test"][round % 2];
            let begun = Instant::now();
            let answer = post(&sam, "/v1/resolve", json!({"purpose": "multi", "texts": [text]})).await?;
            spent[round % 2] += begun.elapsed();
            answers.push(answer.body.to_string().replace(text, "X"));
        }
        assert!(answers.iter().all(|one| *one == answers[0]), "B33, I88: {answers:?}");
        let apart = spent[0].abs_diff(spent[1]) / 10;
        assert!(apart < Duration::from_millis(50), "I88: {spent:?}");

        // Asked for, added, enrolled: only then the same text is somebody.
        let ask = json!({"email": "new@else.test", "first": "Nel", "note": "north site"});
        let request = done(&sam, "POST", "/v1/user-requests", ask.clone()).await?;
        assert_eq!(done(&sam, "POST", "/v1/user-requests", ask).await?["id"], request["id"], "asked once");
        assert_eq!(
            get(&tia, "/v1/user-requests?state=open").await?["requests"][0]["id"],
            request["id"],
            "B35"
        );
        let path = format!("/v1/user-requests/{}", id(&request));
        refused(&patch(&sam, &path, json!({"decision": "accept"})).await?, 403, None);
        let decided = done(&tia, "PATCH", &path, json!({"decision": "accept"})).await?;
        let new = || flags(json!(["new@else.test"]));
        assert_eq!(new().await?, [flag("email", stranger())], "I83: not enrolled");
        let link = text(&decided["created"]["enrol"]["link"]).rsplit('/').next().unwrap().to_owned();
        let password = json!({"password": "a long password"});
        assert_eq!(post(&stage.api, &format!("/v1/enrol/{link}"), password).await?.status, 204);
        assert_eq!(new().await?, [flag("user", Value::Null)], "B37");
        let (hana, _) = stage.login("hana").await?;
        refused(&post(&hana, "/v1/user-requests", json!({"email": "x@else.test"})).await?, 403, None);
        assert_eq!(delete(&hana, &path).await?, 405, "a decision stays");
        Ok(())
    })
    .await;
}
