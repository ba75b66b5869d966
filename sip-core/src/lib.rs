//! SIP as pure logic: messages, transactions, dialogs, digest, registrar, trunk registration, user agent.
//!
//! Nothing here opens a socket, reads a clock or draws randomness: time is an argument, the seed is given at
//! construction, and the same inputs give the same bytes. One drive loop serves everything:
//!
//! 1. call one `handle_*(now, ..)` of [`ua::UserAgent`];
//! 2. call `poll_output()` until it answers `Output::Timeout`;
//! 3. wait for the next datagram, command or that instant, whichever comes first, and begin again.
//!
//! | random value | purpose | source |
//! |---|---|---|
//! | branch | transaction identifier, must be unique and unguessable | seed |
//! | tags | dialog identifiers, unguessable: they are what admits an in-dialog request | seed |
//! | nonce secret | key of the HMAC in nonces and in tags of stateless answers | seed |
//! | nonce salt | makes two nonces of one instant different | seed |
//! | cnonce, Call-ID of registrations | freshness towards the peer | seed |
//! | first RSeq | as RFC 3262 section 3 wants it | seed |
//! | wait after 491, Retry-After of 500 | offers that crossed do not cross again | seed |
//! | order of SRV records | weights are shares of the calls (RFC 2782) | seed |
//! | back-off jitter | spreads retries of trunk registrations | seed |
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        clippy::wildcard_enum_match_arm,
        clippy::cast_possible_truncation,
        reason = "tests may stop at the first surprise"
    )
)]

pub mod auth;
mod deadlines;
pub mod dialog;
pub mod flow;
pub mod framing;
pub mod guard;
pub mod locate;
pub mod message;
mod net;
mod random;
pub mod registrar;
pub mod registration;
pub mod transaction;
pub mod ua;
pub mod xml;

pub use net::{IpNetwork, IpNetworkError};
