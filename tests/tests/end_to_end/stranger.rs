//! A stranger's client: the rows about people, the dashboard and users, by the API alone and against the running
//! program. On SQLite, or on PostgreSQL where `PARTYLINE_TEST_POSTGRES` names a server (and `psql` is there).

use std::process::Stdio;
use std::time::{Duration, Instant};

use partyline_tests::api::{Answer, Api};
use partyline_tests::error::LabResult;
use partyline_tests::gateway::{TempFolder, demo_configuration, find_binary};
use partyline_tests::shared::token;
use partyline_tests::stage::{Stage, StageConfig};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::on_stage_with;

/// The stage's database: a new one of the server that the environment names, if it names one.
async fn database() -> Option<String> {
    let server = std::env::var("PARTYLINE_TEST_POSTGRES").ok()?;
    let name = format!("partyline_stranger_{}", token().replace('-', "_").to_lowercase());
    let created =
        Command::new("psql").arg(&server).arg("-qc").arg(format!("CREATE DATABASE {name}")).status().await;
    assert!(created.is_ok_and(|status| status.success()), "psql cannot create a database at {server}");
    // The options may name a folder, so they are cut off before the last slash is looked for.
    let (place, options) = server.split_once('?').unwrap_or((&server, ""));
    let (before, _) = place.rsplit_once('/').expect("a URL with a database");
    Some(format!("{before}/{name}?{options}"))
}

async fn on_database(test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>) {
    let url = database().await;
    let change = |config: StageConfig| match &url {
        Some(url) => config.set("url", &format!("{url:?}")),
        None => Ok(config),
    };
    on_stage_with(change, test).await;
}

async fn get(api: &Api, path: &str) -> LabResult<Value> {
    let answer = api.send("GET", path, &[], None).await?;
    assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
    Ok(answer.body)
}

async fn post(api: &Api, path: &str, body: Value) -> LabResult<Answer> {
    api.send("POST", path, &[], Some(body)).await
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

async fn resolve(api: &Api, purpose: &str, text: &str) -> LabResult<Value> {
    let answer = post(api, "/v1/resolve", json!({"purpose": purpose, "texts": [text]})).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(answer.body["results"][0]["matches"][0].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a02_a09_a10_a11_a12_a13_a14_a15_a16_a17_a18_a19_a20_people_by_the_api() {
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let users = get(&hana, "/v1/users").await?;
        let names: Vec<&str> =
            users["users"].as_array().unwrap().iter().map(|user| user["display_name"].as_str().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("Pia")), "A09: {names:?}");
        assert!(!names.iter().any(|name| name.starts_with("Hana") || name.starts_with("Zed")), "A09: {names:?}");
        for (text, expected) in [("pi", "Pia"), ("101", "Pia"), ("+1 202 555 0102", "Ari"), ("PIA@acme.test", "Pia")] {
            let found = resolve(&hana, "people", text).await?;
            let name = found["user"]["display_name"].as_str().unwrap_or_default();
            assert!(name.starts_with(expected), "A10 to A13: {text}: {found}");
        }
        assert_eq!(resolve(&hana, "people", "+1 202 555 0177").await?["kind"], "number", "A12");
        assert_eq!(resolve(&hana, "people", "guest@else.test").await?["kind"], "email", "A13");
        assert_eq!(resolve(&hana, "people", "zzzz").await?["kind"], "unknown", "A14");
        let invalid = json!({"title": "M", "people": [{"email": "a@b.test", "role": "king"}]});
        let refused = post(&hana, "/v1/meetings", invalid).await?;
        assert_eq!(refused.status, 422, "A01, A19: {}", refused.body);
        let before = get(&hana, "/v1/sessions").await?["total"].clone();
        let pia = id(&resolve(&hana, "people", "pia").await?["user"]);
        let people = json!([{"user": pia, "role": "presenter"}, {"email": "pia@acme.test", "role": "host"}, {"email": "guest@else.test"}]);
        let created = post(&hana, "/v1/meetings", json!({"title": "A02", "people": people})).await?;
        assert_eq!(created.status, 201, "{}", created.body);
        let meeting = id(&created.body);
        let listed = created.body["people"].as_array().unwrap();
        assert_eq!(listed.len(), 3, "A15: Hana, Pia once, the guest: {listed:?}");
        assert_eq!(get(&hana, "/v1/sessions").await?["total"].as_u64(), before.as_u64().map(|n| n + 1), "A20");
        let path = format!("/v1/meetings/{meeting}/people");
        let added = post(&hana, &path, json!({"people": [{"email": "ari@acme.test"}]})).await?;
        assert_eq!(added.status, 201, "A02: {}", added.body);
        let ari = id(&added.body["people"][0]);
        let gone = hana.send("DELETE", &format!("{path}/{ari}"), &[], None).await?;
        assert_eq!(gone.status, 204, "A17: {}", gone.body);
        let left = get(&hana, &path).await?;
        assert!(!left["people"].as_array().unwrap().iter().any(|row| row["id"] == ari.as_str()), "A18: {left}");
        Ok(())
    })
    .await;
}

async fn done(api: &Api, order: &Value) -> LabResult<Value> {
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
        let report = done(&sam, &order.body).await?;
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
        assert_eq!(done(&sam, &again.body).await?["counts"], json!({"already": 3}), "B06: no duplicates");
        Ok(())
    })
    .await;
}

/// Runs the program with these arguments and this on its standard input.
async fn command(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(find_binary().unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(words).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i80_i81_i83_the_first_administrator_comes_by_command_and_adds_the_others() {
    let folder = TempFolder::new().unwrap();
    let bare = demo_configuration().unwrap();
    let bare = bare.split_once("[[seed.tenant]]").unwrap().0;
    let config = folder.path().join("bare.toml");
    std::fs::write(&config, bare).unwrap();
    let (config, data) = (config.to_str().unwrap(), folder.path().join("data"));
    let place = ["--config", config, "--data", data.to_str().unwrap()];
    let user = |more: &[&str]| {
        [&["user", "add"][..], &place[..], more].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    async fn run(arguments: Vec<String>, input: &str) -> (bool, String) {
        command(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), input).await
    }
    let (good, words) = run(user(&["--login", "root"]), "").await;
    assert!(!good && words.contains("tenant add"), "{words}");
    let tenant =
        [&["tenant", "add"][..], &place[..], &["--name", "north", "--domain", "north.test"][..]].concat();
    let (good, words) = command(&tenant, "").await;
    assert!(good, "{words}");
    let (good, words) = command(&tenant, "").await;
    assert!(!good && words.contains("already"), "{words}");
    let (good, words) = run(user(&["--login", "root", "--extension", "911"]), "").await;
    assert!(!good && words.contains("emergency"), "{words}");
    let (good, words) = run(user(&["--login", "root"]), "").await;
    assert!(good, "{words}");
    let made = words.lines().find_map(|line| line.strip_prefix("password: ")).unwrap().to_owned();
    assert_eq!(made.len(), 20);
    let (good, words) =
        run(user(&["--login", "second", "--role", "session_admin", "--password-stdin"]), "a long password\n")
            .await;
    assert!(good && !words.contains("a long password"), "{words}");
    let (good, words) = run(user(&["--login", "root"]), "").await;
    assert!(!good && words.contains("taken"), "{words}");
    let (good, words) = run(user(&["--login", "third", "--password-stdin"]), "short\n").await;
    assert!(!good && words.contains("10"), "{words}");

    let change = |mut stage: StageConfig| {
        let seed = stage.configuration.find("[[seed.tenant]]").unwrap();
        stage.configuration.truncate(seed);
        let data = folder.path().join("data/partyline.db");
        stage.set("url", &format!("\"sqlite:{}\"", data.display()))
    };
    on_stage_with(change, async |stage| {
        let (root, me) = stage.api.login("root", &made).await?;
        assert_eq!(me.tenant, "north");
        stage.api.login("second", "a long password").await?;
        let created =
            post(&root, "/v1/users", json!({"first": "Nia", "email": "nia@north.test", "role": "user"}))
                .await?;
        assert_eq!(created.status, 201, "{}", created.body);
        let link = created.body["enrol"]["link"].as_str().unwrap();
        let path = format!("/v1/enrol/{}", link.rsplit('/').next().unwrap());
        let enrolled = post(&stage.api, &path, json!({"password": "another long one"})).await?;
        assert_eq!(enrolled.status, 204, "{}", enrolled.body);
        let (nia, me) = stage.api.login("nia@north.test", "another long one").await?;
        let off =
            root.send("PATCH", &format!("/v1/users/{}", me.id), &[], Some(json!({"enabled": false}))).await?;
        assert_eq!(off.status, 200, "{}", off.body);
        let begun = Instant::now();
        assert_eq!(nia.send("GET", "/v1/me", &[], None).await?.status, 401, "I82");
        assert!(begun.elapsed() < Duration::from_secs(5), "W1: revoked within five seconds");
        Ok(())
    })
    .await;
}

/// How long one request takes, in milliseconds.
async fn timed(api: &Api, method: &str, path: &str, body: Option<Value>) -> LabResult<f64> {
    let begun = Instant::now();
    let answer = api.send(method, path, &[], body).await?;
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Adds users by file and enrols them, a few at a time.
async fn enrolled_users(tia: &Api, base: &Api, count: usize) -> LabResult<Vec<String>> {
    let mut mails = Vec::with_capacity(count);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..count {
        let mail = format!("crowd{n}@acme.test");
        let created =
            post(tia, "/v1/users", json!({"first": format!("Crowd {n}"), "email": mail, "role": "user"}))
                .await?;
        assert_eq!(created.status, 201, "{}", created.body);
        let link = created.body["enrol"]["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let base = base.clone();
        tasks.spawn(async move {
            let answer =
                post(&base, &format!("/v1/enrol/{link}"), json!({"password": "a long password"})).await;
            answer.map(|answer| answer.status)
        });
        if tasks.len() >= 4 {
            assert_eq!(tasks.join_next().await.unwrap().unwrap()?, 204);
        }
        mails.push(mail);
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap()?, 204);
    }
    Ok(mails)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i87_b06_two_hundred_users_times_fifty_sessions_while_others_are_served() {
    const USERS: usize = 200;
    const SESSIONS: usize = 50;
    on_database(async |stage| {
        let (hana, _) = stage.login("hana").await?;
        let (tia, _) = stage.login("tia").await?;
        let users = enrolled_users(&tia, &stage.api, USERS).await?;
        let mut sessions = Vec::with_capacity(SESSIONS);
        for n in 0..SESSIONS {
            sessions
                .push(id(&post(&hana, "/v1/meetings", json!({"title": format!("Site {n}")})).await?.body));
        }
        let own = id(&post(&hana, "/v1/meetings", json!({"title": "Other"})).await?.body);
        let read = format!("/v1/meetings/{own}");
        let people = format!("{read}/people");
        let write = |n: usize| Some(json!({"people": [{"email": format!("guest{n}@else.test")}]}));
        let mut before = Vec::new();
        for n in 0..20 {
            before.push(timed(&hana, "GET", &read, None).await?);
            before.push(timed(&hana, "POST", &people, write(n)).await?);
        }
        // What this machine, with whatever else runs on it, takes for a request; 5 ms is a quiet one.
        let slow = (percentile(&mut before, 50) / 5.0).max(1.0);

        let begun = Instant::now();
        let order = post(&tia, "/v1/multi-invites", json!({"users": users, "sessions": sessions})).await?;
        assert_eq!(order.status, 202, "{}", order.body);
        let path = format!("/v1/multi-invites/{}?per_page=1", id(&order.body));
        let (mut during, mut seen) = (Vec::new(), Vec::new());
        let took = loop {
            during.push(timed(&hana, "GET", &read, None).await?);
            during.push(timed(&hana, "POST", &people, write(100 + during.len())).await?);
            let report = get(&tia, &path).await?;
            seen.push(report["done"].as_u64().unwrap());
            if report["state"] == "done" {
                assert_eq!(report["counts"], json!({"granted": USERS * SESSIONS}), "{report}");
                break begun.elapsed();
            }
        };
        let p99 = percentile(&mut during, 99);
        eprintln!(
            "{} results in {took:?}; others: {} requests, p99 {p99:.1} ms (before: p50 {:.1} ms)",
            USERS * SESSIONS,
            during.len(),
            percentile(&mut before, 50)
        );
        assert!(
            took.as_secs_f64() < 10.0 * slow,
            "{took:?} on a machine {slow:.1} times slower than a quiet one"
        );
        assert!(p99 < 100.0 * slow, "{p99} ms on a machine {slow:.1} times slower than a quiet one");
        assert!(seen.iter().any(|done| (1..10_000).contains(done)), "progress is seen: {seen:?}");
        let last = get(&tia, &format!("/v1/multi-invites/{}?per_page=500&page=20", id(&order.body))).await?;
        assert_eq!(last["results"].as_array().unwrap().len(), 500, "one result per pair");
        Ok(())
    })
    .await;
}
