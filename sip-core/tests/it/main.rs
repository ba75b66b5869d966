//! Whole calls, registrations and attacks against the user agent, on a virtual clock and a seeded network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "tests may stop at the first surprise"
)]

mod calls;
mod checks;
mod floods;
mod guard;
mod identity;
mod incoming;
mod properties;
mod races;
mod reader;
mod registrar;
mod sections;
mod sessions;
mod subscriptions;
mod support;
mod torture;
mod transfers;
mod transports;
mod trunk;
