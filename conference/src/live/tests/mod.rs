//! The focus on a virtual clock, without sockets.

mod dial_out;
pub(crate) mod harness;
mod incoming;
mod life;
mod lobby;
mod moderation;
mod property;
mod records;
mod roles;
mod seats;
mod trunks;
mod whole_call;
mod wires;
