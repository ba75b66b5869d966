//! The worker: what one media thread drives. It owns rooms and their legs; a room lives on exactly one worker.
//!
//! The driver hands in commands, datagrams and the time, calls [`Worker::handle_tick`] every 20 ms on an absolute
//! schedule and [`Worker::handle_timeout`] when [`Worker::poll_timeout`] says so. After any of these it drains
//! [`Worker::poll_transmit`] and [`Worker::poll_event`].
//!
//! Rights are enforced here and nowhere else on the media path: a voice is mixed only if its leg's plan says so
//! when the tick begins, and a plan is taken over whole at the beginning of a tick. What a leg plays out in a tick
//! was received as much earlier as the network's jitter asks for; the plan of the tick counts, not that of the arrival.

mod align;
mod apart;
mod aside;
mod browsers;
mod g722_sender;
mod leg;
mod moving;
mod opus_sender;
mod phone_receiver;
mod phone_sender;
mod player;
mod queue;
mod receiver;
mod room;
mod rooms;
mod samples;
mod schedule;
mod secure;
mod sip_leg;
mod source;
mod stats;
mod types;
mod webrtc_leg;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::dtls::Identity;
use crate::quality::LegStats;
use crate::sdp::Negotiated;
use crate::webrtc::PeerTransmit;
use crate::webrtc::demux::Demux;

use leg::{Leg, Media};
pub use moving::TravellingLeg;
use queue::{EventQueue, TransmitRing};
use room::Room;
use rooms::{Place, Rooms};
use schedule::Schedule;
use sip_leg::{Received, SipLeg};
pub use types::{
    Command, Event, LegId, LegPlan, Load, PlayingId, Port, RoomId, Source, Transmit, VoiceTreatment,
    WorkerConfig,
};
use webrtc_leg::WebrtcLeg;

/// The length of a step: rooms tick every 20 ms, spread over steps of this length.
pub const STEP: Duration = Duration::from_millis(1);

/// All rooms of one media thread.
pub struct Worker {
    config: WorkerConfig,
    /// What phones are shown that agree on keys by DTLS.
    identity: Option<Arc<Identity>>,
    random: ChaCha8Rng,
    rooms: Rooms,
    schedule: Schedule,
    /// Where each leg is.
    index: BTreeMap<LegId, Place>,
    demux: Demux<LegId>,
    /// Legs on their way here, with what was said to them meanwhile.
    expected: BTreeMap<LegId, Vec<Command>>,
    out: Outbox,
    /// The earliest deadline of browsers and forwarded video.
    earliest: Option<Instant>,
    /// The datagram lent by the last [`Worker::poll_transmit`].
    lent: Option<PeerTransmit>,
    ticks: u64,
    dropped_datagrams: u64,
}

/// A phone whose port is to be read, and where it is found; good until the next command or step.
#[derive(Debug, Clone, Copy)]
pub struct DuePhone {
    /// The phone.
    pub leg: LegId,
    place: Place,
    at: usize,
}

/// What a tick leaves for the driver.
struct Outbox {
    ring: TransmitRing,
    events: EventQueue,
    /// Browsers whose peers may have datagrams to send; each at most once.
    pending: VecDeque<LegId>,
    encodes: u64,
    conversions: u64,
    /// Something was done to a browser or to forwarded video since the earliest deadline was looked for.
    timers_changed: bool,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("load", &self.load()).finish_non_exhaustive()
    }
}

impl Worker {
    /// An idle worker. `seed` decides the random numbers of every stream it sends; give each worker its own.
    #[must_use]
    pub fn new(config: WorkerConfig, seed: [u8; 32]) -> Self {
        Self {
            config,
            identity: None,
            random: ChaCha8Rng::from_seed(seed),
            rooms: Rooms::default(),
            schedule: Schedule::default(),
            index: BTreeMap::new(),
            demux: Demux::new(),
            expected: BTreeMap::new(),
            out: Outbox {
                ring: TransmitRing::default(),
                events: EventQueue::new(config.max_events),
                pending: VecDeque::new(),
                encodes: 0,
                conversions: 0,
                timers_changed: false,
            },
            earliest: None,
            lent: None,
            ticks: 0,
            dropped_datagrams: 0,
        }
    }

    /// The certificate to show phones that agree on keys by DTLS. Without one they are sent nothing.
    pub fn set_identity(&mut self, identity: Arc<Identity>) {
        self.identity = Some(identity);
    }

    /// Does what it is told. Commands for legs that are not there are ignored: they crossed their removal.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        let Some(command) = self.keep_for_later(command) else { return };
        match command {
            Command::AddSipLeg { leg, room } => {
                let media = Media::Sip(Box::new(SipLeg::new(&mut self.random)));
                self.add(now, room, Leg::new(leg, media));
            }
            Command::AddWebrtcLeg { leg, room, peer, ufrag, video_slots } => {
                match WebrtcLeg::new(peer, video_slots, &mut self.random) {
                    Ok(webrtc) => {
                        self.add(now, room, Leg::new(leg, Media::Webrtc(Box::new(webrtc))));
                        self.demux.insert(ufrag, leg);
                        self.serve_peer(now, leg);
                    }
                    // No memory for a codec: the browser is reported like any other that is gone.
                    Err(_) => self.out.events.push(Event::WebrtcClosed { leg }),
                }
            }
            Command::SetSipRemote { leg, negotiated, symmetric_from } => {
                self.set_remote(now, leg, negotiated, symmetric_from);
            }
            Command::RemoveLeg { leg } => self.remove(now, leg),
            Command::SetPlan { leg, plan } => self.with_leg(leg, |leg| leg.next_plan = Some(plan)),
            Command::Play { leg, source, repeat, playing } => {
                self.with_leg(leg, |leg| leg.player.play(playing, source, repeat))
            }
            Command::SendDigits { leg, digits } => self.with_phone(leg, |sip| sip.send_digits(&digits)),
            Command::DetectTones { leg, enabled } => self.with_phone(leg, |sip| sip.detect_tones(enabled)),
            Command::ObserveAnswer { leg, enabled } => {
                self.with_phone(leg, |sip| sip.observe_answer(enabled));
            }
            Command::TreatVoice { leg, treatment } => {
                let even_loudness = self.config.even_loudness;
                self.with_leg(leg, |leg| leg.treat(treatment, even_loudness));
            }
            Command::Overhear { leg, of } => self.overhear(leg, of),
            Command::ExpectLeg { leg } => self.expect_leg(leg),
            Command::MoveLeg { leg, room } => self.move_leg(now, leg, room),
            Command::StopPlaying { leg } => self.with_leg(leg, |leg| leg.player.stop()),
        }
    }

    fn overhear(&mut self, leg: LegId, of: Option<LegId>) {
        let room = self.index.get(&leg).and_then(|place| self.rooms.get_mut(*place));
        if let Some(room) = room {
            room.overhear(leg, of);
        }
    }

    /// Takes one datagram that arrived on a phone's own port.
    pub fn handle_sip_datagram(&mut self, now: Instant, leg: LegId, source: SocketAddr, payload: &[u8]) {
        if let Some(found) = Self::find(&self.index, &mut self.rooms, leg) {
            Self::take(found, &mut self.out, &mut self.dropped_datagrams, now, source, payload);
        } else {
            self.dropped_datagrams += 1;
        }
    }

    /// Takes one datagram that arrived on the port after a phone's own: reports, where they do not come with the sound.
    pub fn handle_rtcp_datagram(&mut self, now: Instant, leg: LegId, source: SocketAddr, payload: &[u8]) {
        let found = Self::find(&self.index, &mut self.rooms, leg);
        let taken = found.map(|leg| leg.handle_rtcp_datagram(now, source, payload));
        if matches!(taken, None | Some(Received::Dropped)) {
            self.dropped_datagrams += 1;
        }
    }

    /// [`Self::handle_sip_datagram`] for a phone of [`Self::due_phones`], which needs no search.
    pub fn handle_due_datagram(
        &mut self,
        now: Instant,
        phone: &DuePhone,
        source: SocketAddr,
        payload: &[u8],
    ) {
        let room = self.rooms.get_mut(phone.place);
        match room.and_then(|room| room.leg_at(phone.at, phone.leg)) {
            Some(found) => {
                Self::take(found, &mut self.out, &mut self.dropped_datagrams, now, source, payload);
            }
            None => self.handle_sip_datagram(now, phone.leg, source, payload),
        }
    }

    fn take(
        found: &mut Leg,
        out: &mut Outbox,
        dropped_datagrams: &mut u64,
        now: Instant,
        source: SocketAddr,
        payload: &[u8],
    ) {
        let leg = found.id;
        match found.handle_sip_datagram(now, source, payload, out) {
            Received::Media => found.note_media(out),
            Received::Digit(digit) => {
                found.note_media(out);
                out.events.push(Event::Digit { leg, digit });
            }
            Received::Dropped => *dropped_datagrams += 1,
            Received::Ignored => {}
        }
    }

    /// Takes one datagram that arrived on the port all browsers share.
    pub fn handle_webrtc_datagram(&mut self, now: Instant, source: SocketAddr, payload: &[u8]) {
        let leg = self.demux.route(source, payload);
        let found = leg.and_then(|leg| Self::find(&self.index, &mut self.rooms, leg));
        let Some((id, webrtc)) = found.and_then(|leg| Some((leg.id, leg.webrtc_mut()?))) else {
            self.dropped_datagrams += 1;
            return;
        };
        webrtc.peer.handle_datagram(now, source, payload);
        self.serve_peer(now, id);
    }

    /// One mix tick of 20 ms for every room at once, for drivers that need no even load. Do not mix with
    /// [`Self::handle_step`].
    ///
    /// Drain [`Self::poll_transmit`] after each tick, also when several are due at once: there is room for two
    /// packets per phone, and more are lost (counted in [`Load::dropped_transmits`]).
    pub fn handle_tick(&mut self, now: Instant) {
        self.ticks += 1;
        for room in self.rooms.iter_mut() {
            room.tick(now, self.config.max_voices, &mut self.out);
            room.serve_peers(now, &|_| true, &mut self.out);
        }
    }

    /// One step of [`STEP`]: the mix tick of those rooms whose turn it is, each in about every twentieth step: a room
    /// ticks when the voices heard in it have come, and in a small room of phones each listener has a step of his own.
    /// Drain [`Self::poll_transmit`] after each step.
    pub fn handle_step(&mut self, now: Instant) {
        let (step, due) = self.schedule.take();
        for &place in &due {
            let Some(room) = self.rooms.get_mut(place) else { continue };
            self.ticks += 1;
            room.step(step, now, self.config.max_voices, &mut self.out);
            if room.browsers > 0 {
                room.serve_peers(now, &|_| true, &mut self.out);
            }
            self.schedule.put(room.next_step, place);
        }
        self.schedule.give_back(due);
    }

    /// Adds to `phones` those whose voices are taken in by the step that comes next: their ports are to be read before
    /// it.
    pub fn due_phones(&self, phones: &mut Vec<DuePhone>) {
        for &place in self.schedule.due() {
            let Some(room) = self.rooms.get(place) else { continue };
            let step = self.schedule.next();
            let legs = room.legs().iter().enumerate();
            let legs =
                legs.filter(|(_, leg)| leg.webrtc().is_none() && (!room.is_apart || leg.turns.voice <= step));
            phones.extend(legs.map(|(at, leg)| DuePhone { leg: leg.id, place, at }));
        }
    }

    /// How many steps have nothing to do before the next one that has, at most a tick's worth.
    #[must_use]
    pub fn idle_steps(&self) -> u32 {
        u32::try_from(self.schedule.idle_steps()).unwrap_or(0)
    }

    /// Wakes the browsers' peers whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        for room in self.rooms.iter_mut().filter(|room| room.deadline().is_some()) {
            room.handle_timeout(now, &mut self.out);
        }
    }

    /// When [`Self::handle_timeout`] is due; `None` when nothing is pending. Ticks are the driver's.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        if std::mem::take(&mut self.out.timers_changed) {
            self.earliest = self.rooms.iter().filter_map(Room::deadline).min();
        }
        self.earliest
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        while let Some(&leg) = self.out.pending.front() {
            let found = Self::find(&self.index, &mut self.rooms, leg).and_then(Leg::webrtc_mut);
            if let Some(transmit) = found.and_then(|webrtc| {
                let transmit = webrtc.peer.poll_transmit();
                webrtc.is_pending = transmit.is_some();
                transmit
            }) {
                self.demux.observe_transmit(leg, transmit.destination, &transmit.payload);
                let PeerTransmit { destination, payload } = self.lent.insert(transmit);
                return Some(Transmit { from: Port::Webrtc, destination: *destination, payload });
            }
            self.out.pending.pop_front();
        }
        self.out.ring.pop()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop()
    }

    /// How a leg's media has been so far; `None` if there is no such leg. Also comes as [`Event::Statistics`].
    #[must_use]
    pub fn stats(&self, leg: LegId) -> Option<LegStats> {
        let room = self.rooms.get(*self.index.get(&leg)?)?;
        room.legs().iter().find(|found| found.id == leg).map(Leg::stats)
    }

    /// How many rooms and legs there are.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.rooms.len(), self.index.len())
    }

    /// How much there is to do, and what was done and dropped so far.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            rooms: self.rooms.len(),
            legs: self.index.len(),
            ticks: self.ticks,
            encodes: self.out.encodes,
            conversions: self.out.conversions,
            dropped_datagrams: self.dropped_datagrams,
            dropped_events: self.out.events.dropped(),
            dropped_transmits: self.out.ring.dropped(),
        }
    }

    fn find<'a>(index: &BTreeMap<LegId, Place>, rooms: &'a mut Rooms, leg: LegId) -> Option<&'a mut Leg> {
        rooms.get_mut(*index.get(&leg)?)?.leg_mut(leg)
    }

    fn with_leg(&mut self, leg: LegId, change: impl FnOnce(&mut Leg)) {
        if let Some(leg) = Self::find(&self.index, &mut self.rooms, leg) {
            change(leg);
        }
    }

    fn with_phone(&mut self, leg: LegId, change: impl FnOnce(&mut SipLeg)) {
        self.with_leg(leg, |leg| {
            if let Media::Sip(sip) = &mut leg.media {
                change(sip);
            }
        });
    }

    fn set_remote(
        &mut self,
        now: Instant,
        leg: LegId,
        negotiated: Negotiated,
        symmetric_from: Option<IpAddr>,
    ) {
        let Some(room) = self.index.get(&leg).and_then(|&place| self.rooms.get_mut(place)) else { return };
        let Some(found) = room.leg_mut(leg) else { return };
        let made = found.set_remote(now, negotiated, symmetric_from, self.identity.as_deref());
        let reserved = room.reserve(self.config.max_voices);
        debug_assert!(made.is_ok() && reserved.is_ok(), "there is memory for codecs and converters");
    }

    /// Adds a leg; one of the same id is replaced.
    fn add(&mut self, now: Instant, room: RoomId, mut leg: Leg) {
        let id = leg.id;
        leg.treat(leg.treatment, self.config.even_loudness);
        self.remove(now, id);
        let place = self.rooms.find(room);
        let schedule = &mut self.schedule;
        let place =
            place.unwrap_or_else(|| self.rooms.add(room, |place| Room::new(room, schedule.add(place))));
        self.index.insert(id, place);
        let added = self.rooms.get_mut(place).map(|room| room.add(leg, self.config.max_voices));
        debug_assert!(added.is_none_or(|added| added.is_ok()), "8 kHz and 48 kHz can be converted");
        self.out.ring.reserve(self.index.len());
        self.out.pending.reserve(self.index.len());
    }

    fn remove(&mut self, now: Instant, leg: LegId) {
        let Some(place) = self.index.remove(&leg) else { return };
        self.demux.remove(leg);
        let Some(room) = self.rooms.get_mut(place) else { return };
        room.remove(now, leg, self.config.max_voices, &mut self.out);
        self.out.timers_changed = true;
        if room.is_empty() {
            self.schedule.remove(room.next_step, place);
            self.rooms.remove(place);
        }
    }

    fn serve_peer(&mut self, now: Instant, leg: LegId) {
        let Some(room) = self.index.get(&leg).and_then(|&place| self.rooms.get_mut(place)) else { return };
        room.serve_peer(now, leg, &mut self.out);
    }
}
