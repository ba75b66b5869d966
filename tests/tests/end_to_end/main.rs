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
mod authority;
mod bad_input;
mod baresip;
mod browser;
mod callees;
mod caller_id;
mod database;
mod demonstration;
mod devices;
mod dial_in;
mod dialling;
mod edge;
mod explain;
mod floods;
mod hostile_media;
mod identity;
mod interop;
mod ivr;
mod life;
mod lines;
mod mail;
mod moderation;
mod never_twice;
mod oidc;
mod operations;
mod policy;
mod races;
mod real_phones;
mod records;
mod refusals;
mod roles;
mod secure_signalling;
mod sipp;
mod smtp_server;
mod stranger;
mod support;
mod torture;
mod transports;
mod trunk;
mod trunks;
mod video;
mod webhooks;
