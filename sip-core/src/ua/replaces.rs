//! An INVITE that takes the place of a call (RFC 3891): the second half of an attended transfer.

use super::UserAgent;
use super::api::{Origin, SessionId};
use super::session::SessionState;
use crate::message::header::Replaces;
use crate::message::{Received, Request};

impl UserAgent {
    /// The session whose place the caller wants to take. Whoever knows its tags has got them from one of its ends; beyond
    /// that, both must be devices of one domain, and the call must stand.
    pub(super) fn replaced(
        &self,
        request: &Received<Request>,
        origin: &Origin,
    ) -> Result<Option<SessionId>, u16> {
        let replaces = match request.message.headers.typed::<Replaces>() {
            Ok(None) => return Ok(None),
            Ok(Some(replaces)) => replaces,
            Err(_) => return Err(400),
        };
        let id = self.dialogs.get(&replaces.dialog).copied().ok_or(481_u16)?;
        let session = self.sessions.get(&id).ok_or(481_u16)?;
        let Origin::Device(caller) = origin else { return Err(403) };
        if session.device.as_ref().is_none_or(|device| device.domain != caller.domain) {
            return Err(403);
        }
        match &session.state {
            // Section 3: only a dialog that the receiver itself began may be replaced while it is early; and what rings
            // for somebody here is nobody else's to pick up.
            SessionState::Incoming(_) => Err(481),
            SessionState::Calling(_) => Err(403),
            SessionState::Releasing(_) => Err(603),
            SessionState::Established(established) if established.release => Err(603),
            SessionState::Established(_) if replaces.early_only => Err(486),
            SessionState::Established(_) => Ok(Some(id)),
        }
    }
}
