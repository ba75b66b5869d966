//! SUBSCRIBE from phones of ours (RFC 6665): the roster of a meeting, whether a device is on the phone, and their own
//! registration.
//!
//! Each SUBSCRIBE is authenticated, refreshing ones too. Who may watch a meeting is the user's to decide; a device is
//! watched by devices of its own domain, a registration by its owner alone.

use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{Event, SubscribeRequest};
use super::register::Authentication;
use super::subscription::{Package, Subscription, SubscriptionId, Topic};
use crate::dialog::Dialog;
use crate::flow::Hop;
use crate::message::header::{EventPackage, Expires};
use crate::message::{HeaderName, Received, Request};
use crate::registrar::AddressOfRecord;

/// The shortest, the usual and the longest time of a subscription, in seconds.
const SHORTEST: u64 = 60;
const USUAL: u64 = 3_600;
const LONGEST: u64 = 3_600;

impl UserAgent {
    /// A SUBSCRIBE outside a dialog: a new subscription, or with `Expires: 0` one look.
    pub(super) fn receive_subscribe(&mut self, now: Instant, request: Received<Request>, source: Hop) {
        let claimed = request.essential.from.0.uri.clone();
        let device = match self.authenticate(now, &request, &claimed, source) {
            Authentication::Device(device, _) => device,
            Authentication::Refused(answer) => return self.send_statelessly(answer, source),
        };
        let (package, event) = match self.check_subscribe(&request, &device) {
            Ok(checked) => checked,
            Err(status) => return self.refuse_subscribe(&request, source, status),
        };
        let watched = AddressOfRecord::new(request.message.uri.user_text(), &request.message.uri.host_text());
        let watched =
            if package == Package::Conference { watched } else { self.own_device(watched, &device) };
        if let Err(status) = self.check_watched(package, &watched, &device) {
            return self.refuse_subscribe(&request, source, status);
        }
        let Some(transaction) = self.transactions.accept_request(&request, source) else {
            return self.answer_statelessly(&request, source, 503);
        };
        let dialog = Dialog::from_request(&request, &self.random.token());
        let until = now + self.config.timers.transaction_timeout();
        let people = (device.clone(), watched.clone());
        let mut subscription =
            Subscription::new(Topic::State(package), event.to_string(), (dialog, source), people, until);
        subscription.request = Some((transaction, Box::new(request)));
        let id = self.put_subscription(subscription);
        match self.document(package, &watched) {
            Some(body) => self.answer_subscription(now, id, Ok(body)),
            None => self.emit(Event::Subscribe(Box::new(SubscribeRequest {
                subscription: id,
                device,
                user: watched.user,
                domain: watched.domain,
            }))),
        }
    }

    fn check_subscribe(
        &self,
        request: &Received<Request>,
        device: &AddressOfRecord,
    ) -> Result<(Package, EventPackage), u16> {
        let event = request.message.headers.typed::<EventPackage>().map_err(|_| 400_u16)?;
        let event = event.ok_or(489_u16)?;
        // RFC 3515 section 2.4.4: that one begins with a REFER.
        let package =
            Package::parse(&event.package).ok_or(if event.package == "refer" { 403_u16 } else { 489 })?;
        let seconds = wanted_seconds(request);
        if seconds > 0 && seconds < SHORTEST {
            return Err(423);
        }
        let accepted = request.message.headers.tokens(&HeaderName::Accept);
        let matches = |kind: &String| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind == "*/*" || kind == "application/*" || kind.eq_ignore_ascii_case(package.content_type())
        };
        if !accepted.is_empty() && !accepted.iter().any(matches) {
            return Err(406);
        }
        let own = self.subscriptions.values().filter(|it| it.device == *device).count();
        let limits = &self.config.limits;
        if self.subscriptions.len() >= limits.subscriptions || own >= limits.subscriptions_per_device {
            return Err(503);
        }
        Ok((package, event))
    }

    fn refuse_subscribe(&mut self, request: &Received<Request>, source: Hop, status: u16) {
        let tag = self.stateless_tag(request);
        let mut response = self.response_to(request, status, Some(&tag));
        match status {
            423 => response.headers.push(HeaderName::MinExpires, SHORTEST.to_string()),
            489 => response.headers.push(HeaderName::AllowEvents, Package::ALLOWED),
            503 => response.headers.push(HeaderName::RetryAfter, "60"),
            _ => {}
        }
        self.send_statelessly(response, source);
    }

    /// A phone configured with our address instead of its domain means its own domain all the same.
    fn own_device(&self, watched: AddressOfRecord, device: &AddressOfRecord) -> AddressOfRecord {
        let same = AddressOfRecord::new(watched.user.clone(), &device.domain);
        if self.devices.contains_key(&watched) { watched } else { same }
    }

    fn check_watched(
        &self,
        package: Package,
        watched: &AddressOfRecord,
        device: &AddressOfRecord,
    ) -> Result<(), u16> {
        match package {
            Package::Conference => Ok(()),
            Package::Registration if watched == device => Ok(()),
            Package::Registration => Err(403),
            // Another tenant's devices do not exist.
            Package::Dialog if watched.domain != device.domain => Err(404),
            Package::Dialog => self.devices.get(watched).map(|_| ()).ok_or(404),
        }
    }

    /// The answer to a SUBSCRIBE with the first document, or the status to refuse it with.
    pub(super) fn answer_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        answer: Result<String, u16>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        let Some((transaction, request)) = subscription.request.take() else { return };
        let tag = subscription.dialog.id.local_tag.clone();
        let destination = subscription.destination;
        let seconds = wanted_seconds(&request).min(LONGEST);
        subscription.expires_at = now + Duration::from_secs(seconds);
        match answer {
            Ok(body) => {
                let mut response = self.response_to(&request, 200, Some(&tag));
                response.headers.push(HeaderName::Expires, seconds.to_string());
                response.headers.push(HeaderName::Contact, self.contact(None, &destination, false));
                self.transactions.respond(now, transaction, response);
                self.tell(now, id, body, (seconds == 0).then_some("timeout"));
            }
            Err(status) => {
                let status = if (400..700).contains(&status) { status } else { 403 };
                let response = self.response_to(&request, status, Some(&tag));
                self.transactions.respond(now, transaction, response);
                if let Some(subscription) = self.subscriptions.get_mut(&id) {
                    // Nobody has heard of it yet.
                    subscription.request = Some((transaction, request));
                }
                self.drop_subscription(id);
            }
        }
    }

    /// A request in the dialog of a subscription. Says whether there is one.
    pub(super) fn receive_in_subscription(
        &mut self,
        now: Instant,
        request: &Received<Request>,
        source: Hop,
    ) -> bool {
        let Some(id) = self.subscription_dialogs.get(&Dialog::id_of(request)).copied() else { return false };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return false };
        if request.message.method != crate::message::Method::Subscribe
            || !subscription.destination.same_host(&source)
        {
            return false;
        }
        if let Topic::Refer(_) = subscription.topic {
            self.refresh_refer(now, id, request, source);
            return true;
        }
        let claimed = request.essential.from.0.uri.clone();
        match self.authenticate(now, request, &claimed, source) {
            Authentication::Device(device, _) => self.refresh(now, id, &device, request, source),
            Authentication::Refused(answer) => self.send_statelessly(answer, source),
        }
        true
    }

    fn refresh(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        device: &AddressOfRecord,
        request: &Received<Request>,
        source: Hop,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&id).filter(|it| it.device == *device) else {
            return self.answer_statelessly(request, source, 403);
        };
        let seconds = wanted_seconds(request).min(LONGEST);
        if seconds > 0 && seconds < SHORTEST {
            return self.refuse_subscribe(request, source, 423);
        }
        if subscription.dialog.accept(request.essential.cseq.number).is_err() {
            return self.answer_statelessly(request, source, 500);
        }
        subscription.dialog.refresh_target(&request.message.headers);
        subscription.destination = source;
        subscription.expires_at = now + Duration::from_secs(seconds);
        let (topic, watched, last) =
            (subscription.topic, subscription.watched.clone(), subscription.last.clone());
        let mut response = self.response_to(request, 200, None);
        response.headers.push(HeaderName::Expires, seconds.to_string());
        response.headers.push(HeaderName::Contact, self.contact(None, &source, false));
        self.send_statelessly(response, source);
        let fresh = match topic {
            Topic::State(package) => self.document(package, &watched),
            Topic::Refer(_) => None,
        };
        let body = fresh.or(last).unwrap_or_default();
        self.tell(now, id, body, (seconds == 0).then_some("timeout"));
    }

    /// The user's news of what a subscription watches.
    pub(super) fn notify(&mut self, now: Instant, id: SubscriptionId, body: String) {
        let conference =
            self.subscriptions.get(&id).is_some_and(|it| it.topic == Topic::State(Package::Conference));
        if conference {
            self.tell(now, id, body, None);
        }
    }

    /// What a subscription watches is no more.
    pub(super) fn end_subscription(&mut self, now: Instant, id: SubscriptionId) {
        self.end_for(now, id, "noresource");
    }

    /// Ends a subscription with its last document and a reason of RFC 6665 section 4.1.3.
    pub(super) fn end_for(&mut self, now: Instant, id: SubscriptionId, reason: &'static str) {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return };
        if let Some((transaction, request)) = subscription.request.take() {
            self.answer_in_dialog(now, transaction, &request, 480);
            self.drop_subscription(id);
            return;
        }
        // There is no time to wait for an answer.
        subscription.forget_outstanding();
        let last = subscription.last.clone();
        self.tell(now, id, last.unwrap_or_default(), Some(reason));
    }

    /// A device was removed: it is told nothing any more.
    pub(super) fn end_subscriptions_of(&mut self, now: Instant, device: &AddressOfRecord) {
        let own = self.subscriptions.iter().filter(|(_, it)| it.device == *device || it.watched == *device);
        let own: Vec<SubscriptionId> = own.map(|(id, _)| *id).collect();
        for id in own {
            self.end_for(now, id, "rejected");
        }
    }
}

/// For how long the subscriber asks, in seconds.
pub(super) fn wanted_seconds(request: &Received<Request>) -> u64 {
    let expires = request.message.headers.typed::<Expires>().ok().flatten();
    expires.map_or(USUAL, |expires| u64::from(expires.0))
}
