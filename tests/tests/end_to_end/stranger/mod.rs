//! A stranger's client: the rows by the API alone, against the running program, looked at from outside. On SQLite, or on
//! PostgreSQL where `PARTYLINE_TEST_POSTGRES` names a server (and `psql` is there): `./dev test` walks on both.
//!
//! Where sound, mails in every detail, crashes or timers make the row, another file here proves it over HTTP against the
//! running program too, and the walk does not repeat it: A31 I01 I05 I06 to I09 `moderation`, A33 I18 I21 `mail`,
//! A46 to A49 `devices`, A55 to A57 A60 `caller_id`, A58 D37 D69 `answers`, A59 B47 D47 `roles`, D33 `caller_id`, D38 `races`,
//! D63 D66 `records`, I12 I14 I42 `ivr`, I34 I43 to I45 I55 I56 I61 `dialling`, I50 I51 `answers`, I54 `refusals`, I94 `never_twice`.
//! What has no API of its own (I15 guessing by phone, I58 keys, I59 clocks) is proved on the pure machines of
//! `conference::live`, keys in `ivr` too.

mod accounts;
mod api;
mod bulk;
mod calls;
mod dashboard;
mod first_user;
mod invitations;
mod join;
mod meetings;
mod people;
mod policy;
mod records;
mod roles;

use partyline_tests::api::{Answer, Api};
use partyline_tests::error::LabResult;
use partyline_tests::shared::token;
use partyline_tests::stage::{Stage, StageConfig};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{on_stage_alone_with, on_stage_with};

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
    on_database_with(Ok, test).await;
}

async fn on_database_with(
    change: impl FnOnce(StageConfig) -> LabResult<StageConfig>,
    test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>,
) {
    let url = database().await;
    on_stage_with(|config| change(placed(config, url.as_deref())?), test).await;
}

/// While no other test has a stage: for what is measured.
async fn on_database_alone(test: impl AsyncFnOnce(&mut Stage) -> LabResult<()>) {
    let url = database().await;
    on_stage_alone_with(|config| placed(config, url.as_deref()), test).await;
}

fn placed(config: StageConfig, url: Option<&str>) -> LabResult<StageConfig> {
    match url {
        Some(url) => config.set("url", &format!("{url:?}")),
        None => Ok(config),
    }
}

async fn get(api: &Api, path: &str) -> LabResult<Value> {
    let answer = api.send("GET", path, &[], None).await?;
    assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
    Ok(answer.body)
}

async fn post(api: &Api, path: &str, body: Value) -> LabResult<Answer> {
    api.send("POST", path, &[], Some(body)).await
}

async fn put(api: &Api, path: &str, body: Value) -> LabResult<Answer> {
    api.send("PUT", path, &[], Some(body)).await
}

async fn patch(api: &Api, path: &str, body: Value) -> LabResult<Answer> {
    api.send("PATCH", path, &[], Some(body)).await
}

async fn delete(api: &Api, path: &str) -> LabResult<u16> {
    Ok(api.send("DELETE", path, &[], None).await?.status)
}

/// Asks for something that must be taken; its body.
async fn done(api: &Api, method: &str, path: &str, body: Value) -> LabResult<Value> {
    let answer = api.send(method, path, &[], Some(body)).await?;
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
    Ok(answer.body)
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// Of a meeting's people the one whose name begins like this.
fn person<'a>(meeting: &'a Value, name: &str) -> &'a Value {
    let found = rows(&meeting["people"]).iter().find(|row| text(&row["display_name"]).starts_with(name));
    found.unwrap_or_else(|| panic!("{name} is not in {}", meeting["people"]))
}

/// A problem of this status that names this field and says what to do.
#[track_caller]
fn refused(answer: &Answer, status: u16, field: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.body);
    assert_eq!(answer.body["field"].as_str(), field, "{}", answer.body);
    assert!(answer.body["detail"].as_str().is_some_and(|words| !words.is_empty()), "{}", answer.body);
}

/// The path of a link's page in the API.
fn join_path(link: &Value) -> String {
    format!("/v1/join/{}", text(link).rsplit('/').next().unwrap())
}

/// The id of the colleague whose name begins like this.
async fn user(api: &Api, name: &str) -> LabResult<String> {
    Ok(api.user(name).await?.id)
}

/// A meeting of this user with Pia as Presenter and Ari as Attendee.
async fn meeting(api: &Api, title: &str, kind: &str) -> LabResult<Value> {
    let people =
        json!([{"user": user(api, "pia").await?, "role": "presenter"}, {"user": user(api, "ari").await?}]);
    let body = json!({"title": title, "type": kind, "people": people, "settings": {"chimes": false}});
    done(api, "POST", "/v1/meetings", body).await
}

async fn resolve(api: &Api, purpose: &str, text: &str) -> LabResult<Value> {
    let answer = post(api, "/v1/resolve", json!({"purpose": purpose, "texts": [text]})).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(answer.body["results"][0]["matches"][0].clone())
}
