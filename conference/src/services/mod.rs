//! What the API may ask for. Every function takes the actor first and checks their rights; nothing above this module
//! decides who may do what.
//!
//! | module | question it answers |
//! |---|---|
//! | [`accounts`] | who is asking |
//! | [`oidc`] | who somebody is, by the word of an identity provider |
//! | [`keys`] | which machine is asking, and what its key allows |
//! | [`users_admin`] | administering users: adding, changing, disabling, enrolling, requests |
//! | [`dashboard`], [`multi`] | every session of the tenant; inviting many users to many of them |
//! | [`users`] | which colleagues and devices are there |
//! | [`resolve`] | who is meant by a typed text |
//! | [`meetings`], [`people`] | which meetings, and who is on their lists with which role |
//! | [`join`] | how somebody comes in, by link or as themselves |
//! | [`calls`] | CALL: placing, previewing, cancelling, calling again |
//! | [`invitations`], [`profile`] | who is mailed about a meeting, and where to |
//! | [`outbox`], [`webhooks`] | what is sent out, and how it went |
//! | [`events`], [`watch`] | what happens, in order, for everybody who may know |
//! | [`trunks`] | which ways to the telephone network there are, and how they are |
//! | [`records`], [`attendees`], [`retention`] | what is written down, as lists and tables, and for how long |
//! | [`provision`] | what the running part is told at start |

pub mod accounts;
pub mod actor;
mod attendance;
pub mod attendees;
mod audit;
pub mod calls;
mod changes;
pub mod csv;
pub mod cursor;
pub mod dashboard;
pub mod devices;
mod earlier;
mod error;
pub mod events;
mod idempotency;
mod input;
pub mod invitations;
pub mod join;
pub(crate) mod join_info;
pub mod keys;
pub mod lists;
mod live;
mod locks;
pub mod meetings;
pub mod moderation;
pub mod multi;
pub mod numbers;
pub mod oidc;
pub mod outbox;
pub mod page;
mod passcodes;
pub mod people;
pub mod phones;
mod pins;
pub mod planning;
pub mod policy;
pub mod profile;
pub mod provision;
mod reach;
pub mod record_views;
pub mod records;
pub mod reminders;
pub mod resolve;
pub mod retention;
pub mod schedule;
pub mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trunk_order;
pub mod trunks;
pub mod users;
pub mod users_admin;
pub mod views;
pub mod watch;
pub mod webhooks;

pub use actor::{Actor, ParticipantActor, UserActor};
pub use error::{ErrorKind, ServiceError};
pub use events::EventHub;
pub use live::{Live, WebrtcAnswer};
pub use media::worker::LegId;
pub use provision::Provision;

pub use crate::store::world::{Clock, Entropy};

use crate::live::event::PublicEvent;
use crate::store::secrets::{LinkKey, random_id};
use crate::store::seed::TrunkPasswords;
use crate::store::{Store, Vault};
use crate::vocabulary::UnixMillis;
use locks::MeetingLocks;
use sip_core::ua::IpNetwork;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What an installation may set.
#[derive(Clone, Debug)]
pub struct ServicesConfig {
    /// Where browsers reach the page, without a slash at the end: `https://meet.example`.
    pub base_url: String,
    /// How long a call may ring.
    pub ring_timeout: Duration,
    /// How long a login lasts.
    pub login_lifetime: Duration,
    /// How long a participant token lasts.
    pub participant_lifetime: Duration,
    /// How many calls one Host may place within a minute.
    pub calls_per_minute: u32,
    /// Networks beside this machine itself from which `/metrics` may be read.
    pub metrics_from: Vec<IpNetwork>,
    /// How many requests a second the API takes of one token; five times that from one address.
    pub requests_per_second: u32,
    /// `host:port` that phones are told to register with.
    pub sip_server: String,
    /// Countries beyond the tenant's own that may be called, as ISO 3166 codes.
    pub dial_countries: Vec<String>,
    /// How mails and webhook deliveries are sent.
    pub outbox: outbox::OutboxConfig,
    /// Where webhooks may go.
    pub webhooks: webhooks::WebhookGuard,
    /// The address calendars answer to, before each invitation's own part is put behind its name; the inviters' own
    /// addresses if missing.
    pub calendar_replies: Option<String>,
}

impl Default for ServicesConfig {
    fn default() -> Self {
        Self {
            base_url: "http://127.0.0.1:8080".to_owned(),
            ring_timeout: Duration::from_secs(45),
            login_lifetime: Duration::from_secs(12 * 3600),
            participant_lifetime: Duration::from_secs(12 * 3600),
            calls_per_minute: 200,
            metrics_from: Vec::new(),
            requests_per_second: 500,
            sip_server: "127.0.0.1:5060".to_owned(),
            dial_countries: Vec::new(),
            outbox: outbox::OutboxConfig::default(),
            webhooks: webhooks::WebhookGuard::default(),
            calendar_replies: None,
        }
    }
}

/// What services are built from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The running part.
    pub live: Arc<dyn Live>,
    /// The event stream; whatever carries out the running part's effects publishes to it too.
    pub events: EventHub,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The key join links are derived from.
    pub links: LinkKey,
    /// What seals the secrets that must be read again.
    pub vault: Vault,
    /// The trunks' passwords, which the database does not hold.
    pub trunk_passwords: TrunkPasswords,
    /// What the installation set.
    pub config: ServicesConfig,
}

/// Everything the API may ask for.
pub struct Services {
    /// The database.
    pub store: Store,
    /// The running part.
    pub live: Arc<dyn Live>,
    /// The event stream.
    pub events: EventHub,
    /// What the installation set.
    pub config: ServicesConfig,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    links: LinkKey,
    /// What seals the secrets that must be read again.
    pub vault: Vault,
    trunk_passwords: TrunkPasswords,
    passwords: accounts::Passwords,
    oidc: OnceLock<oidc::Oidc>,
    locks: MeetingLocks,
    passcodes: passcodes::Passcodes,
}

impl Services {
    /// Puts the services together and renews the join links' hashes if the key is not the one they were made with.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn new(parts: Parts) -> Result<Self, ServiceError> {
        let Parts { store, live, events, clock, entropy, links, vault, trunk_passwords, config } = parts;
        let passwords = accounts::Passwords::new(entropy.as_ref())?;
        let services = Self {
            store,
            live,
            events,
            config,
            clock,
            entropy,
            links,
            vault,
            trunk_passwords,
            passwords,
            oidc: OnceLock::new(),
            locks: MeetingLocks::default(),
            passcodes: passcodes::Passcodes::default(),
        };
        services.check_link_key().await?;
        services.store.delete_expired_sessions(services.now()).await?;
        Ok(services)
    }

    /// The wall time the services go by.
    pub fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    /// A random request or row identifier.
    pub fn random_id(&self, prefix: char) -> String {
        random_id(self.entropy.as_ref(), prefix)
    }

    /// Whether the numbers of this process may be read from this address.
    pub fn may_read_metrics(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.config.metrics_from.iter().any(|network| network.contains(address))
    }

    fn publish(&self, event: PublicEvent) {
        self.events.publish(event);
    }
}
