//! Going out of service without cutting anybody off (asks: deploy without cutting calls).

use super::{Focus, Refusal, RefusalKind, Reply};
use crate::ids::MeetingId;

impl Focus {
    /// From now on meetings that are empty stay empty.
    pub(super) fn drain(&mut self) -> Reply {
        self.draining = true;
        Reply::Done
    }

    /// Whether somebody may come in while the server goes out of service: only where others are already.
    pub(super) fn check_not_draining(&self, meeting: &MeetingId) -> Result<(), Refusal> {
        if self.draining && self.meeting(meeting)?.present() == 0 {
            return Err(Refusal::new(RefusalKind::Overload, "the server is going out of service")
                .mend("Try again in a minute"));
        }
        Ok(())
    }
}
