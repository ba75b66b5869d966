//! End to end against the real program: every test starts its own gateway on free ports and its own carrier, and looks
//! at it from outside only. Tests are named after the rows of the mission they prove.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "tests"
)]

mod answers;
mod bad_input;
mod baresip;
mod browser;
mod caller_id;
mod devices;
mod dial_in;
mod ivr;
mod life;
mod mail;
mod operations;
mod policy;
mod races;
mod refusals;
mod roles;
mod sipp;
mod support;
mod trunk;
mod video;
mod webhooks;
