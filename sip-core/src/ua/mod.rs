//! The user agent: ties transactions, dialogs, registrar, digest and trunk registrations together.
//!
//! [`UserAgent`] takes datagrams, commands and the passing of time, and gives back datagrams, events and the
//! next instant it wants to be called at. After [`Event::Ended`] nothing more is said about a session, though
//! the user agent may still be busy releasing it; [`UserAgent::counts`] shows when all is forgotten.
//!
//! Deviations from the RFCs, and why:
//!
//! | section | what we do | why |
//! |---|---|---|
//! | 3261 18.2.2, 3581 4 | responses go to the source address even without `rport`, but for a sent-by that is the source's own address; `maddr` is ignored | phones behind NAT, and nobody can make us send elsewhere |
//! | 3261 12.2.1.1 | requests in a dialog keep their Route but are sent to where the peer's signalling comes from | the same |
//! | 3261 8.2.7 | challenges, refusals and OPTIONS are answered without a transaction | a flood of strangers leaves nothing behind |
//! | 3261 19.1.4 | contacts are compared as written, not by the rules of URI equivalence | a phone repeats its own contact; a stranger cannot get here |
//! | 3261 12.2.2 | a request in a dialog counts only from the peer's host or its trunk | tags may leak; addresses are harder to forge |
//! | 3261 8.2.6, 22 | a stateless answer over three times as long as its request is not sent | nobody can make us flood others |
//! | 3262 5 | an offer in PRACK is refused (488); without an offer in the INVITE no provisional response goes out reliably but one with ours | early media is not renegotiated |
//! | 3311 5.2 | an offer in UPDATE is refused before the call is answered | the same |
//! | 4028 7, 9 | a peer without session timers is refreshed by us all the same; its refusal does not end the session | its answer is the sign of life we want |
//! | 3261 18.2.2 | a response whose connection is gone is not sent on a new one | the peer may be behind a NAT, and its transaction repeats nothing |
//! | 3261 18.1.1 | only requests to trunks of no fixed transport go by TCP when they are large | others have a way of their own that works |
//! | 3515 | REFER is taken from devices of ours alone, and the user decides; from others it is declined (603) | nothing may lead a call around the dial policy |
//! | 3891 3 | Replaces takes the place of an answered call between devices of one domain; what rings is not picked up (403) | nobody may take over a call that is not theirs to end |
//! | 6665 4.1.3 | every refusal of a NOTIFY ends its subscription | the phone will subscribe again |
//! | 3261 22.4 | `qop=auth` is required | without it a response can be replayed |

mod acceptable;
mod agent;
mod api;
mod check;
mod compose;
mod edge;
mod failover;
mod flows;
mod identity;
mod in_dialog;
mod incoming;
mod info;
mod instant;
mod outgoing;
mod pace;
mod probe;
mod receive;
mod refer;
mod register;
mod reliable;
mod reoffer;
mod replaces;
mod session;
mod session_timer;
mod subscribe;
mod subscription;
mod trunk;
mod trunks;
mod update;
mod watched;

pub use agent::UserAgent;
pub use api::{
    CallerIdentity, Command, Counts, Datagram, DeviceAccount, EndCause, Event, FlowInput, FlowOpened,
    IncomingInvite, Origin, OutgoingInvite, Output, ReferRequest, SessionId, SubscribeRequest, Target,
    TrunkId, UserAgentConfig,
};
pub use identity::{Attestation, Verstat};
pub(crate) use instant::allows_messages;
pub use probe::ProbeAnswer;
pub use subscription::SubscriptionId;
pub use trunk::{
    DiversionFormat, FromFormat, IdentityFormat, NumberFormat, Peer, PeerError, Trunk, TrunkLimits,
};
pub use trunks::TrunkStatus;

pub use crate::IpNetwork;
pub use crate::auth::Credentials;
pub use crate::flow::{FlowId, Hop, Listener, Transport};
pub use crate::guard::GuardLimits;
pub use crate::message::header::Replaces;
pub use crate::registrar::{
    AddressOfRecord, AddressOfRecordError, BindingInfo, RegistrarConfig, StoredBinding,
};
pub use crate::registration::TrunkRegistration;
pub use crate::transaction::{TimerValues, Transmit};
pub use flows::Connect;
