//! The focus on a virtual clock, without sockets.

mod aside;
mod call_back;
mod dial_in;
mod dial_out;
pub(crate) mod harness;
mod incoming;
mod keypad_menu;
mod last_words;
mod life;
mod lobby;
mod moderation;
mod property;
mod records;
mod roles;
mod seats;
mod transfers;
mod trunks;
mod watching;
mod whole_call;
mod wires;
