//! The first administrator, made by command; and whom they add.

use std::process::Stdio;
use std::time::{Duration, Instant};

use partyline_tests::gateway::{TempFolder, demo_configuration, find_binary};
use partyline_tests::stage::StageConfig;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::post;
use crate::support::on_stage_with;

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
