//! Asking the peer of a call whether it is still there: OPTIONS within the dialog (RFC 3261 sections 11 and 12.2).

use std::time::Instant;

use super::UserAgent;
use super::api::{Event, SessionId};
use super::session::Owner;
use crate::message::header::Contact;
use crate::message::{HeaderName, Method, Received, Response};

/// So many places that a 3xx names are handed on.
const MOST_CONTACTS: usize = 8;

impl UserAgent {
    pub(super) fn check(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let destination = session.destination;
        let Some(established) = session.established_mut() else { return };
        let mut request = established.dialog.request(Method::Options);
        request.headers.push(HeaderName::Accept, "application/sdp");
        self.finish_request(&mut request, &destination);
        let transaction = self.transactions.send_request(now, request, destination);
        self.owners.insert(transaction, Owner::Check(id));
    }

    /// Whatever the peer answers, it is there; only 408 and 481 say that it is not, or knows nothing of the call.
    pub(super) fn check_response(&mut self, id: SessionId, response: &Received<Response>) {
        if response.message.is_final() && ![408, 481].contains(&response.message.status) {
            self.emit(Event::Alive { session: id });
        }
    }

    /// The places a 3xx names, in its order, for whoever decides about them.
    pub(super) fn report_contacts(&mut self, id: SessionId, response: &Received<Response>) {
        if !(300..400).contains(&response.message.status) {
            return;
        }
        let listed = response.message.headers.typed_list::<Contact>().unwrap_or_default();
        let contacts: Vec<String> = listed
            .iter()
            .filter_map(Contact::address)
            .map(|address| address.uri.to_string())
            .take(MOST_CONTACTS)
            .collect();
        if !contacts.is_empty() {
            self.emit(Event::Redirected { session: id, contacts });
        }
    }

    /// Whether this user agent may register the device: one that has a filter must begin with it (the case apart).
    pub(super) fn is_agent_allowed(&self, device: &crate::registrar::AddressOfRecord, agent: &str) -> bool {
        let filter = self.devices.get(device).and_then(|account| account.agent_filter.as_deref());
        filter.is_none_or(|filter| {
            agent.get(..filter.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(filter))
        })
    }
}
