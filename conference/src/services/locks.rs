//! One lock per meeting for what must not happen twice at once.

use crate::ids::{MeetingId, TenantId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// Locks by meeting. Meetings nobody holds are forgotten.
#[derive(Default)]
pub(super) struct MeetingLocks(Mutex<BTreeMap<MeetingId, Arc<tokio::sync::Mutex<()>>>>);

impl MeetingLocks {
    /// Waits for the tenant's lock on calling out. Held from counting what was dialled until what is to be dialled is
    /// written, so that a limit is never passed by two presses at once.
    pub(super) async fn lock_dialling(&self, tenant: &TenantId) -> OwnedMutexGuard<()> {
        self.lock(&MeetingId::new(format!("dialling {tenant}"))).await
    }

    /// Waits for the meeting's lock. Held while a CALL is checked, written and handed over, so that two presses of
    /// the button see each other.
    pub(super) async fn lock(&self, meeting: &MeetingId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(meeting.clone()).or_default())
        };
        lock.lock_owned().await
    }
}
