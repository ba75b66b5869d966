//! The event stream over a WebSocket: a snapshot first, then every event, resumable by the last id seen.
#![expect(unused_qualifications, reason = "utoipa writes them into what it generates")]

use crate::AppState;
use crate::auth::{bearer, cookie, no_token};
use crate::json::Params;
use crate::presence::PresenceGuard;
use crate::problem::{ApiError, Problem};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use conference::ids::MeetingId;
use conference::services::events::{Event, Subscription};
use conference::services::watch::Viewer;
use conference::services::{Actor, ErrorKind, LegId, ServiceError};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::IntoParams;

/// Close codes of our own (RFC 6455 section 7.4.2).
mod close {
    /// Sent by the page: it leaves on purpose (RFC 6455, section 7.4.1: normal closure).
    pub(super) const ON_PURPOSE: u16 = 1000;
    /// The token is no longer valid.
    pub(super) const UNAUTHORIZED: u16 = 4401;
    /// The reader may no longer see this.
    pub(super) const FORBIDDEN: u16 = 4403;
    /// The reader's person has joined anew with another leg, from another window, say.
    pub(super) const REPLACED: u16 = 4409;
    /// The reader is too slow; it may come back and resume.
    pub(super) const TOO_SLOW: u16 = 4408;
}

/// How long one frame may take to be taken by the reader.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent reader is asked whether it is there, and whether it may still read.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// So many heartbeats without a sign of life, and the reader is gone.
const SILENT_HEARTBEATS: u32 = 3;
/// Readers have nothing to say: larger messages end the connection.
const MESSAGE_MAX: usize = 4 * 1024;

/// What to watch.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// The meeting to watch.
    meeting: Option<String>,
    /// The reader's own leg: it leaves five seconds after this socket has closed, unless a new one names it; at once if it
    /// was closed with code 1000.
    leg: Option<u64>,
    /// The last id seen: everything after it follows the snapshot.
    after: Option<u64>,
    /// The token, for browsers, which cannot send a header here.
    token: Option<String>,
}

/// The event stream (WebSocket). First frame: `{type: "snapshot", id, resumed, data}`, then
/// `{type: "event", id, kind, at, meeting, data}`.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventsQuery), responses(
    (status = 101, description = "The stream begins"),
    (status = 401, body = Problem),
    (status = 404, description = "No such meeting", body = Problem),
    (status = 426, description = "Not a WebSocket", body = Problem),
))]
pub(crate) async fn events(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(query): Params<EventsQuery>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let token = token(&headers, query.token.as_deref())?;
    let actor = state.services.authenticate(&token).await?;
    let meeting = query.meeting.map(MeetingId::new);
    let viewer = state.services.viewer(&actor, meeting.as_ref()).await?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "This route is a WebSocket").mend("Open it as one")
    })?;
    let presence = query.leg.and_then(|leg| state.presence.open(LegId(leg), viewer.person.as_ref()));
    let reader = Reader { meeting: viewer.filter.meeting.clone(), state, token, actor, viewer, presence };
    let after = query.after;
    Ok(upgrade
        .max_message_size(MESSAGE_MAX)
        .max_frame_size(MESSAGE_MAX)
        .on_upgrade(move |socket| reader.run(socket, after)))
}

/// By header, by query, or by cookie; by cookie only from our own page.
fn token(headers: &HeaderMap, query: Option<&str>) -> Result<String, ApiError> {
    if let Some(token) = bearer(headers).or(query) {
        return Ok(token.to_owned());
    }
    let token = cookie(headers).ok_or_else(no_token)?;
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    if origin.is_some() && origin != text(header::HOST) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "This page may not read our events"));
    }
    Ok(token.to_owned())
}

/// Why a stream ends.
type Ended = Option<(u16, &'static str)>;

/// One reader of the stream.
struct Reader {
    state: AppState,
    token: String,
    actor: Actor,
    meeting: Option<MeetingId>,
    viewer: Viewer,
    presence: Option<PresenceGuard>,
}

impl Reader {
    async fn run(mut self, mut socket: WebSocket, after: Option<u64>) {
        // The position is taken before the snapshot: what happens between the two comes again as an event, and
        // nothing falls between them.
        let mut subscription = self.state.services.events.subscribe(after, self.viewer.filter.clone());
        let ended = match self.snapshot(&mut socket, &subscription).await {
            Ok(()) => self.follow(&mut socket, &mut subscription).await,
            Err(ended) => ended,
        };
        if let Some((code, reason)) = ended {
            let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            // A reader that takes nothing takes no farewell either.
            let _ = timeout(Duration::from_secs(1), socket.send(frame)).await;
        }
    }

    async fn snapshot(&self, socket: &mut WebSocket, subscription: &Subscription) -> Result<(), Ended> {
        let data = match &self.meeting {
            Some(meeting) => {
                let snapshot = self.state.services.watch(&self.actor, meeting).await;
                let snapshot =
                    snapshot.map_err(|_| Some((close::FORBIDDEN, "the meeting is out of reach")))?;
                serde_json::to_value(snapshot).unwrap_or_default()
            }
            None => json!({ "meeting": null, "people": [], "calls": [], "slots": {} }),
        };
        let frame = json!({
            "type": "snapshot", "id": subscription.position(), "resumed": subscription.resumed(), "data": data,
        });
        send(socket, &frame).await
    }

    async fn follow(&mut self, socket: &mut WebSocket, subscription: &mut Subscription) -> Ended {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.reset();
        let mut silent = 0;
        loop {
            tokio::select! {
                event = subscription.next() => {
                    let Ok(event) = event else { return Some((close::TOO_SLOW, "too far behind")) };
                    if let Err(ended) = self.tell(socket, &event).await { return ended }
                }
                message = socket.recv() => match message {
                    Some(Ok(Message::Close(frame))) => {
                        self.closed_by_page(frame.map(|frame| frame.code));
                        return None;
                    }
                    None | Some(Err(_)) => return None,
                    Some(Ok(_)) => silent = 0,
                },
                () = replaced(&mut self.presence) => return Some((close::REPLACED, "joined from elsewhere")),
                _ = heartbeat.tick() => {
                    silent += 1;
                    if silent > SILENT_HEARTBEATS { return None }
                    if let Err(ended) = self.check_rights().await { return ended }
                    let ping = timeout(SEND_TIMEOUT, socket.send(Message::Ping(Default::default()))).await;
                    if !matches!(ping, Ok(Ok(()))) { return None }
                }
            }
        }
    }

    fn closed_by_page(&mut self, code: Option<u16>) {
        if let (Some(presence), Some(close::ON_PURPOSE)) = (&mut self.presence, code) {
            presence.leave_on_purpose();
        }
    }

    async fn tell(&mut self, socket: &mut WebSocket, event: &Event) -> Result<(), Ended> {
        let frame = json!({
            "type": "event", "id": event.id, "kind": event.kind, "at": event.at, "meeting": event.meeting,
            "data": self.viewer.data(event),
        });
        if self.viewer.sees(event) {
            send(socket, &frame).await?;
        }
        if self.viewer.is_concerned_by(event) { self.check_rights().await } else { Ok(()) }
    }

    /// The token may have ended, and the reader may have been removed or have changed role. While the database is away
    /// nothing new is known: what counted goes on to count, for nobody shall lose a meeting by it.
    async fn check_rights(&mut self) -> Result<(), Ended> {
        let services = &self.state.services;
        let actor = match services.authenticate(&self.token).await {
            Ok(actor) => actor,
            Err(error) if is_trouble(&error) => return Ok(()),
            Err(_) => return Err(Some((close::UNAUTHORIZED, "the token is no longer valid"))),
        };
        let viewer = match services.viewer(&actor, self.meeting.as_ref()).await {
            Ok(viewer) => viewer,
            Err(error) if is_trouble(&error) => return Ok(()),
            Err(_) => return Err(Some((close::FORBIDDEN, "the meeting is out of reach"))),
        };
        (self.actor, self.viewer) = (actor, viewer);
        Ok(())
    }
}

/// The question could not be answered, which says nothing about who asks.
const fn is_trouble(error: &ServiceError) -> bool {
    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal)
}

/// Returns once another leg has taken the place of the reader's own.
async fn replaced(presence: &mut Option<PresenceGuard>) {
    match presence {
        Some(presence) => presence.replaced().await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut WebSocket, frame: &serde_json::Value) -> Result<(), Ended> {
    match timeout(SEND_TIMEOUT, socket.send(Message::text(frame.to_string()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some((close::TOO_SLOW, "frames are not taken"))),
    }
}
