//! The API from outside: requests in, answers out, with a fake in place of the running meetings. Tests that prove a
//! row of the mission carry its id in their names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "tests may stop at the first surprise"
)]

mod calls;
mod dialling;
mod events;
mod inbound;
mod input;
mod invitations;
mod join;
mod keys;
mod login;
mod matrix;
mod meetings;
mod multi;
mod oidc;
mod openapi;
mod page;
mod people;
mod planning;
mod records;
mod resolve;
mod robust;
mod rows;
mod support;
mod telephony;
mod trunks;
mod users;
mod users_admin;
