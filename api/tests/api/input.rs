use crate::support::App;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

#[tokio::test]
async fn d60_a_wrong_field_is_named() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    for (body, field) in [
        (json!({}), Some("title")),
        (json!({"titel": "x"}), Some("titel")),
        (json!({"title": 7}), Some("title")),
        (json!({"title": "x", "type": "webinar"}), Some("type")),
        (json!({"title": "x", "people": [{"email": "a@b.test", "rol": "host"}]}), Some("people[0].rol")),
        (json!({"title": "x", "people": [{}]}), Some("people[0].user")),
        (json!({"title": "x", "people": [{"email": "nobody"}]}), Some("people[0].email")),
        (json!({"title": "x", "people": {}}), Some("people")),
        (json!({"title": ""}), Some("title")),
        (json!([]), None),
    ] {
        let reply = hana.post("/v1/meetings", body.clone()).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {reply:?}");
        assert_eq!(reply.body["field"].as_str(), field, "{body}: {reply:?}");
        assert!(reply.body["mend"].is_string(), "{body}: {reply:?}");
    }
    hana.get("/v1/users?querry=x").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("querry"));
    let reply = hana.get("/v1/users/u0/devices?registered=maybe").await;
    reply.is_problem(StatusCode::UNPROCESSABLE_ENTITY, Some("registered"));
}

async fn raw(app: &App, kind: &str, body: Vec<u8>) -> crate::support::Reply {
    let request =
        Request::post("/v1/login").header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
    app.anonymous().send(request).await
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_each_in_its_way() {
    let app = App::new().await;
    for body in ["", "{", "{\"login\":\"a\"", "\u{feff}{}", "{} {}"] {
        let reply = raw(&app, "application/json", body.into()).await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{body:?}: {reply:?}");
    }
    raw(&app, "application/json", vec![0xff, 0xfe]).await.is_problem(StatusCode::BAD_REQUEST, None);
    raw(&app, "text/plain", b"{}".to_vec()).await.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
    let deep = "[".repeat(100_000);
    raw(&app, "application/json", deep.into()).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, None);
    let large = format!("{{\"login\":\"{}\"}}", "x".repeat(300 * 1024));
    raw(&app, "application/json", large.into()).await.is_problem(StatusCode::PAYLOAD_TOO_LARGE, None);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let app = App::new().await;
    let reply = app.anonymous().get("/v1/nothing").await;
    reply.is_problem(StatusCode::NOT_FOUND, None);
    let reply = app.anonymous().delete("/v1/login").await;
    reply.is_problem(StatusCode::METHOD_NOT_ALLOWED, None);
    assert_eq!(reply.headers[header::ALLOW], "POST");
}

/// Texts that have broken other people's servers.
const HOSTILE: [&str; 12] = [
    "'; DROP TABLE users; --",
    "\" OR 1=1 --",
    "a\0b",
    "\u{0}",
    "%00",
    "a\r\nX-Header: b",
    "\u{202e}evil",
    "🦀 Ünïcödé",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "../../../etc/passwd",
];

#[tokio::test]
async fn w6_hostile_texts_never_break_anything() {
    let app = App::new().await;
    let hana = app.login("hana").await;
    let id = hana.active_meeting().await;
    let link = hana.get(&format!("/v1/meetings/{id}")).await.body["link"].as_str().unwrap().to_owned();
    let token = link.rsplit('/').next().unwrap();
    for text in HOSTILE {
        let people =
            json!([{"email": text}, {"number": text}, {"user": text}, {"email": "a@b.test", "name": text}]);
        for body in [json!({"title": text}), json!({"title": "x", "people": people})] {
            hana.post("/v1/meetings", body).await;
        }
        for person in people.as_array().unwrap() {
            hana.post(&format!("/v1/meetings/{id}/people"), json!({"people": [person]})).await;
        }
        let targets =
            json!([{"number": text}, {"number": "5550177", "name": text}, {"user": text, "device": text}]);
        for target in targets.as_array().unwrap() {
            hana.post(&format!("/v1/meetings/{id}/calls"), json!({"targets": [target]})).await;
        }
        hana.post("/v1/resolve", json!({"purpose": "call", "texts": [text]})).await;
        app.anonymous().post("/v1/login", json!({"login": text, "password": text})).await;
        app.anonymous().post(&format!("/v1/join/{token}"), json!({"name": text})).await;
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in ["meetings", "calls", "join", "users"] {
            let reply = hana.get(&format!("/v1/{path}/{encoded}")).await;
            assert!(reply.status.is_client_error(), "{path} {text}: {reply:?}");
        }
        hana.get(&format!("/v1/users?query={encoded}")).await;
        hana.request(Method::GET, "/v1/me", &[("cookie", "partyline=\u{1F980}")], None).await;
    }
    let titles = hana.get("/v1/meetings").await.body;
    let kept = titles["meetings"].as_array().unwrap().iter().any(|meeting| meeting["title"] == HOSTILE[0]);
    assert!(kept, "what is only text is kept as it is");
    let again: Value = hana.get("/v1/users").await.body;
    assert_eq!(again["users"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_a_request_id() {
    let app = App::new().await;
    for path in ["/", "/v1/me", "/healthz", "/v1/openapi.json"] {
        let reply = app.anonymous().get(path).await;
        let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(reply.headers[header::REFERRER_POLICY], "no-referrer");
        assert!(reply.headers.contains_key("x-request-id"));
    }
    assert_eq!(app.anonymous().get("/v1/me").await.headers[header::CACHE_CONTROL], "no-store");
}
