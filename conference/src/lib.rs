//! Meetings, people, roles, policy and dial-out calls.
//!
//! [`live`] is pure: time and seeds are arguments, decisions come out as effects. The `services` and `store`
//! modules (feature `services`, on by default) are the asynchronous side: rights, persistence, events.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::float_cmp,
        clippy::wildcard_enum_match_arm,
        reason = "tests build their own clock and compare exact values"
    )
)]

pub mod ids;
pub mod live;
#[cfg(feature = "services")]
pub mod services;
#[cfg(feature = "services")]
pub mod store;
pub mod times;
pub mod vocabulary;
