//! A client for the router.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use conference::services::testing::Bench;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

pub(crate) struct App {
    pub(crate) bench: Bench,
    pub(crate) router: Router,
}

pub(crate) struct Client<'a> {
    app: &'a App,
    pub(crate) token: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl App {
    pub(crate) async fn new() -> Self {
        let bench = Bench::new().await;
        Self { router: api::router(Arc::clone(&bench.services)), bench }
    }

    pub(crate) fn anonymous(&self) -> Client<'_> {
        Client { app: self, token: None }
    }

    pub(crate) fn with_token(&self, token: &str) -> Client<'_> {
        Client { app: self, token: Some(token.to_owned()) }
    }

    pub(crate) async fn login(&self, login: &str) -> Client<'_> {
        let password = format!("{login}-demo");
        let reply = self.anonymous().post("/v1/login", json!({"login": login, "password": password})).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        self.with_token(reply.body["token"].as_str().unwrap())
    }
}

impl Client<'_> {
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 4 << 20).await.unwrap();
        let reply = Reply {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        };
        assert_ne!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{reply:?}");
        reply
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, &[], Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path, &[], Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, &[], None).await
    }

    /// The id of a colleague.
    pub(crate) async fn user(&self, name: &str) -> String {
        let users = self.get("/v1/users").await;
        let users = users.body["users"].as_array().unwrap().clone();
        let user = users.iter().find(|user| user["display_name"].as_str().unwrap().starts_with(name));
        user.unwrap_or_else(|| panic!("no user {name}"))["id"].as_str().unwrap().to_owned()
    }

    /// A meeting of this user with Pia as Presenter and Ari as Attendee; returns its JSON.
    pub(crate) async fn meeting(&self, kind: &str) -> Value {
        let (pia, ari) = (self.user("Pia").await, self.user("Ari").await);
        let reply = self
            .post(
                "/v1/meetings",
                json!({"title": "M1", "type": kind, "people": [
                    {"user": pia, "role": "presenter"}, {"user": ari}
                ]}),
            )
            .await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply.body
    }

    /// The same, with the creator in it by browser.
    pub(crate) async fn active_meeting(&self) -> String {
        let meeting = self.meeting("conference").await;
        let id = meeting["id"].as_str().unwrap().to_owned();
        self.join(&id).await;
        id
    }

    pub(crate) async fn join(&self, meeting: &str) -> Value {
        let reply =
            self.post(&format!("/v1/meetings/{meeting}/webrtc/offer"), json!({"sdp": "v=0\r\n"})).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.body
    }
}

impl Reply {
    /// Asserts a problem of this status that names this field.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: StatusCode, field: Option<&str>) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{self:?}");
        assert_eq!(self.body["field"].as_str(), field, "{self:?}");
        assert_eq!(self.body["status"], status.as_u16());
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{self:?}");
        assert!(self.body["request_id"].as_str().is_some_and(|id| id.len() == 33), "{self:?}");
    }
}

/// The person of a meeting's JSON by the beginning of their name.
pub(crate) fn person<'a>(meeting: &'a Value, name: &str) -> &'a Value {
    let people = meeting["people"].as_array().unwrap();
    people
        .iter()
        .find(|person| person["display_name"].as_str().unwrap().starts_with(name))
        .unwrap_or_else(|| panic!("{name} is not in {people:?}"))
}
