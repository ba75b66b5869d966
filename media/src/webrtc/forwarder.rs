//! Forwards video between the browsers of one room.
//!
//! Every receiver has a fixed number of slots, negotiated once. Whoever sends video gets the first free slot of
//! every other receiver, in join order, and keeps it until the video stops; nobody is shown to himself. A slot
//! begins with a key frame: it is asked for at once and every 500 ms until one arrives.
//!
//! The room is driven like every core here: `handle_*` and the other changing calls first, then
//! [`Forwarder::poll_output`] until it is empty. `K` is the caller's name for a member.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::peer::{IncomingRtp, OutgoingRtp};
use super::sequence::ReceiveWindow;
use super::video_slot::VideoSlot;
use super::vp8::starts_key_frame;

/// How long to wait for a key frame before asking again.
const KEY_FRAME_RETRY: Duration = Duration::from_millis(500);
/// Without a packet for this long, a camera counts as off and its slots are given to others.
const CAMERA_IDLE: Duration = Duration::from_secs(5);

/// What the room wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<K> {
    /// Send this packet in the video slot `slot` of `receiver`.
    Packet {
        /// Who gets it.
        receiver: K,
        /// In which of his slots.
        slot: u8,
        /// The packet, numbered for that slot.
        packet: ForwardedRtp,
    },
    /// Ask `publisher`'s camera for a key frame.
    RequestKeyFrame {
        /// Whose camera.
        publisher: K,
    },
    /// The slots of `receiver` now carry these publishers.
    Slots {
        /// Whose slots.
        receiver: K,
        /// One entry per slot.
        slots: Vec<Option<K>>,
    },
}

/// A packet on its way to one slot. The payload is shared between all receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedRtp {
    /// Marker bit: last packet of a frame.
    pub marker: bool,
    /// Sequence number in the slot's stream.
    pub sequence_number: u16,
    /// Timestamp in the slot's stream, 90 kHz.
    pub timestamp: u32,
    /// VP8 payload with its descriptor.
    pub payload: Bytes,
}

impl ForwardedRtp {
    /// The form [`WebrtcPeer::write_rtp`](super::WebrtcPeer::write_rtp) takes.
    #[must_use]
    pub fn as_outgoing(&self) -> OutgoingRtp<'_> {
        OutgoingRtp {
            marker: self.marker,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            payload: &self.payload,
        }
    }
}

/// One member of the room.
#[derive(Debug)]
struct Member<K> {
    may_send: bool,
    may_receive: bool,
    camera: Camera,
    slots: Vec<VideoSlot<K>>,
    /// The table last told, to tell only changes.
    told: Vec<Option<K>>,
}

/// A member's camera as seen by what it sends.
#[derive(Debug, Default)]
struct Camera {
    window: ReceiveWindow,
    /// When the last packet came; `None` while it is off.
    last_packet: Option<Instant>,
    /// When to ask for a key frame (again); `None` while none is wanted.
    key_frame_due: Option<Instant>,
}

/// The video of one room.
#[derive(Debug)]
pub struct Forwarder<K> {
    members: BTreeMap<K, Member<K>>,
    join_order: Vec<K>,
    outputs: VecDeque<Output<K>>,
}

impl<K> Default for Forwarder<K> {
    fn default() -> Self {
        Self { members: BTreeMap::new(), join_order: Vec::new(), outputs: VecDeque::new() }
    }
}

impl<K: Copy + Ord> Forwarder<K> {
    /// An empty room.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member with `slots` video slots. Call it when his peer is connected: what is written to a peer
    /// earlier is lost, and a lost key frame has to be asked for again. He neither sends nor receives until [`Self::set_permissions`].
    pub fn join(&mut self, member: K, slots: u8) {
        let slots: Vec<_> = (0..slots).map(|_| VideoSlot::default()).collect();
        let told = vec![None; slots.len()];
        let camera = Camera::default();
        let state = Member { may_send: false, may_receive: false, camera, slots, told };
        if self.members.insert(member, state).is_none() {
            self.join_order.push(member);
        }
    }

    /// Removes a member; the others' slots that showed him become free.
    pub fn leave(&mut self, now: Instant, member: K) {
        self.members.remove(&member);
        self.join_order.retain(|other| *other != member);
        self.update(now);
    }

    /// Says whether a member's camera may be shown to others, and whether he is shown others.
    pub fn set_permissions(&mut self, now: Instant, member: K, may_send: bool, may_receive: bool) {
        let Some(state) = self.members.get_mut(&member) else {
            return;
        };
        state.may_send = may_send;
        state.may_receive = may_receive;
        if !may_send {
            state.camera.last_packet = None;
            state.camera.key_frame_due = None;
        }
        self.update(now);
    }

    /// Takes one packet of `publisher`'s camera.
    pub fn handle_packet(&mut self, now: Instant, publisher: K, packet: &IncomingRtp) {
        let Some(state) = self.members.get_mut(&publisher).filter(|state| state.may_send) else {
            return;
        };
        if !state.camera.window.insert(packet.sequence_number) {
            return;
        }
        let was_off = state.camera.last_packet.replace(now).is_none();
        if was_off {
            self.assign(now);
        }
        let key_frame = starts_key_frame(&packet.payload);
        if key_frame && let Some(state) = self.members.get_mut(&publisher) {
            state.camera.key_frame_due = None;
        }
        self.forward(now, publisher, packet, key_frame);
        self.request_key_frames(now);
    }

    /// A receiver lost the picture in `slot` and asks for a key frame (PLI or FIR).
    pub fn handle_key_frame_request(&mut self, now: Instant, receiver: K, slot: u8) {
        let source = self
            .members
            .get(&receiver)
            .filter(|state| state.may_receive)
            .and_then(|state| state.slots.get(usize::from(slot))?.source());
        if let Some(source) = source {
            self.want_key_frame(now, source);
            self.request_key_frames(now);
        }
    }

    /// Repeats key frame requests and notices cameras that went off.
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut changed = false;
        for state in self.members.values_mut() {
            let idle = |last: Instant| now.saturating_duration_since(last) >= CAMERA_IDLE;
            if state.camera.last_packet.is_some_and(idle) {
                state.camera.last_packet = None;
                state.camera.key_frame_due = None;
                changed = true;
            }
        }
        if changed {
            self.assign(now);
        }
        self.request_key_frames(now);
    }

    /// When [`Self::handle_timeout`] wants to be called next; `None` when nothing is pending.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let cameras = || self.members.values().map(|state| &state.camera);
        let idle = cameras().filter_map(|camera| camera.last_packet).map(|last| last + CAMERA_IDLE);
        let due = cameras().filter_map(|camera| camera.key_frame_due);
        idle.chain(due).min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output<K>> {
        self.outputs.pop_front()
    }

    /// Whom each slot of `receiver` shows; empty when he is not a member.
    #[must_use]
    pub fn slots(&self, receiver: K) -> Vec<Option<K>> {
        self.members.get(&receiver).map(table).unwrap_or_default()
    }

    fn update(&mut self, now: Instant) {
        self.assign(now);
        self.request_key_frames(now);
    }

    /// Frees slots whose publisher stopped, fills free ones, and tells the tables that changed.
    fn assign(&mut self, now: Instant) {
        let publishers: Vec<K> =
            self.join_order.iter().copied().filter(|member| self.is_publishing(*member)).collect();
        let mut wanted = Vec::new();
        for receiver in &self.join_order {
            let Some(state) = self.members.get_mut(receiver) else {
                continue;
            };
            let shown: &[K] = if state.may_receive { &publishers } else { &[] };
            for slot in &mut state.slots {
                if slot.source().is_some_and(|source| !shown.contains(&source)) {
                    slot.assign(None);
                }
            }
            for publisher in shown.iter().filter(|publisher| *publisher != receiver) {
                if state.slots.iter().any(|slot| slot.source() == Some(*publisher)) {
                    continue;
                }
                if let Some(free) = state.slots.iter_mut().find(|slot| slot.source().is_none()) {
                    free.assign(Some(*publisher));
                    wanted.push(*publisher);
                }
            }
            let slots = table(state);
            if slots != state.told {
                state.told.clone_from(&slots);
                self.outputs.push_back(Output::Slots { receiver: *receiver, slots });
            }
        }
        for publisher in wanted {
            self.want_key_frame(now, publisher);
        }
    }

    fn is_publishing(&self, member: K) -> bool {
        self.members.get(&member).is_some_and(|state| state.may_send && state.camera.last_packet.is_some())
    }

    fn forward(&mut self, now: Instant, publisher: K, packet: &IncomingRtp, key_frame: bool) {
        for (receiver, state) in &mut self.members {
            let slot = state.slots.iter_mut().zip(0..).find(|(slot, _)| slot.source() == Some(publisher));
            let Some((slot, index)) = slot else {
                continue;
            };
            if let Some(placed) = slot.place(now, packet, key_frame) {
                let packet = ForwardedRtp {
                    marker: packet.marker,
                    sequence_number: placed.sequence_number,
                    timestamp: placed.timestamp,
                    payload: packet.payload.clone(),
                };
                self.outputs.push_back(Output::Packet { receiver: *receiver, slot: index, packet });
            }
        }
    }

    /// Notes that a key frame is wanted, unless one is awaited already.
    fn want_key_frame(&mut self, now: Instant, publisher: K) {
        if let Some(state) = self.members.get_mut(&publisher) {
            state.camera.key_frame_due.get_or_insert(now);
        }
    }

    /// Sends the requests that are due.
    fn request_key_frames(&mut self, now: Instant) {
        for (publisher, state) in &mut self.members {
            if state.camera.key_frame_due.is_some_and(|due| due <= now) {
                state.camera.key_frame_due = Some(now + KEY_FRAME_RETRY);
                self.outputs.push_back(Output::RequestKeyFrame { publisher: *publisher });
            }
        }
    }
}

fn table<K: Copy + Eq>(state: &Member<K>) -> Vec<Option<K>> {
    state.slots.iter().map(VideoSlot::source).collect()
}

#[cfg(test)]
mod tests;
