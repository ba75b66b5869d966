//! Texts to phones (MESSAGE, RFC 3428): how to join, for whoever has missed the call into a meeting.

use super::Focus;
use crate::ids::{CallId, MeetingId};
use crate::live::call::DialTarget;
use crate::live::speech::Language;
use crate::vocabulary::{CallState, Cause};
use sip_core::ua::Command as SipCommand;

impl Focus {
    /// A call has come to its end: a registered phone that did not answer is told in writing how to join, if it can show
    /// that. Outside numbers never are.
    pub(super) fn text_missed(
        &mut self,
        id: &MeetingId,
        call: &CallId,
        state: CallState,
        cause: Option<Cause>,
    ) {
        if state != CallState::Failed || !matches!(cause, Some(Cause::NoAnswer | Cause::Busy)) {
            return;
        }
        let Some(meeting) = self.meetings.get(id).filter(|meeting| !meeting.ending) else { return };
        let Some(spec) = meeting.calls.get(call).map(|call| call.spec()) else { return };
        let DialTarget::Device { aor, .. } = &spec.target else { return };
        let language = self.languages.get(&meeting.spec.tenant).copied().unwrap_or_default();
        let (host, title, number) = (&spec.caller.display_name, &meeting.spec.title, &meeting.spec.number);
        let text = match language {
            Language::English => format!("{host} called you into {title}. To join, dial {number}."),
            Language::French => {
                format!("{host} vous a appelé pour {title}. Pour participer, composez le {number}.")
            }
        };
        let device = aor.clone();
        self.sip(SipCommand::Message { device, text });
    }
}
