//! The REST client and the event stream client, as a page or a script of a customer would write them.

mod events;
mod types;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use events::{Event, Events};
pub use types::{
    Call, CallTarget, CallTicket, CallTickets, Calls, JoinAnswer, Me, Meeting, Meetings, Person,
    PersonToInvite, Problem, User, Users, WebrtcAnswer,
};

use crate::error::{LabError, LabResult};

/// A client with or without a token.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body, `null` when there is none.
    pub body: Value,
    /// The headers, names in small letters.
    pub headers: BTreeMap<String, String>,
}

impl Answer {
    /// The body as `T`, when the status is 2xx.
    ///
    /// # Errors
    /// The problem of the gateway, or a body of another shape.
    pub fn read<T: DeserializeOwned>(self, what: &str) -> LabResult<T> {
        if !(200..300).contains(&self.status) {
            let detail = self.body.to_string();
            return Err(LabError::Refused { what: what.to_owned(), status: self.status, detail });
        }
        let shown = self.body.to_string();
        serde_json::from_value(self.body).map_err(LabError::other(format!("{what} answered {shown}")))
    }

    /// The body as a problem.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn problem(self) -> LabResult<Problem> {
        serde_json::from_value(self.body).map_err(LabError::other("reading a problem"))
    }
}

impl Api {
    /// A client of the gateway at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(40)));
        Self { base: base.trim_end_matches('/').to_owned(), token: None, agent: config.build().into() }
    }

    /// The same gateway with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The address of the gateway.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token in use.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends any request and returns any answer.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> LabResult<Answer> {
        let bytes = body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let kind = body.map(|_| ("Content-Type", "application/json"));
        let headers: Vec<_> = headers.iter().copied().chain(kind).collect();
        self.send_bytes(method, path, &headers, bytes).await
    }

    /// Sends any bytes and returns any answer; the headers say what the bytes are.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        bytes: Vec<u8>,
    ) -> LabResult<Answer> {
        let what = format!("{method} {path}");
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(bytes).map_err(LabError::other(&what))?;
        let agent = self.agent.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let mut response = agent.run(request)?;
            let status = response.status().as_u16();
            let headers = response.headers().iter();
            let headers: BTreeMap<String, String> = headers
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect();
            Ok::<_, ureq::Error>((status, headers, response.body_mut().read_to_string()?))
        });
        let answered = answered.await.map_err(LabError::other(&what))?;
        let (status, headers, text) = answered.map_err(LabError::other(&what))?;
        // A page instead of JSON stays readable in error messages.
        let body = serde_json::from_str(&text).unwrap_or(if text.is_empty() {
            Value::Null
        } else {
            Value::String(text)
        });
        Ok(Answer { status, body, headers })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> LabResult<T> {
        self.send("GET", path, &[], None).await?.read(&format!("GET {path}"))
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: impl Serialize) -> LabResult<T> {
        let body = serde_json::to_value(body).map_err(LabError::other("writing JSON"))?;
        self.send("POST", path, &[], Some(body)).await?.read(&format!("POST {path}"))
    }

    /// Logs in and returns a client with the token.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn login(&self, login: &str, password: &str) -> LabResult<(Self, Me)> {
        let answer: types::LoginAnswer =
            self.post("/v1/login", json!({ "login": login, "password": password })).await?;
        Ok((self.with_token(&answer.token), answer.user))
    }

    /// Uses a join link: the last part of it is the token.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn join(&self, link: &str, name: Option<&str>) -> LabResult<(Self, JoinAnswer)> {
        let token = link.rsplit('/').next().unwrap_or_default();
        let body = name.map_or_else(|| json!({}), |name| json!({ "name": name }));
        let answer: JoinAnswer = self.post(&format!("/v1/join/{token}"), body).await?;
        Ok((self.with_token(&answer.token), answer))
    }

    /// The tenant's users but the caller.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn users(&self, query: &str) -> LabResult<Vec<User>> {
        Ok(self.get::<Users>(&format!("/v1/users?query={query}")).await?.users)
    }

    /// The user whose name or extension matches `query` first.
    ///
    /// # Errors
    /// When the gateway refuses or nobody matches.
    pub async fn user(&self, query: &str) -> LabResult<User> {
        let found = self.users(query).await?.into_iter().next();
        found.ok_or_else(|| LabError::Other(format!("no user matches {query}")))
    }

    /// Creates a meeting of `kind` (`conference` or `presentation`).
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn create_meeting(
        &self,
        title: &str,
        kind: &str,
        people: &[PersonToInvite],
    ) -> LabResult<Meeting> {
        self.post(
            "/v1/meetings",
            json!({ "settings": { "chimes": false }, "title": title, "type": kind, "people": people }),
        )
        .await
    }

    /// A meeting with its people.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn meeting(&self, id: &str) -> LabResult<Meeting> {
        self.get(&format!("/v1/meetings/{id}")).await
    }

    /// All meetings of the caller.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn meetings(&self) -> LabResult<Vec<Meeting>> {
        Ok(self.get::<Meetings>("/v1/meetings").await?.meetings)
    }

    /// Starts a meeting.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn start_meeting(&self, id: &str) -> LabResult<()> {
        self.accepted("POST", &format!("/v1/meetings/{id}/start"), Some(json!({}))).await
    }

    /// Ends a meeting for everybody.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn end_meeting(&self, id: &str) -> LabResult<()> {
        self.accepted("POST", &format!("/v1/meetings/{id}/end"), Some(json!({}))).await
    }

    /// CALL: several targets at once.
    ///
    /// # Errors
    /// When the gateway refuses all of them together; single refusals are in the tickets.
    pub async fn call(&self, meeting: &str, targets: &[CallTarget], key: &str) -> LabResult<Vec<CallTicket>> {
        let path = format!("/v1/meetings/{meeting}/calls");
        let body = json!({ "targets": targets });
        let answer = self.send("POST", &path, &[("Idempotency-Key", key)], Some(body)).await?;
        Ok(answer.read::<CallTickets>("CALL")?.calls)
    }

    /// All calls of a meeting.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn calls(&self, meeting: &str) -> LabResult<Vec<Call>> {
        Ok(self.get::<Calls>(&format!("/v1/meetings/{meeting}/calls")).await?.calls)
    }

    /// One call.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn one_call(&self, call: &str) -> LabResult<Call> {
        self.get(&format!("/v1/calls/{call}")).await
    }

    /// Cancels or hangs up.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn end_call(&self, call: &str) -> LabResult<()> {
        self.accepted("DELETE", &format!("/v1/calls/{call}"), None).await
    }

    /// Calls again.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn retry_call(&self, call: &str) -> LabResult<Value> {
        self.post(&format!("/v1/calls/{call}/retry"), json!({})).await
    }

    /// Changes role or access (`{"role": ..}`, `{"access": ..}`).
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn change_person(&self, meeting: &str, person: &str, change: Value) -> LabResult<()> {
        self.accepted("PATCH", &format!("/v1/meetings/{meeting}/people/{person}"), Some(change)).await
    }

    /// Mutes or unmutes a person.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn set_muted(&self, meeting: &str, person: &str, muted: bool) -> LabResult<()> {
        let verb = if muted { "mute" } else { "unmute" };
        self.accepted("POST", &format!("/v1/meetings/{meeting}/people/{person}/{verb}"), Some(json!({})))
            .await
    }

    /// Gives the tenant other rules for calling out; what they leave out is as usual.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn set_dial_policy(&self, policy: Value) -> LabResult<()> {
        self.accepted("PUT", "/v1/dial-policy", Some(policy)).await
    }

    /// Sends an offer and returns the answer.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn webrtc_offer(&self, meeting: &str, sdp: &str) -> LabResult<WebrtcAnswer> {
        self.post(&format!("/v1/meetings/{meeting}/webrtc/offer"), json!({ "sdp": sdp })).await
    }

    async fn accepted(&self, method: &str, path: &str, body: Option<Value>) -> LabResult<()> {
        self.send(method, path, &[], body).await?.read::<Value>(&format!("{method} {path}")).map(|_| ())
    }
}
