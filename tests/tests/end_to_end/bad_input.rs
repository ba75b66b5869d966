//! Bad input gets a clear answer: the field and the mend.

use std::fs;
use std::path::Path;

use partyline_tests::gateway::{Gateway, TempFolder, demo_configuration, find_binary};
use partyline_tests::stage::StageConfig;
use partyline_tests::voice::Voice;
use serde_json::{Value, json};

use crate::support::on_stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_fourth_role_is_refused_with_the_three() {
    on_stage(async |stage| {
        let room = stage.room("hana", "conference", Voice::silent()).await?;
        let path = format!("/v1/meetings/{}/calls", room.meeting.id);
        let body = json!({ "targets": [{ "number": "+12025550110", "role": "king" }] });
        let answer = room.api.send("POST", &path, &[("Idempotency-Key", "k")], Some(body)).await?;
        assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.body);
        let words = answer.body.to_string().to_lowercase();
        assert!(["host", "presenter", "attendee"].iter().all(|role| words.contains(role)), "{words}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_json_names_the_field() {
    on_stage(async |stage| {
        let (api, _) = stage.login("hana").await?;
        let cases: [(&str, &str, Value, &str); 4] = [
            ("POST", "/v1/meetings", json!({ "type": "conference", "people": [] }), "title"),
            ("POST", "/v1/meetings", json!({ "title": "x", "type": "circus", "people": [] }), "type"),
            ("POST", "/v1/meetings", json!({ "title": 7, "type": "conference", "people": [] }), "title"),
            ("POST", "/v1/login", json!({ "login": "hana" }), "password"),
        ];
        for (method, path, body, field) in cases {
            let answer = api.send(method, path, &[], Some(body.clone())).await?;
            assert!((400..500).contains(&answer.status), "{path} {body}: {} {}", answer.status, answer.body);
            assert!(
                answer.body.to_string().contains(field),
                "{path} {body} does not name {field}: {}",
                answer.body
            );
            assert!(answer.body.get("title").is_some(), "a problem has a title: {}", answer.body);
        }
        let unknown = api.send("GET", "/v1/meetings/nonsense", &[], None).await?;
        assert_eq!(unknown.status, 404, "{}", unknown.body);
        let nobody = stage.api.send("GET", "/v1/me", &[], None).await?;
        assert_eq!(nobody.status, 401, "{}", nobody.body);
        Ok(())
    })
    .await;
}

async fn start_fails(configuration: &str) -> String {
    let folder = TempFolder::new().unwrap();
    let path = folder.path().join("partyline.toml");
    fs::write(&path, configuration).unwrap();
    let binary = find_binary().unwrap();
    Gateway::start(&binary, &path, folder.path()).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_refused_with_the_key() {
    let demo = demo_configuration().unwrap();
    let unknown = start_fails(&demo.replacen("[media]", "[media]\nthreadz = 3", 1)).await;
    assert!(unknown.contains("threadz"), "{unknown}");
    let wrong = start_fails(&demo.replacen("[20000, 20999]", "\"many\"", 1)).await;
    assert!(wrong.contains("rtp_ports"), "{wrong}");
    let binary = find_binary().unwrap();
    let folder = TempFolder::new().unwrap();
    let missing = Gateway::start(&binary, Path::new("/nonexistent/x.toml"), folder.path()).await.unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/x.toml"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named() {
    let config = StageConfig::demo_on_free_ports().unwrap();
    let port = config.ports.api;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let words = start_fails(&config.configuration).await;
    assert!(words.contains(&port.to_string()), "{words}");
}
