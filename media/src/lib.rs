//! Media as pure logic: it is handed datagrams and the time, and hands back datagrams and events.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        reason = "tests"
    )
)]

pub mod webrtc;
