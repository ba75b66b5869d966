//! The process: configuration, sockets, threads, clock, entropy, shutdown. The one composition root.
//!
//! Everything that decides is pure and lives in `sip-core`, `media` and `conference`; the modules here are the thin
//! drivers that read the world for it and carry out what it decided.

pub mod commands;
pub mod config;
pub mod edge;
mod error;
mod focus_task;
mod hep;
mod housekeeping;
mod http_server;
mod identity;
mod keeper;
mod limits;
mod live;
pub mod logging;
mod mail;
pub mod media_thread;
pub mod metrics;
mod oidc;
mod outbox;
pub mod ports;
mod recorder;
mod signalling;
mod sockets;
pub mod speech;
mod start;
mod story;
pub mod transfers;
pub mod udp;
mod webhook_sender;
mod wire_log;

pub use error::StartError;
pub use start::run;
