//! The jitter buffer: puts packets back into order and time, with the delay the network needs and a fixed memory.
//!
//! Packets go in with [`JitterBuffer::push`]; every tick the owner calls [`JitterBuffer::begin_tick`] and then
//! [`JitterBuffer::pull`] until it has 20 ms of samples. The buffer knows nothing of codecs: it is told how long a
//! packet lasts.
//!
//! The delay between a packet's arrival, had it come without lateness, and its playout is its *slack*. The target
//! for it comes from the arrivals of the last seconds. A slack below the target is mended at once by a made-up
//! tick; one that has been a whole tick above it for half a second is reported, so that the owner can leave out
//! a tick where it is not heard.

mod delay;
mod order;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use delay::DelayTracker;
use order::{Candidate, Position, Seen, distance};

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
    /// This many units of the clock, at most 20 ms of it, are lost or late: make them up.
    Lost {
        /// How many.
        units: u32,
        /// The packet after the loss, if it is there already: it may carry redundancy for what was lost.
        next: Option<&'a [u8]>,
    },
    /// The buffer is filling, or the stream has paused: play silence for the rest of the tick.
    Waiting,
}

/// What became of a stream's packets so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterCounts {
    /// Packets taken in.
    pub stored: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets that came after their time and were not taken in.
    pub late: u64,
    /// Packets taken in and thrown away unplayed, to shorten the delay.
    pub discarded: u64,
    /// Units of the clock played from packets.
    pub played_units: u64,
    /// Units of the clock made up.
    pub made_up_units: u64,
}

/// The buffer of one stream.
#[derive(Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    slots: [Slot; Self::SLOTS],
    storage: Box<[u8]>,
    /// The pieces of `storage` that are free, the one used last on top: what is in the cache is used again.
    free: FreeList,
    stored: usize,
    /// How long the stored packets last together, in units of the clock.
    stored_units: u32,
    state: State,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    delay: DelayTracker,
    seen: Seen,
    counts: JitterCounts,
    /// What was played last was made up.
    is_concealing: bool,
    /// This tick has been made longer already.
    has_grown: bool,
    /// The slack of the packet played last, in units of the clock.
    slack: i64,
    /// Pulls answered with a made-up tick since something was last there.
    dry: u32,
    /// What was played last only took a number: there is nothing to make up.
    numbers_only: bool,
    /// The least slack seen in this window, in units of the clock, and how many ticks the window is old.
    least_slack: i64,
    window_ticks: u32,
    /// By how much the slack lay above the target in the last window, if anything was played in it.
    spare: Option<i64>,
    /// Ticks since playing began.
    playing_ticks: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    occupied: bool,
    sequence_number: u16,
    timestamp: u32,
    duration: u32,
    tag: u8,
    /// Which piece of the storage holds the payload.
    piece: u8,
    length: usize,
    /// When it would have arrived without lateness, in units since the stream began.
    nominal: i64,
}

/// A stack of the numbers below [`JitterBuffer::SLOTS`].
#[derive(Debug, Clone, Copy)]
struct FreeList {
    numbers: [u8; JitterBuffer::SLOTS],
    count: usize,
}

impl FreeList {
    const ALL: Self = {
        let mut numbers = [0; JitterBuffer::SLOTS];
        let mut number = 0_u8;
        while (number as usize) < JitterBuffer::SLOTS {
            #[expect(clippy::indexing_slicing, reason = "constant evaluation, within bounds")]
            {
                numbers[number as usize] = number;
            }
            number += 1;
        }
        Self { numbers, count: JitterBuffer::SLOTS }
    };

    fn take(&mut self) -> Option<u8> {
        self.count = self.count.checked_sub(1)?;
        self.numbers.get(self.count).copied()
    }

    fn give_back(&mut self, number: u8) {
        if let Some(top) = self.numbers.get_mut(self.count) {
            *top = number;
            self.count += 1;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is there yet, or the stream has paused.
    Idle,
    /// Something is there, but it is not yet time to play it.
    Filling,
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
    /// How many packets the buffer holds at most. A power of two, so that numbers wrap without a seam.
    pub const SLOTS: usize = 32;

    /// The longest delay its statistics can ask for.
    pub const LONGEST_DELAY: Duration = Duration::from_millis(320);

    /// Made-up ticks after which a stream counts as paused and the buffer fills again (200 ms).
    const MAX_DRY: u32 = 10;
    /// The longest gap that is filled; a longer one is jumped over.
    const MAX_GAP: Duration = Duration::from_millis(200);
    /// Ticks of one observation window for excess delay (500 ms).
    const WINDOW_TICKS: u32 = 25;
    /// How far the slack must lie above the target and one tick before a tick is left out.
    const HYSTERESIS: Duration = Duration::from_millis(2);
    /// How far the slack may lie above the target before packets are thrown away, heard or not.
    const FAR_TOO_MUCH: Duration = Duration::from_millis(120);

    /// An empty buffer; all memory it will ever use is allocated here.
    #[must_use]
    pub fn new(config: JitterConfig) -> Self {
        Self {
            config,
            slots: [Slot::default(); Self::SLOTS],
            storage: vec![0; config.max_payload * Self::SLOTS].into(),
            free: FreeList::ALL,
            stored: 0,
            stored_units: 0,
            state: State::Idle,
            stream: None,
            candidate: None,
            delay: DelayTracker::new(config.clock_hz),
            seen: Seen::default(),
            counts: JitterCounts::default(),
            is_concealing: false,
            has_grown: false,
            slack: 0,
            dry: 0,
            numbers_only: false,
            least_slack: i64::MAX,
            window_ticks: 0,
            spare: None,
            playing_ticks: 0,
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
        if self.state == State::Idle && matches!(position, Position::Ahead(_)) {
            // After a pause the delay is built up anew; senders differ in whether their timestamps went on.
            self.begin(packet);
            self.delay.restart();
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

    /// Takes an earlier packet that a later one has brought along, if it is missing. What is missing and too late tells
    /// how much delay would have been enough. Never begins a stream.
    pub fn push_redundant(&mut self, now: Instant, packet: &Arrival<'_>) -> bool {
        let Some(stream) = self.stream.filter(|stream| stream.ssrc == packet.ssrc) else { return false };
        let fits = packet.payload.len() <= self.config.max_payload && packet.duration > 0;
        if !fits || self.state == State::Idle {
            return false;
        }
        match distance(stream.sequence_number, packet.sequence_number) {
            Position::Ahead(steps) if usize::from(steps) < Self::SLOTS => {
                let occupied = self.slots.get(Self::index(packet.sequence_number)).is_none_or(|s| s.occupied);
                !occupied && self.store(now, packet, Pushed::Stored) == Pushed::Stored
            }
            Position::Behind(_) if self.seen.insert(packet.sequence_number) => {
                self.delay.note(now, packet.timestamp);
                false
            }
            Position::Ahead(_) | Position::Behind(_) | Position::Elsewhere => false,
        }
    }

    /// Begins a tick. Says whether one tick of sound should be left out, where it is not heard, because everything
    /// has had more delay than it needs for half a second. When far too much waits, a packet is thrown away here.
    pub fn begin_tick(&mut self, now: Instant) -> bool {
        self.has_grown = false;
        let (State::Playing, Some(mut stream)) = (self.state, self.stream) else { return false };
        let target = i64::from(self.delay.target());
        if self.stored > 1
            && let Some(oldest) = self.oldest(stream.sequence_number)
            && self.slack_of(&oldest, now) > target + i64::from(self.units(Self::FAR_TOO_MUCH))
        {
            self.discard(&mut stream, &oldest);
        }
        self.playing_ticks = self.playing_ticks.saturating_add(1);
        self.window_ticks += 1;
        if self.window_ticks < Self::WINDOW_TICKS {
            return false;
        }
        let least = std::mem::replace(&mut self.least_slack, i64::MAX);
        self.window_ticks = 0;
        self.spare = (least != i64::MAX).then_some(least - target);
        let spare = self.tick_units() + self.units(Self::HYSTERESIS);
        // Timestamps that stood still look like delay; then nothing waits.
        self.stored > 1 && least != i64::MAX && least > target + i64::from(spare)
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
        self.stream = Some(stream);
        let index = Self::index(stream.sequence_number);
        let Some(slot) = self.slots.get(index).copied().filter(|slot| slot.occupied) else {
            return if self.stored == 0 { self.run_dry(stream) } else { self.lost(stream) };
        };
        let slack = self.slack_of(&slot, now);
        let target = i64::from(self.delay.target());
        let tick = self.tick_units();
        let gap = slot.timestamp.wrapping_sub(stream.timestamp).cast_signed();
        let is_made_up = gap < 0 && gap >= -self.units(Self::MAX_GAP).cast_signed();
        if is_made_up && self.stored > 1 && slack >= target + i64::from(tick) {
            self.discard(&mut stream, &slot);
            return Playout::Silence(0);
        }
        if gap > 0 && gap <= self.units(Self::MAX_GAP).cast_signed() {
            return self.fill_gap(stream, gap.cast_unsigned());
        }
        if slack < target && !self.has_grown && self.stored_units < self.delay.target() + tick {
            self.has_grown = true;
            return self.made_up(tick, None);
        }
        self.least_slack = self.least_slack.min(slack);
        self.slack = slack;
        self.play(stream, &slot)
    }

    /// The delay the stream needs now, and the delay of the packet played last.
    #[must_use]
    pub fn delays(&self) -> (Duration, Duration) {
        let duration = |units: i64| {
            let micros = units.max(0) * 1_000_000 / i64::from(self.config.clock_hz.max(1));
            Duration::from_micros(micros.cast_unsigned())
        };
        (duration(i64::from(self.delay.target())), duration(self.slack))
    }

    /// By how many milliseconds the delay lay above the target in the last half second, and for how many ticks the
    /// stream has been playing without a pause. `None` while nothing is known.
    #[must_use]
    pub fn waiting(&self) -> Option<(i64, u32)> {
        let spare = self.spare.filter(|_| self.state == State::Playing)?;
        Some((spare.div_euclid(i64::from(self.config.clock_hz / 1_000).max(1)), self.playing_ticks))
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn counts(&self) -> JitterCounts {
        self.counts
    }

    /// Forgets everything, as if nothing had ever arrived.
    pub fn reset(&mut self) {
        self.clear();
        self.stream = None;
        self.candidate = None;
        self.delay = DelayTracker::new(self.config.clock_hz);
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
        self.free = FreeList::ALL;
        self.stored = 0;
        self.stored_units = 0;
        self.state = State::Idle;
        self.dry = 0;
        self.numbers_only = false;
        self.is_concealing = false;
        self.least_slack = i64::MAX;
        self.window_ticks = 0;
        self.spare = None;
        self.playing_ticks = 0;
    }

    fn begin(&mut self, packet: &Arrival<'_>) {
        self.clear();
        self.candidate = None;
        if self.stream.is_none_or(|stream| stream.ssrc != packet.ssrc) {
            self.delay.restart();
            self.seen = Seen::default();
        }
        self.stream = Some(Stream {
            ssrc: packet.ssrc,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            newest: packet.sequence_number,
        });
    }

    fn store(&mut self, now: Instant, packet: &Arrival<'_>, outcome: Pushed) -> Pushed {
        let index = Self::index(packet.sequence_number);
        let length = packet.payload.len();
        let Some(slot) = self.slots.get_mut(index) else { return Pushed::TooLong };
        if slot.occupied {
            self.counts.duplicates += 1;
            return Pushed::Duplicate;
        }
        let Some(piece) = self.free.take() else { return Pushed::TooLong };
        let start = usize::from(piece) * self.config.max_payload;
        if let Some(memory) = self.storage.get_mut(start..start + length) {
            memory.copy_from_slice(packet.payload);
        }
        self.seen.insert(packet.sequence_number);
        let nominal = if packet.duration == 0 {
            self.delay.elapsed(now)
        } else {
            self.delay.note(now, packet.timestamp)
        };
        self.counts.stored += 1;
        *slot = Slot {
            occupied: true,
            sequence_number: packet.sequence_number,
            timestamp: packet.timestamp,
            duration: packet.duration,
            tag: packet.tag,
            piece,
            length,
            nominal,
        };
        self.stored += 1;
        self.stored_units = self.stored_units.saturating_add(packet.duration);
        self.note_newest(packet);
        outcome
    }

    fn note_newest(&mut self, packet: &Arrival<'_>) {
        if self.state == State::Idle {
            self.state = State::Filling;
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
        if self.state == State::Filling && span < Self::SLOTS && steps > 0 {
            // Reordered before playout began: the stream begins with this one.
            stream.sequence_number = packet.sequence_number;
            stream.timestamp = packet.timestamp;
            return self.store(now, packet, Pushed::Stored);
        }
        if !self.seen.insert(packet.sequence_number) {
            self.counts.duplicates += 1;
            return Pushed::Duplicate;
        }
        self.counts.late += 1;
        if packet.duration > 0 {
            self.delay.note(now, packet.timestamp);
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
        if self.state == State::Filling && self.is_time(now) {
            self.state = State::Playing;
        }
        self.state == State::Playing
    }

    /// Whether the first packet has waited long enough, or enough is there anyway.
    fn is_time(&self, now: Instant) -> bool {
        let target = self.delay.target();
        let oldest = self.stream.and_then(|stream| self.oldest(stream.sequence_number));
        oldest.is_some_and(|oldest| self.slack_of(&oldest, now) >= i64::from(target))
            || self.stored_units >= target + self.tick_units() * 2
    }

    fn slack_of(&self, slot: &Slot, now: Instant) -> i64 {
        self.delay.elapsed(now) - slot.nominal
    }

    fn play(&mut self, mut stream: Stream, slot: &Slot) -> Playout<'_> {
        self.dry = 0;
        self.numbers_only = false;
        self.is_concealing = false;
        self.counts.played_units += u64::from(slot.duration);
        stream.sequence_number = stream.sequence_number.wrapping_add(1);
        stream.timestamp = slot.timestamp.wrapping_add(slot.duration);
        self.stream = Some(stream);
        let index = Self::index(slot.sequence_number);
        self.release(index);
        Playout::Packet { tag: slot.tag, duration: slot.duration, payload: self.payload(slot) }
    }

    /// Part of the time before the next packet: made up if something was lost there, else silence.
    fn fill_gap(&mut self, mut stream: Stream, gap: u32) -> Playout<'_> {
        let units = gap.min(self.tick_units());
        stream.timestamp = stream.timestamp.wrapping_add(units);
        self.stream = Some(stream);
        if self.is_concealing { self.made_up(units, None) } else { Playout::Silence(units) }
    }

    fn made_up(&mut self, units: u32, next: Option<usize>) -> Playout<'_> {
        self.is_concealing = true;
        self.counts.made_up_units += u64::from(units);
        let next = next.and_then(|index| self.slots.get(index)).map(|slot| self.payload(slot));
        Playout::Lost { units, next }
    }

    /// Throws a packet away; what comes after it is next.
    fn discard(&mut self, stream: &mut Stream, slot: &Slot) {
        self.release(Self::index(slot.sequence_number));
        self.counts.discarded += 1;
        stream.sequence_number = slot.sequence_number.wrapping_add(1);
        let end = slot.timestamp.wrapping_add(slot.duration);
        if end.wrapping_sub(stream.timestamp).cast_signed() > 0 {
            stream.timestamp = end;
        }
        self.stream = Some(*stream);
    }

    /// Passes over packets that only took a number.
    fn skip_numbers(&mut self, stream: &mut Stream) {
        for _ in 0..Self::SLOTS {
            let index = Self::index(stream.sequence_number);
            let skippable = self.slots.get(index).is_some_and(|slot| slot.occupied && slot.duration == 0);
            if !skippable {
                return;
            }
            self.release(index);
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
        let tick = self.tick_units();
        if self.numbers_only { Playout::Silence(tick) } else { self.made_up(tick, None) }
    }

    /// The next packet is missing but later ones are there: makes up the time before them, as long as it is not
    /// made up yet.
    fn lost(&mut self, mut stream: Stream) -> Playout<'_> {
        let Some(oldest) = self.oldest(stream.sequence_number) else { return Playout::Waiting };
        let gap = oldest.timestamp.wrapping_sub(stream.timestamp).cast_signed();
        let is_too_long = gap > self.units(Self::MAX_GAP).cast_signed();
        if gap <= 0 || is_too_long {
            stream.sequence_number = oldest.sequence_number;
            if is_too_long {
                stream.timestamp = oldest.timestamp;
            }
            self.stream = Some(stream);
            return Playout::Silence(0);
        }
        let gap = gap.cast_unsigned();
        let units = gap.min(self.tick_units());
        let is_next = oldest.sequence_number == stream.sequence_number.wrapping_add(1) && gap == units;
        stream.timestamp = stream.timestamp.wrapping_add(units);
        self.stream = Some(stream);
        self.dry = 0;
        self.made_up(units, is_next.then(|| Self::index(oldest.sequence_number)))
    }

    /// The first packet from this number on. Whatever is stored lies less than [`Self::SLOTS`] ahead.
    fn oldest(&self, from: u16) -> Option<Slot> {
        if self.stored == 0 {
            return None;
        }
        let numbers = (0..).map(|ahead| from.wrapping_add(ahead)).take(Self::SLOTS);
        let mut slots = numbers.filter_map(|number| self.slots.get(Self::index(number)));
        slots.find(|slot| slot.occupied).copied()
    }

    fn payload(&self, slot: &Slot) -> &[u8] {
        let start = usize::from(slot.piece) * self.config.max_payload;
        self.storage.get(start..start + slot.length).unwrap_or_default()
    }

    fn release(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.occupied) {
            slot.occupied = false;
            self.free.give_back(slot.piece);
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
