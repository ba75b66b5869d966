//! Which browser's page is still there.
//!
//! A browser's leg lives as long as its page: the page names the leg when it opens the event stream. When that socket
//! closes and no new one names the leg within five seconds (a reload, a change of network), the leg leaves. A page that
//! closes its socket with code 1000 says that it leaves on purpose: nobody waits for it.

use conference::ids::PersonId;
use conference::services::{LegId, Services};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a leg stays without a socket.
const GRACE: Duration = Duration::from_secs(5);
/// How long a page may take from the answer to its offer until it opens the event stream.
const FIRST_SOCKET: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Entry {
    person: PersonId,
    sockets: u32,
    /// Counts openings and closings: a timer that finds it changed has been overtaken.
    turn: u64,
    /// Set once the same person has joined anew, from another window, say.
    replaced: watch::Sender<bool>,
}

/// The legs of browsers and their sockets. Clones share them.
#[derive(Clone)]
pub(crate) struct Presence {
    legs: Arc<Mutex<BTreeMap<u64, Entry>>>,
    services: Arc<Services>,
}

impl Presence {
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { legs: Arc::default(), services }
    }

    /// A browser has joined; its page has yet to open the event stream. A person has one leg: pages that hold an older
    /// one are told.
    pub(crate) fn joined(&self, leg: LegId, person: PersonId) {
        self.with(|legs| {
            for older in legs.values().filter(|entry| entry.person == person) {
                older.replaced.send_replace(true);
            }
            legs.insert(leg.0, Entry { person, sockets: 0, turn: 0, replaced: watch::Sender::new(false) });
        });
        self.leave_later(leg, 0, FIRST_SOCKET);
    }

    /// A page has opened the event stream and names its leg. Somebody else's leg is not theirs to hold or to end.
    pub(crate) fn open(&self, leg: LegId, person: Option<&PersonId>) -> Option<PresenceGuard> {
        let own = self.with(|legs| {
            let entry = legs.get_mut(&leg.0).filter(|entry| Some(&entry.person) == person)?;
            entry.sockets += 1;
            entry.turn += 1;
            Some(entry.replaced.subscribe())
        });
        own.map(|replaced| PresenceGuard { presence: self.clone(), leg, grace: GRACE, replaced })
    }

    fn close(&self, leg: LegId, grace: Duration) {
        let turn = self.with(|legs| {
            let entry = legs.get_mut(&leg.0)?;
            entry.sockets = entry.sockets.saturating_sub(1);
            entry.turn += 1;
            (entry.sockets == 0).then_some(entry.turn)
        });
        if let Some(turn) = turn {
            self.leave_later(leg, turn, grace);
        }
    }

    fn leave_later(&self, leg: LegId, turn: u64, after: Duration) {
        // Outside a runtime (the process is ending) there is nothing left to leave.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let presence = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(after).await;
            let alone = presence.with(|legs| {
                let alone = legs.get(&leg.0).is_some_and(|entry| entry.sockets == 0 && entry.turn == turn);
                if alone {
                    legs.remove(&leg.0);
                }
                alone
            });
            if alone {
                presence.services.browser_gone(leg).await;
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<u64, Entry>) -> T) -> T {
        act(&mut self.legs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Held by the socket that named a leg; when it is dropped, the socket is gone.
pub(crate) struct PresenceGuard {
    presence: Presence,
    leg: LegId,
    grace: Duration,
    replaced: watch::Receiver<bool>,
}

impl PresenceGuard {
    /// Returns once the person has joined anew with another leg; never otherwise.
    pub(crate) async fn replaced(&mut self) {
        if self.replaced.wait_for(|replaced| *replaced).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The page will not come back, so its leg leaves with this socket, unless another socket names it too.
    pub(crate) fn leave_on_purpose(&mut self) {
        self.grace = Duration::ZERO;
    }
}

impl Drop for PresenceGuard {
    fn drop(&mut self) {
        self.presence.close(self.leg, self.grace);
    }
}
