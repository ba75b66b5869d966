use crate::support::App;
use axum::http::{Method, StatusCode, header};

#[tokio::test]
async fn places_within_the_page_are_the_page() {
    let app = App::new().await;
    for path in ["/", "/join/0123", "/meetings/m1"] {
        let reply = app.anonymous().get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(reply.headers[header::CACHE_CONTROL], "no-cache");
        assert!(
            reply.text.contains("<!doctype html>") || reply.text.contains("<!DOCTYPE html>"),
            "{}",
            reply.text
        );
    }
    assert_eq!(app.anonymous().get("/assets/gone.js").await.status, StatusCode::NOT_FOUND);
    let reply = app.anonymous().request(Method::POST, "/", &[], None).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn health_checks_answer_without_a_token() {
    let app = App::new().await;
    assert_eq!(app.anonymous().get("/healthz").await.status, StatusCode::OK);
    assert_eq!(app.anonymous().get("/readyz").await.status, StatusCode::OK);
    app.bench.store.close().await;
    assert_eq!(app.anonymous().get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
}
