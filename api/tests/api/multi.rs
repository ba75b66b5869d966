use crate::support::{App, Client, Reply, person};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Sends users x sessions and waits until it is done.
async fn invite(client: &Client<'_>, body: Value) -> Value {
    let reply = client.post("/v1/multi-invites", body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{reply:?}");
    finished(client, reply.body["id"].as_str().unwrap()).await
}

async fn finished(client: &Client<'_>, id: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = client.get(&format!("/v1/multi-invites/{id}?per_page=500")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        if reply.body["state"] == "done" {
            return reply.body;
        }
        assert!(Instant::now() < deadline, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn sessions(owner: &Client<'_>, titles: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for title in titles {
        let reply = owner.post("/v1/meetings", json!({"title": title})).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        ids.push(reply.body["id"].as_str().unwrap().to_owned());
    }
    ids
}

fn outcomes(report: &Value) -> Vec<&str> {
    report["results"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn b02_b04_b05_b06_b25_users_times_sessions_one_result_per_pair() {
    let app = App::new().await;
    let (hana, sam, uma) = (app.login("hana").await, app.login("sam").await, app.login("uma").await);
    let m = sessions(&hana, &["North", "South", "East"]).await;
    let one = invite(&sam, json!({"users": ["uma@acme.test"], "sessions": m})).await;
    assert_eq!(outcomes(&one), ["granted"; 3]);
    let seen = uma.get("/v1/sessions").await;
    assert_eq!(seen.body["total"], 3, "B25: at once: {seen:?}");
    let all =
        invite(&sam, json!({"users": ["pia@acme.test", "102", "+1 202 555 0143"], "sessions": m})).await;
    assert_eq!((&all["total"], &all["done"]), (&json!(9), &json!(9)));
    assert_eq!(all["counts"], json!({"granted": 6, "already": 3}), "Uma by her number is Uma: {all}");
    let again = invite(&sam, json!({"users": ["pia@acme.test", "102", "103"], "sessions": m})).await;
    assert_eq!(outcomes(&again), ["already"; 9]);
    let people = hana.get(&format!("/v1/meetings/{}/people", m[0])).await;
    assert_eq!(people.body["people"].as_array().unwrap().len(), 4, "no duplicates: {people:?}");
}

#[tokio::test]
async fn b03_i80_nobody_but_admins_invites_to_many() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let m = sessions(&hana, &["Own"]).await;
    let body = json!({"users": ["pia@acme.test"], "sessions": m});
    for login in ["hana", "gus"] {
        let client = app.login(login).await;
        client.post("/v1/multi-invites", body.clone()).await.is_problem(StatusCode::FORBIDDEN, None);
        client.get("/v1/multi-invites/b0").await.is_problem(StatusCode::FORBIDDEN, None);
        let resolve = json!({"purpose": "multi", "texts": ["pia@acme.test"]});
        client.post("/v1/resolve", resolve).await.is_problem(StatusCode::FORBIDDEN, None);
    }
    let tia = app.login("tia").await;
    assert_eq!(outcomes(&invite(&tia, body).await), ["granted"]);
}

#[tokio::test]
async fn b07_b08_b40_strangers_are_flagged_and_nobody_is_created() {
    let app = App::new().await;
    let (hana, tia) = (app.login("hana").await, app.login("tia").await);
    let m = sessions(&hana, &["M1"]).await;
    let before = tia.get("/v1/users?view=accounts").await.body["total"].clone();
    let users = json!([
        "pia@acme.test",
        "12025550142@collaborate.center",
        "new@else.test",
        "+12025550199",
        "zed@zeta.test",
        "12025550198@collaborate.center",
        "zzzz",
        "pia",
        "911"
    ]);
    let report = invite(&tia, json!({"users": users, "sessions": m})).await;
    let expected = [
        "granted",
        "granted",
        "not_registered",
        "not_registered",
        "not_registered",
        "not_registered",
        "not_recognised",
        "not_recognised",
        "not_recognised",
    ];
    assert_eq!(outcomes(&report), expected, "{report}");
    let words: Vec<&Value> =
        report["results"].as_array().unwrap()[2..6].iter().map(|row| &row["words"]).collect();
    assert!(words.iter().all(|one| *one == words[0]), "B33: the same words: {words:?}");
    assert_eq!(tia.get("/v1/users?view=accounts").await.body["total"], before);
    let people = hana.get(&format!("/v1/meetings/{}/people", m[0])).await;
    assert_eq!(people.body["people"].as_array().unwrap().len(), 3, "no guest either");
}

#[tokio::test]
async fn b11_b12_b17_every_session_of_the_tenant_searched_and_paged() {
    let app = App::new().await;
    let (hana, pia, sam, zed) =
        (app.login("hana").await, app.login("pia").await, app.login("sam").await, app.login("zed").await);
    sessions(&hana, &["North tower", "Nördlich", "South gate"]).await;
    sessions(&zed, &["North of zeta"]).await;
    let titles = |reply: &Reply| -> Vec<String> {
        let sessions = reply.body["sessions"].as_array().unwrap();
        sessions.iter().map(|session| session["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sam.get("/v1/sessions").await.body["total"], 3);
    assert_eq!(titles(&sam.get("/v1/sessions?query=NORTH").await), ["North tower"]);
    assert_eq!(titles(&sam.get("/v1/sessions?query=nord").await), ["Nördlich"], "accent blind");
    assert_eq!(sam.get("/v1/sessions?query=hale").await.body["total"], 3, "by owner");
    assert_eq!(pia.get("/v1/sessions").await.body["total"], 0, "not invited");
    let first = sam.get("/v1/sessions?per_page=2").await;
    let second = sam.get("/v1/sessions?per_page=2&page=2").await;
    let mut all = titles(&first);
    all.extend(titles(&second));
    all.sort();
    assert_eq!(all, ["North tower", "Nördlich", "South gate"], "B15: nothing twice, nothing missing");
}

#[tokio::test]
async fn b24_d39_a_double_click_is_done_once() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    let m = sessions(&hana, &["M1"]).await;
    let body = json!({"users": ["pia@acme.test"], "sessions": m});
    let key = [("idempotency-key", "click-1")];
    let send =
        async |body: &Value| sam.request(Method::POST, "/v1/multi-invites", &key, Some(body.clone())).await;
    let (first, second) = tokio::join!(send(&body), send(&body));
    assert_eq!(first.body["id"], second.body["id"], "{first:?} {second:?}");
    let id = first.body["id"].as_str().unwrap().to_owned();
    finished(&sam, &id).await;
    assert_eq!(send(&body).await.body["id"], id.as_str());
    let other = json!({"users": ["ari@acme.test"], "sessions": m});
    send(&other).await.is_problem(StatusCode::CONFLICT, Some("Idempotency-Key"));
}

#[tokio::test]
async fn b45_b46_b49_the_access_of_the_commit_and_the_same_rows_as_from_within() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    let m = sessions(&hana, &["Many", "Within", "View"]).await;
    invite(&sam, json!({"users": ["pia@acme.test"], "sessions": [m[0]]})).await;
    let people = json!({"people": [{"email": "pia@acme.test"}]});
    hana.post(&format!("/v1/meetings/{}/people", m[1]), people).await;
    let view = json!({"users": ["pia@acme.test"], "sessions": [m[2]], "access": "view_only"});
    invite(&sam, view).await;
    let mut rows = Vec::new();
    for id in &m {
        let meeting = hana.get(&format!("/v1/meetings/{id}")).await;
        rows.push(person(&meeting.body, "Pia").clone());
    }
    assert_eq!((&rows[0]["access"], &rows[0]["role"]), (&json!("collaborate"), &json!("attendee")));
    assert_eq!(rows[2]["access"], "view_only");
    assert_eq!((&rows[0]["source"], &rows[1]["source"]), (&json!("multi"), &json!("invite")));
    let keys = |row: &Value| -> Vec<(String, Value)> {
        // The mails leave in their own time, so one may be queued while the other is sent.
        let own = ["id", "source", "link", "pin", "invited_at", "invited_by", "invitation"];
        let fields = row.as_object().unwrap().iter().filter(|(name, _)| !own.contains(&name.as_str()));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(keys(&rows[0]), keys(&rows[1]), "equal but for the path");
}

#[tokio::test]
async fn b48_the_dashboard_reverses_nothing_and_the_owner_does_within() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    let id = hana.active_meeting().await;
    let view = |access: &str| json!({"users": ["uma@acme.test"], "sessions": [id], "access": access});
    invite(&sam, view("view_only")).await;
    assert_eq!(outcomes(&invite(&sam, view("collaborate")).await), ["already"]);
    let row = person(&hana.get(&format!("/v1/meetings/{id}")).await.body, "Uma").clone();
    assert_eq!(
        row["access"], "view_only",
        "an admin who is not the owner does not reverse it from the dashboard"
    );
    let path = format!("/v1/meetings/{id}/people/{}", row["id"].as_str().unwrap());
    let collaborate = json!({"access": "collaborate"});
    sam.patch(&path, collaborate.clone()).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(hana.patch(&path, collaborate).await.status, StatusCode::OK);
    assert_eq!(hana.patch(&path, json!({"access": "view_only"})).await.status, StatusCode::OK, "and back");
    let tia = app.login("tia").await;
    assert_eq!(tia.patch(&path, json!({"access": "collaborate"})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn d61_sessions_of_other_tenants_are_as_unknown() {
    let app = App::new().await;
    let (sam, zed) = (app.login("sam").await, app.login("zed").await);
    let foreign = sessions(&zed, &["Zeta"]).await;
    let users = json!(["pia@acme.test", "new@else.test"]);
    let report = invite(&sam, json!({"users": users, "sessions": [foreign[0], "m0"]})).await;
    assert_eq!(
        outcomes(&report),
        ["no_such_session", "not_registered", "no_such_session", "not_registered"],
        "{report}"
    );
    let id = report["id"].as_str().unwrap();
    zed.get(&format!("/v1/multi-invites/{id}")).await.is_problem(StatusCode::FORBIDDEN, None);
    assert_eq!(zed.get("/v1/sessions").await.body["total"], 1);
}

#[tokio::test]
async fn i87_limits_are_named() {
    let app = App::new().await;
    let sam = app.login("sam").await;
    let many = |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    for (users, sessions, field) in [
        (vec![], vec!["m0".to_owned()], "users"),
        (vec!["a@b.test".to_owned()], vec![], "sessions"),
        (many("u", 501), vec!["m0".to_owned()], "users"),
        (vec!["a@b.test".to_owned()], many("m", 201), "sessions"),
        (many("u", 500), many("m", 41), "users"),
        (vec![String::new()], vec!["m0".to_owned()], "users[0]"),
        (vec!["x".repeat(300)], vec!["m0".to_owned()], "users[0]"),
    ] {
        let reply = sam.post("/v1/multi-invites", json!({"users": users, "sessions": sessions})).await;
        reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some(field));
    }
    let reply = sam
        .post("/v1/multi-invites", json!({"users": ["a@b.test"], "sessions": ["m0"], "access": "listen"}))
        .await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("access"));
}

#[tokio::test]
async fn i74_a_removed_person_is_invited_again() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    let meeting = hana.meeting("conference").await;
    let (id, pia) = (meeting["id"].as_str().unwrap(), person(&meeting, "Pia")["id"].as_str().unwrap());
    let gone = hana.delete(&format!("/v1/meetings/{id}/people/{pia}")).await;
    assert!(gone.status.is_success(), "{gone:?}");
    let report = invite(&sam, json!({"users": ["pia@acme.test"], "sessions": [id]})).await;
    assert_eq!(outcomes(&report), ["granted"]);
    let again = hana.get(&format!("/v1/meetings/{id}")).await;
    assert_eq!(person(&again.body, "Pia")["role"], "attendee");
}

#[tokio::test]
async fn i87_an_order_that_was_interrupted_goes_on() {
    let app = App::new().await;
    let (hana, sam) = (app.login("hana").await, app.login("sam").await);
    let m = sessions(&hana, &["A", "B", "C", "D"]).await;
    let body = json!({"users": ["pia@acme.test", "ari@acme.test"], "sessions": m});
    let reply = sam.post("/v1/multi-invites", body).await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    // A second process that finds the order: what the first has done is not done again.
    let store = app.bench.store.clone();
    finished(&sam, &id).await;
    let restarted = conference::services::testing::Bench::on(store).await;
    restarted.services.resume_multi_invites().await.unwrap();
    let report = finished(&sam, &id).await;
    assert_eq!((&report["done"], report["results"].as_array().unwrap().len()), (&json!(8), 8));
}

#[tokio::test]
async fn b41_b42_two_hundred_texts_are_understood_fast_and_folded() {
    let app = App::new().await;
    let sam = app.login("sam").await;
    let mut pasted: Vec<String> = (0..198).map(|n| format!("guest{n}@else.test")).collect();
    pasted.push("PIA@acme.test; pia@acme.test".to_owned());
    pasted.push("\"Paz, Pia\" <pia@acme.test>".to_owned());
    let begun = Instant::now();
    let reply = sam.post("/v1/resolve", json!({"purpose": "multi", "text": pasted.join(",\n")})).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let results = reply.body["results"].as_array().unwrap();
    assert_eq!(results.len(), 199, "Pia once");
    assert_eq!(results[198]["matches"][0]["user"]["display_name"], "Pia Paz");
    let flags = results.iter().filter(|one| one["matches"][0]["flag"] == "not_registered").count();
    assert_eq!(flags, 198, "B32: exactly the strangers");
}

#[tokio::test]
async fn b27_b43_a_profile_appears_and_a_phone_address_is_its_user() {
    let app = App::new().await;
    let sam = app.login("sam").await;
    let texts =
        json!(["pia", "12025550142@collaborate.center", "12025550199@collaborate.center", "+12025550199"]);
    let reply = sam.post("/v1/resolve", json!({"purpose": "multi", "texts": texts})).await;
    let first = |n: usize| &reply.body["results"][n]["matches"][0];
    assert_eq!(first(0)["user"]["display_name"], "Pia Paz");
    assert_eq!(first(1)["user"]["display_name"], "Ari Arlo", "{reply:?}");
    assert_eq!((&first(2)["kind"], &first(2)["flag"]), (&json!("phone_address"), &json!("not_registered")));
    assert_eq!((&first(3)["kind"], &first(3)["flag"]), (&json!("number"), &json!("not_registered")));
}

#[tokio::test]
async fn a37_people_of_the_meeting_are_marked() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let pia = app.login("pia").await;
    pia.join(&id).await;
    let body = json!({"purpose": "invite", "texts": ["pia", "ari", "uma"], "meeting": id});
    let reply = hana.post("/v1/resolve", body).await;
    let state = |n: usize| reply.body["results"][n]["matches"][0]["in_meeting"].clone();
    assert_eq!(
        (state(0), state(1), state(2)),
        (json!("present"), json!("invited"), Value::Null),
        "{reply:?}"
    );
    let unknown = json!({"purpose": "invite", "texts": ["pia"], "meeting": "m0"});
    hana.post("/v1/resolve", unknown).await.is_problem(StatusCode::NOT_FOUND, None);
}

#[tokio::test]
async fn b33_i88_foreign_and_unknown_users_read_the_same_by_the_same_work() {
    let app = App::new().await;
    let sam = app.login("sam").await;
    // What the database is asked is what takes time; a clock would measure the machine.
    let statements = || app.bench.store.times().count();
    let mut seen: Vec<(Value, u64)> = Vec::new();
    // Zed's address is known in another tenant, the second nowhere; the lengths are the same.
    for text in ["zed@zeta.test", "not@here.test", "zed@zeta.test", "not@here.test"] {
        for purpose in ["people", "invite", "call", "multi"] {
            let before = statements();
            let reply = sam.post("/v1/resolve", json!({"purpose": purpose, "texts": [text]})).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
            let words = reply.text.replace(text, "X");
            seen.push((serde_json::from_str(&words).unwrap(), statements() - before));
        }
    }
    let (first, rest) = seen.split_at(4);
    assert!(first.iter().all(|(_, asked)| *asked > 0), "{first:?}");
    for others in rest.chunks(4) {
        assert_eq!(first, others, "the same words, the same number of questions to the database");
    }
}
