//! The jitter buffer: puts packets back into order and time, with a fixed delay of 60 ms and a fixed memory.
//!
//! Packets go in with [`JitterBuffer::push`]; every tick the owner calls [`JitterBuffer::pull`] until it has 20 ms
//! of samples. The buffer knows nothing of codecs: it is told how long a packet lasts.

mod order;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use order::{Candidate, Position, distance};

/// How a buffer is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterConfig {
    /// RTP clock in Hz.
    pub clock_hz: u32,
    /// Longest payload taken, in bytes; memory is this times [`JitterBuffer::SLOTS`].
    pub max_payload: usize,
}

/// One packet of media on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Synchronisation source; where the transport keeps streams apart, any constant.
    pub ssrc: u32,
    /// Sequence number.
    pub sequence_number: u16,
    /// Timestamp in units of the clock.
    pub timestamp: u32,
    /// What the owner wants back with the payload, such as the payload type.
    pub tag: u8,
    /// How long it lasts, in units of the clock; 0 for packets that only take a number, such as telephone events.
    pub duration: u32,
    /// Payload.
    pub payload: &'a [u8],
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played.
    Stored,
    /// It is the first of a new stream and will be played; what was left of the old one is gone.
    NewStream,
    /// It was there already.
    Duplicate,
    /// Its time has passed.
    Late,
    /// Its number fits no stream yet: two in a row begin a new one (RFC 3550 appendix A.1).
    Unexpected,
    /// Its payload is longer than the buffer takes.
    TooLong,
}

/// What to play next.
#[derive(Debug, PartialEq, Eq)]
pub enum Playout<'a> {
    /// This packet.
    Packet {
        /// The owner's mark from [`Arrival::tag`].
        tag: u8,
        /// From [`Arrival::duration`].
        duration: u32,
        /// Payload.
        payload: &'a [u8],
    },
    /// Nothing was sent for this many units of the clock, at most 20 ms of it: play silence.
    Silence(u32),
    /// One tick was lost or is late: make it up.
    Lost,
    /// The buffer is filling, or the stream has paused: play silence for the rest of the tick.
    Waiting,
}

/// The buffer of one stream.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    slots: [Slot; Self::SLOTS],
    storage: Box<[u8]>,
    stored: usize,
    /// How long the stored packets last together, in units of the clock.
    stored_units: u32,
    state: State,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    /// Pulls answered with a made-up tick since something was last there.
    dry: u32,
    /// What was played last only took a number: there is nothing to make up.
    numbers_only: bool,
    /// The least delay seen in this window, in units of the clock, and how many ticks the window is old.
    least_delay: u32,
    window_ticks: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    occupied: bool,
    sequence_number: u16,
    timestamp: u32,
    duration: u32,
    tag: u8,
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is played until enough is there; holds the arrival of the first packet.
    Filling(Option<Instant>),
    Playing,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// What to play next.
    sequence_number: u16,
    timestamp: u32,
    newest: u16,
}

impl JitterBuffer {
    /// The delay a packet should have between arrival and playout.
    pub const TARGET: Duration = Duration::from_millis(60);
    /// How many packets the buffer holds at most. A power of two, so that numbers wrap without a seam.
    pub const SLOTS: usize = 32;

    /// Made-up ticks after which a stream counts as paused and the buffer fills again (200 ms).
    const MAX_DRY: u32 = 10;
    /// Lost packets in a row that are made up one by one; a longer gap is jumped over.
    const MAX_GAP: u32 = 10;
    /// Ticks of one observation window for excess delay (500 ms).
    const WINDOW_TICKS: u32 = 25;

    /// An empty buffer; all memory it will ever use is allocated here.
    #[must_use]
    pub fn new(config: JitterConfig) -> Self {
        Self {
            config,
            slots: [Slot::default(); Self::SLOTS],
            storage: vec![0; config.max_payload * Self::SLOTS].into(),
            stored: 0,
            stored_units: 0,
            state: State::Filling(None),
            stream: None,
            candidate: None,
            dry: 0,
            numbers_only: false,
            least_delay: u32::MAX,
            window_ticks: 0,
        }
    }

    /// Takes a packet that arrived at `now`.
    pub fn push(&mut self, now: Instant, packet: &Arrival<'_>) -> Pushed {
        if packet.payload.len() > self.config.max_payload {
            return Pushed::TooLong;
        }
        let Some(stream) = self.stream else {
            self.begin(packet);
            return self.store(now, packet, Pushed::NewStream);
        };
        if packet.ssrc != stream.ssrc {
            return self.unexpected(now, packet);
        }
        let position = distance(stream.sequence_number, packet.sequence_number);
        if self.state == State::Filling(None) && matches!(position, Position::Ahead(_)) {
            self.begin(packet); // after a pause the delay is built up anew
            return self.store(now, packet, Pushed::Stored);
        }
        match position {
            Position::Ahead(steps) if usize::from(steps) < Self::SLOTS => {
                self.candidate = None;
                self.store(now, packet, Pushed::Stored)
            }
            Position::Ahead(_) => self.overflow(now, packet),
            Position::Behind(steps) => self.behind(now, packet, steps),
            Position::Elsewhere => self.unexpected(now, packet),
        }
    }

    /// What to play next. Call until a tick's worth of samples is there or the answer is [`Playout::Waiting`].
    pub fn pull(&mut self, now: Instant) -> Playout<'_> {
        if !self.is_playing(now) {
            return Playout::Waiting;
        }
        let Some(mut stream) = self.stream else { return Playout::Waiting };
        if self.stored == 0 {
            return self.run_dry(stream);
        }
        self.skip_numbers(&mut stream);
        let index = Self::index(stream.sequence_number);
        let Some(slot) = self.slots.get(index).copied().filter(|slot| slot.occupied) else {
            return if self.stored == 0 { self.run_dry(stream) } else { self.lost(stream) };
        };
        self.dry = 0;
        self.numbers_only = false;
        let gap = slot.timestamp.wrapping_sub(stream.timestamp);
        if gap > 0 && gap <= self.units(Duration::from_millis(200)) {
            let silence = gap.min(self.tick_units());
            stream.timestamp = stream.timestamp.wrapping_add(silence);
            self.stream = Some(stream);
            return Playout::Silence(silence);
        }
        stream.sequence_number = stream.sequence_number.wrapping_add(1);
        stream.timestamp = slot.timestamp.wrapping_add(slot.duration);
        self.stream = Some(stream);
        self.free(index);
        let start = index * self.config.max_payload;
        let payload = self.storage.get(start..start + slot.length).unwrap_or_default();
        Playout::Packet { tag: slot.tag, duration: slot.duration, payload }
    }

    /// Once per tick, before pulling: when everything has come too early for half a second, or far too much is
    /// there at once, drops one packet, so that clock drift and bursts do not add up to delay.
    pub fn trim(&mut self) {
        let (State::Playing, Some(stream)) = (self.state, self.stream) else { return };
        let delay = self.stored_units;
        self.least_delay = self.least_delay.min(delay);
        self.window_ticks += 1;
        let target = self.units(Self::TARGET);
        let window_is_over = self.window_ticks >= Self::WINDOW_TICKS;
        let always_early = window_is_over && self.least_delay > target + self.tick_units();
        let far_too_much = delay > target * 4;
        if always_early || far_too_much {
            self.drop_oldest(stream);
        }
        if window_is_over {
            self.least_delay = u32::MAX;
            self.window_ticks = 0;
        }
    }

    /// Forgets everything, as if nothing had ever arrived.
    pub fn reset(&mut self) {
        self.clear();
        self.stream = None;
        self.candidate = None;
    }

    /// How many packets wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.stored
    }

    /// Whether no packet waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stored == 0
    }

    fn clear(&mut self) {
        self.slots = [Slot::default(); Self::SLOTS];
        self.stored = 0;
        self.stored_units = 0;
        self.state = State::Filling(None);
        self.dry = 0;
        self.numbers_only = false;
        self.least_delay = u32::MAX;
        self.window_ticks = 0;
    }

    fn begin(&mut self, packet: &Arrival<'_>) {
        self.clear();
        self.candidate = None;
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            newest: packet.sequence_number,
        });
    }

    fn store(&mut self, now: Instant, packet: &Arrival<'_>, outcome: Pushed) -> Pushed {
        let index = Self::index(packet.sequence_number);
        let start = index * self.config.max_payload;
        let length = packet.payload.len();
        let (Some(slot), Some(memory)) =
            (self.slots.get_mut(index), self.storage.get_mut(start..start + length))
        else {
            return Pushed::TooLong;
        };
        if slot.occupied {
            return Pushed::Duplicate;
        }
        memory.copy_from_slice(packet.payload);
        *slot = Slot {
            occupied: true,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            duration: packet.duration,
            tag: packet.tag,
            length,
        };
        self.stored += 1;
        self.stored_units = self.stored_units.saturating_add(packet.duration);
        self.note_arrival(now, packet);
        outcome
    }

    fn note_arrival(&mut self, now: Instant, packet: &Arrival<'_>) {
        if self.state == State::Filling(None) {
            self.state = State::Filling(Some(now));
        }
        let Some(stream) = &mut self.stream else { return };
        if matches!(distance(stream.newest, packet.sequence_number), Position::Ahead(_)) {
            stream.newest = packet.sequence_number;
        }
    }

    /// A packet of the stream that is too far ahead: what is in between will not come in time.
    fn overflow(&mut self, now: Instant, packet: &Arrival<'_>) -> Pushed {
        self.begin(packet);
        self.store(now, packet, Pushed::NewStream)
    }

    fn behind(&mut self, now: Instant, packet: &Arrival<'_>, steps: u16) -> Pushed {
        let Some(stream) = &mut self.stream else { return Pushed::Late };
        let span = usize::from(stream.newest.wrapping_sub(packet.sequence_number));
        if matches!(self.state, State::Filling(Some(_))) && span < Self::SLOTS && steps > 0 {
            // Reordered before playout began: the stream begins with this one.
            stream.sequence_number = packet.sequence_number;
            stream.timestamp = packet.timestamp;
            return self.store(now, packet, Pushed::Stored);
        }
        Pushed::Late
    }

    fn unexpected(&mut self, now: Instant, packet: &Arrival<'_>) -> Pushed {
        if self.candidate.is_some_and(|candidate| candidate.is_followed_by(packet)) {
            self.begin(packet);
            return self.store(now, packet, Pushed::NewStream);
        }
        self.candidate = Some(Candidate::new(packet));
        Pushed::Unexpected
    }

    fn is_playing(&mut self, now: Instant) -> bool {
        let State::Filling(first_arrival) = self.state else { return true };
        let Some(first_arrival) = first_arrival else { return false };
        let waited = now.saturating_duration_since(first_arrival) >= Self::TARGET;
        let buffered = self.stored_units >= self.units(Self::TARGET);
        if waited || buffered {
            self.state = State::Playing;
        }
        waited || buffered
    }

    /// Passes over packets that only took a number.
    fn skip_numbers(&mut self, stream: &mut Stream) {
        for _ in 0..Self::SLOTS {
            let index = Self::index(stream.sequence_number);
            let skippable = self.slots.get(index).is_some_and(|slot| slot.occupied && slot.duration == 0);
            if !skippable {
                return;
            }
            self.free(index);
            self.numbers_only = true;
            stream.sequence_number = stream.sequence_number.wrapping_add(1);
        }
    }

    /// Nothing is there: time goes on, and what was not sent in this time will not be missed.
    fn run_dry(&mut self, mut stream: Stream) -> Playout<'_> {
        self.dry += 1;
        if self.dry > Self::MAX_DRY {
            self.clear();
            return Playout::Waiting;
        }
        stream.timestamp = stream.timestamp.wrapping_add(self.tick_units());
        self.stream = Some(stream);
        if self.numbers_only { Playout::Silence(self.tick_units()) } else { Playout::Lost }
    }

    /// The next packet is missing but later ones are there.
    fn lost(&mut self, mut stream: Stream) -> Playout<'_> {
        let Some(oldest) = self.oldest(stream.sequence_number) else { return Playout::Waiting };
        let missing = u32::from(oldest.sequence_number.wrapping_sub(stream.sequence_number));
        if missing > Self::MAX_GAP {
            stream.sequence_number = oldest.sequence_number;
            stream.timestamp = oldest.timestamp;
            self.stream = Some(stream);
            return Playout::Silence(0);
        }
        // What a dry spell has made up already need not be made up again.
        let made_up = std::mem::take(&mut self.dry).min(missing);
        let step = made_up.max(1);
        stream.sequence_number = stream.sequence_number.wrapping_add(u16::try_from(step).unwrap_or(1));
        if made_up == 0 {
            stream.timestamp = stream.timestamp.wrapping_add(self.tick_units());
        }
        self.stream = Some(stream);
        if made_up == 0 { Playout::Lost } else { Playout::Silence(0) }
    }

    fn oldest(&self, from: u16) -> Option<Slot> {
        let occupied = self.slots.iter().filter(|slot| slot.occupied);
        occupied.min_by_key(|slot| slot.sequence_number.wrapping_sub(from)).copied()
    }

    fn drop_oldest(&mut self, mut stream: Stream) {
        let Some(oldest) = self.oldest(stream.sequence_number) else { return };
        self.free(Self::index(oldest.sequence_number));
        stream.sequence_number = oldest.sequence_number.wrapping_add(1);
        stream.timestamp = oldest.timestamp.wrapping_add(oldest.duration);
        self.stream = Some(stream);
    }

    fn free(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.occupied) {
            slot.occupied = false;
            self.stored -= 1;
            self.stored_units = self.stored_units.saturating_sub(slot.duration);
        }
    }

    fn index(sequence_number: u16) -> usize {
        usize::from(sequence_number) % Self::SLOTS
    }

    fn units(&self, duration: Duration) -> u32 {
        let units =
            u64::from(self.config.clock_hz) * u64::try_from(duration.as_millis()).unwrap_or(0) / 1_000;
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    fn tick_units(&self) -> u32 {
        self.units(crate::sample::TICK)
    }
}
