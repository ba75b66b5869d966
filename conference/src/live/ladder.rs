//! The SIP messages of our calls, kept for whoever wants to know what happened: bounded, and without secrets.
//!
//! Only calls that we have placed are watched, so that no stranger can fill this.

use crate::ids::CallId;
use crate::vocabulary::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// Most calls that are kept.
const CALLS: usize = 2_000;
/// Most messages of one call; what comes later is counted only.
const RUNGS: usize = 100;
/// Longest text that is kept of one message.
const TEXT: usize = 4_096;
/// Most bytes of text in all.
const BYTES: usize = 32 * 1024 * 1024;
/// Most attempts (trunks, challenges apart) of one call.
const ATTEMPTS: usize = 8;
/// What stands where a secret stood.
const REMOVED: &str = "(removed)";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rung {
    /// When it left or came.
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub at: UnixMillis,
    /// Sent by us, or received.
    pub sent: bool,
    /// What carried it.
    pub transport: String,
    /// The other side's address.
    pub peer: String,
    /// The first line.
    pub line: String,
    /// The message without secrets; cut if it is long.
    pub text: String,
}

#[derive(Debug, Default)]
struct Attempt {
    call: Option<CallId>,
    rungs: Vec<Rung>,
    bytes: usize,
}

/// The messages of the latest calls.
#[derive(Debug, Default)]
pub struct Ladders {
    by_call_id: BTreeMap<String, Attempt>,
    by_call: BTreeMap<CallId, Vec<String>>,
    /// Oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

impl Ladders {
    /// From now on the messages with this Call-ID are kept.
    pub fn watch(&mut self, call_id: &str) {
        if self.by_call_id.contains_key(call_id) {
            return;
        }
        while self.order.len() >= CALLS || self.bytes > BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.forget(&oldest);
        }
        self.by_call_id.insert(call_id.to_owned(), Attempt::default());
        self.order.push_back(call_id.to_owned());
    }

    /// That Call-ID is an attempt of this call.
    pub fn belongs(&mut self, call_id: &str, call: &CallId) {
        let Some(attempt) = self.by_call_id.get_mut(call_id) else { return };
        if attempt.call.replace(call.clone()).is_none() {
            let attempts = self.by_call.entry(call.clone()).or_default();
            if attempts.len() < ATTEMPTS {
                attempts.push(call_id.to_owned());
            }
        }
    }

    /// A message has left or come. It is kept if its Call-ID is watched.
    pub fn note(
        &mut self,
        at: UnixMillis,
        sent: bool,
        (transport, peer): (&str, SocketAddr),
        payload: &[u8],
    ) {
        if self.by_call_id.is_empty() {
            return;
        }
        let Some(attempt) = call_id(payload).and_then(|call_id| self.by_call_id.get_mut(call_id)) else {
            return;
        };
        if attempt.rungs.len() >= RUNGS {
            return;
        }
        let text = redacted(payload);
        let line = text.lines().next().unwrap_or_default().to_owned();
        attempt.bytes += text.len();
        self.bytes += text.len();
        let (transport, peer) = (transport.to_owned(), peer.to_string());
        attempt.rungs.push(Rung { at, sent, transport, peer, line, text });
    }

    /// The same, and forgets them: they are written down now.
    pub fn take(&mut self, call: &CallId) -> Vec<Rung> {
        let rungs = self.of(call);
        for call_id in self.by_call.remove(call).unwrap_or_default() {
            self.forget(&call_id);
            self.order.retain(|it| *it != call_id);
        }
        rungs
    }

    /// All messages of a call, in the order in which they were seen.
    pub fn of(&self, call: &CallId) -> Vec<Rung> {
        let attempts = self.by_call.get(call).map(Vec::as_slice).unwrap_or_default();
        let rungs =
            attempts.iter().filter_map(|call_id| self.by_call_id.get(call_id)).flat_map(|it| &it.rungs);
        let mut rungs: Vec<Rung> = rungs.cloned().collect();
        rungs.sort_by_key(|rung| rung.at);
        rungs
    }

    fn forget(&mut self, call_id: &str) {
        let Some(attempt) = self.by_call_id.remove(call_id) else { return };
        self.bytes = self.bytes.saturating_sub(attempt.bytes);
        if let Some(call) = attempt.call
            && let Some(attempts) = self.by_call.get_mut(&call)
        {
            attempts.retain(|it| it != call_id);
            if attempts.is_empty() {
                self.by_call.remove(&call);
            }
        }
    }
}

/// The value of Call-ID, as far as it can be had without reading the whole message.
pub fn call_id(payload: &[u8]) -> Option<&str> {
    for line in payload.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
            return std::str::from_utf8(value.get(1..)?.trim_ascii()).ok();
        }
    }
    None
}

/// A message as text without what must stay secret: answers to challenges, media keys, keys pressed, PINs in addresses.
pub fn redacted(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload.get(..payload.len().min(TEXT)).unwrap_or_default());
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut kept = String::with_capacity(text.len());
    let (mut secret, mut keys) = (false, false);
    for line in head.split("\r\n") {
        if line.starts_with([' ', '\t']) {
            if !secret {
                push_line(&mut kept, line);
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or(("", line));
        let name = name.trim().to_ascii_lowercase();
        secret = matches!(name.as_str(), "authorization" | "proxy-authorization");
        keys |= matches!(name.as_str(), "content-type" | "c") && value.to_ascii_lowercase().contains("dtmf");
        match secret {
            true => {
                push_line(&mut kept, &format!("{}: {REMOVED}", line.split(':').next().unwrap_or_default()))
            }
            false => push_line(&mut kept, &without_pin(line)),
        }
    }
    kept.push_str("\r\n");
    if keys && !body.is_empty() {
        kept.push_str(REMOVED);
        return kept;
    }
    for line in body.split_inclusive("\r\n") {
        match line.split_once("inline:") {
            Some((before, _)) => push_line(&mut kept, &format!("{before}inline:{REMOVED}")),
            None => kept.push_str(line),
        }
    }
    kept
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}

/// `sip:900000001.1234@` is a meeting and a PIN.
fn without_pin(line: &str) -> String {
    let Some((before, after)) = line.split_once("sip:") else { return line.to_owned() };
    let Some((user, rest)) = after.split_once('@') else { return line.to_owned() };
    match user.split_once('.') {
        Some((number, pin))
            if !pin.is_empty() && (number.to_owned() + pin).bytes().all(|it| it.is_ascii_digit()) =>
        {
            format!("{before}sip:{number}.{REMOVED}@{}", without_pin(rest))
        }
        Some(_) | None => format!("{before}sip:{user}@{}", without_pin(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:900000001.4711@acme.test SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo: <sip:900000001.4711@acme.test>\r\n\
                          i : c1\r\nProxy-Authorization: Digest username=\"u\", response=\"0123456789abcdef\",\r\n cnonce=\"x\"\r\n\
                          Contact: <sip:ann.lee@h>\r\nContent-Length: 9\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\na=ptime:20\r\n";

    fn peer() -> (&'static str, SocketAddr) {
        ("UDP", SocketAddr::from(([192, 0, 2, 1], 5060)))
    }

    #[test]
    fn w10_secrets_are_taken_out_and_everything_else_stays() {
        let text = redacted(INVITE.as_bytes());
        for secret in ["4711", "0123456789abcdef", "cnonce", "c2VjcmV0"] {
            assert!(!text.contains(secret), "{text}");
        }
        for kept in [
            "sip:900000001.(removed)@acme.test",
            "Proxy-Authorization: (removed)\r\nContact",
            "ann.lee@h",
            "a=ptime:20",
            "AES_CM_128_HMAC_SHA1_80 inline:(removed)",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        let info = "INFO sip:x SIP/2.0\r\nCall-ID: c\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=7\r\nDuration=100";
        assert!(!redacted(info.as_bytes()).contains("Signal"));
    }

    #[test]
    fn messages_of_watched_calls_are_kept_and_no_others() {
        let mut ladders = Ladders::default();
        let call = CallId::from("call-1");
        ladders.note(UnixMillis(1), true, peer(), INVITE.as_bytes());
        ladders.watch("c1");
        ladders.note(UnixMillis(3), false, peer(), b"SIP/2.0 180 Ringing\r\nCall-ID: c1\r\n\r\n");
        ladders.note(UnixMillis(2), true, peer(), INVITE.as_bytes());
        ladders.note(UnixMillis(4), false, peer(), b"SIP/2.0 200 OK\r\nCall-ID: c2\r\n\r\n");
        assert_eq!(ladders.of(&call), []);
        ladders.belongs("c1", &call);
        ladders.belongs("c1", &call);
        let lines: Vec<_> = ladders.of(&call).into_iter().map(|rung| (rung.sent, rung.line)).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], (false, "SIP/2.0 180 Ringing".to_owned()));
    }

    #[test]
    fn l4_nothing_grows_without_end() {
        let mut ladders = Ladders::default();
        for number in 0..3 * CALLS {
            let id = format!("c{number}");
            ladders.watch(&id);
            ladders.belongs(&id, &CallId::from(id.as_str()));
            let text = format!("BYE sip:x SIP/2.0\r\nCall-ID: {id}\r\n\r\n{}", "x".repeat(2 * TEXT));
            for at in 0..20 {
                ladders.note(UnixMillis(at), true, peer(), text.as_bytes());
            }
        }
        assert!(ladders.by_call_id.len() <= CALLS && ladders.by_call.len() <= CALLS);
        assert!(ladders.bytes <= BYTES + 20 * TEXT, "{}", ladders.bytes);
        for at in 0..1_000 {
            ladders.note(
                UnixMillis(at),
                true,
                peer(),
                format!("ACK sip:x SIP/2.0\r\ni: c{}\r\n\r\n", 3 * CALLS - 1).as_bytes(),
            );
        }
        assert_eq!(ladders.of(&CallId::from(format!("c{}", 3 * CALLS - 1).as_str())).len(), RUNGS);
    }
}
