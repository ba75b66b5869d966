//! The states of devices that phones watch: on the phone or not (RFC 4235), registered or not (RFC 3680).
//!
//! A changed device is only noted down; once an input has been dealt with, its document is made anew, and sent if it is
//! another one. The other end of a call is nobody's business here: a document names neither numbers nor dialogs.

use std::fmt::Write as _;
use std::time::Instant;

use super::UserAgent;
use super::api::SessionId;
use super::session::SessionState;
use super::subscription::{Package, Topic, VERSION};
use crate::registrar::AddressOfRecord;
use crate::xml::escape;

/// How many calls of one device are told.
const MOST_CALLS: usize = 20;

impl UserAgent {
    /// Something about this device may have changed.
    pub(super) fn touch(&mut self, device: &AddressOfRecord) {
        if self.watchers.contains_key(device) {
            self.touched.insert(device.clone());
        }
    }

    /// Something about the device at the other end of this session may have changed.
    pub(super) fn touch_session(&mut self, id: SessionId) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(device) = self.sessions.get(&id).and_then(|session| session.device.clone()) {
            self.touch(&device);
        }
    }

    /// Tells whoever watches what has changed.
    pub(super) fn tell_watchers(&mut self, now: Instant) {
        while let Some(device) = self.touched.pop_first() {
            let watchers = self.watchers.get(&device).cloned().unwrap_or_default();
            for id in watchers {
                let Some(subscription) = self.subscriptions.get(&id) else { continue };
                let Topic::State(package) = subscription.topic else { continue };
                let Some(body) = self.document(package, &device) else { continue };
                if self.subscriptions.get(&id).is_some_and(|it| it.last.as_deref() != Some(&body)) {
                    self.tell(now, id, body, None);
                }
            }
        }
    }

    /// The state of a device as it is now; `None` for what only the user knows.
    pub(super) fn document(&self, package: Package, device: &AddressOfRecord) -> Option<String> {
        match package {
            Package::Conference => None,
            Package::Dialog => Some(self.dialog_info(device)),
            Package::Registration => Some(self.registration_info(device)),
        }
    }

    fn dialog_info(&self, device: &AddressOfRecord) -> String {
        let mut text = format!(
            "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
             version=\"{VERSION}\" state=\"full\" entity=\"{}\">\r\n",
            escape(&device.to_string())
        );
        let calls = self.sessions.iter().filter(|(_, session)| session.device.as_ref() == Some(device));
        for (id, session) in calls.take(MOST_CALLS) {
            let (name, direction) = match id {
                SessionId::Outgoing(number) => (format!("o{number}"), "recipient"),
                SessionId::Incoming(number) => (format!("i{number}"), "initiator"),
            };
            let state = match &session.state {
                SessionState::Calling(_) | SessionState::Incoming(_) => "early",
                SessionState::Established(_) => "confirmed",
                SessionState::Releasing(_) => "terminated",
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "<dialog id=\"{name}\" direction=\"{direction}\"><state>{state}</state></dialog>\r\n"
            );
        }
        text + "</dialog-info>\r\n"
    }

    fn registration_info(&self, device: &AddressOfRecord) -> String {
        let bindings = self.registrar.bindings(device);
        let state = if bindings.is_empty() { "terminated" } else { "active" };
        let aor = escape(&device.to_string());
        let mut text = format!(
            "<?xml version=\"1.0\"?>\r\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{VERSION}\" \
             state=\"full\">\r\n<registration aor=\"{aor}\" id=\"{}\" state=\"{state}\">\r\n",
            self.tag_of(&aor, "aor")
        );
        for binding in bindings {
            let name = self.tag_of(&binding.contact, &binding.call_id);
            let _ = write!(
                text,
                "<contact id=\"{name}\" state=\"active\" event=\"registered\"><uri>{}</uri></contact>\r\n",
                escape(&binding.contact)
            );
        }
        text + "</registration>\r\n</reginfo>\r\n"
    }
}
