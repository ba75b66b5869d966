//! Transfers a phone asks for: REFER within the dialog of its call (RFC 3515), its progress by NOTIFY, and Refer-Sub
//! (RFC 4488).
//!
//! Only devices of ours are listened to, and nothing is called from here: the user decides, and answers with
//! [`super::Command::AnswerRefer`].

use std::time::Instant;

use super::UserAgent;
use super::api::{Event, ReferRequest, SessionId};
use super::session::SessionState;
use super::subscription::{Subscription, SubscriptionId, Topic};
use crate::flow::Hop;
use crate::message::header::{EventPackage, ReferTo, Replaces};
use crate::message::{HeaderName, Host, Received, Request, TypedHeader, Uri, reason_phrase};
use crate::registrar::AddressOfRecord;

/// How long the progress of a transfer is told, in seconds.
const LONGEST: u64 = 300;
/// The longest reason told.
const LONGEST_REASON: usize = 200;

impl UserAgent {
    pub(super) fn receive_refer(
        &mut self,
        now: Instant,
        id: SessionId,
        request: Received<Request>,
        source: Hop,
        repeated: bool,
    ) {
        let target = request.message.headers.typed::<ReferTo>();
        let refusal = match &target {
            Ok(Some(_)) => self.refer_refusal(id, repeated),
            Ok(None) | Err(_) => Some(400),
        };
        let asked = target.ok().flatten().map(|target| (target, self.device_of(id)));
        let (Some((target, Some(device))), None) = (asked, refusal) else {
            self.answer_statelessly(&request, source, refusal.unwrap_or(603));
            return;
        };
        let Ok(target) = referred(&target) else {
            self.answer_statelessly(&request, source, 603);
            return;
        };
        let Some(dialog) = self.established_mut(id).map(|established| established.dialog.clone()) else {
            return;
        };
        let Some(transaction) = self.transactions.accept_request(&request, source) else {
            self.answer_statelessly(&request, source, 503);
            return;
        };
        let (target, replaces) = target;
        // The user has as long as the transaction of the peer lasts.
        let expires_at = now + self.config.timers.transaction_timeout();
        let first = self.established_mut(id).is_none_or(|it| !std::mem::replace(&mut it.referred, true));
        let cseq = request.essential.cseq.number;
        // RFC 3515 section 2.4.6: the first one needs no number.
        let event = if first { "refer".to_owned() } else { format!("refer;id={cseq}") };
        let watched = AddressOfRecord::new(target.user_text(), &target.host_text());
        let mut subscription = Subscription::new(
            Topic::Refer(id),
            event,
            (dialog, source),
            (device.clone(), watched),
            expires_at,
        );
        let wish =
            request.message.headers.first(&HeaderName::ReferSub).map(|value| value.text().into_owned());
        subscription.quiet = wish.is_some_and(|wish| wish.trim().eq_ignore_ascii_case("false"));
        subscription.request = Some((transaction, Box::new(request)));
        let refer = self.put_subscription(subscription);
        let (target, host) = (target.user_text(), target.host_text());
        let asked = ReferRequest { refer, session: id, device, target, host, replaces };
        self.emit(Event::Refer(Box::new(asked)));
    }

    /// Why this one cannot be thought about: nobody but a device of ours may transfer, once at a time.
    fn refer_refusal(&self, id: SessionId, repeated: bool) -> Option<u16> {
        let session = self.sessions.get(&id)?;
        let SessionState::Established(established) = &session.state else { return Some(603) };
        if session.device.is_none() || established.release {
            return Some(603);
        }
        if repeated {
            return Some(500);
        }
        if self.refers.contains_key(&id) {
            return Some(491);
        }
        (self.subscriptions.len() >= self.config.limits.subscriptions).then_some(503)
    }

    fn device_of(&self, id: SessionId) -> Option<AddressOfRecord> {
        self.sessions.get(&id)?.device.clone()
    }

    /// The user has decided.
    pub(super) fn answer_refer(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        answer: Result<(), (u16, String)>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let Some((transaction, request)) = subscription.request.take() else { return };
        let (quiet, destination) = (subscription.quiet, subscription.destination);
        subscription.expires_at = now + std::time::Duration::from_secs(LONGEST);
        match answer {
            Ok(()) => {
                let mut response = self.response_to(&request, 202, None);
                response.headers.push(HeaderName::Contact, self.contact(None, &destination, false));
                response.headers.push(HeaderName::Supported, "norefersub");
                if quiet {
                    response.headers.push(HeaderName::ReferSub, "false");
                }
                self.transactions.respond(now, transaction, response);
                self.tell(now, id, fragment(100, ""), None);
            }
            Err((status, why)) => {
                let status = if (400..700).contains(&status) { status } else { 603 };
                let mut response = self.response_to(&request, status, None);
                let why = plain(&why);
                if !why.is_empty() {
                    response
                        .headers
                        .push(HeaderName::Warning, format!("399 {} \"{why}\"", self.own_domain()));
                    response.reason = why;
                }
                self.transactions.respond(now, transaction, response);
                self.drop_subscription(id);
            }
        }
    }

    /// How far the call has come that the transfer led to; a final status is the last word.
    pub(super) fn refer_progress(&mut self, now: Instant, id: SubscriptionId, status: u16, reason: &str) {
        let known = self.subscriptions.get(&id).is_some_and(|it| matches!(it.topic, Topic::Refer(_)));
        if known && (100..700).contains(&status) {
            self.tell(now, id, fragment(status, &plain(reason)), (status >= 200).then_some("noresource"));
        }
    }

    /// A SUBSCRIBE about a transfer: more time, or (`Expires: 0`) no more news (RFC 3515 section 2.4.4).
    pub(super) fn refresh_refer(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        request: &Received<Request>,
        source: Hop,
    ) {
        let event = request.message.headers.typed::<EventPackage>().ok().flatten();
        if event.is_none_or(|event| event.package != "refer") {
            self.answer_statelessly(request, source, 489);
            return;
        }
        let seconds = super::subscribe::wanted_seconds(request).min(LONGEST);
        let mut response = self.response_in_dialog(request, 200);
        response.headers.push(HeaderName::Expires, seconds.to_string());
        response.headers.push(HeaderName::Contact, self.contact(None, &source, false));
        self.send_statelessly(response, source);
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        subscription.expires_at = now + std::time::Duration::from_secs(seconds);
        let body = subscription.last.clone().unwrap_or_else(|| fragment(100, ""));
        self.tell(now, id, body, (seconds == 0).then_some("timeout"));
    }
}

/// Where a transfer leads to: the address without its header fields, and the dialog to be replaced there. `Err` for what
/// is no call, or more than one.
fn referred(target: &ReferTo) -> Result<(Uri, Option<Replaces>), ()> {
    let mut uri = target.0.uri.clone();
    let Uri::Sip(sip) = &mut uri else {
        return if matches!(uri, Uri::Tel(_)) { Ok((uri, None)) } else { Err(()) };
    };
    let invites = sip.params.raw("method").is_none_or(|method| method.eq_ignore_ascii_case("INVITE"));
    if !invites || (matches!(sip.host, Host::Name(ref name) if name.is_empty())) {
        return Err(());
    }
    let mut replaces = None;
    for field in sip.headers.take().unwrap_or_default().split('&') {
        let Some((name, value)) = field.split_once('=') else { continue };
        // Require, Referred-By and the like say nothing to us; what we send is ours.
        if name.eq_ignore_ascii_case("Replaces") {
            replaces = Some(Replaces::parse(&unescape(value)).map_err(|_| ())?);
        }
    }
    Ok((uri, replaces))
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One line that may stand in a status line and in quotes.
fn plain(text: &str) -> String {
    text.chars()
        .map(|char| if char == '"' || char == '\\' { '\'' } else { char })
        .filter(|char| !char.is_control())
        .take(LONGEST_REASON)
        .collect()
}

/// The body of a NOTIFY about a transfer: a status line (RFC 3515 section 2.4.5).
fn fragment(status: u16, reason: &str) -> String {
    let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
    format!("SIP/2.0 {status} {reason}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_transfer_is_read_with_the_dialog_it_replaces() {
        let read = |text: &str| referred(&ReferTo::parse(text).unwrap());
        let (uri, replaces) =
            read("<sip:104@acme.test?Replaces=c%40x%3Bto-tag%3Da%3Bfrom-tag%3Db&Require=replaces>").unwrap();
        let replaces = replaces.unwrap();
        assert_eq!((uri.user_text().as_str(), replaces.dialog.call_id.as_str()), ("104", "c@x"));
        assert_eq!((replaces.dialog.local_tag.as_str(), replaces.dialog.remote_tag.as_str()), ("a", "b"));
        assert!(read("<tel:+12025550177>").unwrap().1.is_none());
        for bad in ["<http://x/>", "<sip:a@b;method=BYE>", "<sip:a@b?Replaces=x>"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(unescape("a%4"), "a%4");
        assert_eq!(fragment(486, ""), "SIP/2.0 486 Busy Here\r\n");
        assert_eq!(plain("say \"no\"\r\nX: y"), "say 'no'X: y");
    }
}
