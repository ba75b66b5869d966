//! Session timers, RFC 4028: a session whose peer has died does not live for ever.
//!
//! A peer that does not know them is refreshed by us all the same: what it answers is its sign of life. Only a
//! peer that takes part must keep to the time; of the others it is enough that they answer.

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{EndCause, SessionId};
use super::session::{Owner, SessionState, Updating};
use crate::message::header::{Allow, CSeq, MinSe, Refresher, SessionExpires};
use crate::message::{HeaderName, Headers, Limits, Method, Received, Request, Response};
use crate::transaction::TransactionId;

/// RFC 4028 section 4.
const SHORTEST: u32 = 90;
/// The longest interval a peer can make us ask for.
const LONGEST: u32 = 86_400;
/// RFC 4028 section 10: the session ends this long before its interval does, or a third of it.
const MARGIN: u32 = 32;

/// Who keeps a session alive, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionTimer {
    seconds: u32,
    /// We refresh.
    ours: bool,
    /// The peer takes part.
    strict: bool,
    /// The peer knows UPDATE, which needs no offer.
    update: bool,
    refresh_at: Option<Instant>,
    expires_at: Option<Instant>,
}

impl SessionTimer {
    fn new(now: Instant, seconds: u32, ours: bool, strict: bool, headers: &Headers) -> Self {
        let allow = headers.typed_list::<Allow>().unwrap_or_default();
        let update = allow.iter().any(|allow| allow.0.contains(&Method::Update));
        let after = |seconds: u32| now + Duration::from_secs(u64::from(seconds));
        Self {
            seconds,
            ours,
            strict,
            update,
            refresh_at: ours.then(|| after(seconds / 2)),
            expires_at: strict.then(|| after(seconds - MARGIN.min(seconds / 3))),
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.refresh_at.into_iter().chain(self.expires_at).min()
    }

    /// Counts anew, after a refresh of ours that said nothing about time.
    fn again_at(&mut self, at: Instant) {
        self.refresh_at = Some(at);
    }
}

/// What the INVITE of a call says about session timers.
pub(super) fn propose(headers: &mut Headers, limits: &Limits) {
    if limits.session_expires > 0 {
        let seconds = limits.session_expires.max(shortest(limits));
        headers.push_typed(&SessionExpires { seconds, refresher: None });
        headers.push_typed(&MinSe(shortest(limits)));
    }
}

/// The shortest interval we take, for a 422.
pub(super) fn shortest_interval(limits: &Limits) -> MinSe {
    MinSe(shortest(limits))
}

fn shortest(limits: &Limits) -> u32 {
    limits.min_session_expires.max(SHORTEST)
}

/// The timer that follows from a 2xx to a request of ours (section 7.2); without Session-Expires the peer does
/// not take part.
pub(super) fn timer_of_response(now: Instant, headers: &Headers, limits: &Limits) -> Option<SessionTimer> {
    let agreed = headers.typed::<SessionExpires>().ok().flatten();
    match agreed {
        Some(SessionExpires { seconds, refresher }) => {
            let ours = refresher != Some(Refresher::Uas);
            Some(SessionTimer::new(now, seconds.max(SHORTEST), ours, true, headers))
        }
        None if limits.session_expires == 0 => None,
        None => {
            let seconds = limits.session_expires.max(SHORTEST);
            Some(SessionTimer::new(now, seconds, true, false, headers))
        }
    }
}

/// The timer we answer a request of the peer with (section 9), or the shortest interval we take (422).
pub(super) fn timer_of_request(
    now: Instant,
    headers: &Headers,
    limits: &Limits,
) -> Result<Option<SessionTimer>, MinSe> {
    let tokens = |name| headers.tokens(name);
    let supported = [HeaderName::Supported, HeaderName::Require]
        .iter()
        .any(|name| tokens(name).iter().any(|token| token.eq_ignore_ascii_case("timer")));
    let asked = headers.typed::<SessionExpires>().ok().flatten();
    let shortest = shortest(limits);
    if supported && asked.is_some_and(|asked| asked.seconds < shortest) {
        return Err(MinSe(shortest));
    }
    let theirs = headers.typed::<MinSe>().ok().flatten().map_or(0, |min| min.0);
    let limit = Some(limits.session_expires).filter(|limit| *limit > 0);
    let wish = match (asked, limit) {
        (Some(asked), Some(limit)) => asked.seconds.min(limit.max(theirs)),
        (Some(asked), None) => asked.seconds,
        (None, Some(limit)) => limit,
        (None, None) => return Ok(None),
    };
    let seconds = wish.clamp(shortest, LONGEST.max(shortest));
    let ours = !supported || asked.and_then(|asked| asked.refresher) == Some(Refresher::Uas);
    Ok(Some(SessionTimer::new(now, seconds, ours, supported, headers)))
}

/// Session-Expires and Require of a 2xx (section 9).
pub(super) fn confirm(response: &mut Response, timer: Option<&SessionTimer>) {
    let Some(timer) = timer else { return };
    let refresher = Some(if timer.ours { Refresher::Uas } else { Refresher::Uac });
    response.headers.push_typed(&SessionExpires { seconds: timer.seconds, refresher });
    if !timer.ours {
        response.headers.push(HeaderName::Require, "timer");
    }
}

/// After a 422: the same request with the interval the peer wants; `None` if it was raised before or is
/// senseless (section 7.4).
pub(super) fn raise_interval(request: &mut Request, response: &Received<Response>) -> Option<()> {
    if response.message.status != 422 {
        return None;
    }
    let wanted = response.message.headers.typed::<MinSe>().ok().flatten()?.0;
    let asked = request.headers.typed::<SessionExpires>().ok().flatten()?;
    if wanted <= asked.seconds || wanted > LONGEST {
        return None;
    }
    request.headers.set(HeaderName::SessionExpires, SessionExpires { seconds: wanted, ..asked }.to_string());
    request.headers.set(HeaderName::MinSe, wanted.to_string());
    let cseq = request.headers.typed::<CSeq>().ok().flatten()?;
    request.headers.set(HeaderName::CSeq, format!("{} {}", cseq.number + 1, cseq.method));
    Some(())
}

impl UserAgent {
    /// Session-Expires of a request that keeps a session alive: its sender goes on doing so, or the other side.
    pub(super) fn keep_timer(&self, id: SessionId, request: &mut Request) {
        let timer = match self.sessions.get(&id).map(|session| &session.state) {
            Some(SessionState::Established(established)) => established.timer.as_ref(),
            Some(SessionState::Calling(_) | SessionState::Incoming(_) | SessionState::Releasing(_))
            | None => None,
        };
        request.headers.push(HeaderName::Supported, "timer");
        if let Some(timer) = timer {
            let refresher = timer.strict.then_some(if timer.ours { Refresher::Uac } else { Refresher::Uas });
            request.headers.push_typed(&SessionExpires { seconds: timer.seconds, refresher });
        }
    }

    /// The peer has shown that it is alive.
    pub(super) fn restart_timer(&mut self, id: SessionId, timer: Option<SessionTimer>) {
        if let Some(established) = self.sessions.get_mut(&id).and_then(|session| session.established_mut()) {
            established.timer = timer;
        }
        self.settle(id);
    }

    /// A refresh is due, or the peer's has not come.
    pub(super) fn session_timer_due(&mut self, now: Instant, id: SessionId) {
        let longest_wait = self.config.timers.transaction_timeout();
        let Some(established) = self.sessions.get_mut(&id).and_then(|session| session.established_mut())
        else {
            return;
        };
        let negotiating = established.is_negotiating();
        let Some(timer) = &mut established.timer else { return };
        if timer.expires_at.is_some_and(|at| at <= now) {
            self.session_lost(now, id);
        } else if timer.refresh_at.is_some_and(|at| at <= now) {
            if negotiating {
                // What is under way tells as much; look again when it is over.
                timer.again_at(now + longest_wait);
                return;
            }
            timer.again_at(now + Duration::from_secs(u64::from(timer.seconds / 2)));
            if timer.update {
                self.send_update(now, id);
            } else if !established.local.is_empty() {
                let body = established.local.clone();
                self.send_reinvite(now, id, body, true);
            }
        }
    }

    /// The peer is not there any more: BYE, in case it is after all.
    pub(super) fn session_lost(&mut self, now: Instant, id: SessionId) {
        self.end(id, EndCause::NoResponse);
        self.release(now, id);
    }

    /// A refresh without an offer (RFC 4028 section 7.4, RFC 3311).
    fn send_update(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let destination = session.destination;
        let Some(established) = session.established_mut() else { return };
        let mut request = established.dialog.request(Method::Update);
        request.headers.push(HeaderName::Contact, self.contact(None, &destination, false));
        self.keep_timer(id, &mut request);
        self.finish_request(&mut request, &destination);
        self.send_updating(now, Updating { session: id, request, challenges: 0 });
    }

    fn send_updating(&mut self, now: Instant, updating: Updating) {
        let Some(session) = self.sessions.get(&updating.session) else { return };
        let transaction = self.transactions.send_request(now, updating.request.clone(), session.destination);
        self.owners.insert(transaction, Owner::Update(Box::new(updating)));
    }

    pub(super) fn update_response(&mut self, now: Instant, id: TransactionId, response: &Received<Response>) {
        if !response.message.is_final() {
            return;
        }
        let Some(Owner::Update(updating)) = self.owners.remove(&id) else { return };
        let Updating { session, mut request, challenges } = *updating;
        match response.message.status {
            200..300 => {
                let timer = timer_of_response(now, &response.message.headers, &self.config.limits);
                self.restart_timer(session, timer);
            }
            // RFC 3311 section 5.4 with RFC 3261 section 12.2.1.2.
            408 | 481 => self.session_lost(now, session),
            _ => {
                let trunk = self.trunk_of(session);
                let hop = self.sessions.get(&session).map(|session| session.destination);
                let again = trunk.zip(hop).and_then(|(trunk, hop)| {
                    self.authorize(&mut request, &trunk, (challenges, &hop), response)
                });
                if again.is_some() {
                    self.count_request(session);
                    self.send_updating(now, Updating { session, request, challenges: challenges + 1 });
                }
            }
        }
    }
}
