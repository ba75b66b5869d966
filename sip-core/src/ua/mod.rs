//! The user agent: ties transactions, dialogs, registrar, digest and trunk registrations together.
//!
//! [`UserAgent`] takes datagrams, commands and the passing of time, and gives back datagrams, events and the
//! next instant it wants to be called at. After [`Event::Ended`] nothing more is said about a session, though
//! the user agent may still be busy releasing it; [`UserAgent::counts`] shows when all is forgotten.

mod agent;
mod api;
mod compose;
mod in_dialog;
mod incoming;
mod outgoing;
mod receive;
mod register;
mod session;
mod trunks;

pub use agent::UserAgent;
pub use api::{
    CallerIdentity, Command, Counts, Datagram, DeviceAccount, EndCause, Event, IncomingInvite, Origin,
    OutgoingInvite, Output, SessionId, Target, Trunk, TrunkId, UserAgentConfig,
};

pub use crate::IpNetwork;
pub use crate::auth::Credentials;
pub use crate::registrar::{AddressOfRecord, BindingInfo, RegistrarConfig, StoredBinding};
pub use crate::registration::TrunkRegistration;
pub use crate::transaction::{TimerValues, Transmit};
