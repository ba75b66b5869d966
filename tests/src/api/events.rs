//! The event stream: everything that arrived is kept with the moment it arrived.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::Api;
use crate::error::{LabError, LabResult};
use crate::shared::lock;

/// One frame of the stream.
#[derive(Debug, Clone)]
pub struct Event {
    /// Event id.
    pub id: u64,
    /// Kind, such as `call.ringing`; `snapshot` for the first frame.
    pub kind: String,
    /// Milliseconds since 1970 by the gateway's clock.
    pub at: u64,
    /// What happened.
    pub data: Value,
    /// When the lab saw it.
    pub seen: Instant,
}

impl Event {
    /// A text field of the data, empty when absent.
    pub fn text(&self, field: &str) -> &str {
        self.data.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        let frame: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| frame.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| frame.get(name).and_then(Value::as_u64).unwrap_or(0);
        let kind = word("kind").or_else(|| word("type"))?;
        let data = frame.get("data").cloned().unwrap_or_default();
        Some(Self { id: number("id"), kind, at: number("at"), data, seen: Instant::now() })
    }
}

/// A running event stream.
#[derive(Debug)]
pub struct Events {
    seen: Arc<Mutex<Vec<Event>>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Events {
    /// Connects and waits for the snapshot.
    ///
    /// # Errors
    /// When the gateway refuses or sends nothing for five seconds.
    pub async fn connect(
        api: &Api,
        meeting: Option<&str>,
        leg: Option<&str>,
        after: Option<u64>,
    ) -> LabResult<Self> {
        let mut url = format!("{}/v1/events?lab=1", api.base().replacen("http", "ws", 1));
        let after = after.map(|after| after.to_string());
        let parts = [("meeting", meeting), ("leg", leg), ("after", after.as_deref()), ("token", api.token())];
        for (name, value) in parts {
            if let Some(value) = value {
                url.push_str(&format!("&{name}={value}"));
            }
        }
        // Nothing but the contract's parameters.
        let url = url.replacen("lab=1&", "", 1);
        let connecting = tokio_tungstenite::connect_async(&url);
        let (mut socket, _) = connecting.await.map_err(LabError::other("connecting the event stream"))?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else { continue };
                let Some(event) = Event::read(&text) else { continue };
                let length = {
                    let mut seen = lock(&shared);
                    seen.push(event);
                    seen.len()
                };
                sender.send_replace(length);
            }
        });
        let events = Self { seen, count, task };
        events.wait("the snapshot", Duration::from_secs(5), |_| true).await?;
        Ok(events)
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Event> {
        lock(&self.seen).clone()
    }

    /// Waits for the first event, also among those already seen, for which `wanted` holds.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&Event) -> bool + Send,
    ) -> LabResult<Event> {
        let mut count = self.count.clone();
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            count.mark_unchanged();
            if let Some(event) = self.all().into_iter().find(|event| wanted(event)) {
                return Ok(event);
            }
            match tokio::time::timeout_at(deadline, count.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(LabError::Other(format!("the event stream closed before {what}"))),
                Err(_) => {
                    let kinds: Vec<String> = self.all().into_iter().map(|event| event.kind).collect();
                    return Err(LabError::Timeout(format!("{what}; seen: {}", kinds.join(", "))));
                }
            }
        }
    }

    /// Waits until call `call` reaches one of `states`.
    ///
    /// # Errors
    /// When `timeout` passes first.
    pub async fn wait_call(&self, call: &str, states: &[&str], timeout: Duration) -> LabResult<Event> {
        let what =
            format!("call {call} to be {}; its states are {:?}", states.join(" or "), self.call_states(call));
        self.wait(&what, timeout, |event| is_call(event, call) && states.contains(&event.text("state"))).await
    }

    /// Every event of one call, in order.
    pub fn call_events(&self, call: &str) -> Vec<Event> {
        self.all().into_iter().filter(|event| is_call(event, call)).collect()
    }

    /// The states one call went through, in order.
    pub fn call_states(&self, call: &str) -> Vec<String> {
        self.call_events(call).iter().map(|event| event.text("state").to_owned()).collect()
    }

    /// Closes the stream without a word, as a closed tab does.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_call(event: &Event, call: &str) -> bool {
    event.kind.starts_with("call.") && event.text("call") == call
}
