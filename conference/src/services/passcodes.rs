//! Guessing passcodes: so many wrong ones for a meeting, then none is looked at for a while.

use super::error::{ErrorKind, ServiceError};
use crate::ids::MeetingId;
use crate::vocabulary::UnixMillis;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Wrong passcodes per meeting within [`WINDOW_MS`].
const WRONG_MAX: u32 = 20;
/// Ten minutes.
const WINDOW_MS: u64 = 600_000;
/// Meetings remembered; the oldest give way.
const MEETINGS_MAX: usize = 10_000;

/// Wrong passcodes by meeting, since when and how many.
#[derive(Debug, Default)]
pub(super) struct Passcodes(Mutex<BTreeMap<MeetingId, (UnixMillis, u32)>>);

impl Passcodes {
    /// Whether a passcode may be tried now.
    pub(super) fn check(&self, meeting: &MeetingId, now: UnixMillis) -> Result<(), ServiceError> {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tries.get(meeting) {
            Some((since, wrong)) if *wrong >= WRONG_MAX && now.0 < since.0.saturating_add(WINDOW_MS) => {
                Err(ServiceError::new(ErrorKind::TooMany, "Too many wrong passcodes for this meeting")
                    .mend("Try again in ten minutes, or ask a Host for a personal link"))
            }
            _ => Ok(()),
        }
    }

    /// Notes a wrong passcode. One that was not sent at all is no guess.
    pub(super) fn note_wrong(&self, meeting: &MeetingId, sent: bool, now: UnixMillis) {
        if !sent {
            return;
        }
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MEETINGS_MAX && !tries.contains_key(meeting) {
            tries.retain(|_, (since, _)| now.0 < since.0.saturating_add(WINDOW_MS));
            if tries.len() >= MEETINGS_MAX {
                return;
            }
        }
        let entry = tries.entry(meeting.clone()).or_insert((now, 0));
        if now.0 >= entry.0.0.saturating_add(WINDOW_MS) {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}
