//! Phones that change rooms: a caller is spoken to before it is known which meeting is meant, and that meeting may live
//! on another worker. The stream goes on: same port, same SSRC, same sequence numbers.

use std::fmt;
use std::time::Instant;

use super::Worker;
use super::leg::Leg;
use super::types::{Command, LegId, RoomId};

/// A phone between two workers.
pub struct TravellingLeg(Box<Leg>);

impl fmt::Debug for TravellingLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TravellingLeg").field(&self.0.id).finish()
    }
}

impl Worker {
    /// Commands kept for a leg that is on its way. It takes less than a tick, so there are few.
    const KEPT: usize = 64;

    /// Takes a phone out of its room, to be handed to [`Self::put_leg`] of another worker. `None` if there is no such
    /// phone.
    pub fn take_leg(&mut self, leg: LegId) -> Option<TravellingLeg> {
        let place = *self.index.get(&leg)?;
        let room = self.rooms.get_mut(place)?;
        let taken = room.take(leg, self.config.max_voices)?;
        self.index.remove(&leg);
        if room.is_empty() {
            self.schedule.remove(room.next_step, place);
            self.rooms.remove(place);
        }
        Some(TravellingLeg(Box::new(taken)))
    }

    /// Puts a phone from another worker into a room, and does what it was told meanwhile. Says whether it was
    /// expected: if not, it was removed while on its way, and is gone.
    pub fn put_leg(&mut self, now: Instant, room: RoomId, leg: TravellingLeg) -> bool {
        let TravellingLeg(leg) = leg;
        let Some(commands) = self.expected.remove(&leg.id) else { return false };
        self.add(now, room, *leg);
        commands.into_iter().for_each(|command| self.handle_command(now, command));
        true
    }

    pub(super) fn move_leg(&mut self, now: Instant, leg: LegId, room: RoomId) {
        if let Some(TravellingLeg(leg)) = self.take_leg(leg) {
            self.add(now, room, *leg);
        }
    }

    pub(super) fn expect_leg(&mut self, leg: LegId) {
        self.expected.entry(leg).or_default();
    }

    /// Gives the command back if it can be carried out now.
    pub(super) fn keep_for_later(&mut self, command: Command) -> Option<Command> {
        let leg = command.leg();
        let Some(waiting) = self.expected.get_mut(&leg) else { return Some(command) };
        if matches!(command, Command::RemoveLeg { .. }) {
            self.expected.remove(&leg);
        } else if waiting.len() < Self::KEPT {
            waiting.push(command);
        }
        None
    }
}
