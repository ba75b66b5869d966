use crate::support::App;
use axum::http::{Method, StatusCode, header};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_login_gives_a_token_a_cookie_and_the_own_account() {
    let app = App::new().await;
    let reply = app.anonymous().post("/v1/login", json!({"login": " Hana ", "password": "hana-demo"})).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let token = reply.body["token"].as_str().unwrap();
    assert_eq!(token.len(), 64, "256 bits in hex");
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    for part in [token, "HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let me = app.with_token(token).get("/v1/me").await;
    assert_eq!(me.body, reply.body["user"]);
    assert_eq!(me.body["display_name"], "Hana Hale");
    assert_eq!(me.body["extension"], "100");
    assert_eq!(me.body["tenant"], "acme");
    assert_eq!(me.body["caller_id"], json!({"number": "+12025550100", "display": "Hana Hale"}));
    let by_cookie = app
        .anonymous()
        .request(Method::GET, "/v1/me", &[("cookie", &format!("a=b; partyline={token}"))], None)
        .await;
    assert_eq!(by_cookie.status, StatusCode::OK);
}

#[tokio::test]
async fn i88_unknown_login_and_wrong_password_read_the_same() {
    let app = App::new().await;
    let wrong = app.anonymous().post("/v1/login", json!({"login": "hana", "password": "x"})).await;
    let unknown = app.anonymous().post("/v1/login", json!({"login": "nobody", "password": "x"})).await;
    wrong.is_problem(StatusCode::UNAUTHORIZED, None);
    unknown.is_problem(StatusCode::UNAUTHORIZED, None);
    assert_eq!(wrong.body["detail"], unknown.body["detail"]);
    assert_eq!(wrong.body["mend"], unknown.body["mend"]);
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_told() {
    let app = App::new().await;
    for path in [
        "/v1/me",
        "/v1/users",
        "/v1/meetings",
        "/v1/meetings/m1",
        "/v1/meetings/m1/people",
        "/v1/meetings/m1/calls",
        "/v1/calls/c1",
        "/v1/events",
    ] {
        app.anonymous().get(path).await.is_problem(StatusCode::UNAUTHORIZED, None);
        app.with_token("0123").get(path).await.is_problem(StatusCode::UNAUTHORIZED, None);
    }
}

#[tokio::test]
async fn tokens_end_by_logout_and_by_time() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let other = app.login("hana").await;
    let reply = hana.request(Method::POST, "/v1/logout", &[], None).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(hana.get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.get("/v1/me").await.status, StatusCode::OK);
    app.bench.clock.advance(Duration::from_secs(12 * 3600));
    assert_eq!(other.get("/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn passwords_cannot_be_tried_without_end() {
    let app = App::new().await;
    let guess = json!({"login": "hana", "password": "guess"});
    for _ in 0..10 {
        assert_eq!(app.anonymous().post("/v1/login", guess.clone()).await.status, StatusCode::UNAUTHORIZED);
    }
    let reply = app.anonymous().post("/v1/login", guess).await;
    reply.is_problem(StatusCode::TOO_MANY_REQUESTS, None);
    assert_eq!(reply.headers[header::RETRY_AFTER], "300");
    app.login("pia").await;
}
