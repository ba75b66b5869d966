//! What goes into the user agent and what comes out of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::flows::Connect;
use super::identity::{Attestation, Verstat};
use super::subscription::SubscriptionId;
use super::trunk::Trunk;
use crate::IpNetwork;
use crate::flow::{FlowId, Listener, Transport};
use crate::locate::Question;
use crate::message::Limits;
use crate::message::header::Replaces;
use crate::registrar::{AddressOfRecord, BindingInfo, RegistrarConfig, StoredBinding};
use crate::transaction::{TimerValues, Transmit};

/// Everything the user agent is told at its start.
#[derive(Debug, Clone)]
pub struct UserAgentConfig {
    /// Where messages come in and go out. Requests of ours leave by the first one of the transport in question.
    pub listeners: Vec<Listener>,
    /// The domains whose devices may register; the first one stands in From towards trunks.
    pub domains: Vec<String>,
    /// The text of User-Agent and Server.
    pub product: String,
    /// T1, T2 and T4.
    pub timers: TimerValues,
    /// Bounds on messages and state.
    pub limits: Limits,
    /// Bounds on registrations.
    pub registrar: RegistrarConfig,
    /// Addresses whose INVITEs are taken without digest, but for those that come to a public listener.
    pub trusted_peers: Vec<IpNetwork>,
    /// Proxies in front of phones: bans and budgets count the address that such a proxy has noted in the second Via, not
    /// its own. They are trusted with nothing else.
    pub edges: Vec<IpNetwork>,
}

/// A datagram that has come.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Where it came from.
    pub source: SocketAddr,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A message that has come, by whatever transport.
#[derive(Debug, Clone, Copy)]
pub struct FlowInput<'a> {
    /// What carried it.
    pub transport: Transport,
    /// The listener it came to: for connections the address that was listened at, not that of the connection. For a
    /// connection we have opened, that of any listener.
    pub local: SocketAddr,
    /// Where it came from.
    pub source: SocketAddr,
    /// The connection it came on; `None` for UDP.
    pub flow: Option<FlowId>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A connection that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowOpened {
    /// Its name.
    pub flow: FlowId,
    /// What it speaks.
    pub transport: Transport,
    /// The listener it came to, or whose transport it uses.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
}

/// What [`super::UserAgent::poll_output`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ask the name servers; then say [`super::UserAgent::handle_answer`].
    Resolve(Question),
    /// Make this connection; when that fails say [`super::UserAgent::handle_flow_closed`].
    Connect(Connect),
    /// Send this; if its connection is gone, throw it away.
    Transmit(Transmit),
    /// Something happened.
    Event(Event),
    /// Nothing more now; call `handle_timeout` at this instant, if there is one.
    Timeout(Option<Instant>),
}

/// How much the user agent holds; all zero when it is idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions, both sides.
    pub transactions: usize,
    /// Dialogs, early ones of incoming calls included.
    pub dialogs: usize,
    /// INVITE sessions, those being released included.
    pub sessions: usize,
    /// Subscriptions, those of transfers included.
    pub subscriptions: usize,
    /// Bindings of devices.
    pub bindings: usize,
    /// Connections that stand or are being made.
    pub connections: usize,
}

/// Names a session; chosen by whoever creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionId {
    /// Chosen by the user, in [`OutgoingInvite`].
    Outgoing(u64),
    /// Chosen by the user agent, in [`IncomingInvite`].
    Incoming(u64),
}

/// Names a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub u64);

/// A device that may register.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceAccount {
    /// Its address; the user part is the digest user name, too.
    pub aor: AddressOfRecord,
    /// The realm its hashes were made with.
    pub realm: String,
    /// H(user:realm:password), MD5.
    pub ha1_md5: [u8; 16],
    /// The same, SHA-256.
    pub ha1_sha256: Option<[u8; 32]>,
    /// H(user@domain:realm:password), MD5: for phones that give their whole address as digest user.
    pub ha1_md5_full: Option<[u8; 16]>,
    /// The same, SHA-256.
    pub ha1_sha256_full: Option<[u8; 32]>,
    /// Only user agents whose User-Agent begins so may register; `None` for all.
    pub agent_filter: Option<String>,
}

impl std::fmt::Debug for DeviceAccount {
    /// Without the hashes: they are as good as the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceAccount")
            .field("aor", &self.aor)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// An order to the user agent. Orders about unknown sessions, devices or trunks are without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Adds or changes a device.
    PutDevice(DeviceAccount),
    /// Removes a device and its bindings.
    RemoveDevice(AddressOfRecord),
    /// Puts back a binding after a restart.
    RestoreBinding(Box<StoredBinding>),
    /// Adds or changes a trunk; a registration begins at once.
    PutTrunk(Box<Trunk>),
    /// Removes a trunk and de-registers from it; its calls go on.
    RemoveTrunk(TrunkId),
    /// Calls somebody.
    Invite(Box<OutgoingInvite>),
    /// Answers an incoming INVITE provisionally.
    Provisional {
        /// Which one.
        session: SessionId,
        /// 101 to 199.
        status: u16,
        /// A session description for early media.
        body: Option<Bytes>,
    },
    /// Answers an incoming INVITE with 200.
    Accept {
        /// Which one.
        session: SessionId,
        /// The session description.
        body: Bytes,
    },
    /// Refuses an incoming INVITE.
    Reject {
        /// Which one.
        session: SessionId,
        /// 300 to 699.
        status: u16,
    },
    /// Ends a session in any state: CANCEL while early, BYE when confirmed, ACK and BYE when a 200 crosses
    /// the CANCEL, 480 for an incoming INVITE not answered yet. [`Event::Ended`] follows at once.
    HangUp {
        /// Which one.
        session: SessionId,
    },
    /// Answers [`Event::Offer`] with a session description or a status of 400 to 699. After
    /// [`Event::Answered`] to an INVITE that carried no offer it answers the offer that came with the 200: the
    /// ACK goes out with it, and with a status the call is released after an ACK without it.
    AnswerOffer {
        /// Which session.
        session: SessionId,
        /// The answer.
        body: Result<Bytes, u16>,
    },
    /// Offers a new session description to the peer of an established session (re-INVITE): hold, resume,
    /// another codec. It waits its turn while another offer is on its way, in either direction; the newest
    /// one counts. [`Event::OfferAnswered`] follows.
    Offer {
        /// Which session.
        session: SessionId,
        /// The offer.
        body: Bytes,
    },
    /// Asks a trunk by OPTIONS whether it is there, for ever, or (`None`) not any more.
    /// [`Event::TrunkUp`] follows the first answer, [`Event::TrunkDown`] the third one missed in a row, and
    /// [`Event::TrunkUp`] the second answer after that.
    ProbeTrunk {
        /// Which one.
        trunk: TrunkId,
        /// How often; an answer that has not come by the next question is missed.
        every: Option<Duration>,
    },
    /// Asks a trunk once, now; the answer counts like that of any other probe.
    ProbeNow(TrunkId),
    /// Gives an address no answer for a while, e.g. what [`super::UserAgent::bans`] said before a restart.
    Ban {
        /// Which one; of IPv6 the first 64 bits count.
        address: IpAddr,
        /// For how long; `ZERO` lifts a ban.
        duration: Duration,
    },
    /// Asks the peer of an established session by OPTIONS whether it is there. [`Event::Alive`] follows if it is.
    Check {
        /// Which one.
        session: SessionId,
    },
    /// Answers [`Event::Refer`]: it goes on, or a status of 400 to 699 and why not, in words.
    AnswerRefer {
        /// Which one.
        refer: SubscriptionId,
        /// The answer.
        answer: Result<(), (u16, String)>,
    },
    /// Tells a phone how far the call has come that its transfer led to; a status of 200 to 699 is the last word.
    ReferProgress {
        /// Which transfer.
        refer: SubscriptionId,
        /// 100 to 699.
        status: u16,
        /// The reason phrase; the usual one if it is empty.
        reason: String,
    },
    /// Answers [`Event::Subscribe`] with the first document, or with a status of 400 to 699. In a document the first
    /// `{version}` is replaced by a number that grows by one with each that is sent.
    AnswerSubscribe {
        /// Which subscription.
        subscription: SubscriptionId,
        /// The document.
        answer: Result<String, u16>,
    },
    /// What a subscription watches has changed: a new document. Of several that come close together the newest is sent.
    Notify {
        /// Which subscription.
        subscription: SubscriptionId,
        /// The document.
        body: String,
    },
    /// What a subscription watches is no more.
    EndSubscription {
        /// Which one.
        subscription: SubscriptionId,
    },
    /// Shows a line of text on a device, if it can; [`Event::MessageOver`] follows.
    Message {
        /// Which device.
        device: AddressOfRecord,
        /// The text; only its first 900 bytes are sent.
        text: String,
    },
    /// Ends every session and every trunk registration; afterwards new calls are refused with 503.
    Shutdown,
}

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingInvite {
    /// Its name, [`SessionId::Outgoing`], not used before.
    pub session: SessionId,
    /// Whom to call.
    pub target: Target,
    /// Who calls.
    pub caller: CallerIdentity,
    /// The Call-ID.
    pub call_id: String,
    /// The session description offered; if it is empty, the peer is asked for an offer, which comes with
    /// [`Event::Answered`] and is to be answered with [`Command::AnswerOffer`].
    pub offer: Bytes,
    /// The number, in E.164 with its plus, that was called first and has sent the call on to this one by a 302; only
    /// towards trunks, as [`super::Trunk::diversion`] says.
    pub diverted_by: Option<String>,
    /// The dialog of the callee that this call takes the place of (RFC 3891).
    pub replaces: Option<Replaces>,
    /// How long a trunk may say nothing at all; then the call ends with [`EndCause::NoResponse`], and whatever still comes
    /// of it is cancelled or released. `None` waits as long as RFC 3261 does (64 x T1). A call with other servers of the
    /// trunk to try never waits that long.
    pub patience: Option<Duration>,
    /// How far we stand for the caller's number, for whoever signs the call; no number is signed without it.
    pub attestation: Option<Attestation>,
    /// The Identity header field (RFC 8224), signed; only towards trunks.
    pub identity: Option<String>,
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A registered device, at the contact it likes best only.
    Device(AddressOfRecord),
    /// A telephone number.
    Trunk {
        /// Through which trunk.
        trunk: TrunkId,
        /// E.164 with its plus.
        number: String,
    },
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// E.164 with its plus.
    pub number: String,
    /// The name shown.
    pub display_name: String,
    /// Show neither: From is anonymous, and trunks are asked for privacy.
    pub hidden: bool,
}

/// Something the user must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A device registered or refreshed a contact.
    Registered(BindingInfo),
    /// A device removed its last contact, or was removed.
    Unregistered {
        /// Which one.
        device: AddressOfRecord,
    },
    /// The connections by which a device had registered are gone: it cannot be called until it registers again.
    Unreachable {
        /// Which one.
        device: AddressOfRecord,
    },
    /// The last contact of a device ran out.
    RegistrationExpired {
        /// Which one.
        device: AddressOfRecord,
    },
    /// A trunk accepted our registration, or answers probes ([`Command::ProbeTrunk`]).
    TrunkUp {
        /// Which one.
        trunk: TrunkId,
    },
    /// A trunk refused our registration or did not answer it or our probes (`None`).
    TrunkDown {
        /// Which one.
        trunk: TrunkId,
        /// Its status code.
        status: Option<u16>,
    },
    /// Too many wrong passwords came from an address: it gets no answer for a while.
    Banned {
        /// Which one; of IPv6 the first 64 bits count.
        address: IpAddr,
        /// Until when.
        until: Instant,
    },
    /// Somebody calls.
    Incoming(Box<IncomingInvite>),
    /// An outgoing call rings, or has early media.
    Provisional {
        /// Which one.
        session: SessionId,
        /// 101 to 199.
        status: u16,
        /// A session description, if one came along.
        body: Option<Bytes>,
    },
    /// An outgoing call was answered.
    Answered {
        /// Which one.
        session: SessionId,
        /// The session description.
        body: Bytes,
        /// Where the 200 came from.
        source: SocketAddr,
    },
    /// The ACK to our answer has come.
    Established {
        /// Which session.
        session: SessionId,
    },
    /// The peer pressed a key and told so by INFO (application/dtmf-relay or application/dtmf).
    Dtmf {
        /// Which session.
        session: SessionId,
        /// `0` to `9`, `*`, `#`, `A` to `D`, or `!` for a hook flash.
        digit: char,
        /// How long, if the peer said so.
        duration: Option<Duration>,
    },
    /// The peer answers an offer of ours: that of [`Command::Offer`], one we made because its INVITE carried
    /// none, or our description repeated to keep the session alive (RFC 4028); then the answer usually is what
    /// it was before. A status means that all stays as it was.
    OfferAnswered {
        /// Which session.
        session: SessionId,
        /// The answer, or why there is none.
        body: Result<Bytes, u16>,
    },
    /// The peer of an established session has answered [`Command::Check`].
    Alive {
        /// Which session.
        session: SessionId,
    },
    /// The peer points elsewhere (3xx). [`Event::Ended`] follows: nothing is followed by itself.
    Redirected {
        /// Which session.
        session: SessionId,
        /// The URIs it names, the one it prefers first.
        contacts: Vec<String>,
    },
    /// The peer offers a new session description (re-INVITE, UPDATE); empty if it asks us for one.
    Offer {
        /// Which session.
        session: SessionId,
        /// The offer.
        body: Bytes,
    },
    /// A device wants the other end of its call to call somebody else (RFC 3515). To be answered with
    /// [`Command::AnswerRefer`], then [`Command::ReferProgress`].
    Refer(Box<ReferRequest>),
    /// A device wants to know who is in a meeting (RFC 4575). To be answered with [`Command::AnswerSubscribe`].
    Subscribe(Box<SubscribeRequest>),
    /// A subscription to a meeting has ended.
    SubscriptionEnded {
        /// Which one.
        subscription: SubscriptionId,
    },
    /// What became of a [`Command::Message`].
    MessageOver {
        /// The device.
        device: AddressOfRecord,
        /// Its answer, 405 if it is known to take none; `None` if it cannot be reached.
        status: Option<u16>,
    },
    /// The session is over.
    Ended {
        /// Which one.
        session: SessionId,
        /// Why.
        cause: EndCause,
    },
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// The peer, or a limit of our own (503), refused an outgoing call.
    Refused {
        /// The status code.
        status: u16,
        /// The reason phrase as received.
        reason: String,
    },
    /// No final answer came in time; of an established session: the peer is not there any more.
    NoResponse,
    /// The device has no binding.
    NotRegistered,
    /// There is no such trunk.
    TrunkUnknown,
    /// The trunk carries as many calls as it may, or gets as many a second; no INVITE was sent.
    TrunkBusy,
    /// The trunk does not answer our probes, has asked for peace (Retry-After), or its name leads nowhere; no INVITE was
    /// sent.
    TrunkDown,
    /// The peer hung up.
    RemoteBye,
    /// The peer gave up before we answered.
    RemoteCancel,
    /// We hung up.
    LocalHangUp,
    /// Our answer was never acknowledged.
    NoAck,
    /// The peer, or the order, broke the protocol.
    ProtocolError,
}

/// A call that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingInvite {
    /// Its name, [`SessionId::Incoming`].
    pub session: SessionId,
    /// Why it was let in.
    pub origin: Origin,
    /// Where it came from.
    pub source: SocketAddr,
    /// What carried it.
    pub transport: Transport,
    /// The user part of the Request-URI, unescaped.
    pub request_user: String,
    /// The host of the Request-URI.
    pub request_domain: String,
    /// The user part of From, unescaped.
    pub from_user: String,
    /// The display name of From; empty if there is none.
    pub from_display: String,
    /// The session description offered; empty if there is none.
    pub body: Bytes,
    /// The Call-ID.
    pub call_id: String,
    /// The session whose place it takes once it is answered (RFC 3891); ending that one is the user's affair.
    pub replaces: Option<SessionId>,
    /// The Identity header fields (RFC 8224) of a trunk or trusted peer, at most a few; what a phone of ours sends is not
    /// its to say.
    pub identity: Vec<String>,
    /// What came of checking them; the user agent itself checks nothing.
    pub verstat: Option<Verstat>,
}

/// A transfer that a device has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferRequest {
    /// Names the transfer.
    pub refer: SubscriptionId,
    /// The session within which it was asked for.
    pub session: SessionId,
    /// Who asks.
    pub device: AddressOfRecord,
    /// The user part or number to be called, unescaped.
    pub target: String,
    /// The host part; empty for a telephone number.
    pub host: String,
    /// The dialog of the called one that the call shall take the place of.
    pub replaces: Option<Replaces>,
}

/// A device that wants to know who is in a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// Names the subscription.
    pub subscription: SubscriptionId,
    /// Who asks.
    pub device: AddressOfRecord,
    /// The user part of the meeting's address, unescaped.
    pub user: String,
    /// Its host.
    pub domain: String,
}

/// Why an incoming call was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It proved to be this device.
    Device(AddressOfRecord),
    /// It came from this trunk's address.
    Trunk(TrunkId),
    /// It came from an address in [`UserAgentConfig::trusted_peers`].
    TrustedPeer,
}
