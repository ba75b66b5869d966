//! What goes into a worker and what comes out of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::answer::AnswerSummary;
use crate::prompt::Recording;
use crate::quality::LegStats;
use crate::sdp::Negotiated;
use crate::webrtc::WebrtcPeer;

/// A meeting's room. It lives on exactly one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// One person's media: a phone's RTP session or a browser's peer connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

/// One thing that is played to a leg, as whoever orders it counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PlayingId(pub u64);

/// What a leg may do. Nothing, unless a plan says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LegPlan {
    /// Its voice is mixed for the others.
    pub send_audio: bool,
    /// It hears the others.
    pub receive_audio: bool,
    /// Its camera is forwarded to the others.
    pub send_video: bool,
    /// It sees the others' cameras.
    pub receive_video: bool,
}

/// What is played to one leg.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// Recordings, one after the other without a gap. They are decoded already: no tick waits for them.
    Clips(Arc<[Arc<Recording>]>),
    /// A sine; 400 ms long unless repeated.
    Tone {
        /// Its frequency in Hz.
        hz: u16,
    },
}

impl Source {
    /// One recording.
    #[must_use]
    pub fn clip(recording: Arc<Recording>) -> Self {
        Self::Clips(Arc::new([recording]))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clips(clips) => f.debug_tuple("Clips").field(&clips.len()).finish(),
            Self::Tone { hz } => f.debug_struct("Tone").field("hz", hz).finish(),
        }
    }
}

/// What is done to one voice before it is mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoiceTreatment {
    /// Whether it is brought to the common loudness; `None`: as [`WorkerConfig::even_loudness`] says.
    pub even_loudness: Option<bool>,
    /// Whether noise is taken out of it: for phones in loud places. Costs time, and 10 to 20 ms of delay.
    pub suppress_noise: bool,
}

/// What a worker is told.
#[expect(clippy::large_enum_variant, reason = "few are about at once, and a box more would be no gain")]
pub enum Command {
    /// Adds a phone: silent and deaf until a plan admits it. Unknown rooms come into being.
    AddSipLeg {
        /// The new leg.
        leg: LegId,
        /// Its room.
        room: RoomId,
    },
    /// Offer and answer are through (again): from now on the leg gets a packet each tick.
    SetSipRemote {
        /// The leg.
        leg: LegId,
        /// What was agreed.
        negotiated: Negotiated,
        /// For phones behind a NAT: where their signalling comes from. Their first packets may come from any port
        /// of this address instead of the signalled one, which is then answered. `None`: only the signalled one.
        symmetric_from: Option<IpAddr>,
    },
    /// Adds a browser: silent, deaf and blind until a plan admits it. Unknown rooms come into being.
    AddWebrtcLeg {
        /// The new leg.
        leg: LegId,
        /// Its room.
        room: RoomId,
        /// Its peer connection.
        peer: Box<dyn WebrtcPeer>,
        /// Our ICE user fragment towards it.
        ufrag: String,
        /// How many video slots its answer carries ([`AcceptedPeer::video_slots`](crate::webrtc::AcceptedPeer)).
        video_slots: u8,
    },
    /// Removes a leg; its room goes with the last one.
    RemoveLeg {
        /// The leg.
        leg: LegId,
    },
    /// Changes a leg's rights, whole, at the beginning of the next tick.
    SetPlan {
        /// The leg.
        leg: LegId,
        /// Its new rights.
        plan: LegPlan,
    },
    /// A phone goes on in another room of this worker, without rights until a plan gives it some.
    MoveLeg {
        /// The leg.
        leg: LegId,
        /// Its new room.
        room: RoomId,
    },
    /// A leg hears aside, alone, what comes from a phone of its room that has no right to be heard: early media. It hears
    /// nothing of it while that phone may speak, and nothing any more once it has gone.
    Overhear {
        /// Who listens.
        leg: LegId,
        /// To whom; `None` ends it.
        of: Option<LegId>,
    },
    /// Plays something to one leg from the next tick on, instead of what was playing. The leg hears it alone when
    /// it may not receive audio, and over the meeting when it may.
    Play {
        /// The leg.
        leg: LegId,
        /// What.
        source: Source,
        /// Again and again until [`Command::StopPlaying`].
        repeat: bool,
        /// What [`Event::PlayingDone`] names.
        playing: PlayingId,
    },
    /// Presses keys towards a phone, one after the other, as soon as it can be sent media: as telephone events, or
    /// as tones where it takes none.
    SendDigits {
        /// The leg.
        leg: LegId,
        /// As [`DigitSender::send`](crate::dtmf::DigitSender::send) takes them.
        digits: String,
    },
    /// Whether keys are also listened for in a phone's audio. Without this command they are where it knows no
    /// telephone events.
    DetectTones {
        /// The leg.
        leg: LegId,
        /// Whether they are.
        enabled: bool,
    },
    /// What is done to a leg's voice before it is mixed. Allocates.
    TreatVoice {
        /// The leg.
        leg: LegId,
        /// What.
        treatment: VoiceTreatment,
    },
    /// Whether to listen to how a phone was answered: by a person or by a machine. Says what was heard so far as
    /// [`Event::AnswerHeard`], whenever that changes.
    ObserveAnswer {
        /// The leg.
        leg: LegId,
        /// Whether to listen; again begins anew.
        enabled: bool,
    },
    /// A leg is on its way from another worker ([`Worker::take_leg`](super::Worker::take_leg)): what is said to it
    /// meanwhile waits for it.
    ExpectLeg {
        /// The leg.
        leg: LegId,
    },
    /// Ends what is playing; no [`Event::PlayingDone`] follows.
    StopPlaying {
        /// The leg.
        leg: LegId,
    },
}

impl Command {
    /// Which leg it is about.
    #[must_use]
    pub const fn leg(&self) -> LegId {
        match self {
            Self::AddSipLeg { leg, .. }
            | Self::SetSipRemote { leg, .. }
            | Self::AddWebrtcLeg { leg, .. }
            | Self::RemoveLeg { leg }
            | Self::SetPlan { leg, .. }
            | Self::MoveLeg { leg, .. }
            | Self::Play { leg, .. }
            | Self::SendDigits { leg, .. }
            | Self::DetectTones { leg, .. }
            | Self::ObserveAnswer { leg, .. }
            | Self::TreatVoice { leg, .. }
            | Self::Overhear { leg, .. }
            | Self::ExpectLeg { leg }
            | Self::StopPlaying { leg } => *leg,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddSipLeg { leg, room } => {
                f.debug_struct("AddSipLeg").field("leg", leg).field("room", room).finish()
            }
            Self::SetSipRemote { leg, negotiated, symmetric_from } => f
                .debug_struct("SetSipRemote")
                .field("leg", leg)
                .field("negotiated", negotiated)
                .field("symmetric_from", symmetric_from)
                .finish(),
            Self::AddWebrtcLeg { leg, room, .. } => {
                f.debug_struct("AddWebrtcLeg").field("leg", leg).field("room", room).finish_non_exhaustive()
            }
            Self::RemoveLeg { leg } => f.debug_struct("RemoveLeg").field("leg", leg).finish(),
            Self::SetPlan { leg, plan } => {
                f.debug_struct("SetPlan").field("leg", leg).field("plan", plan).finish()
            }
            Self::Overhear { leg, of } => {
                f.debug_struct("Overhear").field("leg", leg).field("of", of).finish()
            }
            Self::Play { leg, source, repeat, playing } => f
                .debug_struct("Play")
                .field("leg", leg)
                .field("source", source)
                .field("repeat", repeat)
                .field("playing", &playing.0)
                .finish(),
            Self::SendDigits { leg, .. } => {
                // Digits may be a PIN.
                f.debug_struct("SendDigits").field("leg", leg).finish_non_exhaustive()
            }
            Self::DetectTones { leg, enabled } => {
                f.debug_struct("DetectTones").field("leg", leg).field("enabled", enabled).finish()
            }
            Self::ObserveAnswer { leg, enabled } => {
                f.debug_struct("ObserveAnswer").field("leg", leg).field("enabled", enabled).finish()
            }
            Self::TreatVoice { leg, treatment } => {
                f.debug_struct("TreatVoice").field("leg", leg).field("treatment", treatment).finish()
            }
            Self::MoveLeg { leg, room } => {
                f.debug_struct("MoveLeg").field("leg", leg).field("room", room).finish()
            }
            Self::ExpectLeg { leg } => f.debug_struct("ExpectLeg").field("leg", leg).finish(),
            Self::StopPlaying { leg } => f.debug_struct("StopPlaying").field("leg", leg).finish(),
        }
    }
}

/// What a worker reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key was pressed (RFC 4733, or heard as a tone), whatever the leg's plan.
    Digit {
        /// The leg.
        leg: LegId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// The first audio packet of the leg arrived.
    MediaStarted {
        /// The leg.
        leg: LegId,
    },
    /// What was played once is over.
    PlayingDone {
        /// The leg.
        leg: LegId,
        /// As [`Command::Play`] named it: by now something else may be playing.
        playing: PlayingId,
    },
    /// What was heard of a phone since [`Command::ObserveAnswer`].
    AnswerHeard {
        /// The leg.
        leg: LegId,
        /// All of it, so far.
        summary: AnswerSummary,
    },
    /// The room's active speaker changed.
    ActiveSpeaker {
        /// The room.
        room: RoomId,
        /// The speaker; `None` after two seconds of silence.
        leg: Option<LegId>,
    },
    /// The level of a leg that may speak changed; at most five times a second.
    Levels {
        /// The leg.
        leg: LegId,
        /// In -dBov (RFC 6464): 0 is the loudest, 127 is silence.
        dbov: u8,
    },
    /// A browser's ICE and DTLS are up.
    WebrtcConnected {
        /// The leg.
        leg: LegId,
    },
    /// A browser is gone; the leg stays until it is removed.
    WebrtcClosed {
        /// The leg.
        leg: LegId,
    },
    /// Which publisher each video slot of a listener carries.
    VideoSlots {
        /// The listener.
        leg: LegId,
        /// One entry per slot.
        slots: Vec<Option<LegId>>,
    },
    /// How a leg's media has been so far: every five seconds, and for the last time when it is removed.
    Statistics {
        /// The leg.
        leg: LegId,
        /// Counted since it began.
        stats: LegStats,
        /// The leg is gone.
        is_final: bool,
    },
}

impl Event {
    /// Whether the next one of its kind makes it old: such events are lost first when the driver falls behind.
    pub(super) const fn is_expendable(&self) -> bool {
        matches!(self, Self::Levels { .. } | Self::Statistics { is_final: false, .. })
    }
}

/// Which of the worker's ports a datagram leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// The leg's own RTP port.
    Sip(LegId),
    /// The leg's own RTCP port, the one after it.
    SipRtcp(LegId),
    /// The port all browsers share.
    Webrtc,
}

/// A datagram to send, lent until the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// From which port.
    pub from: Port,
    /// To which address.
    pub destination: SocketAddr,
    /// What.
    pub payload: &'a [u8],
}

/// Limits of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerConfig {
    /// How many voices are mixed at once in a room at most: the loudest. Laughter and applause stay whole.
    pub max_voices: usize,
    /// Whether voices are brought to one loudness.
    pub even_loudness: bool,
    /// How many events wait for the driver at most. Level reports beyond that are dropped first.
    pub max_events: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { max_voices: 16, even_loudness: false, max_events: 4096 }
    }
}

/// How much a worker has to do and has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Rooms.
    pub rooms: usize,
    /// Legs.
    pub legs: usize,
    /// Ticks handled.
    pub ticks: u64,
    /// Frames encoded. Digital silence is sent without encoding and does not count.
    pub encodes: u64,
    /// Voices converted to the other mix rate.
    pub conversions: u64,
    /// Datagrams dropped: from strangers, malformed, or for unknown legs.
    pub dropped_datagrams: u64,
    /// Events dropped because the driver did not fetch them.
    pub dropped_events: u64,
    /// Outgoing packets dropped because the driver did not fetch them.
    pub dropped_transmits: u64,
}
