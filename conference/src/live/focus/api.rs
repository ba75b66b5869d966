//! The vocabulary of the focus: what goes in and what comes out.

use super::{TenantDialling, TransferRefusal, TransferRequest};
use crate::ids::{CallId, MeetingId, PersonId, TenantId, UserId};
pub use crate::live::call::{DialExtra, DialSpec, DialTarget, Enough};
use crate::live::event::{PublicEvent, Record};
pub use crate::live::meeting::MeetingSpec;
pub use crate::live::participant::PersonSpec;
pub use crate::live::refusal::{Refusal, RefusalKind};
pub use crate::live::snapshot::{CallView, MeetingSnapshot, PersonView};
pub use crate::live::speech::{Language, Part, Utterance};
pub use crate::live::wire::{Wire, WirePeer};
use crate::vocabulary::{Access, Cause, Role};
use media::dtls::Fingerprint;
use media::sdp::{Codec, SrtpPolicy};
use media::worker::{LegId, PlayingId, RoomId};
use sip_core::ua::{AddressOfRecord, SubscriptionId, TrunkId};
use std::time::{Duration, Instant};

/// What an installation may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FocusConfig {
    /// The codecs offered and accepted on SIP legs, the preferred one first.
    pub codecs: Vec<Codec>,
    /// Whether the media of SIP legs is encrypted.
    pub srtp: SrtpPolicy,
    /// The fingerprint of the certificate the media threads show, if phones may agree on keys by DTLS.
    pub dtls: Option<Fingerprint>,
    /// How long a meeting that everybody has left waits before it ends, ringing calls included.
    pub empty_grace: Duration,
    /// How long a meeting goes on after its last Host has left.
    pub no_host_grace: Duration,
    /// How long somebody may wait in the lobby: no phone bill runs on for ever.
    pub lobby_timeout: Duration,
    /// How long a browser may take until its media connection stands.
    pub connect_timeout: Duration,
    /// Whether phones hear why they are hung up before they are.
    pub last_words: bool,
    /// The bounds on what one meeting may hold.
    pub limits: FocusLimits,
}

/// Bounds on what may be held, so that nobody can fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FocusLimits {
    /// Calls of one meeting between the first INVITE and the answer; further ones wait their turn.
    pub dialling_per_meeting: usize,
    /// Calls of one meeting that are not over, waiting ones included.
    pub calls_per_meeting: usize,
    /// Legs of one meeting.
    pub legs_per_meeting: usize,
    /// People on the roster of one meeting, present or not.
    pub people_per_meeting: usize,
    /// Callers at once who are being asked for a meeting id.
    pub visitors: usize,
}

impl Default for FocusConfig {
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            srtp: SrtpPolicy::Off,
            dtls: None,
            empty_grace: Duration::from_secs(30),
            no_host_grace: Duration::from_secs(600),
            lobby_timeout: Duration::from_secs(1800),
            connect_timeout: Duration::from_secs(30),
            last_words: true,
            limits: FocusLimits::default(),
        }
    }
}

impl Default for FocusLimits {
    fn default() -> Self {
        Self {
            dialling_per_meeting: 50,
            calls_per_meeting: 500,
            legs_per_meeting: 1000,
            people_per_meeting: 5000,
            visitors: 1000,
        }
    }
}

/// Who mutes or unmutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutedBy {
    /// A Host.
    Host,
    /// The person concerned.
    Oneself,
}

/// What the services ask for. Rights have been checked by then.
#[derive(Clone, Debug)]
pub enum Command {
    /// A meeting exists, or has changed.
    PutMeeting(MeetingSpec),
    /// A meeting was deleted: end it and forget it.
    DropMeeting {
        /// Which.
        meeting: MeetingId,
    },
    /// Who a registered device is, for calls from it.
    PutDevice {
        /// The device.
        aor: AddressOfRecord,
        /// Its user.
        user: UserId,
        /// The user's tenant.
        tenant: TenantId,
        /// The user's name.
        display_name: String,
        /// The role in meetings that know nothing better of this user; `None` for the meeting's own default.
        role_hint: Option<Role>,
    },
    /// Whether a user's account is in force: whoever is disabled comes in by no way, their PIN and a call that is
    /// returned included (I82).
    PutUser {
        /// Who.
        user: UserId,
        /// In force or not.
        enabled: bool,
    },
    /// A device was removed.
    DropDevice {
        /// Which.
        aor: AddressOfRecord,
    },
    /// Whose trunk it is: its calls reach only that tenant's meetings. Calls of a trunk nobody owns reach all.
    PutTrunk {
        /// The trunk.
        trunk: TrunkId,
        /// Its tenant.
        tenant: TenantId,
    },
    /// A number of a tenant that callers may dial: they are asked for a meeting id and a PIN.
    PutDialIn {
        /// In E.164.
        number: String,
        /// Whose.
        tenant: TenantId,
        /// What is spoken there; the tenant's own language when missing.
        language: Option<Language>,
    },
    /// A number is a tenant's no longer.
    DropDialIn {
        /// In E.164.
        number: String,
    },
    /// What a tenant's callers are spoken to in.
    SetLanguage {
        /// Whose.
        tenant: TenantId,
        /// Which language.
        language: Language,
    },
    /// Raise or lower a hand.
    SetHand {
        /// Where.
        meeting: MeetingId,
        /// Whose.
        person: PersonId,
        /// Raised or not.
        raised: bool,
    },
    /// How the sound of a device or trunk travels from its next call on; `None`: as that of everybody.
    PutWire {
        /// Whose.
        peer: WirePeer,
        /// How.
        wire: Option<Wire>,
    },
    /// A person was invited (again): role and access for when they come, by whatever way. Those who are in change
    /// at once.
    PutPerson {
        /// Where.
        meeting: MeetingId,
        /// Who, and as what.
        person: PersonSpec,
    },
    /// A browser joins; its offer has been accepted. Answered by [`Reply::Leg`], then [`Effect::AttachPeer`].
    JoinWebrtc {
        /// Where.
        meeting: MeetingId,
        /// Who, and as what.
        person: PersonSpec,
    },
    /// A person leaves with everything that carries them.
    Leave {
        /// Where.
        meeting: MeetingId,
        /// Who.
        person: PersonId,
    },
    /// One browser's connection or page has gone away.
    DropLeg {
        /// Which leg.
        leg: LegId,
    },
    /// A number was put on a tenant's do-not-call list, or taken off it.
    SetBlocked {
        /// Whose list.
        tenant: TenantId,
        /// The number.
        e164: String,
        /// Whether it is on it now.
        blocked: bool,
    },
    /// A tenant's rules for calling out have changed.
    PutDialling {
        /// Whose.
        tenant: TenantId,
        /// The rules.
        rules: Box<TenantDialling>,
    },
    /// CALL.
    Dial(Box<DialSpec>),
    /// Cancel a ringing call, hang up an answered one.
    EndCall {
        /// Which.
        call: CallId,
    },
    /// Listen to what comes before a call is answered, or end that.
    ListenToCall {
        /// Which.
        call: CallId,
        /// Who listens; they must be in the meeting.
        user: UserId,
        /// Begin or end.
        on: bool,
    },
    /// End a call for a reason of the system's: its budget is spent.
    StopCall {
        /// Which.
        call: CallId,
        /// Why.
        cause: Cause,
    },
    /// Change a role.
    SetRole {
        /// Where.
        meeting: MeetingId,
        /// Whose.
        person: PersonId,
        /// The new role.
        role: Role,
    },
    /// Change between collaborate and VIEW ONLY.
    SetAccess {
        /// Where.
        meeting: MeetingId,
        /// Whose.
        person: PersonId,
        /// The new access.
        access: Access,
    },
    /// Mute or unmute.
    SetMuted {
        /// Where.
        meeting: MeetingId,
        /// Whom.
        person: PersonId,
        /// Whose flag it is.
        by: MutedBy,
        /// Muted or not.
        muted: bool,
    },
    /// Let an Attendee of a presentation speak, or no longer.
    SetSpeaking {
        /// Where.
        meeting: MeetingId,
        /// Whom.
        person: PersonId,
        /// Whether they may.
        may_speak: bool,
    },
    /// Mute everybody but the Hosts, or take that back.
    MuteAll {
        /// Where.
        meeting: MeetingId,
        /// Muted or not.
        muted: bool,
    },
    /// Let somebody in who waits in the lobby.
    LetIn {
        /// Where.
        meeting: MeetingId,
        /// Whom; everybody when missing.
        person: Option<PersonId>,
    },
    /// Send somebody away who waits in the lobby.
    SendAway {
        /// From where.
        meeting: MeetingId,
        /// Whom.
        person: PersonId,
    },
    /// Remove a person: legs end, ringing calls to them too, and they may not come back until invited again.
    Remove {
        /// From where.
        meeting: MeetingId,
        /// Whom.
        person: PersonId,
    },
    /// End a meeting for everybody.
    EndMeeting {
        /// Which.
        meeting: MeetingId,
    },
    /// The answer to [`Effect::Transfer`]: its call, which has been dialled, or a SIP status and why not.
    TransferJudged {
        /// Which transfer.
        refer: SubscriptionId,
        /// The answer.
        result: Result<CallId, TransferRefusal>,
    },
    /// Running meetings go on, others do not begin.
    Drain,
    /// End everything; nothing new is taken.
    Shutdown,
}

/// The answer to a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Done,
    /// Done; this is the new leg.
    Leg(LegId),
}

/// Something to be done in the world.
#[derive(Debug)]
pub enum Effect {
    /// For the SIP user agent.
    Sip(sip_core::ua::Command),
    /// Bind an RTP port; answer with `Focus::handle_port`.
    OpenPort {
        /// For this leg.
        leg: LegId,
        /// On the media thread of this room.
        room: RoomId,
    },
    /// Give an RTP port back. It may not have been opened yet.
    ClosePort {
        /// Of this leg.
        leg: LegId,
    },
    /// For the media worker of this room.
    Media {
        /// The room.
        room: RoomId,
        /// What to do.
        command: media::worker::Command,
    },
    /// Say something to one leg, instead of what it was hearing: put the recordings together, have texts spoken, and
    /// tell the media worker of this room to play it. Whatever happens, something is played, so that
    /// `media::worker::Event::PlayingDone` follows, unless it is stopped or something else is said before.
    Speak {
        /// The leg.
        leg: LegId,
        /// The room.
        room: RoomId,
        /// What.
        utterance: Utterance,
        /// What `media::worker::Event::PlayingDone` is to name.
        playing: PlayingId,
    },
    /// A leg, with its port, goes on in another room, which may live on another media thread. What follows for this
    /// leg is meant for the new room.
    MoveLeg {
        /// The leg.
        leg: LegId,
        /// Its room so far.
        from: RoomId,
        /// Its new room.
        to: RoomId,
    },
    /// Hand the accepted WebRTC peer of this leg to the media worker of this room.
    AttachPeer {
        /// The leg.
        leg: LegId,
        /// The room.
        room: RoomId,
    },
    /// A phone wants somebody else to be called into its meeting: judge it, and say [`Command::TransferJudged`].
    Transfer(Box<TransferRequest>),
    /// For the event stream.
    Publish(PublicEvent),
    /// For the database.
    Record(Record),
}

/// What `Focus::poll_output` hands out.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made one at a time and taken apart at once")]
pub enum Output {
    /// Do this, then ask again.
    Effect(Effect),
    /// Nothing more to do; call `Focus::handle_timeout` at this time, if one is given.
    Timeout(Option<Instant>),
}

/// How much is held. All zero when nothing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Legs, admitted or not.
    pub legs: usize,
    /// SIP sessions.
    pub sessions: usize,
    /// Calls that are not over.
    pub calls: usize,
    /// People who are in.
    pub present: usize,
    /// Deadlines.
    pub timers: usize,
}
