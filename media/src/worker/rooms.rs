//! The rooms of a worker, found by place without a search, or by their ids.

use std::collections::BTreeMap;

use super::room::Room;
use super::types::RoomId;

/// Where a room is kept while it lives.
pub(super) type Place = usize;

/// Rooms in places that are used again.
#[derive(Default)]
pub(super) struct Rooms {
    places: Vec<Option<Box<Room>>>,
    free: Vec<Place>,
    index: BTreeMap<RoomId, Place>,
}

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, room: RoomId) -> Option<Place> {
        self.index.get(&room).copied()
    }

    /// Adds a room that is not there yet; `make` is told its place.
    pub(super) fn add(&mut self, room: RoomId, make: impl FnOnce(Place) -> Room) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.index.insert(room, place);
        if let Some(empty) = self.places.get_mut(place) {
            *empty = Some(Box::new(make(place)));
        }
        place
    }

    pub(super) fn remove(&mut self, place: Place) {
        if let Some(room) = self.places.get_mut(place).and_then(Option::take) {
            self.index.remove(&room.id);
            self.free.push(place);
        }
    }

    pub(super) fn get(&self, place: Place) -> Option<&Room> {
        self.places.get(place)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Room> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.places.iter().filter_map(Option::as_deref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Room> {
        self.places.iter_mut().filter_map(Option::as_deref_mut)
    }
}
