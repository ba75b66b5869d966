//! How many calls a trunk carries, and how many a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::UserAgent;
use super::api::{EndCause, Event, OutgoingInvite, SessionId, Target, TrunkId};

/// What would wait for longer than this is refused at once.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Calls that may start at once are those of one second.
const BURST: Duration = Duration::from_secs(1);

/// The pace of one trunk.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the trunk will have had all the calls it was given, at its pace.
    full_until: Option<Instant>,
    /// Calls that wait for their turn, with its time.
    waiting: VecDeque<(Instant, OutgoingInvite)>,
}

impl Pace {
    /// When the next call may start; notes that it will. `None` if it would wait too long.
    fn next(&mut self, now: Instant, per_second: u32) -> Option<Instant> {
        let cost = Duration::from_secs(1) / per_second.max(1);
        let full_until = self.full_until.unwrap_or(now).max(now) + cost;
        let start = full_until.checked_sub(BURST.max(cost)).unwrap_or(now).max(now);
        if start.saturating_duration_since(now) > LONGEST_WAIT {
            return None;
        }
        self.full_until = Some(full_until);
        Some(start)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl UserAgent {
    /// Whether a call may go out now. `Ok(None)`: it waits for its turn.
    pub(super) fn admit_call(
        &mut self,
        now: Instant,
        order: OutgoingInvite,
    ) -> Result<Option<OutgoingInvite>, EndCause> {
        let Target::Trunk { trunk: id, .. } = order.target else { return Ok(Some(order)) };
        let entry = self.trunks.get(&id).ok_or(EndCause::TrunkUnknown)?;
        if entry.is_out(now) {
            return Err(EndCause::TrunkDown);
        }
        let limits = entry.trunk.limits;
        let (incoming, outgoing) = self.carried(id);
        let full = |limit: Option<u32>, calls: u32| limit.is_some_and(|limit| calls >= limit);
        if full(limits.outgoing, outgoing) || full(limits.total, incoming.saturating_add(outgoing)) {
            return Err(EndCause::TrunkBusy);
        }
        let (Some(per_second), Some(entry)) = (limits.calls_per_second, self.trunks.get_mut(&id)) else {
            return Ok(Some(order));
        };
        let start = entry.pace.next(now, per_second).ok_or(EndCause::TrunkBusy)?;
        if start <= now && entry.pace.waiting.is_empty() {
            return Ok(Some(order));
        }
        entry.pace.waiting.push_back((start, order));
        self.settle_pace(id);
        Ok(None)
    }

    /// Whether a trunk may send us one more call.
    pub(super) fn may_take_from(&self, id: TrunkId) -> bool {
        let Some(entry) = self.trunks.get(&id) else { return true };
        let limits = entry.trunk.limits;
        let (incoming, outgoing) = self.carried(id);
        let free = |limit: Option<u32>, calls: u32| limit.is_none_or(|limit| calls < limit);
        free(limits.incoming, incoming) && free(limits.total, incoming.saturating_add(outgoing))
    }

    /// The calls a trunk carries now: from it and to it, those that wait included.
    pub(super) fn carried(&self, id: TrunkId) -> (u32, u32) {
        let Some(entry) = self.trunks.get(&id) else { return (0, 0) };
        let waiting = u32::try_from(entry.pace.len()).unwrap_or(u32::MAX);
        let calls = self.sessions.iter().filter(|(_, session)| session.trunk == Some(id) && !session.ended);
        calls.fold((0, waiting), |(incoming, outgoing), (session, _)| match session {
            SessionId::Incoming(_) => (incoming + 1, outgoing),
            SessionId::Outgoing(_) => (incoming, outgoing + 1),
        })
    }

    /// Sends the INVITEs whose turn has come.
    pub(super) fn invite_waiting(&mut self, now: Instant, id: TrunkId) {
        while let Some(entry) = self.trunks.get_mut(&id)
            && entry.pace.waiting.front().is_some_and(|(start, _)| *start <= now)
        {
            if let Some((_, order)) = entry.pace.waiting.pop_front() {
                self.invite_now(now, order);
            }
        }
        self.settle_pace(id);
    }

    pub(super) fn is_waiting(&self, session: SessionId) -> bool {
        self.trunks.values().any(|entry| entry.pace.waiting.iter().any(|(_, order)| order.session == session))
    }

    /// Takes a call out of the queue; `false` if it is in none.
    pub(super) fn drop_waiting(&mut self, session: SessionId) -> bool {
        for entry in self.trunks.values_mut() {
            let before = entry.pace.waiting.len();
            entry.pace.waiting.retain(|(_, order)| order.session != session);
            if entry.pace.waiting.len() < before {
                return true;
            }
        }
        false
    }

    /// The trunk goes, or all of us: whoever waits for it need not.
    pub(super) fn drop_all_waiting(&mut self, id: TrunkId) {
        let waiting = self.trunks.get_mut(&id).map(|entry| std::mem::take(&mut entry.pace.waiting));
        for (_, order) in waiting.into_iter().flatten() {
            self.emit(Event::Ended { session: order.session, cause: EndCause::TrunkUnknown });
        }
        self.settle_pace(id);
    }

    fn settle_pace(&mut self, id: TrunkId) {
        let next = self.trunks.get(&id).and_then(|entry| entry.pace.waiting.front()).map(|(start, _)| *start);
        self.pace_deadlines.set(&id, next);
    }
}
