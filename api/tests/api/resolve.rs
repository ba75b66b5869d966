use crate::support::{App, Client};
use axum::http::StatusCode;
use serde_json::{Value, json};

async fn resolve(client: &Client<'_>, purpose: &str, text: &str) -> Value {
    let reply = client.post("/v1/resolve", json!({"purpose": purpose, "texts": [text]})).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["results"][0]["text"], text);
    reply.body["results"][0]["matches"].clone()
}

#[tokio::test]
async fn a10_a_name_is_found_without_case_and_accents() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    for text in ["pi", "PI", "Pía", "paz"] {
        let matches = resolve(&hana, "people", text).await;
        assert_eq!(matches[0]["user"]["display_name"], "Pia Paz", "{text}: {matches}");
    }
}

#[tokio::test]
async fn a11_an_extension_is_found_and_comes_first() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let matches = resolve(&hana, "people", "101").await;
    assert_eq!(matches[0]["kind"], "extension");
    assert_eq!(matches[0]["user"]["display_name"], "Pia Paz");
}

#[tokio::test]
async fn a12_a_number_is_its_user_or_itself() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let own = resolve(&hana, "people", "(202) 555-0102").await;
    assert_eq!(own[0]["user"]["display_name"], "Ari Arlo", "{own}");
    let unknown = resolve(&hana, "people", "(202) 555-0177").await;
    assert_eq!(unknown[0]["kind"], "number");
    assert_eq!(unknown[0]["number"], "+12025550177");
}

#[tokio::test]
async fn a13_an_address_is_its_user_or_itself() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let own = resolve(&hana, "people", "Pia@acme.test").await;
    assert_eq!(own[0]["user"]["display_name"], "Pia Paz");
    let unknown = resolve(&hana, "people", "guest@else.test").await;
    assert_eq!((&unknown[0]["kind"], &unknown[0]["email"]), (&json!("email"), &json!("guest@else.test")));
    let foreign = resolve(&hana, "people", "zed@zeta.test").await;
    assert_eq!(foreign[0]["kind"], "email", "another tenant's user is nobody known");
}

#[tokio::test]
async fn a14_a_text_that_is_nobody_says_so() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let matches = resolve(&hana, "people", "zzzz").await;
    assert_eq!(matches[0]["kind"], "unknown");
    assert!(matches[0]["detail"].is_string(), "{matches}");
}

#[tokio::test]
async fn a50_a_number_is_normalised_and_shown_back() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    for text in ["(202) 555-0177", "5550177", "+1 202 555 0177"] {
        let matches = resolve(&hana, "call", text).await;
        assert_eq!(matches[0]["number"], "+12025550177", "{text}: {matches}");
        assert_eq!(matches[0]["display"], "+1 202 555 0177");
    }
}

#[tokio::test]
async fn i31_and_i40_short_digits_and_emergency_numbers_are_refused_with_their_reason() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let matches = resolve(&hana, "call", "104").await;
    assert_eq!(
        (&matches[0]["kind"], &matches[0]["reason"]),
        (&json!("refused"), &json!("no_such_extension"))
    );
    let matches = resolve(&hana, "call", "9-911").await;
    assert_eq!((&matches[0]["kind"], &matches[0]["reason"]), (&json!("refused"), &json!("emergency")));
}

#[tokio::test]
async fn a_request_with_too_many_texts_is_refused() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let texts = vec!["x"; 501];
    let reply = hana.post("/v1/resolve", json!({"purpose": "call", "texts": texts})).await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("texts"));
}
