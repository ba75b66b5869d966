//! The focus (RFC 4353): all running meetings of this process, as one pure machine.
//!
//! Commands come from the services, SIP events from the user agent, media events from the workers, and time from
//! whoever drives it. What is to be done comes out as [`Effect`]s, in the order in which it must be done. Contract:
//! after each `handle_*` drain [`Focus::poll_output`] until [`Output::Timeout`].
//!
//! The same seed and the same inputs give the same effects. What the seed is used for:
//!
//! | random value | purpose |
//! |---|---|
//! | ids of people who dial in | must not be guessable: they are names in the API |
//! | session ids in SDP | RFC 8866 section 5.2 wants them unique |
//! | keys of encrypted media | must not be guessable |

mod api;
mod aside;
mod call_back;
mod commands;
mod dial;
mod dial_in;
mod drain;
mod gate;
mod incoming;
mod instances;
mod keys;
mod leg_records;
mod legs;
mod life;
mod lobby;
mod media_events;
mod moderation;
mod parting;
mod publish;
mod redirect;
mod seat;
mod sip_events;
mod sound;
mod texts;
mod transfer;
mod watching;

pub use api::*;
pub use redirect::TenantDialling;
pub use transfer::{TransferRefusal, TransferRequest};

use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
use crate::live::call::CallTimer;
use crate::live::guess::GuessGuard;
use crate::live::ivr::IvrTimer;
use crate::live::leg_record::LegRecord;
use crate::live::meeting::Meeting;
use crate::live::participant::Participant;
use crate::live::timers::Timers;
use crate::vocabulary::{Cause, Role, UnixMillis};
use call_back::Missed;
use dial_in::DialIn;
use legs::Leg;
use media::worker::{LegId, RoomId};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sip_core::ua::{AddressOfRecord, SessionId, SubscriptionId, TrunkId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

/// The two times of one input.
#[derive(Clone, Copy, Debug)]
struct At {
    now: Instant,
    wall: UnixMillis,
}

/// Every deadline of the focus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A deadline of a dial-out.
    Call(CallId, CallTimer),
    /// A browser's media connection must stand by now.
    Connect(LegId),
    /// Everybody has left: the meeting ends.
    Empty(MeetingId),
    /// The last Host has left long ago: the meeting ends.
    NoHost(MeetingId),
    /// Somebody has waited in the lobby long enough.
    Lobby(LegId),
    /// A deadline of the conversation with somebody who is not in yet.
    Visit(LegId, IvrTimer),
    /// The last words to a leg must be over.
    Parting(LegId),
    /// A phone has been in as long as the meeting allows (I59).
    MaxCall(LegId),
    /// The mixer has said all it will say of a leg that is gone.
    Statistics(LegId),
    /// A leg that sends nothing must have answered by now.
    Silence(LegId),
    /// Somebody has been alone by phone for long enough.
    Alone(MeetingId),
}

/// Who a registered device belongs to.
#[derive(Clone, Debug)]
struct DeviceOwner {
    user: UserId,
    tenant: TenantId,
    display_name: String,
    role_hint: Option<Role>,
}

/// All running meetings.
#[derive(Debug)]
pub struct Focus {
    config: FocusConfig,
    rng: ChaCha12Rng,
    meetings: BTreeMap<MeetingId, Meeting>,
    /// Numbers and aliases, in lower case.
    addresses: BTreeMap<String, MeetingId>,
    rooms: BTreeMap<RoomId, MeetingId>,
    devices: BTreeMap<AddressOfRecord, DeviceOwner>,
    /// Users whose account is not in force.
    disabled: BTreeSet<UserId>,
    registered: BTreeSet<AddressOfRecord>,
    trunks: BTreeMap<TrunkId, TenantId>,
    /// Numbers that lead to the conversation with callers, as digits without `+`.
    dial_ins: BTreeMap<String, DialIn>,
    /// What tenants speak, as far as they have said so.
    languages: BTreeMap<TenantId, Language>,
    guesses: GuessGuard,
    /// Missed calls by the number shown and the number called, as digits.
    missed: BTreeMap<(String, String), Missed>,
    dialling: BTreeMap<TenantId, TenantDialling>,
    wires: BTreeMap<WirePeer, Wire>,
    legs: BTreeMap<LegId, Leg>,
    sessions: BTreeMap<SessionId, LegId>,
    /// Records of legs that are gone, until the mixer's last word on them.
    leg_records: BTreeMap<LegId, Box<LegRecord>>,
    /// The calls that are not over.
    calls: BTreeMap<CallId, MeetingId>,
    /// The calls that transfers of phones have led to.
    transfers: BTreeMap<CallId, SubscriptionId>,
    /// Phones that watch a meeting.
    watchers: BTreeMap<SubscriptionId, watching::Watcher>,
    /// Meetings that may look different to them.
    touched_rosters: BTreeSet<MeetingId>,
    timers: Timers<Timer>,
    outbox: VecDeque<Effect>,
    next_leg: u64,
    next_room: u64,
    next_session: u64,
    last_playing: u64,
    /// After [`Command::Shutdown`] nothing new is taken.
    closing: bool,
    /// Those who wait are being let in.
    opening: bool,
    draining: bool,
}

impl Focus {
    /// A focus without meetings. The seed makes ids that nobody can guess; it decides nothing else.
    pub fn new(config: FocusConfig, seed: [u8; 32]) -> Self {
        Self {
            config,
            rng: ChaCha12Rng::from_seed(seed),
            meetings: BTreeMap::new(),
            addresses: BTreeMap::new(),
            rooms: BTreeMap::new(),
            devices: BTreeMap::new(),
            disabled: BTreeSet::new(),
            registered: BTreeSet::new(),
            trunks: BTreeMap::new(),
            dial_ins: BTreeMap::new(),
            languages: BTreeMap::new(),
            guesses: GuessGuard::default(),
            missed: BTreeMap::new(),
            dialling: BTreeMap::new(),
            wires: BTreeMap::new(),
            legs: BTreeMap::new(),
            sessions: BTreeMap::new(),
            leg_records: BTreeMap::new(),
            calls: BTreeMap::new(),
            transfers: BTreeMap::new(),
            watchers: BTreeMap::new(),
            touched_rosters: BTreeSet::new(),
            timers: Timers::default(),
            outbox: VecDeque::new(),
            next_leg: 1,
            next_room: 1,
            next_session: 1,
            last_playing: 0,
            closing: false,
            opening: false,
            draining: false,
        }
    }

    /// Carries out a command, or says why not; then nothing has changed.
    pub fn handle_command(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        command: Command,
    ) -> Result<Reply, Refusal> {
        self.command(At { now, wall }, command)
    }

    /// Takes an event of the SIP user agent.
    pub fn handle_sip(&mut self, now: Instant, wall: UnixMillis, event: sip_core::ua::Event) {
        self.sip_event(At { now, wall }, event);
    }

    /// Takes an event of a media worker.
    pub fn handle_media(&mut self, now: Instant, wall: UnixMillis, event: media::worker::Event) {
        self.media_event(At { now, wall }, event);
    }

    /// Takes the answer to [`Effect::OpenPort`]: the address to be named in session descriptions, or why there is
    /// none.
    pub fn handle_port(
        &mut self,
        now: Instant,
        wall: UnixMillis,
        leg: LegId,
        result: Result<std::net::SocketAddr, String>,
    ) {
        self.port_result(At { now, wall }, leg, result);
    }

    /// Lets every deadline fire that has come.
    pub fn handle_timeout(&mut self, now: Instant, wall: UnixMillis) {
        let at = At { now, wall };
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(at, timer);
        }
    }

    /// The next effect, or the time of the next deadline.
    pub fn poll_output(&mut self) -> Output {
        if self.outbox.is_empty() && !self.touched_rosters.is_empty() {
            self.tell_watchers();
        }
        match self.outbox.pop_front() {
            Some(effect) => Output::Effect(effect),
            None => Output::Timeout(self.timers.next()),
        }
    }

    /// A meeting as it is now.
    pub fn snapshot(&self, meeting: &MeetingId) -> Option<MeetingSnapshot> {
        self.meetings.get(meeting).map(Meeting::snapshot)
    }

    /// The mixer's room of a meeting, which never changes while the meeting is known.
    pub fn room(&self, meeting: &MeetingId) -> Option<RoomId> {
        self.meetings.get(meeting).map(|meeting| meeting.room)
    }

    /// Which person a leg carries, and where: for binding an event stream to a browser's leg.
    pub fn leg_person(&self, leg: LegId) -> Option<(&MeetingId, &PersonId)> {
        self.legs.get(&leg).map(|leg| (&leg.meeting, &leg.person))
    }

    /// How much is held.
    pub fn counts(&self) -> Counts {
        Counts {
            legs: self.legs.len(),
            sessions: self.sessions.len(),
            calls: self.calls.len(),
            present: self.meetings.values().map(Meeting::present).sum(),
            // Records that wait for the mixer's last word are no business of a meeting.
            timers: self.timers.len().saturating_sub(self.leg_records.len()),
        }
    }

    fn fire(&mut self, at: At, timer: Timer) {
        match timer {
            Timer::Call(call, timer) => self.drive_call(at, &call, crate::live::call::Input::Timer(timer)),
            Timer::Connect(leg) => {
                self.leg_ends_for(leg, Cause::MediaFailed);
                self.drop_leg(at, leg);
            }
            Timer::Visit(leg, timer) => self.visit_timer(at, leg, timer),
            Timer::Parting(leg) => self.finish_parting(at, leg),
            Timer::Statistics(leg) => self.close_leg_record(leg),
            Timer::Lobby(leg) => self.end_leg(at, leg, Cause::NoHost),
            Timer::MaxCall(leg) => self.end_leg(at, leg, Cause::HungUp),
            Timer::Empty(meeting) | Timer::NoHost(meeting) => self.end_meeting(at, &meeting),
            Timer::Silence(leg) => self.silent_for_good(at, leg),
            Timer::Alone(meeting) => self.hang_up_alone(at, &meeting),
        }
    }

    fn effect(&mut self, effect: Effect) {
        self.outbox.push_back(effect);
    }

    fn sip(&mut self, command: sip_core::ua::Command) {
        self.effect(Effect::Sip(command));
    }

    fn media(&mut self, room: RoomId, command: media::worker::Command) {
        self.effect(Effect::Media { room, command });
    }

    fn new_leg_id(&mut self) -> LegId {
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        leg
    }

    fn new_session_id(&mut self) -> SessionId {
        let session = SessionId::Outgoing(self.next_session);
        self.next_session += 1;
        session
    }

    fn new_person_id(&mut self) -> PersonId {
        PersonId::new(format!("p{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64()))
    }

    fn meeting(&self, meeting: &MeetingId) -> Result<&Meeting, Refusal> {
        self.meetings.get(meeting).ok_or_else(|| unknown_meeting(meeting))
    }

    fn meeting_mut(&mut self, meeting: &MeetingId) -> Result<&mut Meeting, Refusal> {
        self.meetings.get_mut(meeting).ok_or_else(|| unknown_meeting(meeting))
    }
}

fn unknown_meeting(meeting: &MeetingId) -> Refusal {
    Refusal::not_found("meeting", format!("there is no meeting {meeting}")).mend("Check the meeting's id")
}
