//! Real Chromium: runs a script of `tests/browser` and listens to what it tells.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::error::{LabError, LabResult};
use crate::shared::lock;

/// A running script; killed when dropped.
pub struct Browser {
    child: Child,
    told: Arc<Mutex<Vec<Value>>>,
    words: Arc<Mutex<Vec<String>>>,
}

impl Browser {
    /// Runs `script` against the page at `url`, with further environment variables.
    ///
    /// # Errors
    /// When node, or the packages of `tests/browser`, are missing.
    pub async fn run(script: &str, url: &str, environment: &[(&str, &Path)]) -> LabResult<Self> {
        let folder = folder();
        if !folder.join("node_modules/playwright-core").is_dir() {
            let folder = folder.display();
            return Err(LabError::Other(format!("playwright-core is missing: run `npm ci` in {folder}")));
        }
        let mut command = Command::new("node");
        command.current_dir(&folder).arg(script).env("PARTYLINE_URL", url);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(LabError::io("starting node"))?;
        let (told, words) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(collect(output, Arc::clone(&told), Arc::clone(&words)));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(collect(output, Arc::clone(&told), Arc::clone(&words)));
        }
        Ok(Self { child, told, words })
    }

    /// Waits until the script told `event` and returns what it said with it.
    ///
    /// # Errors
    /// When the script failed or ended first, with its words, or `timeout` passed.
    pub async fn wait(&mut self, event: &str, timeout: Duration) -> LabResult<Value> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let told = lock(&self.told).clone();
            let named = |value: &&Value, name: &str| value.get("event").and_then(Value::as_str) == Some(name);
            if let Some(found) = told.iter().find(|value| named(value, event)) {
                return Ok(found.clone());
            }
            if let Some(failed) = told.iter().find(|value| named(value, "failed")) {
                let why = failed.get("why").and_then(Value::as_str).unwrap_or_default();
                return Err(LabError::Other(format!("before {event}: {why}\n{}", self.said())));
            }
            let ended = self.child.try_wait().ok().flatten();
            if tokio::time::Instant::now() >= deadline || ended.is_some() {
                let what = format!("the browser to tell {event} (ended: {ended:?})\n{}", self.said());
                return Err(LabError::Timeout(what));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything it said, for messages.
    pub fn said(&self) -> String {
        lock(&self.words).join("\n")
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

async fn collect(
    output: impl AsyncRead + Unpin + Send,
    told: Arc<Mutex<Vec<Value>>>,
    words: Arc<Mutex<Vec<String>>>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(value) = serde_json::from_str(&line) {
            lock(&told).push(value);
        }
        lock(&words).push(line);
    }
}
