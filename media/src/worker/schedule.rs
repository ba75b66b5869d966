//! When each room mixes: once in 20 ms, rooms spread over the milliseconds between, so that the work of a thread is
//! spread too.

use super::rooms::Place;

/// A wheel of steps of one millisecond. Allocates when rooms are added, never on the way.
#[derive(Debug)]
pub(super) struct Schedule {
    slots: [Vec<Place>; Self::SLOTS],
    /// The step that comes next.
    step: u64,
    /// The rooms of the step taken last.
    taken: Vec<Place>,
    rooms: usize,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { slots: [const { Vec::new() }; Self::SLOTS], step: 0, taken: Vec::new(), rooms: 0 }
    }
}

impl Schedule {
    /// Steps between two ticks of a room.
    pub(super) const STEPS: u64 = 20;
    /// A power of two above the longest way from one tick to the next.
    const SLOTS: usize = 64;

    /// Adds a room where the fewest are, and tells the step of its first tick.
    pub(super) fn add(&mut self, room: Place) -> u64 {
        self.rooms += 1;
        for slot in &mut self.slots {
            slot.reserve(self.rooms.saturating_sub(slot.len()));
        }
        self.taken.reserve(self.rooms.saturating_sub(self.taken.len()));
        let upcoming = self.step..self.step + Self::STEPS;
        let step = upcoming.min_by_key(|&step| self.slot(step).len()).unwrap_or(self.step);
        self.put(step, room);
        step
    }

    /// Removes a room whose next tick is in this step.
    pub(super) fn remove(&mut self, step: u64, room: Place) {
        self.rooms = self.rooms.saturating_sub(1);
        self.slot_mut(step).retain(|&other| other != room);
    }

    /// Plans a tick of a room, less than [`Self::SLOTS`] steps from now.
    pub(super) fn put(&mut self, step: u64, room: Place) {
        self.slot_mut(step).push(room);
    }

    /// The number of the step that comes next.
    pub(super) const fn next(&self) -> u64 {
        self.step
    }

    /// The rooms that mix in the step that comes next.
    pub(super) fn due(&self) -> &[Place] {
        self.slot(self.step)
    }

    /// Goes on to the next step; gives the number of this one and its rooms, which are to be put back.
    pub(super) fn take(&mut self) -> (u64, Vec<Place>) {
        let step = self.step;
        self.step += 1;
        let empty = std::mem::take(&mut self.taken);
        (step, std::mem::replace(self.slot_mut(step), empty))
    }

    /// Takes back the memory of [`Self::take`].
    pub(super) fn give_back(&mut self, mut taken: Vec<Place>) {
        taken.clear();
        self.taken = taken;
    }

    /// Steps in which nothing is due before the next one in which something is; at most [`Self::STEPS`].
    pub(super) fn idle_steps(&self) -> u64 {
        let upcoming = self.step..self.step + Self::STEPS;
        upcoming.take_while(|&step| self.slot(step).is_empty()).zip(1..).last().map_or(0, |(_, count)| count)
    }

    fn slot(&self, step: u64) -> &Vec<Place> {
        let [first, ..] = &self.slots;
        self.slots.get(Self::index(step)).unwrap_or(first)
    }

    fn slot_mut(&mut self, step: u64) -> &mut Vec<Place> {
        let index = Self::index(step);
        if index < Self::SLOTS
            && let Some(slot) = self.slots.get_mut(index)
        {
            return slot;
        }
        &mut self.taken
    }

    fn index(step: u64) -> usize {
        usize::try_from(step).unwrap_or(0) % Self::SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_spread_and_mix_once_in_twenty_steps() {
        let mut schedule = Schedule::default();
        let steps: Vec<u64> = (0..40).map(|n| schedule.add(n)).collect();
        for step in 0..20 {
            assert_eq!(steps.iter().filter(|&&other| other == step).count(), 2);
        }
        let mut ticks = [0; 40];
        for _ in 0..60 {
            let due = schedule.due().to_vec();
            let (step, taken) = schedule.take();
            assert_eq!(due, taken);
            for &n in &taken {
                ticks[n] += 1;
                schedule.put(step + Schedule::STEPS, n);
            }
            schedule.give_back(taken);
        }
        assert_eq!(ticks, [3; 40]);
    }

    #[test]
    fn a_removed_room_is_gone_and_idle_time_is_known() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.idle_steps(), 20);
        let step = schedule.add(1);
        schedule.put(step + 5, 2);
        assert_eq!(schedule.idle_steps(), 0);
        schedule.remove(step, 1);
        assert_eq!(schedule.idle_steps(), 5);
    }
}
