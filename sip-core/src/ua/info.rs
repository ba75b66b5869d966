//! INFO within a dialog: keys pressed (application/dtmf-relay, application/dtmf; neither has an RFC).

use std::time::Duration;

use super::UserAgent;
use super::api::{Event, SessionId};
use crate::flow::Hop;
use crate::message::{HeaderName, Received, Request};

/// A longer press is taken for this long.
const LONGEST_PRESS_MS: u64 = 60_000;
const KINDS: &str = "application/dtmf-relay, application/dtmf";

/// A key and how long it was pressed.
type Key = (char, Option<Duration>);

impl UserAgent {
    /// Answered without a transaction: an INFO that has come again gets its answer and is no second press.
    pub(super) fn receive_info(
        &mut self,
        id: SessionId,
        request: &Received<Request>,
        source: Hop,
        repeated: bool,
    ) {
        let key = match read_key(&request.message) {
            Ok(key) => key,
            Err(status) => {
                let mut response = self.response_in_dialog(request, status);
                response.headers.remove(&HeaderName::Accept);
                response.headers.push(HeaderName::Accept, KINDS);
                self.send_statelessly(response, source);
                return;
            }
        };
        self.answer_statelessly(request, source, 200);
        if let Some((digit, duration)) = key.filter(|_| !repeated) {
            self.emit(Event::Dtmf { session: id, digit, duration });
        }
    }
}

/// The key of an INFO; an INFO without a body says nothing. `Err` is the status to answer.
fn read_key(request: &Request) -> Result<Option<Key>, u16> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let kind = request.headers.first(&HeaderName::ContentType).map(|value| value.text().to_ascii_lowercase());
    let kind = kind.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let text = String::from_utf8_lossy(&request.body);
    let key = match kind {
        "application/dtmf-relay" => read_relay(&text),
        "application/dtmf" => {
            read_signal(text.trim()).map(|digit| (digit, None)).or_else(|| read_relay(&text))
        }
        _ => return Err(415),
    };
    key.map(Some).ok_or(400)
}

/// `Signal=5` and `Duration=160` (milliseconds), one a line.
fn read_relay(text: &str) -> Option<Key> {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let duration = value("duration").and_then(|value| value.parse::<u64>().ok());
    let duration = duration.map(|millis| Duration::from_millis(millis.min(LONGEST_PRESS_MS)));
    Some((read_signal(value("signal")?)?, duration))
}

/// A key by its sign, or by its event number of RFC 4733 section 3.2.
fn read_signal(text: &str) -> Option<char> {
    let mut chars = text.chars();
    if let (Some(char), None) = (chars.next(), chars.next()) {
        let char = char.to_ascii_uppercase();
        return matches!(char, '0'..='9' | '*' | '#' | 'A'..='D' | '!').then_some(char);
    }
    let events = ["10", "11", "12", "13", "14", "15", "16"];
    let index = events.iter().position(|event| *event == text)?;
    "*#ABCD!".chars().nth(index)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::{Method, Uri};

    fn key(kind: &str, body: &str) -> Result<Option<Key>, u16> {
        let mut request = Request::new(Method::Info, Uri::parse("sip:a@b").unwrap());
        request.headers.push(HeaderName::ContentType, kind);
        request.body = Bytes::from(body.to_owned());
        read_key(&request)
    }

    #[test]
    fn d21_keys_are_read_in_every_common_spelling() {
        let pressed = |digit, millis: Option<u64>| Ok(Some((digit, millis.map(Duration::from_millis))));
        for (kind, body, expected) in [
            ("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n", pressed('1', Some(160))),
            ("Application/DTMF-Relay;x=y", "signal= # \nduration = 9999999\n", pressed('#', Some(60_000))),
            ("application/dtmf-relay", "Signal=11", pressed('#', None)),
            ("application/dtmf-relay", "Duration=x\r\nSignal=*", pressed('*', None)),
            ("application/dtmf", " d\r\n", pressed('D', None)),
            ("application/dtmf", "Signal=5", pressed('5', None)),
            ("application/dtmf-relay", "Signal=17", Err(400)),
            ("application/dtmf-relay", "Duration=1", Err(400)),
            ("application/dtmf", "12345", Err(400)),
            ("application/media_control+xml", "<x/>", Err(415)),
            ("text/plain", "", Ok(None)),
        ] {
            assert_eq!(key(kind, body), expected, "{kind} {body}");
        }
    }
}
