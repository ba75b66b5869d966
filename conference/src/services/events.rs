//! The event stream: one ring for everybody, read by each subscriber at its own pace.
//!
//! Identifiers grow by one without gaps, so that a reader who knows its last identifier can be given exactly what it
//! missed (D62). Nothing is buffered per subscriber: it holds a position in the ring, and one that falls out of the
//! ring is told so instead of holding anybody up.

use crate::ids::{MeetingId, TenantId};
use crate::live::event::PublicEvent;
use crate::vocabulary::UnixMillis;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many events are kept for readers who come back.
const RING: usize = 10_000;

/// One event with its place in the stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its place.
    pub id: u64,
    /// Such as `call.ringing`.
    pub kind: &'static str,
    /// When it happened.
    pub at: UnixMillis,
    /// The meeting it belongs to, if any.
    pub meeting: Option<MeetingId>,
    /// The details of this kind.
    pub data: serde_json::Value,
    /// Whose event it is. Not sent: the reader is of that tenant.
    #[serde(skip)]
    pub tenant: TenantId,
}

/// What a subscriber may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Only events of this tenant.
    pub tenant: TenantId,
    /// Only events of this meeting; without one, every meeting of the tenant if `all_meetings` says so.
    pub meeting: Option<MeetingId>,
    /// Whether events of every meeting are wanted and allowed.
    pub all_meetings: bool,
    /// Whether events that belong to no meeting (devices) are wanted and allowed.
    pub tenant_wide: bool,
    /// Whether events of the tenant's administration are wanted and allowed.
    pub administration: bool,
}

/// Kinds that only the tenant's admins are told.
fn is_administration(kind: &str) -> bool {
    ["user.", "user_request.", "multi_invite.", "api_key."].iter().any(|subject| kind.starts_with(subject))
}

impl EventFilter {
    fn lets_through(&self, event: &Event) -> bool {
        if event.tenant != self.tenant {
            return false;
        }
        match &event.meeting {
            None if is_administration(event.kind) => self.administration,
            None => self.tenant_wide,
            Some(meeting) => self.all_meetings || self.meeting.as_ref() == Some(meeting),
        }
    }
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    last_id: u64,
}

/// Where events are published and read. Clones share one ring.
#[derive(Clone, Debug)]
pub struct EventHub {
    ring: Arc<Mutex<Ring>>,
    last_id: Arc<watch::Sender<u64>>,
}

impl EventHub {
    /// An empty stream. Identifiers start above `first_id`; a start time in milliseconds keeps them growing over
    /// restarts, so that an old identifier is never taken for a new one.
    pub fn new(first_id: UnixMillis) -> Self {
        let ring = Ring { events: VecDeque::new(), last_id: first_id.0 };
        Self { ring: Arc::new(Mutex::new(ring)), last_id: Arc::new(watch::Sender::new(first_id.0)) }
    }

    /// Appends an event and wakes the readers. Never waits for any of them.
    pub fn publish(&self, event: PublicEvent) -> u64 {
        let PublicEvent { tenant, meeting, kind, at, data } = event;
        let id = {
            let mut ring = self.lock();
            ring.last_id += 1;
            let id = ring.last_id;
            if ring.events.len() == RING {
                ring.events.pop_front();
            }
            ring.events.push_back(Arc::new(Event { id, kind, at, meeting, data, tenant }));
            id
        };
        // Two publishers may get here in either order; the readers must see the larger one.
        self.last_id.send_modify(|last| *last = (*last).max(id));
        id
    }

    /// The identifier of the latest event.
    pub fn last_id(&self) -> u64 {
        self.lock().last_id
    }

    /// Starts reading after `after`, or after the latest event. [`Subscription::resumed`] says whether everything
    /// after `after` is still there.
    pub fn subscribe(&self, after: Option<u64>, filter: EventFilter) -> Subscription {
        let (position, resumed) = {
            let ring = self.lock();
            let oldest = ring.events.front().map_or(ring.last_id + 1, |event| event.id);
            match after {
                Some(after) if after <= ring.last_id && after + 1 >= oldest => (after, true),
                _ => (ring.last_id, false),
            }
        };
        Subscription { hub: self.clone(), filter, position, resumed, wake: self.last_id.subscribe() }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic while the lock is held cannot leave the ring half-changed in a way that matters.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader fell so far behind that events were lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader is more than {RING} events behind")]
pub struct TooSlow;

/// One reader's place in the stream.
#[derive(Debug)]
pub struct Subscription {
    hub: EventHub,
    filter: EventFilter,
    position: u64,
    resumed: bool,
    wake: watch::Receiver<u64>,
}

impl Subscription {
    /// The identifier after which reading goes on.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether reading goes on exactly where the reader left off.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Waits for the next event this reader may see.
    ///
    /// # Errors
    /// [`TooSlow`] when events the reader has not seen have left the ring.
    pub async fn next(&mut self) -> Result<Arc<Event>, TooSlow> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            // The hub keeps its sender, so this ends only with an event.
            if self.wake.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next event this reader may see, if there is one already.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn try_next(&mut self) -> Result<Option<Arc<Event>>, TooSlow> {
        // Marked as seen before looking, so that an event published meanwhile wakes the reader again.
        self.wake.borrow_and_update();
        let ring = self.hub.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(oldest) = ring.events.front().map(|event| event.id) else { return Ok(None) };
        if self.position + 1 < oldest {
            return Err(TooSlow);
        }
        let skip = usize::try_from(self.position + 1 - oldest).unwrap_or(usize::MAX);
        for event in ring.events.iter().skip(skip) {
            self.position = event.id;
            if self.filter.lets_through(event) {
                return Ok(Some(Arc::clone(event)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tenant: &str, meeting: Option<&str>) -> PublicEvent {
        PublicEvent {
            tenant: tenant.into(),
            meeting: meeting.map(MeetingId::from),
            kind: "call.ringing",
            at: UnixMillis(1),
            data: serde_json::Value::Null,
        }
    }

    fn of_meeting(tenant: &str, meeting: &str) -> EventFilter {
        EventFilter {
            tenant: tenant.into(),
            meeting: Some(meeting.into()),
            all_meetings: false,
            tenant_wide: true,
            administration: false,
        }
    }

    fn ids(subscription: &mut Subscription) -> Vec<u64> {
        std::iter::from_fn(|| subscription.try_next().unwrap().map(|event| event.id)).collect()
    }

    #[test]
    fn d62_resume_by_id_loses_and_doubles_nothing() {
        let hub = EventHub::new(UnixMillis(1000));
        let first = hub.publish(event("acme", Some("m1")));
        for _ in 0..3 {
            hub.publish(event("acme", Some("m1")));
        }
        let mut subscription = hub.subscribe(Some(first), of_meeting("acme", "m1"));
        assert!(subscription.resumed());
        assert_eq!(ids(&mut subscription), [1002, 1003, 1004]);
        hub.publish(event("acme", Some("m1")));
        assert_eq!(ids(&mut subscription), [1005]);
    }

    #[test]
    fn d61_other_tenants_and_other_meetings_are_not_seen() {
        let hub = EventHub::new(UnixMillis(0));
        let mut subscription = hub.subscribe(None, of_meeting("acme", "m1"));
        hub.publish(event("zeta", Some("m1")));
        hub.publish(event("zeta", None));
        hub.publish(event("acme", Some("m2")));
        hub.publish(event("acme", None));
        hub.publish(event("acme", Some("m1")));
        assert_eq!(ids(&mut subscription), [4, 5]);
    }

    #[test]
    fn an_unknown_id_starts_anew_and_says_so() {
        let hub = EventHub::new(UnixMillis(1000));
        hub.publish(event("acme", Some("m1")));
        for after in [0, 7, 5000] {
            let subscription = hub.subscribe(Some(after), of_meeting("acme", "m1"));
            assert!(!subscription.resumed());
            assert_eq!(subscription.position(), 1001);
        }
    }

    #[test]
    fn a_reader_that_falls_out_of_the_ring_is_told() {
        let hub = EventHub::new(UnixMillis(0));
        let mut subscription = hub.subscribe(None, of_meeting("acme", "m1"));
        for _ in 0..=RING {
            hub.publish(event("acme", Some("m1")));
        }
        assert_eq!(subscription.try_next(), Err(TooSlow));
        assert_eq!(hub.lock().events.len(), RING);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let hub = EventHub::new(UnixMillis(0));
        let mut subscription = hub.subscribe(None, of_meeting("acme", "m1"));
        let reader = tokio::spawn(async move { subscription.next().await.unwrap().id });
        tokio::task::yield_now().await;
        hub.publish(event("acme", Some("m1")));
        assert_eq!(reader.await.unwrap(), 1);
    }
}
