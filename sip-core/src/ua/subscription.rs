//! What is kept of a subscription, and the NOTIFYs that tell its subscriber (RFC 6665 section 4.2).
//!
//! At most one NOTIFY of a subscription is on its way; what happens meanwhile is told by the next one, and only the
//! newest state counts. Documents of a state carry a version that grows by one with each NOTIFY.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::UserAgent;
use super::api::{Event, SessionId};
use super::session::Owner;
use crate::dialog::Dialog;
use crate::flow::Hop;
use crate::message::{HeaderName, Method, Received, Request, Response};
use crate::registrar::AddressOfRecord;
use crate::transaction::TransactionId;

/// What stands in a document where its version belongs.
pub(super) const VERSION: &str = "{version}";

/// Names a subscription, the one a REFER makes included; chosen by the user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// What a phone may subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Package {
    /// Who is in a meeting (RFC 4575).
    Conference,
    /// Whether a device is on the phone (RFC 4235).
    Dialog,
    /// Its own registration (RFC 3680).
    Registration,
}

impl Package {
    /// What may stand in Event.
    pub(super) const ALLOWED: &'static str = "conference, dialog, reg, refer";

    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "conference" => Some(Self::Conference),
            "dialog" => Some(Self::Dialog),
            "reg" => Some(Self::Registration),
            _ => None,
        }
    }

    /// The type of its documents.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Conference => "application/conference-info+xml",
            Self::Dialog => "application/dialog-info+xml",
            Self::Registration => "application/reginfo+xml",
        }
    }

    /// The shortest time from one NOTIFY to the next (RFC 3680 section 4.10, RFC 4235 section 3.10).
    fn gap(self) -> Duration {
        match self {
            Self::Conference | Self::Dialog => Duration::from_secs(1),
            Self::Registration => Duration::from_secs(5),
        }
    }
}

/// What a subscription is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// A transfer (RFC 3515), asked for within this session.
    Refer(SessionId),
    /// A state.
    State(Package),
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: Topic,
    /// The value of Event in its NOTIFYs.
    pub(super) event: String,
    /// Its dialog. That of a REFER is the session's as long as the session lives.
    pub(super) dialog: Dialog,
    pub(super) destination: Hop,
    /// Who subscribes.
    pub(super) device: AddressOfRecord,
    /// What is watched.
    pub(super) watched: AddressOfRecord,
    /// The request that waits for the user's answer.
    pub(super) request: Option<(TransactionId, Box<Received<Request>>)>,
    /// No NOTIFYs are wanted (RFC 4488).
    pub(super) quiet: bool,
    /// When it runs out.
    pub(super) expires_at: Instant,
    version: u32,
    outstanding: Option<TransactionId>,
    next: Option<Notice>,
    not_before: Option<Instant>,
    /// The document told last, for whoever refreshes.
    pub(super) last: Option<String>,
}

/// What the next NOTIFY tells.
#[derive(Debug)]
struct Notice {
    body: String,
    /// Why the subscription ends with it.
    ends: Option<&'static str>,
}

impl Subscription {
    pub(super) fn new(
        topic: Topic,
        event: String,
        (dialog, destination): (Dialog, Hop),
        (device, watched): (AddressOfRecord, AddressOfRecord),
        expires_at: Instant,
    ) -> Self {
        Self {
            topic,
            event,
            dialog,
            destination,
            device,
            watched,
            request: None,
            quiet: false,
            expires_at,
            version: 0,
            outstanding: None,
            next: None,
            not_before: None,
            last: None,
        }
    }

    /// No answer to the last NOTIFY is waited for.
    pub(super) fn forget_outstanding(&mut self) {
        self.outstanding = None;
    }

    /// When it wants to be looked at.
    fn next_timeout(&self) -> Instant {
        let told = self.not_before.filter(|_| self.next.is_some() && self.outstanding.is_none());
        told.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    fn content_type(&self) -> &'static str {
        match self.topic {
            Topic::Refer(_) => "message/sipfrag;version=2.0",
            Topic::State(package) => package.content_type(),
        }
    }
}

impl UserAgent {
    pub(super) fn put_subscription(&mut self, subscription: Subscription) -> SubscriptionId {
        self.last_subscription += 1;
        let id = SubscriptionId(self.last_subscription);
        if let Topic::State(Package::Dialog | Package::Registration) = subscription.topic {
            self.watchers.entry(subscription.watched.clone()).or_default().insert(id);
        }
        match subscription.topic {
            Topic::State(_) => drop(self.subscription_dialogs.insert(subscription.dialog.id.clone(), id)),
            Topic::Refer(session) => drop(self.refers.insert(session, id)),
        }
        self.subscriptions.insert(id, subscription);
        self.settle_subscription(id);
        id
    }

    /// Forgets a subscription without a word.
    pub(super) fn drop_subscription(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.remove(&id) else { return };
        self.subscription_deadlines.set(&id, None);
        self.subscription_dialogs.remove(&subscription.dialog.id);
        if let Topic::Refer(session) = subscription.topic {
            self.refers.remove(&session);
        }
        if let Some(watchers) = self.watchers.get_mut(&subscription.watched) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watchers.remove(&subscription.watched);
            }
        }
        if subscription.topic == Topic::State(Package::Conference) && subscription.request.is_none() {
            self.emit(Event::SubscriptionEnded { subscription: id });
        }
    }

    pub(super) fn settle_subscription(&mut self, id: SubscriptionId) {
        let next = self.subscriptions.get(&id).map(Subscription::next_timeout);
        self.subscription_deadlines.set(&id, next);
    }

    /// Tells the subscriber as soon as it may be told; `ends` says why nothing more follows.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        body: String,
        ends: Option<&'static str>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        // What ends the subscription is not overtaken by anything.
        if subscription.next.as_ref().is_none_or(|next| next.ends.is_none()) {
            subscription.last = Some(body.clone());
            subscription.next = Some(Notice { body, ends });
        }
        if subscription.quiet {
            if ends.is_some() {
                self.drop_subscription(id);
            }
            return;
        }
        self.tell_if_free(now, id);
    }

    fn tell_if_free(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let ends = subscription.next.as_ref().and_then(|next| next.ends);
        let early = ends.is_none() && subscription.not_before.is_some_and(|at| at > now);
        if subscription.outstanding.is_none()
            && subscription.request.is_none()
            && !early
            && let Some(notice) = subscription.next.take()
        {
            self.send_notify(now, id, &notice);
        }
        self.settle_subscription(id);
    }

    fn send_notify(&mut self, now: Instant, id: SubscriptionId, notice: &Notice) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let shared = match subscription.topic {
            Topic::Refer(session) => self.sessions.get_mut(&session),
            Topic::State(_) => None,
        };
        let shared = shared.and_then(|session| {
            let destination = session.destination;
            session.dialog_mut(&subscription.dialog.id).map(|dialog| (dialog, destination))
        });
        let (dialog, destination) = shared.unwrap_or((&mut subscription.dialog, subscription.destination));
        let mut request = dialog.request(Method::Notify);
        let left = subscription.expires_at.saturating_duration_since(now).as_secs();
        let state = match notice.ends {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={left}"),
        };
        let body = notice.body.replacen(VERSION, &subscription.version.to_string(), 1);
        request.headers.push(HeaderName::Event, subscription.event.clone());
        request.headers.push(HeaderName::SubscriptionState, state);
        request.headers.push(HeaderName::ContentType, subscription.content_type());
        request.body = Bytes::from(body);
        subscription.version = subscription.version.wrapping_add(1);
        subscription.not_before = match subscription.topic {
            Topic::Refer(_) => None,
            Topic::State(package) => Some(now + package.gap()),
        };
        request.headers.push(HeaderName::Contact, self.contact(None, &destination, false));
        self.finish_request(&mut request, &destination);
        let transaction = self.transactions.send_request(now, request, destination);
        let owner = if notice.ends.is_some() { Owner::Silent } else { Owner::Notify(id) };
        self.owners.insert(transaction, owner);
        match self.subscriptions.get_mut(&id) {
            Some(subscription) if notice.ends.is_none() => subscription.outstanding = Some(transaction),
            _ => self.drop_subscription(id),
        }
    }

    /// The answer to a NOTIFY. A subscriber that refuses it, or knows nothing of it, is told no more (RFC 6665
    /// section 4.2.2).
    pub(super) fn notify_response(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        response: &Received<Response>,
    ) {
        if !response.message.is_final() {
            return;
        }
        if response.message.status >= 300 {
            self.drop_subscription(id);
            return;
        }
        if let Some(subscription) = self.subscriptions.get_mut(&id) {
            subscription.outstanding = None;
        }
        self.tell_if_free(now, id);
    }

    /// A subscription's deadline: it has run out, its request was never answered, or it may be told again.
    pub(super) fn subscription_due(&mut self, now: Instant, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        if subscription.expires_at > now {
            self.tell_if_free(now, id);
            return;
        }
        if let Some((transaction, request)) = subscription.request.take() {
            self.answer_in_dialog(now, transaction, &request, 500);
            self.drop_subscription(id);
            return;
        }
        subscription.outstanding = None;
        let body = subscription.last.clone().unwrap_or_default();
        self.tell(now, id, body, Some("timeout"));
    }

    /// The session is about to be forgotten: what was asked for within it is told by its dialog all the same (RFC 5057
    /// section 4.1).
    pub(super) fn keep_dialog(&mut self, id: SessionId) {
        let Some(asked) = self.refers.get(&id).copied() else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(subscription) = self.subscriptions.get_mut(&asked) else { return };
        if let Some(dialog) = session.dialog_mut(&subscription.dialog.id) {
            subscription.dialog = dialog.clone();
            subscription.destination = session.destination;
        }
        self.subscription_dialogs.insert(subscription.dialog.id.clone(), asked);
    }
}
